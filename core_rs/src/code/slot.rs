//! One slot's key at work: serial to code and back.

use super::alphabet::{BASE32_PAIRS, CROCKFORD, DECIMAL_PAIRS, slot_text};
use super::check;
use super::cipher::{AesCipher, BlockCipher};
use super::feistel::{Base32Halves, DigitsHalves, Halves, Lanes, RoundBase};
use super::format::{CODE_LEN_MAX, CodeText, Format};
use super::keyring::Key;
use super::parse::{ParseFailure, Parsed, parse};
use crate::error::{Error, Result};

/// Packed result of decoding: not written like a code.
pub const NOT_A_CODE_MALFORMED: u64 = u64::MAX;
/// Packed result of decoding: the check character does not fit.
pub const NOT_A_CODE_MISTYPED: u64 = u64::MAX - 1;
/// Packed result of decoding: a code of another slot or format.
pub const NOT_A_CODE_OTHER_SLOT: u64 = u64::MAX - 2;

/// Why a text has no serial under a slot's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotACode {
    /// Not written like a code.
    Malformed,
    /// The check character does not fit.
    Mistyped,
    /// A code of another slot or format.
    OtherSlot,
}

impl NotACode {
    /// The name used in texts and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            NotACode::Malformed => "malformed",
            NotACode::Mistyped => "mistyped",
            NotACode::OtherSlot => "other_slot",
        }
    }

    /// The value that stands for it among packed serials; above every domain.
    #[must_use]
    pub const fn packed(self) -> u64 {
        match self {
            NotACode::Malformed => NOT_A_CODE_MALFORMED,
            NotACode::Mistyped => NOT_A_CODE_MISTYPED,
            NotACode::OtherSlot => NOT_A_CODE_OTHER_SLOT,
        }
    }
}

/// The meaning of one packed result of [`SlotCipher::decode_packed`].
///
/// # Errors
/// [`NotACode`], as a value.
pub fn unpack_decoded(packed: u64) -> std::result::Result<u64, NotACode> {
    match packed {
        NOT_A_CODE_MALFORMED => Err(NotACode::Malformed),
        NOT_A_CODE_MISTYPED => Err(NotACode::Mistyped),
        NOT_A_CODE_OTHER_SLOT => Err(NotACode::OtherSlot),
        serial => Ok(serial),
    }
}

/// The permutation of one slot: FF1 under its key, with format and slot as tweak.
///
/// Expanding the key costs about a microsecond; share it behind an `Arc`.
#[derive(Clone)]
pub struct SlotCipher<C = AesCipher> {
    format: Format,
    slot: u16,
    pub(super) cipher: C,
    pub(super) base: RoundBase,
    pub(super) frame: Frame,
}

/// What is the same in every code of a slot.
#[derive(Clone)]
pub(super) struct Frame {
    slot_text: [u8; 2],
    check_start: u8,
}

impl SlotCipher {
    /// The cipher of `slot` under an AES `key`.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the format has no such slot.
    pub fn new(format: Format, slot: u16, key: &Key) -> Result<Self> {
        Self::with_cipher(format, slot, AesCipher::new(key))
    }
}

impl<C: BlockCipher> SlotCipher<C> {
    /// The cipher of `slot` over any block cipher.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the format has no such slot.
    pub fn with_cipher(format: Format, slot: u16, cipher: C) -> Result<Self> {
        if slot >= format.slot_count() {
            return Err(Error::invalid(
                "slot",
                format!("{slot}; format {} has slots 0 to {}", format.name(), format.slot_count() - 1),
            ));
        }
        let base = RoundBase::new(format, slot, &cipher);
        let frame = Frame {
            slot_text: slot_text(format, slot),
            check_start: match format {
                Format::Base32 => check::gf32_slot_share(slot),
                Format::Digits => check::damm_pair(0, u32::from(slot)),
            },
        };
        Ok(Self { format, slot, cipher, base, frame })
    }

    /// The format of its codes.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The slot its codes name.
    pub fn slot(&self) -> u16 {
        self.slot
    }

    /// The code of a serial.
    ///
    /// # Panics
    /// If the serial is not below the domain of the format.
    pub fn encode(&self, serial: u64) -> CodeText {
        assert!(serial < self.format.domain(), "serial {serial} is outside the domain");
        let mut text = [0; CODE_LEN_MAX];
        match self.format {
            Format::Base32 => {
                let (upper, lower) = self.encrypt_one::<Base32Halves>(serial);
                self.frame.write_base32(upper, lower, &mut text[..15]);
            }
            Format::Digits => {
                let (upper, lower) = self.encrypt_one::<DigitsHalves>(serial);
                self.frame.write_digits(upper, lower, &mut text);
            }
        }
        CodeText::new(text, self.format.code_len())
    }

    /// The number that a body deciphers to: the serial if somebody issued this code, otherwise a
    /// number anywhere below the domain. The caller compares it with the watermark.
    ///
    /// # Panics
    /// If the body is not below the domain of the format.
    pub fn decrypt(&self, body: u64) -> u64 {
        assert!(body < self.format.domain(), "body {body} is outside the domain");
        match self.format {
            Format::Base32 => self.decrypt_one::<Base32Halves>(body),
            Format::Digits => self.decrypt_one::<DigitsHalves>(body),
        }
    }

    /// Parses and deciphers one text.
    ///
    /// # Errors
    /// [`NotACode`], as a value: any bytes may be given.
    pub fn decode(&self, text: &[u8]) -> std::result::Result<u64, NotACode> {
        self.body_of(text).map(|body| self.decrypt(body))
    }

    #[inline(always)]
    pub(super) fn body_of(&self, text: &[u8]) -> std::result::Result<u64, NotACode> {
        match parse(text) {
            Ok(Parsed { format, slot, body, .. }) if format == self.format && slot == self.slot => Ok(body),
            Ok(_) => Err(NotACode::OtherSlot),
            Err(ParseFailure::Mistyped { .. }) => Err(NotACode::Mistyped),
            Err(ParseFailure::Malformed(_)) => Err(NotACode::Malformed),
        }
    }

    fn encrypt_one<H: Halves>(&self, serial: u64) -> (u32, u32) {
        let mut lane = Lanes::<1>::new();
        (lane.upper[0], lane.lower[0]) = H::split(serial);
        lane.encrypt::<H>(&self.base, &self.cipher, 1);
        (lane.upper[0], lane.lower[0])
    }

    fn decrypt_one<H: Halves>(&self, body: u64) -> u64 {
        let mut lane = Lanes::<1>::new();
        (lane.upper[0], lane.lower[0]) = H::split(body);
        lane.decrypt::<H>(&self.base, &self.cipher, 1);
        H::join(lane.upper[0], lane.lower[0])
    }
}

impl<C> std::fmt::Debug for SlotCipher<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlotCipher")
            .field("format", &self.format)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

impl Frame {
    /// Writes a base 32 code of 15 characters around an enciphered body.
    #[inline(always)]
    pub(super) fn write_base32(&self, upper: u32, lower: u32, text: &mut [u8]) {
        let pair = |half: u32, shift: u32| BASE32_PAIRS[(half >> shift) as usize & 1023];
        let check = self.check_start ^ check::gf32_body_share(upper, lower);
        let text: &mut [u8; 15] = text.try_into().expect("a base32 code has 15 characters");
        text[0..2].copy_from_slice(&self.slot_text);
        text[2..4].copy_from_slice(&pair(upper, 20));
        text[4..6].copy_from_slice(&pair(upper, 10));
        text[6..8].copy_from_slice(&pair(upper, 0));
        text[8..10].copy_from_slice(&pair(lower, 20));
        text[10..12].copy_from_slice(&pair(lower, 10));
        text[12..14].copy_from_slice(&pair(lower, 0));
        text[14] = CROCKFORD[usize::from(check & 31)];
    }

    /// Writes a code of 20 digits around an enciphered body: 8 digits above, 9 below.
    #[inline(always)]
    pub(super) fn write_digits(&self, upper: u32, lower: u32, text: &mut [u8]) {
        let text: &mut [u8; 20] = text.try_into().expect("a digits code has 20 characters");
        text[0..2].copy_from_slice(&self.slot_text);
        let mut check = self.check_start;
        let mut put = |at: usize, pair: u32| {
            text[at..at + 2].copy_from_slice(&DECIMAL_PAIRS[pair as usize]);
            check = check::damm_pair(check, pair);
        };
        put(2, upper / 1_000_000);
        put(4, upper / 10_000 % 100);
        put(6, upper / 100 % 100);
        put(8, upper % 100);
        // Nine digits below: four pairs and a last single one.
        put(10, lower / 10_000_000);
        put(12, lower / 100_000 % 100);
        put(14, lower / 1_000 % 100);
        put(16, lower / 10 % 100);
        text[18] = b'0' + (lower % 10) as u8;
        text[19] = b'0' + check::damm_digit(check, lower % 10);
    }
}
