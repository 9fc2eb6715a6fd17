//! One suite, two stores: whatever the engine relies on holds in memory and on disk alike.
//! Method: every property is a function of `&dyn Store`; the macro runs it against a fresh store of
//! each kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use imp_core::error::Error;
use imp_core::store::{Batch, Family, MemoryStore, Operation, RocksOptions, RocksStore, Store};
use proptest::prelude::*;

macro_rules! on_both_stores {
    ($($property:ident),+ $(,)?) => {
        mod memory {
            $(#[test] fn $property() { super::$property(&super::MemoryStore::new()); })+
        }
        mod rocks {
            $(#[test] fn $property() {
                let directory = tempfile::tempdir().unwrap();
                super::$property(&super::open(directory.path()));
            })+
        }
    };
}

on_both_stores!(
    an_absent_key_is_not_found_and_clears_the_buffer,
    a_batch_is_visible_as_a_whole_and_later_operations_win,
    families_do_not_share_keys,
    empty_keys_and_values_are_values,
    large_values_survive,
    the_sequence_counts_operations,
    an_empty_batch_changes_nothing,
    delete_range_includes_its_start_and_not_its_end,
    a_range_the_wrong_way_round_deletes_nothing,
    for_each_visits_the_prefix_in_order_from_a_key,
    for_each_stops_when_told,
    for_each_sees_one_point_in_time_while_the_visitor_writes,
    a_prefix_of_the_highest_bytes_has_no_upper_bound,
    last_keys_are_the_greatest_of_their_prefixes,
    readers_never_see_half_a_batch,
    writers_in_parallel_lose_nothing,
    a_flush_succeeds,
);

fn open(path: &std::path::Path) -> RocksStore {
    RocksStore::open(path, &RocksOptions::default()).unwrap()
}

fn put(store: &dyn Store, family: Family, pairs: &[(&[u8], &[u8])]) {
    let mut batch = Batch::new();
    for (key, value) in pairs {
        batch.put(family, key, value);
    }
    store.write(&batch).unwrap();
}

fn get(store: &dyn Store, family: Family, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = b"left over".to_vec();
    store.get(family, key, &mut value).unwrap().then_some(value)
}

fn keys(store: &dyn Store, family: Family, from: &[u8], prefix: &[u8]) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let mut visit = |key: &[u8], _: &[u8]| {
        keys.push(key.to_vec());
        true
    };
    store.for_each(family, from, prefix, &mut visit).unwrap();
    keys
}

fn an_absent_key_is_not_found_and_clears_the_buffer(store: &dyn Store) {
    let mut value = b"left over".to_vec();
    assert!(!store.get(Family::Scan, b"absent", &mut value).unwrap());
    assert!(value.is_empty());
}

fn a_batch_is_visible_as_a_whole_and_later_operations_win(store: &dyn Store) {
    let mut batch = Batch::new();
    batch.put(Family::Scan, b"a", b"1");
    batch.put(Family::Scan, b"a", b"2");
    batch.put(Family::Scan, b"b", b"1");
    batch.delete(Family::Scan, b"b");
    batch.delete(Family::Scan, b"never there");
    batch.put(Family::Event, b"e", b"event");
    store.write(&batch).unwrap();
    assert_eq!(get(store, Family::Scan, b"a"), Some(b"2".to_vec()));
    assert_eq!(get(store, Family::Scan, b"b"), None);
    assert_eq!(get(store, Family::Event, b"e"), Some(b"event".to_vec()));
}

fn families_do_not_share_keys(store: &dyn Store) {
    for family in Family::ALL {
        put(store, family, &[(b"key", family.name().as_bytes())]);
    }
    for family in Family::ALL {
        assert_eq!(get(store, family, b"key"), Some(family.name().as_bytes().to_vec()));
        assert_eq!(keys(store, family, b"", b"").len(), 1);
    }
}

fn empty_keys_and_values_are_values(store: &dyn Store) {
    put(store, Family::Meta, &[(b"", b"of the empty key"), (b"empty", b"")]);
    assert_eq!(get(store, Family::Meta, b""), Some(b"of the empty key".to_vec()));
    assert_eq!(get(store, Family::Meta, b"empty"), Some(Vec::new()));
}

fn large_values_survive(store: &dyn Store) {
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    put(store, Family::Order, &[(b"large", &large)]);
    assert_eq!(get(store, Family::Order, b"large"), Some(large));
}

fn the_sequence_counts_operations(store: &dyn Store) {
    let before = store.latest_sequence();
    let mut batch = Batch::new();
    batch.put(Family::Scan, b"a", b"");
    batch.delete(Family::Link, b"a");
    batch.delete_range(Family::Event, b"a", b"b");
    store.write(&batch).unwrap();
    assert_eq!(store.latest_sequence(), before + 3);
}

fn an_empty_batch_changes_nothing(store: &dyn Store) {
    let before = store.latest_sequence();
    store.write(&Batch::new()).unwrap();
    assert_eq!(store.latest_sequence(), before);
}

fn delete_range_includes_its_start_and_not_its_end(store: &dyn Store) {
    put(store, Family::Event, &[(b"a", b""), (b"b", b""), (b"c", b""), (b"d", b"")]);
    let mut batch = Batch::new();
    batch.delete_range(Family::Event, b"b", b"d");
    store.write(&batch).unwrap();
    assert_eq!(keys(store, Family::Event, b"", b""), [b"a", b"d"]);
    put(store, Family::Event, &[(b"c", b"again")]);
    assert_eq!(get(store, Family::Event, b"c"), Some(b"again".to_vec()));
}

fn a_range_the_wrong_way_round_deletes_nothing(store: &dyn Store) {
    put(store, Family::Event, &[(b"a", b""), (b"b", b"")]);
    let mut batch = Batch::new();
    batch.delete_range(Family::Event, b"b", b"a");
    batch.delete_range(Family::Event, b"a", b"a");
    assert!(batch.is_empty());
    store.write(&batch).unwrap();
    assert_eq!(keys(store, Family::Event, b"", b"").len(), 2);
}

fn for_each_visits_the_prefix_in_order_from_a_key(store: &dyn Store) {
    put(
        store,
        Family::Order,
        &[(b"p2", b""), (b"o9", b""), (b"p1", b""), (b"q0", b""), (b"p", b""), (b"p1x", b"")],
    );
    let all: [&[u8]; 4] = [b"p", b"p1", b"p1x", b"p2"];
    assert_eq!(keys(store, Family::Order, b"", b"p"), all);
    assert_eq!(keys(store, Family::Order, b"a", b"p"), all);
    assert_eq!(keys(store, Family::Order, b"p1", b"p"), all[1..]);
    assert_eq!(keys(store, Family::Order, b"p11", b"p"), all[2..]);
    assert!(keys(store, Family::Order, b"q", b"p").is_empty());
    assert!(keys(store, Family::Order, b"", b"r").is_empty());
    assert_eq!(keys(store, Family::Order, b"p2", b""), [b"p2", b"q0"]);
}

fn for_each_stops_when_told(store: &dyn Store) {
    put(store, Family::Order, &[(b"1", b"x"), (b"2", b"y"), (b"3", b"z")]);
    let mut seen = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        seen.push((key.to_vec(), value.to_vec()));
        seen.len() < 2
    };
    store.for_each(Family::Order, b"", b"", &mut visit).unwrap();
    assert_eq!(seen, [(b"1".to_vec(), b"x".to_vec()), (b"2".to_vec(), b"y".to_vec())]);
}

fn for_each_sees_one_point_in_time_while_the_visitor_writes(store: &dyn Store) {
    put(store, Family::Event, &[(b"1", b"old"), (b"2", b"old")]);
    let mut seen = Vec::new();
    let mut visit = |_: &[u8], value: &[u8]| {
        put(store, Family::Event, &[(b"2", b"new"), (b"3", b"new")]);
        seen.push(value.to_vec());
        true
    };
    store.for_each(Family::Event, b"", b"", &mut visit).unwrap();
    assert_eq!(seen, [b"old", b"old"]);
    assert_eq!(get(store, Family::Event, b"2"), Some(b"new".to_vec()));
}

fn a_prefix_of_the_highest_bytes_has_no_upper_bound(store: &dyn Store) {
    put(store, Family::Order, &[(b"\xfe", b""), (b"\xff", b""), (b"\xff\xff", b""), (b"\xff\xff\xff", b"")]);
    assert_eq!(keys(store, Family::Order, b"", b"\xff").len(), 3);
    assert_eq!(keys(store, Family::Order, b"", b"\xff\xff").len(), 2);
    assert_eq!(keys(store, Family::Order, b"", b"\xfe").len(), 1);
    let last = store.last_keys(Family::Order, &[b"\xff\xff"]).unwrap();
    assert_eq!(last, [Some(b"\xff\xff\xff".to_vec())]);
}

fn last_keys_are_the_greatest_of_their_prefixes(store: &dyn Store) {
    let last = |prefixes: &[&[u8]]| store.last_keys(Family::Event, prefixes).unwrap();
    assert_eq!(last(&[b"", b"a"]), [None, None]);
    put(store, Family::Event, &[(b"a1", b""), (b"a2", b""), (b"b", b""), (b"b1", b""), (b"d", b"")]);
    let found = last(&[b"a", b"b", b"c", b"0", b"", b"a1", b"a"]).into_iter().map(Option::unwrap_or_default);
    assert_eq!(found.collect::<Vec<_>>(), [&b"a2"[..], b"b1", b"", b"", b"d", b"a1", b"a2"]);
    assert!(last(&[]).is_empty());
}

/// Two keys always written together are seen together: by a walk, which has one point in time.
fn readers_never_see_half_a_batch(store: &dyn Store) {
    put(store, Family::Scan, &[(b"left", b"0"), (b"right", b"0")]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..2_000_u32 {
                let value = round.to_be_bytes();
                put(store, Family::Scan, &[(b"left", &value), (b"right", &value)]);
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            let mut values = Vec::new();
            let mut visit = |_: &[u8], value: &[u8]| {
                values.push(value.to_vec());
                true
            };
            store.for_each(Family::Scan, b"", b"", &mut visit).unwrap();
            assert_eq!(values[0], values[1]);
        }
    });
}

fn writers_in_parallel_lose_nothing(store: &dyn Store) {
    const WRITERS: u32 = 4;
    const ROUNDS: u32 = 500;
    let before = store.latest_sequence();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                let mut batch = Batch::new();
                for round in 0..ROUNDS {
                    batch.clear();
                    let key = [writer.to_be_bytes(), round.to_be_bytes()].concat();
                    batch.put(Family::Scan, &key, &key);
                    batch.put(Family::Event, &key, b"event");
                    store.write(&batch).unwrap();
                    assert_eq!(get(store, Family::Scan, &key).as_ref(), Some(&key));
                }
            });
        }
    });
    let written = (WRITERS * ROUNDS) as usize;
    assert_eq!(keys(store, Family::Scan, b"", b"").len(), written);
    assert_eq!(keys(store, Family::Event, b"", b"").len(), written);
    assert_eq!(store.latest_sequence(), before + 2 * written as u64);
}

fn a_flush_succeeds(store: &dyn Store) {
    put(store, Family::Meta, &[(b"key", b"value")]);
    store.flush_wal().unwrap();
    assert!(store.gauges().iter().any(|&(name, _)| name == "scan_keys"));
}

#[test]
fn a_cleared_batch_is_empty_and_reusable() {
    let mut batch = Batch::new();
    batch.put(Family::Scan, b"old", b"old");
    batch.clear();
    assert!(batch.is_empty());
    batch.put(Family::Link, b"key", b"value");
    batch.delete(Family::Alias, b"gone");
    let operations: Vec<_> = batch.operations().collect();
    assert_eq!(
        operations,
        [Operation::Put(Family::Link, b"key", b"value"), Operation::Delete(Family::Alias, b"gone")]
    );
    assert_eq!((batch.len(), batch.payload_bytes()), (2, 12));
}

#[test]
fn planted_faults_come_once_and_change_nothing() {
    let store = MemoryStore::new();
    store.fail_next_write(Error::Busy("planted".into()));
    let mut batch = Batch::new();
    batch.put(Family::Scan, b"key", b"value");
    assert_eq!(store.write(&batch), Err(Error::Busy("planted".into())));
    assert_eq!((get(&store, Family::Scan, b"key"), store.latest_sequence()), (None, 0));
    store.write(&batch).unwrap();
    store.fail_next_flush(Error::Storage("planted".into()));
    assert_eq!(store.flush_wal(), Err(Error::Storage("planted".into())));
    store.flush_wal().unwrap();
    assert_eq!(store.flush_count(), 2);
}

#[test]
fn a_store_in_memory_refuses_a_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let refusal = MemoryStore::new().checkpoint(&directory.path().join("copy"));
    assert!(matches!(refusal, Err(Error::InvalidInput { field: "store", .. })));
}

#[derive(Debug, Clone)]
enum Change {
    Put(u8, Vec<u8>, Vec<u8>),
    Delete(u8, Vec<u8>),
    DeleteRange(u8, Vec<u8>, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    // Few short keys, so that operations meet each other.
    let key = || prop::collection::vec(prop::sample::select(vec![0_u8, 1, 0xfe, 0xff]), 0..3);
    let value = prop::collection::vec(any::<u8>(), 0..8);
    prop_oneof![
        4 => (0..2_u8, key(), value).prop_map(|(family, key, value)| Change::Put(family, key, value)),
        1 => (0..2_u8, key()).prop_map(|(family, key)| Change::Delete(family, key)),
        1 => (0..2_u8, key(), key()).prop_map(|(family, from, to)| Change::DeleteRange(family, from, to)),
    ]
}

/// Any history of batches leaves both stores with the same content under every question.
#[test]
fn both_stores_agree_on_any_history() {
    const FAMILIES: [Family; 2] = [Family::Scan, Family::Event];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(24));
    let histories = prop::collection::vec(prop::collection::vec(change(), 0..6), 1..12);
    runner
        .run(&histories, |history| {
            let directory = tempfile::tempdir().unwrap();
            let stores: [Arc<dyn Store>; 2] =
                [Arc::new(MemoryStore::new()), Arc::new(open(directory.path()))];
            for changes in &history {
                let mut batch = Batch::new();
                for change in changes {
                    match change {
                        Change::Put(family, key, value) => batch.put(FAMILIES[*family as usize], key, value),
                        Change::Delete(family, key) => batch.delete(FAMILIES[*family as usize], key),
                        Change::DeleteRange(family, from, to) => {
                            batch.delete_range(FAMILIES[*family as usize], from, to);
                        }
                    }
                }
                for store in &stores {
                    store.write(&batch).unwrap();
                }
            }
            for family in FAMILIES {
                let prefixes = [&b""[..], b"\x00", b"\x01", b"\xff", b"\xff\xff"];
                let answers = stores.each_ref().map(|store| {
                    let walks = prefixes.map(|prefix| keys(&**store, family, b"\x01", prefix));
                    (walks, store.last_keys(family, &prefixes).unwrap())
                });
                prop_assert_eq!(&answers[0], &answers[1]);
                for key in keys(&*stores[0], family, b"", b"") {
                    prop_assert_eq!(get(&*stores[0], family, &key), get(&*stores[1], family, &key));
                }
            }
            prop_assert_eq!(stores[0].latest_sequence(), stores[1].latest_sequence());
            Ok(())
        })
        .unwrap();
}
