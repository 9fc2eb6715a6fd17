//! The page a person sees: verdict, product, code, what to do. One document, no scripts, nothing fetched.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::device::encode_base64url;
use super::messages::{Finding, Labels, Tone};
use super::time::{push_local, push_offset, push_rfc3339};
use super::{Lang, Outcome};
use crate::state::{Order, ProductTexts, push_html};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// Room for an ordinary page, so that it is written without growing.
const PAGE_BYTES: usize = 8 * 1024;
/// Characters between the spaces of a shown code.
const GROUP: usize = 4;

/// Only the page's own style sheet applies; nothing is loaded, framed, submitted or run.
pub(super) static CONTENT_SECURITY_POLICY: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let mut hash = [0u8; 43];
    encode_base64url(&Sha256::digest(STYLE), &mut hash);
    let hash = String::from_utf8_lossy(&hash).replace('-', "+").replace('_', "/");
    format!(
        "default-src 'none'; style-src 'sha256-{hash}='; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
    .into_bytes()
    .into_boxed_slice()
});

/// The template as (text, name of what follows it).
static PARTS: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let mut parts = Vec::new();
    let mut rest = TEMPLATE;
    while let Some((text, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("the template closes what it opens");
        parts.push((text, name));
        rest = after;
    }
    parts.push((rest, ""));
    parts
});

/// The outcome as a page for a consumer. `offset_minutes` is the offset from UTC in which times are shown.
#[must_use]
pub fn html_answer(outcome: &Outcome, lang: Lang, offset_minutes: i16) -> Vec<u8> {
    let page =
        Page { outcome, lang, offset_minutes, finding: Finding::of(outcome), labels: Labels::of(lang) };
    let mut out = Vec::with_capacity(PAGE_BYTES);
    for (text, name) in PARTS.iter() {
        out.extend_from_slice(text.as_bytes());
        page.push_part(&mut out, name);
    }
    out
}

struct Page<'a> {
    outcome: &'a Outcome,
    lang: Lang,
    offset_minutes: i16,
    finding: Finding,
    labels: &'static Labels,
}

impl Page<'_> {
    fn push_part(&self, out: &mut Vec<u8>, name: &str) {
        let text = self.finding.text(self.lang);
        let other = match self.lang {
            Lang::Zh => Lang::En,
            Lang::En => Lang::Zh,
        };
        let brand = self
            .texts()
            .and_then(|texts| texts.brand.as_ref())
            .map_or(self.labels.service, |brand| &brand.html);
        match name {
            "lang" => push(out, self.lang.tag()),
            "title" => {
                push(out, text.title);
                push(out, " – ");
                push(out, brand);
            }
            "style" => push(out, STYLE),
            "tone" => push(out, tone_class(self.finding.tone())),
            "brand" => push(out, brand),
            "icon" => push(out, icon(self.finding)),
            "heading" => push(out, text.title),
            "lead" => push(out, text.lead),
            "sections" => self.push_sections(out),
            "other_lang" | "other_tag" => push(out, other.tag()),
            "other_language" => push(out, self.labels.other_language),
            _ => debug_assert!(name.is_empty(), "the template names {name}"),
        }
    }

    fn order(&self) -> Option<&Order> {
        self.outcome.order.as_deref()
    }

    /// The product's texts in the page's language.
    fn texts(&self) -> Option<&ProductTexts> {
        let fragments = &self.order()?.fragments;
        Some(match self.lang {
            Lang::Zh => &fragments.texts,
            Lang::En => &fragments.texts_en,
        })
    }

    fn push_sections(&self, out: &mut Vec<u8>) {
        if let Some(instructions) = self.outcome.recall_instructions() {
            push(out, "<section class=\"recall\"><h2>");
            push(out, self.labels.instructions);
            push(out, "</h2><p>");
            push(out, &instructions.html);
            push(out, "</p></section>\n");
        }
        self.push_details(out);
        self.push_code(out);
        self.push_advice(out);
        if let Some(link) = self.order().and_then(|order| order.fragments.link.as_deref()) {
            push(out, "<a class=\"more\" rel=\"noopener noreferrer\" href=\"");
            push_html(out, link);
            push(out, "\">");
            push(out, self.labels.link);
            push(out, "</a>\n");
        }
    }

    /// Product, GTIN, lot, number of checks, first check: what of it is known.
    fn push_details(&self, out: &mut Vec<u8>) {
        let order = self.order();
        let name = self.texts().and_then(|texts| texts.name.as_ref());
        let scans = self.outcome.scans.filter(|scans| *scans > 0);
        let first_at_us = self.outcome.first_at_us.filter(|_| self.outcome.recorded);
        let gtin = order.and_then(|order| order.fragments.gtin.as_deref());
        let lot = order.and_then(|order| order.meta.lot.as_deref());
        if name.is_none() && gtin.is_none() && lot.is_none() && scans.is_none() && first_at_us.is_none() {
            return;
        }
        push(out, "<section aria-label=\"");
        push(out, self.labels.details);
        push(out, "\">");
        if let Some(name) = name {
            push(out, "<h2 class=\"name\">");
            push(out, &name.html);
            push(out, "</h2>");
        }
        push(out, "<dl>");
        for (label, value) in [(self.labels.gtin, gtin), (self.labels.lot, lot)] {
            if let Some(value) = value {
                push_row(out, label, |out| push_html(out, value));
            }
        }
        if let Some(scans) = scans {
            push_row(out, self.labels.scans, |out| push(out, itoa::Buffer::new().format(scans)));
        }
        if let Some(at_us) = first_at_us {
            push_row(out, self.labels.first_at, |out| self.push_time(out, at_us));
        }
        push(out, "</dl></section>\n");
    }

    fn push_time(&self, out: &mut Vec<u8>, at_us: i64) {
        push(out, "<time datetime=\"");
        push_rfc3339(out, at_us);
        push(out, "\">");
        push_local(out, at_us, self.offset_minutes);
        push(out, "</time><small>");
        push_offset(out, self.offset_minutes);
        push(out, "</small>");
    }

    fn push_code(&self, out: &mut Vec<u8>) {
        let code = self.outcome.code.as_bytes();
        if code.is_empty() {
            return;
        }
        push(out, "<section class=\"code\"><h2>");
        push(out, self.labels.code);
        push(out, "</h2><p translate=\"no\">");
        match &self.outcome.code {
            super::ScannedText::Code(_) => {
                for (index, group) in code.chunks(GROUP).enumerate() {
                    push(out, if index == 0 { "" } else { " " });
                    out.extend_from_slice(group);
                }
            }
            _ => push_html(out, &String::from_utf8_lossy(code)),
        }
        push(out, "</p></section>\n");
    }

    fn push_advice(&self, out: &mut Vec<u8>) {
        push(out, "<section><h2>");
        push(out, self.labels.advice);
        push(out, "</h2><ul>");
        for line in self.finding.text(self.lang).advice {
            push(out, "<li>");
            push(out, line);
            push(out, "</li>");
        }
        push(out, "</ul></section>\n");
    }
}

fn push_row(out: &mut Vec<u8>, label: &str, value: impl FnOnce(&mut Vec<u8>)) {
    push(out, "<div><dt>");
    push(out, label);
    push(out, "</dt><dd>");
    value(out);
    push(out, "</dd></div>");
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

const fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Notice => "notice",
        Tone::Calm => "calm",
        Tone::Stop => "stop",
    }
}

/// Drawn on a 48 × 48 plate with strokes only, so that tone and contrast come from the style sheet.
const fn icon(finding: Finding) -> &'static str {
    match finding {
        // A shield with a tick.
        Finding::FirstCheck | Finding::Genuine | Finding::Valid => {
            r#"<path class="plate" d="M24 4l16 6v13c0 10-6.6 17.4-16 21C14.6 40.4 8 33 8 23V10z"/><path d="M16.5 23.5l5.5 5.5 10-11"/>"#
        }
        // A clock whose hand ran back.
        Finding::Repeat | Finding::ValidRepeat => {
            r#"<circle class="plate" cx="24" cy="24" r="20"/><path d="M24 14v10.5l7 4M13.5 20A11 11 0 1 1 13 26M13 14.5V20.5h6"/>"#
        }
        Finding::Suspect | Finding::Unknown => {
            r#"<circle class="plate" cx="24" cy="24" r="20"/><path d="M18.5 19a5.5 5.5 0 1 1 8.3 4.7c-1.8 1.1-2.8 2.1-2.8 4.3M24 33.5v.2"/>"#
        }
        // An hourglass.
        Finding::Inactive => {
            r#"<circle class="plate" cx="24" cy="24" r="20"/><path d="M17 13.5h14M17 34.5h14M18.5 13.5c0 6 5.5 7 5.5 10.5s-5.5 4.5-5.5 10.5M29.5 13.5c0 6-5.5 7-5.5 10.5s5.5 4.5 5.5 10.5"/>"#
        }
        // Two bars.
        Finding::Frozen => {
            r#"<circle class="plate" cx="24" cy="24" r="20"/><path d="M19.5 16.5v15M28.5 16.5v15"/>"#
        }
        // A crossed circle.
        Finding::Void | Finding::Replaced | Finding::Expired => {
            r#"<circle class="plate" cx="24" cy="24" r="20"/><path d="M17.5 17.5l13 13M30.5 17.5l-13 13"/>"#
        }
        // A triangle with an exclamation mark.
        Finding::Recalled => {
            r#"<path class="plate" d="M24 5.5L44 40.5H4z"/><path d="M24 18v11M24 34.5v.2"/>"#
        }
        // A magnifying glass.
        Finding::Mistyped
        | Finding::GtinMismatch
        | Finding::LotMismatch
        | Finding::Malformed
        | Finding::SerialMissing => {
            r#"<circle class="plate" cx="24" cy="24" r="20"/><circle cx="22" cy="22" r="7.5"/><path d="M27.5 27.5L33.5 33.5"/>"#
        }
    }
}
