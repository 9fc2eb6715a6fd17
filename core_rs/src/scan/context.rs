//! Who scans, from where, and how the scan counts.

/// In what capacity somebody scans. Everything but [`Role::Consumer`] is authorised by the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Role {
    /// Anybody with a phone; the only role whose scans open sessions.
    #[default]
    Consumer = 0,
    /// A dealer of the brand.
    Dealer = 1,
    /// Staff of a store.
    Store = 2,
    /// The brand's field inspector.
    Inspector = 3,
    /// Another system acting for the brand.
    System = 4,
    /// Risk staff: the only role that reads why a code is unknown.
    Risk = 5,
}

impl Role {
    /// Every role, at the index of its number.
    pub const ALL: [Self; 6] =
        [Self::Consumer, Self::Dealer, Self::Store, Self::Inspector, Self::System, Self::Risk];

    /// Stable number, 0-based.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// Stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Dealer => "dealer",
            Self::Store => "store",
            Self::Inspector => "inspector",
            Self::System => "system",
            Self::Risk => "risk",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Geodetic datum of a position. Chinese map services report GCJ-02, satellites WGS-84; they differ by up to
/// about 700 m, so positions are kept as they came, with their datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Datum {
    /// World Geodetic System 1984.
    #[default]
    Wgs84 = 0,
    /// Chinese encrypted datum (GB 20263).
    Gcj02 = 1,
}

impl Datum {
    /// Stable number, 0-based.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The datum of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "wgs84" => Some(Self::Wgs84),
            "gcj02" => Some(Self::Gcj02),
            _ => None,
        }
    }
}

/// Where a scan happened, as its caller says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Latitude, 10⁻⁷ degrees.
    pub lat_e7: i32,
    /// Longitude, 10⁻⁷ degrees.
    pub lon_e7: i32,
    /// Radius of 68 % confidence, metres, saturating.
    pub accuracy_m: u16,
    /// Datum of both.
    pub datum: Datum,
}

impl Position {
    /// From degrees and metres; `None` unless finite, latitude within ±90° and longitude within ±180°.
    #[must_use]
    pub fn from_degrees(lat: f64, lon: f64, accuracy_m: u32, datum: Datum) -> Option<Self> {
        if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "180° × 10⁷ fits 32 bits")]
        let e7 = |degrees: f64| (degrees * 1e7).round() as i32;
        let accuracy_m = u16::try_from(accuracy_m).unwrap_or(u16::MAX);
        Some(Self { lat_e7: e7(lat), lon_e7: e7(lon), accuracy_m, datum })
    }
}

/// What is known of the device that scans; all numbers are keyed hashes under the tenant's keys, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Device {
    /// The valid first-party cookie the request presented. Sessions compare with this one.
    pub cookie: Option<u64>,
    /// The cookie its answer sets, when none was presented. A new session stores `cookie.or(issued)`, so that
    /// the next request, which presents it, is recognised.
    pub issued: Option<u64>,
    /// Address prefix and user agent; decides only when one side has no cookie.
    pub address: Option<u64>,
}

impl Device {
    /// The cookie hash a new session stores.
    #[must_use]
    pub fn stored_cookie(&self) -> Option<u64> {
        self.cookie.or(self.issued)
    }
}

/// Everything about a scan but its text.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanContext<'a> {
    /// Whose codes are looked among; every look-up carries it.
    pub tenant: u32,
    /// Scan domain the request came to; `None` for calls that name only the tenant.
    pub domain: Option<u32>,
    /// In what capacity.
    pub role: Role,
    /// Small number the caller gives to its channel (app, mini-program, line …); 0 is the open web.
    pub channel: u8,
    /// Who scans.
    pub device: Device,
    /// Truncated client address for the event (see [`super::address_prefix`]); zeros when unknown.
    pub address_prefix: [u8; 8],
    /// Where, if the caller says.
    pub position: Option<Position>,
    /// Hash of the caller's idempotency key.
    pub idempotency: Option<u64>,
    /// The caller's own time, microseconds since the Unix epoch; goes into the event and decides nothing.
    pub caller_at_us: Option<i64>,
    /// The engine's time, microseconds since the Unix epoch.
    pub now_us: i64,
    /// Does the scan count? `HEAD`, prefetch and look-ups do not.
    pub count: bool,
    /// GTIN-14 the scanned link claims.
    pub gtin: Option<&'a [u8]>,
    /// Lot the scanned link claims.
    pub lot: Option<&'a [u8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_bounded() {
        let at = Position::from_degrees(31.230_416, 121.473_701, 12, Datum::Gcj02).unwrap();
        assert_eq!((at.lat_e7, at.lon_e7, at.accuracy_m), (312_304_160, 1_214_737_010, 12));
        assert!(Position::from_degrees(90.0, -180.0, 70_000, Datum::Wgs84).unwrap().accuracy_m == u16::MAX);
        for (lat, lon) in [(90.01, 0.0), (0.0, 180.01), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Position::from_degrees(lat, lon, 1, Datum::Wgs84), None);
        }
    }

    #[test]
    fn roles_have_distinct_numbers_and_names() {
        for (index, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(role.id()), index);
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        assert_eq!(Role::from_name("Consumer"), None);
    }
}
