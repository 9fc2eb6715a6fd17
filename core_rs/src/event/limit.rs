//! How many events scans of unissued codes may leave: the first ten of a device in a minute, under a total cap.

/// Events one device may leave in one minute for codes that were never issued.
pub const PER_DEVICE_MINUTE: u8 = 10;
/// Events of that kind in one minute over all devices, per limiter.
pub const PER_MINUTE_MAX: u32 = 6_000;

const SLOTS: usize = 1 << 12;
const US_PER_MINUTE: i64 = 60_000_000;

/// A fixed table of device counters for the current minute (4 KiB). Two devices that share a place share its
/// allowance, so the table can only let through fewer events, never more.
pub struct UnissuedLimit {
    minute: i64,
    total: u32,
    counts: Box<[u8; SLOTS]>,
}

impl Default for UnissuedLimit {
    fn default() -> Self {
        Self { minute: i64::MIN, total: 0, counts: Box::new([0; SLOTS]) }
    }
}

impl UnissuedLimit {
    /// Whether this scan may leave an event. A clock that steps back does not open a new minute.
    pub fn admits(&mut self, device: u64, now_us: i64) -> bool {
        let minute = now_us.div_euclid(US_PER_MINUTE);
        if minute > self.minute {
            self.minute = minute;
            self.total = 0;
            self.counts.fill(0);
        }
        let count = &mut self.counts[(device ^ (device >> 32)) as usize & (SLOTS - 1)];
        if *count >= PER_DEVICE_MINUTE || self.total >= PER_MINUTE_MAX {
            return false;
        }
        *count += 1;
        self.total += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_leaves_ten_events_a_minute_and_ten_more_in_the_next() {
        let mut limit = UnissuedLimit::default();
        let admitted = |limit: &mut UnissuedLimit, at| (0..100).filter(|_| limit.admits(7, at)).count();
        assert_eq!(admitted(&mut limit, 0), 10);
        assert_eq!(admitted(&mut limit, US_PER_MINUTE), 10);
        assert_eq!(admitted(&mut limit, 0), 0, "a clock step back opens nothing");
    }

    #[test]
    fn all_devices_together_stay_under_the_cap() {
        let mut limit = UnissuedLimit::default();
        let admitted = (0..100_000u64).filter(|device| limit.admits(*device, 1)).count();
        assert_eq!(admitted, PER_MINUTE_MAX as usize);
    }
}
