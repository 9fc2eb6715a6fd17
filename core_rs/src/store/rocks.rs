//! The store on disk. The only file that names RocksDB.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, BlockBasedTablePinningTier, Cache, ColumnFamily,
    ColumnFamilyDescriptor, DB, DBCompactionStyle, DBCompressionType, DBRecoveryMode, DataBlockIndexType,
    Env, ErrorKind, MemtableFactory, Options, ReadOptions, SliceTransform, WriteBatch, WriteOptions,
};

use super::owner::{Owner, OwnerFile};
use super::{Batch, Family, Operation, Store, prefix_end};
use crate::error::{Error, Result};

/// How long opening waits for an owner that is about to die: longer than a SIGKILLed process with
/// a large memory needs to be torn down.
const OPEN_WAIT: Duration = Duration::from_secs(10);
/// Pause between two looks at a lock that is held.
const OPEN_POLL: Duration = Duration::from_millis(20);
/// Block cache large enough for the records of some million busy codes.
const BLOCK_CACHE_BYTES: usize = 256 << 20;
/// Upper bound of the journal, which is replayed at open after a crash.
const WAL_BYTES_MAX: u64 = 128 << 20;
/// Half a second of full load: small enough that a flush is a short burst beside the loop and that
/// the journal, which lives as long as the memtables it fills, stays within its bound.
const MEMTABLE_BYTES: usize = 16 << 20;
/// Quiet families get this part of a busy one's memtable.
const QUIET_PART: usize = 4;
/// Tables of level 0, and sorted runs of events, that start a merge.
const LEVEL_0_TABLES: i32 = 6;
const EVENT_RUNS: i32 = 8;
/// Memory per bucket of a hash memtable: room for about one record each.
const BYTES_PER_BUCKET: usize = 128;
/// What one operation of a RocksDB batch needs beside key and value: tag, family, two lengths.
const OPERATION_OVERHEAD_BYTES: usize = 12;
/// Sequence and count at the start of a RocksDB batch.
const BATCH_HEADER_BYTES: usize = 12;

/// What an operator may choose; everything else is fixed, with its reason beside it.
#[derive(Debug, Clone)]
pub struct RocksOptions {
    /// Memory for blocks, filters and indexes of table files, in bytes.
    pub block_cache_bytes: usize,
    /// Memory that one table of recent writes of a busy family fills before it goes to disk.
    pub memtable_bytes: usize,
    /// How long opening waits while another process holds the directory.
    pub open_wait: Duration,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self { block_cache_bytes: BLOCK_CACHE_BYTES, memtable_bytes: MEMTABLE_BYTES, open_wait: OPEN_WAIT }
    }
}

/// A [`Store`] in a directory that this process alone has open.
pub struct RocksStore {
    // Order matters: the owner file goes while the lock of `db` is still held.
    _owner: OwnerFile,
    db: DB,
    path: PathBuf,
    cache: Cache,
    point_reads: ReadOptions,
    writes: WriteOptions,
}

impl RocksStore {
    /// Opens the store in `path`, creating it when absent. After a crash the journal is replayed
    /// up to the first torn record.
    ///
    /// # Errors
    /// [`Error::Locked`] naming the owner when another process (or this one) still has the
    /// directory open after `open_wait`; [`Error::Incompatible`] when a newer version added
    /// families; [`Error::Storage`] when the directory cannot be used; [`Error::Corrupt`] when its
    /// content cannot.
    pub fn open(path: &Path, options: &RocksOptions) -> Result<Self> {
        let unusable_for = |error: io::Error| unusable(path, &with_advice(&error.to_string()));
        fs::create_dir_all(path).map_err(unusable_for)?;
        // RocksDB knows a directory that is open in this process by its spelling only; a second
        // spelling would get a second lock and corrupt the data.
        let path = path.canonicalize().map_err(unusable_for)?;
        // Look-ups take no lock in this kind of cache; an entry size of 0 lets it size itself.
        lower_compaction_priority()?;
        let cache = Cache::new_hyper_clock_cache(options.block_cache_bytes, 0);
        let db = open_within(&path, &cache, options)?;
        let owner = Owner::current().write_to(&path).map_err(unusable_for)?;
        Ok(Self {
            _owner: owner,
            db,
            path,
            cache,
            point_reads: ReadOptions::default(),
            writes: write_options(),
        })
    }

    /// The handle of a family. Every family is created at open, and a missing one would be a
    /// programming error.
    fn family(&self, family: Family) -> &ColumnFamily {
        self.db.cf_handle(family.name()).expect("every family is created at open")
    }

    fn family_gauge(&self, family: Family, property: &str) -> u64 {
        self.db.property_int_value_cf(self.family(family), property).ok().flatten().unwrap_or(0)
    }

    fn total_gauge(&self, property: &str) -> u64 {
        Family::ALL.iter().map(|&family| self.family_gauge(family, property)).sum()
    }

    /// Bytes of the journal files. RocksDB has no property for it.
    fn wal_bytes(&self) -> u64 {
        let Ok(entries) = fs::read_dir(&self.path) else { return 0 };
        entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"))
            .filter_map(|entry| entry.metadata().ok())
            .map(|metadata| metadata.len())
            .sum()
    }
}

impl Store for RocksStore {
    fn get(&self, family: Family, key: &[u8], into: &mut Vec<u8>) -> Result<bool> {
        into.clear();
        let found = self.db.get_pinned_cf_opt(self.family(family), key, &self.point_reads);
        let Some(value) = found.map_err(from_rocks)? else { return Ok(false) };
        into.extend_from_slice(&value);
        Ok(true)
    }

    fn write(&self, batch: &Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let bytes = BATCH_HEADER_BYTES + batch.payload_bytes() + batch.len() * OPERATION_OVERHEAD_BYTES;
        let mut changes = WriteBatch::with_capacity_bytes(bytes);
        for operation in batch.operations() {
            match operation {
                Operation::Put(family, key, value) => changes.put_cf(self.family(family), key, value),
                Operation::Delete(family, key) => changes.delete_cf(self.family(family), key),
                Operation::DeleteRange(family, from, to) => {
                    changes.delete_range_cf(self.family(family), from, to);
                }
            }
        }
        self.db.write_opt(changes, &self.writes).map_err(from_rocks)
    }

    fn for_each(
        &self,
        family: Family,
        from: &[u8],
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<()> {
        let mut iterator = self.db.raw_iterator_cf_opt(self.family(family), range_reads(prefix));
        iterator.seek(from.max(prefix));
        while let Some((key, value)) = iterator.item() {
            if !visit(key, value) {
                return Ok(());
            }
            iterator.next();
        }
        iterator.status().map_err(from_rocks)
    }

    fn last_keys(&self, family: Family, prefixes: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut iterator = self.db.raw_iterator_cf_opt(self.family(family), range_reads(b""));
        let last = |prefix: &&[u8]| {
            match prefix_end(prefix) {
                Some(end) => {
                    iterator.seek_for_prev(&end);
                    if iterator.key() == Some(&end) {
                        iterator.prev();
                    }
                }
                None => iterator.seek_to_last(),
            }
            let last = iterator.key().filter(|key| key.starts_with(prefix)).map(<[u8]>::to_vec);
            iterator.status().map_err(from_rocks)?;
            Ok(last)
        };
        prefixes.iter().map(last).collect()
    }

    fn latest_sequence(&self) -> u64 {
        self.db.latest_sequence_number()
    }

    fn flush_wal(&self) -> Result<()> {
        self.db.flush_wal(true).map_err(from_rocks)
    }

    fn checkpoint(&self, to: &Path) -> Result<()> {
        if to.exists() {
            return Err(Error::invalid(
                "to",
                format!("{} exists; name a directory that does not", to.display()),
            ));
        }
        let checkpoint = Checkpoint::new(&self.db).map_err(from_rocks)?;
        checkpoint.create_checkpoint(to).map_err(from_rocks)
    }

    fn gauges(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("memtable_bytes", self.total_gauge("rocksdb.cur-size-all-mem-tables")),
            ("live_data_bytes", self.total_gauge("rocksdb.estimate-live-data-size")),
            ("table_files_bytes", self.total_gauge("rocksdb.total-sst-files-size")),
            ("pending_compaction_bytes", self.total_gauge("rocksdb.estimate-pending-compaction-bytes")),
            ("pending_flushes", self.total_gauge("rocksdb.num-immutable-mem-table")),
            ("running_compactions", self.family_gauge(Family::Scan, "rocksdb.num-running-compactions")),
            ("running_flushes", self.family_gauge(Family::Scan, "rocksdb.num-running-flushes")),
            ("background_errors", self.family_gauge(Family::Scan, "rocksdb.background-errors")),
            ("writes_stopped", self.family_gauge(Family::Scan, "rocksdb.is-write-stopped")),
            ("block_cache_bytes", self.cache.get_usage() as u64),
            ("block_cache_pinned_bytes", self.cache.get_pinned_usage() as u64),
            ("wal_bytes", self.wal_bytes()),
            ("scan_keys", self.family_gauge(Family::Scan, "rocksdb.estimate-num-keys")),
            ("event_keys", self.family_gauge(Family::Event, "rocksdb.estimate-num-keys")),
        ]
    }
}

/// Options of a walk over the keys with `prefix`. A walk reads much once: it must not push the
/// records of busy codes out of the cache.
fn range_reads(prefix: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    // Hash memtables would otherwise walk only the keys of one bucket.
    options.set_total_order_seek(true);
    if let Some(end) = prefix_end(prefix) {
        options.set_iterate_upper_bound(end);
    }
    options
}

/// Opens the database, waiting up to `open_wait` while its lock is held. Between two attempts nothing
/// is touched as long as the named owner lives: an attempt renames RocksDB's `LOG`.
fn open_within(path: &Path, cache: &Cache, options: &RocksOptions) -> Result<DB> {
    let deadline = Instant::now() + options.open_wait;
    loop {
        let families = families(cache, options.memtable_bytes);
        let held = match DB::open_cf_descriptors(&database_options(), path, families) {
            Ok(db) => return Ok(db),
            Err(error) if is_lock_held(error.as_ref()) => error,
            Err(error) => return Err(cannot_open(path, error)),
        };
        if Instant::now() >= deadline {
            return Err(locked(path, held.as_ref()));
        }
        thread::sleep(OPEN_POLL);
        while Instant::now() < deadline && Owner::of(path).is_some_and(|owner| owner.is_alive()) {
            thread::sleep(OPEN_POLL);
        }
    }
}

/// RocksDB's two refusals: another process has the lock (`While lock file`), or this one has
/// (`lock hold by current process`).
fn is_lock_held(message: &str) -> bool {
    message.contains("While lock file") || message.contains("lock hold by current process")
}

fn locked(path: &Path, message: &str) -> Error {
    let shown = path.display();
    match Owner::of(path) {
        Some(owner) => Error::Locked(format!(
            "{shown} is in use by process {} on host {}; stop it, or let it do the work",
            owner.pid, owner.host
        )),
        None => Error::Locked(format!("{shown} is in use by a process that left no name ({message})")),
    }
}

fn cannot_open(path: &Path, error: rocksdb::Error) -> Error {
    let message = error.as_ref();
    if message.contains("olumn families not opened") {
        return Error::Incompatible(format!(
            "{} has families this version does not know; open it with the version that wrote it ({message})",
            path.display()
        ));
    }
    match from_rocks(error) {
        Error::Storage(message) => unusable(path, &message),
        other => other,
    }
}

fn unusable(path: &Path, message: &str) -> Error {
    Error::Storage(format!("cannot open {}: {message}", path.display()))
}

/// One error kind of ours for each of RocksDB's; its text stays, since it names the file.
fn from_rocks(error: rocksdb::Error) -> Error {
    let kind = error.kind();
    let message = error.into_string();
    match kind {
        ErrorKind::Incomplete | ErrorKind::Busy | ErrorKind::TryAgain | ErrorKind::TimedOut => {
            Error::Busy(format!("the store is catching up with its writes; repeat the call ({message})"))
        }
        ErrorKind::Corruption => Error::Corrupt(message),
        _ => Error::Storage(with_advice(&message)),
    }
}

/// The message of a file system error, led by what an operator should do about it if that is known.
fn with_advice(message: &str) -> String {
    const ADVICE: [(&str, &str); 5] = [
        ("No space left on device", "the disk is full; free space and reopen"),
        ("Disk quota exceeded", "the disk quota is used up; raise it or free space and reopen"),
        ("File too large", "a file may not grow any further; raise the file size limit and reopen"),
        ("Read-only file system", "the file system is mounted read-only; mount it writable"),
        ("Permission denied", "no permission to write; give the directory to the user of this process"),
    ];
    match ADVICE.iter().find(|(sign, _)| message.contains(sign)) {
        Some((_, advice)) => format!("{advice} ({message})"),
        None => message.to_owned(),
    }
}

/// Every write is in the journal before the answer and never waits for the disk: fsync is the
/// durability thread's, and push-back is an error (`Busy`) rather than a stall, because a scan can
/// be answered unrecorded but must not hang. All writers use the same options: RocksDB groups
/// waiting writers only when they agree.
fn write_options() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_no_slowdown(true);
    options
}

/// Compactions take seconds of processor time and nobody waits for them: on a machine without a
/// spare core they must not take turns with the loop. Flushes keep their priority, since writers
/// run out of memtables without them. Holds for the whole process; doing it again changes nothing.
fn lower_compaction_priority() -> Result<()> {
    let mut threads = Env::new().map_err(from_rocks)?;
    threads.lower_thread_pool_cpu_priority();
    Ok(())
}

/// Options of the database as a whole.
fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // A torn tail is the normal end of a journal whose writer was killed: replay stops there. A
    // hole in the middle also stops it, so the result is always a prefix of what was written.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    // Replay runs before the first answer; this bounds it.
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    // What the memtables of `record_family` and `append_family` ask for.
    options.set_allow_concurrent_memtable_write(false);
    // One flush and one compaction beside the loop and the engine: what two cores carry.
    options.set_max_background_jobs(2);
    // Compaction output goes to disk in small steps, so that the journal's fsync does not queue
    // behind seconds of dirty pages.
    options.set_bytes_per_sync(1 << 20);
    // Obsolete files are unlinked by the background threads, never by a writer or a reader.
    options.set_avoid_unnecessary_blocking_io(true);
    // Opening reads no table properties and later no thread wakes up to dump statistics.
    options.set_skip_stats_update_on_db_open(true);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    // RocksDB's own log: a few small files instead of a thousand.
    options.set_keep_log_file_num(5);
    options.set_max_log_file_size(16 << 20);
    options
}

fn families(cache: &Cache, memtable_bytes: usize) -> Vec<ColumnFamilyDescriptor> {
    let describe = |family: Family| {
        let mut options = match family {
            Family::Scan => record_family(memtable_bytes),
            Family::Event => append_family(memtable_bytes),
            _ => quiet_family(memtable_bytes / QUIET_PART),
        };
        let mut table = table_options(cache);
        match family {
            Family::Scan | Family::Redeem | Family::Link | Family::Alias | Family::Applied => {
                add_point_filter(&mut table);
            }
            Family::Meta | Family::Order | Family::Ledger | Family::Event => {}
        }
        options.set_block_based_table_factory(&table);
        ColumnFamilyDescriptor::new(family.name(), options)
    };
    Family::ALL.into_iter().map(describe).collect()
}

/// The records, which every scan reads and writes one at a time. Their memtable is a hash table:
/// inserting a random key into a skip list misses the processor's caches at every level, which
/// costs more than the rest of the write, and a hash table also answers a get, present or absent,
/// in one step. The price: a walk sorts the memtable first, and threads cannot insert at the same
/// time, which the journal they share keeps them from anyway.
fn record_family(memtable_bytes: usize) -> Options {
    let mut options = family_options(memtable_bytes);
    // The bucket of a record is chosen by its whole key.
    options.set_prefix_extractor(SliceTransform::create_noop());
    options.set_memtable_factory(MemtableFactory::HashLinkList {
        bucket_count: memtable_bytes / BYTES_PER_BUCKET,
    });
    options
}

/// The events: appended by every scan, read once in order, deleted by range, never asked for by
/// key. Their memtable is a plain list that is sorted when somebody walks it or it is flushed, so
/// walk once over all stripes rather than once per stripe. Sorted runs are merged lazily
/// (universal): leveled compaction would rewrite every event some ten times.
fn append_family(memtable_bytes: usize) -> Options {
    let mut options = family_options(memtable_bytes);
    options.set_memtable_factory(MemtableFactory::Vector);
    options.set_compaction_style(DBCompactionStyle::Universal);
    options.set_level_zero_file_num_compaction_trigger(EVENT_RUNS);
    options
}

/// Families that commands write: a skip list, and a filter over whole keys of 2 % of the memtable,
/// since most questions (has this event id been applied? is this text an alias?) are answered no.
fn quiet_family(memtable_bytes: usize) -> Options {
    let mut options = family_options(memtable_bytes);
    options.set_memtable_whole_key_filtering(true);
    options.set_memtable_prefix_bloom_ratio(0.02);
    options
}

/// For families asked for one key at a time, most of which are absent: the first scan of a code is
/// the common case and must not read a block.
fn add_point_filter(table: &mut BlockBasedOptions) {
    // 10 bits per key: one absent key in a hundred costs a block read.
    table.set_bloom_filter(10.0, false);
    table.set_whole_key_filtering(true);
    // A hash table per block instead of a binary search over keys that share their first bytes.
    table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    table.set_data_block_hash_ratio(0.75);
}

fn table_options(cache: &Cache) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    // Small blocks: a random record costs one page of disk and of decompression.
    table.set_block_size(4 << 10);
    table.set_format_version(6);
    table.set_index_type(BlockBasedIndexType::BinarySearch);
    // Filters and indexes live inside the cache's bound, so memory stays what was configured, but
    // pinned, so that a look-up finds them without asking the cache.
    table.set_cache_index_and_filter_blocks(true);
    table.set_unpartitioned_pinning_tier(BlockBasedTablePinningTier::All);
    table
}

fn family_options(memtable_bytes: usize) -> Options {
    let mut options = Options::default();
    options.set_write_buffer_size(memtable_bytes);
    // Seven memtables may wait for their flush before a write is refused: seconds of full load, for
    // when others keep the flush from the processor.
    options.set_max_write_buffer_number(8);
    // Fresh tables are soon rewritten: compressing them costs more than it saves.
    options.set_compression_per_level(&[
        DBCompressionType::None,
        DBCompressionType::None,
        DBCompressionType::Lz4,
        DBCompressionType::Lz4,
        DBCompressionType::Lz4,
        DBCompressionType::Lz4,
        DBCompressionType::Lz4,
    ]);
    // A record is looked for in every table of level 0, and each merge of level 0 rewrites level 1:
    // six tables balance the two, with a level 1 of the same size.
    options.set_level_zero_file_num_compaction_trigger(LEVEL_0_TABLES);
    options.set_max_bytes_for_level_base(memtable_bytes as u64 * LEVEL_0_TABLES as u64);
    // With no_slowdown a slow-down is a refusal. Looking through many tables is slow, but their
    // filters make it bearable, and it is better than not recording: refusing starts late.
    options.set_level_zero_slowdown_writes_trigger(256);
    options.set_level_zero_stop_writes_trigger(320);
    options
}
