//! The block cipher under FF1, behind a trait so that another one (SM4) can take its place.

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit, consts::U16};

use super::keyring::Key;
use crate::error::{Error, Result};

/// One block of 16 bytes.
pub type Block = Array<u8, U16>;

/// Blocks enciphered per call: enough to hide the latency of every AES backend, and with 1 KiB
/// small enough to stay in the first-level cache.
pub const LANES: usize = 64;

/// A keyed permutation of 16-byte blocks. FF1 needs the forward direction only.
pub trait BlockCipher: Send + Sync {
    /// Enciphers every block in place.
    fn encrypt_blocks(&self, blocks: &mut [Block]);
}

/// AES with an expanded key of 128, 192 or 256 bits; the key is wiped on drop.
#[derive(Clone)]
pub struct AesCipher(Schedule);

#[derive(Clone)]
enum Schedule {
    Aes128(aes::Aes128),
    Aes192(aes::Aes192),
    Aes256(aes::Aes256),
}

impl AesCipher {
    /// Expands a key.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] unless the key has 16, 24 or 32 bytes.
    pub fn from_bytes(key: &[u8]) -> Result<Self> {
        let schedule = match key.len() {
            16 => aes::Aes128::new_from_slice(key).map(Schedule::Aes128),
            24 => aes::Aes192::new_from_slice(key).map(Schedule::Aes192),
            _ => aes::Aes256::new_from_slice(key).map(Schedule::Aes256),
        };
        schedule
            .map(Self)
            .map_err(|_| Error::invalid("key", format!("{} bytes; AES takes 16, 24 or 32 bytes", key.len())))
    }

    /// Expands a key of the keyring.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        Self::from_bytes(key.bytes()).expect("a Key has 16 or 32 bytes")
    }
}

impl BlockCipher for AesCipher {
    #[inline]
    fn encrypt_blocks(&self, blocks: &mut [Block]) {
        match &self.0 {
            Schedule::Aes128(aes) => aes.encrypt_blocks(blocks),
            Schedule::Aes192(aes) => aes.encrypt_blocks(blocks),
            Schedule::Aes256(aes) => aes.encrypt_blocks(blocks),
        }
    }
}

impl std::fmt::Debug for AesCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AesCipher(..)")
    }
}
