//! What one scan promises. Goal: who was first is exact, and counts follow the rules per face, level, role and
//! state. Method: small brands on both stores, real threads, a clock that the test turns.

mod engine_world;

use engine_world::{MINUTE_US, World, on_both_stores};
use imp_core::engine::Engine;
use imp_core::error::Error;
use imp_core::scan::{Reason, Role, ScanContext, Verdict};
use imp_core::store::{Family, Store};
use serde_json::json;
use std::sync::Barrier;

fn verdict(world: &World, text: &[u8], device: u64) -> (Verdict, Option<bool>, Option<u32>) {
    let outcome = world.scan(text, device);
    (outcome.verdict, outcome.is_first, outcome.scans)
}

#[test]
fn first_device_is_first_for_its_session_and_everyone_else_repeats() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 10, true);
        let code = world.code("o", 3, "outer");
        assert_eq!(verdict(world, code.as_bytes(), 1), (Verdict::Genuine, Some(true), Some(1)));
        assert_eq!(verdict(world, code.as_bytes(), 1), (Verdict::Genuine, Some(true), Some(2)));
        assert_eq!(verdict(world, code.as_bytes(), 2), (Verdict::Repeat, Some(false), Some(3)));
        world.wait_us(11 * MINUTE_US);
        assert_eq!(verdict(world, code.as_bytes(), 1), (Verdict::Repeat, Some(false), Some(4)));
    });
}

#[test]
fn first_session_is_exactly_one_under_threads() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 200, true);
        let threads = 8;
        let gate = Barrier::new(threads);
        let codes: Vec<_> = (0..200).map(|row| world.code("o", row, "outer")).collect();
        let firsts: Vec<Vec<bool>> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..threads)
                .map(|thread| {
                    let (gate, codes) = (&gate, &codes);
                    scope.spawn(move || {
                        gate.wait();
                        let device = thread as u64 + 1;
                        codes
                            .iter()
                            .map(|code| world.scan(code.as_bytes(), device).is_first == Some(true))
                            .collect()
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        for row in 0..codes.len() {
            assert_eq!(firsts.iter().filter(|of_thread| of_thread[row]).count(), 1, "row {row}");
            assert_eq!(
                world.scan(codes[row].as_bytes(), 99).scans,
                Some(threads as u32 + 1),
                "no scan is lost"
            );
        }
    });
}

#[test]
fn only_the_inner_face_decides_who_was_first_when_there_are_two() {
    on_both_stores(|world| {
        world.found_brand(&["outer", "inner"], "item");
        world.issue("o", 5, true);
        let (outer, inner) = (world.code("o", 0, "outer"), world.code("o", 0, "inner"));
        assert_ne!(outer.as_bytes(), inner.as_bytes());
        assert_eq!(verdict(world, outer.as_bytes(), 1), (Verdict::Genuine, None, Some(1)));
        assert_eq!(verdict(world, outer.as_bytes(), 2), (Verdict::Genuine, None, Some(2)));
        assert_eq!(verdict(world, inner.as_bytes(), 3), (Verdict::Genuine, Some(true), Some(1)));
        assert_eq!(verdict(world, inner.as_bytes(), 1), (Verdict::Repeat, Some(false), Some(2)));
    });
}

#[test]
fn a_pallet_counts_scans_but_has_no_first_check() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "pallet");
        world.issue("o", 1, true);
        let code = world.code("o", 0, "outer");
        assert_eq!(verdict(world, code.as_bytes(), 1), (Verdict::Genuine, None, Some(1)));
        assert_eq!(verdict(world, code.as_bytes(), 2), (Verdict::Genuine, None, Some(2)));
    });
}

#[test]
fn first_check_survives_scans_before_activation_by_roles_and_while_frozen() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 1, false);
        let code = world.code("o", 0, "outer");
        assert_eq!(verdict(world, code.as_bytes(), 1), (Verdict::Inactive, None, None));
        let scope = json!({"order": "o"});
        world.must_apply(&json!({"command": "activate", "scope": scope, "reason": "released"}));
        let inspected = world.scan_as(code.as_bytes(), 7, Role::Inspector);
        assert_eq!(
            (inspected.verdict, inspected.is_first, inspected.recorded),
            (Verdict::Genuine, None, true)
        );
        let freeze = world.must_apply(&json!({"command": "freeze", "scope": scope, "reason": "leak"}));
        assert_eq!(verdict(world, code.as_bytes(), 2), (Verdict::Frozen, None, None));
        let hold = &freeze["hold"];
        world.must_apply(&json!({"command": "unfreeze", "hold": hold, "reason": "checked"}));
        assert_eq!(verdict(world, code.as_bytes(), 3), (Verdict::Genuine, Some(true), Some(1)));
    });
}

#[test]
fn a_look_counts_nothing_and_says_so() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 1, true);
        let code = world.code("o", 0, "outer");
        let look = |device| {
            world.engine.scan(code.as_bytes(), &ScanContext { count: false, ..world.context(device) })
        };
        let before = look(1);
        assert_eq!((before.verdict, before.is_first, before.recorded), (Verdict::Genuine, None, false));
        assert!(before.reasons.contains(Reason::NotCounted));
        assert_eq!(world.scan(code.as_bytes(), 1).is_first, Some(true));
        assert_eq!(look(2).verdict, Verdict::Repeat);
        assert_eq!(world.scan(code.as_bytes(), 1).scans, Some(2));
    });
}

#[test]
fn a_roles_look_under_a_consumers_key_learns_nothing_of_its_session() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 1, true);
        let code = world.code("o", 0, "outer");
        world.scan(code.as_bytes(), 1);
        let repeat = ScanContext { idempotency: Some(7), ..world.context(2) };
        assert_eq!(world.engine.scan(code.as_bytes(), &repeat).verdict, Verdict::Repeat);
        let look = ScanContext { role: Role::Dealer, count: false, ..repeat };
        assert_eq!(world.engine.scan(code.as_bytes(), &look).verdict, Verdict::Genuine);
    });
}

#[test]
fn repeating_an_idempotency_key_adds_nothing() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 1, true);
        let code = world.code("o", 0, "outer");
        let scan = |device, key| {
            let context = ScanContext { idempotency: Some(key), ..world.context(device) };
            let outcome = world.engine.scan(code.as_bytes(), &context);
            (outcome.is_first, outcome.scans)
        };
        assert_eq!(scan(1, 11), (Some(true), Some(1)));
        assert_eq!(scan(1, 11), (Some(true), Some(1)));
        assert_eq!(scan(2, 12), (Some(false), Some(2)));
        assert_eq!(scan(1, 11), (Some(true), Some(3)), "an older key is another hit of its session");
    });
}

#[test]
fn texts_without_an_item_are_told_apart_inside_and_alike_outside() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 10, true);
        let snapshot = world.engine.snapshot();
        let beyond = snapshot.key_space(0).unwrap().code_of(10, imp_core::code::Face::Outer).unwrap();
        let forged = world.scan(beyond.as_bytes(), 1);
        assert_eq!(
            (forged.verdict, forged.reasons.first()),
            (Verdict::Unknown, Some(Reason::SerialNotIssued))
        );
        let mut mistyped = world.code("o", 0, "outer").as_bytes().to_vec();
        mistyped[5] = if mistyped[5] == b'7' { b'8' } else { b'7' };
        assert_eq!(world.scan(&mistyped, 1).verdict, Verdict::Mistyped);
        assert_eq!(world.scan(b"hello", 1).verdict, Verdict::Malformed);
        assert!(forged.order.is_none(), "nothing of an order leaks");
    });
}

#[test]
fn a_foreign_code_answers_like_any_item_and_never_covers_a_code_of_ours() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 10, true);
        world.must_apply(&json!({
            "command": "open_key_space", "series": "old", "epoch": 1, "domain": "c.example", "format": "base32",
            "level": "item", "pairing": "single", "key_bits": 128, "nonce": "00000000000000000000000000000000",
            "faces": [],
        }));
        let own = world.code("o", 0, "outer");
        let import = |order: &str, texts: serde_json::Value| {
            let (command, series) = ("import_aliases", "old");
            json!({"command": command, "order": order, "series": series, "product": "tea", "texts": texts})
        };
        let refused = world.apply(&import("i1", json!([own.as_str()])));
        assert_eq!((&refused["status"], &refused["reason"]), (&json!("refused"), &json!("alias_taken")));
        world.must_apply(&import("i2", json!(["OLD-77-x", "E2801160600002"])));
        world.must_apply(&json!({"command": "activate", "scope": {"order": "i2"}, "reason": "released"}));
        assert_eq!(verdict(world, b" OLD-77-x ", 1), (Verdict::Genuine, Some(true), Some(1)));
        assert_eq!(world.scan(b"old-77-x", 1).verdict, Verdict::Malformed, "the set is case-sensitive");
        let again = world.apply(&import("i3", json!(["OLD-77-x"])));
        assert_eq!(again["reason"], "alias_taken");
        for (device, read) in
            [&b"E2801160600002"[..], b"e2801160600002", b"e2:80:11:60:60:00:02", b" E280-1160-6000-02"]
                .into_iter()
                .enumerate()
        {
            let outcome = world.scan(read, device as u64);
            assert_ne!(outcome.verdict, Verdict::Malformed, "readers spell tags as they like");
            assert_eq!(outcome.code.as_bytes(), b"E2801160600002");
        }
    });
}

#[test]
fn every_scan_of_an_issued_code_leaves_one_event_and_numbers_have_no_gap() {
    let (world, store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.issue("o", 50, true);
    for row in 0..50 {
        world.scan(world.code("o", row, "outer").as_bytes(), row);
        world.scan(world.code("o", row, "outer").as_bytes(), 1_000 + row);
    }
    let mut by_stripe = std::collections::BTreeMap::<[u8; 2], Vec<u64>>::new();
    store
        .for_each(Family::Event, b"", b"", &mut |key, _| {
            let seq = u64::from_be_bytes(*key.last_chunk::<8>().unwrap());
            by_stripe.entry(*key.first_chunk::<2>().unwrap()).or_default().push(seq);
            true
        })
        .unwrap();
    assert_eq!(by_stripe.values().map(Vec::len).sum::<usize>(), 100);
    for seqs in by_stripe.values() {
        assert!(seqs.iter().copied().eq(0..seqs.len() as u64), "{seqs:?}");
    }
}

#[test]
fn events_of_unissued_codes_are_capped_per_device() {
    let (world, store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.issue("o", 1, true);
    let snapshot = world.engine.snapshot();
    for serial in 1..100 {
        let forged = snapshot.key_space(0).unwrap().code_of(serial, imp_core::code::Face::Outer).unwrap();
        assert!(world.scan(forged.as_bytes(), 5).recorded);
    }
    let mut events = 0;
    store
        .for_each(Family::Event, b"", b"", &mut |_, _| {
            events += 1;
            true
        })
        .unwrap();
    assert_eq!(events, 10);
    assert!(world.engine.metrics().contains("imp_events_dropped_total 89"));
}

#[test]
fn push_back_answers_unrecorded_and_leaves_no_trace() {
    let (world, store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.issue("o", 1, true);
    let code = world.code("o", 0, "outer");
    store.fail_next_write(Error::Busy("full".into()));
    let outcome = world.scan(code.as_bytes(), 1);
    assert_eq!((outcome.verdict, outcome.is_first, outcome.recorded), (Verdict::Genuine, None, false));
    assert!(outcome.reasons.contains(Reason::NotRecorded));
    assert_eq!(world.scan(b"no code", 1).verdict, Verdict::Malformed);
    assert!(
        world.engine.metrics().contains("imp_scans_unrecorded_total 1\n"),
        "only the one that should have been"
    );
    assert_eq!(verdict(&world, code.as_bytes(), 2), (Verdict::Genuine, Some(true), Some(1)));
}

#[test]
fn a_failed_journal_write_poisons_scans_and_commands_until_reopened() {
    let (world, store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.issue("o", 2, true);
    let code = world.code("o", 0, "outer");
    let seen = world.code("o", 1, "outer");
    world.scan(seen.as_bytes(), 1);
    store.fail_next_write(Error::Storage("no space left on device".into()));
    assert!(!world.scan(code.as_bytes(), 1).recorded);
    let later = world.scan(code.as_bytes(), 1);
    assert!(!later.recorded && later.is_first.is_none(), "poisoned: answered, never recorded");
    let known = world.scan(seen.as_bytes(), 2);
    assert_eq!(
        (known.verdict, known.scans, known.is_first),
        (Verdict::Repeat, Some(1), None),
        "from what is known"
    );
    let command = json!({"command": "void", "scope": {"order": "o"}, "reason": "x"});
    let seq = world.engine.last_seq("brand") + 1;
    assert!(matches!(world.try_apply("late", seq, &command), Err(Error::Poisoned(_))));
    let status: serde_json::Value = serde_json::from_slice(&world.engine.status()).unwrap();
    assert_eq!(status["ready"], false);
    let _poisoned = world.engine.stop();

    let reopened =
        Engine::over(store, &engine_world::SECRET, imp_core::engine::EngineOptions::default()).unwrap();
    let outcome = reopened.scan(code.as_bytes(), &world.context(1));
    assert_eq!((outcome.is_first, outcome.scans), (Some(true), Some(1)));
}

#[test]
fn a_clock_that_steps_back_changes_nobodys_first_check() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 1, true);
        let code = world.code("o", 0, "outer");
        let first = world.scan(code.as_bytes(), 1);
        world.wait_us(-60 * MINUTE_US);
        let second = world.scan(code.as_bytes(), 2);
        assert_eq!((second.is_first, second.first_at_us), (Some(false), first.first_at_us));
    });
}

#[test]
fn every_text_is_unknown_to_a_tenant_that_has_nothing_yet() {
    on_both_stores(|world| {
        world.found_brand(&["outer"], "item");
        world.issue("o", 1, true);
        let code = world.code("o", 0, "outer");
        let tenant = world.engine.tenant("newcomer");
        let outcome = world.engine.scan(code.as_bytes(), &ScanContext { tenant, ..world.context(1) });
        assert_eq!((outcome.verdict, outcome.recorded), (Verdict::Unknown, true));
        let seen = world.engine.lookup("newcomer", code.as_bytes(), Role::System).unwrap();
        assert!(String::from_utf8(seen).unwrap().starts_with("{\"state\":\"unknown\""));
    });
}

#[test]
fn only_the_risk_role_reads_why_a_text_is_unknown() {
    let (world, _store) = World::in_memory();
    world.found_brand(&["outer"], "item");
    world.issue("o", 1, true);
    let forged =
        world.engine.snapshot().key_space(0).unwrap().code_of(9, imp_core::code::Face::Outer).unwrap();
    let reason = |role| {
        let seen = world.engine.lookup("brand", forged.as_bytes(), role).unwrap();
        serde_json::from_slice::<serde_json::Value>(&seen).unwrap()["reason"].clone()
    };
    assert_eq!(reason(Role::Risk), "serial_not_issued");
    assert_eq!(reason(Role::System), serde_json::Value::Null);
}
