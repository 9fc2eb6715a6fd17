//! The scan record of one face of one item: counts, times, sessions, last position, last idempotency key.
//!
//! Stored form, version 1, little-endian:
//!
//! | bytes | field |
//! | --- | --- |
//! | 1 | version |
//! | 1 | flags, see below |
//! | 4, 4 | scans, sessions (saturating) |
//! | 8, 8 | first and last scan, µs since the Unix epoch |
//! | 20 each | kept sessions: cookie hash u64, address hash u64, start u32 s after the first scan |
//! | 11 | position: latitude i32, longitude i32 (10⁻⁷ °), accuracy u16 m, datum u8 |
//! | 8 | hash of the last idempotency key |
//!
//! Flags: 1 overflow, 2 position, 4 idempotency key, 8 its answer had `is_first`, 16 which was true; bits 5–7 are
//! the number of kept sessions. Parts that they do not announce are absent: 26 bytes at least, 125 at most.

use super::session::{SESSIONS_KEPT_MAX, Session, Sessions};
use crate::error::{Error, Result};
use crate::scan::{Datum, Device, Position};

/// Version of the stored form this code writes.
pub const RECORD_VERSION: u8 = 1;
/// No stored record is longer.
pub const RECORD_BYTES_MAX: usize = HEAD_BYTES + SESSIONS_KEPT_MAX * SESSION_BYTES + POSITION_BYTES + 8;

const HEAD_BYTES: usize = 26;
const SESSION_BYTES: usize = 20;
const POSITION_BYTES: usize = 11;

const OVERFLOW: u8 = 1;
const HAS_POSITION: u8 = 2;
const HAS_REQUEST: u8 = 4;
const REQUEST_HAD_FIRST: u8 = 8;
const REQUEST_WAS_FIRST: u8 = 16;
const KEPT_SHIFT: u8 = 5;

/// The last idempotent request and what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRequest {
    /// Keyed hash of the idempotency key, scoped to its caller.
    pub key_hash: u64,
    /// The `is_first` of its answer.
    pub is_first: Option<bool>,
}

/// What is known of one face of one item. The default is a face never scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Record {
    /// Counted scans, saturating.
    pub scans: u32,
    /// Sessions opened, saturating.
    pub sessions: u32,
    /// Time of the first counted scan, µs since the Unix epoch; 0 before it.
    pub first_us: i64,
    /// Time of the last counted scan, never before `first_us`.
    pub last_us: i64,
    /// The kept sessions.
    pub kept: Sessions,
    /// The last position a scan gave.
    pub position: Option<Position>,
    /// The last request that carried an idempotency key.
    pub last_request: Option<LastRequest>,
}

/// One scan that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// Engine time, µs since the Unix epoch.
    pub now_us: i64,
    /// Who scans.
    pub device: Device,
    /// Whether this face of this item decides the first check.
    pub opens_sessions: bool,
    /// Length of a session from its start, µs.
    pub session_us: u64,
    /// Where, if the caller says.
    pub position: Option<Position>,
    /// Keyed hash of the caller's idempotency key.
    pub idempotency: Option<u64>,
}

/// What a scan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Whether it belongs to the first session; `None` where sessions do not count.
    pub is_first: Option<bool>,
    /// Whether it repeats the last idempotent request: the record did not change.
    pub replay: bool,
    /// Whether it opened a session.
    pub new_session: bool,
}

impl Record {
    /// Count one scan. A repeat of the last idempotent request changes nothing.
    ///
    /// State time never runs backwards: a clock that stepped back counts as standing still.
    pub fn observe(&mut self, visit: &Visit) -> Observed {
        if let Some(request) = self.replayed(visit) {
            return Observed { is_first: request.is_first, replay: true, new_session: false };
        }
        if self.scans == 0 {
            self.first_us = visit.now_us;
            self.last_us = visit.now_us;
        }
        self.last_us = self.last_us.max(visit.now_us);
        self.scans = self.scans.saturating_add(1);
        let membership = visit
            .opens_sessions
            .then(|| self.kept.join(&visit.device, self.elapsed_us(self.last_us), visit.session_us));
        let new_session = membership.is_some_and(|found| found.is_new);
        self.sessions = self.sessions.saturating_add(u32::from(new_session));
        let is_first = membership.map(|found| found.is_first);
        self.position = visit.position.or(self.position);
        if let Some(key_hash) = visit.idempotency {
            self.last_request = Some(LastRequest { key_hash, is_first });
        }
        Observed { is_first, replay: false, new_session }
    }

    /// What [`Self::observe`] would answer, without counting.
    #[must_use]
    pub fn peek(&self, visit: &Visit) -> Observed {
        let mut copy = *self;
        copy.observe(visit)
    }

    fn replayed(&self, visit: &Visit) -> Option<LastRequest> {
        self.last_request.filter(|request| visit.idempotency == Some(request.key_hash))
    }

    fn elapsed_us(&self, now_us: i64) -> u64 {
        now_us.saturating_sub(self.first_us).max(0) as u64
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> RecordBytes {
        let mut out = RecordBytes { bytes: [0; RECORD_BYTES_MAX], len: 0 };
        out.push(&[RECORD_VERSION, self.flags()]);
        out.push(&self.scans.to_le_bytes());
        out.push(&self.sessions.to_le_bytes());
        out.push(&self.first_us.to_le_bytes());
        out.push(&self.last_us.to_le_bytes());
        for session in self.kept.kept() {
            out.push(&session.cookie.to_le_bytes());
            out.push(&session.address.to_le_bytes());
            out.push(&session.start_s.to_le_bytes());
        }
        if let Some(position) = self.position {
            out.push(&position.lat_e7.to_le_bytes());
            out.push(&position.lon_e7.to_le_bytes());
            out.push(&position.accuracy_m.to_le_bytes());
            out.push(&[position.datum.id()]);
        }
        if let Some(request) = self.last_request {
            out.push(&request.key_hash.to_le_bytes());
        }
        out
    }

    fn flags(&self) -> u8 {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        let told = self.last_request.and_then(|request| request.is_first);
        flag(self.kept.overflow, OVERFLOW)
            | flag(self.position.is_some(), HAS_POSITION)
            | flag(self.last_request.is_some(), HAS_REQUEST)
            | flag(told.is_some(), REQUEST_HAD_FIRST)
            | flag(told == Some(true), REQUEST_WAS_FIRST)
            | (self.kept.kept().len() as u8) << KEPT_SHIFT
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Error::Incompatible`] for a version newer than [`RECORD_VERSION`], [`Error::Corrupt`] for anything
    /// else that [`Self::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        match bytes.first() {
            Some(&RECORD_VERSION) => {}
            Some(version) if *version > RECORD_VERSION => {
                return Err(Error::Incompatible(format!("scan record version {version}")));
            }
            _ => return Err(Error::Corrupt("scan record version".into())),
        }
        Reader(&bytes[1..]).record().ok_or_else(|| Error::Corrupt("scan record".into()))
    }
}

/// The stored form of a record, held inline: a scan allocates nothing for it.
#[derive(Debug, Clone, Copy)]
pub struct RecordBytes {
    bytes: [u8; RECORD_BYTES_MAX],
    len: u8,
}

impl RecordBytes {
    fn push(&mut self, part: &[u8]) {
        let start = usize::from(self.len);
        self.bytes[start..start + part.len()].copy_from_slice(part);
        self.len += part.len() as u8;
    }
}

impl std::ops::Deref for RecordBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn record(&mut self) -> Option<Record> {
        let [flags] = self.take()?;
        let (scans, sessions) = (self.u32()?, self.u32()?);
        let (first_us, last_us) =
            (self.take().map(i64::from_le_bytes)?, self.take().map(i64::from_le_bytes)?);
        let mut kept = [Session::default(); SESSIONS_KEPT_MAX];
        let kept = kept.get_mut(..usize::from(flags >> KEPT_SHIFT))?;
        for session in &mut *kept {
            *session = Session { cookie: self.u64()?, address: self.u64()?, start_s: self.u32()? };
        }
        let kept = Sessions::from_kept(kept, flags & OVERFLOW != 0)?;
        let position = if flags & HAS_POSITION != 0 { Some(self.position()?) } else { None };
        let last_request = if flags & HAS_REQUEST != 0 {
            let is_first = (flags & REQUEST_HAD_FIRST != 0).then_some(flags & REQUEST_WAS_FIRST != 0);
            Some(LastRequest { key_hash: self.u64()?, is_first })
        } else {
            None
        };
        let record = Record { scans, sessions, first_us, last_us, kept, position, last_request };
        (self.0.is_empty() && record.flags() == flags).then_some(record)
    }

    fn datum(&mut self) -> Option<Datum> {
        let [id] = self.take()?;
        [Datum::Wgs84, Datum::Gcj02].into_iter().find(|datum| datum.id() == id)
    }

    fn position(&mut self) -> Option<Position> {
        Some(Position {
            lat_e7: self.take().map(i32::from_le_bytes)?,
            lon_e7: self.take().map(i32::from_le_bytes)?,
            accuracy_m: self.take().map(u16::from_le_bytes)?,
            datum: self.datum()?,
        })
    }
}
