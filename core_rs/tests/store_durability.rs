//! Nothing is called durable before a flush that covers it has returned, and nothing after one
//! that failed. Method: a memory store whose flushes are held back, counted or made to fail.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use imp_core::error::{Error, Result};
use imp_core::store::{Batch, Durability, Family, MemoryStore, RocksOptions, RocksStore, Store};

/// Longer than any test: flushes happen only because somebody waits.
const NEVER: Duration = Duration::from_secs(3600);
/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a test watches that something does not happen.
const WATCH: Duration = Duration::from_millis(50);

fn memory(interval: Duration) -> (Arc<MemoryStore>, Arc<Durability>) {
    let store = Arc::new(MemoryStore::new());
    let durability = Durability::start(Arc::clone(&store) as Arc<dyn Store>, interval);
    (store, durability)
}

fn write(store: &dyn Store, key: u64) -> u64 {
    let mut batch = Batch::new();
    batch.put(Family::Applied, &key.to_be_bytes(), b"result");
    store.write(&batch).unwrap();
    store.latest_sequence()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn gauge(durability: &Durability, wanted: &str) -> u64 {
    durability.gauges().into_iter().find(|(name, _)| *name == wanted).unwrap().1
}

/// Somebody who waits on a thread of their own; what they are told comes through the channel.
fn waiter(durability: &Arc<Durability>, sequence: u64) -> mpsc::Receiver<Result<()>> {
    let durability = Arc::clone(durability);
    let (answered, answer) = mpsc::channel();
    thread::spawn(move || answered.send(durability.wait(sequence)));
    answer
}

#[test]
fn a_waiter_is_answered_only_after_the_flush() {
    let (store, durability) = memory(NEVER);
    store.hold_flushes(true);
    let sequence = write(&*store, 1);
    let answer = waiter(&durability, sequence);
    until("the flush begins", || store.flush_count() == 1);
    assert!(answer.recv_timeout(WATCH).is_err());
    assert_eq!(durability.durable(), 0);
    store.hold_flushes(false);
    assert_eq!(answer.recv_timeout(PATIENCE).unwrap(), Ok(()));
    assert_eq!(durability.durable(), sequence);
}

#[test]
fn a_write_during_a_flush_needs_the_next_one() {
    let (store, durability) = memory(NEVER);
    store.hold_flushes(true);
    let first = write(&*store, 1);
    let first_answer = waiter(&durability, first);
    until("the flush begins", || store.flush_count() == 1);
    let second = write(&*store, 2);
    let second_answer = waiter(&durability, second);
    store.hold_flushes(false);
    assert_eq!(first_answer.recv_timeout(PATIENCE).unwrap(), Ok(()));
    assert_eq!(second_answer.recv_timeout(PATIENCE).unwrap(), Ok(()));
    assert_eq!(store.flush_count(), 2);
}

#[test]
fn waiters_share_a_flush() {
    let (store, durability) = memory(NEVER);
    store.hold_flushes(true);
    let first = write(&*store, 0);
    let mut answers = vec![waiter(&durability, first)];
    until("the flush begins", || store.flush_count() == 1);
    answers.extend((1..100).map(|key| waiter(&durability, write(&*store, key))));
    store.hold_flushes(false);
    assert!(answers.iter().all(|answer| answer.recv_timeout(PATIENCE).unwrap().is_ok()));
    assert_eq!(store.flush_count(), 2);
}

#[test]
fn what_is_durable_already_needs_no_flush() {
    let (store, durability) = memory(NEVER);
    let sequence = write(&*store, 1);
    durability.wait(sequence).unwrap();
    let flushes = store.flush_count();
    durability.wait(sequence).unwrap();
    assert_eq!(store.flush_count(), flushes);
}

#[test]
fn the_interval_flushes_without_a_waiter_and_rests_when_nothing_is_written() {
    let (store, durability) = memory(Duration::from_millis(1));
    let sequence = write(&*store, 1);
    until("the interval flushes", || durability.durable() == sequence);
    let flushes = store.flush_count();
    thread::sleep(WATCH);
    assert_eq!(store.flush_count(), flushes);
}

#[test]
fn a_failed_flush_poisons_every_waiter_for_good() {
    let (store, durability) = memory(NEVER);
    store.hold_flushes(true);
    store.fail_next_flush(Error::Storage("the disk is full".into()));
    let sequence = write(&*store, 1);
    let answers = [waiter(&durability, sequence), waiter(&durability, sequence)];
    until("the flush begins", || store.flush_count() == 1);
    store.hold_flushes(false);
    for answer in answers.map(|answer| answer.recv_timeout(PATIENCE).unwrap()) {
        assert!(matches!(answer, Err(Error::Poisoned(reason)) if reason.contains("the disk is full")));
    }
    assert!(durability.poisoned().unwrap().contains("the disk is full"));
    // The store would succeed now; nobody may believe it.
    let later = write(&*store, 2);
    assert!(matches!(durability.wait(later), Err(Error::Poisoned(_))));
    assert!(matches!(durability.wait(sequence), Err(Error::Poisoned(_))));
    thread::sleep(WATCH);
    assert_eq!((store.flush_count(), durability.durable()), (1, 0));
    assert_eq!(gauge(&durability, "poisoned"), 1);
}

#[test]
fn what_was_durable_before_the_poison_stays_so() {
    let (store, durability) = memory(NEVER);
    let sequence = write(&*store, 1);
    durability.wait(sequence).unwrap();
    store.fail_next_flush(Error::Storage("broken".into()));
    let lost = write(&*store, 2);
    assert!(matches!(durability.wait(lost), Err(Error::Poisoned(_))));
    assert_eq!(durability.wait(sequence), Ok(()));
    assert_eq!(durability.durable(), sequence);
}

#[test]
fn a_poison_from_a_writer_reaches_waiters_even_during_a_flush() {
    let (store, durability) = memory(NEVER);
    store.hold_flushes(true);
    let sequence = write(&*store, 1);
    let answer = waiter(&durability, sequence);
    until("the flush begins", || store.flush_count() == 1);
    durability.poison("the journal cannot be written");
    durability.poison("a later reason");
    let expected = Err(Error::Poisoned("the journal cannot be written".into()));
    assert_eq!(answer.recv_timeout(PATIENCE).unwrap(), expected);
    store.hold_flushes(false);
    thread::sleep(WATCH);
    assert_eq!(durability.durable(), 0);
    assert_eq!(durability.wait(sequence), expected);
}

#[test]
fn stopping_flushes_first_and_refuses_later_waiters() {
    let (store, durability) = memory(NEVER);
    let sequence = write(&*store, 1);
    let answer = waiter(&durability, sequence);
    durability.stop();
    assert_eq!(answer.recv_timeout(PATIENCE).unwrap(), Ok(()));
    assert_eq!(durability.durable(), sequence);
    durability.stop();
    let later = write(&*store, 2);
    assert_eq!(durability.wait(later), Err(Error::Closed));
    assert_eq!(durability.wait(sequence), Ok(()));
}

#[test]
fn a_sequence_not_yet_written_is_refused_instead_of_waited_for() {
    let (store, durability) = memory(NEVER);
    let beyond = write(&*store, 1) + 1;
    assert!(matches!(durability.wait(beyond), Err(Error::InvalidInput { field: "sequence", .. })));
}

#[test]
fn what_a_reader_saw_is_durable_once_it_waited() {
    let (store, durability) = memory(NEVER);
    write(&*store, 7);
    let mut value = Vec::new();
    assert!(store.get(Family::Applied, &7_u64.to_be_bytes(), &mut value).unwrap());
    let seen = store.latest_sequence();
    durability.wait(seen).unwrap();
    assert!(durability.durable() >= seen);
}

/// Threads write and wait at once on a real journal; every answer comes, none before its sequence
/// is published, and no more flushes than waits are needed.
#[test]
fn many_threads_each_get_their_own_answer() {
    const WRITERS: u64 = 8;
    const ROUNDS: u64 = 40;
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(RocksStore::open(directory.path(), &RocksOptions::default()).unwrap());
    let durability = Durability::start(Arc::clone(&store) as Arc<dyn Store>, Duration::from_millis(5));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, durability) = (&store, &durability);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let sequence = write(&**store, writer * ROUNDS + round);
                    durability.wait(sequence).unwrap();
                    assert!(durability.durable() >= sequence);
                }
            });
        }
    });
    durability.stop();
    assert_eq!(durability.durable(), store.latest_sequence());
    assert!(gauge(&durability, "flushes") <= WRITERS * ROUNDS);
    assert_eq!(gauge(&durability, "undurable_operations"), 0);
}
