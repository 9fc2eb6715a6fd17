//! Commands on items do what a table with one row per item says they do.
//! Method: random commands against a plain model. After each one the report, every item's state, the counts of
//! every order and the reloaded snapshot must agree; a refused command changes nothing.

use imp_core::code::Face;
use imp_core::state::{Command, HoldKind, Lifecycle, RefusalReason, Report, State, StateCounts, Stop, Tally};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use state_support::{TENANT, World, change, describe, issue};
use std::collections::{BTreeMap, BTreeSet};

mod state_support;

/// Name, quantity and bound date of the orders. "b" expires while the commands run.
const ORDERS: [(&str, u32, Option<i64>); 3] = [("a", 7, None), ("b", 5, Some(1_025_000)), ("c", 12, None)];

type Item = (&'static str, u32);

#[derive(Clone)]
struct Row {
    lifecycle: Lifecycle,
    is_replaced: bool,
    holds: BTreeMap<String, HoldKind>,
}

impl Row {
    fn state(&self, is_expired: bool) -> State {
        let is_under = |kind| self.holds.values().any(|held| *held == kind);
        match self.lifecycle {
            _ if is_under(HoldKind::Recall) => State::Recalled,
            Lifecycle::Void => State::Void,
            _ if is_under(HoldKind::Freeze) => State::Frozen,
            _ if is_expired => State::Expired,
            Lifecycle::Active => State::Active,
            Lifecycle::Issued => State::Issued,
        }
    }
}

struct Model {
    rows: BTreeMap<Item, Row>,
}

/// What the model expects: a tally, or the reason of the refusal.
type Expected = Result<Tally, RefusalReason>;

impl Model {
    fn new() -> Self {
        let row = Row { lifecycle: Lifecycle::Issued, is_replaced: false, holds: BTreeMap::new() };
        let items =
            ORDERS.iter().flat_map(|(order, quantity, _)| (0..*quantity).map(move |index| (*order, index)));
        Self { rows: items.map(|item| (item, row.clone())).collect() }
    }

    /// Apply `step` to every item; it says what became of the item.
    fn each(&mut self, items: &BTreeSet<Item>, strict: bool, step: impl Fn(&mut Row) -> Fate) -> Expected {
        let mut rows = self.rows.clone();
        let mut tally = Tally::default();
        for item in items {
            match step(rows.get_mut(item).unwrap()) {
                Fate::Changed => tally.changed += 1,
                Fate::Already => tally.already += 1,
                Fate::Skipped => tally.skipped += 1,
            }
        }
        if tally.changed + tally.already == 0 {
            return Err(RefusalReason::NothingEligible);
        }
        if strict && tally.skipped > 0 {
            return Err(RefusalReason::WouldSkip);
        }
        self.rows = rows;
        Ok(tally)
    }

    fn replace(&mut self, old: &[Item], new: &[Item], strict: bool) -> Expected {
        let before = self.rows.clone();
        let all: BTreeSet<&Item> = old.iter().chain(new).collect();
        let is_taken = |item: &Item| self.rows[item].lifecycle != Lifecycle::Issued;
        if all.len() < old.len() * 2 || new.iter().any(is_taken) {
            return Err(RefusalReason::ReplacementMismatch);
        }
        let mut tally = Tally::default();
        for (old, new) in old.iter().zip(new) {
            let before = self.rows[old].clone();
            if before.lifecycle == Lifecycle::Void {
                tally.skipped += 1;
                continue;
            }
            tally.changed += 1;
            let successor = self.rows.get_mut(new).unwrap();
            successor.lifecycle = before.lifecycle;
            successor.holds.extend(before.holds);
            let gone = self.rows.get_mut(old).unwrap();
            (gone.lifecycle, gone.is_replaced) = (Lifecycle::Void, true);
        }
        if tally.changed == 0 {
            return Err(RefusalReason::NothingEligible);
        }
        if strict && tally.skipped > 0 {
            self.rows = before;
            return Err(RefusalReason::WouldSkip);
        }
        Ok(tally)
    }

    fn counts(&self, order: &str, is_expired: bool) -> StateCounts {
        let mut counts = StateCounts::default();
        for (_, row) in self.rows.iter().filter(|((of, _), _)| *of == order) {
            match row.state(is_expired) {
                State::Issued => counts.issued += 1,
                State::Active => counts.active += 1,
                State::Frozen => counts.frozen += 1,
                State::Recalled => counts.recalled += 1,
                State::Void => counts.void += 1,
                State::Expired => counts.expired += 1,
            }
        }
        counts
    }
}

enum Fate {
    Changed,
    Already,
    Skipped,
}

fn changed_if(changed: bool) -> Fate {
    if changed { Fate::Changed } else { Fate::Already }
}

#[derive(Debug, Clone)]
enum Scope {
    Order(Index),
    Range(Index, Index, Index),
    Codes(Vec<(Index, bool)>),
}

#[derive(Debug, Clone)]
enum Step {
    Activate(Scope, bool),
    Void(Scope, bool),
    Freeze(Scope, bool),
    Recall(Scope, bool),
    Unfreeze(Index, Option<Scope>, bool),
    Replace(Vec<(Index, Index)>, bool),
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        1 => any::<Index>().prop_map(Scope::Order),
        3 => any::<(Index, Index, Index)>().prop_map(|(order, first, count)| Scope::Range(order, first, count)),
        3 => prop::collection::vec(any::<(Index, bool)>(), 1..6).prop_map(Scope::Codes),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let strict = || prop::bool::weighted(0.2);
    prop_oneof![
        3 => (scope(), strict()).prop_map(|(scope, strict)| Step::Activate(scope, strict)),
        2 => (scope(), strict()).prop_map(|(scope, strict)| Step::Void(scope, strict)),
        3 => (scope(), strict()).prop_map(|(scope, strict)| Step::Freeze(scope, strict)),
        2 => (scope(), strict()).prop_map(|(scope, strict)| Step::Recall(scope, strict)),
        4 => (any::<Index>(), prop::option::of(scope()), strict())
            .prop_map(|(hold, scope, strict)| Step::Unfreeze(hold, scope, strict)),
        3 => (prop::collection::vec(any::<(Index, Index)>(), 1..3), strict())
            .prop_map(|(pairs, strict)| Step::Replace(pairs, strict)),
    ]
}

struct Pair {
    world: World,
    model: Model,
    /// Every hold there ever was.
    holds: Vec<String>,
}

impl Pair {
    fn new() -> Self {
        let mut world = World::furnished();
        for (order, quantity, expires_at_us) in ORDERS {
            let mut command = issue(order, quantity);
            command["expires_at_us"] = json!(expires_at_us);
            world.apply(command);
        }
        Self { world, model: Model::new(), holds: Vec::new() }
    }

    fn item(&self, index: &Index) -> Item {
        *self.model.rows.keys().nth(index.index(self.model.rows.len())).unwrap()
    }

    fn code(&self, (order, index): Item, inner: bool) -> String {
        self.world.code(order, index, if inner { Face::Inner } else { Face::Outer })
    }

    fn scope(&self, scope: &Scope) -> (Value, BTreeSet<Item>) {
        match scope {
            Scope::Order(order) => {
                let (order, quantity, _) = ORDERS[order.index(ORDERS.len())];
                (json!({"order": order}), (0..quantity).map(|index| (order, index)).collect())
            }
            Scope::Range(order, first, count) => {
                let (order, quantity, _) = ORDERS[order.index(ORDERS.len())];
                let first = first.index(quantity as usize) as u32;
                let count = 1 + count.index((quantity - first) as usize) as u32;
                let items = (first..first + count).map(|index| (order, index)).collect();
                (json!({"order": order, "first": first, "count": count}), items)
            }
            Scope::Codes(picks) => {
                let codes: Vec<String> =
                    picks.iter().map(|(index, inner)| self.code(self.item(index), *inner)).collect();
                (json!({"codes": codes}), picks.iter().map(|(index, _)| self.item(index)).collect())
            }
        }
    }

    /// The command of a step, with what the model makes of it. The event id will be `event_id`.
    fn expect(&mut self, step: &Step, event_id: &str) -> (Value, Expected) {
        match step {
            Step::Activate(scope, strict) => {
                let (scope, items) = self.scope(scope);
                let expected = self.model.each(&items, *strict, |row| {
                    let was_issued = row.lifecycle == Lifecycle::Issued;
                    row.lifecycle = row.lifecycle.max(Lifecycle::Active);
                    if row.lifecycle == Lifecycle::Void { Fate::Skipped } else { changed_if(was_issued) }
                });
                (strictly(change("activate", scope), *strict), expected)
            }
            Step::Void(scope, strict) => {
                let (scope, items) = self.scope(scope);
                let expected = self.model.each(&items, *strict, |row| {
                    let was_void = row.lifecycle == Lifecycle::Void;
                    row.lifecycle = Lifecycle::Void;
                    changed_if(!was_void)
                });
                (strictly(change("void", scope), *strict), expected)
            }
            Step::Freeze(scope, strict) => {
                let (scope, items) = self.scope(scope);
                self.holds.push(event_id.into());
                let expected = self.model.each(&items, *strict, |row| {
                    if row.lifecycle == Lifecycle::Void {
                        return Fate::Skipped;
                    }
                    row.holds.insert(event_id.into(), HoldKind::Freeze);
                    Fate::Changed
                });
                (strictly(change("freeze", scope), *strict), expected)
            }
            Step::Recall(scope, strict) => {
                let (scope, items) = self.scope(scope);
                self.holds.push(event_id.into());
                let expected = self.model.each(&items, *strict, |row| {
                    row.holds.insert(event_id.into(), HoldKind::Recall);
                    Fate::Changed
                });
                (strictly(change("recall", scope), *strict), expected)
            }
            Step::Unfreeze(hold, scope, strict) => self.expect_unfreeze(hold, scope.as_ref(), *strict),
            Step::Replace(pairs, strict) => {
                let (old, new): (Vec<Item>, Vec<Item>) =
                    pairs.iter().map(|(old, new)| (self.item(old), self.item(new))).unzip();
                let codes = |items: &[Item]| {
                    items.iter().map(|item| self.code(*item, false)).collect::<Vec<String>>()
                };
                let command =
                    json!({"command": "replace", "old": codes(&old), "new": codes(&new), "reason": "torn"});
                (strictly(command, *strict), self.model.replace(&old, &new, *strict))
            }
        }
    }

    fn expect_unfreeze(&mut self, hold: &Index, scope: Option<&Scope>, strict: bool) -> (Value, Expected) {
        let hold = match self.holds.len() {
            0 => "e0".to_string(),
            len => self.holds[hold.index(len)].clone(),
        };
        let covered: BTreeSet<Item> = self
            .model
            .rows
            .iter()
            .filter(|(_, row)| row.holds.contains_key(&hold))
            .map(|(item, _)| *item)
            .collect();
        let mut command = json!({"command": "unfreeze", "hold": hold, "reason": "cleared", "strict": strict});
        let items = match scope {
            Some(scope) => {
                let (scope, items) = self.scope(scope);
                command["scope"] = scope;
                items
            }
            None => covered.clone(),
        };
        if covered.is_empty() {
            return (command, Err(RefusalReason::UnknownHold));
        }
        let expected = self.model.each(&items, strict, |row| changed_if(row.holds.remove(&hold).is_some()));
        (command, expected)
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let now_us = self.world.now_us;
        for (order, _, expires_at_us) in ORDERS {
            let is_expired = expires_at_us.is_some_and(|at_us| at_us <= now_us);
            let known = self.world.order(order);
            prop_assert_eq!(known.counts(now_us), self.model.counts(order, is_expired), "order {}", order);
            for ((_, index), row) in self.model.rows.iter().filter(|((of, _), _)| *of == order) {
                prop_assert_eq!(
                    known.state(*index, now_us),
                    row.state(is_expired),
                    "item {} of {}",
                    index,
                    order
                );
                prop_assert_eq!(known.lifecycle(*index), row.lifecycle);
                prop_assert_eq!(known.is_replaced(*index), row.is_replaced);
                let holds: BTreeMap<String, HoldKind> =
                    known.holds_on(*index).map(|hold| (hold.id.to_string(), hold.kind)).collect();
                prop_assert_eq!(&holds, &row.holds);
            }
        }
        let reloaded = self.world.load().unwrap();
        prop_assert_eq!(describe(&reloaded), describe(&self.world.snapshot));
        Ok(())
    }
}

fn strictly(mut command: Value, strict: bool) -> Value {
    command["strict"] = json!(strict);
    command
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn commands_agree_with_one_row_per_item(steps in prop::collection::vec(step(), 1..25)) {
        let mut pair = Pair::new();
        for step in steps {
            let before = describe(&pair.world.snapshot);
            let (command, expected) = pair.expect(&step, &format!("e{}", pair.world.events + 1));
            match (pair.world.try_apply(command.clone()), expected) {
                (Ok(report), Ok(tally)) => {
                    let Report { changed, already, skipped, .. } = report;
                    prop_assert_eq!(Tally { changed, already, skipped }, tally, "{}", command);
                    let mut by_state = StateCounts::default();
                    for order in &report.orders {
                        by_state += pair.world.order(order).counts(pair.world.now_us);
                    }
                    prop_assert_eq!(report.by_state, by_state);
                }
                (Err(refusal), Err(reason)) => {
                    prop_assert_eq!(refusal.reason, reason, "{}: {}", command, refusal.message);
                    prop_assert_eq!(describe(&pair.world.snapshot), before, "a refusal changes nothing");
                }
                (got, expected) => prop_assert!(false, "{command}: got {got:?}, expected {expected:?}"),
            }
            pair.check()?;
        }
    }
}

#[test]
fn a_preview_changes_nothing_and_says_what_applying_would() {
    let mut pair = Pair::new();
    let command = change("freeze", json!({"order": "a", "first": 2, "count": 3}));
    let before = describe(&pair.world.snapshot);
    let parsed = Command::from_json(command.to_string().as_bytes()).unwrap();
    pair.world.now_us += 1_000;
    let preview = pair.world.plan_as(TENANT, "e4", &parsed).unwrap();
    assert_eq!(describe(&pair.world.snapshot), before);
    pair.world.now_us -= 1_000;
    let mut applied = pair.world.apply(command);
    applied.event_id = "e4".into();
    applied.hold = Some("e4".into());
    assert_eq!(preview.report, applied);
    let unknown = Command::from_json(change("freeze", json!({"order": "x"})).to_string().as_bytes()).unwrap();
    assert!(matches!(pair.world.plan_as(TENANT, "e9", &unknown), Err(Stop::Refused(_))));
}
