//! FF1 for any radix: NIST SP 800-38G, algorithms 7 and 8, with exact integer arithmetic.

use super::cipher::{AesCipher, Block, BlockCipher};
use super::feistel::ROUNDS;
use crate::error::{Error, Result};

/// Smallest radix.
pub const RADIX_MIN: u32 = 2;
/// Largest radix.
pub const RADIX_MAX: u32 = 1 << 16;
/// Smallest domain `radix ^ length` (SP 800-38G revision 1).
pub const DOMAIN_MIN: u128 = 1_000_000;
/// Halves must be numbers of at most so many bits, so that sums fit 128-bit arithmetic.
pub const HALF_BITS_MAX: u32 = 127;
/// Longest tweak.
pub const TWEAK_BYTES_MAX: usize = 65_535;

/// FF1 over AES for numerals `0..radix`.
///
/// The codes of this crate use a specialised form ([`super::SlotCipher`]); both are tested equal.
#[derive(Debug, Clone)]
pub struct GeneralFf1 {
    cipher: AesCipher,
    radix: u32,
    tweak: Vec<u8>,
}

/// The quantities of one message length.
struct Shape {
    /// Numerals in the upper half.
    upper_len: usize,
    /// radix ^ u and radix ^ v: moduli of even and odd rounds.
    moduli: [u128; 2],
    /// Bytes of the longer half as a number: b.
    half_bytes: usize,
    /// Bytes of the pseudorandom string that are used: d.
    random_bytes: usize,
    /// P, enciphered together with Q.
    first_block: Block,
}

impl GeneralFf1 {
    /// FF1 under an AES key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for another key length, a radix outside
    /// [`RADIX_MIN`]–[`RADIX_MAX`] or a tweak above [`TWEAK_BYTES_MAX`].
    pub fn new(key: &[u8], radix: u32, tweak: &[u8]) -> Result<Self> {
        if !(RADIX_MIN..=RADIX_MAX).contains(&radix) {
            return Err(Error::invalid("radix", format!("{radix}; accepted are {RADIX_MIN} to {RADIX_MAX}")));
        }
        if tweak.len() > TWEAK_BYTES_MAX {
            return Err(Error::invalid(
                "tweak",
                format!("{} bytes; accepted are up to {TWEAK_BYTES_MAX}", tweak.len()),
            ));
        }
        Ok(Self { cipher: AesCipher::from_bytes(key)?, radix, tweak: tweak.to_vec() })
    }

    /// The radix it was made for.
    #[must_use]
    pub fn radix(&self) -> u32 {
        self.radix
    }

    /// Enciphers numerals, most significant first (algorithm 7).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a numeral not below the radix, a domain below [`DOMAIN_MIN`] or
    /// halves above [`HALF_BITS_MAX`] bits.
    pub fn encrypt(&self, numerals: &[u32]) -> Result<Vec<u32>> {
        let shape = self.shape(numerals)?;
        let (mut upper, mut lower) = self.halves(&shape, numerals);
        for round in 0..ROUNDS {
            let modulus = shape.moduli[usize::from(round % 2)];
            let sum = (upper + self.round_value(&shape, round, lower, modulus)) % modulus;
            (upper, lower) = (lower, sum);
        }
        Ok(self.numerals(&shape, upper, lower, numerals.len()))
    }

    /// Deciphers numerals, most significant first (algorithm 8).
    ///
    /// # Errors
    /// As [`Self::encrypt`].
    pub fn decrypt(&self, numerals: &[u32]) -> Result<Vec<u32>> {
        let shape = self.shape(numerals)?;
        let (mut upper, mut lower) = self.halves(&shape, numerals);
        for round in (0..ROUNDS).rev() {
            let modulus = shape.moduli[usize::from(round % 2)];
            let difference = (lower + modulus - self.round_value(&shape, round, upper, modulus)) % modulus;
            (upper, lower) = (difference, upper);
        }
        Ok(self.numerals(&shape, upper, lower, numerals.len()))
    }

    fn shape(&self, numerals: &[u32]) -> Result<Shape> {
        if let Some(position) = numerals.iter().position(|&numeral| numeral >= self.radix) {
            return Err(Error::invalid(
                "numerals",
                format!(
                    "{} at position {position}; radix {} takes 0 to {}",
                    numerals[position],
                    self.radix,
                    self.radix - 1
                ),
            ));
        }
        let len = numerals.len();
        let upper_len = len / 2;
        let power = |exponent: usize| {
            u32::try_from(exponent).ok().and_then(|exponent| u128::from(self.radix).checked_pow(exponent))
        };
        if power(len).is_some_and(|domain| domain < DOMAIN_MIN) || len < 2 {
            return Err(Error::invalid(
                "numerals",
                format!("{len} of radix {}; radix ^ length must be at least {DOMAIN_MIN}", self.radix),
            ));
        }
        let Some(longer) = power(len - upper_len).filter(|&power| power < 1 << HALF_BITS_MAX) else {
            return Err(Error::invalid(
                "numerals",
                format!("{len} of radix {}; each half must stay below 2^{HALF_BITS_MAX}", self.radix),
            ));
        };
        let shorter = if len.is_multiple_of(2) { longer } else { longer / u128::from(self.radix) };
        // ceil(log2(radix^v)) is the bit length of radix^v - 1; no floating point.
        let half_bits = u128::BITS - (longer - 1).leading_zeros();
        let half_bytes = half_bits.div_ceil(8) as usize;
        let mut first_block = Block::default();
        first_block[..3].copy_from_slice(&[1, 2, 1]);
        first_block[3..6].copy_from_slice(&self.radix.to_be_bytes()[1..]);
        first_block[6] = ROUNDS;
        first_block[7] = upper_len as u8;
        first_block[8..12].copy_from_slice(&(len as u32).to_be_bytes());
        first_block[12..].copy_from_slice(&(self.tweak.len() as u32).to_be_bytes());
        Ok(Shape {
            upper_len,
            moduli: [shorter, longer],
            half_bytes,
            random_bytes: 4 * half_bytes.div_ceil(4) + 4,
            first_block,
        })
    }

    fn halves(&self, shape: &Shape, numerals: &[u32]) -> (u128, u128) {
        let number = |numerals: &[u32]| {
            numerals.iter().fold(0, |number, &numeral| number * u128::from(self.radix) + u128::from(numeral))
        };
        let (upper, lower) = numerals.split_at(shape.upper_len);
        (number(upper), number(lower))
    }

    fn numerals(&self, shape: &Shape, mut upper: u128, mut lower: u128, len: usize) -> Vec<u32> {
        let mut numerals = vec![0; len];
        let (upper_numerals, lower_numerals) = numerals.split_at_mut(shape.upper_len);
        for (number, numerals) in [(&mut upper, upper_numerals), (&mut lower, lower_numerals)] {
            for numeral in numerals.iter_mut().rev() {
                *numeral = (*number % u128::from(self.radix)) as u32;
                *number /= u128::from(self.radix);
            }
        }
        numerals
    }

    /// y mod `modulus`, where y is the number of the first d bytes of the pseudorandom string of
    /// one round (steps 6.i to 6.v).
    fn round_value(&self, shape: &Shape, round: u8, half: u128, modulus: u128) -> u128 {
        let mut message = self.tweak.clone();
        let padded = (message.len() + 1 + shape.half_bytes).next_multiple_of(16);
        message.resize(padded - 1 - shape.half_bytes, 0);
        message.push(round);
        message.extend_from_slice(&half.to_be_bytes()[16 - shape.half_bytes..]);

        let mut state = shape.first_block;
        self.cipher.encrypt_blocks(std::slice::from_mut(&mut state));
        for chunk in message.chunks_exact(16) {
            state.iter_mut().zip(chunk).for_each(|(byte, message)| *byte ^= message);
            self.cipher.encrypt_blocks(std::slice::from_mut(&mut state));
        }

        // d reaches 20 bytes: the string goes on with CIPH(R ⊕ 1), and y outgrows 128 bits.
        let mut random = [0; 32];
        random[..16].copy_from_slice(&state);
        if shape.random_bytes > 16 {
            state[15] ^= 1;
            self.cipher.encrypt_blocks(std::slice::from_mut(&mut state));
            random[16..].copy_from_slice(&state);
        }
        remainder(&random[..shape.random_bytes], modulus)
    }
}

/// The number of `bytes` (most significant first) modulo `modulus` < 2^127.
fn remainder(bytes: &[u8], modulus: u128) -> u128 {
    let (head, tail) = bytes.split_at(bytes.len().min(16));
    let mut value = head.iter().fold(0, |value, &byte| value << 8 | u128::from(byte)) % modulus;
    for &byte in tail {
        for bit in (0..8).rev() {
            // value < 2^127 before, so the doubled value still fits.
            value = (value << 1 | u128::from(byte >> bit & 1)) % modulus;
        }
    }
    value
}
