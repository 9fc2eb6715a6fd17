//! Counts since the engine was opened, for `/metrics`.

use crate::scan::{Outcome, Reason, Verdict};
use std::sync::atomic::{AtomicU64, Ordering};

/// Number of verdicts.
const VERDICTS: usize = Verdict::ALL.len();

/// Relaxed counters; each is exact, a set read together need not be of one instant.
#[derive(Default)]
pub struct Counters {
    verdicts: [AtomicU64; VERDICTS],
    unrecorded: AtomicU64,
    events_dropped: AtomicU64,
    commands_applied: AtomicU64,
    commands_refused: AtomicU64,
}

impl Counters {
    /// Count one answered scan.
    pub fn scan(&self, outcome: &Outcome) {
        self.verdicts[usize::from(outcome.verdict.id())].fetch_add(1, Ordering::Relaxed);
        if outcome.reasons.contains(Reason::NotRecorded) {
            self.unrecorded.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Count an event that the cap for unissued codes left out.
    pub fn event_dropped(&self) {
        self.events_dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Count one command.
    pub fn command(&self, is_applied: bool) {
        let counter = if is_applied { &self.commands_applied } else { &self.commands_refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Prometheus text exposition of all counters.
    pub fn expose(&self, out: &mut String) {
        use std::fmt::Write;
        out.push_str("# HELP imp_scans_total Scans answered, by verdict.\n# TYPE imp_scans_total counter\n");
        for verdict in Verdict::ALL {
            let count = self.verdicts[usize::from(verdict.id())].load(Ordering::Relaxed);
            let _ = writeln!(out, "imp_scans_total{{verdict=\"{}\"}} {count}", verdict.name());
        }
        let mut single = |name: &str, help: &str, value: &AtomicU64| {
            let value = value.load(Ordering::Relaxed);
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
        };
        single("imp_scans_unrecorded_total", "Scans answered without being recorded.", &self.unrecorded);
        single(
            "imp_events_dropped_total",
            "Events of unissued codes left out by the cap.",
            &self.events_dropped,
        );
        single("imp_commands_applied_total", "Commands applied.", &self.commands_applied);
        single("imp_commands_refused_total", "Commands refused.", &self.commands_refused);
    }
}
