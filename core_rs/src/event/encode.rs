//! Stored form of a scan event.

/// Version of the stored form.
pub const EVENT_VERSION: u8 = 1;

/// One scan as it is journalled. Addresses and devices are keyed hashes, positions cells of about 5 km.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Engine time, µs since the epoch.
    pub at_us: i64,
    /// The caller's own time if it gave one, µs since the epoch; only recorded, never decided upon.
    pub caller_at_us: Option<i64>,
    /// Tenant whose domain or key was used.
    pub tenant: u32,
    /// (key space, serial, face) of an issued code; none for unissued ones.
    pub item: Option<(u32, u64, u8)>,
    /// Verdict by number.
    pub verdict: u8,
    /// Reasons by number.
    pub reasons: &'a [u8],
    /// Role of the scanner by number.
    pub role: u8,
    /// Channel the caller named.
    pub channel: u8,
    /// Whether the scan was inside the first session; none where sessions do not count.
    pub is_first: Option<bool>,
    /// Whether the scan opened a session.
    pub opened_session: bool,
    /// Scans of this face so far, this one included.
    pub scans: u32,
    /// Keyed hash of the device cookie or device id; 0 is none.
    pub cookie: u64,
    /// Keyed hash of address prefix and user agent; 0 is none.
    pub address: u64,
    /// Address prefix (IPv4 /24, IPv6 /56), zero where unknown.
    pub address_prefix: [u8; 8],
    /// Cell of the position ([`geohash5`]), accuracy in m, datum by number.
    pub position: Option<(u32, u16, u8)>,
    /// The normalised text of an unissued code (at most 64 bytes); empty for issued ones.
    pub text: &'a [u8],
}

const HAS_ITEM: u8 = 1;
const HAS_FIRST: u8 = 2;
const IS_FIRST: u8 = 4;
const OPENED_SESSION: u8 = 8;
const HAS_POSITION: u8 = 16;
const HAS_CALLER_TIME: u8 = 32;

impl Event<'_> {
    /// Append the stored form to `out`: fixed little-endian head, then the parts that the flags announce.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        let flags = flag(self.item.is_some(), HAS_ITEM)
            | flag(self.is_first.is_some(), HAS_FIRST)
            | flag(self.is_first == Some(true), IS_FIRST)
            | flag(self.opened_session, OPENED_SESSION)
            | flag(self.position.is_some(), HAS_POSITION)
            | flag(self.caller_at_us.is_some(), HAS_CALLER_TIME);
        out.extend([EVENT_VERSION, flags, self.verdict, self.role, self.channel]);
        out.extend(self.at_us.to_le_bytes());
        out.extend(self.tenant.to_le_bytes());
        out.extend(self.scans.to_le_bytes());
        out.extend(self.cookie.to_le_bytes());
        out.extend(self.address.to_le_bytes());
        out.extend(self.address_prefix);
        if let Some((key_space, serial, face)) = self.item {
            out.extend(key_space.to_le_bytes());
            out.extend(&serial.to_le_bytes()[..5]);
            out.push(face);
        }
        if let Some((cell, accuracy_m, datum)) = self.position {
            out.extend(cell.to_le_bytes());
            out.extend(accuracy_m.to_le_bytes());
            out.push(datum);
        }
        if let Some(caller_at_us) = self.caller_at_us {
            out.extend(caller_at_us.to_le_bytes());
        }
        out.push(self.reasons.len() as u8);
        out.extend(self.reasons);
        out.extend(self.text);
    }
}

/// Key of an event: stripe, then a number that rises by one with every event of the stripe.
pub fn event_key(stripe: u16, seq: u64) -> [u8; 10] {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&stripe.to_be_bytes());
    key[2..].copy_from_slice(&seq.to_be_bytes());
    key
}

/// Five characters of geohash as a 25-bit number (first character in the highest bits): a cell of about
/// 4.9 km × 4.9 km. Longitude takes the even bits from the top (G. Niemeyer's public-domain scheme).
pub fn geohash5(lat_e7: i32, lon_e7: i32) -> u32 {
    const BITS: u32 = 25;
    let (mut lat, mut lon) = ((-900_000_000i64, 900_000_000i64), (-1_800_000_000i64, 1_800_000_000i64));
    let mut cell = 0;
    for bit in 0..BITS {
        let (range, value) =
            if bit % 2 == 0 { (&mut lon, i64::from(lon_e7)) } else { (&mut lat, i64::from(lat_e7)) };
        let middle = (range.0 + range.1) / 2;
        let upper = value >= middle;
        if upper {
            range.0 = middle;
        } else {
            range.1 = middle;
        }
        cell = cell << 1 | u32::from(upper);
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geohash_matches_published_cells() {
        let text = |cell: u32| -> String {
            let alphabet = b"0123456789bcdefghjkmnpqrstuvwxyz";
            (0..5).rev().map(|i| alphabet[(cell >> (5 * i) & 31) as usize] as char).collect()
        };
        assert_eq!(text(geohash5(576_491_100, 104_074_400)), "u4pru", "the example of the geohash article");
        assert_eq!(text(geohash5(-253_827_080, -492_655_060)), "6gkzw");
        assert_eq!(text(geohash5(426_050_000, -56_030_000)), "ezs42");
    }

    #[test]
    fn events_of_a_stripe_sort_by_their_number() {
        assert!(event_key(1, 255) < event_key(1, 256));
        assert!(event_key(1, u64::MAX) < event_key(2, 0));
    }

    #[test]
    fn an_event_of_an_issued_code_stays_small() {
        let event = Event {
            at_us: 1,
            caller_at_us: Some(2),
            tenant: 1,
            item: Some((1, 2, 0)),
            verdict: 0,
            reasons: &[1, 2],
            role: 0,
            channel: 0,
            is_first: Some(true),
            opened_session: true,
            scans: 1,
            cookie: 3,
            address: 4,
            address_prefix: [0; 8],
            position: Some((5, 6, 0)),
            text: b"",
        };
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        assert!(bytes.len() <= 80, "{}", bytes.len());
        assert_eq!(bytes[0], EVENT_VERSION);
    }
}
