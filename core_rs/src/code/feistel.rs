//! FF1 for the two formats: the general algorithm of `ff1.rs` with every constant folded.
//!
//! NIST SP 800-38G, algorithm 7, for a tweak of 7 bytes and halves below 2³²: b = 4, d = 8, so each
//! round enciphers one block `CIPH(P) ⊕ Q` and uses its first 8 bytes. Ten blocks per code.

use super::cipher::{Block, BlockCipher};
use super::format::Format;

/// Rounds of FF1.
pub(super) const ROUNDS: u8 = 10;

/// First bytes of every tweak; the format id and the slot follow.
const TWEAK_PREFIX: &[u8; 4] = b"imp1";

/// The arithmetic of one format: how a number splits into halves and how halves add.
pub(super) trait Halves {
    /// Upper and lower half of a number of the domain.
    fn split(number: u64) -> (u32, u32);
    /// The number of two halves.
    fn join(upper: u32, lower: u32) -> u64;
    /// `(half + y) mod radix^m`, where m belongs to the round.
    fn add(round: u8, half: u32, y: u64) -> u32;
    /// `(half - y) mod radix^m`, where m belongs to the round.
    fn sub(round: u8, half: u32, y: u64) -> u32;
}

/// 32⁶ on both sides.
pub(super) struct Base32Halves;

/// 30 bits: 32⁶ − 1.
const BASE32_HALF_MASK: u32 = (1 << 30) - 1;

impl Halves for Base32Halves {
    #[inline(always)]
    fn split(number: u64) -> (u32, u32) {
        ((number >> 30) as u32 & BASE32_HALF_MASK, number as u32 & BASE32_HALF_MASK)
    }

    #[inline(always)]
    fn join(upper: u32, lower: u32) -> u64 {
        u64::from(upper) << 30 | u64::from(lower)
    }

    #[inline(always)]
    fn add(_round: u8, half: u32, y: u64) -> u32 {
        half.wrapping_add(y as u32) & BASE32_HALF_MASK
    }

    #[inline(always)]
    fn sub(_round: u8, half: u32, y: u64) -> u32 {
        half.wrapping_sub(y as u32) & BASE32_HALF_MASK
    }
}

/// 10⁸ above (u = 8), 10⁹ below (v = 9).
pub(super) struct DigitsHalves;

/// 10⁸, the modulus of even rounds.
pub(super) const DIGITS_UPPER: u64 = 100_000_000;
/// 10⁹, the modulus of odd rounds.
pub(super) const DIGITS_LOWER: u64 = 1_000_000_000;

impl Halves for DigitsHalves {
    #[inline(always)]
    fn split(number: u64) -> (u32, u32) {
        ((number / DIGITS_LOWER) as u32, (number % DIGITS_LOWER) as u32)
    }

    #[inline(always)]
    fn join(upper: u32, lower: u32) -> u64 {
        u64::from(upper) * DIGITS_LOWER + u64::from(lower)
    }

    #[inline(always)]
    fn add(round: u8, half: u32, y: u64) -> u32 {
        let (modulus, y) = digits_round(round, y);
        let sum = half + y;
        if sum >= modulus { sum - modulus } else { sum }
    }

    #[inline(always)]
    fn sub(round: u8, half: u32, y: u64) -> u32 {
        let (modulus, y) = digits_round(round, y);
        if half >= y { half - y } else { half + modulus - y }
    }
}

/// The modulus of a round and `y` reduced by it; a constant in both branches, so no division.
#[inline(always)]
fn digits_round(round: u8, y: u64) -> (u32, u32) {
    if round.is_multiple_of(2) {
        (DIGITS_UPPER as u32, (y % DIGITS_UPPER) as u32)
    } else {
        (DIGITS_LOWER as u32, (y % DIGITS_LOWER) as u32)
    }
}

/// The tweak of a slot: it binds the permutation to format and slot, also under a shared key.
pub(super) fn tweak(format: Format, slot: u16) -> [u8; 7] {
    let [a, b, c, d] = *TWEAK_PREFIX;
    let [high, low] = slot.to_be_bytes();
    [a, b, c, d, format.id(), high, low]
}

/// What all codes of a slot share: `CIPH(P) ⊕ Q` for round 0 and half 0.
#[derive(Clone)]
pub(super) struct RoundBase {
    head: [u8; 8],
    tail: u64,
}

impl RoundBase {
    pub(super) fn new(format: Format, slot: u16, cipher: &impl BlockCipher) -> Self {
        let tweak = tweak(format, slot);
        let len = format.body_len() as u32;
        let mut block = Block::default();
        // P = 1 ‖ 2 ‖ 1 ‖ radix (3) ‖ 10 ‖ u mod 256 ‖ n (4) ‖ t (4)
        block[..3].copy_from_slice(&[1, 2, 1]);
        block[3..6].copy_from_slice(&format.radix().to_be_bytes()[1..]);
        block[6] = ROUNDS;
        block[7] = (len / 2) as u8;
        block[8..12].copy_from_slice(&len.to_be_bytes());
        block[12..].copy_from_slice(&(tweak.len() as u32).to_be_bytes());
        cipher.encrypt_blocks(std::slice::from_mut(&mut block));
        // Q = tweak (7) ‖ 0 (4) ‖ round (1) ‖ half (4); round and half follow per block.
        for (byte, tweak_byte) in block.iter_mut().zip(tweak) {
            *byte ^= tweak_byte;
        }
        let (head, tail) = block.split_at(8);
        Self {
            head: head.try_into().expect("a block has 16 bytes"),
            tail: u64::from_be_bytes(tail.try_into().expect("a block has 16 bytes")),
        }
    }

    #[inline(always)]
    fn fill(&self, block: &mut Block, round: u8, half: u32) {
        let tail = self.tail ^ (u64::from(round) << 32 | u64::from(half));
        block[..8].copy_from_slice(&self.head);
        block[8..].copy_from_slice(&tail.to_be_bytes());
    }
}

#[inline(always)]
fn first_half(block: &Block) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&block[..8]);
    u64::from_be_bytes(bytes)
}

/// Many numbers side by side, `N` at most, as upper and lower halves.
pub(super) struct Lanes<const N: usize> {
    pub(super) upper: [u32; N],
    pub(super) lower: [u32; N],
    blocks: [Block; N],
}

impl<const N: usize> Lanes<N> {
    pub(super) fn new() -> Self {
        Self { upper: [0; N], lower: [0; N], blocks: [Block::default(); N] }
    }

    /// Enciphers the first `count` numbers (algorithm 7).
    #[inline(always)]
    pub(super) fn encrypt<H: Halves>(&mut self, base: &RoundBase, cipher: &impl BlockCipher, count: usize) {
        for round in 0..ROUNDS {
            let (blocks, upper, lower) =
                (&mut self.blocks[..count], &mut self.upper[..count], &mut self.lower[..count]);
            for (block, &half) in blocks.iter_mut().zip(lower.iter()) {
                base.fill(block, round, half);
            }
            cipher.encrypt_blocks(blocks);
            for ((block, upper), lower) in blocks.iter().zip(upper).zip(lower) {
                let sum = H::add(round, *upper, first_half(block));
                *upper = *lower;
                *lower = sum;
            }
        }
    }

    /// Deciphers the first `count` numbers (algorithm 8).
    #[inline(always)]
    pub(super) fn decrypt<H: Halves>(&mut self, base: &RoundBase, cipher: &impl BlockCipher, count: usize) {
        for round in (0..ROUNDS).rev() {
            let (blocks, upper, lower) =
                (&mut self.blocks[..count], &mut self.upper[..count], &mut self.lower[..count]);
            for (block, &half) in blocks.iter_mut().zip(upper.iter()) {
                base.fill(block, round, half);
            }
            cipher.encrypt_blocks(blocks);
            for ((block, upper), lower) in blocks.iter().zip(upper).zip(lower) {
                let difference = H::sub(round, *lower, first_half(block));
                *lower = *upper;
                *upper = difference;
            }
        }
    }
}
