//! A plan in the making: the next snapshot, the writes that lead to it, and what they touched.

use super::leaf::{LeafMaterial, Side};
use super::{Plan, PlanContext, Stop, refuse};
use crate::state::command::Command;
use crate::state::item_set::ItemSet;
use crate::state::order::{ORDER_HOLDS_MAX, Order, Tally};
use crate::state::report::{RefusalReason, Report};
use crate::state::snapshot::Snapshot;
use crate::state::stored::{Put, snapshot_put, state_puts, tenant_put};
use std::sync::Arc;

/// An order before and after, with the items the command means.
struct Touched {
    before: Option<Arc<Order>>,
    after: Arc<Order>,
    items: ItemSet,
}

pub(super) struct Draft<'a> {
    context: &'a PlanContext<'a>,
    pub(super) next: Snapshot,
    pub(super) puts: Vec<Put>,
    pub(super) report: Report,
    touched: Vec<Touched>,
    /// Stored forms of a catalogue entry, before and after.
    entry: Option<(Option<Put>, Put)>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(context: &'a PlanContext<'a>) -> Self {
        let mut next = context.snapshot.clone();
        next.epoch += 1;
        let report = Report::applied(context.event_id, next.epoch);
        Self { context, puts: vec![snapshot_put(next.epoch)], next, report, touched: Vec::new(), entry: None }
    }

    /// Number of the command's tenant, who comes into being with its first catalogue entry.
    pub(super) fn tenant(&mut self) -> u32 {
        if let Some(tenant) = self.next.tenant(self.context.tenant) {
            return tenant.id;
        }
        let id = self.next.add_tenant(self.context.tenant);
        self.puts.push(tenant_put(id, self.context.tenant));
        id
    }

    pub(super) fn tally(&mut self, tally: Tally) {
        self.report.changed += tally.changed;
        self.report.already += tally.already;
        self.report.skipped += tally.skipped;
    }

    /// Put an order that was just added, or that answers an order command again, on the report.
    pub(super) fn show_order(&mut self, order: &Arc<Order>, is_new: bool) {
        let before = (!is_new).then(|| Arc::clone(order));
        self.touched.push(Touched { before, after: Arc::clone(order), items: ItemSet::All });
        self.report.key_space = Some(order.meta.key_space);
        self.report.first_serial = Some(order.meta.first);
        self.report.quantity = Some(order.meta.extent.count());
    }

    /// Put a changed order in the place of the one before it. `items` are those the command means.
    pub(super) fn change_order(
        &mut self,
        before: &Arc<Order>,
        after: Order,
        items: ItemSet,
    ) -> Result<(), Stop> {
        if after.holds().len() > ORDER_HOLDS_MAX {
            let name = &after.meta.name;
            return refuse(
                RefusalReason::TooManyHolds,
                format!("order {name} would have more than {ORDER_HOLDS_MAX} holds; lift some first"),
            );
        }
        state_puts(before, &after, &mut self.puts);
        let after = self.next.set_order(after);
        self.touched.push(Touched { before: Some(Arc::clone(before)), after, items });
        Ok(())
    }

    /// Put a catalogue entry in the place of the one before it. The same again changes nothing.
    pub(super) fn put_entry(&mut self, before: Option<Put>, after: Put) {
        if before.as_ref() == Some(&after) {
            self.report.already = 1;
        } else {
            self.report.changed = 1;
            self.puts.push(after.clone());
        }
        self.entry = Some((before, after));
    }

    pub(super) fn finish(self, command: &Command) -> Plan {
        let (before, after) = self.sides();
        let mut report = self.report;
        report.by_state = after.counts();
        report.orders = self.touched.iter().map(|touched| touched.after.meta.name.to_string()).collect();
        let impact = Tally { changed: report.changed, already: report.already, skipped: report.skipped };
        let leaf = LeafMaterial::new(command, impact, &before, &after);
        Plan { snapshot: self.next, puts: self.puts, report, leaf }
    }

    fn sides(&self) -> (Side, Side) {
        if let Some((before, after)) = &self.entry {
            return (Side::of_entry(before.as_ref()), Side::of_entry(Some(after)));
        }
        let at_us = self.context.at_us;
        let scope = Side::scope(self.touched.iter().map(|touched| (&*touched.after, &touched.items)));
        let before: Vec<&Order> =
            self.touched.iter().filter_map(|touched| touched.before.as_deref()).collect();
        let after: Vec<&Order> = self.touched.iter().map(|touched| &*touched.after).collect();
        (Side::of_orders(&scope, &before, at_us), Side::of_orders(&scope, &after, at_us))
    }
}
