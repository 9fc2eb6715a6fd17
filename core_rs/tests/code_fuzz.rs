//! The fuzz targets on the stable toolchain: seeds, random bytes, and seeds with random damage.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use targets::{TARGETS, Target};

const CASES_PER_TARGET: u32 = 10_000;

fn seeds((name, _): Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// One change of a seed.
#[derive(Debug, Clone)]
enum Damage {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
    Repeat(Index, Index),
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let len = bytes.len();
        match damage {
            Damage::Insert(at, byte) => bytes.insert(at.index(len + 1), *byte),
            _ if len == 0 => {}
            Damage::Replace(at, byte) => bytes[at.index(len)] = *byte,
            Damage::Remove(at) => drop(bytes.remove(at.index(len))),
            Damage::Cut(at) => bytes.truncate(at.index(len)),
            Damage::Repeat(from, to) => {
                let (from, to) = (from.index(len), to.index(len));
                bytes.extend_from_within(from.min(to)..from.max(to));
            }
        }
    }
    bytes
}

fn any_damage() -> impl Strategy<Value = Damage> {
    // Bytes that mean something to some parser are drawn as often as all others together.
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(&b"%/?&;,:=\"{}[]\\ -.0129aZ\0\xff"[..])];
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

#[test]
fn no_target_breaks_on_seeds_random_bytes_or_damaged_seeds() {
    for target in TARGETS {
        let (_, run) = target;
        let seeds = seeds(target);
        assert!(!seeds.is_empty());
        seeds.iter().for_each(|seed| run(seed));
        let damaged_seed = (prop::sample::select(seeds), prop::collection::vec(any_damage(), 1..6))
            .prop_map(|(seed, damages)| damaged(seed, &damages));
        let input = prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..120), 4 => damaged_seed];
        let config = Config { cases: CASES_PER_TARGET, failure_persistence: None, ..Config::default() };
        TestRunner::new(config)
            .run(&input, |bytes| {
                run(&bytes);
                Ok(())
            })
            .unwrap_or_else(|failure| panic!("target {}: {failure}", target.0));
    }
}
