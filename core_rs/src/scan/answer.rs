//! The JSON answer of a scan: the same bytes at every door.

use super::messages::Finding;
use super::time::push_rfc3339;
use super::{Lang, Outcome, Reasons, Role};
use crate::state::push_json;

/// Room for an ordinary answer, so that it is written without growing.
const ANSWER_BYTES: usize = 512;

/// The answer as JSON. Keys and their order are stable: `verdict, reasons, is_first, scans, first_at, recorded,
/// code, product, lot, message`. The language decides the message and the product's texts, the role which
/// reasons are told.
#[must_use]
pub fn json_answer(outcome: &Outcome, lang: Lang, role: Role) -> Vec<u8> {
    let mut out = Vec::with_capacity(ANSWER_BYTES);
    out.extend_from_slice(b"{\"verdict\":\"");
    out.extend_from_slice(outcome.verdict.name().as_bytes());
    out.extend_from_slice(b"\",\"reasons\":[");
    push_reasons(&mut out, &outcome.reasons, role);
    out.extend_from_slice(b"],\"is_first\":");
    out.extend_from_slice(match outcome.is_first {
        Some(true) => b"true",
        Some(false) => b"false",
        None => b"null",
    });
    out.extend_from_slice(b",\"scans\":");
    match outcome.scans {
        Some(scans) => out.extend_from_slice(itoa::Buffer::new().format(scans).as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"first_at\":");
    match outcome.first_at_us {
        Some(at_us) => {
            out.push(b'"');
            push_rfc3339(&mut out, at_us);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(if outcome.recorded { b",\"recorded\":true" } else { b",\"recorded\":false" });
    out.extend_from_slice(b",\"code\":");
    push_text_or_null(&mut out, outcome.code.as_bytes());
    out.extend_from_slice(b",\"product\":");
    out.extend_from_slice(outcome.order.as_ref().map_or(b"null", |order| match lang {
        Lang::Zh => &order.fragments.product_json,
        Lang::En => &order.fragments.product_json_en,
    }));
    out.extend_from_slice(b",\"lot\":");
    out.extend_from_slice(outcome.order.as_ref().map_or(b"null", |order| order.lot_json()));
    out.extend_from_slice(b",\"message\":\"");
    out.extend_from_slice(Finding::of(outcome).text(lang).lead.as_bytes());
    if let Some([_, instructions @ .., _]) = outcome.recall_instructions().map(|text| &*text.json) {
        out.push(b' ');
        out.extend_from_slice(instructions);
    }
    out.extend_from_slice(b"\"}");
    out
}

fn push_reasons(out: &mut Vec<u8>, reasons: &Reasons, role: Role) {
    let mut separator: &[u8] = b"\"";
    for reason in reasons.iter().filter(|reason| reason.visible_to(role)) {
        out.extend_from_slice(separator);
        out.extend_from_slice(reason.code().as_bytes());
        out.push(b'"');
        separator = b",\"";
    }
}

fn push_text_or_null(out: &mut Vec<u8>, text: &[u8]) {
    if text.is_empty() {
        out.extend_from_slice(b"null");
        return;
    }
    out.push(b'"');
    push_json(out, &String::from_utf8_lossy(text));
    out.push(b'"');
}
