//! Carriers besides printed codes: how the number of an RFID or NFC tag is written as a text.

use std::borrow::Cow;

use super::alias::normalise_alias;
use crate::error::{Error, Result};

/// What a foreign text was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// A printed code of another supplier: any text.
    Text,
    /// Content of the EPC memory bank of a UHF tag (GS1 EPC Tag Data Standard), 96 to 256 bits.
    Epc,
    /// Tag identification of a UHF tag (ISO/IEC 15963): allocation class E0 or E2, 64 to 256 bits.
    Tid,
    /// Unique identifier of an NFC tag: 4, 7 or 10 bytes (ISO/IEC 14443-3) or 8 bytes from E0 on
    /// (ISO/IEC 15693).
    NfcUid,
}

impl Carrier {
    /// All carriers.
    pub const ALL: [Carrier; 4] = [Carrier::Text, Carrier::Epc, Carrier::Tid, Carrier::NfcUid];

    /// The name used in texts and files.
    pub const fn name(self) -> &'static str {
        match self {
            Carrier::Text => "text",
            Carrier::Epc => "epc",
            Carrier::Tid => "tid",
            Carrier::NfcUid => "nfc_uid",
        }
    }

    /// The carrier of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|carrier| carrier.name() == name)
    }

    /// The form in which a text of this carrier is stored and looked up. [`Carrier::Text`] is
    /// taken as [`normalise_alias`] takes it; the others are hexadecimal, written in upper case
    /// without the colons, hyphens and spaces that readers put between bytes. `fold_case` concerns
    /// texts only.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] that says what the carrier accepts.
    pub fn normalise(self, text: &[u8], fold_case: bool) -> Result<Cow<'_, [u8]>> {
        if self == Carrier::Text {
            return normalise_alias(text, fold_case);
        }
        let hex: Vec<u8> = text
            .trim_ascii()
            .iter()
            .filter(|byte| !b":- ".contains(byte))
            .map(u8::to_ascii_uppercase)
            .collect();
        let fits = hex.iter().all(u8::is_ascii_hexdigit)
            && match self {
                Carrier::Text => true,
                Carrier::Epc => (24..=64).contains(&hex.len()) && hex.len().is_multiple_of(4),
                Carrier::Tid => {
                    (16..=64).contains(&hex.len())
                        && hex.len().is_multiple_of(4)
                        && (hex.starts_with(b"E0") || hex.starts_with(b"E2"))
                }
                Carrier::NfcUid => match hex.len() {
                    8 | 14 | 20 => true,
                    16 => hex.starts_with(b"E0"),
                    _ => false,
                },
            };
        if fits { Ok(Cow::Owned(hex)) } else { Err(Error::invalid("text", self.expectation())) }
    }

    fn expectation(self) -> &'static str {
        match self {
            Carrier::Text => "a foreign code has 1 to 64 bytes of printable UTF-8",
            Carrier::Epc => "an EPC has 24 to 64 hexadecimal digits in words of 4",
            Carrier::Tid => "a TID has 16 to 64 hexadecimal digits in words of 4 and begins with E0 or E2",
            Carrier::NfcUid => "an NFC UID has 8, 14 or 20 hexadecimal digits, or 16 that begin with E0",
        }
    }
}
