//! Codes: serial numbers turned into texts that nobody can guess, and back.
//!
//! A code is `slot ‖ body ‖ check`. The slot names a key in clear, the body is the serial under
//! FF1 (NIST SP 800-38G) with that key, the check character finds typing errors. FF1 is a
//! permutation, so codes never collide, and a text nobody issued decrypts to a serial that lies
//! above the issued watermark, except with probability issued / domain ([`guess_odds`]).
//!
//! Everything here is pure: no I/O, no clock, no randomness. Malformed, mistyped and forged texts
//! are values ([`ParseFailure`], [`NotACode`]), never errors and never panics.

mod alias;
mod alphabet;
mod batch;
mod carrier;
mod check;
mod cipher;
mod feistel;
mod ff1;
mod format;
mod keyring;
mod odds;
mod parse;
mod slot;
mod words;

pub use alias::{ALIAS_TEXT_BYTES_MAX, alias_hash, normalise_alias};
pub use alphabet::{CROCKFORD, SLOT_DIGITS_COUNT, slot_text};
pub use batch::{BATCH_CODES_MAX, BATCH_THREADS_MAX, check_batch};
pub use carrier::{AliasForm, Carrier, alias_forms};
pub use check::{damm, gf32};
pub use cipher::{AesCipher, Block, BlockCipher, LANES};
pub use ff1::{DOMAIN_MIN, GeneralFf1, HALF_BITS_MAX, RADIX_MAX, RADIX_MIN, TWEAK_BYTES_MAX};
pub use format::{CODE_TEXT_BYTES_MAX, CodeText, Face, Format, Level, Pairing};
pub use keyring::{Key, KeyContext, KeySize, Keyring};
pub use odds::{Odds, OddsVerdict, REFUSE_BELOW, WARN_BELOW, guess_odds};
pub use parse::{MalformedWhy, ParseFailure, Parsed, parse};
pub use slot::{
    NOT_A_CODE_MALFORMED, NOT_A_CODE_MISTYPED, NOT_A_CODE_OTHER_SLOT, NotACode, SlotCipher, unpack_decoded,
};
pub use words::{WORD_LIST_NEWEST, WordFilter};
