//! Key spaces: one epoch of a series, with the ciphers of its faces and the orders that drew from it.

use super::keys::SERIAL_COUNT_MAX;
use crate::code::{Face, Format, KeyContext, KeySize, Keyring, Level, Pairing, SlotCipher};
use crate::error::Result;
use std::sync::Arc;

/// What never changes about a key space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySpaceMeta {
    /// Its number.
    pub id: u32,
    /// Number of its tenant.
    pub tenant: u32,
    /// Number of its scan domain.
    pub domain: u32,
    /// Its series.
    pub series: Box<str>,
    /// Which renewal of the series.
    pub epoch: u32,
    /// Format of its codes.
    pub format: Format,
    /// What its codes identify.
    pub level: Level,
    /// How its faces belong together.
    pub pairing: Pairing,
    /// Length of its keys.
    pub key_size: KeySize,
    /// Random nonce of the epoch.
    pub nonce: [u8; 16],
    /// Faces and their slots, outer first; empty for a keyless key space.
    pub faces: Vec<(Face, u16)>,
}

impl KeySpaceMeta {
    /// Whether its items are known by imported texts instead of codes.
    #[must_use]
    pub fn is_keyless(&self) -> bool {
        self.faces.is_empty()
    }

    /// The face whose scans decide the first check: inner if there are both, else the only one.
    /// Imported texts count as outer face.
    #[must_use]
    pub fn counting_face(&self) -> Face {
        self.faces.iter().map(|(face, _)| *face).max().unwrap_or(Face::Outer)
    }

    /// Whether consumer scans of this face open sessions: the counting face, of items and boxes only.
    #[must_use]
    pub fn opens_sessions(&self, face: Face) -> bool {
        matches!(self.level, Level::Item | Level::Box) && face == self.counting_face()
    }

    /// Serials it can ever issue.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        if self.is_keyless() { SERIAL_COUNT_MAX } else { self.format.domain().min(SERIAL_COUNT_MAX) }
    }

    /// What its keys are derived from. `tenant` is the tenant's name.
    #[must_use]
    pub fn key_context<'a>(&'a self, tenant: &'a str, face: Face) -> KeyContext<'a> {
        KeyContext { tenant, series: &self.series, face, epoch: self.epoch, nonce: self.nonce }
    }
}

/// A slot at work: what the two clear characters of a code lead to.
#[derive(Debug)]
pub struct SlotEntry {
    /// Number of the key space.
    pub key_space: u32,
    /// Face.
    pub face: Face,
    /// Whether consumer scans of it open sessions.
    pub opens_sessions: bool,
    /// The permutation.
    pub cipher: SlotCipher,
}

/// A key space with what was drawn from it.
#[derive(Debug, Clone)]
pub struct KeySpace {
    /// What never changes.
    pub meta: Arc<KeySpaceMeta>,
    /// Its slots, in the order of its faces.
    pub slots: Vec<Arc<SlotEntry>>,
    /// Every serial below is issued or skipped.
    pub watermark: u64,
    /// First serial and number of each order, ascending.
    orders: Arc<Vec<(u64, u32)>>,
}

impl KeySpace {
    /// A key space nothing was drawn from. `tenant` is the tenant's name.
    ///
    /// # Errors
    /// [`crate::Error::InvalidInput`](crate::error::Error::InvalidInput) for a slot that its format does not have.
    pub fn new(meta: KeySpaceMeta, tenant: &str, keyring: &Keyring) -> Result<Self> {
        let slot = |&(face, slot): &(Face, u16)| {
            let key = keyring.derive(&meta.key_context(tenant, face), meta.key_size);
            let cipher = SlotCipher::new(meta.format, slot, &key)?;
            let opens_sessions = meta.opens_sessions(face);
            Ok(Arc::new(SlotEntry { key_space: meta.id, face, opens_sessions, cipher }))
        };
        let slots = meta.faces.iter().map(slot).collect::<Result<_>>()?;
        Ok(Self { meta: Arc::new(meta), slots, watermark: 0, orders: Arc::default() })
    }

    /// Append an order, which takes `span` serials from the watermark on.
    pub(super) fn take(&mut self, order: u32, span: u32) {
        Arc::make_mut(&mut self.orders).push((self.watermark, order));
        self.watermark += u64::from(span);
    }

    /// Number of the order that took a serial.
    #[must_use]
    pub fn order_of(&self, serial: u64) -> Option<u32> {
        if serial >= self.watermark {
            return None;
        }
        let behind = self.orders.partition_point(|(first, _)| *first <= serial);
        Some(self.orders[behind.checked_sub(1)?].1)
    }

    /// Numbers of its orders, oldest first.
    pub fn orders(&self) -> impl Iterator<Item = u32> {
        self.orders.iter().map(|(_, order)| *order)
    }
}
