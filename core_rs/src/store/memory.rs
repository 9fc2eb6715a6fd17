//! The store without a disk: for tests, models and engines that may be thrown away.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, RwLock};

use super::{Batch, Family, Operation, Store};
use crate::error::{Error, Result};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A [`Store`] in memory. Nothing survives the process, so a flush has nothing to do.
///
/// Faults can be planted to see how a caller behaves: errors for the next writes or flushes, and
/// a gate that holds flushes back.
#[derive(Default)]
pub struct MemoryStore {
    state: RwLock<State>,
    faults: Mutex<Faults>,
    gate_opened: Condvar,
}

#[derive(Default)]
struct State {
    /// Iteration clones the `Arc`, so it sees one point in time while writes go on.
    families: [Arc<Map>; Family::ALL.len()],
    sequence: u64,
}

#[derive(Default)]
struct Faults {
    writes: VecDeque<Error>,
    flushes: VecDeque<Error>,
    flushes_held: bool,
    flush_count: u64,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next write not yet spoken for fail with `error` and change nothing.
    pub fn fail_next_write(&self, error: Error) {
        self.faults.lock().writes.push_back(error);
    }

    /// Makes the next flush not yet spoken for fail with `error`.
    pub fn fail_next_flush(&self, error: Error) {
        self.faults.lock().flushes.push_back(error);
    }

    /// Holds every flush inside [`Store::flush_wal`] until called with `false`.
    pub fn hold_flushes(&self, held: bool) {
        self.faults.lock().flushes_held = held;
        self.gate_opened.notify_all();
    }

    /// Number of flushes begun.
    #[must_use]
    pub fn flush_count(&self) -> u64 {
        self.faults.lock().flush_count
    }

    fn snapshot(&self, family: Family) -> Arc<Map> {
        Arc::clone(&self.state.read().families[family as usize])
    }
}

impl Store for MemoryStore {
    fn get(&self, family: Family, key: &[u8], into: &mut Vec<u8>) -> Result<bool> {
        into.clear();
        let state = self.state.read();
        let Some(value) = state.families[family as usize].get(key) else { return Ok(false) };
        into.extend_from_slice(value);
        Ok(true)
    }

    fn write(&self, batch: &Batch) -> Result<()> {
        if let Some(error) = self.faults.lock().writes.pop_front() {
            return Err(error);
        }
        let mut state = self.state.write();
        for operation in batch.operations() {
            apply(&mut state.families, operation);
        }
        state.sequence += batch.len() as u64;
        Ok(())
    }

    fn for_each(
        &self,
        family: Family,
        from: &[u8],
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<()> {
        let map = self.snapshot(family);
        for (key, value) in map.range::<[u8], _>((Bound::Included(from.max(prefix)), Bound::Unbounded)) {
            if !key.starts_with(prefix) || !visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn last_keys(&self, family: Family, prefixes: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        let map = self.snapshot(family);
        let last = |prefix: &&[u8]| {
            let end = super::prefix_end(prefix);
            let upper = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let last = map.range::<[u8], _>((Bound::Unbounded, upper)).next_back();
            last.map(|(key, _)| key.clone()).filter(|key| key.starts_with(prefix))
        };
        Ok(prefixes.iter().map(last).collect())
    }

    fn latest_sequence(&self) -> u64 {
        self.state.read().sequence
    }

    fn flush_wal(&self) -> Result<()> {
        let mut faults = self.faults.lock();
        faults.flush_count += 1;
        while faults.flushes_held {
            self.gate_opened.wait(&mut faults);
        }
        faults.flushes.pop_front().map_or(Ok(()), Err)
    }

    fn checkpoint(&self, _to: &Path) -> Result<()> {
        Err(Error::invalid("store", "a store in memory cannot be copied to disk; use one with a directory"))
    }

    fn gauges(&self) -> Vec<(&'static str, u64)> {
        let state = self.state.read();
        vec![
            ("scan_keys", state.families[Family::Scan as usize].len() as u64),
            ("event_keys", state.families[Family::Event as usize].len() as u64),
        ]
    }
}

fn apply(families: &mut [Arc<Map>; Family::ALL.len()], operation: Operation<'_>) {
    match operation {
        Operation::Put(family, key, value) => {
            Arc::make_mut(&mut families[family as usize]).insert(key.to_vec(), value.to_vec());
        }
        Operation::Delete(family, key) => {
            Arc::make_mut(&mut families[family as usize]).remove(key);
        }
        Operation::DeleteRange(family, from, to) => {
            let map = Arc::make_mut(&mut families[family as usize]);
            let doomed: Vec<Vec<u8>> = map
                .range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
                .map(|(key, _)| key.clone())
                .collect();
            for key in doomed {
                map.remove(&key);
            }
        }
    }
}
