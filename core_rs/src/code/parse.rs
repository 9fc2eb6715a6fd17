//! From scanned bytes to slot and body: normalise, length, alphabet, check. Never panics.

use super::alphabet::{CROCKFORD, FOREIGN, SEPARATOR, SYMBOL_OF};
use super::check;
use super::format::{CODE_LEN_MAX, CODE_TEXT_BYTES_MAX, CodeText, Format};

/// A text that is well formed and whose check character fits. Whether anybody issued it is
/// decided by decryption ([`super::SlotCipher::decrypt`]) and the watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed {
    /// How it is written.
    pub format: Format,
    /// Which key it names; below [`Format::slot_count`].
    pub slot: u16,
    /// The enciphered serial; below [`Format::domain`].
    pub body: u64,
    /// The text without separators, in canonical characters.
    pub text: CodeText,
}

/// Why a text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseFailure {
    /// Not written like any code.
    Malformed(MalformedWhy),
    /// Written like a code, but the check character does not fit: look again.
    Mistyped {
        /// The format its length and alphabet fit.
        format: Format,
        /// The text as it was understood.
        text: CodeText,
    },
}

/// What a malformed text lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MalformedWhy {
    /// No characters besides separators.
    Empty,
    /// More than [`CODE_TEXT_BYTES_MAX`] bytes.
    TooLong,
    /// Neither 15 nor 20 characters.
    Length,
    /// A character outside the alphabet of the format that has this length.
    Alphabet,
}

/// Reads a code: ignores case, spaces and hyphens, reads O as 0 and I or L as 1, then looks at
/// length, alphabet and check character, in this order. A wrong check is never corrected.
///
/// # Errors
/// [`ParseFailure`], as a value: any bytes may be given.
pub fn parse(text: &[u8]) -> Result<Parsed, ParseFailure> {
    if text.len() > CODE_TEXT_BYTES_MAX {
        return Err(ParseFailure::Malformed(MalformedWhy::TooLong));
    }
    let mut symbols = [0; CODE_LEN_MAX];
    let mut len = 0;
    let mut seen = 0;
    for &byte in text {
        let symbol = SYMBOL_OF[usize::from(byte)];
        if symbol == SEPARATOR {
            continue;
        }
        if len < CODE_LEN_MAX {
            symbols[len] = symbol;
        }
        seen |= symbol;
        len += 1;
    }
    let format = match len {
        0 => return Err(ParseFailure::Malformed(MalformedWhy::Empty)),
        15 => Format::Base32,
        20 => Format::Digits,
        _ => return Err(ParseFailure::Malformed(MalformedWhy::Length)),
    };
    let foreign = match format {
        Format::Base32 => seen & FOREIGN != 0,
        Format::Digits => symbols.iter().any(|&symbol| symbol > 9),
    };
    if foreign {
        return Err(ParseFailure::Malformed(MalformedWhy::Alphabet));
    }
    let (slot, body, fits) = match format {
        Format::Base32 => read_base32(&symbols),
        Format::Digits => read_digits(&symbols),
    };
    let text = text_of(&symbols, len);
    if fits { Ok(Parsed { format, slot, body, text }) } else { Err(ParseFailure::Mistyped { format, text }) }
}

fn text_of(symbols: &[u8; CODE_LEN_MAX], len: usize) -> CodeText {
    let mut bytes = [0; CODE_LEN_MAX];
    for (byte, &symbol) in bytes.iter_mut().zip(&symbols[..len]) {
        *byte = CROCKFORD[usize::from(symbol & 31)];
    }
    CodeText::new(bytes, len)
}

/// Slot, body and whether the check symbol fits.
fn read_base32(symbols: &[u8; CODE_LEN_MAX]) -> (u16, u64, bool) {
    let number = |range: std::ops::Range<usize>| {
        symbols[range].iter().fold(0u32, |number, &symbol| number << 5 | u32::from(symbol))
    };
    let (slot, upper, lower) = (number(0..2) as u16, number(2..8), number(8..14));
    let check = check::gf32_slot_share(slot) ^ check::gf32_body_share(upper, lower);
    (slot, u64::from(upper) << 30 | u64::from(lower), check == symbols[14])
}

/// Slot, body and whether the check digit fits; two digits per step.
fn read_digits(symbols: &[u8; CODE_LEN_MAX]) -> (u16, u64, bool) {
    let mut pairs = [0; CODE_LEN_MAX / 2];
    for (pair, digits) in pairs.iter_mut().zip(symbols.chunks_exact(2)) {
        *pair = u32::from(digits[0]) * 10 + u32::from(digits[1]);
    }
    let state = pairs.iter().fold(0, |state, &pair| check::damm_pair(state, pair));
    let body = pairs[1..9].iter().fold(0, |body, &pair| body * 100 + u64::from(pair));
    (pairs[0] as u16, body * 10 + u64::from(symbols[18]), state == 0)
}
