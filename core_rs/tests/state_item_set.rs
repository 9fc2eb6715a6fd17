//! Item sets are sets. Method: every operation on random sets of random extents against `BTreeSet`.

use imp_core::state::{Extent, ItemSet};
use proptest::prelude::*;
use roaring::RoaringBitmap;
use std::collections::BTreeSet;

/// An extent and three subsets of it, among them empty and full ones.
fn extent_and_sets() -> impl Strategy<Value = (Extent, BTreeSet<u32>, [BTreeSet<u32>; 2])> {
    let span = prop_oneof![1u32..40, 65_500u32..65_580, 131_000u32..131_100];
    (span, prop::collection::btree_set(0u32..131_100, 0..6), any::<[(u8, u64); 2]>()).prop_map(
        |(span, skipped, kinds)| {
            let skipped: BTreeSet<u32> = skipped.into_iter().map(|index| index % span).collect();
            let items: BTreeSet<u32> = (0..span).filter(|index| !skipped.contains(index)).collect();
            let subset = |(kind, seed): (u8, u64)| -> BTreeSet<u32> {
                let chosen = |index: u32| match kind % 5 {
                    0 => false,
                    1 => true,
                    2 => u64::from(index) >= seed % u64::from(span),
                    3 => (u64::from(index) ^ seed) % 3 == 0,
                    _ => u64::from(index) != seed % u64::from(span),
                };
                items.iter().copied().filter(|index| chosen(*index)).collect()
            };
            let sets = kinds.map(subset);
            (Extent::with_skipped(span, skipped.iter().copied().collect()).unwrap(), items, sets)
        },
    )
}

fn made(extent: &Extent, items: &BTreeSet<u32>) -> ItemSet {
    extent.set(items.iter().copied().collect::<RoaringBitmap>())
}

fn expanded(extent: &Extent, items: &ItemSet) -> BTreeSet<u32> {
    let ranges: Vec<_> = items.ranges(extent).collect();
    assert!(ranges.windows(2).all(|pair| pair[0].end() + 1 < *pair[1].start()), "ranges are maximal");
    ranges.into_iter().flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn operations_agree_with_plain_sets((extent, items, [a, b]) in extent_and_sets()) {
        let (set_a, set_b) = (made(&extent, &a), made(&extent, &b));
        prop_assert_eq!(extent.count() as usize, items.len());
        for (result, expected) in [
            (set_a.union(&set_b, &extent), a.union(&b).copied().collect::<BTreeSet<u32>>()),
            (set_a.minus(&set_b, &extent), a.difference(&b).copied().collect()),
            (set_a.intersection(&set_b, &extent), a.intersection(&b).copied().collect()),
        ] {
            prop_assert_eq!(&result, &made(&extent, &expected), "equal sets are equal values");
            prop_assert_eq!(result.count(&extent) as usize, expected.len());
            prop_assert_eq!(result.is_empty(), expected.is_empty());
            prop_assert!(expected.iter().take(50).all(|index| result.contains(*index)));
            prop_assert!(items.difference(&expected).take(50).all(|index| !result.contains(*index)));
            let mut stored = Vec::new();
            result.encode(&mut stored);
            prop_assert_eq!(&ItemSet::decode(&stored, &extent).unwrap(), &result);
            prop_assert_eq!(expanded(&extent, &result), expected);
        }
        prop_assert_eq!(set_a.common_count(&set_b, &extent) as usize, a.intersection(&b).count());
    }

    #[test]
    fn positions_count_items_without_gaps((extent, items, _) in extent_and_sets()) {
        for (position, index) in items.iter().enumerate().step_by(items.len() / 20 + 1) {
            prop_assert_eq!(extent.index_of(position as u32), Some(*index));
        }
        prop_assert_eq!(extent.index_of(extent.count()), None);
        let half = extent.count() / 2;
        let upper: BTreeSet<u32> = items.iter().copied().skip(half as usize).collect();
        match extent.range(half, extent.count() - half) {
            Some(range) => prop_assert_eq!(expanded(&extent, &range), upper),
            None => prop_assert_eq!(upper.len(), 0),
        }
        prop_assert_eq!(extent.range(half, extent.count() - half + 1), None);
        prop_assert_eq!(extent.range(0, 0), None);
        prop_assert_eq!(extent.range(u32::MAX, u32::MAX), None);
    }

    #[test]
    fn any_stored_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = ItemSet::decode(&bytes, &Extent::dense(100));
    }
}

#[test]
fn items_outside_the_extent_are_corrupt() {
    let mut stored = Vec::new();
    Extent::dense(100).set([99].into_iter().collect()).encode(&mut stored);
    assert!(ItemSet::decode(&stored, &Extent::dense(100)).is_ok());
    assert!(ItemSet::decode(&stored, &Extent::dense(99)).is_err());
    let with_gap = Extent::with_skipped(100, [99].into_iter().collect()).unwrap();
    assert!(ItemSet::decode(&stored, &with_gap).is_err());
    assert_eq!(Extent::with_skipped(99, [99].into_iter().collect()), None);
}

#[test]
fn everything_and_ranges_of_twenty_million_take_a_few_kilobytes() {
    let extent = Extent::dense(20_000_000);
    for (items, bytes_max) in [(extent.range(0, 20_000_000), 1), (extent.range(1_000, 19_000_000), 8_192)] {
        let mut stored = Vec::new();
        items.unwrap().encode(&mut stored);
        assert!(stored.len() <= bytes_max, "{} bytes", stored.len());
    }
}
