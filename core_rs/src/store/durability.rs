//! Turning "written" into "durable": one thread that flushes the journal for everybody.
//!
//! `WriteOptions.sync` would make every writer queue behind its own fsync. Instead a writer takes
//! the store's sequence after its write and waits until the thread has published one that is not
//! below it. The thread takes the sequence *before* it flushes, so what it publishes is covered.
//!
//! After a failed flush nothing is known about what reached the disk (the kernel may have dropped
//! the dirty pages and report success next time), so the first failure poisons for good: every
//! waiter, present and future, gets [`Error::Poisoned`] until the store is reopened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::Store;
use crate::error::{Error, Result};

/// The durability thread of one store.
pub struct Durability {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    store: Arc<dyn Store>,
    interval: Duration,
    /// Copy of `State::durable` that is read without the lock.
    durable: AtomicU64,
    /// Copy of `State::poisoned.is_some()`, likewise.
    is_poisoned: AtomicBool,
    state: Mutex<State>,
    /// The thread sleeps here between flushes.
    kicked: Condvar,
    /// Blocking waiters sleep here.
    published: Condvar,
}

#[derive(Default)]
struct State {
    durable: u64,
    /// Greatest sequence somebody waits for: above `durable`, the thread does not sleep.
    wanted: u64,
    poisoned: Option<String>,
    is_stopping: bool,
    is_stopped: bool,
    flushes: u64,
    last_flush: Duration,
    longest_flush: Duration,
}

impl Durability {
    /// Starts the thread, which flushes at least every `interval` while there is something to
    /// flush, and at once when somebody waits. What the store holds already counts as durable
    /// only after the first flush.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, interval: Duration) -> Arc<Self> {
        let shared = Arc::new(Shared {
            store,
            interval,
            durable: AtomicU64::new(0),
            is_poisoned: AtomicBool::new(false),
            state: Mutex::default(),
            kicked: Condvar::new(),
            published: Condvar::new(),
        });
        let runner = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("imp-durability".into())
            .spawn(move || runner.run())
            .expect("the operating system can start one more thread");
        Arc::new(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Everything up to this sequence survives a power loss.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    /// Blocks until `sequence` (taken from the store after the write or read it stands for) is
    /// durable, flushing at once. Waiters that come during a flush share the next one.
    ///
    /// # Errors
    /// [`Error::Poisoned`] after a failed flush; [`Error::Closed`] after [`Self::stop`];
    /// [`Error::InvalidInput`] for a sequence the store has not reached.
    pub fn wait(&self, sequence: u64) -> Result<()> {
        if self.durable() >= sequence {
            return Ok(());
        }
        let mut state = self.shared.state.lock();
        self.shared.want(&mut state, sequence)?;
        while state.durable < sequence {
            if let Some(error) = state.refusal() {
                return Err(error);
            }
            self.shared.published.wait(&mut state);
        }
        Ok(())
    }

    /// Whether nothing is written any more. Takes no lock: every scan asks.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.shared.is_poisoned.load(Ordering::Acquire)
    }

    /// Why nothing is written any more; `None` while all is well.
    #[must_use]
    pub fn poisoned(&self) -> Option<String> {
        self.shared.state.lock().poisoned.clone()
    }

    /// Poisons from outside: for a writer whose journal write failed. The first reason stays.
    pub fn poison(&self, reason: &str) {
        let mut state = self.shared.state.lock();
        state.poisoned.get_or_insert_with(|| reason.to_owned());
        self.shared.is_poisoned.store(true, Ordering::Release);
        self.shared.kicked.notify_one();
        self.shared.published.notify_all();
    }

    /// Flushes once more, answers everybody and ends the thread. Later calls do nothing; a later
    /// [`Self::wait`] for something not yet durable gets [`Error::Closed`].
    pub fn stop(&self) {
        self.shared.state.lock().is_stopping = true;
        self.shared.kicked.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            thread.join().expect("the durability thread does not panic");
        }
    }

    /// For monitoring, as (name, value): how far behind flushing is and how long it takes.
    #[must_use]
    pub fn gauges(&self) -> Vec<(&'static str, u64)> {
        let latest = self.shared.store.latest_sequence();
        let state = self.shared.state.lock();
        vec![
            ("durable_sequence", state.durable),
            ("undurable_operations", latest.saturating_sub(state.durable)),
            ("flushes", state.flushes),
            ("last_flush_us", micros(state.last_flush)),
            ("longest_flush_us", micros(state.longest_flush)),
            ("poisoned", u64::from(state.poisoned.is_some())),
        ]
    }
}

impl Drop for Durability {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    /// Why no further sequence will become durable, if so.
    fn refusal(&self) -> Option<Error> {
        if let Some(reason) = &self.poisoned {
            return Some(Error::Poisoned(reason.clone()));
        }
        self.is_stopped.then_some(Error::Closed)
    }
}

impl Shared {
    /// Asks the thread to flush up to `sequence` without delay.
    fn want(&self, state: &mut State, sequence: u64) -> Result<()> {
        if let Some(error) = state.refusal() {
            return Err(error);
        }
        let latest = self.store.latest_sequence();
        if sequence > latest {
            let message = format!("{sequence} is not written yet; the store is at {latest}");
            return Err(Error::invalid("sequence", message));
        }
        if sequence > state.wanted {
            state.wanted = sequence;
            self.kicked.notify_one();
        }
        Ok(())
    }

    fn run(&self) {
        loop {
            let is_last = self.sleep();
            if !self.flush() || is_last {
                break;
            }
        }
        self.state.lock().is_stopped = true;
        self.published.notify_all();
    }

    /// Sleeps until the interval is over or somebody waits; returns whether to stop afterwards.
    fn sleep(&self) -> bool {
        let mut state = self.state.lock();
        let deadline = Instant::now() + self.interval;
        while !state.is_stopping && state.poisoned.is_none() && state.wanted <= state.durable {
            if self.kicked.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.is_stopping
    }

    /// Flushes what is written and answers those who waited for it; returns whether to go on.
    fn flush(&self) -> bool {
        let covered = self.store.latest_sequence();
        {
            let state = self.state.lock();
            if state.poisoned.is_some() {
                return false;
            }
            if covered == state.durable {
                return true;
            }
        }
        let started = Instant::now();
        let outcome = self.store.flush_wal();
        let state = self.state.lock();
        match outcome {
            Ok(()) => self.publish(state, covered, started.elapsed()),
            Err(error) => self.give_up(state, &error),
        }
    }

    fn publish(&self, mut state: MutexGuard<'_, State>, covered: u64, took: Duration) -> bool {
        // A poison that came from outside during the flush wins: its waiters were refused already.
        if state.poisoned.is_some() {
            return false;
        }
        state.durable = covered;
        state.flushes += 1;
        state.last_flush = took;
        state.longest_flush = state.longest_flush.max(took);
        self.durable.store(covered, Ordering::Release);
        self.published.notify_all();
        true
    }

    fn give_up(&self, mut state: MutexGuard<'_, State>, error: &Error) -> bool {
        self.is_poisoned.store(true, Ordering::Release);
        state.poisoned.get_or_insert_with(|| format!("the journal cannot be flushed: {error}"));
        self.published.notify_all();
        false
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
