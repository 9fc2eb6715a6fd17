//! Sets of items of one order.
//!
//! Most sets an order ever has are nothing, everything or a few ranges: `None`, `All` and roaring's run
//! containers hold those in a handful of bytes, scattered exceptions in at most two bytes or one bit per item.

use crate::error::{Error, Result};
use roaring::RoaringBitmap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The items an order has: indices (serial − the order's first serial) below `span`, without the skipped ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Extent {
    span: u32,
    skipped: RoaringBitmap,
}

impl Extent {
    /// `count` items without gaps.
    #[must_use]
    pub fn dense(count: u32) -> Self {
        Self { span: count, skipped: RoaringBitmap::new() }
    }

    /// Indices below `span` but for `skipped`, all of which must be below `span`.
    #[must_use]
    pub fn with_skipped(span: u32, skipped: RoaringBitmap) -> Option<Self> {
        let fits = skipped.max().is_none_or(|max| max < span);
        fits.then_some(Self { span, skipped })
    }

    /// Indices and gaps together: how many serials the order takes.
    #[must_use]
    pub fn span(&self) -> u32 {
        self.span
    }

    /// Serials that belong to no item, as indices.
    #[must_use]
    pub fn skipped(&self) -> &RoaringBitmap {
        &self.skipped
    }

    /// Items.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.span - self.skipped.len() as u32
    }

    /// Whether an item has this index.
    #[must_use]
    pub fn contains(&self, index: u32) -> bool {
        index < self.span && !self.skipped.contains(index)
    }

    /// Index of the item at a 0-based position among the items.
    #[must_use]
    pub fn index_of(&self, position: u32) -> Option<u32> {
        if position >= self.count() {
            return None;
        }
        // The least index that has `position` items before it and is one itself; gaps only push it up.
        let (mut low, mut high) = (position, position + self.skipped.len() as u32);
        while low < high {
            let middle = low + (high - low) / 2;
            let items_up_to_middle = u64::from(middle) + 1 - self.skipped.rank(middle);
            if items_up_to_middle > u64::from(position) { high = middle } else { low = middle + 1 }
        }
        Some(low)
    }

    /// The items at positions `first .. first + count`; `None` unless all of them exist and there is one.
    #[must_use]
    pub fn range(&self, first: u32, count: u32) -> Option<ItemSet> {
        let last = first.checked_add(count.checked_sub(1)?)?;
        let (start, end) = (self.index_of(first)?, self.index_of(last)?);
        let mut items = RoaringBitmap::new();
        items.insert_range(start..=end);
        items -= &self.skipped;
        Some(self.set(items))
    }

    /// The set of these items, which must all be of this extent.
    #[must_use]
    pub fn set(&self, mut items: RoaringBitmap) -> ItemSet {
        if items.is_empty() {
            return ItemSet::None;
        }
        if items.len() == u64::from(self.count()) {
            return ItemSet::All;
        }
        items.optimize();
        ItemSet::Some(Arc::new(items))
    }

    fn all(&self) -> RoaringBitmap {
        let mut items = RoaringBitmap::new();
        items.insert_range(0..self.span);
        items -= &self.skipped;
        items
    }
}

/// A set of items of one [`Extent`]. Cheap to clone. Equal sets are equal values: `Some` is neither empty nor
/// everything.
#[derive(Debug, Clone, Default)]
pub enum ItemSet {
    /// No item.
    #[default]
    None,
    /// Every item.
    All,
    /// These.
    Some(Arc<RoaringBitmap>),
}

impl PartialEq for ItemSet {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) | (Self::All, Self::All) => true,
            (Self::Some(a), Self::Some(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

const TAG_NONE: u8 = 0;
const TAG_ALL: u8 = 1;
const TAG_SOME: u8 = 2;

impl ItemSet {
    /// Whether no item is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether the item is in it. `index` must be an item of the extent.
    #[must_use]
    pub fn contains(&self, index: u32) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(items) => items.contains(index),
        }
    }

    /// Items in it.
    #[must_use]
    pub fn count(&self, extent: &Extent) -> u64 {
        match self {
            Self::None => 0,
            Self::All => u64::from(extent.count()),
            Self::Some(items) => items.len(),
        }
    }

    /// Items in both.
    #[must_use]
    pub fn common_count(&self, other: &Self, extent: &Extent) -> u64 {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => 0,
            (Self::All, set) | (set, Self::All) => set.count(extent),
            (Self::Some(a), Self::Some(b)) => a.intersection_len(b),
        }
    }

    /// Items in either.
    #[must_use]
    pub fn union(&self, other: &Self, extent: &Extent) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, set) | (set, Self::None) => set.clone(),
            (Self::Some(a), Self::Some(b)) => extent.set(a.as_ref() | b.as_ref()),
        }
    }

    /// Items in this one but not in the other.
    #[must_use]
    pub fn minus(&self, other: &Self, extent: &Extent) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::All) => Self::None,
            (set, Self::None) => set.clone(),
            (Self::All, Self::Some(b)) => extent.set(extent.all() - b.as_ref()),
            (Self::Some(a), Self::Some(b)) => extent.set(a.as_ref() - b.as_ref()),
        }
    }

    /// Items in both.
    #[must_use]
    pub fn intersection(&self, other: &Self, extent: &Extent) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, set) | (set, Self::All) => set.clone(),
            (Self::Some(a), Self::Some(b)) => extent.set(a.as_ref() & b.as_ref()),
        }
    }

    /// The items' indices as maximal ranges, ascending.
    pub fn ranges(&self, extent: &Extent) -> impl Iterator<Item = RangeInclusive<u32>> {
        let items = match self {
            Self::None => RoaringBitmap::new(),
            Self::All => extent.all(),
            Self::Some(items) => items.as_ref().clone(),
        };
        let mut iter = items.into_iter();
        let mut pending: Option<RangeInclusive<u32>> = None;
        // Containers end at multiples of 65,536; ranges that go on behind such a border are one.
        std::iter::from_fn(move || {
            loop {
                match (pending.take(), iter.next_range()) {
                    (Some(left), Some(right)) if left.end() + 1 == *right.start() => {
                        pending = Some(*left.start()..=*right.end());
                    }
                    (Some(left), right) => {
                        pending = right;
                        return Some(left);
                    }
                    (None, None) => return None,
                    (None, right) => pending = right,
                }
            }
        })
    }

    /// Stored form: a tag (0 none, 1 all, 2 some), then for "some" the portable roaring serialisation
    /// (<https://github.com/RoaringBitmap/RoaringFormatSpec>).
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => out.push(TAG_NONE),
            Self::All => out.push(TAG_ALL),
            Self::Some(items) => {
                out.push(TAG_SOME);
                write_bitmap(items, out);
            }
        }
    }

    /// Reads what [`Self::encode`] wrote for the same extent.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for anything else, such as items outside the extent.
    pub fn decode(bytes: &[u8], extent: &Extent) -> Result<Self> {
        let corrupt = || Error::Corrupt("item set".into());
        match bytes {
            [TAG_NONE] => Ok(Self::None),
            [TAG_ALL] => Ok(Self::All),
            [TAG_SOME, rest @ ..] => {
                let items = read_bitmap(rest)?;
                let fits =
                    items.max().is_some_and(|max| max < extent.span) && items.is_disjoint(&extent.skipped);
                if fits { Ok(extent.set(items)) } else { Err(corrupt()) }
            }
            _ => Err(corrupt()),
        }
    }
}

/// Append the portable roaring serialisation.
pub(super) fn write_bitmap(items: &RoaringBitmap, out: &mut Vec<u8>) {
    out.reserve(items.serialized_size());
    items.serialize_into(out).expect("writing to a Vec does not fail");
}

/// Read the portable roaring serialisation; trailing bytes are an error.
pub(super) fn read_bitmap(mut bytes: &[u8]) -> Result<RoaringBitmap> {
    let bitmap =
        RoaringBitmap::deserialize_from(&mut bytes).map_err(|e| Error::Corrupt(format!("item set: {e}")))?;
    if bytes.is_empty() { Ok(bitmap) } else { Err(Error::Corrupt("item set: trailing bytes".into())) }
}
