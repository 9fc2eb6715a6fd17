//! Replacing items: the new one takes lifecycle and holds of the old one, which becomes void for good.

use super::change::expect_eligible;
use super::draft::Draft;
use super::scope::find_codes;
use super::{PlanContext, Stop, bad_field, refuse};
use crate::state::command::Replace;
use crate::state::hold::Hold;
use crate::state::item_set::ItemSet;
use crate::state::keys::{Relation, link_key, link_value};
use crate::state::lifecycle::Lifecycle;
use crate::state::order::{Order, Tally};
use crate::state::report::RefusalReason;
use crate::state::snapshot::Found;
use crate::state::stored::{Put, Table};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Put new items in the place of old ones. Pairs whose old item is void are skipped, or with `strict` refused.
pub(super) fn replace<'a>(context: &'a PlanContext<'a>, command: &Replace) -> Result<Draft<'a>, Stop> {
    if command.old.len() != command.new.len() {
        let (old, new) = (command.old.len(), command.new.len());
        return bad_field("new", format!("{new} codes for {old} old ones; accepted are as many"));
    }
    let old = find_codes(context, "old", &command.old)?;
    let new = find_codes(context, "new", &command.new)?;
    expect_fit(context, &old, &new)?;
    let pairs: Vec<(Found<'_>, Found<'_>)> = old.into_iter().zip(new).collect();
    let is_void = |pair: &&(Found<'_>, Found<'_>)| pair.0.order.lifecycle(pair.0.index) == Lifecycle::Void;
    let skipped = pairs.iter().filter(is_void).count() as u64;
    let total = Tally { changed: pairs.len() as u64 - skipped, already: 0, skipped };
    expect_eligible(total, command.strict)?;

    let mut draft = Draft::new(context);
    draft.tally(total);
    let mut changes: BTreeMap<u32, OrderChange<'_>> = BTreeMap::new();
    for (old, new) in pairs.iter().filter(|pair| !is_void(pair)) {
        change_of(&mut changes, old).void.insert(old.index);
        change_of(&mut changes, new).inherit(new.index, old);
        let key = link_key(old.item, Relation::Successor).to_vec();
        draft.puts.push(Put { table: Table::Link, key, value: Some(link_value(new.item).to_vec()) });
    }
    for change in changes.into_values() {
        let (after, items) = change.applied();
        draft.change_order(change.order, after, items)?;
    }
    Ok(draft)
}

/// What happens to one order: some of its items go, others take places.
struct OrderChange<'a> {
    order: &'a Arc<Order>,
    void: RoaringBitmap,
    new: RoaringBitmap,
    active: RoaringBitmap,
    holds: BTreeMap<&'a str, (&'a Arc<Hold>, RoaringBitmap)>,
}

fn change_of<'m, 'a>(
    changes: &'m mut BTreeMap<u32, OrderChange<'a>>,
    found: &Found<'a>,
) -> &'m mut OrderChange<'a> {
    changes.entry(found.order.meta.id).or_insert_with(|| OrderChange {
        order: found.order,
        void: RoaringBitmap::new(),
        new: RoaringBitmap::new(),
        active: RoaringBitmap::new(),
        holds: BTreeMap::new(),
    })
}

impl<'a> OrderChange<'a> {
    fn inherit(&mut self, index: u32, old: &Found<'a>) {
        self.new.insert(index);
        if old.order.lifecycle(old.index) == Lifecycle::Active {
            self.active.insert(index);
        }
        for hold in old.order.holds_on(old.index) {
            let (_, items) = self.holds.entry(&hold.id).or_insert_with(|| (hold, RoaringBitmap::new()));
            items.insert(index);
        }
    }

    /// The order after it, and the items that took part.
    fn applied(&self) -> (Order, ItemSet) {
        let extent = &self.order.meta.extent;
        let (void, active) = (extent.set(self.void.clone()), extent.set(self.active.clone()));
        let mut after = self.order.replaced_by_others(&void).activated(&active).0;
        for (hold, items) in self.holds.values() {
            after = after.held(Hold { items: extent.set(items.clone()), ..(***hold).clone() }).0;
        }
        (after, extent.set(&self.void | &self.new))
    }
}

/// Old and new items are all different; each new one is only issued, and of its old one's product and level.
fn expect_fit(context: &PlanContext<'_>, old: &[Found<'_>], new: &[Found<'_>]) -> Result<(), Stop> {
    let mismatch =
        |pair: usize, why: &str| refuse(RefusalReason::ReplacementMismatch, format!("pair {pair}: {why}"));
    let level =
        |found: &Found<'_>| context.snapshot.key_space(found.item.key_space).map(|space| space.meta.level);
    let mut seen = HashSet::with_capacity(old.len() * 2);
    for (pair, (old, new)) in old.iter().zip(new).enumerate() {
        if !seen.insert(old.item) || !seen.insert(new.item) {
            return mismatch(pair, "an item is listed twice");
        }
        if new.order.lifecycle(new.index) != Lifecycle::Issued {
            return mismatch(
                pair,
                "the new item is in use or void already; accepted are items that are only issued",
            );
        }
        if old.order.meta.product != new.order.meta.product {
            return mismatch(pair, "the new item is of another product");
        }
        if level(old) != level(new) {
            return mismatch(pair, "the new item is of another level");
        }
    }
    Ok(())
}
