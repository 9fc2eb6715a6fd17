//! Names of items, and the keys under which their records are stored.

use crate::code::Face;
use crate::error::{Error, Result};

/// Serials of a key space are below this: keys hold five bytes of them.
pub const SERIAL_COUNT_MAX: u64 = 1 << 40;

/// One issued item: a serial inside a key space. Faces of the same item share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemRef {
    /// Number of the key space.
    pub key_space: u32,
    /// 0-based serial, below [`SERIAL_COUNT_MAX`].
    pub serial: u64,
}

impl ItemRef {
    /// Big-endian, so that keys sort by key space, then serial.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 9] {
        debug_assert!(self.serial < SERIAL_COUNT_MAX);
        let mut bytes = [0; 9];
        bytes[..4].copy_from_slice(&self.key_space.to_be_bytes());
        bytes[4..].copy_from_slice(&self.serial.to_be_bytes()[3..]);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 9]) -> Self {
        let (mut key_space, mut serial) = ([0; 4], [0; 8]);
        key_space.copy_from_slice(&bytes[..4]);
        serial[3..].copy_from_slice(&bytes[4..]);
        Self { key_space: u32::from_be_bytes(key_space), serial: u64::from_be_bytes(serial) }
    }
}

/// Key of a scan record: key space u32 ‖ serial u40 ‖ face u8, big-endian.
#[must_use]
pub fn scan_key(key_space: u32, serial: u64, face: Face) -> [u8; 10] {
    item_key(ItemRef { key_space, serial }, face as u8)
}

/// What a link leads to. Numbers are stored and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Relation {
    /// The item that took this one's place.
    Successor = 1,
}

/// Key of a link: key space u32 ‖ serial u40 ‖ relation u8, big-endian.
#[must_use]
pub fn link_key(item: ItemRef, relation: Relation) -> [u8; 10] {
    item_key(item, relation as u8)
}

const LINK_VERSION: u8 = 1;

/// Stored value of a link.
#[must_use]
pub fn link_value(target: ItemRef) -> [u8; 10] {
    let mut value = [LINK_VERSION; 10];
    value[1..].copy_from_slice(&target.to_bytes());
    value
}

/// The item a stored link leads to.
///
/// # Errors
/// [`Error::Incompatible`] for a newer version, [`Error::Corrupt`] for anything else that is not a link.
pub fn link_target(value: &[u8]) -> Result<ItemRef> {
    match value {
        [LINK_VERSION, item @ ..] => {
            item.try_into().map(ItemRef::from_bytes).map_err(|_| corrupt("link length"))
        }
        [version, ..] if *version > LINK_VERSION => {
            Err(Error::Incompatible(format!("link version {version}")))
        }
        _ => Err(corrupt("link version")),
    }
}

/// A foreign code: which item its text names, with the full text beside it, since the key is only its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The item.
    pub item: ItemRef,
    /// Whether the set ignores the case of ASCII letters; `text` is then in its folded form.
    pub fold_case: bool,
    /// Normalised text.
    pub text: Box<[u8]>,
}

const ALIAS_VERSION: u8 = 1;

/// Key of an alias: tenant u32 ‖ XXH3-128 of the normalised text, big-endian.
#[must_use]
pub fn alias_key(tenant: u32, hash: u128) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&tenant.to_be_bytes());
    key[4..].copy_from_slice(&hash.to_be_bytes());
    key
}

impl Alias {
    /// Stored value: version, item, flags, text.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(11 + self.text.len());
        value.push(ALIAS_VERSION);
        value.extend(self.item.to_bytes());
        value.push(u8::from(self.fold_case));
        value.extend(&self.text);
        value
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::Incompatible`] for a newer version, [`Error::Corrupt`] for anything else that is not an alias.
    pub fn decode(value: &[u8]) -> Result<Self> {
        match value.first() {
            Some(&ALIAS_VERSION) => {}
            Some(version) if *version > ALIAS_VERSION => {
                return Err(Error::Incompatible(format!("alias version {version}")));
            }
            _ => return Err(corrupt("alias version")),
        }
        let (item, rest) = value[1..].split_first_chunk::<9>().ok_or_else(|| corrupt("alias length"))?;
        let (flags, text) = rest.split_first().ok_or_else(|| corrupt("alias length"))?;
        Ok(Self { item: ItemRef::from_bytes(*item), fold_case: *flags & 1 == 1, text: text.into() })
    }
}

fn item_key(item: ItemRef, last: u8) -> [u8; 10] {
    let mut key = [last; 10];
    key[..9].copy_from_slice(&item.to_bytes());
    key
}

fn corrupt(what: &str) -> Error {
    Error::Corrupt(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_key_space_then_serial_then_face() {
        let keys = [
            scan_key(1, 255, Face::Outer),
            scan_key(1, 255, Face::Inner),
            scan_key(1, 256, Face::Outer),
            scan_key(1, SERIAL_COUNT_MAX - 1, Face::Inner),
            scan_key(256, 0, Face::Outer),
        ];
        assert!(keys.is_sorted());
        assert_eq!(keys[2], [0, 0, 0, 1, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn links_and_aliases_round_trip_and_refuse_other_versions() {
        let item = ItemRef { key_space: 7, serial: SERIAL_COUNT_MAX - 1 };
        assert_eq!(link_target(&link_value(item)), Ok(item));
        let alias = Alias { item, fold_case: true, text: (*b"E2801160").into() };
        assert_eq!(Alias::decode(&alias.encode()), Ok(alias.clone()));
        let mut newer = alias.encode();
        newer[0] = 2;
        assert!(matches!(Alias::decode(&newer), Err(Error::Incompatible(_))));
        assert!(matches!(link_target(&newer), Err(Error::Incompatible(_))));
        for cut in [&[][..], &[0; 10], &alias.encode()[..9]] {
            assert!(matches!(Alias::decode(cut), Err(Error::Corrupt(_))));
            assert!(matches!(link_target(cut), Err(Error::Corrupt(_))));
        }
    }
}
