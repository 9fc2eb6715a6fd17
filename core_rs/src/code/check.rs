//! Check characters: GF(32) for `base32`, Damm for `digits`.

/// Times α in GF(32) = GF(2)[x] / (x⁵ + x² + 1), where α = x generates all 31 units.
const fn times_alpha(value: u8) -> u8 {
    let shifted = value << 1;
    if shifted & 0x20 != 0 { shifted ^ 0x25 } else { shifted }
}

/// Check symbol of a sequence of base 32 values, first symbol first.
///
/// The symbol at distance i before the check weighs αⁱ and the check itself weighs 1, so that the
/// weighted sum of a whole code is zero. All weights of up to 31 symbols differ: every single
/// substitution, every transposition of two symbols and every twin error changes the sum.
#[must_use]
pub fn gf32(symbols: &[u8]) -> u8 {
    symbols.iter().fold(0, |sum, &symbol| times_alpha(sum ^ symbol))
}

/// Share of each 10-bit group (two symbols) of `slot ‖ body` in the check symbol, by position.
static GF32_SHARE: [[u8; 1024]; 7] = {
    let mut table = [[0; 1024]; 7];
    let mut group = 0;
    while group < 7 {
        let mut value = 0;
        while value < 1024 {
            let mut sum = times_alpha(times_alpha((value >> 5) as u8) ^ (value & 31) as u8);
            let mut step = group;
            while step < 6 {
                sum = times_alpha(times_alpha(sum));
                step += 1;
            }
            table[group][value] = sum;
            value += 1;
        }
        group += 1;
    }
    table
};

/// Share of the slot in the check symbol of a base 32 code.
pub(super) fn gf32_slot_share(slot: u16) -> u8 {
    GF32_SHARE[0][usize::from(slot & 1023)]
}

/// Share of the body, given as two halves of 30 bits.
#[inline(always)]
pub(super) fn gf32_body_share(upper: u32, lower: u32) -> u8 {
    let group = |half: u32, shift: u32| ((half >> shift) & 1023) as usize;
    GF32_SHARE[1][group(upper, 20)]
        ^ GF32_SHARE[2][group(upper, 10)]
        ^ GF32_SHARE[3][group(upper, 0)]
        ^ GF32_SHARE[4][group(lower, 20)]
        ^ GF32_SHARE[5][group(lower, 10)]
        ^ GF32_SHARE[6][group(lower, 0)]
}

/// The totally anti-symmetric quasigroup of order 10 from H. M. Damm's thesis
/// (Marburg 2004), in the arrangement with a zero diagonal.
const DAMM: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// Damm check digit of a sequence of decimal digits (values 0–9), first digit first.
///
/// Finds every single substitution and every transposition of neighbours.
#[must_use]
pub fn damm(digits: &[u8]) -> u8 {
    digits.iter().fold(0, |state, &digit| DAMM[usize::from(state)][usize::from(digit)])
}

/// [`DAMM`] applied to two digits at once: `[state * 100 + pair]`.
static DAMM_PAIR: [u8; 1000] = {
    let mut table = [0; 1000];
    let mut index = 0;
    while index < 1000 {
        let first = DAMM[index / 100][index / 10 % 10];
        table[index] = DAMM[first as usize][index % 10];
        index += 1;
    }
    table
};

/// One more digit after `state`.
#[inline(always)]
pub(super) fn damm_digit(state: u8, digit: u32) -> u8 {
    DAMM[usize::from(state)][digit as usize]
}

/// Two more digits (a number below 100) after `state`.
#[inline(always)]
pub(super) fn damm_pair(state: u8, pair: u32) -> u8 {
    DAMM_PAIR[usize::from(state) * 100 + pair as usize]
}
