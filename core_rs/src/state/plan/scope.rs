//! Which items a scope means.

use super::{PlanContext, Stop, bad_field, refuse};
use crate::code::CODE_TEXT_BYTES_MAX;
use crate::state::ItemSet;
use crate::state::command::{LISTED_CODES_MAX, Scope};
use crate::state::order::Order;
use crate::state::report::RefusalReason;
use crate::state::snapshot::Found;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Unknown codes named by a refusal.
const UNKNOWN_SHOWN_MAX: usize = 5;

/// Items of one order.
pub(super) struct Part<'a> {
    pub(super) order: &'a Arc<Order>,
    pub(super) items: ItemSet,
}

/// The items of a scope by order, oldest order first; never empty.
pub(super) fn select<'a>(context: &PlanContext<'a>, scope: &Scope) -> Result<Vec<Part<'a>>, Stop> {
    match scope {
        Scope::Order(name) => Ok(vec![Part { order: order_named(context, name)?, items: ItemSet::All }]),
        Scope::Range { order, first, count } => {
            let order = order_named(context, order)?;
            let Some(items) = order.meta.extent.range(*first, *count) else {
                let (name, quantity) = (&order.meta.name, order.meta.extent.count());
                return refuse(
                    RefusalReason::OutOfRange,
                    format!("order {name} has {quantity} items; {count} items from {first} are not inside"),
                );
            };
            Ok(vec![Part { order, items }])
        }
        Scope::Codes(codes) => select_codes(context, codes),
    }
}

fn select_codes<'a>(context: &PlanContext<'a>, codes: &[String]) -> Result<Vec<Part<'a>>, Stop> {
    let mut by_order: BTreeMap<u32, (&Arc<Order>, RoaringBitmap)> = BTreeMap::new();
    for found in find_codes(context, "codes", codes)? {
        let (_, items) =
            by_order.entry(found.order.meta.id).or_insert_with(|| (found.order, RoaringBitmap::new()));
        items.insert(found.index);
    }
    let parts = by_order.into_values();
    Ok(parts.map(|(order, items)| Part { order, items: order.meta.extent.set(items) }).collect())
}

/// The items behind a list of codes, in its order.
pub(super) fn find_codes<'a>(
    context: &PlanContext<'a>,
    field: &str,
    codes: &[String],
) -> Result<Vec<Found<'a>>, Stop> {
    if !(1..=LISTED_CODES_MAX).contains(&codes.len()) {
        return bad_field(field, format!("{} codes; accepted are 1 to {LISTED_CODES_MAX}", codes.len()));
    }
    if let Some((index, code)) = codes.iter().enumerate().find(|(_, code)| code.len() > CODE_TEXT_BYTES_MAX) {
        let len = code.len();
        return bad_field(
            field,
            format!("code {index} has {len} bytes; accepted are at most {CODE_TEXT_BYTES_MAX}"),
        );
    }
    let mut found = Vec::with_capacity(codes.len());
    let mut unknown = Vec::new();
    for code in codes {
        match find_code(context, code)? {
            Some(item) => found.push(item),
            None => unknown.push(code.as_str()),
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let shown = unknown.iter().take(UNKNOWN_SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
    refuse(
        RefusalReason::UnknownCode,
        format!("{field}: {} of {} codes name no item of this tenant: {shown}", unknown.len(), codes.len()),
    )
}

fn find_code<'a>(context: &PlanContext<'a>, code: &str) -> Result<Option<Found<'a>>, Stop> {
    let Some(tenant) = context.snapshot.tenant(context.tenant) else { return Ok(None) };
    let item = (context.resolve)(tenant.id, code.as_bytes())?;
    let found = item.and_then(|item| context.snapshot.item(item));
    Ok(found.filter(|found| found.order.meta.tenant == tenant.id))
}

pub(super) fn order_named<'a>(context: &PlanContext<'a>, name: &str) -> Result<&'a Arc<Order>, Stop> {
    let tenant = context.snapshot.tenant(context.tenant);
    match tenant.and_then(|tenant| context.snapshot.order_named(tenant.id, name)) {
        Some(order) => Ok(order),
        None => refuse(RefusalReason::UnknownOrder, format!("order {name:?} does not exist")),
    }
}
