//! The closed sets that describe a code, and its text.

use serde::{Deserialize, Serialize};

/// Longest text that is looked at; anything longer is malformed.
pub const CODE_TEXT_BYTES_MAX: usize = 64;

/// Length of the longest code of any format.
pub(super) const CODE_LEN_MAX: usize = 20;

macro_rules! closed_set {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $id:literal $text:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant = $id),+ }

        impl $name {
            /// All values, by id.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// Stored id; never changes.
            #[must_use]
            pub const fn id(self) -> u8 {
                self as u8
            }

            /// The value of a stored id.
            #[must_use]
            pub fn from_id(id: u8) -> Option<Self> {
                Self::ALL.get(usize::from(id)).copied()
            }

            /// The name used in texts and files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// The value of a name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}

closed_set!(
    /// How a code is written.
    Format {
        /// 15 characters of Crockford's base 32: slot 2, body 12, GF(32) check 1.
        Base32 = 0 "base32",
        /// 20 decimal digits: slot 2, body 17, Damm check 1 (the limit of GS1 AI 21).
        Digits = 1 "digits",
    }
);

impl Format {
    /// Characters of a whole code.
    #[must_use]
    pub const fn code_len(self) -> usize {
        match self {
            Format::Base32 => 15,
            Format::Digits => CODE_LEN_MAX,
        }
    }

    /// Characters of the body.
    #[must_use]
    pub const fn body_len(self) -> usize {
        match self {
            Format::Base32 => 12,
            Format::Digits => 17,
        }
    }

    /// Number of symbols of the alphabet.
    #[must_use]
    pub const fn radix(self) -> u32 {
        match self {
            Format::Base32 => 32,
            Format::Digits => 10,
        }
    }

    /// Number of bodies, and so of serials, per slot: `radix ^ body_len`.
    #[must_use]
    pub const fn domain(self) -> u64 {
        match self {
            Format::Base32 => 1 << 60,
            Format::Digits => 100_000_000_000_000_000,
        }
    }

    /// Number of slots of one scan domain.
    #[must_use]
    pub const fn slot_count(self) -> u16 {
        match self {
            Format::Base32 => 1024,
            Format::Digits => 100,
        }
    }
}

closed_set!(
    /// Where on the item a code is.
    Face {
        /// Readable before purchase (明码).
        Outer = 0 "outer",
        /// Readable after purchase only (暗码).
        Inner = 1 "inner",
    }
);

closed_set!(
    /// What a code stands for.
    Level {
        /// A production lot.
        Lot = 0 "lot",
        /// A single item.
        Item = 1 "item",
        /// A box of items.
        Box = 2 "box",
        /// A case.
        Case = 3 "case",
        /// A pallet.
        Pallet = 4 "pallet",
    }
);

closed_set!(
    /// How the two faces of an item belong together.
    Pairing {
        /// One face only.
        Single = 0 "single",
        /// Both faces carry the same serial under different keys (同源).
        SameSerial = 1 "same_serial",
        /// The faces come from separate series and are joined by return data (关联配对).
        Associated = 2 "associated",
    }
);

/// The normalised text of a code, stored inline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeText {
    bytes: [u8; CODE_LEN_MAX],
    len: u8,
}

impl CodeText {
    /// A text of `len` ASCII characters; the rest of `bytes` must be zero (equality compares it).
    pub(super) fn new(bytes: [u8; CODE_LEN_MAX], len: usize) -> Self {
        debug_assert!(bytes[..len].is_ascii() && bytes[len..].iter().all(|&byte| byte == 0));
        Self { bytes, len: len as u8 }
    }

    /// The characters, as ASCII bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // ASCII by construction; an empty text would show a broken constructor in every test.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text for people: groups of four with `separator` between them.
    #[must_use]
    pub fn grouped(&self, separator: char) -> String {
        let mut text = String::with_capacity(CODE_LEN_MAX + CODE_LEN_MAX / 4);
        for (index, character) in self.as_str().chars().enumerate() {
            if index > 0 && index % 4 == 0 {
                text.push(separator);
            }
            text.push(character);
        }
        text
    }
}

impl std::ops::Deref for CodeText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl std::fmt::Display for CodeText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for CodeText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CodeText({})", self.as_str())
    }
}
