//! Codes that would spell an offensive word: they are skipped when an order is issued.
//!
//! A word list has a version, fixed by the issue command, because the skipped serials follow from
//! it: a published version never changes, a better list is a new version.

use std::sync::LazyLock;

use super::alphabet::{CROCKFORD, SYMBOL_OF};
use super::format::Format;
use crate::error::{Error, Result};

/// The newest version of the built-in list.
pub const WORD_LIST_NEWEST: u16 = 1;

/// Version 1: words of three letters and stems of four, English and pinyin abbreviations.
const VERSION_1: &[&str] = &[
    "ANAL", "ANUS", "ARSE", "ASS", "BITC", "BOOB", "CNM", "COCK", "COON", "CUM", "CUNT", "DAMN", "DICK",
    "DYKE", "FAG", "FAKE", "FART", "FCK", "FUCK", "FUK", "HELL", "HITL", "HOMO", "JAP", "KIKE", "KKK",
    "MDZZ", "MMP", "NAZI", "NIGG", "NMB", "NMSL", "NUDE", "ORGY", "PENI", "PISS", "POOP", "PORN", "PUSS",
    "RAPE", "RNM", "SCAM", "SEX", "SHAB", "SHIT", "SLUT", "SPIC", "TITS", "TMD", "TURD", "TWAT", "VAGI",
    "WANK", "WCNM", "WHOR", "WTF", "XXX",
];

/// Symbols of one window; shorter words fill it up with any symbol.
const WINDOW: usize = 4;
/// One bit for each of the 32⁴ windows.
const WINDOWS_WORDS: usize = 32usize.pow(WINDOW as u32) / 64;

static VERSION_1_WINDOWS: LazyLock<Box<[u64]>> = LazyLock::new(|| windows_of(VERSION_1));

/// One version of the word list.
#[derive(Clone, Copy)]
pub struct WordFilter {
    windows: Option<&'static [u64]>,
}

impl WordFilter {
    /// The list of a version: 0 is empty, 1 the built-in list.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a version that does not exist.
    pub fn version(version: u16) -> Result<Self> {
        match version {
            0 => Ok(Self { windows: None }),
            1 => Ok(Self { windows: Some(&VERSION_1_WINDOWS) }),
            _ => Err(Error::invalid(
                "word_list",
                format!("version {version}; accepted are 0 (none) to {WORD_LIST_NEWEST}"),
            )),
        }
    }

    /// Whether it lets every code pass.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_none()
    }

    /// Whether the normalised text of a `base32` code spells a word. Texts of other lengths
    /// (`digits` codes) never do.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let (Some(windows), Ok(text)) = (self.windows, <&[u8; Format::Base32.code_len()]>::try_from(text))
        else {
            return false;
        };
        let mut window = 0;
        let mut found = 0;
        for (index, &byte) in text.iter().enumerate() {
            window = (window << 5 | usize::from(SYMBOL_OF[usize::from(byte)] & 31)) % (WINDOWS_WORDS * 64);
            if index + 1 >= WINDOW {
                found |= windows[window / 64] >> (window % 64);
            }
        }
        found & 1 == 1
    }
}

impl std::fmt::Debug for WordFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WordFilter").field("is_empty", &self.is_empty()).finish()
    }
}

/// The symbols in which people read a letter. I, L, O and U are not in the alphabet.
fn readings(letter: u8) -> &'static [u8] {
    match letter {
        b'A' => b"A4",
        b'B' => b"B8",
        b'E' => b"E3",
        b'G' => b"G6",
        b'I' | b'L' => b"1",
        b'O' => b"0",
        b'S' => b"S5",
        b'T' => b"T7",
        b'U' => b"V",
        b'Z' => b"Z2",
        _ => {
            let index = CROCKFORD.iter().position(|&symbol| symbol == letter);
            index.map_or(&[], |index| &CROCKFORD[index..=index])
        }
    }
}

fn windows_of(words: &[&str]) -> Box<[u64]> {
    let mut windows = vec![0u64; WINDOWS_WORDS].into_boxed_slice();
    for word in words {
        for spelling in spellings(word.as_bytes()) {
            // Three letters may lie in the first or in the last three symbols of a window.
            let padded: Vec<Vec<u8>> = match spelling.len() {
                WINDOW => vec![spelling],
                _ => CROCKFORD
                    .iter()
                    .flat_map(|&any| [[&spelling[..], &[any]].concat(), [&[any], &spelling[..]].concat()])
                    .collect(),
            };
            for text in padded {
                let window = text
                    .iter()
                    .fold(0, |window, &byte| window << 5 | usize::from(SYMBOL_OF[usize::from(byte)]));
                windows[window / 64] |= 1 << (window % 64);
            }
        }
    }
    windows
}

/// All ways to write a word that keep at least one letter; "455" offends nobody.
fn spellings(word: &[u8]) -> Vec<Vec<u8>> {
    let mut spellings = vec![Vec::new()];
    for &letter in word {
        spellings = spellings
            .iter()
            .flat_map(|start| readings(letter).iter().map(|&symbol| [&start[..], &[symbol]].concat()))
            .collect();
    }
    spellings.retain(|spelling| spelling.iter().any(u8::is_ascii_alphabetic));
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_list_never_changes() {
        // Skipped serials of issued orders follow from these bits.
        let bytes: Vec<u8> = VERSION_1_WINDOWS.iter().flat_map(|word| word.to_le_bytes()).collect();
        let fingerprint = xxhash_rust::xxh3::xxh3_64(&bytes);
        assert_eq!(fingerprint, 0xc3d8_8457_fbdf_3b64);
    }

    #[test]
    fn every_word_has_three_or_four_letters() {
        assert!(VERSION_1.iter().all(|word| (WINDOW - 1..=WINDOW).contains(&word.len())));
        assert!(VERSION_1.iter().all(|word| !spellings(word.as_bytes()).is_empty()));
    }
}
