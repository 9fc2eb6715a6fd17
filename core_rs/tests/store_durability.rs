//! Nothing is called durable before a flush that covers it has returned, and nothing after one
//! that failed. Method: a memory store whose flushes are held back, counted or made to fail.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use imp_core::error::Error;
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

#[test]
fn a_waiter_is_answered_only_after_the_flush() {
    let (store, durability) = memory(NEVER);
    store.hold_flushes(true);
    let sequence = write(&*store, 1);
    let (answered, answer) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| answered.send(durability.wait(sequence)).unwrap());
        until("the flush begins", || store.flush_count() == 1);
        assert!(answer.recv_timeout(WATCH).is_err());
        assert_eq!(durability.durable(), 0);
        store.hold_flushes(false);
        assert_eq!(answer.recv_timeout(PATIENCE).unwrap(), Ok(()));
    });
    assert_eq!(durability.durable(), sequence);
}

#[test]
fn a_write_during_a_flush_needs_the_next_one() {
    let (store, durability) = memory(NEVER);
    store.hold_flushes(true);
    let first = write(&*store, 1);
    let (answered, answers) = mpsc::channel();
    let subscribe = |sequence| {
        let answered = answered.clone();
        durability.subscribe(sequence, move |answer| answered.send((sequence, answer)).unwrap());
    };
    subscribe(first);
    until("the flush begins", || store.flush_count() == 1);
    let second = write(&*store, 2);
    subscribe(second);
    store.hold_flushes(false);
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), (first, Ok(())));
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), (second, Ok(())));
    assert_eq!(store.flush_count(), 2);
}

#[test]
fn waiters_share_a_flush() {
    let (store, durability) = memory(NEVER);
    store.hold_flushes(true);
    let first = write(&*store, 0);
    let remaining = Arc::new(AtomicUsize::new(100));
    let count_down = |sequence| {
        let remaining = Arc::clone(&remaining);
        durability.subscribe(sequence, move |_| {
            remaining.fetch_sub(1, Ordering::SeqCst);
        });
    };
    count_down(first);
    until("the flush begins", || store.flush_count() == 1);
    for key in 1..100 {
        count_down(write(&*store, key));
    }
    store.hold_flushes(false);
    until("all are answered", || remaining.load(Ordering::SeqCst) == 0);
    assert_eq!(store.flush_count(), 2);
}

#[test]
fn subscribers_are_called_in_order_of_sequence_then_of_subscription() {
    let (store, durability) = memory(NEVER);
    store.hold_flushes(true);
    let blocker = write(&*store, 0);
    let sequences: Vec<u64> = (1..=3).map(|key| write(&*store, key)).collect();
    let (called, calls) = mpsc::channel();
    for (name, sequence) in
        [("c", sequences[2]), ("b1", sequences[1]), ("a", sequences[0]), ("b2", sequences[1]), ("0", blocker)]
    {
        let called = called.clone();
        durability.subscribe(sequence, move |answer| called.send((name, answer)).unwrap());
    }
    store.hold_flushes(false);
    for name in ["0", "a", "b1", "b2", "c"] {
        assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), (name, Ok(())));
    }
}

#[test]
fn what_is_durable_already_is_answered_at_once_by_the_caller() {
    let (store, durability) = memory(NEVER);
    let sequence = write(&*store, 1);
    durability.wait(sequence).unwrap();
    let flushes = store.flush_count();
    durability.wait(sequence).unwrap();
    let caller = thread::current().id();
    let (called, calls) = mpsc::channel();
    durability.subscribe(sequence, move |answer| called.send((thread::current().id(), answer)).unwrap());
    assert_eq!(calls.try_recv().unwrap(), (caller, Ok(())));
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
    let (answered, answers) = mpsc::channel();
    let subscriber = answered.clone();
    durability.subscribe(sequence, move |answer| subscriber.send(answer).unwrap());
    thread::scope(|scope| {
        scope.spawn(|| answered.send(durability.wait(sequence)).unwrap());
        until("both wait", || store.flush_count() == 1);
        store.hold_flushes(false);
        for _ in 0..2 {
            let answer = answers.recv_timeout(PATIENCE).unwrap();
            assert!(matches!(answer, Err(Error::Poisoned(reason)) if reason.contains("the disk is full")));
        }
    });
    assert!(durability.poisoned().unwrap().contains("the disk is full"));
    // The store would succeed now; nobody may believe it.
    let later = write(&*store, 2);
    assert!(matches!(durability.wait(later), Err(Error::Poisoned(_))));
    assert!(matches!(durability.wait(sequence), Err(Error::Poisoned(_))));
    let (called, calls) = mpsc::channel();
    durability.subscribe(later, move |answer| called.send(answer).unwrap());
    assert!(matches!(calls.try_recv().unwrap(), Err(Error::Poisoned(_))));
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
    let (answered, answers) = mpsc::channel();
    durability.subscribe(sequence, move |answer| answered.send(answer).unwrap());
    until("the flush begins", || store.flush_count() == 1);
    durability.poison("the journal cannot be written");
    durability.poison("a later reason");
    let expected = Err(Error::Poisoned("the journal cannot be written".into()));
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), expected);
    store.hold_flushes(false);
    thread::sleep(WATCH);
    assert_eq!(durability.durable(), 0);
    assert_eq!(durability.wait(sequence), expected);
}

#[test]
fn stopping_flushes_first_and_refuses_later_waiters() {
    let (store, durability) = memory(NEVER);
    let sequence = write(&*store, 1);
    let (answered, answers) = mpsc::channel();
    durability.subscribe(sequence, move |answer| answered.send(answer).unwrap());
    durability.stop();
    assert_eq!(answers.try_recv().unwrap(), Ok(()));
    assert_eq!(durability.durable(), sequence);
    durability.stop();
    let later = write(&*store, 2);
    assert_eq!(durability.wait(later), Err(Error::Closed));
    assert_eq!(durability.wait(sequence), Ok(()));
}

#[test]
fn the_last_owner_may_let_go_inside_a_callback() {
    let (store, durability) = memory(NEVER);
    let sequence = write(&*store, 1);
    let (called, calls) = mpsc::channel();
    let owned = Arc::clone(&durability);
    store.hold_flushes(true);
    durability.subscribe(sequence, move |answer| {
        drop(owned);
        called.send(answer).unwrap();
    });
    drop(durability);
    store.hold_flushes(false);
    assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), Ok(()));
}

#[test]
fn a_callback_that_panics_takes_nobody_along() {
    let (store, durability) = memory(NEVER);
    store.hold_flushes(true);
    let sequence = write(&*store, 1);
    let (called, calls) = mpsc::channel();
    durability.subscribe(sequence, |_| std::panic::resume_unwind(Box::new("planted")));
    durability.subscribe(sequence, move |answer| called.send(answer).unwrap());
    store.hold_flushes(false);
    assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), Ok(()));
    durability.wait(write(&*store, 2)).unwrap();
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

/// Threads write, wait and subscribe at once on a real journal; every answer comes, none before
/// its sequence is published, and far fewer flushes than waits are needed.
#[test]
fn many_threads_each_get_their_own_answer() {
    const WRITERS: u64 = 8;
    const ROUNDS: u64 = 40;
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(RocksStore::open(directory.path(), &RocksOptions::default()).unwrap());
    let durability = Durability::start(Arc::clone(&store) as Arc<dyn Store>, Duration::from_millis(5));
    let answered = Arc::new(AtomicU64::new(0));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, durability, answered) = (&store, &durability, &answered);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let sequence = write(&**store, writer * ROUNDS + round);
                    if round % 2 == 0 {
                        durability.wait(sequence).unwrap();
                        assert!(durability.durable() >= sequence);
                        answered.fetch_add(1, Ordering::SeqCst);
                    } else {
                        let answered = Arc::clone(answered);
                        durability.subscribe(sequence, move |answer| {
                            answer.unwrap();
                            answered.fetch_add(1, Ordering::SeqCst);
                        });
                    }
                }
            });
        }
    });
    durability.stop();
    assert_eq!(answered.load(Ordering::SeqCst), WRITERS * ROUNDS);
    assert_eq!(durability.durable(), store.latest_sequence());
    assert!(gauge(&durability, "flushes") <= WRITERS * ROUNDS);
    assert_eq!(gauge(&durability, "undurable_operations"), 0);
}
