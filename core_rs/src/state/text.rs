//! Texts prepared once for every answer that will show them.

/// A text with its forms inside JSON and HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedText {
    /// As it was given.
    pub text: Box<str>,
    /// As a JSON string, quotes included.
    pub json: Box<[u8]>,
    /// As HTML text or quoted attribute value.
    pub html: Box<str>,
}

impl PreparedText {
    /// Prepare `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), json: json_text(text).into(), html: html_text(text).into() }
    }
}

/// `text` as a JSON string, quotes included. `<`, `>` and `&` are escaped too, so that the string may stand in a
/// script element as it is.
pub(super) fn json_text(text: &str) -> Vec<u8> {
    let plain = serde_json::to_vec(text).expect("a string always serialises");
    let mut out = Vec::with_capacity(plain.len());
    for byte in plain {
        match byte {
            b'<' => out.extend(b"\\u003c"),
            b'>' => out.extend(b"\\u003e"),
            b'&' => out.extend(b"\\u0026"),
            _ => out.push(byte),
        }
    }
    out
}

/// `null` or the text as a JSON string.
pub(super) fn json_text_or_null(text: Option<&str>) -> Vec<u8> {
    text.map_or_else(|| b"null".to_vec(), json_text)
}

/// `text` with the five characters replaced that mean something in HTML text or quoted attribute values.
pub(super) fn html_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_never_survives() {
        let prepared = PreparedText::new("<b>\"A&B's\"\n");
        assert_eq!(&*prepared.html, "&lt;b&gt;&quot;A&amp;B&#39;s&quot;\n");
        assert_eq!(&*prepared.json, br#""\u003cb\u003e\"A\u0026B's\"\n""#);
        assert_eq!(serde_json::from_slice::<String>(&prepared.json).unwrap(), "<b>\"A&B's\"\n");
    }
}
