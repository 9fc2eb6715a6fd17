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

/// `text` as a JSON string, quotes included.
pub(super) fn json_text(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    push_json(&mut out, text);
    out.push(b'"');
    out
}

/// `null` or the text as a JSON string.
pub(super) fn json_text_or_null(text: Option<&str>) -> Vec<u8> {
    text.map_or_else(|| b"null".to_vec(), json_text)
}

fn html_text(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    push_html(&mut out, text);
    String::from_utf8(out).expect("only whole ASCII characters are replaced")
}

/// Append `text` as the inside of a JSON string (RFC 8259, section 7). `<`, `>` and `&` are escaped too, so that the
/// string may stand in a script element as it is.
pub(crate) fn push_json(out: &mut Vec<u8>, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            0..=0x1f | b'<' | b'>' | b'&' => {
                out.extend(b"\\u00");
                out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
}

/// Append `text` as HTML text or quoted attribute value: the five characters that mean something there are replaced,
/// control characters other than line feed and tab are left out.
pub(crate) fn push_html(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'&' => out.extend(b"&amp;"),
            b'<' => out.extend(b"&lt;"),
            b'>' => out.extend(b"&gt;"),
            b'"' => out.extend(b"&quot;"),
            b'\'' => out.extend(b"&#39;"),
            b'\n' | b'\t' => out.push(byte),
            0..=0x1f | 0x7f => {}
            _ => out.push(byte),
        }
    }
}

/// The longest beginning of `text` that has at most `bytes_max` bytes and ends between characters.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
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

    #[test]
    fn every_control_character_is_escaped_in_json_and_dropped_from_html() {
        let text: String = (0..=0x7fu8).map(char::from).collect::<String>() + "é茶";
        let prepared = PreparedText::new(&text);
        assert_eq!(serde_json::from_slice::<String>(&prepared.json).unwrap(), text);
        assert!(prepared.json.iter().all(|byte| *byte > 0x1f && !b"<>&".contains(byte)));
        assert!(prepared.html.chars().all(|character| !character.is_control() || "\n\t".contains(character)));
        assert!(prepared.html.ends_with("é茶"));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(
            [cut("a茶b", 0), cut("a茶b", 3), cut("a茶b", 4), cut("a茶b", 9)],
            ["", "a", "a茶", "a茶b"]
        );
    }
}
