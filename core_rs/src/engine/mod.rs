//! The engine: one opened data directory, every decision about its codes.
//!
//! Reading order: [`scan`] (one scan from text to outcome), [`apply`] (one command from bytes to report),
//! [`open`] (from a directory to a running engine), [`inspect`] (what can be asked without changing anything).

mod alias_filter;
mod apply;
mod clock;
mod counters;
mod doors;
mod identify;
mod inspect;
mod metrics;
mod open;
mod scan;
mod stripes;
mod tenants;

pub use apply::{COMMAND_BYTES_MAX, Envelope};
pub use clock::{Clock, SystemClock};
pub use open::{EngineOptions, StoreKind};
pub use stripes::STRIPES;

use crate::code::Keyring;
use crate::error::Result;
use crate::event::UnissuedLimit;
use crate::scan::HttpSettings;
use crate::state::Snapshot;
use crate::store::{Durability, Store};
use alias_filter::AliasFilter;
use apply::Head;
use arc_swap::ArcSwap;
use clock::MonotonicTime;
use counters::Counters;
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use stripes::Stripes;
use tenants::TenantKeys;

/// Number of a tenant that has nothing yet: every text is unknown to it.
pub const NO_TENANT: u32 = u32::MAX;

/// One opened data directory. Safe to use from any number of threads.
///
/// Invariants: a scan record is read, decided upon and written under its stripe's lock; no stripe lock is held
/// across a flush; a snapshot is published only after the command that made it is on disk, so scans read only
/// durable governance state and never wait for it.
pub struct Engine {
    store: Arc<dyn Store>,
    durability: Arc<Durability>,
    snapshot: ArcSwap<Snapshot>,
    stripes: Stripes,
    /// Held while a command is planned, written and published: one at a time.
    sequencer: Mutex<()>,
    head: ArcSwap<Head>,
    aliases: ArcSwap<AliasFilter>,
    unissued_limit: Mutex<UnissuedLimit>,
    tenant_keys: TenantKeys,
    keyring: Keyring,
    clock: Arc<dyn Clock>,
    time: MonotonicTime,
    counters: Counters,
    session_us: u64,
    http: HttpSettings,
}

impl Engine {
    /// The snapshot in force.
    pub fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Engine time, µs since the epoch; never runs backwards.
    pub fn now_us(&self) -> i64 {
        self.time.advance(self.clock.now_us())
    }

    /// Wait until everything written so far is on disk.
    ///
    /// # Errors
    /// [`Error::Poisoned`] when a flush failed.
    pub fn flush(&self) -> Result<()> {
        self.durability.wait(self.store.latest_sequence())
    }

    /// Write a consistent copy of the store to the new directory `path`.
    ///
    /// # Errors
    /// As [`Store::checkpoint`].
    pub fn checkpoint(&self, path: &Path) -> Result<()> {
        self.store.checkpoint(path)
    }

    /// Flush and end the durability thread. The store closes when the last reference to the engine goes.
    ///
    /// # Errors
    /// [`Error::Poisoned`] when not everything could be flushed.
    pub fn stop(&self) -> Result<()> {
        let flushed = self.flush();
        self.durability.stop();
        flushed
    }

    /// The number of the tenant called `name`; [`NO_TENANT`] before its first command.
    pub fn tenant(&self, name: &str) -> u32 {
        self.snapshot.load().tenant(name).map_or(NO_TENANT, |tenant| tenant.id)
    }
}
