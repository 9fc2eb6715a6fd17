//! What the ledger keeps of a command: its object, reason and impact, and a hash of the state before and after.
//!
//! The hash is SHA-256 over canonical bytes that do not depend on how sets are held in memory. All numbers are
//! big-endian, a text is its length (u32) and its bytes:
//!
//! - scope: number of orders (u32); per order its name, number of ranges (u32), per range first index and number
//!   of items (u32, u32), ascending;
//! - counts: issued, active, frozen, recalled, void, expired (u64 each) of the touched orders;
//! - hold set: number of holds (u32), their ids, ascending.
//!
//! For a catalogue entry it is SHA-256 over its stored value.

use crate::ledger::hex;
use crate::state::command::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use crate::state::item_set::ItemSet;
use crate::state::lifecycle::StateCounts;
use crate::state::order::{Order, Tally};
use crate::state::stored::Put;
use crate::state::text::cut;
use crate::state::{Command, Scope};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// What a ledger leaf says about a command, but for time, actor and sequence, which the engine knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafMaterial {
    /// Kind of the command.
    pub action: &'static str,
    /// What it was about: names and numbers, never codes.
    pub object: Value,
    /// The reason it gave.
    pub reason: String,
    /// `changed`, `already`, `skipped`.
    pub impact: Value,
    /// `by_state`, number of `holds` and `sha256` before; or only `sha256` of a catalogue entry; or `null`.
    pub before: Value,
    /// The same after.
    pub after: Value,
}

impl LeafMaterial {
    pub(super) fn new(command: &Command, impact: Tally, before: &Side, after: &Side) -> Self {
        let Tally { changed, already, skipped } = impact;
        Self {
            impact: json!({"changed": changed, "already": already, "skipped": skipped}),
            before: before.to_json(),
            after: after.to_json(),
            ..Self::of_refusal(command)
        }
    }

    /// Of a command that was refused: it changed nothing.
    #[must_use]
    pub fn of_refusal(command: &Command) -> Self {
        Self {
            action: command.kind(),
            object: object_of(command),
            reason: cut(command.reason().unwrap_or_default(), TEXT_BYTES_MAX).into(),
            impact: json!({"changed": 0, "already": 0, "skipped": 0}),
            before: Value::Null,
            after: Value::Null,
        }
    }
}

/// What a command is about, without a single code. Names that are too long to be accepted are cut.
fn object_of(command: &Command) -> Value {
    match command {
        Command::SetDomain(command) => json!({"host": name(&command.host)}),
        Command::SetProduct(command) => json!({"product": name(&command.product)}),
        Command::OpenKeySpace(command) => json!({"series": name(&command.series), "epoch": command.epoch}),
        Command::Issue(command) => json!({"order": name(&command.order), "quantity": command.quantity}),
        Command::ImportAliases(command) => {
            json!({"order": name(&command.order), "quantity": command.texts.len()})
        }
        Command::Activate(command) | Command::Void(command) | Command::Freeze(command) => {
            scope_object(&command.scope)
        }
        Command::Recall(command) => scope_object(&command.scope),
        Command::Unfreeze(command) => {
            let hold = command.hold.as_deref().map(name);
            json!({"hold": hold, "scope": command.scope.as_ref().map(scope_object)})
        }
        Command::Replace(command) => json!({"codes": command.old.len()}),
    }
}

fn scope_object(scope: &Scope) -> Value {
    match scope {
        Scope::Order(order) => json!({"order": name(order)}),
        Scope::Range { order, first, count } => json!({"order": name(order), "first": first, "count": count}),
        Scope::Codes(codes) => json!({"codes": codes.len()}),
    }
}

fn name(name: &str) -> &str {
    cut(name, NAME_BYTES_MAX)
}

/// State before or after a command.
pub(super) enum Side {
    /// Of a catalogue entry or order that is not there.
    Nothing,
    Entry([u8; 32]),
    Orders {
        counts: StateCounts,
        holds: usize,
        sha256: [u8; 32],
    },
}

impl Side {
    /// The items a command means, in canonical bytes.
    pub(super) fn scope<'a>(parts: impl ExactSizeIterator<Item = (&'a Order, &'a ItemSet)>) -> Vec<u8> {
        let mut bytes = (parts.len() as u32).to_be_bytes().to_vec();
        for (order, items) in parts {
            write_text(&order.meta.name, &mut bytes);
            let count_at = bytes.len();
            bytes.extend([0; 4]);
            let mut ranges = 0u32;
            for range in items.ranges(&order.meta.extent) {
                bytes.extend(range.start().to_be_bytes());
                bytes.extend((range.end() - range.start() + 1).to_be_bytes());
                ranges += 1;
            }
            bytes[count_at..count_at + 4].copy_from_slice(&ranges.to_be_bytes());
        }
        bytes
    }

    pub(super) fn of_orders(scope: &[u8], orders: &[&Order], at_us: i64) -> Self {
        if orders.is_empty() {
            return Self::Nothing;
        }
        let mut counts = StateCounts::default();
        let mut holds = BTreeSet::new();
        for order in orders {
            counts += order.counts(at_us);
            holds.extend(order.holds().iter().map(|hold| &*hold.id));
        }
        let mut bytes = scope.to_vec();
        for state in crate::state::State::ALL {
            bytes.extend(counts.of(state).to_be_bytes());
        }
        bytes.extend((holds.len() as u32).to_be_bytes());
        holds.iter().for_each(|id| write_text(id, &mut bytes));
        Self::Orders { counts, holds: holds.len(), sha256: Sha256::digest(&bytes).into() }
    }

    pub(super) fn of_entry(put: Option<&Put>) -> Self {
        match put.and_then(|put| put.value.as_ref()) {
            Some(value) => Self::Entry(Sha256::digest(value).into()),
            None => Self::Nothing,
        }
    }

    pub(super) fn counts(&self) -> StateCounts {
        match self {
            Self::Orders { counts, .. } => *counts,
            Self::Nothing | Self::Entry(_) => StateCounts::default(),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Entry(sha256) => json!({"sha256": hex(sha256)}),
            Self::Orders { counts, holds, sha256 } => {
                json!({"by_state": counts, "holds": holds, "sha256": hex(sha256)})
            }
        }
    }
}

fn write_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend((text.len() as u32).to_be_bytes());
    bytes.extend(text.as_bytes());
}
