//! What commands accept, what they refuse and what they say. Method: one world, one command at a time.

use imp_core::code::{Face, Format, Parsed, parse};
use imp_core::state::{
    Command, Extent, Hold, HoldKind, ItemSet, LeafMaterial, Lifecycle, MESSAGE_BYTES_MAX, NotIssued,
    ORDER_HOLDS_MAX, Order, PreparedText, Refusal, RefusalReason, Report, State, Status, Stop,
    TEXT_BYTES_MAX, link_target,
};
use serde_json::{Value, json};
use state_support::{TENANT, World, change, describe, issue, issued, open_key_space, refused, with};
use std::time::Instant;

mod state_support;

#[test]
fn every_command_kind_reads_back_as_written() {
    for command in [
        json!({"command": "set_domain", "host": "a.b"}),
        json!({"command": "set_product", "product": "p", "name": "n", "gtin": "96385074"}),
        open_key_space("s", 1, "single", &[("outer", 1)]),
        issue("o", 1),
        json!({"command": "import_aliases", "order": "o", "series": "s", "texts": ["x"], "fold_case": true}),
        change("activate", json!({"order": "o"})),
        change("void", json!({"order": "o", "first": 0, "count": 1})),
        change("freeze", json!({"codes": ["x"]})),
        with(change("recall", json!({"order": "o"})), "instructions", json!("bring it back")),
        json!({"command": "unfreeze", "hold": "e", "reason": "r"}),
        json!({"command": "replace", "old": ["a"], "new": ["b"], "reason": "r", "strict": true}),
    ] {
        let parsed = Command::from_json(command.to_string().as_bytes()).unwrap();
        assert_eq!(parsed.kind(), command["command"]);
        let written = serde_json::to_vec(&parsed).unwrap();
        assert_eq!(Command::from_json(&written), Ok(parsed));
    }
}

#[test]
fn unknown_kinds_keys_and_scopes_are_invalid() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"command":"explode"}"#,
        r#"{"command":"set_domain","host":"a","port":1}"#,
        r#"{"command":"activate","scope":{},"reason":"r"}"#,
        r#"{"command":"activate","scope":{"order":"o","first":1},"reason":"r"}"#,
        r#"{"command":"activate","scope":{"order":"o","codes":[]},"reason":"r"}"#,
        r#"{"command":"activate","scope":{"order":"o","all":true},"reason":"r"}"#,
        r#"{"command":"issue","order":"o","series":"s","quantity":-1}"#,
    ] {
        let error = Command::from_json(text.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("command: "), "{error}");
    }
}

#[test]
fn nothing_of_another_tenant_is_found() {
    let mut world = issued();
    let code = world.code("o", 0, Face::Outer);
    world.try_apply_as("rival", json!({"command": "set_domain", "host": "q.rival.example"})).unwrap();
    let mut as_rival = |command: Value| world.try_apply_as("rival", command).unwrap_err().reason;
    assert_eq!(as_rival(change("void", json!({"order": "o"}))), RefusalReason::UnknownOrder);
    assert_eq!(as_rival(change("void", json!({"codes": [code]}))), RefusalReason::UnknownCode);
    assert_eq!(as_rival(issue("o", 1)), RefusalReason::UnknownSeries);
    world.apply(change("freeze", json!({"order": "o"})));
    let hold = format!("e{}", world.events);
    let unfreeze = json!({"command": "unfreeze", "hold": hold, "reason": "r"});
    assert_eq!(world.try_apply_as("rival", unfreeze.clone()).unwrap_err().reason, RefusalReason::UnknownHold);
    let nobody = world.try_apply_as("nobody", unfreeze);
    assert_eq!(nobody.unwrap_err().reason, RefusalReason::UnknownHold);

    // Even a resolver that leaks another tenant's item does not help.
    let leaked = world.resolve(world.tenant(), code.as_bytes());
    let command =
        Command::from_json(change("void", json!({"codes": [code]})).to_string().as_bytes()).unwrap();
    let resolve = |_: u32, _: &[u8]| Ok(leaked);
    let stop = imp_core::state::plan(&world.context("rival", "e99", &resolve, &|_, _| Ok(false)), &command)
        .unwrap_err();
    assert!(matches!(stop, Stop::Refused(refusal) if refusal.reason == RefusalReason::UnknownCode));
}

#[test]
fn scopes_must_fit() {
    let mut world = issued();
    refused(&mut world, change("void", json!({"order": "none"})), RefusalReason::UnknownOrder);
    for (first, count) in [(0, 11), (10, 1), (5, 0), (u32::MAX, u32::MAX)] {
        let range = json!({"order": "o", "first": first, "count": count});
        refused(&mut world, change("void", range), RefusalReason::OutOfRange);
    }
    refused(&mut world, change("void", json!({"codes": []})), RefusalReason::BadField);
    let unknown = json!({"codes": [world.code("o", 0, Face::Outer), "ZZZZ"]});
    let message = refused(&mut world, change("void", unknown), RefusalReason::UnknownCode);
    assert!(message.contains("1 of 2") && message.contains("ZZZZ"), "{message}");
    refused(
        &mut world,
        with(change("void", json!({"order": "o"})), "reason", json!("")),
        RefusalReason::BadField,
    );
    let (outer, inner) = (world.code("o", 3, Face::Outer), world.code("o", 3, Face::Inner));
    let both = json!({"codes": [outer.to_lowercase(), inner, outer]});
    assert_eq!(world.apply(change("activate", both)).changed, 1, "both faces are one item");
}

#[test]
fn lists_of_codes_are_bounded() {
    let mut world = World::furnished();
    world.apply(issue("o", 100_001));
    let codes: Vec<String> = (0..100_001).map(|index| world.code("o", index, Face::Outer)).collect();
    refused(&mut world, change("activate", json!({"codes": codes})), RefusalReason::BadField);
    assert_eq!(world.apply(change("activate", json!({"codes": codes[1..]}))).changed, 100_000);
    assert_eq!(world.order("o").counts(0).issued, 1);
}

#[test]
fn lists_of_replacements_are_bounded() {
    let mut world = World::furnished();
    world.apply(issue("o", 100_001));
    world.apply(issue("spare", 100_001));
    let codes =
        |order| -> Vec<String> { (0..100_001).map(|index| world.code(order, index, Face::Outer)).collect() };
    let (old, new) = (codes("o"), codes("spare"));
    let replace =
        |from: usize| json!({"command": "replace", "old": old[from..], "new": new[from..], "reason": "r"});
    refused(&mut world, replace(0), RefusalReason::BadField);
    assert_eq!(world.apply(replace(1)).changed, 100_000);
}

#[test]
fn listed_codes_and_messages_are_bounded() {
    let mut world = issued();
    let code = world.code("o", 0, Face::Outer);
    let spaced = |len: usize| json!({"codes": [code, format!("{code:len$}")]});
    let message = refused(&mut world, change("activate", spaced(65)), RefusalReason::BadField);
    assert!(message.contains("code 1 has 65 bytes"), "{message}");
    assert_eq!(world.apply(change("activate", spaced(64))).changed, 1);
    for command in [
        change("void", json!({"order": "茶".repeat(100_000)})),
        with(issue("o", 1), "series", json!("茶".repeat(100_000))),
        with(issue("o", 1), "lot", json!("茶".repeat(100_000))),
        json!({"command": "set_domain", "host": "茶".repeat(100_000)}),
        json!({"command": "unfreeze", "hold": "茶".repeat(100_000), "reason": "r"}),
    ] {
        let refusal = world.try_apply(command.clone()).unwrap_err();
        assert!((990..=MESSAGE_BYTES_MAX).contains(&refusal.message.len()), "{}", refusal.message.len());
        assert!(refusal.message.ends_with('…'));
        let command = Command::from_json(command.to_string().as_bytes()).unwrap();
        let leaf = LeafMaterial::of_refusal(&command);
        assert!(leaf.object.to_string().len() < 200, "{}", leaf.object);
    }
    let long = with(change("void", json!({"order": "o"})), "reason", json!("x".repeat(100_000)));
    let long = Command::from_json(long.to_string().as_bytes()).unwrap();
    assert_eq!(LeafMaterial::of_refusal(&long).reason.len(), TEXT_BYTES_MAX);
    let exactly = "x".repeat(MESSAGE_BYTES_MAX);
    assert_eq!(Refusal::new(RefusalReason::Conflict, exactly.as_str()).message, exactly);
}

#[test]
fn reasons_are_bounded() {
    let mut world = issued();
    let freeze = |len| with(change("freeze", json!({"order": "o"})), "reason", json!("x".repeat(len)));
    refused(&mut world, freeze(TEXT_BYTES_MAX + 1), RefusalReason::BadField);
    world.apply(freeze(TEXT_BYTES_MAX));
    assert_eq!(world.order("o").holds()[0].reason.len(), TEXT_BYTES_MAX);
}

#[test]
fn terminal_items_are_skipped_or_with_strict_refused() {
    let mut world = issued();
    world.apply(change("void", json!({"order": "o", "first": 0, "count": 4})));
    let all = json!({"order": "o"});
    refused(
        &mut world,
        with(change("activate", all.clone()), "strict", json!(true)),
        RefusalReason::WouldSkip,
    );
    refused(&mut world, with(change("freeze", all.clone()), "strict", json!(true)), RefusalReason::WouldSkip);
    let void = json!({"order": "o", "first": 0, "count": 4});
    refused(&mut world, change("activate", void.clone()), RefusalReason::NothingEligible);
    refused(&mut world, change("freeze", void), RefusalReason::NothingEligible);
    let report = world.apply(change("activate", all.clone()));
    assert_eq!((report.changed, report.already, report.skipped), (6, 0, 4));
    let report = world.apply(change("activate", all.clone()));
    assert_eq!((report.changed, report.already, report.skipped), (0, 6, 4));
    let report = world.apply(with(change("recall", all), "strict", json!(true)));
    assert_eq!(
        (report.changed, report.skipped, report.by_state.recalled),
        (10, 0, 10),
        "a recall skips nothing"
    );
}

#[test]
fn unfreeze_without_a_hold_lists_those_there_are() {
    let mut world = issued();
    world.apply(issue("p", 3));
    world.apply(change("freeze", json!({"order": "o", "first": 0, "count": 2})));
    world.apply(change("recall", json!({"order": "p"})));
    let holds = [format!("e{}", world.events - 1), format!("e{}", world.events)];
    let mut listed = |scope: Value| {
        let command = json!({"command": "unfreeze", "scope": scope, "reason": "r"});
        let refusal = world.try_apply(command).unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::HoldRequired);
        (refusal.holds.clone().unwrap(), refusal.message)
    };
    assert_eq!(listed(Value::Null).0, [holds[1].clone(), holds[0].clone()], "newest first");
    let (ids, message) = listed(json!({"order": "o"}));
    assert_eq!(ids, [holds[0].clone()]);
    assert!(message.contains("freeze of 2 items of order o: because"), "{message}");
    assert!(listed(json!({"order": "o", "first": 5, "count": 1})).0.is_empty());
}

#[test]
fn one_hold_spans_orders_and_is_lifted_in_all_of_them() {
    let mut world = issued();
    world.apply(issue("p", 3));
    let codes = [world.code("o", 1, Face::Outer), world.code("p", 2, Face::Inner)];
    let report = world.apply(change("freeze", json!({"codes": codes})));
    assert_eq!((report.changed, report.orders), (2, vec!["o".to_string(), "p".to_string()]));
    let unfreeze = json!({"command": "unfreeze", "hold": report.hold, "reason": "r"});
    let report = world.apply(unfreeze.clone());
    assert_eq!((report.changed, report.by_state.frozen, report.by_state.issued), (2, 0, 13));
    refused(&mut world, unfreeze, RefusalReason::UnknownHold);
}

#[test]
fn an_order_has_at_most_its_number_of_holds() {
    let mut world = issued();
    world.apply(change("freeze", json!({"order": "o", "first": 0, "count": 1})));
    let hold = format!("e{}", world.events);
    let (key, value) = world.entries.iter().find(|(key, _)| key.ends_with(hold.as_bytes())).unwrap();
    let (key, value) = (key.clone(), value.clone());
    for number in 1..ORDER_HOLDS_MAX - 1 {
        let id = format!("many-{number}");
        world.entries.insert([&key[..key.len() - hold.len()], id.as_bytes()].concat(), value.clone());
    }
    world.snapshot = world.load().unwrap();
    assert_eq!(world.order("o").holds().len(), ORDER_HOLDS_MAX - 1);
    let freeze = change("freeze", json!({"order": "o"}));
    assert_eq!(world.apply(freeze.clone()).changed, 10);
    refused(&mut world, freeze, RefusalReason::TooManyHolds);
    let unfreeze = json!({"command": "unfreeze", "hold": "many-7", "reason": "r"});
    assert_eq!(world.apply(unfreeze).changed, 1);
    assert_eq!(describe(&world.load().unwrap()), describe(&world.snapshot));
}

#[test]
fn the_newest_recall_instructs_else_the_product() {
    let mut world = issued();
    let product =
        json!({"command": "set_product", "product": "tea", "name": "茶", "recall_instructions": "ask"});
    world.apply(product);
    let recall = |text: Value| with(change("recall", json!({"order": "o"})), "instructions", text);
    let text = |world: &World| world.order("o").recall_instructions(0).unwrap().text.to_string();
    world.apply(recall(Value::Null));
    assert_eq!(text(&world), "ask");
    world.apply(recall(json!("return <it>")));
    assert_eq!(text(&world), "return <it>");
    world.apply(recall(json!("destroy it")));
    assert_eq!(text(&world), "destroy it");
    assert_eq!(describe(&world.load().unwrap()), describe(&world.snapshot));
}

#[test]
fn many_recalls_do_not_slow_a_scan_and_the_newest_is_told() {
    let mut world = World::furnished();
    world.apply(issue("o", 20_000));
    let recall = |number: u32, first: u32, count: u32, text: Option<&str>| {
        let extent = Extent::dense(20_000);
        Hold {
            id: format!("r{number}").into(),
            kind: HoldKind::Recall,
            at_us: i64::from(number),
            reason: "r".into(),
            instructions: text.map(PreparedText::new),
            items: extent.range(first, count).unwrap(),
        }
    };
    let told = |order: &Order, index| order.recall_instructions(index).map(|text| text.text.to_string());
    let one = world.order("o").held(recall(0, 0, 20_000, Some("return it"))).0;
    let mut many = one.clone();
    for number in 1..ORDER_HOLDS_MAX as u32 {
        let text = ["return it", "burn it"][number as usize / 3 % 2];
        many = many.held(recall(number, number, 2, (number % 3 != 0).then_some(text))).0;
    }
    let newest = |order: &Order, index| {
        let mut texts = order.holds_on(index).filter_map(|hold| hold.instructions.as_ref());
        texts.next_back().map(|text| text.text.to_string())
    };
    for index in (0..20_000).step_by(19) {
        assert_eq!(told(&many, index), newest(&many, index), "item {index}");
    }
    let released = many.released("r5", &ItemSet::All).0.released("r0", &ItemSet::All).0;
    let late = many.held(recall(2, 100, 50, Some("burn it"))).0;
    for index in (0..20_000).step_by(97) {
        assert_eq!(told(&released, index), newest(&released, index), "item {index}");
        assert_eq!(told(&late, index), newest(&late, index), "item {index}");
    }
    let cost = |order: &Order| {
        let round = |_| {
            let start = Instant::now();
            for index in 0..2_000 {
                std::hint::black_box(order.recall_instructions(index));
            }
            start.elapsed()
        };
        (0..5).map(round).min().unwrap().as_secs_f64()
    };
    let ratio = cost(&many) / cost(&one);
    assert!(ratio < 50.0, "{ratio} times the cost with {ORDER_HOLDS_MAX} times the recalls");
}

#[test]
fn a_new_item_takes_lifecycle_and_holds_of_the_old_one() {
    let mut world = issued();
    world.apply(issue("spare", 3));
    world.apply(change("activate", json!({"order": "o"})));
    world.apply(change("freeze", json!({"order": "o", "first": 0, "count": 1})));
    let hold = format!("e{}", world.events);
    let (old, new) = (world.code("o", 0, Face::Outer), world.code("spare", 2, Face::Outer));
    let replace =
        |old: &[&str], new: &[&str]| json!({"command": "replace", "old": old, "new": new, "reason": "torn"});
    let report = world.apply(replace(&[&old], &[&new]));
    assert_eq!((report.changed, report.orders), (1, vec!["o".to_string(), "spare".to_string()]));
    let now_us = world.now_us;
    assert!(world.order("o").is_replaced(0));
    assert_eq!(world.order("o").state(0, now_us), State::Void);
    assert_eq!(world.order("spare").state(2, now_us), State::Frozen);
    assert_eq!(world.order("spare").lifecycle(2), Lifecycle::Active);
    let (_, link) = world.links.first_key_value().unwrap();
    assert_eq!(link_target(link).unwrap(), world.found(&new).unwrap().item);
    world.apply(json!({"command": "unfreeze", "hold": hold, "reason": "r"}));
    assert_eq!(world.order("spare").state(2, now_us), State::Active);
    assert_eq!(describe(&world.load().unwrap()), describe(&world.snapshot));

    let spare = world.code("spare", 0, Face::Outer);
    let used = world.code("o", 1, Face::Outer);
    refused(&mut world, replace(&[&old], &[&spare]), RefusalReason::NothingEligible);
    let spare_too = world.code("spare", 1, Face::Outer);
    let half_void = replace(&[&old, &used], &[&spare_too, &spare]);
    refused(&mut world, with(half_void.clone(), "strict", json!(true)), RefusalReason::WouldSkip);
    let command = Command::from_json(half_void.to_string().as_bytes()).unwrap();
    let report = world.plan_as(TENANT, "e99", &command).unwrap().report;
    assert_eq!((report.changed, report.skipped), (1, 1));
    refused(&mut world, replace(&[&used], &[]), RefusalReason::BadField);
    refused(&mut world, replace(&[&used], &[&used]), RefusalReason::ReplacementMismatch);
    refused(&mut world, replace(&[&used], &[&new]), RefusalReason::ReplacementMismatch);
    world.apply(with(issue("other", 1), "product", Value::Null));
    let foreign = world.code("other", 0, Face::Outer);
    refused(&mut world, replace(&[&used], &[&foreign]), RefusalReason::ReplacementMismatch);
    let boxes = with(open_key_space("box", 1, "single", &[("outer", 30)]), "level", json!("box"));
    world.apply(boxes);
    world.apply(with(issue("boxes", 1), "series", json!("box")));
    let of_box = world.code("boxes", 0, Face::Outer);
    refused(&mut world, replace(&[&used], &[&of_box]), RefusalReason::ReplacementMismatch);
}

#[test]
fn expiry_is_computed_from_the_bound_date() {
    let mut world = World::furnished();
    world.apply(with(issue("o", 4), "expires_at_us", json!(5_000_000)));
    world.apply(change("freeze", json!({"order": "o", "first": 0, "count": 1})));
    let order = world.order("o");
    assert_eq!(order.state(1, 4_999_999), State::Issued);
    assert_eq!(order.state(1, 5_000_000), State::Expired);
    assert_eq!(order.state(0, 5_000_000), State::Frozen);
    let counts = order.counts(5_000_000);
    assert_eq!((counts.expired, counts.frozen, counts.total()), (3, 1, 4));
}

#[test]
fn a_report_reads_back_and_a_refusal_is_one() {
    let mut world = issued();
    let report = world.apply(change("freeze", json!({"order": "o"})));
    assert_eq!(serde_json::from_slice::<Report>(&report.to_json()).unwrap(), report);
    let refusal = world.try_apply(change("freeze", json!({"order": "x"}))).unwrap_err();
    let stored = refusal.report("e1", 7);
    assert_eq!((stored.status, stored.epoch), (Status::Refused, 7));
    let json: Value = serde_json::from_slice(&stored.to_json()).unwrap();
    assert_eq!((&json["status"], &json["reason"]), (&json!("refused"), &json!("unknown_order")));
}

#[test]
fn a_leaf_says_what_changed_and_pins_the_scope() {
    let world = issued();
    let leaf = |command: Value| {
        let command = Command::from_json(command.to_string().as_bytes()).unwrap();
        world.plan_as(TENANT, "e9", &command).unwrap().leaf
    };
    let freeze = |first| leaf(change("freeze", json!({"order": "o", "first": first, "count": 3})));
    let (one, same, other) = (freeze(0), freeze(0), freeze(1));
    assert_eq!(one, same);
    assert_eq!((one.action, one.reason.as_str()), ("freeze", "because"));
    assert_eq!(one.object, json!({"order": "o", "first": 0, "count": 3}));
    assert_eq!(one.impact, json!({"changed": 3, "already": 0, "skipped": 0}));
    assert_eq!(
        (&one.before["by_state"]["issued"], &one.after["by_state"]["frozen"]),
        (&json!(10), &json!(3))
    );
    assert_eq!((&one.before["holds"], &one.after["holds"]), (&json!(0), &json!(1)));
    assert_ne!(one.before["sha256"], one.after["sha256"]);
    assert_eq!(one.after["by_state"], other.after["by_state"]);
    assert_ne!(one.after["sha256"], other.after["sha256"], "the hash covers the scope");
    let code = world.code("o", 0, Face::Outer);
    let of_codes = leaf(change("void", json!({"codes": [code]})));
    assert!(!serde_json::to_string(&of_codes.object).unwrap().contains(&code), "no code enters the ledger");
    let entry = leaf(json!({"command": "set_domain", "host": "new.example"}));
    assert_eq!((&entry.before, &entry.object), (&Value::Null, &json!({"host": "new.example"})));
}

#[test]
fn freezing_twenty_million_codes_is_planned_within_ten_milliseconds() {
    let mut world = World::furnished();
    world.apply(issue("o", 20_000_000));
    world.apply(change("activate", json!({"order": "o", "first": 1_000, "count": 19_000_000})));
    let scattered: Vec<String> = (0..2_000).map(|i| world.code("o", i * 9_973, Face::Outer)).collect();
    world.apply(change("void", json!({"codes": scattered})));
    let command = Command::from_json(change("freeze", json!({"order": "o"})).to_string().as_bytes()).unwrap();
    let best = (0..5).map(|_| {
        let start = Instant::now();
        let plan = world.plan_as(TENANT, "e99", &command).unwrap();
        let took = start.elapsed();
        assert_eq!((plan.report.changed, plan.report.skipped), (19_998_000, 2_000));
        took
    });
    let best = best.min().unwrap();
    assert!(best.as_millis() < 10, "{best:?}");
}

/// The decrypting of a code dwarfs everything else a look-up does, so an answer without it is visible in its time.
#[test]
fn a_code_of_an_unknown_slot_costs_as_much_as_a_forged_one() {
    let world = issued();
    let parsed = |slot: u16| {
        let key = imp_core::code::Key::from_bytes(&[9; 16]).unwrap();
        let cipher = imp_core::code::SlotCipher::new(Format::Base32, slot, &key).unwrap();
        parse(&cipher.encode(12_345)).unwrap()
    };
    let domain = world.snapshot.domain_of_host(b"q.acme.example").unwrap().id;
    let cost = |code: &Parsed| {
        let round = |_| {
            let start = Instant::now();
            for _ in 0..1_000 {
                std::hint::black_box(world.snapshot.find_in(domain, std::hint::black_box(code))).unwrap_err();
            }
            start.elapsed()
        };
        (0..30).map(round).min().unwrap().as_secs_f64()
    };
    let (forged, foreign) = (parsed(5), parsed(900));
    assert_eq!(world.snapshot.find_in(domain, &forged).unwrap_err(), NotIssued::SerialNotIssued);
    assert_eq!(world.snapshot.find_in(domain, &foreign).unwrap_err(), NotIssued::SlotUnknown);
    let ratio = cost(&foreign) / cost(&forged);
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
}
