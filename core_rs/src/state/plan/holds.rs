//! Commands that put holds on items and lift them: freeze, recall, unfreeze.

use super::change::change_items;
use super::draft::Draft;
use super::scope::{Part, select};
use super::{PlanContext, Stop, expect_text, refuse};
use crate::state::command::{Change, Recall, Scope, Unfreeze};
use crate::state::hold::{Hold, HoldKind};
use crate::state::item_set::ItemSet;
use crate::state::order::Order;
use crate::state::report::{HOLDS_LISTED_MAX, Refusal, RefusalReason};
use crate::state::text::PreparedText;
use std::collections::HashSet;
use std::sync::Arc;

/// Holds that the message of a refusal describes.
const HOLDS_DESCRIBED_MAX: usize = 5;

/// Hold items until further notice; void items are skipped.
pub(super) fn freeze<'a>(context: &'a PlanContext<'a>, command: &Change) -> Result<Draft<'a>, Stop> {
    let parts = select(context, &command.scope)?;
    hold_items(context, parts, command.strict, HoldKind::Freeze, &command.reason, None)
}

/// Call items back, void ones too.
pub(super) fn recall<'a>(context: &'a PlanContext<'a>, command: &Recall) -> Result<Draft<'a>, Stop> {
    let instructions = command.instructions.as_deref();
    if let Some(text) = instructions {
        expect_text("instructions", text)?;
    }
    let parts = select(context, &command.scope)?;
    hold_items(context, parts, command.strict, HoldKind::Recall, &command.reason, instructions)
}

fn hold_items<'a>(
    context: &'a PlanContext<'a>,
    parts: Vec<Part<'a>>,
    strict: bool,
    kind: HoldKind,
    reason: &str,
    instructions: Option<&str>,
) -> Result<Draft<'a>, Stop> {
    let hold = Hold {
        id: context.event_id.into(),
        kind,
        at_us: context.at_us,
        reason: reason.into(),
        instructions: instructions.map(PreparedText::new),
        items: ItemSet::None,
    };
    let mut draft = change_items(context, parts, strict, |order, items| {
        order.held(Hold { items: items.clone(), ..hold.clone() })
    })?;
    draft.report.hold = Some(context.event_id.into());
    Ok(draft)
}

/// Take a hold away, wholly or for a sub-scope. What lay below is visible again.
pub(super) fn unfreeze<'a>(context: &'a PlanContext<'a>, command: &Unfreeze) -> Result<Draft<'a>, Stop> {
    let Some(hold) = command.hold.as_deref() else {
        return Err(hold_required(context, command.scope.as_ref())?.into());
    };
    let covered = parts_under(context, hold);
    if covered.is_empty() {
        return refuse(RefusalReason::UnknownHold, format!("hold {hold:?} covers no item of this tenant"));
    }
    let parts = match &command.scope {
        Some(scope) => select(context, scope)?,
        None => covered,
    };
    let mut draft = change_items(context, parts, command.strict, |order, items| order.released(hold, items))?;
    draft.report.hold = Some(hold.into());
    Ok(draft)
}

/// Everything a hold covers.
fn parts_under<'a>(context: &PlanContext<'a>, hold: &str) -> Vec<Part<'a>> {
    let covered = |order: &'a Arc<Order>| Some(Part { order, items: order.hold(hold)?.items.clone() });
    orders(context).filter_map(covered).collect()
}

fn orders<'a>(context: &PlanContext<'a>) -> impl Iterator<Item = &'a Arc<Order>> {
    let tenant = context.snapshot.tenant(context.tenant);
    tenant.into_iter().flat_map(|tenant| context.snapshot.orders_of(tenant.id))
}

/// The refusal of an unfreeze that names no hold: it lists those on the scope, newest first.
fn hold_required(context: &PlanContext<'_>, scope: Option<&Scope>) -> Result<Refusal, Stop> {
    let parts = match scope {
        Some(scope) => select(context, scope)?,
        None => orders(context).map(|order| Part { order, items: ItemSet::All }).collect(),
    };
    let mut holds: Vec<(&Arc<Hold>, &Arc<Order>, u64)> = Vec::new();
    for Part { order, items } in &parts {
        let extent = &order.meta.extent;
        let covering =
            order.holds().iter().map(|hold| (hold, *order, hold.items.common_count(items, extent)));
        holds.extend(covering.filter(|(_, _, count)| *count > 0));
    }
    holds.sort_by_key(|(hold, _, _)| std::cmp::Reverse(hold.at_us));
    let describe = |(hold, order, count): &(&Arc<Hold>, &Arc<Order>, u64)| {
        format!(
            "{} ({} of {count} items of order {}: {})",
            hold.id,
            hold.kind.name(),
            order.meta.name,
            hold.reason
        )
    };
    let described: Vec<String> = holds.iter().take(HOLDS_DESCRIBED_MAX).map(describe).collect();
    let message = if holds.is_empty() {
        "hold: name the hold to lift; there is none on this scope".to_string()
    } else {
        format!("hold: name the hold to lift: {}", described.join("; "))
    };
    let mut seen = HashSet::new();
    let ids = holds.iter().map(|(hold, _, _)| hold.id.to_string()).filter(|id| seen.insert(id.clone()));
    let listed = ids.take(HOLDS_LISTED_MAX).collect();
    Ok(Refusal { holds: Some(listed), ..Refusal::new(RefusalReason::HoldRequired, message) })
}
