//! Commands that raise the lifecycle of items: activate, void. And what all commands on items have in common.

use super::draft::Draft;
use super::scope::{Part, select};
use super::{PlanContext, Stop, refuse};
use crate::state::command::Change;
use crate::state::item_set::ItemSet;
use crate::state::order::{Order, Tally};
use crate::state::report::RefusalReason;

/// Release items for use; void items are skipped.
pub(super) fn activate<'a>(context: &'a PlanContext<'a>, command: &Change) -> Result<Draft<'a>, Stop> {
    change_items(context, select(context, &command.scope)?, command.strict, Order::activated)
}

/// Take items out of use.
pub(super) fn void<'a>(context: &'a PlanContext<'a>, command: &Change) -> Result<Draft<'a>, Stop> {
    change_items(context, select(context, &command.scope)?, command.strict, Order::voided)
}

/// Change the items of every part. Refused when none of them could be as wished, or when `strict` and one is
/// skipped.
pub(super) fn change_items<'a>(
    context: &'a PlanContext<'a>,
    parts: Vec<Part<'a>>,
    strict: bool,
    change: impl Fn(&Order, &ItemSet) -> (Order, Tally),
) -> Result<Draft<'a>, Stop> {
    let mut draft = Draft::new(context);
    let mut total = Tally::default();
    for Part { order, items } in parts {
        let (after, tally) = change(order, &items);
        draft.change_order(order, after, items)?;
        total += tally;
    }
    expect_eligible(total, strict)?;
    draft.tally(total);
    Ok(draft)
}

/// Whether a command that would touch so many items may go on.
pub(super) fn expect_eligible(total: Tally, strict: bool) -> Result<(), Stop> {
    if total.changed + total.already == 0 {
        return refuse(
            RefusalReason::NothingEligible,
            format!("all {} items of the scope are void", total.skipped),
        );
    }
    if strict && total.skipped > 0 {
        return refuse(
            RefusalReason::WouldSkip,
            format!("{} items are void and would be skipped; without strict they are", total.skipped),
        );
    }
    Ok(())
}
