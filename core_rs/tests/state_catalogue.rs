//! Domains, products, key spaces and orders: what is accepted, what is refused, what is the same again.
//! Method: one world, one command at a time.

use imp_core::code::{Face, alias_hash};
use imp_core::state::{Command, LOT_BYTES_MAX, Lifecycle, RefusalReason, State, Stop, plan};
use serde_json::{Value, json};
use state_support::{World, change, describe, issue, issued, open_key_space, refused, with};

mod state_support;

#[test]
fn a_domain_has_one_owner() {
    let mut world = World::furnished();
    let again = world.apply(json!({"command": "set_domain", "host": "q.acme.example"}));
    assert_eq!((again.changed, again.already), (0, 1));
    let taken = world.try_apply_as("rival", json!({"command": "set_domain", "host": "q.acme.example"}));
    assert_eq!(taken.unwrap_err().reason, RefusalReason::DomainTaken);
    assert!(world.snapshot.tenant("rival").is_none(), "a refusal makes no tenant");
    refused(&mut world, json!({"command": "set_domain", "host": "Q.acme.example"}), RefusalReason::BadField);
    refused(&mut world, json!({"command": "set_domain", "host": "q:80"}), RefusalReason::BadField);
    world.try_apply_as("rival", json!({"command": "set_domain", "host": "q.rival.example"})).unwrap();
    let owner = |host: &[u8]| world.snapshot.domain_of_host(host).map(|domain| domain.tenant);
    assert_eq!((owner(b"q.acme.example"), owner(b"q.rival.example"), owner(b"q")), (Some(0), Some(1), None));
}

/// A `Host` header is reduced to lower case without port and root dot; nothing else could ever be asked for.
#[test]
fn a_domain_is_a_host_that_scans_can_have() {
    let mut world = World::furnished();
    let label = "a".repeat(63);
    let longest = format!("{}.{}", "a".repeat(31), "b".repeat(32));
    for host in [
        "localhost",
        "q.example",
        "1q.example-2.com",
        "a",
        "xn--fiqs8s",
        "127.0.0.1",
        "[::1]",
        "[2001:db8::1]",
        "q.2x",
        label.as_str(),
        longest.as_str(),
    ] {
        assert_eq!(world.apply(json!({"command": "set_domain", "host": host})).changed, 1, "{host}");
    }
    let (long_label, too_long) = ("a".repeat(64), format!("{longest}c"));
    for host in [
        "",
        ".",
        "..",
        "q.",
        ".q",
        "a..b",
        "-a.b",
        "a-.b",
        "a.-b",
        "a_b.c",
        "a b",
        "a/b",
        "Q.example",
        "q:80",
        "é.example",
        "1.2.3",
        "1.2.3.256",
        "1.2.3.4.5",
        "01.2.3.4",
        "5",
        "::1",
        "[::1",
        "[]",
        "[::1]:80",
        "[2001:DB8::1]",
        "[2001:db8:0::1]",
        "[::1%eth0]",
        "[1.2.3.4]",
        long_label.as_str(),
        too_long.as_str(),
    ] {
        refused(&mut world, json!({"command": "set_domain", "host": host}), RefusalReason::BadField);
    }
}

#[test]
fn products_are_listed_by_tenant() {
    let mut world = World::empty();
    let product = |name: &str| json!({"command": "set_product", "product": name, "name": "n"});
    for name in ["a", "b", "a", "c"] {
        world.apply(product(name));
        world.try_apply_as("rival", product(&format!("x{name}"))).unwrap();
    }
    let names = |tenant| -> Vec<String> {
        world.snapshot.products_of(tenant).map(|product| product.description.product.clone()).collect()
    };
    assert_eq!(
        (names(0), names(1), names(2)),
        (vec!["a".into(), "b".into(), "c".into()], vec!["xa".into(), "xb".into(), "xc".into()], vec![])
    );
    assert_eq!(describe(&world.load().unwrap()), describe(&world.snapshot));
}

#[test]
fn a_product_described_anew_shows_in_its_orders_at_once() {
    let mut world = issued();
    world.apply(with(issue("plain", 3), "product", Value::Null));
    let json_of =
        |world: &World, order| String::from_utf8(world.order(order).fragments.product_json.to_vec()).unwrap();
    assert_eq!(json_of(&world, "o"), r#"{"gtin":null,"name":"茶","brand":null}"#);
    let report = world.apply(json!({
        "command": "set_product", "product": "tea", "name": "新茶", "gtin": "6901028075831",
        "link": "https://acme.example/tea?x=1", "recall_instructions": "退回",
    }));
    assert_eq!((report.changed, report.already), (1, 0));
    assert_eq!(json_of(&world, "o"), r#"{"gtin":"6901028075831","name":"新茶","brand":null}"#);
    assert_eq!(world.order("o").fragments.gtin14, Some(*b"06901028075831"));
    assert_eq!(world.order("o").lot_json(), br#""L1""#);
    assert_eq!(json_of(&world, "plain"), "null");
    assert_eq!(describe(&world.load().unwrap()), describe(&world.snapshot));
}

#[test]
fn products_are_checked() {
    let mut world = World::furnished();
    let product = json!({"command": "set_product", "product": "p", "name": "n"});
    for (key, value) in [
        ("product", json!("a b")),
        ("name", json!(" ")),
        ("name", json!("a\u{7}")),
        ("brand", json!("x".repeat(8_193))),
        ("gtin", json!("6901028075832")),
        ("link", json!("javascript:alert(1)")),
        ("link", json!("https://a b")),
        ("link", json!("https://a\r\nSet-Cookie: x")),
        ("link", json!("https://")),
    ] {
        refused(&mut world, with(product.clone(), key, value), RefusalReason::BadField);
    }
    world.apply(with(product, "brand", json!("x".repeat(8_192))));
}

#[test]
fn key_spaces_keep_their_slots_and_series_their_kind() {
    let mut world = World::furnished();
    let open = open_key_space("s", 1, "same_serial", &[("outer", 5), ("inner", 6)]);
    assert_eq!(world.apply(open.clone()).already, 1, "the same again");
    let other_nonce = with(open.clone(), "nonce", json!("f".repeat(32)));
    refused(&mut world, other_nonce, RefusalReason::Conflict);
    let faces = |faces: &[(&str, u16)]| open_key_space("s", 2, "same_serial", faces);
    refused(&mut world, faces(&[("outer", 6), ("inner", 7)]), RefusalReason::SlotTaken);
    refused(&mut world, faces(&[("outer", 8), ("inner", 8)]), RefusalReason::BadField);
    refused(&mut world, faces(&[("outer", 8), ("inner", 1_024)]), RefusalReason::BadField);
    refused(&mut world, faces(&[("outer", 8)]), RefusalReason::BadField);
    refused(&mut world, open_key_space("s", 2, "single", &[("outer", 8)]), RefusalReason::Conflict);
    refused(
        &mut world,
        open_key_space("s", 0, "same_serial", &[("outer", 8), ("inner", 9)]),
        RefusalReason::BadField,
    );
    let nonce = |nonce: &str| with(faces(&[("outer", 8), ("inner", 9)]), "nonce", json!(nonce));
    for bad in ["", "00", &"g".repeat(32), &format!("+{}", "1".repeat(31))] {
        refused(&mut world, nonce(bad), RefusalReason::BadField);
    }
    let bits = with(faces(&[("outer", 8), ("inner", 9)]), "key_bits", json!(192));
    refused(&mut world, bits, RefusalReason::BadField);
    let foreign = with(faces(&[("outer", 8), ("inner", 9)]), "domain", json!("q.rival.example"));
    world.try_apply_as("rival", json!({"command": "set_domain", "host": "q.rival.example"})).unwrap();
    refused(&mut world, foreign, RefusalReason::UnknownDomain);
    assert_eq!(world.apply(faces(&[("outer", 8), ("inner", 9)])).key_space, Some(1));
    let digits = with(open_key_space("d", 1, "single", &[("outer", 99)]), "format", json!("digits"));
    world.apply(digits);
    assert_eq!(describe(&world.load().unwrap()), describe(&world.snapshot));
}

#[test]
fn the_counting_face_is_inner_if_there_are_both_and_levels_above_box_never_count() {
    let mut world = World::furnished();
    world.apply(open_key_space("single", 1, "single", &[("outer", 20)]));
    let case = with(open_key_space("case", 1, "single", &[("outer", 21)]), "level", json!("case"));
    world.apply(case);
    let domain = world.snapshot.domain_of_host(b"q.acme.example").unwrap();
    let opens = |slot| domain.slot(imp_core::code::Format::Base32, slot).unwrap().opens_sessions;
    assert_eq!([5, 6, 20, 21].map(opens), [false, true, true, false]);
}

#[test]
fn orders_take_contiguous_serials_and_answer_again_alike() {
    let mut world = World::furnished();
    let first = world.apply(issue("o1", 10));
    assert_eq!((first.first_serial, first.quantity, first.changed), (Some(0), Some(10), 10));
    assert_eq!(first.by_state.issued, 10);
    assert_eq!(world.apply(issue("o2", 5)).first_serial, Some(10));
    let watermark = world.snapshot.key_space(0).unwrap().watermark;
    let again = world.apply(issue("o1", 10));
    assert_eq!((again.first_serial, again.changed, again.already), (Some(0), 0, 10));
    assert_eq!(world.snapshot.key_space(0).unwrap().watermark, watermark);
    for (key, value) in [
        ("quantity", json!(11)),
        ("lot", json!("L2")),
        ("product", Value::Null),
        ("expires_at_us", json!(1)),
        ("word_list", json!(1)),
    ] {
        refused(&mut world, with(issue("o1", 10), key, value), RefusalReason::Conflict);
    }
    world.apply(open_key_space("s", 2, "same_serial", &[("outer", 8), ("inner", 9)]));
    assert_eq!(world.apply(issue("o1", 10)).first_serial, Some(0), "also after a renewal");
    let renewed = world.apply(issue("o3", 10));
    assert_eq!((renewed.key_space, renewed.first_serial), (Some(1), Some(0)));
}

#[test]
fn issue_is_checked() {
    let mut world = World::furnished();
    for (key, value, reason) in [
        ("quantity", json!(0), RefusalReason::BadField),
        ("quantity", json!(20_000_001), RefusalReason::BadField),
        ("order", json!(""), RefusalReason::BadField),
        ("order", json!("x".repeat(65)), RefusalReason::BadField),
        ("lot", json!("x".repeat(LOT_BYTES_MAX + 1)), RefusalReason::BadField),
        ("lot", json!("a b"), RefusalReason::BadField),
        ("word_list", json!(9), RefusalReason::BadField),
        ("series", json!("none"), RefusalReason::UnknownSeries),
        ("product", json!("none"), RefusalReason::UnknownProduct),
    ] {
        refused(&mut world, with(issue("o", 1), key, value), reason);
    }
    let report = world.apply(issue(&"x".repeat(64), 20_000_000));
    assert_eq!(report.by_state.issued, 20_000_000);
    world.apply(open_key_space("aliases", 1, "single", &[]));
    refused(&mut world, with(issue("o", 1), "series", json!("aliases")), RefusalReason::WrongSeriesKind);
    world.apply(with(issue("lot", 1), "lot", json!("x".repeat(LOT_BYTES_MAX))));
}

#[test]
fn words_are_skipped_and_the_quantity_is_reached() {
    let mut world = World::furnished();
    let report = world.apply(with(issue("o", 50_000), "word_list", json!(1)));
    let skipped = report.skipped_serials.unwrap();
    assert!(skipped > 0, "some of 100,000 texts spell a word");
    assert_eq!((report.quantity, report.by_state.issued), (Some(50_000), 50_000));
    let order = world.order("o");
    assert_eq!(order.meta.extent.span(), 50_000 + skipped);
    let gap = order.meta.extent.skipped().min().unwrap();
    let code = world.code("o", gap, Face::Inner);
    assert!(world.found(&code).is_none(), "a skipped serial was never issued");
    assert!(world.found(&world.code("o", order.meta.extent.span() - 1, Face::Outer)).is_some());
    let filter = imp_core::code::WordFilter::version(1).unwrap();
    let spells = |index, face| filter.matches(world.code("o", index, face).as_bytes());
    let any_face = |index| spells(index, Face::Outer) || spells(index, Face::Inner);
    for index in 0..order.meta.extent.span() {
        assert_eq!(any_face(index), !order.meta.extent.contains(index), "index {index}");
    }
    let upper = world.apply(change("activate", json!({"order": "o", "first": gap - 1, "count": 2})));
    assert_eq!(upper.changed, 2, "a range counts codes, not serials");
    assert_eq!(world.order("o").lifecycle(gap + 1), Lifecycle::Active);
    assert_eq!(world.apply(change("activate", json!({"order": "o"}))).by_state.active, 50_000);
    assert_eq!(describe(&world.load().unwrap()), describe(&world.snapshot));
}

#[test]
fn codes_that_could_be_guessed_are_warned_about() {
    let mut world = World::furnished();
    let digits = with(open_key_space("d", 1, "single", &[("outer", 1)]), "format", json!("digits"));
    world.apply(digits);
    // 10^17 bodies: up to 10^11 serials, 5,000 full orders, a guess hits at most once in a million.
    for number in 0..=5_000 {
        let order = with(issue(&format!("o{number}"), 20_000_000), "series", json!("d"));
        let warnings = world.apply(order).warnings;
        assert_eq!(warnings.is_empty(), number < 5_000, "order {number}: {warnings:?}");
    }
}

#[test]
fn imported_texts_become_items() {
    let mut world = World::furnished();
    world.apply(open_key_space("old", 1, "single", &[]));
    let import = |order: &str, texts: Value| {
        let head = json!({"command": "import_aliases", "order": order, "series": "old", "product": "tea"});
        with(head, "texts", texts)
    };
    let report = world.apply(import("i1", json!([" E280-1 ", "urn:epc:id:sgtin:1"])));
    assert_eq!((report.changed, report.quantity, report.first_serial), (2, Some(2), Some(0)));
    let found = world.found("E280-1").unwrap();
    assert_eq!((&*found.order.meta.name, found.index), ("i1", 0));
    assert_eq!(world.apply(import("i1", json!(["E280-1", "urn:epc:id:sgtin:1"]))).already, 2);
    refused(&mut world, import("i1", json!(["E280-1", "other"])), RefusalReason::Conflict);
    refused(&mut world, import("i2", json!(["x", "E280-1"])), RefusalReason::AliasTaken);
    refused(&mut world, import("i2", json!(["x", " x"])), RefusalReason::AliasTaken);
    refused(&mut world, import("i2", json!(["robots.txt"])), RefusalReason::AliasReserved);
    let folded = with(import("i2", json!(["robots.txt"])), "fold_case", json!(true));
    refused(&mut world, folded.clone(), RefusalReason::AliasReserved);
    refused(&mut world, with(folded, "texts", json!(["Robots.TXT"])), RefusalReason::AliasReserved);
    refused(&mut world, import("i2", json!([])), RefusalReason::BadField);
    let message = refused(&mut world, import("i2", json!(["x", " "])), RefusalReason::BadField);
    assert!(message.contains("text 1"), "{message}");
    world.apply(issue("o", 1));
    let own = world.code("o", 0, Face::Outer);
    refused(&mut world, import("i2", json!([own])), RefusalReason::AliasTaken);
    let into_keys = with(import("i2", json!(["x"])), "series", json!("s"));
    refused(&mut world, into_keys, RefusalReason::WrongSeriesKind);
    world.apply(change("activate", json!({"codes": ["E280-1"]})));
    assert_eq!(world.order("i1").state(0, world.now_us), State::Active);
    let folded = with(import("i3", json!(["abc"])), "fold_case", json!(true));
    world.apply(folded);
    assert!(world.found("ABC").is_some());
}

#[test]
fn lists_of_imported_texts_are_bounded() {
    let mut world = World::furnished();
    world.apply(open_key_space("old", 1, "single", &[]));
    let texts: Vec<String> = (0..100_001).map(|number| format!("T{number}")).collect();
    let import = |texts: &[String]| json!({"command": "import_aliases", "order": "i", "series": "old", "texts": texts});
    refused(&mut world, import(&texts), RefusalReason::BadField);
    refused(&mut world, import(&["x".repeat(65)]), RefusalReason::BadField);
    assert_eq!(world.apply(import(&texts[1..])).changed, 100_000);
    assert_eq!(world.found("T100000").unwrap().index, 99_999);
    let longest = with(import(&["x".repeat(64)]), "order", json!("j"));
    assert_eq!(world.apply(longest).changed, 1);
}

/// The alias table is keyed by hash, so a text that is free as such may still overwrite another one.
#[test]
fn a_text_whose_hash_is_taken_is_refused() {
    let mut world = World::furnished();
    world.apply(open_key_space("old", 1, "single", &[]));
    let import = json!({"command": "import_aliases", "order": "i", "series": "old", "texts": ["x", "y"]});
    let command = Command::from_json(import.to_string().as_bytes()).unwrap();
    let is_taken = |tenant, hash| Ok((tenant, hash) == (world.tenant(), alias_hash(b"y")));
    let stop = plan(&world.context("acme", "e99", &|_, _| Ok(None), &is_taken), &command).unwrap_err();
    let Stop::Refused(refusal) = stop else { panic!("{stop:?}") };
    assert_eq!(refusal.reason, RefusalReason::AliasTaken);
    assert!(refusal.message.contains("text 1: \"y\" has the hash"), "{}", refusal.message);
}
