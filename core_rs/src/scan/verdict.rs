//! What a scan answers: a closed set of verdicts and a closed catalogue of reasons.
//!
//! Numbers and names are stable API: they stand in stored events, packed results and JSON answers. New ones
//! are appended, none is ever renumbered.

/// The answer to "what is this item, may it be used, is this scan believable?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verdict {
    /// Issued, active and, on the face that counts, scanned in its first session.
    Genuine = 0,
    /// Issued and active, but first checked in an earlier session.
    Repeat = 1,
    /// Risk rules do not believe this scan.
    Suspect = 2,
    /// Issued, not activated yet.
    Inactive = 3,
    /// Held by a freeze.
    Frozen = 4,
    /// Taken out of use for good.
    Void = 5,
    /// Past its bound date.
    Expired = 6,
    /// Held by a recall.
    Recalled = 7,
    /// Well-formed, but never issued here.
    Unknown = 8,
    /// The check character fails, or the link around the code does not fit the code.
    Mistyped = 9,
    /// Not a code.
    Malformed = 10,
}

impl Verdict {
    /// Every verdict, at the index of its number.
    pub const ALL: [Self; 11] = [
        Self::Genuine,
        Self::Repeat,
        Self::Suspect,
        Self::Inactive,
        Self::Frozen,
        Self::Void,
        Self::Expired,
        Self::Recalled,
        Self::Unknown,
        Self::Mistyped,
        Self::Malformed,
    ];

    /// Stable number, 0-based.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The verdict with this number.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// Stable name, as it stands in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::Repeat => "repeat",
            Self::Suspect => "suspect",
            Self::Inactive => "inactive",
            Self::Frozen => "frozen",
            Self::Void => "void",
            Self::Expired => "expired",
            Self::Recalled => "recalled",
            Self::Unknown => "unknown",
            Self::Mistyped => "mistyped",
            Self::Malformed => "malformed",
        }
    }
}

/// How grave a reason is. L1–L4 are errors of caller, data or context; only L5 is an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Severity {
    /// The caller's slip, or mere information: look again.
    L1 = 1,
    /// What came with the code does not fit it.
    L2 = 2,
    /// The code does not belong to this system, as far as it can tell.
    L3 = 3,
    /// The item is known and its state forbids use.
    L4 = 4,
    /// Nothing honest explains this scan.
    L5 = 5,
}

/// Why a verdict was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// Nothing was scanned.
    Empty = 1,
    /// More bytes than any code has.
    TooLong = 2,
    /// No format has this many characters.
    Length = 3,
    /// A character outside the format's alphabet.
    Alphabet = 4,
    /// A percent escape of the link is not `%` and two hexadecimal digits.
    BadEscape = 5,
    /// The link carries a slash, encoded, inside the code.
    EncodedSlash = 6,
    /// The link names a product but no single item.
    SerialMissing = 7,
    /// The check character fails.
    CheckFailed = 8,
    /// The link's GTIN is not that of the code.
    GtinMismatch = 9,
    /// The link's lot is not that of the code.
    LotMismatch = 10,
    /// No series of the scan domain has this slot.
    SlotUnknown = 11,
    /// The slot is known, the serial was never issued: a guess or a forgery.
    SerialNotIssued = 12,
    /// The item was not activated yet.
    NotActivated = 13,
    /// A freeze covers the item.
    OnHold = 14,
    /// A recall covers the item.
    UnderRecall = 15,
    /// The item was taken out of use.
    Voided = 16,
    /// The item was taken out of use in favour of another.
    Replaced = 17,
    /// The bound date has passed.
    PastExpiry = 18,
    /// The item was checked in an earlier session.
    CheckedBefore = 19,
    /// The store could not take the scan; the code itself is valid.
    NotRecorded = 20,
    /// The scan was a look only (prefetch, `HEAD`, look-up) and counts nowhere.
    NotCounted = 21,
}

impl Reason {
    /// Every reason, in the order of its number (numbers start at 1; 0 stands for "no reason").
    pub const ALL: [Self; 21] = [
        Self::Empty,
        Self::TooLong,
        Self::Length,
        Self::Alphabet,
        Self::BadEscape,
        Self::EncodedSlash,
        Self::SerialMissing,
        Self::CheckFailed,
        Self::GtinMismatch,
        Self::LotMismatch,
        Self::SlotUnknown,
        Self::SerialNotIssued,
        Self::NotActivated,
        Self::OnHold,
        Self::UnderRecall,
        Self::Voided,
        Self::Replaced,
        Self::PastExpiry,
        Self::CheckedBefore,
        Self::NotRecorded,
        Self::NotCounted,
    ];

    /// Stable number, 1-based.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The reason with this number.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id).checked_sub(1)?).copied()
    }

    /// Stable code, as it stands in JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::Length => "length",
            Self::Alphabet => "alphabet",
            Self::BadEscape => "bad_escape",
            Self::EncodedSlash => "encoded_slash",
            Self::SerialMissing => "serial_missing",
            Self::CheckFailed => "check_failed",
            Self::GtinMismatch => "gtin_mismatch",
            Self::LotMismatch => "lot_mismatch",
            Self::SlotUnknown => "slot_unknown",
            Self::SerialNotIssued => "serial_not_issued",
            Self::NotActivated => "not_activated",
            Self::OnHold => "on_hold",
            Self::UnderRecall => "under_recall",
            Self::Voided => "voided",
            Self::Replaced => "replaced",
            Self::PastExpiry => "past_expiry",
            Self::CheckedBefore => "checked_before",
            Self::NotRecorded => "not_recorded",
            Self::NotCounted => "not_counted",
        }
    }

    /// How grave it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Empty
            | Self::TooLong
            | Self::Length
            | Self::Alphabet
            | Self::BadEscape
            | Self::EncodedSlash
            | Self::SerialMissing
            | Self::CheckFailed
            | Self::CheckedBefore
            | Self::NotRecorded
            | Self::NotCounted => Severity::L1,
            Self::GtinMismatch | Self::LotMismatch => Severity::L2,
            Self::SlotUnknown => Severity::L3,
            Self::NotActivated
            | Self::OnHold
            | Self::UnderRecall
            | Self::Voided
            | Self::Replaced
            | Self::PastExpiry => Severity::L4,
            Self::SerialNotIssued => Severity::L5,
        }
    }

    /// May everybody read it? A guesser must not learn whether a slot exists, so the reasons that tell
    /// a foreign code from a forged one reach risk roles only.
    #[must_use]
    pub const fn consumer_visible(self) -> bool {
        !matches!(self, Self::SlotUnknown | Self::SerialNotIssued)
    }

    /// May this role read it?
    #[must_use]
    pub const fn visible_to(self, role: super::Role) -> bool {
        self.consumer_visible() || matches!(role, super::Role::Risk)
    }
}

/// Most reasons one scan can have.
pub const REASONS_MAX: usize = 4;

/// The reasons of one scan, the deciding one first. Inline: a scan allocates nothing for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reasons {
    entries: [Option<Reason>; REASONS_MAX],
}

impl Reasons {
    /// No reason.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: [None; REASONS_MAX] }
    }

    /// Append a reason unless it is there already. Beyond [`REASONS_MAX`] the least deciding one is left out.
    pub fn push(&mut self, reason: Reason) {
        for entry in &mut self.entries {
            match entry {
                Some(present) if *present == reason => return,
                Some(_) => {}
                None => {
                    *entry = Some(reason);
                    return;
                }
            }
        }
    }

    /// The deciding reason.
    #[must_use]
    pub const fn first(&self) -> Option<Reason> {
        self.entries[0]
    }

    /// Is this reason among them?
    #[must_use]
    pub fn contains(&self, reason: Reason) -> bool {
        self.iter().any(|present| present == reason)
    }

    /// In order, the deciding one first.
    pub fn iter(&self) -> impl Iterator<Item = Reason> + '_ {
        self.entries.iter().map_while(|entry| *entry)
    }

    /// The gravest severity among them.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.iter().map(Reason::severity).max()
    }
}

impl From<Reason> for Reasons {
    fn from(reason: Reason) -> Self {
        let mut reasons = Self::new();
        reasons.push(reason);
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_and_names_are_a_bijection() {
        for (index, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(verdict.id()), index);
            assert_eq!(Verdict::from_id(verdict.id()), Some(verdict));
        }
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(reason.id()), index + 1);
            assert_eq!(Reason::from_id(reason.id()), Some(reason));
        }
        assert_eq!(Verdict::from_id(11), None);
        assert_eq!(Reason::from_id(0), None);
        assert_eq!(Reason::from_id(22), None);
        assert_eq!(Verdict::ALL.map(Verdict::name).iter().collect::<HashSet<_>>().len(), 11);
        assert_eq!(Reason::ALL.map(Reason::code).iter().collect::<HashSet<_>>().len(), 21);
    }

    #[test]
    fn only_a_serial_never_issued_is_an_alert() {
        let alerts: Vec<_> = Reason::ALL.into_iter().filter(|r| r.severity() == Severity::L5).collect();
        assert_eq!(alerts, [Reason::SerialNotIssued]);
    }

    #[test]
    fn reasons_keep_order_refuse_doubles_and_stay_bounded() {
        let mut reasons = Reasons::from(Reason::OnHold);
        for reason in [Reason::OnHold, Reason::NotCounted, Reason::Empty, Reason::Length, Reason::Alphabet] {
            reasons.push(reason);
        }
        let kept: Vec<_> = reasons.iter().collect();
        assert_eq!(kept, [Reason::OnHold, Reason::NotCounted, Reason::Empty, Reason::Length]);
        assert_eq!(reasons.first(), Some(Reason::OnHold));
        assert_eq!(reasons.severity(), Some(Severity::L4));
        assert!(!reasons.contains(Reason::Alphabet));
    }
}
