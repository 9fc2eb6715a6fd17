//! Keys from the master secret: HKDF-SHA256 (RFC 5869) with length-prefixed context.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::format::Face;
use crate::error::{Error, Result};

/// First field of every context; a new version means new keys.
const CONTEXT_VERSION: &[u8] = b"imp/v1";

/// Length of a code key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySize {
    /// 16 bytes.
    Aes128,
    /// 32 bytes.
    Aes256,
}

impl KeySize {
    /// Length in bytes.
    #[must_use]
    pub const fn bytes_count(self) -> usize {
        match self {
            KeySize::Aes128 => 16,
            KeySize::Aes256 => 32,
        }
    }

    /// The size of a length in bits (128 or 256).
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            128 => Some(KeySize::Aes128),
            256 => Some(KeySize::Aes256),
            _ => None,
        }
    }
}

/// A code key. Wiped on drop; shows no bytes in `Debug`.
#[derive(Clone)]
pub struct Key {
    bytes: Zeroizing<[u8; 32]>,
    size: KeySize,
}

impl Key {
    /// A key that came from elsewhere, such as the pipe of an export job.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] unless there are 16 or 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let size = match bytes.len() {
            16 => KeySize::Aes128,
            32 => KeySize::Aes256,
            len => return Err(Error::invalid("key", format!("{len} bytes; a code key has 16 or 32 bytes"))),
        };
        let mut key = Self { bytes: Zeroizing::new([0; 32]), size };
        key.bytes[..bytes.len()].copy_from_slice(bytes);
        Ok(key)
    }

    /// Its length.
    #[must_use]
    pub fn size(&self) -> KeySize {
        self.size
    }

    /// The secret itself: for ciphers and for the pipe to an export job, never for files or logs.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.size.bytes_count()]
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?})", self.size)
    }
}

/// What a code key is for. Two contexts that differ anywhere have unrelated keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyContext<'a> {
    /// Id of the tenant.
    pub tenant: &'a str,
    /// Id of the series.
    pub series: &'a str,
    /// The face the slot belongs to.
    pub face: Face,
    /// The renewal of the series.
    pub epoch: u32,
    /// Drawn once per epoch, so that a restored backup can never repeat codes.
    pub nonce: [u8; 16],
}

/// The master secret, ready to derive from. Wiped on drop; shows no bytes in `Debug`.
pub struct Keyring {
    master: Zeroizing<[u8; 32]>,
}

impl Keyring {
    /// A keyring over a 32-byte master secret.
    #[must_use]
    pub fn new(master: &[u8; 32]) -> Self {
        Self { master: Zeroizing::new(*master) }
    }

    /// The key of one slot.
    #[must_use]
    pub fn derive(&self, context: &KeyContext<'_>, size: KeySize) -> Key {
        let mut bytes = Zeroizing::new([0; 32]);
        let len = size.bytes_count();
        self.expand(
            &[
                b"code",
                context.tenant.as_bytes(),
                context.series.as_bytes(),
                &[context.face.id()],
                &context.epoch.to_be_bytes(),
                &context.nonce,
                &[len as u8],
            ],
            &mut bytes[..len],
        );
        Key { bytes, size }
    }

    /// A value that tells one master secret from another without revealing either. It is stored
    /// beside the data, so that a wrong secret fails when the data is opened.
    #[must_use]
    pub fn check_value(&self) -> [u8; 8] {
        let mut value = [0; 8];
        self.expand(&[b"check"], &mut value);
        value
    }

    /// A secret for one `purpose` of one tenant that is not a code key: signing cookies, salting
    /// addresses. Wiped on drop.
    #[must_use]
    pub fn subkey(&self, purpose: &str, tenant: &str) -> Zeroizing<[u8; 32]> {
        let mut subkey = Zeroizing::new([0; 32]);
        self.expand(&[b"subkey", purpose.as_bytes(), tenant.as_bytes()], &mut *subkey);
        subkey
    }

    fn expand(&self, fields: &[&[u8]], out: &mut [u8]) {
        let mut info = Vec::with_capacity(128);
        for field in std::iter::once(&CONTEXT_VERSION).chain(fields) {
            // The length first: no two lists of fields run together to the same bytes.
            info.extend_from_slice(&(field.len() as u32).to_be_bytes());
            info.extend_from_slice(field);
        }
        Hkdf::<Sha256>::new(None, self.master.as_slice())
            .expand(&info, out)
            .expect("HKDF-SHA256 yields up to 8,160 bytes; at most 32 are asked for");
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(..)")
    }
}
