//! What a command answers, and why it is refused.

use super::lifecycle::StateCounts;
use super::text::cut;
use serde::{Deserialize, Serialize};

/// Whether a command changed state or was refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All of it was done.
    Applied,
    /// None of it was done.
    Refused,
}

/// The stored, terminal result of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Id of the command.
    pub event_id: String,
    /// Applied or refused.
    pub status: Status,
    /// [`RefusalReason`] of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RefusalReason>,
    /// What stood in the way and what would be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Items (or catalogue entries) that changed.
    pub changed: u64,
    /// Items that were so already.
    pub already: u64,
    /// Terminal items left alone.
    pub skipped: u64,
    /// All items of the touched orders by state, after the command.
    pub by_state: StateCounts,
    /// Names of the touched orders, oldest first.
    pub orders: Vec<String>,
    /// Number of the snapshot that shows the change.
    pub epoch: u64,
    /// The hold that was made or lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Ids of holds to choose from, newest first, at most [`HOLDS_LISTED_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Vec<String>>,
    /// Number of the key space that was opened or drawn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_space: Option<u32>,
    /// First serial of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_serial: Option<u64>,
    /// Items of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    /// Serials left out because of the word list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped_serials: Option<u32>,
    /// Things to know that do not stand in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Longest message of a refusal.
pub const MESSAGE_BYTES_MAX: usize = 1_000;
const ELLIPSIS: char = '…';

/// Holds listed by a refused `unfreeze`.
pub const HOLDS_LISTED_MAX: usize = 100;

impl Report {
    /// An applied report without counts.
    #[must_use]
    pub fn applied(event_id: &str, epoch: u64) -> Self {
        Self {
            event_id: event_id.into(),
            status: Status::Applied,
            reason: None,
            message: None,
            changed: 0,
            already: 0,
            skipped: 0,
            by_state: StateCounts::default(),
            orders: Vec::new(),
            epoch,
            hold: None,
            holds: None,
            key_space: None,
            first_serial: None,
            quantity: None,
            skipped_serials: None,
            warnings: Vec::new(),
        }
    }

    /// As stored and answered.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and integers always serialise")
    }
}

/// Why a command is refused: a closed, stable set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// A key of the command is outside what is accepted.
    BadField,
    /// No such domain of this tenant.
    UnknownDomain,
    /// No such series of this tenant.
    UnknownSeries,
    /// No such product of this tenant.
    UnknownProduct,
    /// No such order of this tenant.
    UnknownOrder,
    /// A listed code is none of this tenant's.
    UnknownCode,
    /// No such hold on this tenant's orders.
    UnknownHold,
    /// `unfreeze` must name a hold.
    HoldRequired,
    /// The name is taken by something else.
    Conflict,
    /// The host belongs to another tenant.
    DomainTaken,
    /// The slot was used before.
    SlotTaken,
    /// The series has no faces, or has some where none may be.
    WrongSeriesKind,
    /// A guess would pass too often.
    OddsTooHigh,
    /// The key space has no serials left.
    SeriesFull,
    /// A foreign code already names an item, or would be read as a code of ours.
    AliasTaken,
    /// A foreign code is a word that means something else here.
    AliasReserved,
    /// The range is not inside the order.
    OutOfRange,
    /// No item of the scope could change or is so already.
    NothingEligible,
    /// `strict`, and items would be skipped.
    WouldSkip,
    /// Old and new items of `replace` do not fit each other.
    ReplacementMismatch,
    /// The order has too many holds.
    TooManyHolds,
}

/// A command that is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Closed-set reason.
    pub reason: RefusalReason,
    /// What stood in the way and what would be accepted.
    pub message: String,
    /// Ids of holds to choose from.
    pub holds: Option<Vec<String>>,
}

impl Refusal {
    /// A refusal without listed holds. A message longer than [`MESSAGE_BYTES_MAX`], as when it shows a long value,
    /// is cut and ends in "…".
    #[must_use]
    pub fn new(reason: RefusalReason, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(cut(&message, MESSAGE_BYTES_MAX - ELLIPSIS.len_utf8()).len());
            message.push(ELLIPSIS);
        }
        Self { reason, message, holds: None }
    }

    /// The report that stores it. `epoch` is that of the snapshot that refused.
    #[must_use]
    pub fn report(self, event_id: &str, epoch: u64) -> Report {
        Report {
            status: Status::Refused,
            reason: Some(self.reason),
            message: Some(self.message),
            holds: self.holds,
            ..Report::applied(event_id, epoch)
        }
    }
}
