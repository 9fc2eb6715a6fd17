//! Lifecycle of an item and the state that an answer shows.

use serde::{Deserialize, Serialize};

/// How far an item's life has gone. It only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// The code exists; the goods are not released.
    Issued,
    /// Released for use.
    Active,
    /// Out of use for good.
    Void,
}

impl Lifecycle {
    /// Stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Active => "active",
            Self::Void => "void",
        }
    }
}

/// What an item is in effect: lifecycle, holds and expiry under their precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not active yet; a scan answers `inactive`.
    Issued,
    /// Usable.
    Active,
    /// Held by at least one freeze.
    Frozen,
    /// Held by at least one recall.
    Recalled,
    /// Out of use.
    Void,
    /// Past its bound date.
    Expired,
}

impl State {
    /// Every state, in the order of [`StateCounts`].
    pub const ALL: [Self; 6] =
        [Self::Issued, Self::Active, Self::Frozen, Self::Recalled, Self::Void, Self::Expired];

    /// Stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Recalled => "recalled",
            Self::Void => "void",
            Self::Expired => "expired",
        }
    }

    /// Recalled > void > frozen > expired > issued or active.
    #[must_use]
    pub const fn effective(
        lifecycle: Lifecycle,
        is_recalled: bool,
        is_frozen: bool,
        is_expired: bool,
    ) -> Self {
        match lifecycle {
            _ if is_recalled => Self::Recalled,
            Lifecycle::Void => Self::Void,
            _ if is_frozen => Self::Frozen,
            _ if is_expired => Self::Expired,
            Lifecycle::Active => Self::Active,
            Lifecycle::Issued => Self::Issued,
        }
    }
}

/// Items by effective state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StateCounts {
    /// Not active yet.
    pub issued: u64,
    /// Usable.
    pub active: u64,
    /// Held by a freeze.
    pub frozen: u64,
    /// Held by a recall.
    pub recalled: u64,
    /// Out of use.
    pub void: u64,
    /// Past the bound date.
    pub expired: u64,
}

impl StateCounts {
    /// All items.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.issued + self.active + self.frozen + self.recalled + self.void + self.expired
    }

    /// The same items once their bound date has passed.
    #[must_use]
    pub const fn expired(self) -> Self {
        Self { issued: 0, active: 0, expired: self.expired + self.issued + self.active, ..self }
    }

    /// One state's count.
    #[must_use]
    pub const fn of(&self, state: State) -> u64 {
        match state {
            State::Issued => self.issued,
            State::Active => self.active,
            State::Frozen => self.frozen,
            State::Recalled => self.recalled,
            State::Void => self.void,
            State::Expired => self.expired,
        }
    }
}

impl std::ops::AddAssign for StateCounts {
    fn add_assign(&mut self, other: Self) {
        self.issued += other.issued;
        self.active += other.active;
        self.frozen += other.frozen;
        self.recalled += other.recalled;
        self.void += other.void;
        self.expired += other.expired;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_is_recalled_void_frozen_expired_then_lifecycle() {
        use Lifecycle::{Active, Issued, Void};
        for (lifecycle, recalled, frozen, expired, state) in [
            (Void, true, true, true, State::Recalled),
            (Void, false, true, true, State::Void),
            (Active, false, true, true, State::Frozen),
            (Issued, false, false, true, State::Expired),
            (Active, false, false, false, State::Active),
            (Issued, false, false, false, State::Issued),
        ] {
            assert_eq!(State::effective(lifecycle, recalled, frozen, expired), state);
        }
    }
}
