//! What the client wants back: media type and language (RFC 9110, section 12.5).

/// Language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Lang {
    /// Simplified Chinese.
    Zh = 0,
    /// English.
    #[default]
    En = 1,
}

impl Lang {
    /// Tag for `Content-Language` and `lang` attributes (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// From a tag such as `zh`, `zh-Hant-TW` or `EN-gb`: the first subtag decides.
    #[must_use]
    pub fn from_tag(tag: &[u8]) -> Option<Self> {
        let primary = tag.split(|byte| matches!(byte, b'-' | b'_')).next().unwrap_or_default();
        match primary {
            _ if primary.eq_ignore_ascii_case(b"zh") => Some(Self::Zh),
            _ if primary.eq_ignore_ascii_case(b"en") => Some(Self::En),
            _ => None,
        }
    }

    /// From a query such as `a=b&lang=zh`.
    #[must_use]
    pub fn from_query(query: &[u8]) -> Option<Self> {
        query.split(|byte| *byte == b'&').find_map(|pair| Self::from_tag(pair.strip_prefix(b"lang=")?))
    }
}

/// Form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Media {
    /// For programs; the default, also when nothing acceptable is asked for: resolving always answers.
    #[default]
    Json,
    /// For people.
    Html,
}

/// Best weight seen so far for each of two things, in thousandths.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    specificity: u8,
    thousandths: u16,
}

impl Weight {
    fn take(&mut self, specificity: u8, thousandths: u16) {
        if specificity > self.specificity {
            *self = Self { specificity, thousandths };
        }
    }
}

/// The `Accept` lines of one request. HTML wins only when it is named (not by `*/*`) and weighs more than
/// JSON, or as much while JSON is not named: browsers get the page, every program gets JSON.
#[derive(Debug, Clone, Copy, Default)]
pub struct Accept {
    html: Weight,
    json: Weight,
}

impl Accept {
    /// Take in one header line.
    pub fn add(&mut self, line: &[u8]) {
        for entry in line.split(|byte| *byte == b',') {
            let (range, thousandths) = weighted(entry);
            if range.eq_ignore_ascii_case(b"text/html")
                || range.eq_ignore_ascii_case(b"application/xhtml+xml")
            {
                self.html.take(3, thousandths);
            } else if range.eq_ignore_ascii_case(b"text/*") {
                self.html.take(2, thousandths);
            } else if range.eq_ignore_ascii_case(b"application/json") {
                self.json.take(3, thousandths);
            } else if range.eq_ignore_ascii_case(b"application/*") {
                self.json.take(2, thousandths);
            } else if range == b"*/*" {
                self.html.take(1, thousandths);
                self.json.take(1, thousandths);
            }
        }
    }

    /// The form to answer in.
    #[must_use]
    pub fn media(&self) -> Media {
        let html_named = self.html.specificity >= 2 && self.html.thousandths > 0;
        let json_named = self.json.specificity >= 2;
        let (html, json) = (self.html.thousandths, self.json.thousandths);
        if html_named && (html > json || html == json && !json_named) { Media::Html } else { Media::Json }
    }
}

/// The language an `Accept-Language` line prefers among ours; the first of equal weight, English if none.
#[must_use]
pub fn accepted_language(line: &[u8]) -> Lang {
    let mut best = (0, Lang::default());
    for entry in line.split(|byte| *byte == b',') {
        let (tag, thousandths) = weighted(entry);
        if let Some(lang) = Lang::from_tag(tag)
            && thousandths > best.0
        {
            best = (thousandths, lang);
        }
    }
    best.1
}

/// Does this value of `Sec-Purpose` (or of its forerunners `Purpose`, `X-Purpose`, `X-Moz`) announce that
/// nobody looks yet?
#[must_use]
pub fn is_prefetch(value: &[u8]) -> bool {
    value
        .split(|byte| matches!(byte, b';' | b','))
        .map(<[u8]>::trim_ascii)
        .any(|token| [b"prefetch".as_slice(), b"preview"].iter().any(|name| token.eq_ignore_ascii_case(name)))
}

/// An entry of a weighted list: its value and its weight in thousandths, 1000 when none is given.
fn weighted(entry: &[u8]) -> (&[u8], u16) {
    let mut parts = entry.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let value = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
    (value, weight.map_or(1000, thousandths))
}

/// `0`, `0.8`, `1.000` … in thousandths; anything else weighs nothing.
fn thousandths(text: &[u8]) -> u16 {
    match text {
        [b'1'] => 1000,
        [b'1', b'.', zeros @ ..] if zeros.len() <= 3 && zeros.iter().all(|digit| *digit == b'0') => 1000,
        [b'0', b'.', digits @ ..] if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) => {
            let value = digits.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
            value * [1000, 100, 10, 1][digits.len()]
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn media(lines: &[&str]) -> Media {
        let mut accept = Accept::default();
        for line in lines {
            accept.add(line.as_bytes());
        }
        accept.media()
    }

    #[test]
    fn browsers_get_the_page_and_programs_json() {
        let html = [
            "text/html",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html, */*",
            "TEXT/HTML;q=0.9, application/json;q=0.8",
            "application/xhtml+xml",
            "text/*, application/json;q=0.5",
            "text/html;level=1;q=0.4, */*;q=0.1",
        ];
        let json = [
            "",
            "*/*",
            "application/json",
            "application/json, text/html",
            "text/html;q=0.8, application/json;q=0.9",
            "application/json, text/javascript, */*; q=0.01",
            "application/*, text/html",
            "text/html;q=0",
            "text/html;q=0.1, */*;q=0.9",
            "image/png",
            ";;,,=q",
        ];
        for line in html {
            assert_eq!(media(&[line]), Media::Html, "{line}");
        }
        for line in json {
            assert_eq!(media(&[line]), Media::Json, "{line}");
        }
        assert_eq!(media(&["*/*;q=0.1", "text/html"]), Media::Html, "lines add up");
    }

    #[test]
    fn the_heavier_language_wins_and_english_is_the_fallback() {
        for (line, lang) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Lang::Zh),
            ("en-GB,en;q=0.9,zh;q=0.8", Lang::En),
            ("en;q=0.3, zh-Hant-TW;q=0.301", Lang::Zh),
            ("de, fr;q=0.9, zh;q=0.1", Lang::Zh),
            ("zh;q=0, de", Lang::En),
            ("ZH", Lang::Zh),
            ("de", Lang::En),
            ("*", Lang::En),
            ("", Lang::En),
            ("zhuang", Lang::En),
            ("zh;q=2, en;q=0.001", Lang::En),
        ] {
            assert_eq!(accepted_language(line.as_bytes()), lang, "{line}");
        }
        assert_eq!(Lang::from_query(b"x=1&lang=en-GB"), Some(Lang::En));
        assert_eq!(Lang::from_query(b"lang=zh"), Some(Lang::Zh));
        assert_eq!(Lang::from_query(b"lang=de&xlang=zh"), None);
    }

    #[test]
    fn prefetches_are_recognised() {
        for value in ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip", "Prefetch", "preview"]
        {
            assert!(is_prefetch(value.as_bytes()), "{value}");
        }
        for value in ["", "prefetched", "no", "document"] {
            assert!(!is_prefetch(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn weights_are_read_as_rfc_9110_writes_them() {
        for (text, value) in
            [("1", 1000), ("1.000", 1000), ("0.8", 800), ("0.05", 50), ("0.001", 1), ("0.", 0)]
        {
            assert_eq!(thousandths(text.as_bytes()), value, "{text}");
        }
        for text in ["", "1.1", "2", "0.0001", "-1", ".5", "0,5"] {
            assert_eq!(thousandths(text.as_bytes()), 0, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_survived(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut accept = Accept::default();
            accept.add(&line);
            let _ = (accept.media(), accepted_language(&line), is_prefetch(&line), Lang::from_query(&line));
        }
    }
}
