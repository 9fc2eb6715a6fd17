//! From a directory to a running engine.

use super::Engine;
use super::alias_filter::AliasFilter;
use super::apply::Head;
use super::clock::{Clock, MonotonicTime, SystemClock};
use super::counters::Counters;
use super::stripes::{STRIPES, Stripes};
use super::tenants::TenantKeys;
use crate::code::Keyring;
use crate::error::{Error, Result};
use crate::event::UnissuedLimit;
use crate::scan::HttpSettings;
use crate::state::{Loader, Snapshot};
use crate::store::{Batch, Durability, Family, MemoryStore, RocksOptions, RocksStore, Store};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Version of the data this code writes.
pub const FORMAT_VERSION: u16 = 1;

pub(super) const META_FORMAT: &[u8] = b"format";
const META_CHECK_VALUE: &[u8] = b"check_value";
const META_STRIPES: &[u8] = b"stripes";

/// Where state is kept.
#[derive(Debug, Clone)]
pub enum StoreKind {
    /// In the directory.
    Rocks(RocksOptions),
    /// In memory; forgotten at close.
    Memory,
}

/// How an engine is opened.
#[derive(Clone)]
pub struct EngineOptions {
    /// Where state is kept.
    pub store: StoreKind,
    /// Make the store when there is none; otherwise a missing one is an error.
    pub create: bool,
    /// Length of a session from its start, µs.
    pub session_us: u64,
    /// Longest time a scan stays unflushed.
    pub flush_interval: Duration,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// How HTTP scans are answered.
    pub http: HttpSettings,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            store: StoreKind::Rocks(RocksOptions::default()),
            create: false,
            session_us: 600_000_000,
            flush_interval: Duration::from_millis(50),
            clock: Arc::new(SystemClock),
            http: HttpSettings::default(),
        }
    }
}

/// Which versions may read and write the data, in `meta`.
#[derive(Serialize, Deserialize)]
struct StoredFormat {
    version: u16,
    oldest_reader: u16,
    oldest_writer: u16,
}

impl Engine {
    /// Open the directory `path` with its 32-byte master secret.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no store and `create` is not set; [`Error::WrongSecret`];
    /// [`Error::Incompatible`] for data of a newer version; what [`RocksStore::open`] raises.
    pub fn open(path: &Path, secret: &[u8; 32], options: EngineOptions) -> Result<Self> {
        let store: Arc<dyn Store> = match &options.store {
            StoreKind::Memory => Arc::new(MemoryStore::new()),
            StoreKind::Rocks(rocks) => {
                if !options.create && !path.join("CURRENT").exists() {
                    return Err(Error::NotFound { what: "engine directory", id: path.display().to_string() });
                }
                Arc::new(RocksStore::open(path, rocks)?)
            }
        };
        Self::over(store, secret, options)
    }

    /// An engine over a store that is already open.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn over(store: Arc<dyn Store>, secret: &[u8; 32], options: EngineOptions) -> Result<Self> {
        let keyring = Keyring::new(secret);
        let stripes = admit(&*store, &keyring)?;
        let snapshot = load_snapshot(&*store, &keyring)?;
        let head = Head::load(&*store)?;
        Ok(Self {
            stripes: Stripes::open(&*store, stripes)?,
            aliases: ArcSwap::from_pointee(load_aliases(&*store)?),
            durability: Durability::start(Arc::clone(&store), options.flush_interval),
            store,
            snapshot: ArcSwap::from_pointee(snapshot),
            sequencer: Mutex::new(()),
            head: ArcSwap::from_pointee(head),
            unissued_limit: Mutex::new(UnissuedLimit::default()),
            tenant_keys: TenantKeys::default(),
            keyring,
            clock: options.clock,
            time: MonotonicTime::default(),
            counters: Counters::default(),
            session_us: options.session_us,
            http: options.http,
        })
    }
}

/// Check that this code and this secret may use the data, and write both marks into an empty store.
/// Returns the stripe count.
fn admit(store: &dyn Store, keyring: &Keyring) -> Result<u16> {
    let mut value = Vec::new();
    if !store.get(Family::Meta, META_FORMAT, &mut value)? {
        return found(store, keyring);
    }
    let format: StoredFormat =
        serde_json::from_slice(&value).map_err(|error| Error::Corrupt(format!("format mark: {error}")))?;
    if format.oldest_writer > FORMAT_VERSION {
        return Err(Error::Incompatible(format!(
            "the directory has format {}, to be written by format {} or newer; this is {FORMAT_VERSION}",
            format.version, format.oldest_writer
        )));
    }
    if !store.get(Family::Meta, META_CHECK_VALUE, &mut value)? || value != keyring.check_value() {
        return Err(Error::WrongSecret);
    }
    store.get(Family::Meta, META_STRIPES, &mut value)?;
    match value.as_slice().try_into().map(u16::from_be_bytes) {
        Ok(stripes) if stripes > 0 => Ok(stripes),
        _ => Err(Error::Corrupt("stripe count".into())),
    }
}

fn found(store: &dyn Store, keyring: &Keyring) -> Result<u16> {
    for family in Family::ALL {
        let mut is_empty = true;
        store.for_each(family, b"", b"", &mut |_, _| {
            is_empty = false;
            false
        })?;
        if !is_empty {
            return Err(Error::Corrupt(format!("there is data in {}, but no format mark", family.name())));
        }
    }
    let format = StoredFormat {
        version: FORMAT_VERSION,
        oldest_reader: FORMAT_VERSION,
        oldest_writer: FORMAT_VERSION,
    };
    let format = serde_json::to_vec(&format).expect("integers always serialise");
    let mut batch = Batch::new();
    batch.put(Family::Meta, META_FORMAT, &format);
    batch.put(Family::Meta, META_CHECK_VALUE, &keyring.check_value());
    batch.put(Family::Meta, META_STRIPES, &STRIPES.to_be_bytes());
    store.write(&batch)?;
    store.flush_wal()?;
    Ok(STRIPES)
}

fn load_snapshot(store: &dyn Store, keyring: &Keyring) -> Result<Snapshot> {
    let mut loader = Loader::default();
    let mut failed = None;
    store.for_each(Family::Order, b"", b"", &mut |key, value| {
        failed = loader.entry(key, value, keyring).err();
        failed.is_none()
    })?;
    failed.map_or_else(|| Ok(loader.finish()), Err)
}

/// Fill the filter from the keys of the alias table: tenant u32 ‖ hash u128.
fn load_aliases(store: &dyn Store) -> Result<AliasFilter> {
    let mut hashes = Vec::new();
    store.for_each(Family::Alias, b"", b"", &mut |key, _| {
        hashes.extend(key.last_chunk::<16>().map(|hash| u128::from_be_bytes(*hash)));
        true
    })?;
    let filter = AliasFilter::with_capacity(hashes.len());
    hashes.into_iter().for_each(|hash| filter.insert(hash));
    Ok(filter)
}
