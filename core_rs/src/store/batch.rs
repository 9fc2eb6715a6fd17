//! A list of changes that is written whole or not at all.

use super::Family;

/// One change of a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Sets the value of a key.
    Put(Family, &'a [u8], &'a [u8]),
    /// Removes a key, present or not.
    Delete(Family, &'a [u8]),
    /// Removes every key from the first (included) to the second (excluded).
    DeleteRange(Family, &'a [u8], &'a [u8]),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Put,
    Delete,
    DeleteRange,
}

/// Where an operation's bytes lie in the arena: `first` then `second`, back to back.
#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: Kind,
    family: Family,
    start: usize,
    first_len: usize,
    second_len: usize,
}

/// An ordered list of changes across families, applied atomically by
/// [`Store::write`](super::Store::write). Later operations win over earlier ones.
///
/// All keys and values share one arena that [`Batch::clear`] keeps, so a batch that is reused
/// stops allocating after a few rounds.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    arena: Vec<u8>,
    entries: Vec<Entry>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all operations and keeps the memory for the next ones.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.entries.clear();
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.push(Kind::Put, family, key, value);
    }

    /// Removes `key`; it need not be present.
    pub fn delete(&mut self, family: Family, key: &[u8]) {
        self.push(Kind::Delete, family, key, &[]);
    }

    /// Removes every key in `from..to`; does nothing when `from` is not below `to`.
    pub fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        if from < to {
            self.push(Kind::DeleteRange, family, from, to);
        }
    }

    /// Number of operations; a write advances the store's sequence by as much.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all keys and values together.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.arena.len()
    }

    /// The operations in the order they were added.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.entries.iter().map(|entry| {
            let middle = entry.start + entry.first_len;
            let first = &self.arena[entry.start..middle];
            let second = &self.arena[middle..middle + entry.second_len];
            match entry.kind {
                Kind::Put => Operation::Put(entry.family, first, second),
                Kind::Delete => Operation::Delete(entry.family, first),
                Kind::DeleteRange => Operation::DeleteRange(entry.family, first, second),
            }
        })
    }

    fn push(&mut self, kind: Kind, family: Family, first: &[u8], second: &[u8]) {
        let start = self.arena.len();
        self.arena.extend_from_slice(first);
        self.arena.extend_from_slice(second);
        self.entries.push(Entry { kind, family, start, first_len: first.len(), second_len: second.len() });
    }
}
