//! The symbols of codes and the tables that turn texts into values and back.

/// Crockford's base 32: digits and upper-case letters without I, L, O and U
/// (<https://www.crockford.com/base32.html>). The index of a symbol is its value.
pub const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Number of clear characters that name the slot.
pub const SLOT_DIGITS_COUNT: usize = 2;

/// [`SYMBOL_OF`]: the byte separates groups and is ignored.
pub(super) const SEPARATOR: u8 = 0x40;
/// [`SYMBOL_OF`]: the byte is in no alphabet.
pub(super) const FOREIGN: u8 = 0x80;

/// Value of every input byte: case is ignored, O reads as 0, I and L as 1.
pub(super) static SYMBOL_OF: [u8; 256] = symbol_table();

const fn symbol_table() -> [u8; 256] {
    let mut table = [FOREIGN; 256];
    let mut value = 0;
    while value < 32 {
        let upper = CROCKFORD[value as usize];
        table[upper as usize] = value;
        table[upper.to_ascii_lowercase() as usize] = value;
        value += 1;
    }
    table[b'O' as usize] = 0;
    table[b'o' as usize] = 0;
    table[b'I' as usize] = 1;
    table[b'i' as usize] = 1;
    table[b'L' as usize] = 1;
    table[b'l' as usize] = 1;
    table[b' ' as usize] = SEPARATOR;
    table[b'-' as usize] = SEPARATOR;
    table
}

/// Both characters of every 10-bit value in base 32.
pub(super) static BASE32_PAIRS: [[u8; 2]; 1024] = {
    let mut table = [[0; 2]; 1024];
    let mut value = 0;
    while value < 1024 {
        table[value] = [CROCKFORD[value >> 5], CROCKFORD[value & 31]];
        value += 1;
    }
    table
};

/// Both characters of every number below 100.
pub(super) static DECIMAL_PAIRS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut value = 0;
    while value < 100 {
        table[value] = [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        value += 1;
    }
    table
};

/// The two characters that name `slot`.
///
/// # Panics
/// If the format has no such slot.
#[must_use]
pub fn slot_text(format: super::Format, slot: u16) -> [u8; SLOT_DIGITS_COUNT] {
    match format {
        super::Format::Base32 => BASE32_PAIRS[usize::from(slot)],
        super::Format::Digits => DECIMAL_PAIRS[usize::from(slot)],
    }
}
