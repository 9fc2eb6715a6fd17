//! Where state is kept: ordered families of keys behind one trait.
//!
//! Two stores keep the same promises and pass the same tests: [`RocksStore`] on disk and
//! [`MemoryStore`] for tests and throw-away engines. [`Durability`] turns "written" into "durable"
//! for either.
//!
//! What a caller may rely on:
//! - a [`Batch`] is applied whole or not at all, and is visible to every later read;
//! - when [`Store::write`] returns, the batch survives the death of the process; it survives a
//!   power loss once a [`Store::flush_wal`] that began after it has returned;
//! - after a crash the store is a prefix of what was written, in order: never a later batch
//!   without an earlier one.

mod batch;
mod durability;
mod memory;
mod owner;
mod rocks;

use std::path::Path;

pub use batch::{Batch, Operation};
pub use durability::Durability;
pub use memory::MemoryStore;
pub use owner::Owner;
pub use rocks::{RocksOptions, RocksStore};

use crate::error::Result;

/// A named, independently ordered set of keys ("column family").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Format numbers, key check value, stripe count, last outbox sequence per tenant.
    Meta,
    /// One record per scanned (item, face); untouched codes have none.
    Scan,
    /// Claims and redemptions.
    Redeem,
    /// Item to paired item, successor, parent.
    Link,
    /// Tenants, series, orders, holds: what the governance snapshot is rebuilt from.
    Order,
    /// Foreign codes by the hash of their text.
    Alias,
    /// Event id of a command to its stored result.
    Applied,
    /// Leaves and nodes of the Merkle tree.
    Ledger,
    /// Scan events not yet drained into segments.
    Event,
}

impl Family {
    /// Every family, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Meta,
        Self::Scan,
        Self::Redeem,
        Self::Link,
        Self::Order,
        Self::Alias,
        Self::Applied,
        Self::Ledger,
        Self::Event,
    ];

    /// The name the family has on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Scan => "scan",
            Self::Redeem => "redeem",
            Self::Link => "link",
            Self::Order => "order",
            Self::Alias => "alias",
            Self::Applied => "applied",
            Self::Ledger => "ledger",
            Self::Event => "event",
        }
    }
}

/// An ordered, atomic, journalled key-value store. Safe to use from any number of threads.
pub trait Store: Send + Sync {
    /// Reads the value of `key` into `into`, whose old content is dropped first.
    /// Returns whether the key is present.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::error::Error::Storage) or
    /// [`Error::Corrupt`](crate::error::Error::Corrupt) when the value cannot be read.
    fn get(&self, family: Family, key: &[u8], into: &mut Vec<u8>) -> Result<bool>;

    /// Applies the batch atomically. On return it is in the journal (page cache), so it survives
    /// SIGKILL; only [`Self::flush_wal`] makes it survive a power loss. An empty batch does nothing.
    ///
    /// # Errors
    /// [`Error::Busy`](crate::error::Error::Busy) when the store pushes back instead of making the
    /// caller wait: nothing was written, the same call may be repeated.
    /// [`Error::Storage`](crate::error::Error::Storage) when the journal cannot be written: whether
    /// the batch survives a restart is unknown, and the caller must stop writing until it reopens.
    fn write(&self, batch: &Batch) -> Result<()>;

    /// Visits, in key order, the keys that begin with `prefix` and are not below `from`, until
    /// `visit` returns false. The view is one point in time; `visit` may use the store.
    ///
    /// # Errors
    /// As [`Self::get`].
    fn for_each(
        &self,
        family: Family,
        from: &[u8],
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<()>;

    /// The greatest key that begins with each prefix, in one walk: beginning one may cost a sort of what is in
    /// memory.
    ///
    /// # Errors
    /// As [`Self::get`].
    fn last_keys(&self, family: Family, prefixes: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>>;

    /// Number of the last operation written. Every operation of a batch advances it by one; a read
    /// that saw a batch is followed by a sequence not below that batch's.
    fn latest_sequence(&self) -> u64;

    /// Returns after everything written before the call is on stable storage (fsync).
    ///
    /// # Errors
    /// [`Error::Storage`](crate::error::Error::Storage). After a failed fsync nothing may be
    /// assumed about earlier unflushed writes: stop writing.
    fn flush_wal(&self) -> Result<()>;

    /// Writes a consistent copy of the whole store to the directory `to`, which must not exist.
    ///
    /// # Errors
    /// [`Error::InvalidInput`](crate::error::Error::InvalidInput) when `to` exists or the store has
    /// no directory of its own; [`Error::Storage`](crate::error::Error::Storage) otherwise.
    fn checkpoint(&self, to: &Path) -> Result<()>;

    /// Sizes and counts for monitoring, as (name, value); bytes where the name ends so.
    fn gauges(&self) -> Vec<(&'static str, u64)>;
}

/// The least key above every key that begins with `prefix`; `None` when there is no such bound
/// (an empty prefix, or one of 0xff bytes only).
fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}
