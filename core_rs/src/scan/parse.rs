//! From a raw request path to what was scanned: a bare code, a GS1 Digital Link, or neither.
//!
//! The path is read raw and each segment is decoded exactly once, so that no two layers can disagree about
//! where a code begins and ends.

use std::borrow::Cow;

use super::Reason;
use crate::state::{LOT_BYTES_MAX, gtin14_unchecked, is_set_82};

/// First path segments that belong to the control plane and to browsers. Closed: everything else is a scan,
/// so that a mistyped code gets an answer and not a 404. Foreign codes may not be imported under these names.
pub const RESERVED_NAMES: [&str; 20] = [
    ".well-known",
    "admin",
    "api",
    "apple-touch-icon-precomposed.png",
    "apple-touch-icon.png",
    "assets",
    "console",
    "docs",
    "favicon.ico",
    "healthz",
    "login",
    "logout",
    "manifest.json",
    "metrics",
    "openapi.json",
    "readyz",
    "robots.txt",
    "schema",
    "static",
    "v1",
];

/// Longest consumer product variant of AI (22).
const VARIANT_BYTES_MAX: usize = 20;

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route<'p> {
    /// Not a scan: a reserved name, or several segments that are no Digital Link.
    Elsewhere,
    /// A scan.
    Scan(Link<'p>),
    /// A GS1 Digital Link that breaks the standard's syntax; the text says how.
    BadLink(&'static str),
}

/// What a link carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link<'p> {
    /// The scanned text, or why there is none.
    pub code: Result<Cow<'p, [u8]>, Reason>,
    /// GTIN the link claims, 14 digits. Its check digit may be wrong: then it fits no product.
    pub gtin: Option<[u8; 14]>,
    /// Lot the link claims.
    pub lot: Option<Cow<'p, [u8]>>,
}

/// Read a raw path (still percent-encoded; anything from `?` on is ignored).
#[must_use]
pub fn route(raw_path: &[u8]) -> Route<'_> {
    let path = raw_path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let Some(path) = path.strip_prefix(b"/") else { return Route::Elsewhere };
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let mut segments = path.split(|byte| *byte == b'/');
    let first = segments.next().unwrap_or_default();
    if first.is_empty() || is_reserved(first) {
        return Route::Elsewhere;
    }
    match key_position(path) {
        _ if first.len() == path.len() => {
            Route::Scan(Link { code: decode_code(first), gtin: None, lot: None })
        }
        Some(position) => digital_link(&path[position..]),
        None => Route::Elsewhere,
    }
}

/// Is this text a reserved name, in any case of its letters if `fold_case`? Foreign codes of that spelling could
/// never be scanned.
#[must_use]
pub fn is_reserved_name(text: &[u8], fold_case: bool) -> bool {
    let is_same = |name: &str| match fold_case {
        true => name.as_bytes().eq_ignore_ascii_case(text),
        false => name.as_bytes() == text,
    };
    RESERVED_NAMES.into_iter().any(is_same)
}

fn is_reserved(segment: &[u8]) -> bool {
    match decode(segment) {
        Some(decoded) => is_reserved_name(&decoded, false),
        None => false,
    }
}

/// Where the Digital Link's primary key `01` begins; a stem before it is allowed.
fn key_position(path: &[u8]) -> Option<usize> {
    if path.starts_with(b"01/") {
        return Some(0);
    }
    path.windows(4).position(|window| window == b"/01/").map(|slash| slash + 1)
}

/// `01/{gtin}[/22/{variant}][/10/{lot}][/21/{code}]`, GS1 Digital Link Standard: URI Syntax, section 4.
fn digital_link(path: &[u8]) -> Route<'_> {
    let mut segments = path.split(|byte| *byte == b'/').skip(1);
    let Some(gtin) = segments.next().and_then(|gtin| gtin14_unchecked(str::from_utf8(gtin).ok()?)) else {
        return Route::BadLink("After /01/ a GTIN of 8, 12, 13 or 14 digits is expected.");
    };
    let mut link = Link { code: Err(Reason::SerialMissing), gtin: Some(gtin), lot: None };
    let mut rank = 0;
    while let Some(key) = segments.next() {
        let Some(value) = segments.next() else {
            return Route::BadLink("A key at the end of the link has no value.");
        };
        let key_rank = match key {
            b"22" => 1,
            b"10" => 2,
            b"21" => 3,
            _ => return Route::BadLink("After the GTIN only the keys 22, 10 and 21 are known."),
        };
        if key_rank <= rank {
            return Route::BadLink("The keys after the GTIN must come once each, in the order 22, 10, 21.");
        }
        rank = key_rank;
        match key_rank {
            1 if element(value, VARIANT_BYTES_MAX).is_none() => {
                return Route::BadLink("The variant (22) has 1 to 20 characters of GS1 set 82.");
            }
            1 => {}
            2 => match element(value, LOT_BYTES_MAX) {
                Some(lot) => link.lot = Some(lot),
                None => return Route::BadLink("The lot (10) has 1 to 20 characters of GS1 set 82."),
            },
            _ => link.code = decode_code(value),
        }
    }
    Route::Scan(link)
}

/// A value of 1 to `bytes_max` characters of GS1 AI encodable character set 82, decoded.
fn element(segment: &[u8], bytes_max: usize) -> Option<Cow<'_, [u8]>> {
    let decoded = decode(segment)?;
    is_set_82(&decoded, bytes_max).then_some(decoded)
}

/// A scanned text. A slash inside it can only be an attempt to make two layers disagree.
fn decode_code(segment: &[u8]) -> Result<Cow<'_, [u8]>, Reason> {
    let decoded = decode(segment).ok_or(Reason::BadEscape)?;
    if matches!(decoded, Cow::Owned(_)) && decoded.contains(&b'/') {
        return Err(Reason::EncodedSlash);
    }
    Ok(decoded)
}

/// Percent-decode once (RFC 3986, section 2.1); `None` if an escape is broken.
fn decode(segment: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(first) = memchr::memchr(b'%', segment) else { return Some(Cow::Borrowed(segment)) };
    let mut decoded = Vec::with_capacity(segment.len());
    decoded.extend_from_slice(&segment[..first]);
    let mut rest = &segment[first..];
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (&[high, low], after) = rest.split_first_chunk()?;
            decoded.push(hex(high)? << 4 | hex(low)?);
            rest = after;
        } else {
            decoded.push(byte);
        }
    }
    Some(Cow::Owned(decoded))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(code: &[u8]) -> Route<'_> {
        Route::Scan(Link { code: Ok(Cow::Borrowed(code)), gtin: None, lot: None })
    }

    fn failed(reason: Reason) -> Route<'static> {
        Route::Scan(Link { code: Err(reason), gtin: None, lot: None })
    }

    #[test]
    fn one_segment_outside_the_reserved_names_is_a_scan() {
        assert_eq!(route(b"/0ABC"), scan(b"0ABC"));
        assert_eq!(route(b"/0ABC/"), scan(b"0ABC"));
        assert_eq!(route(b"/0ABC?lang=en"), scan(b"0ABC"));
        assert_eq!(route(b"/01"), scan(b"01"));
        assert_eq!(route(b"/.."), scan(b".."));
        assert_eq!(route(b"/V1"), scan(b"V1"));
        assert_eq!(route(b"/A+B%20%43%00"), scan(b"A+B C\0"));
        assert_eq!(route(b"/%252F"), scan(b"%2F"), "decoded once");
        for elsewhere in ["", "/", "//", "x", "/a/b", "//a", "/v1/codes/x", "/v1/01/04006381333931"] {
            assert_eq!(route(elsewhere.as_bytes()), Route::Elsewhere, "{elsewhere}");
        }
        for name in RESERVED_NAMES {
            assert_eq!(route(format!("/{name}").as_bytes()), Route::Elsewhere);
            assert_eq!(route(format!("/{name}/").as_bytes()), Route::Elsewhere);
            assert_eq!(
                route(format!("/%{:02x}{}", name.as_bytes()[0], &name[1..]).as_bytes()),
                Route::Elsewhere
            );
        }
        assert!(RESERVED_NAMES.is_sorted());
        assert!(is_reserved_name(b"robots.txt", false) && !is_reserved_name(b"ROBOTS.TXT", false));
        assert!(is_reserved_name(b"ROBOTS.TXT", true) && !is_reserved_name(b"ROBOTS_TXT", true));
    }

    #[test]
    fn broken_escapes_and_encoded_slashes_are_malformed() {
        for path in ["/%", "/%4", "/%G0", "/A%4/", "/%+1", "/AB%"] {
            assert_eq!(route(path.as_bytes()), failed(Reason::BadEscape), "{path}");
        }
        for path in ["/%2F", "/A%2fB", "/%2f%2F"] {
            assert_eq!(route(path.as_bytes()), failed(Reason::EncodedSlash), "{path}");
        }
    }

    #[test]
    fn a_digital_link_carries_gtin_lot_and_code() {
        let link = |path: &'static str| match route(path.as_bytes()) {
            Route::Scan(link) => (link.code, link.gtin, link.lot),
            other => panic!("{path}: {other:?}"),
        };
        let gtin = Some(*b"04006381333931");
        let code: Result<Cow<'_, [u8]>, Reason> = Ok(Cow::Borrowed(b"C0DE"));
        let lot: Option<Cow<'_, [u8]>> = Some(Cow::Borrowed(b"L-1/a"));
        assert_eq!(link("/01/04006381333931/21/C0DE"), (code.clone(), gtin, None));
        assert_eq!(link("/01/4006381333931/21/C0DE/"), (code.clone(), gtin, None));
        assert_eq!(link("/01/04006381333931/10/L-1%2Fa/21/C0DE"), (code.clone(), gtin, lot.clone()));
        assert_eq!(link("/01/04006381333931/22/V/10/L-1%2Fa/21/C0DE"), (code.clone(), gtin, lot.clone()));
        assert_eq!(link("/shop/x/01/04006381333931/21/C0DE"), (code, gtin, None));
        assert_eq!(link("/01/04006381333931"), (Err(Reason::SerialMissing), gtin, None));
        assert_eq!(link("/01/04006381333931/10/L-1%2Fa"), (Err(Reason::SerialMissing), gtin, lot));
        assert_eq!(link("/01/04006381333931/21/A%2FB").0, Err(Reason::EncodedSlash));
        assert_eq!(link("/01/04006381333931/21/%zz").0, Err(Reason::BadEscape));
        let miskeyed = link("/01/4006381333932/21/C0DE");
        assert_eq!(miskeyed.1, Some(*b"04006381333932"), "a wrong check digit is for the verdict to tell");
    }

    #[test]
    fn a_link_against_the_standard_is_refused() {
        for path in [
            "/01//21/C",
            "/01/04006381333/21/C",
            "/01/040063813339311/21/C",
            "/01/0400638133393a/21/C",
            "/01/%304006381333931/21/C",
            "/01/04006381333931/21/C/10/L",
            "/01/04006381333931/10/L/22/V/21/C",
            "/01/04006381333931/10/L/10/L/21/C",
            "/01/04006381333931/21",
            "/01/04006381333931/17/251231/21/C",
            "/01/04006381333931/10//21/C",
            "/01/04006381333931/10/L%20/21/C",
            "/01/04006381333931/10/L%/21/C",
            "/01/04006381333931/10/123456789012345678901/21/C",
            "/01/04006381333931/22/%7B/21/C",
            "/01/04006381333931/21/C//",
        ] {
            assert!(matches!(route(path.as_bytes()), Route::BadLink(_)), "{path}");
        }
    }

    #[test]
    fn lots_have_up_to_twenty_characters() {
        let path = |len: usize| format!("/01/04006381333931/10/{}/21/C", "L".repeat(len));
        assert!(matches!(route(path(LOT_BYTES_MAX).as_bytes()), Route::Scan(_)));
        assert!(matches!(route(path(LOT_BYTES_MAX + 1).as_bytes()), Route::BadLink(_)));
    }

    proptest! {
        #[test]
        fn any_path_is_survived(path in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = route(&path);
        }

        #[test]
        fn any_link_like_path_is_survived(path in "(/(01|10|21|22|[0-9]{8,14}|[A-Z%0-9]{0,4})){0,9}/?") {
            let _ = route(path.as_bytes());
        }

        #[test]
        fn decoding_undoes_encoding(text in proptest::collection::vec(any::<u8>(), 1..40)) {
            let encoded: String = text.iter().map(|byte| format!("%{byte:02X}")).collect();
            let decoded = decode(encoded.as_bytes());
            prop_assert_eq!(decoded.as_deref(), Some(text.as_slice()));
        }
    }
}
