//! Sessions of one face of one item: who looked first, and who is merely looking again.
//!
//! A session is one device within the session length of the session's start. The first session is the item's
//! first check; every later one is a repeat. Entry 0 is the first session and is never evicted, so the answer
//! "first" stays exact whatever happens to the other entries.

use crate::scan::Device;

/// Sessions kept per record.
pub const SESSIONS_KEPT_MAX: usize = 4;

/// One kept session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Session {
    /// Cookie hash of its device; 0 is none.
    pub cookie: u64,
    /// Address hash of its device; 0 is none.
    pub address: u64,
    /// Start, whole seconds after the record's first scan.
    pub start_s: u32,
}

impl Session {
    fn opened_by(device: &Device, start_s: u32) -> Self {
        Self { cookie: device.stored_cookie().unwrap_or(0), address: device.address.unwrap_or(0), start_s }
    }

    fn is_of_known_device(&self) -> bool {
        self.cookie != 0 || self.address != 0
    }

    /// Whether the scanning device is this session's, by its cookie: sure.
    fn has_cookie_of(&self, device: &Device) -> bool {
        self.cookie != 0 && device.cookie == Some(self.cookie)
    }

    /// Whether it is this session's by its address form, which decides only when one side has no cookie.
    /// Two unknown addresses are no evidence of one device.
    fn has_address_of(&self, device: &Device) -> bool {
        let one_side_has_no_cookie = self.cookie == 0 || device.cookie.is_none_or(|cookie| cookie == 0);
        one_side_has_no_cookie && self.address != 0 && device.address == Some(self.address)
    }
}

/// The kept sessions of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sessions {
    kept: [Session; SESSIONS_KEPT_MAX],
    len: u8,
    /// Whether a session of a known device was ever evicted: the kept ones are then not all there were.
    pub overflow: bool,
}

/// How a scan relates to the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Whether the scan belongs to the first session.
    pub is_first: bool,
    /// Whether the scan opened the session it belongs to.
    pub is_new: bool,
}

impl Sessions {
    /// Sessions as they were stored. `kept` beyond [`SESSIONS_KEPT_MAX`] is refused with `None`.
    #[must_use]
    pub fn from_kept(kept: &[Session], overflow: bool) -> Option<Self> {
        let mut sessions = Self { overflow, len: kept.len() as u8, ..Self::default() };
        sessions.kept.get_mut(..kept.len())?.copy_from_slice(kept);
        Some(sessions)
    }

    /// The kept sessions; the first one is the item's first session.
    #[must_use]
    pub fn kept(&self) -> &[Session] {
        &self.kept[..usize::from(self.len)]
    }

    /// Which kept session the device is in: a cookie is surer than an address, an earlier session comes first.
    /// `elapsed_us` is the time since the record's first scan, `length_us` the length of a session.
    #[must_use]
    pub fn find(&self, device: &Device, elapsed_us: u64, length_us: u64) -> Option<usize> {
        let live = |session: &Session| elapsed_us.saturating_sub(start_us(session)) < length_us;
        let position = |matches: fn(&Session, &Device) -> bool| {
            self.kept().iter().position(|session| live(session) && matches(session, device))
        };
        position(Session::has_cookie_of).or_else(|| position(Session::has_address_of))
    }

    /// Let the device join its session, or open one.
    pub fn join(&mut self, device: &Device, elapsed_us: u64, length_us: u64) -> Membership {
        if let Some(index) = self.find(device, elapsed_us, length_us) {
            return Membership { is_first: index == 0, is_new: false };
        }
        let start_s = u32::try_from(elapsed_us / 1_000_000).unwrap_or(u32::MAX);
        let is_first = self.len == 0;
        let opened = Session::opened_by(device, start_s);
        // A later session of an unknown device matches nothing ever again: it takes no place.
        if is_first || opened.is_of_known_device() {
            let index = self.place_for(device);
            self.kept[index] = opened;
        }
        Membership { is_first, is_new: true }
    }

    /// Index for a new session: that of the device's own over session, a free one, or the longest started.
    /// Never 0 once it is taken.
    fn place_for(&mut self, device: &Device) -> usize {
        let len = usize::from(self.len);
        let own = |session: &Session| session.has_cookie_of(device) || session.has_address_of(device);
        if let Some(after_first) = self.kept().iter().skip(1).position(own) {
            return after_first + 1;
        }
        if len < SESSIONS_KEPT_MAX {
            self.len += 1;
            return len;
        }
        self.overflow = true;
        (1..SESSIONS_KEPT_MAX).min_by_key(|index| self.kept[*index].start_s).unwrap_or(1)
    }
}

fn start_us(session: &Session) -> u64 {
    u64::from(session.start_s) * 1_000_000
}
