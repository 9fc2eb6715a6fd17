//! Says in memory that a text is surely no alias, so that ordinary scans never ask the store for one.

use std::sync::atomic::{AtomicU64, Ordering};

const PROBES: u32 = 6;
const BITS_PER_TEXT: usize = 12;
const TEXTS_MIN: usize = 1 << 12;

/// A Bloom filter over XXH3-128 values: about 0.4 % of other texts pass when filled to its capacity.
/// Grows by being rebuilt with twice the capacity.
pub struct AliasFilter {
    words: Box<[AtomicU64]>,
    capacity: usize,
    len: AtomicU64,
}

impl AliasFilter {
    /// A filter for at least `texts` texts: 12 bits each.
    pub fn with_capacity(texts: usize) -> Self {
        let capacity = texts.max(TEXTS_MIN).next_power_of_two();
        let words = (0..capacity * BITS_PER_TEXT / 64).map(|_| AtomicU64::new(0)).collect();
        Self { words, capacity, len: AtomicU64::new(0) }
    }

    /// Whether `more` further texts still fit.
    pub fn has_room(&self, more: usize) -> bool {
        self.len.load(Ordering::Relaxed) as usize + more <= self.capacity
    }

    /// Texts added so far.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed) as usize
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Add a text by its hash.
    pub fn insert(&self, hash: u128) {
        for (word, bit) in self.places(hash) {
            self.words[word].fetch_or(bit, Ordering::Relaxed);
        }
        self.len.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the text may have been added; false is certain.
    pub fn may_contain(&self, hash: u128) -> bool {
        !self.is_empty()
            && self.places(hash).all(|(word, bit)| self.words[word].load(Ordering::Relaxed) & bit != 0)
    }

    /// Double hashing (Kirsch and Mitzenmacher, 2006) over the two halves of the hash.
    fn places(&self, hash: u128) -> impl Iterator<Item = (usize, u64)> {
        let bits = (self.words.len() * 64) as u64;
        let (first, step) = (hash as u64, (hash >> 64) as u64 | 1);
        (0..u64::from(PROBES)).map(move |i| {
            let place = first.wrapping_add(step.wrapping_mul(i)) % bits;
            ((place / 64) as usize, 1 << (place % 64))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::alias_hash;

    #[test]
    fn every_added_text_passes_and_few_others_do() {
        let filter = AliasFilter::with_capacity(10_000);
        assert!(!filter.may_contain(alias_hash(b"x")), "an empty filter passes nothing");
        for i in 0..10_000u32 {
            filter.insert(alias_hash(&i.to_be_bytes()));
        }
        assert!((0..10_000u32).all(|i| filter.may_contain(alias_hash(&i.to_be_bytes()))));
        let passed =
            (10_000..110_000u32).filter(|i| filter.may_contain(alias_hash(&i.to_be_bytes()))).count();
        assert!(passed < 1_000, "{passed} of 100,000 strangers passed");
    }
}
