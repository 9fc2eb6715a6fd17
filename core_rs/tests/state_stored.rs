//! Stored state of released versions stays readable, and damaged state is refused by name.
//! Method: golden entries of version 1, written by one fixed story.

use imp_core::code::Face;
use imp_core::error::Error;
use imp_core::state::{Loader, Snapshot};
use serde_json::json;
use state_support::{World, change, describe, golden, issue, open_key_space};

mod state_support;

/// One of everything that is stored.
fn story() -> World {
    let mut world = World::furnished();
    world.apply(json!({
        "command": "set_product", "product": "tea", "name": "茶", "name_en": "Tea", "brand": "牌",
        "gtin": "6901028075831", "link": "https://acme.example/tea", "recall_instructions": "退回",
    }));
    world.apply(open_key_space("foreign", 1, "single", &[]));
    world.apply(json!({
        "command": "import_aliases", "order": "i", "series": "foreign", "texts": ["E2801160", "04A1B2"],
        "fold_case": true,
    }));
    let mut order = issue("o", 2_000);
    order["word_list"] = json!(1);
    order["expires_at_us"] = json!(9_000_000_000_000_000i64);
    world.apply(order);
    world.apply(change("activate", json!({"order": "o"})));
    world.apply(change("void", json!({"order": "o", "first": 100, "count": 50})));
    world.apply(change("freeze", json!({"order": "o"})));
    world.apply(json!({
        "command": "recall", "scope": {"order": "o", "first": 120, "count": 5}, "reason": "glass",
        "instructions": "Do not open.",
    }));
    world.apply(issue("spare", 1));
    let (old, new) = (world.code("o", 0, Face::Outer), world.code("spare", 0, Face::Inner));
    world.apply(json!({"command": "replace", "old": [old], "new": [new], "reason": "torn"}));
    world
}

fn load(world: &World, entries: &[(Vec<u8>, Vec<u8>)]) -> Result<Snapshot, Error> {
    let mut loader = Loader::default();
    for (key, value) in entries {
        loader.entry(key, value, &world.keyring)?;
    }
    Ok(loader.finish())
}

fn entries(world: &World) -> Vec<(Vec<u8>, Vec<u8>)> {
    world.entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[test]
fn version_1_entries_never_change_and_still_load() {
    let world = story();
    for (name, now) in [("order", &world.entries), ("alias", &world.aliases), ("link", &world.links)] {
        let now: Vec<Vec<u8>> = now.iter().flat_map(|(key, value)| [key.clone(), value.clone()]).collect();
        assert_eq!(golden(name, &now), now, "{name}");
    }
    let stored = golden("order", &[]);
    let pairs: Vec<_> = stored.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    assert_eq!(describe(&load(&world, &pairs).unwrap()), describe(&world.snapshot));
}

#[test]
fn newer_entries_are_incompatible_and_cut_ones_corrupt() {
    let world = story();
    let whole = entries(&world);
    for index in 0..whole.len() {
        let mut newer = whole.clone();
        newer[index].1[0] = 2;
        assert!(matches!(load(&world, &newer), Err(Error::Incompatible(_))), "entry {index}");
        let mut cut = whole.clone();
        cut[index].1.truncate(8);
        assert!(matches!(load(&world, &cut), Err(Error::Corrupt(_))), "entry {index}");
    }
    let mut unknown = whole;
    unknown.push((vec![9, 0, 0, 0, 0], vec![1, 0, 0, 0, 0]));
    assert!(matches!(load(&world, &unknown), Err(Error::Incompatible(_))));
}

#[test]
fn an_entry_that_others_refer_to_cannot_be_missing() {
    let world = story();
    let whole = entries(&world);
    // Snapshot number, sets and holds may be absent; tenant, domain, key space and order may not.
    for missing in (0..whole.len()).filter(|index| matches!(whole[*index].0[0], 2 | 3 | 5 | 6)) {
        let mut entries = whole.clone();
        let (key, _) = entries.remove(missing);
        assert!(matches!(load(&world, &entries), Err(Error::Corrupt(_))), "key {key:?}");
    }
}

#[test]
fn an_empty_store_is_an_empty_snapshot() {
    assert_eq!(describe(&Loader::default().finish()), describe(&Snapshot::default()));
}
