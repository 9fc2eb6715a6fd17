//! Collections that a snapshot and its successor share, all but the little that changed.

use std::collections::HashMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

const CHUNK: usize = 256;
const BUCKETS: usize = 256;

/// Values by dense number. A clone is one reference; a change copies one chunk of references.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    chunks: Arc<Vec<Arc<Vec<Arc<T>>>>>,
    len: u32,
}

impl<T> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

impl<T> Shelf<T> {
    /// Number of values, and the number the next one gets.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn get(&self, number: u32) -> Option<&Arc<T>> {
        let number = number as usize;
        self.chunks.get(number / CHUNK)?.get(number % CHUNK)
    }

    pub(super) fn push(&mut self, value: Arc<T>) {
        let chunks = Arc::make_mut(&mut self.chunks);
        match chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).push(value),
            None => chunks.push(Arc::new(vec![value])),
        }
        self.len += 1;
    }

    /// Put another value in the place of one that is there.
    pub(super) fn set(&mut self, number: u32, value: Arc<T>) {
        let number = number as usize;
        let chunk = &mut Arc::make_mut(&mut self.chunks)[number / CHUNK];
        Arc::make_mut(chunk)[number % CHUNK] = value;
    }

    /// Change a value: in place when nobody else has it, as while loading, else a copy.
    pub(super) fn change(&mut self, number: u32, change: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        let number = number as usize;
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(number / CHUNK) else { return };
        if let Some(value) = Arc::make_mut(chunk).get_mut(number % CHUNK) {
            change(Arc::make_mut(value));
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<T>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

type Bucket = Arc<HashMap<Box<str>, u32>>;

/// Numbers by name. A clone is one reference; a new name copies one of 256 buckets.
#[derive(Debug, Clone)]
pub(super) struct Names {
    buckets: Arc<Vec<Bucket>>,
}

impl Default for Names {
    fn default() -> Self {
        Self { buckets: Arc::new(vec![Arc::default(); BUCKETS]) }
    }
}

impl Names {
    pub(super) fn get(&self, name: &str) -> Option<u32> {
        self.buckets[bucket_of(name)].get(name).copied()
    }

    pub(super) fn insert(&mut self, name: &str, number: u32) {
        let bucket = &mut Arc::make_mut(&mut self.buckets)[bucket_of(name)];
        Arc::make_mut(bucket).insert(name.into(), number);
    }
}

fn bucket_of(name: &str) -> usize {
    xxh3_64(name.as_bytes()) as usize % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut shelf = Shelf::default();
        let mut names = Names::default();
        for number in 0..1_000u32 {
            shelf.push(Arc::new(number));
            names.insert(&number.to_string(), number);
        }
        let (before, names_before) = (shelf.clone(), names.clone());
        shelf.set(300, Arc::new(7));
        shelf.change(301, |value| *value += 1_000);
        shelf.push(Arc::new(8));
        names.insert("more", 1_000);
        assert_eq!((shelf.len(), before.len()), (1_001, 1_000));
        assert_eq!((shelf.get(300), shelf.get(301)), (Some(&Arc::new(7)), Some(&Arc::new(1_301))));
        assert_eq!(before.get(1_000), None);
        assert!(before.iter().map(|value| **value).eq(0..1_000));
        assert_eq!((names.get("more"), names_before.get("more")), (Some(1_000), None));
        assert_eq!(names_before.get("999"), Some(999));
    }
}
