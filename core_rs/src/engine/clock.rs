//! Engine time: the injected clock, never running backwards.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// µs since the Unix epoch.
    fn now_us(&self) -> i64;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
    }
}

/// Keeps the highest time seen: state uses max(clock, last seen), so a clock step back changes no order.
#[derive(Default)]
pub struct MonotonicTime(AtomicI64);

impl MonotonicTime {
    /// Raise to `now_us` and return the highest value so far.
    pub fn advance(&self, now_us: i64) -> i64 {
        if now_us <= self.0.load(Ordering::Relaxed) {
            return self.0.load(Ordering::Relaxed);
        }
        self.0.fetch_max(now_us, Ordering::Relaxed).max(now_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_runs_backwards() {
        let time = MonotonicTime::default();
        assert_eq!([10, 20, 15, 30].map(|now| time.advance(now)), [10, 20, 20, 30]);
    }
}
