//! How likely a guess is to hit an issued code.

use super::format::Format;

/// Below this many guesses per hit a spec is refused.
pub const REFUSE_BELOW: f64 = 10_000.0;
/// Below this many guesses per hit a spec is warned about.
pub const WARN_BELOW: f64 = 1_000_000.0;

/// What the odds mean for a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddsVerdict {
    /// At least 1 : 1,000,000.
    Ok,
    /// Worse than 1 : 1,000,000.
    Warn,
    /// Worse than 1 : 10,000.
    Refuse,
}

impl OddsVerdict {
    /// The name used in texts and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OddsVerdict::Ok => "ok",
            OddsVerdict::Warn => "warn",
            OddsVerdict::Refuse => "refuse",
        }
    }
}

/// The odds of one guess.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Odds {
    /// Guesses per hit: 1 in so many. Infinite while nothing is issued.
    pub one_in: f64,
    /// What that means.
    pub verdict: OddsVerdict,
}

/// Odds that one guess hits, when the guesser already knows a live slot and makes the check
/// character fit: `planned / domain`. `planned` counts all serials of the key space up to its
/// watermark, not those of one order only.
#[must_use]
pub fn guess_odds(format: Format, planned: u64) -> Odds {
    let one_in = format.domain() as f64 / planned as f64;
    let verdict = if one_in < REFUSE_BELOW {
        OddsVerdict::Refuse
    } else if one_in < WARN_BELOW {
        OddsVerdict::Warn
    } else {
        OddsVerdict::Ok
    };
    Odds { one_in, verdict }
}
