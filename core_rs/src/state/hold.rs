//! Holds: freezes and recalls, orthogonal to the lifecycle they cover.

use super::item_set::ItemSet;
use super::text::PreparedText;
use serde::{Deserialize, Serialize};

/// What a hold does to the items it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// Not usable until further notice.
    Freeze,
    /// Called back, void items included.
    Recall,
}

impl HoldKind {
    /// Stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Recall => "recall",
        }
    }
}

/// One hold on items of one order. The same hold may cover items of several orders, under the same id.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    /// Event id of the command that made it.
    pub id: Box<str>,
    /// Freeze or recall.
    pub kind: HoldKind,
    /// When it was made, µs since the Unix epoch.
    pub at_us: i64,
    /// Why it was made.
    pub reason: Box<str>,
    /// What the owner of a recalled item shall do.
    pub instructions: Option<PreparedText>,
    /// The items it covers; never empty.
    pub items: ItemSet,
}
