//! Scan records: the stored form never changes meaning, and sessions follow their rules.
//! Method: golden bytes, arbitrary records through the codec, random visits against a plain list of sessions.

use imp_core::error::Error;
use imp_core::scan::{Datum, Device, Position};
use imp_core::state::{
    LastRequest, Observed, RECORD_BYTES_MAX, Record, SESSIONS_KEPT_MAX, Session, Sessions, Visit,
};
use proptest::prelude::*;
use state_support::golden;

mod state_support;

const SESSION_US: u64 = 600_000_000;
const START_US: i64 = 1_760_000_000_000_000;

fn visit(now_us: i64, device: Device) -> Visit {
    Visit { now_us, device, opens_sessions: true, session_us: SESSION_US, position: None, idempotency: None }
}

fn cookie(cookie: u64) -> Device {
    Device { cookie: Some(cookie), ..Device::default() }
}

fn address(address: u64) -> Device {
    Device { address: Some(address), ..Device::default() }
}

fn first(observed: Observed) -> bool {
    observed.is_first.unwrap()
}

fn full_record() -> Record {
    let session = |n: u64| Session { cookie: 0x1111 * n, address: 0x2222 * n, start_s: 700 * (n as u32 - 1) };
    Record {
        scans: 9,
        sessions: 6,
        first_us: START_US,
        last_us: START_US + 3_000_000_000,
        kept: Sessions::from_kept(&[session(1), session(2), session(3), session(4)], true).unwrap(),
        position: Some(Position {
            lat_e7: 312_304_160,
            lon_e7: -1_214_737_010,
            accuracy_m: 65_000,
            datum: Datum::Gcj02,
        }),
        last_request: Some(LastRequest { key_hash: 0xfeed_beef, is_first: Some(true) }),
    }
}

#[test]
fn version_1_bytes_never_change() {
    let mut small = Record::default();
    small.observe(&visit(START_US, cookie(0xabcd)));
    for (name, record) in [("record_full", full_record()), ("record_one_scan", small)] {
        let stored = golden(name, &[record.encode().to_vec()]);
        assert_eq!(stored, [record.encode().to_vec()], "{name}");
        assert_eq!(Record::decode(&stored[0]), Ok(record), "{name}");
    }
}

#[test]
fn the_longest_record_stays_within_128_bytes() {
    assert_eq!(full_record().encode().len(), RECORD_BYTES_MAX);
    const { assert!(RECORD_BYTES_MAX <= 128) };
}

#[test]
fn newer_versions_are_refused_and_every_cut_is_corrupt() {
    let bytes = full_record().encode();
    let mut newer = bytes.to_vec();
    newer[0] = 2;
    assert!(matches!(Record::decode(&newer), Err(Error::Incompatible(_))));
    for len in 0..bytes.len() {
        assert!(matches!(Record::decode(&bytes[..len]), Err(Error::Corrupt(_))), "{len} bytes");
    }
    assert!(matches!(Record::decode(&[&bytes[..], &[0]].concat()), Err(Error::Corrupt(_))));
}

#[test]
fn a_session_lasts_its_length_from_its_start_not_from_its_last_scan() {
    let mut record = Record::default();
    assert!(first(record.observe(&visit(START_US, cookie(1)))));
    let last_inside = START_US + SESSION_US as i64 - 1;
    for now_us in [START_US + 1, START_US + 599_000_000, last_inside] {
        assert_eq!(
            record.observe(&visit(now_us, cookie(1))),
            Observed { is_first: Some(true), replay: false, new_session: false }
        );
    }
    let outside = record.observe(&visit(last_inside + 1, cookie(1)));
    assert_eq!(outside, Observed { is_first: Some(false), replay: false, new_session: true });
    assert_eq!((record.scans, record.sessions), (5, 2));
}

#[test]
fn two_cookies_compare_only_with_each_other() {
    let with = |cookie, address| Device { cookie: Some(cookie), issued: None, address: Some(address) };
    let mut record = Record::default();
    record.observe(&visit(START_US, with(1, 9)));
    assert!(first(record.observe(&visit(START_US, with(1, 8)))), "the cookie moved to another address");
    assert!(!first(record.observe(&visit(START_US, with(2, 9)))), "another cookie behind the same address");
}

#[test]
fn the_address_decides_when_one_side_has_no_cookie() {
    let mut record = Record::default();
    record.observe(&visit(START_US, address(9)));
    assert!(first(record.observe(&visit(START_US, address(9)))), "neither side has one");
    assert!(
        first(record.observe(&visit(START_US, Device { cookie: Some(1), ..address(9) }))),
        "only the scan"
    );
    assert!(!first(record.observe(&visit(START_US, address(8)))));
    let mut record = Record::default();
    record.observe(&visit(START_US, Device { cookie: Some(1), ..address(9) }));
    assert!(first(record.observe(&visit(START_US, address(9)))), "only the session");
}

#[test]
fn a_cookie_set_by_the_first_answer_is_recognised_and_tells_neighbours_apart() {
    let mut record = Record::default();
    record.observe(&visit(START_US, Device { cookie: None, issued: Some(1), address: Some(9) }));
    let came_back = Device { cookie: Some(1), issued: None, address: Some(8) };
    assert!(first(record.observe(&visit(START_US, came_back))));
    let neighbour = Device { cookie: Some(2), issued: None, address: Some(9) };
    assert!(!first(record.observe(&visit(START_US, neighbour))));
}

#[test]
fn an_unknown_device_is_nobody() {
    let mut record = Record::default();
    assert!(first(record.observe(&visit(START_US, Device::default()))));
    assert!(!first(record.observe(&visit(START_US, Device::default()))));
}

#[test]
fn the_first_session_survives_any_number_of_others() {
    let mut record = Record::default();
    record.observe(&visit(START_US, cookie(1)));
    for other in 2..100 {
        assert!(!first(record.observe(&visit(START_US + 1, cookie(other)))));
        assert_eq!(record.kept.overflow, other > SESSIONS_KEPT_MAX as u64);
    }
    assert!(first(record.observe(&visit(START_US + 2, cookie(1)))));
    assert_eq!(record.kept.kept().len(), SESSIONS_KEPT_MAX);
    assert_eq!(record.sessions, 99);
}

#[test]
fn faces_that_do_not_count_have_scans_but_no_sessions() {
    let mut record = Record::default();
    let uncounted = Visit { opens_sessions: false, ..visit(START_US, cookie(1)) };
    assert_eq!(record.observe(&uncounted), Observed { is_first: None, replay: false, new_session: false });
    assert_eq!((record.scans, record.sessions, record.kept.kept().len()), (1, 0, 0));
}

#[test]
fn repeating_the_last_idempotency_key_changes_nothing() {
    let with_key = |key, now_us, device| Visit { idempotency: Some(key), ..visit(now_us, device) };
    let mut record = Record::default();
    record.observe(&with_key(7, START_US, cookie(1)));
    record.observe(&visit(START_US, cookie(2)));
    let before = record;
    let replay = record.observe(&with_key(7, START_US + 10_000_000_000, cookie(3)));
    assert_eq!(replay, Observed { is_first: Some(true), replay: true, new_session: false });
    assert_eq!(record, before);
    record.observe(&with_key(8, START_US, cookie(1)));
    assert!(!record.observe(&with_key(7, START_US, cookie(1))).replay, "an older key is another hit");
    assert_eq!(Record::decode(&record.encode()), Ok(record));
}

#[test]
fn counters_saturate() {
    let mut record = Record { scans: u32::MAX, sessions: u32::MAX, ..full_record() };
    record.observe(&visit(START_US + 9_000_000_000_000, cookie(77)));
    assert_eq!((record.scans, record.sessions), (u32::MAX, u32::MAX));
}

#[test]
fn peeking_counts_nothing() {
    let mut record = Record::default();
    assert!(first(record.peek(&visit(START_US, cookie(1)))));
    assert_eq!(record, Record::default());
    record.observe(&visit(START_US, cookie(1)));
    assert!(!first(record.peek(&visit(START_US, cookie(2)))));
    assert_eq!(record.scans, 1);
}

prop_compose! {
    fn any_device()(
        cookie in prop::option::of(1u64..4),
        issued in prop::option::of(10u64..14),
        address in prop::option::of(1u64..4),
    ) -> Device {
        Device { cookie, issued: if cookie.is_none() { issued } else { None }, address }
    }
}

prop_compose! {
    fn any_record()(
        scans: u32, sessions: u32, first_us: i64, last_us: i64, overflow: bool,
        kept in prop::collection::vec(any::<(u64, u64, u32)>(), 0..=SESSIONS_KEPT_MAX),
        position in prop::option::of(any::<(i32, i32, u16, bool)>()),
        last_request in prop::option::of(any::<(u64, Option<bool>)>()),
    ) -> Record {
        let kept: Vec<Session> =
            kept.into_iter().map(|(cookie, address, start_s)| Session { cookie, address, start_s }).collect();
        Record {
            scans, sessions, first_us, last_us,
            kept: Sessions::from_kept(&kept, overflow).unwrap(),
            position: position.map(|(lat_e7, lon_e7, accuracy_m, gcj)| Position {
                lat_e7, lon_e7, accuracy_m, datum: if gcj { Datum::Gcj02 } else { Datum::Wgs84 },
            }),
            last_request: last_request.map(|(key_hash, is_first)| LastRequest { key_hash, is_first }),
        }
    }
}

/// The rules word for word, over all sessions there ever were, none evicted.
#[derive(Default)]
struct PlainSessions {
    all: Vec<(Option<u64>, Option<u64>, i64)>,
    first_us: i64,
}

impl PlainSessions {
    fn is_same(stored: &(Option<u64>, Option<u64>, i64), device: &Device) -> bool {
        match (stored.0, device.cookie) {
            (Some(stored), Some(scanned)) => stored == scanned,
            _ => stored.1.is_some() && stored.1 == device.address,
        }
    }

    /// Whether the scan is in the first session, and whether it may open one.
    fn join(&mut self, device: &Device, now_us: i64) -> Option<usize> {
        let live = |session: &(_, _, i64)| now_us - session.2 < SESSION_US as i64;
        let by_cookie = |s: &(Option<u64>, Option<u64>, i64)| s.0.is_some() && s.0 == device.cookie;
        let found = self.all.iter().position(|s| live(s) && by_cookie(s));
        found.or_else(|| self.all.iter().position(|s| live(s) && Self::is_same(s, device)))
    }

    fn open(&mut self, device: &Device, now_us: i64) {
        let start_us = self.first_us + (now_us - self.first_us) / 1_000_000 * 1_000_000;
        self.all.push((device.cookie.or(device.issued), device.address, start_us));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_round_trips(record in any_record()) {
        let bytes = record.encode();
        prop_assert!(bytes.len() <= 128);
        prop_assert_eq!(Record::decode(&bytes), Ok(record));
    }

    #[test]
    fn any_bytes_decode_or_fail_but_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..140)) {
        if let Some(version) = bytes.first_mut() {
            *version %= 3;
        }
        if let Ok(record) = Record::decode(&bytes) {
            prop_assert_eq!(record.encode().to_vec(), bytes);
        }
    }

    /// Exactly one session is ever the first, whatever the devices and the clock do; its own device is told so
    /// for the whole session, and nobody else is unless the rules make them that device.
    #[test]
    fn first_is_exact_under_any_visits(
        visits in prop::collection::vec((any_device(), -700_000_000i64..900_000_000, any::<bool>()), 1..60),
    ) {
        let mut record = Record::default();
        let mut plain = PlainSessions::default();
        let (mut clock_us, mut state_us) = (START_US, START_US);
        for (index, (device, step_us, reload)) in visits.into_iter().enumerate() {
            clock_us += if index == 0 { 0 } else { step_us };
            state_us = state_us.max(clock_us);
            if index == 0 { plain.first_us = state_us; }
            let observed = record.observe(&visit(clock_us, device));
            let expected = plain.join(&device, state_us);
            if expected.is_none() { plain.open(&device, state_us); }
            let is_first = expected.map_or(index == 0, |session| session == 0);
            let (opener_cookie, _, start_us) = plain.all[0];
            if !record.kept.overflow {
                prop_assert_eq!(observed.is_first, Some(is_first), "visit {}", index);
                prop_assert_eq!(observed.new_session, expected.is_none());
            } else if let (Some(opener), Some(scanning)) = (opener_cookie, device.cookie) {
                // Others may be forgotten by now; what the first session's cookie decides stays exact.
                let in_time = state_us - start_us < SESSION_US as i64;
                prop_assert_eq!(observed.is_first, Some(opener == scanning && in_time), "visit {}", index);
            }
            prop_assert_eq!(record.scans as usize, index + 1);
            prop_assert_eq!((record.first_us, record.last_us), (START_US, state_us));
            prop_assert!(record.kept.kept().len() <= SESSIONS_KEPT_MAX);
            let opener = record.kept.kept()[0];
            prop_assert_eq!((opener.cookie, opener.address, opener.start_s),
                (plain.all[0].0.unwrap_or(0), plain.all[0].1.unwrap_or(0), 0));
            if reload { record = Record::decode(&record.encode()).unwrap(); }
        }
    }
}
