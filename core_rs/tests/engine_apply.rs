//! What one command promises. Goal: applied once, in order, durable before it is shown, and the same after a
//! restart. Method: reports against a memory store with failures, and a real directory reopened.

mod engine_world;

use engine_world::{SECRET, World, on_both_stores};
use imp_core::engine::{Engine, EngineOptions};
use imp_core::error::Error;
use imp_core::ledger::{Frontier, leaf_hash};
use imp_core::scan::{Role, Verdict};
use imp_core::store::{Family, Store};
use serde_json::{Value, json};

fn status(world: &World) -> Value {
    serde_json::from_slice(&world.engine.status()).unwrap()
}

fn order(world: &World, name: &str) -> Value {
    serde_json::from_slice(&world.engine.order("brand", name).unwrap()).unwrap()
}

#[test]
fn a_known_event_id_returns_its_stored_report_and_changes_nothing() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 10, false);
        let seq = world.engine.last_seq("brand") + 1;
        let command = json!({"command": "activate", "scope": {"order": "o"}, "reason": "go"});
        let report = world.try_apply("again", seq, &command).unwrap();
        let leaves = status(world)["ledger_leaves"].clone();
        assert_eq!(world.try_apply("again", seq, &command).unwrap(), report);
        assert_eq!(world.try_apply("again", seq + 5, &command).unwrap(), report);
        assert_eq!(status(world)["ledger_leaves"], leaves);
    });
}

#[test]
fn a_gap_or_a_used_seq_is_an_error_and_stores_nothing() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        let last = world.engine.last_seq("brand");
        let command = json!({"command": "set_domain", "host": "d.example"});
        for seq in [0, last, last + 2, u64::MAX] {
            assert!(matches!(world.try_apply("gap", seq, &command), Err(Error::Conflict(_))), "{seq}");
        }
        assert_eq!(world.engine.last_seq("brand"), last);
        assert_eq!(world.engine.applied("brand", "gap").unwrap(), None);
    });
}

#[test]
fn a_refusal_is_a_stored_result_that_uses_its_seq_and_never_blocks_later_ones() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        let refused =
            world.apply(&json!({"command": "activate", "scope": {"order": "none"}, "reason": "go"}));
        assert_eq!((&refused["status"], &refused["reason"]), (&json!("refused"), &json!("unknown_order")));
        let unreadable = world.apply(&json!({"command": "explode"}));
        assert_eq!(unreadable["status"], "refused");
        world.issue("o", 10, true);
        assert_eq!(order(world, "o")["by_state"]["active"], 10);
    });
}

#[test]
fn a_preview_says_what_apply_will_say_and_stores_nothing() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 10, true);
        let command =
            json!({"command": "freeze", "scope": {"order": "o", "first": 2, "count": 3}, "reason": "x"});
        let text = serde_json::to_vec(&command).unwrap();
        let preview: Value =
            serde_json::from_slice(&world.engine.preview("brand", 0, &text).unwrap()).unwrap();
        assert_eq!(order(world, "o")["by_state"]["frozen"], 0);
        let report = world.must_apply(&command);
        for key in ["status", "changed", "already", "skipped", "by_state", "orders", "epoch"] {
            assert_eq!(preview[key], report[key], "{key}");
        }
    });
}

#[test]
fn nothing_is_shown_before_it_is_on_disk() {
    let (world, store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.issue("o", 1, false);
    let code = world.code("o", 0, "outer");
    store.hold_flushes(true);
    let command = json!({"command": "activate", "scope": {"order": "o"}, "reason": "go"});
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| world.must_apply(&command));
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(!waiting.is_finished(), "the answer waits for the flush");
        assert_eq!(world.scan(code.as_bytes(), 1).verdict, Verdict::Inactive, "and so does what scans see");
        store.hold_flushes(false);
        waiting.join().unwrap();
    });
    assert_eq!(world.scan(code.as_bytes(), 1).verdict, Verdict::Genuine);
}

#[test]
fn a_failed_flush_refuses_the_command_and_poisons() {
    let (world, store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    store.fail_next_flush(Error::Storage("input/output error".into()));
    let seq = world.engine.last_seq("brand") + 1;
    let command = json!({"command": "set_domain", "host": "d.example"});
    assert!(matches!(world.try_apply("lost", seq, &command), Err(Error::Poisoned(_))));
    assert!(world.engine.snapshot().domain_of_host(b"d.example").is_none());
    assert_eq!(status(&world)["ready"], false);
}

#[test]
fn everything_is_the_same_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::on_disk(directory.path()).unwrap();
    world.found_brand(&["outer", "inner"], "item");
    world.issue("o", 1_000, true);
    world.must_apply(
        &json!({"command": "void", "scope": {"order": "o", "first": 0, "count": 7}, "reason": "waste"}),
    );
    world.must_apply(
        &json!({"command": "freeze", "scope": {"order": "o", "first": 5, "count": 9}, "reason": "leak"}),
    );
    let code = world.code("o", 500, "inner");
    let first = world.scan(code.as_bytes(), 1);
    let (before, leaves) = (order(&world, "o"), status(&world));
    world.engine.stop().unwrap();
    drop(world);

    let world = World::on_disk(directory.path()).unwrap();
    assert_eq!(order(&world, "o"), before);
    for key in ["ledger_leaves", "ledger_root", "last_seqs", "codes_issued", "epoch"] {
        assert_eq!(status(&world)[key], leaves[key], "{key}");
    }
    let again = world.scan(code.as_bytes(), 2);
    assert_eq!((again.is_first, again.scans, again.first_at_us), (Some(false), Some(2), first.first_at_us));
}

#[test]
fn every_command_leaves_one_leaf_and_the_root_is_that_of_the_stored_leaves() {
    let (world, store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.issue("o", 10, true);
    world.apply(&json!({"command": "void", "scope": {"order": "none"}, "reason": "x"}));
    let mut tree = Frontier::default();
    let mut leaves = Vec::new();
    store
        .for_each(Family::Ledger, b"", b"", &mut |_, leaf| {
            tree.push(leaf_hash(leaf));
            leaves.push(serde_json::from_slice::<Value>(leaf).unwrap());
            true
        })
        .unwrap();
    assert_eq!(tree.size(), world.engine.last_seq("brand"));
    let root: String = tree.root().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(status(&world)["ledger_root"], root);
    let last = leaves.last().unwrap();
    assert_eq!((&last["action"], &last["status"]), (&json!("void"), &json!("refused")));
    let text = serde_json::to_string(&leaves).unwrap();
    assert!(!text.contains(world.code("o", 0, "outer").as_str()), "no leaf carries a code");
}

#[test]
fn one_tenant_never_learns_about_another() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 10, true);
        let command = |text: Value| serde_json::to_vec(&text).unwrap();
        let rival = |seq: u64, text: Value| {
            let envelope = imp_core::engine::Envelope {
                tenant: "rival",
                event_id: &format!("r{seq}"),
                seq,
                at_us: 0,
                actor: "tester",
                command: &command(text),
            };
            serde_json::from_slice::<Value>(&world.engine.apply(&envelope).unwrap()).unwrap()
        };
        assert_eq!(rival(1, json!({"command": "set_domain", "host": "c.example"}))["reason"], "domain_taken");
        assert_eq!(rival(2, json!({"command": "set_domain", "host": "r.example"}))["status"], "applied");
        let code = world.code("o", 0, "outer");
        let scope = json!({"codes": [code.as_str()]});
        assert_eq!(
            rival(3, json!({"command": "void", "scope": scope, "reason": "x"}))["reason"],
            "unknown_code"
        );
        assert_eq!(
            rival(4, json!({"command": "void", "scope": {"order": "o"}, "reason": "x"}))["reason"],
            "unknown_order"
        );
        assert!(matches!(world.engine.order("rival", "o"), Err(Error::NotFound { .. })));
        let seen: Value =
            serde_json::from_slice(&world.engine.lookup("rival", code.as_bytes(), Role::System).unwrap())
                .unwrap();
        assert_eq!((&seen["state"], &seen["order"]), (&json!("unknown"), &Value::Null));
    });
}

#[test]
fn freezing_an_order_of_twenty_million_is_one_small_write() {
    let (world, _store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.issue("o", 20_000_000, true);
    let scope = json!({"order": "o"});
    let report = world.must_apply(&json!({"command": "freeze", "scope": scope, "reason": "leak"}));
    assert_eq!((&report["changed"], &report["by_state"]["frozen"]), (&json!(20_000_000), &json!(20_000_000)));
}

#[test]
fn the_wrong_secret_and_newer_data_are_refused_at_open() {
    let (world, store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.engine.stop().unwrap();
    drop(world);
    let open = |secret: &[u8; 32]| {
        let shared = std::sync::Arc::clone(&store) as std::sync::Arc<dyn Store>;
        Engine::over(shared, secret, EngineOptions::default())
    };
    assert!(matches!(open(b"another secret of 32 bytes ....."), Err(Error::WrongSecret)));
    assert!(open(&SECRET).is_ok());
    let mut newer = imp_core::store::Batch::new();
    newer.put(Family::Meta, b"format", br#"{"version":9,"oldest_reader":9,"oldest_writer":9}"#);
    store.write(&newer).unwrap();
    assert!(matches!(open(&SECRET), Err(Error::Incompatible(_))));
}

#[test]
fn an_export_leaves_out_void_and_skipped_serials_and_refuses_held_orders() {
    let (world, _store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.must_apply(&json!({
        "command": "issue", "order": "o", "series": "s", "quantity": 100_000, "word_list": 1,
    }));
    let plan = |include_frozen| world.engine.export_plan("brand", "o", include_frozen);
    let read = |plan: Vec<u8>| serde_json::from_slice::<Value>(&plan).unwrap();
    let issued = read(plan(false).unwrap());
    assert_eq!(issued["count"], 100_000);
    let number = |value: &Value| value.as_u64().unwrap();
    let gaps = issued["left_out"].as_array().unwrap();
    let (first, run) = (number(&gaps[0][0]), number(&gaps[0][1]));
    assert_eq!(gaps.iter().map(|gap| number(&gap[1])).sum::<u64>() + 100_000, number(&issued["span"]));

    let rows = json!({"order": "o", "first": first - 2, "count": 4});
    world.must_apply(&json!({"command": "void", "scope": rows, "reason": "spoilt"}));
    let voided = read(plan(false).unwrap());
    assert_eq!(voided["count"], 99_996);
    assert_eq!(
        voided["left_out"][0],
        json!([first - 2, run + 4]),
        "two void before the skipped ones, two after"
    );

    world.must_apply(&json!({"command": "freeze", "scope": {"order": "o"}, "reason": "leak"}));
    assert!(matches!(plan(false), Err(Error::Conflict(_))));
    assert_eq!(read(plan(true).unwrap())["count"], 99_996);
}

#[test]
fn a_renewed_ledger_begins_with_the_head_of_the_one_before() {
    let (world, store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    let before = status(&world);
    let old = world.engine.renew_ledger("operator", 7, "restored from a backup").unwrap();
    let old: Value = serde_json::from_slice(&old).unwrap();
    assert_eq!((&old["size"], &old["root"]), (&before["ledger_leaves"], &before["ledger_root"]));
    assert_eq!((&status(&world)["ledger_origin"], &status(&world)["ledger_leaves"]), (&json!(1), &json!(1)));
    world.issue("o", 1, false);
    assert_eq!(status(&world)["ledger_leaves"], 2);
    let mut leaves = Vec::new();
    let first = 1u32.to_be_bytes();
    store
        .for_each(Family::Ledger, b"", &first, &mut |_, leaf| {
            leaves.push(serde_json::from_slice::<Value>(leaf).unwrap());
            true
        })
        .unwrap();
    assert_eq!((&leaves[0]["action"], &leaves[0]["object"]), (&json!("origin"), &old));
    assert_eq!(leaves[1]["action"], "issue");
}

#[test]
fn a_command_dated_in_the_far_future_does_not_move_the_engines_clock() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        let command = br#"{"command":"set_domain","host":"d.example"}"#;
        let far_us = engine_world::NOON_US * 2;
        let seq = world.engine.last_seq("brand") + 1;
        let envelope = imp_core::engine::Envelope {
            tenant: "brand",
            event_id: "late",
            seq,
            at_us: far_us,
            actor: "tester",
            command,
        };
        world.engine.apply(&envelope).unwrap();
        assert_eq!(world.engine.now_us(), engine_world::NOON_US);
    });
}

#[test]
fn a_store_with_data_but_without_marks_is_not_founded_again() {
    let (world, store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.engine.stop().unwrap();
    drop(world);
    let mut damage = imp_core::store::Batch::new();
    damage.delete(Family::Meta, b"format");
    store.write(&damage).unwrap();
    let opened = Engine::over(store, &SECRET, EngineOptions::default());
    assert!(matches!(opened, Err(Error::Corrupt(_))));
}

#[test]
fn the_longest_command_is_accepted_and_one_byte_more_is_not() {
    let (world, _store) = World::in_memory();
    let padded = |bytes: usize| {
        let mut command = br#"{"command":"set_domain","host":"c.example"}"#.to_vec();
        command.resize(bytes, b' ');
        command
    };
    let envelope = |command: &[u8]| {
        let envelope = imp_core::engine::Envelope {
            tenant: "brand",
            event_id: "long",
            seq: 1,
            at_us: 0,
            actor: "tester",
            command,
        };
        world.engine.apply(&envelope)
    };
    let over = envelope(&padded(imp_core::engine::COMMAND_BYTES_MAX + 1));
    assert!(matches!(over, Err(Error::InvalidInput { field: "command", .. })));
    assert!(envelope(&padded(imp_core::engine::COMMAND_BYTES_MAX)).is_ok());
}
