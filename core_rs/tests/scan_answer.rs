//! Goal: answers are exact, valid in every state and safe with any text. Method: exact bytes for known outcomes,
//! then every verdict × state × language × role through a JSON parser and a tag balance check.

use std::sync::Arc;

use imp_core::code::{Face, Format, Key, SlotCipher};
use imp_core::scan::{Lang, Outcome, Reason, Reasons, Role, ScannedText, Verdict, html_answer, json_answer};
use imp_core::state::{
    Extent, Fragments, Hold, HoldKind, ItemSet, Order, OrderMeta, PreparedText, SetProduct,
};
use proptest::prelude::*;
use serde_json::Value;

const FIRST_AT_US: i64 = 1_767_323_045_678_901;

fn product(name: &str, link: &str) -> SetProduct {
    SetProduct {
        product: "p".into(),
        gtin: Some("6901028075831".into()),
        name: name.into(),
        brand: Some(name.into()),
        link: Some(link.into()),
        ..SetProduct::default()
    }
}

fn order(product: &SetProduct, lot: Option<&str>) -> Order {
    let meta = OrderMeta {
        id: 1,
        tenant: 1,
        name: "order".into(),
        key_space: 1,
        product: None,
        lot: lot.map(Into::into),
        first: 0,
        extent: Extent::dense(10),
        expires_at_us: None,
        issued_at_us: 0,
        word_list: 0,
        texts_sha256: None,
    };
    Order::new(meta, Arc::new(Fragments::of(product)))
}

fn recalled(order: &Order, instructions: &str) -> Order {
    let hold = Hold {
        id: "h".into(),
        kind: HoldKind::Recall,
        at_us: 1,
        reason: "r".into(),
        instructions: Some(PreparedText::new(instructions)),
        items: ItemSet::All,
    };
    order.held(hold).0
}

fn code() -> ScannedText {
    let cipher = SlotCipher::new(Format::Base32, 5, &Key::from_bytes(&[9; 16]).unwrap()).unwrap();
    ScannedText::Code(cipher.encode(1))
}

fn first_check(order: Order) -> Outcome {
    Outcome {
        verdict: Verdict::Genuine,
        reasons: Reasons::new(),
        is_first: Some(true),
        scans: Some(1),
        first_at_us: Some(FIRST_AT_US),
        recorded: true,
        code: code(),
        face: Some(Face::Outer),
        order: Some(Arc::new(order)),
        index: 3,
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_first_check_is_these_bytes() {
    let outcome = first_check(order(&product("Tea", "https://x.example"), Some("L1")));
    let ScannedText::Code(code) = outcome.code else { panic!() };
    assert_eq!(
        text(json_answer(&outcome, Lang::En, Role::Consumer)),
        format!(
            r#"{{"verdict":"genuine","reasons":[],"is_first":true,"scans":1,"first_at":"2026-01-02T03:04:05.678Z","recorded":true,"code":"{}","product":{{"gtin":"6901028075831","name":"Tea","brand":"Tea"}},"lot":"L1","message":"This item is genuine and this is its first check."}}"#,
            code.as_str()
        )
    );
}

#[test]
fn a_malformed_text_is_these_bytes() {
    let outcome = Outcome::without_item(Verdict::Malformed, Reason::Length, ScannedText::None);
    assert_eq!(
        text(json_answer(&outcome, Lang::En, Role::Consumer)),
        r#"{"verdict":"malformed","reasons":["length"],"is_first":null,"scans":null,"first_at":null,"recorded":false,"code":null,"product":null,"lot":null,"message":"This is not a complete product code. Please look again."}"#
    );
}

#[test]
fn only_risk_reads_why_a_code_is_unknown() {
    let answers = |role: Role| {
        [Reason::SlotUnknown, Reason::SerialNotIssued].map(|reason| {
            text(json_answer(&Outcome::without_item(Verdict::Unknown, reason, code()), Lang::Zh, role))
        })
    };
    for role in Role::ALL {
        let [foreign, forged] = answers(role);
        if role == Role::Risk {
            assert!(foreign.contains(r#""reasons":["slot_unknown"]"#), "{foreign}");
            assert!(forged.contains(r#""reasons":["serial_not_issued"]"#), "{forged}");
        } else {
            assert_eq!(foreign, forged, "{role:?} can tell a slot that exists");
            assert!(foreign.contains(r#""reasons":[],"#));
        }
    }
}

#[test]
fn an_unrecorded_scan_is_a_valid_code_and_never_a_first_check() {
    for (verdict, reason) in [(Verdict::Genuine, None), (Verdict::Repeat, Some(Reason::CheckedBefore))] {
        let mut outcome = first_check(order(&product("Tea", "https://x.example"), Some("L1")));
        outcome.verdict = verdict;
        outcome.reasons = reason.map(Reasons::from).unwrap_or_default();
        outcome.reasons.push(Reason::NotRecorded);
        outcome.is_first = None;
        outcome.recorded = false;
        let json: Value = serde_json::from_slice(&json_answer(&outcome, Lang::En, Role::Consumer)).unwrap();
        assert_eq!(json["recorded"], false);
        assert_eq!(json["is_first"], Value::Null);
        assert!(json["message"].as_str().unwrap().starts_with("Valid code"));
        let page = text(html_answer(&outcome, Lang::Zh, 480));
        assert!(page.contains("编码有效") && !page.contains("首次") && !page.contains("正品"), "{page}");
    }
    let lost = Outcome::without_item(Verdict::Unknown, Reason::NotRecorded, ScannedText::None);
    assert!(text(json_answer(&lost, Lang::En, Role::Consumer)).contains("cannot be confirmed at the moment"));
}

#[test]
fn a_recall_tells_its_instructions() {
    let base = order(&product("Tea", "https://x.example"), None);
    let mut outcome = first_check(recalled(&base, "Bring it \"back\"\n<now>"));
    outcome.verdict = Verdict::Recalled;
    outcome.reasons = Reason::UnderRecall.into();
    let json: Value = serde_json::from_slice(&json_answer(&outcome, Lang::En, Role::Consumer)).unwrap();
    assert!(json["message"].as_str().unwrap().ends_with("stop using it. Bring it \"back\"\n<now>"));
    let page = text(html_answer(&outcome, Lang::En, 480));
    assert!(page.contains("Bring it &quot;back&quot;\n&lt;now&gt;"));
    outcome.verdict = Verdict::Frozen;
    assert!(!text(html_answer(&outcome, Lang::En, 480)).contains("Bring it"), "only while recalled");
}

#[test]
fn codes_are_shown_in_groups_of_four() {
    let outcome = first_check(order(&product("Tea", "https://x.example"), None));
    let ScannedText::Code(code) = outcome.code else { panic!() };
    let grouped = code.grouped(' ');
    assert_eq!(grouped.matches(' ').count(), 3);
    assert!(
        text(html_answer(&outcome, Lang::En, 480)).contains(&format!("<p translate=\"no\">{grouped}</p>"))
    );
}

#[test]
fn times_are_shown_in_the_chosen_zone() {
    let outcome = first_check(order(&product("Tea", "https://x.example"), None));
    let at = |offset| text(html_answer(&outcome, Lang::En, offset));
    let shown = |local: &str, zone: &str| {
        format!("<time datetime=\"2026-01-02T03:04:05.678Z\">{local}</time><small>{zone}</small>")
    };
    assert!(at(480).contains(&shown("2026-01-02 11:04", "UTC+8")));
    assert!(at(0).contains(&shown("2026-01-02 03:04", "UTC")));
}

/// Every combination of what an outcome can say.
fn all_outcomes() -> Vec<Outcome> {
    let base = order(&product("茶 & <Tea>", "https://x.example/?a=\"b'"), Some("L<1>"));
    let shown = Arc::new(recalled(&base, "<i>"));
    let mut outcomes = Vec::new();
    for verdict in Verdict::ALL {
        for reason in std::iter::once(None).chain(Reason::ALL.into_iter().map(Some)) {
            for bits in 0..8u8 {
                outcomes.push(Outcome {
                    verdict,
                    reasons: reason.map(Reasons::from).unwrap_or_default(),
                    is_first: [None, Some(false), Some(true)][usize::from(bits % 3)],
                    scans: (bits & 1 != 0).then_some(u32::MAX),
                    first_at_us: (bits & 2 != 0).then_some(FIRST_AT_US),
                    recorded: bits & 4 != 0,
                    code: if bits & 1 != 0 {
                        code()
                    } else {
                        ScannedText::Alias(b"<a>&\"'\x07\xff"[..].into())
                    },
                    face: None,
                    order: (bits & 2 != 0).then(|| Arc::clone(&shown)),
                    index: 0,
                });
            }
        }
    }
    outcomes
}

#[test]
fn every_answer_is_json_with_the_same_keys() {
    let keys = "verdict reasons is_first scans first_at recorded code product lot message";
    for outcome in all_outcomes() {
        for lang in [Lang::Zh, Lang::En] {
            let answer = text(json_answer(&outcome, lang, Role::Risk));
            let json: Value =
                serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
            assert_eq!(json.as_object().unwrap().len(), keys.split(' ').count());
            let places: Vec<_> =
                keys.split(' ').map(|key| answer.find(&format!("\"{key}\":")).unwrap()).collect();
            assert!(places.is_sorted(), "{answer}");
        }
    }
}

#[test]
fn every_page_is_balanced_and_accuses_nobody() {
    for outcome in all_outcomes() {
        for lang in [Lang::Zh, Lang::En] {
            let page = text(html_answer(&outcome, lang, 480));
            assert_balanced(&page);
            assert_eq!(page.matches("<h1>").count(), 1);
            assert!(page.contains(&format!("<html lang=\"{}\">", lang.tag())));
            for absent in ["<script", "<i>", "<a>&", "{{", "}}", "假", "伪", "fake", "\u{7}", "<dl></dl>"] {
                assert!(!page.contains(absent), "{absent} in {page}");
            }
        }
    }
}

/// Tags open and close in order; attribute values are quoted; no stray angle bracket.
fn assert_balanced(page: &str) {
    const VOID: [&str; 5] = ["meta", "link", "!doctype", "path", "circle"];
    let mut open: Vec<&str> = Vec::new();
    let (before_style, rest) = page.split_once("<style>").unwrap();
    let (_, after_style) = rest.split_once("</style>").unwrap();
    for part in [before_style, after_style] {
        for piece in part.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("{piece}"));
            assert!(!text.contains('>'), "{piece}");
            assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
            let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "{page}");
            } else if !VOID.contains(&name) {
                open.push(name);
            }
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

proptest! {
    #[test]
    fn any_text_is_escaped(
        name in "\\PC{1,40}",
        alias in proptest::collection::vec(any::<u8>(), 1..40),
        at in any::<i64>(),
    ) {
        let mut outcome = first_check(recalled(&order(&product(&name, &name), Some(&name)), &name));
        outcome.code = ScannedText::Alias(alias.into());
        outcome.first_at_us = Some(at);
        for verdict in [Verdict::Genuine, Verdict::Recalled] {
            outcome.verdict = verdict;
            assert_balanced(&text(html_answer(&outcome, Lang::Zh, 480)));
            let json: Value = serde_json::from_slice(&json_answer(&outcome, Lang::Zh, Role::Consumer)).unwrap();
            prop_assert_eq!(&json["product"]["name"], &Value::String(name.clone()));
            prop_assert_eq!(&json["lot"], &Value::String(name.clone()));
        }
    }
}
