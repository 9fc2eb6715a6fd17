//! Microseconds since the Unix epoch as text, without allocation.

const DAY_S: i64 = 86_400;
/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what four digits of a year can say.
const SECONDS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// `2026-01-02T03:04:05.678Z` (RFC 3339, UTC, milliseconds). Times beyond the years 0–9999 are clamped.
pub(super) fn push_rfc3339(out: &mut Vec<u8>, at_us: i64) {
    let seconds = push_date(out, at_us, 0);
    out.push(b'T');
    push_clock(out, seconds);
    out.push(b':');
    push_two(out, seconds % 60);
    out.push(b'.');
    let millis = at_us.rem_euclid(1_000_000) / 1000;
    out.push(b'0' + digit(millis / 100));
    push_two(out, millis % 100);
    out.push(b'Z');
}

/// `2026-01-02 11:04` at an offset from UTC, for people.
pub(super) fn push_local(out: &mut Vec<u8>, at_us: i64, offset_minutes: i16) {
    let seconds = push_date(out, at_us, i64::from(offset_minutes) * 60);
    out.push(b' ');
    push_clock(out, seconds);
}

/// `UTC`, `UTC+8`, `UTC−3:30`.
pub(super) fn push_offset(out: &mut Vec<u8>, offset_minutes: i16) {
    out.extend_from_slice(b"UTC");
    if offset_minutes == 0 {
        return;
    }
    out.extend_from_slice(if offset_minutes > 0 { "+" } else { "−" }.as_bytes());
    let (hours, minutes) = (offset_minutes.unsigned_abs() / 60, offset_minutes.unsigned_abs() % 60);
    out.extend_from_slice(itoa::Buffer::new().format(hours).as_bytes());
    if minutes != 0 {
        out.push(b':');
        push_two(out, i64::from(minutes));
    }
}

/// Append the date, return the seconds of the day.
fn push_date(out: &mut Vec<u8>, at_us: i64, offset_s: i64) -> i64 {
    let seconds = (at_us.div_euclid(1_000_000) + offset_s).clamp(*SECONDS.start(), *SECONDS.end());
    let (year, month, day) = civil(seconds.div_euclid(DAY_S));
    push_two(out, year / 100);
    push_two(out, year % 100);
    out.push(b'-');
    push_two(out, month);
    out.push(b'-');
    push_two(out, day);
    seconds.rem_euclid(DAY_S)
}

fn push_clock(out: &mut Vec<u8>, seconds_of_day: i64) {
    push_two(out, seconds_of_day / 3600);
    out.push(b':');
    push_two(out, seconds_of_day / 60 % 60);
}

/// Year, month, day of a day number since the epoch (H. Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`: years begin in March, so that the leap day ends them).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year_of_era + era * 400 + carry, month, day)
}

fn push_two(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&[b'0' + digit(value / 10), b'0' + digit(value % 10)]);
}

#[expect(clippy::cast_sign_loss, reason = "callers give no negative numbers")]
const fn digit(value: i64) -> u8 {
    (value % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_instants() {
        for (at_us, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (1_767_323_045_678_901, "2026-01-02T03:04:05.678Z"),
            (4_107_542_399_999_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(text(|out| push_rfc3339(out, at_us)), expected);
        }
        assert_eq!(text(|out| push_local(out, 1_767_323_045_678_901, 480)), "2026-01-02 11:04");
        assert_eq!(text(|out| push_local(out, 1_767_323_045_678_901, -210)), "2026-01-01 23:34");
        for (offset, expected) in [(0, "UTC"), (480, "UTC+8"), (-210, "UTC−3:30"), (345, "UTC+5:45")] {
            assert_eq!(text(|out| push_offset(out, offset)), expected);
        }
    }

    #[test]
    fn days_follow_the_calendar_for_eight_centuries() {
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut day_number = civil_days_before(1600);
        for year in 1600..2400 {
            for (index, length) in [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
                .into_iter()
                .enumerate()
            {
                for day in 1..=length {
                    assert_eq!(civil(day_number), (year, index as i64 + 1, day));
                    day_number += 1;
                }
            }
        }
    }

    fn civil_days_before(year: i64) -> i64 {
        let leaps = |year: i64| year / 4 - year / 100 + year / 400;
        (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
    }

    proptest! {
        #[test]
        fn any_time_has_24_characters(at_us in any::<i64>(), offset in any::<i16>()) {
            prop_assert_eq!(text(|out| push_rfc3339(out, at_us)).len(), 24);
            prop_assert_eq!(text(|out| push_local(out, at_us, offset)).len(), 16);
        }
    }
}
