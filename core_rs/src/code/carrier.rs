//! Carriers besides printed codes: how the number of an RFID or NFC tag is written as a text.

use std::borrow::Cow;

use super::alias::{ALIAS_TEXT_BYTES_MAX, normalise_alias};
use crate::error::{Error, Result};

/// Longest text in which a carrier's number is looked for: 64 digits with a separator after every second one.
const CARRIER_TEXT_BYTES_MAX: usize = ALIAS_TEXT_BYTES_MAX / 2 * 3;

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
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Carrier::Text => "text",
            Carrier::Epc => "epc",
            Carrier::Tid => "tid",
            Carrier::NfcUid => "nfc_uid",
        }
    }

    /// The carrier of a name.
    #[must_use]
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
        match hex_digits(text.trim_ascii()) {
            Some(hex) if self.has_form(hex.as_bytes()) => Ok(Cow::Owned(hex.as_bytes().to_vec())),
            _ => Err(Error::invalid("text", self.expectation())),
        }
    }

    /// Whether so many upper-case hexadecimal digits can be a number of this carrier.
    fn has_form(self, hex: &[u8]) -> bool {
        match self {
            Carrier::Text => false,
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
        }
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

/// One spelling under which a scanned text may have been imported. Inline: a scan allocates nothing for it.
#[derive(Clone, Copy)]
pub struct AliasForm {
    bytes: [u8; ALIAS_TEXT_BYTES_MAX],
    len: u8,
    /// Whether sets that keep case can have it.
    fits_exact: bool,
    /// Whether sets that ignore case can have it.
    fits_folded: bool,
}

impl AliasForm {
    /// The spelling; its hash is the key of the alias table.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether a set that ignores case (`fold_case`) or keeps it can have imported the scanned text so.
    #[must_use]
    pub fn fits(&self, fold_case: bool) -> bool {
        if fold_case { self.fits_folded } else { self.fits_exact }
    }

    fn new(text: &[u8], fits_exact: bool, fits_folded: bool) -> Self {
        let mut form =
            Self { bytes: [0; ALIAS_TEXT_BYTES_MAX], len: text.len() as u8, fits_exact, fits_folded };
        form.bytes[..text.len()].copy_from_slice(text);
        form
    }
}

/// The spellings under which a scanned text may have been imported, each once, in the order in which the alias
/// table is asked: as it is; in upper case, for sets that ignore case; and as [`Carrier::normalise`] writes it, if
/// it looks like the number of a tag, since readers differ in case and separators. At most three.
pub fn alias_forms(text: &[u8]) -> impl Iterator<Item = AliasForm> {
    let exact = normalise_alias(text, false).ok();
    let has_lower = exact.as_ref().is_some_and(|text| text.iter().any(u8::is_ascii_lowercase));
    let mut exact = exact.map(|text| AliasForm::new(&text, true, !has_lower));
    let mut folded = exact.filter(|_| has_lower).map(|exact| {
        let mut folded = AliasForm { fits_exact: false, fits_folded: true, ..exact };
        folded.bytes.make_ascii_uppercase();
        folded
    });
    let mut tag = tag_form(text.trim_ascii());
    for earlier in [&mut exact, &mut folded].into_iter().flatten() {
        if let Some(same) = tag.filter(|tag| tag.as_bytes() == earlier.as_bytes()) {
            *earlier = same;
            tag = None;
        }
    }
    [exact, folded, tag].into_iter().flatten()
}

/// The text as the number of a tag, whatever the case setting of its set.
fn tag_form(text: &[u8]) -> Option<AliasForm> {
    if text.len() > CARRIER_TEXT_BYTES_MAX {
        return None;
    }
    hex_digits(text).filter(|hex| Carrier::ALL.iter().any(|carrier| carrier.has_form(hex.as_bytes())))
}

/// The text as upper-case hexadecimal digits without separators, `None` if it holds anything else.
fn hex_digits(text: &[u8]) -> Option<AliasForm> {
    let mut hex = AliasForm::new(b"", true, true);
    for byte in text.iter().filter(|byte| !b":- ".contains(byte)) {
        if !byte.is_ascii_hexdigit() {
            return None;
        }
        *hex.bytes.get_mut(usize::from(hex.len))? = byte.to_ascii_uppercase();
        hex.len += 1;
    }
    Some(hex)
}
