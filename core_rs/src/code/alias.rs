//! Foreign codes and other carriers: texts that stand for an item without being our codes.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};

/// Longest foreign text, after trimming.
pub const ALIAS_TEXT_BYTES_MAX: usize = 64;

/// XXH3-128 (seed 0) of a normalised foreign text: the key of the alias table. The full text is
/// stored beside it, so that a collision can never answer for another item.
#[must_use]
pub fn alias_hash(normalised: &[u8]) -> u128 {
    xxh3_128(normalised)
}

/// The form in which a foreign text is stored and looked up: without ASCII white space around it
/// and, where its set says so, with ASCII letters in upper case. Nothing else is folded.
///
/// # Errors
/// [`Error::InvalidInput`] if nothing remains, more than [`ALIAS_TEXT_BYTES_MAX`] bytes remain, or
/// the text is not UTF-8 without control characters.
pub fn normalise_alias(text: &[u8], fold_case: bool) -> Result<Cow<'_, [u8]>> {
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() {
        return Err(Error::invalid("text", "empty; a foreign code has 1 to 64 bytes"));
    }
    if trimmed.len() > ALIAS_TEXT_BYTES_MAX {
        return Err(Error::invalid(
            "text",
            format!("{} bytes; a foreign code has 1 to {ALIAS_TEXT_BYTES_MAX} bytes", trimmed.len()),
        ));
    }
    let printable = std::str::from_utf8(trimmed).is_ok_and(|text| !text.chars().any(char::is_control));
    if !printable {
        return Err(Error::invalid(
            "text",
            "unprintable; a foreign code is UTF-8 without control characters",
        ));
    }
    if fold_case && trimmed.iter().any(u8::is_ascii_lowercase) {
        return Ok(Cow::Owned(trimmed.to_ascii_uppercase()));
    }
    Ok(Cow::Borrowed(trimmed))
}
