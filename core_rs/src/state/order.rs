//! Orders: contiguous serials issued together, with the lifecycle and the holds of their items.

use super::hold::{Hold, HoldKind};
use super::item_set::{Extent, ItemSet};
use super::lifecycle::{Lifecycle, State, StateCounts};
use super::product::Fragments;
use super::text::{PreparedText, json_text_or_null};
use std::sync::Arc;

/// Holds one order may have at a time.
pub const ORDER_HOLDS_MAX: usize = 10_000;

/// What never changes about an order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderMeta {
    /// Its number.
    pub id: u32,
    /// Number of its tenant.
    pub tenant: u32,
    /// Its name inside the tenant.
    pub name: Box<str>,
    /// Number of its key space.
    pub key_space: u32,
    /// Number of its product.
    pub product: Option<u32>,
    /// Lot of its items.
    pub lot: Option<Box<str>>,
    /// First serial.
    pub first: u64,
    /// Its items, as serial − first.
    pub extent: Extent,
    /// Bound date, µs since the Unix epoch: from then on its items are expired.
    pub expires_at_us: Option<i64>,
    /// When it was issued, µs since the Unix epoch.
    pub issued_at_us: i64,
    /// Version of the word list its codes were checked against.
    pub word_list: u8,
    /// SHA-256 over the imported texts; `None` for codes of our own.
    pub texts_sha256: Option<[u8; 32]>,
}

/// How many items a change touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Changed.
    pub changed: u64,
    /// So already.
    pub already: u64,
    /// Terminal, left alone.
    pub skipped: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.changed += other.changed;
        self.already += other.already;
        self.skipped += other.skipped;
    }
}

/// One text that recalls tell, and the items whose newest recall with instructions tells it. An item is in one at
/// most, and recalls of the same text share one.
#[derive(Debug, Clone)]
struct Instructions {
    /// Any recall that has the text.
    hold: Arc<Hold>,
    items: ItemSet,
}

/// An order with the state of its items. Immutable: every change makes a new one that shares what it can.
#[derive(Debug, Clone)]
pub struct Order {
    /// What never changes.
    pub meta: Arc<OrderMeta>,
    /// Pieces of answers that show its product.
    pub fragments: Arc<Fragments>,
    lot_json: Arc<[u8]>,
    active: ItemSet,
    void: ItemSet,
    /// Void items that have a successor.
    replaced: ItemSet,
    /// By time, then id.
    holds: Vec<Arc<Hold>>,
    /// What recalls tell, so that a scan need not look through all holds.
    instructions: Vec<Instructions>,
    /// Union of all freezes.
    frozen: ItemSet,
    /// Union of all recalls.
    recalled: ItemSet,
    counts: StateCounts,
}

impl Order {
    /// An order whose items are all issued and free.
    #[must_use]
    pub fn new(meta: OrderMeta, fragments: Arc<Fragments>) -> Self {
        let counts = StateCounts { issued: u64::from(meta.extent.count()), ..StateCounts::default() };
        Self {
            lot_json: json_text_or_null(meta.lot.as_deref()).into(),
            meta: Arc::new(meta),
            fragments,
            active: ItemSet::None,
            void: ItemSet::None,
            replaced: ItemSet::None,
            holds: Vec::new(),
            instructions: Vec::new(),
            frozen: ItemSet::None,
            recalled: ItemSet::None,
            counts,
        }
    }

    /// An order as it was stored.
    #[must_use]
    pub fn restored(self, active: ItemSet, void: ItemSet, replaced: ItemSet, holds: Vec<Hold>) -> Self {
        let mut order = Self { active, void, replaced, ..self };
        order.holds = holds.into_iter().map(Arc::new).collect();
        order.holds.sort_by(|a, b| (a.at_us, &a.id).cmp(&(b.at_us, &b.id)));
        order.frozen = order.union_of(HoldKind::Freeze);
        order.recalled = order.union_of(HoldKind::Recall);
        order.instruct_anew();
        order.recounted()
    }

    /// The lot as a JSON value: a string or `null`.
    #[must_use]
    pub fn lot_json(&self) -> &[u8] {
        &self.lot_json
    }

    /// The item behind a serial; `None` for serials outside the order and for skipped ones.
    #[must_use]
    pub fn index_of_serial(&self, serial: u64) -> Option<u32> {
        let index = u32::try_from(serial.checked_sub(self.meta.first)?).ok()?;
        self.meta.extent.contains(index).then_some(index)
    }

    /// Lifecycle of an item.
    #[must_use]
    pub fn lifecycle(&self, index: u32) -> Lifecycle {
        if self.void.contains(index) {
            Lifecycle::Void
        } else if self.active.contains(index) {
            Lifecycle::Active
        } else {
            Lifecycle::Issued
        }
    }

    /// Effective state of an item at a time.
    #[must_use]
    pub fn state(&self, index: u32, now_us: i64) -> State {
        let (recalled, frozen) = (self.recalled.contains(index), self.frozen.contains(index));
        State::effective(self.lifecycle(index), recalled, frozen, self.is_expired(now_us))
    }

    /// Whether the bound date has passed.
    #[must_use]
    pub fn is_expired(&self, now_us: i64) -> bool {
        self.meta.expires_at_us.is_some_and(|expires_at_us| now_us >= expires_at_us)
    }

    /// Whether an item is void because another took its place.
    #[must_use]
    pub fn is_replaced(&self, index: u32) -> bool {
        self.replaced.contains(index)
    }

    /// What the owner of a recalled item shall do: the newest recall that says so, else the product.
    #[must_use]
    pub fn recall_instructions(&self, index: u32) -> Option<&PreparedText> {
        let own = self.instructions.iter().find(|told| told.items.contains(index));
        own.and_then(|told| told.hold.instructions.as_ref()).or(self.fragments.recall_instructions.as_ref())
    }

    /// All holds, oldest first.
    #[must_use]
    pub fn holds(&self) -> &[Arc<Hold>] {
        &self.holds
    }

    /// A hold by its id.
    #[must_use]
    pub fn hold(&self, id: &str) -> Option<&Arc<Hold>> {
        self.holds.iter().find(|hold| *hold.id == *id)
    }

    /// Holds that cover an item, oldest first.
    #[must_use]
    pub fn holds_on(&self, index: u32) -> impl DoubleEndedIterator<Item = &Arc<Hold>> {
        self.holds.iter().filter(move |hold| hold.items.contains(index))
    }

    /// Exact counts by effective state at a time. Constant cost.
    #[must_use]
    pub fn counts(&self, now_us: i64) -> StateCounts {
        if self.is_expired(now_us) { self.counts.expired() } else { self.counts }
    }

    /// Items out of use.
    #[must_use]
    pub fn void(&self) -> &ItemSet {
        &self.void
    }

    /// Items in use.
    #[must_use]
    pub fn active(&self) -> &ItemSet {
        &self.active
    }

    /// Void items that have a successor.
    #[must_use]
    pub fn replaced(&self) -> &ItemSet {
        &self.replaced
    }

    /// Items under at least one freeze.
    #[must_use]
    pub fn frozen(&self) -> &ItemSet {
        &self.frozen
    }

    /// Items under at least one recall.
    #[must_use]
    pub fn recalled(&self) -> &ItemSet {
        &self.recalled
    }

    /// Release items for use; void ones are skipped.
    #[must_use]
    pub fn activated(&self, items: &ItemSet) -> (Self, Tally) {
        let extent = &self.meta.extent;
        let eligible = items.minus(&self.void, extent);
        let tally = self.tally(items, &eligible, &self.active);
        let order = Self { active: self.active.union(&eligible, extent), ..self.clone() };
        (order.recounted(), tally)
    }

    /// Take items out of use.
    #[must_use]
    pub fn voided(&self, items: &ItemSet) -> (Self, Tally) {
        let extent = &self.meta.extent;
        let tally = self.tally(items, items, &self.void);
        let (active, void) = (self.active.minus(items, extent), self.void.union(items, extent));
        (Self { active, void, ..self.clone() }.recounted(), tally)
    }

    /// Take items out of use that others take the place of.
    #[must_use]
    pub fn replaced_by_others(&self, items: &ItemSet) -> Self {
        let replaced = self.replaced.union(items, &self.meta.extent);
        Self { replaced, ..self.voided(items).0 }
    }

    /// Put a hold on its items, or on more items if the order has it already. A freeze skips void items.
    #[must_use]
    pub fn held(&self, hold: Hold) -> (Self, Tally) {
        let extent = &self.meta.extent;
        let eligible = match hold.kind {
            HoldKind::Freeze => hold.items.minus(&self.void, extent),
            HoldKind::Recall => hold.items.clone(),
        };
        let present = self.hold(&hold.id).map_or(ItemSet::None, |present| present.items.clone());
        let tally = self.tally(&hold.items, &eligible, &present);
        if eligible.is_empty() {
            return (self.clone(), tally);
        }
        let mut order = self.clone();
        match hold.kind {
            HoldKind::Freeze => order.frozen = order.frozen.union(&eligible, extent),
            HoldKind::Recall => order.recalled = order.recalled.union(&eligible, extent),
        }
        let tells = hold.instructions.is_some();
        let hold = order.put_hold(Hold { items: eligible.union(&present, extent), ..hold });
        match order.holds.last() {
            Some(newest) if tells && Arc::ptr_eq(newest, &hold) => order.instruct(&hold),
            _ if tells => order.instruct_anew(),
            _ => {}
        }
        (order.recounted(), tally)
    }

    /// Take a hold off some items. Those that are not under it are so already.
    #[must_use]
    pub fn released(&self, id: &str, items: &ItemSet) -> (Self, Tally) {
        let extent = &self.meta.extent;
        let Some(hold) = self.hold(id).cloned() else {
            return (self.clone(), Tally { already: items.count(extent), ..Tally::default() });
        };
        let changed = hold.items.common_count(items, extent);
        let tally = Tally { changed, already: items.count(extent) - changed, skipped: 0 };
        let mut order = self.clone();
        order.holds.retain(|other| other.id != hold.id);
        let left = hold.items.minus(items, extent);
        if !left.is_empty() {
            order.put_hold(Hold { items: left, ..(*hold).clone() });
        }
        match hold.kind {
            HoldKind::Freeze => order.frozen = order.union_of(HoldKind::Freeze),
            HoldKind::Recall => order.recalled = order.union_of(HoldKind::Recall),
        }
        if hold.instructions.is_some() {
            order.instruct_anew();
        }
        (order.recounted(), tally)
    }

    /// The same order showing other product texts.
    #[must_use]
    pub fn with_fragments(&self, fragments: Arc<Fragments>) -> Self {
        Self { fragments, ..self.clone() }
    }

    fn tally(&self, items: &ItemSet, eligible: &ItemSet, present: &ItemSet) -> Tally {
        let extent = &self.meta.extent;
        let already = eligible.common_count(present, extent);
        let eligible = eligible.count(extent);
        Tally { changed: eligible - already, already, skipped: items.count(extent) - eligible }
    }

    fn put_hold(&mut self, hold: Hold) -> Arc<Hold> {
        self.holds.retain(|other| other.id != hold.id);
        let place = self.holds.partition_point(|other| (other.at_us, &other.id) < (hold.at_us, &hold.id));
        let hold = Arc::new(hold);
        self.holds.insert(place, Arc::clone(&hold));
        hold
    }

    /// Let a recall that is newer than all others with instructions tell its own.
    fn instruct(&mut self, hold: &Arc<Hold>) {
        let extent = &self.meta.extent;
        let is_same = |told: &Instructions| told.hold.instructions == hold.instructions;
        for told in &mut self.instructions {
            told.items = match is_same(told) {
                true => told.items.union(&hold.items, extent),
                false => told.items.minus(&hold.items, extent),
            };
        }
        if !self.instructions.iter().any(is_same) {
            self.instructions.push(Instructions { hold: Arc::clone(hold), items: hold.items.clone() });
        }
        self.instructions.retain(|told| !told.items.is_empty());
    }

    fn instruct_anew(&mut self) {
        self.instructions.clear();
        for hold in self.holds.clone() {
            if hold.kind == HoldKind::Recall && hold.instructions.is_some() {
                self.instruct(&hold);
            }
        }
    }

    fn union_of(&self, kind: HoldKind) -> ItemSet {
        let of_kind = self.holds.iter().filter(|hold| hold.kind == kind);
        of_kind.fold(ItemSet::None, |union, hold| union.union(&hold.items, &self.meta.extent))
    }

    fn recounted(mut self) -> Self {
        let extent = &self.meta.extent;
        let void = self.void.minus(&self.recalled, extent);
        let terminal = self.void.union(&self.recalled, extent);
        let frozen = self.frozen.minus(&terminal, extent);
        let covered = terminal.union(&frozen, extent);
        let active = self.active.minus(&covered, extent).count(extent);
        self.counts = StateCounts {
            recalled: self.recalled.count(extent),
            void: void.count(extent),
            frozen: frozen.count(extent),
            active,
            issued: u64::from(extent.count()) - covered.count(extent) - active,
            expired: 0,
        };
        self
    }
}
