//! Locks over scan records: one record belongs to one stripe, whose lock covers read, decision and write.

use crate::error::Result;
use crate::event::{Event, event_key};
use crate::scan::{REASONS_MAX, Reasons};
use crate::store::{Batch, Family, Store};
use parking_lot::{Mutex, MutexGuard};

/// Stripes of a new directory; the number is fixed in `meta`, because event keys carry it.
pub const STRIPES: u16 = 256;

/// What a stripe's lock protects: the number of its next event and buffers that are reused.
pub struct Stripe {
    number: u16,
    next_seq: u64,
    /// Writes of the scan under way.
    pub batch: Batch,
    /// Bytes of the record just read.
    pub record: Vec<u8>,
    event: Vec<u8>,
}

impl Stripe {
    /// Put an event into the batch under the stripe's next number.
    pub fn add_event(&mut self, event: &Event<'_>, reasons: &Reasons) {
        let mut numbers = [0; REASONS_MAX];
        let mut count = 0;
        for (number, reason) in numbers.iter_mut().zip(reasons.iter()) {
            *number = reason.id();
            count += 1;
        }
        Event { reasons: &numbers[..count], ..*event }.encode(&mut self.event);
        self.batch.put(Family::Event, &event_key(self.number, self.next_seq), &self.event);
    }

    /// Write the batch; the event number advances only when it was written, so numbers have no gaps.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn write(&mut self, store: &dyn Store) -> Result<()> {
        store.write(&self.batch)?;
        self.next_seq += 1;
        Ok(())
    }

    /// Empty the buffers for the next scan.
    fn clear(&mut self) {
        self.batch.clear();
        self.event.clear();
    }
}

/// All stripes.
pub struct Stripes(Box<[Mutex<Stripe>]>);

impl Stripes {
    /// Stripes whose event numbers go on after the last stored event of each.
    ///
    /// # Errors
    /// As [`Store::last_keys`].
    pub fn open(store: &dyn Store, count: u16) -> Result<Self> {
        let prefixes: Vec<[u8; 2]> = (0..count).map(u16::to_be_bytes).collect();
        let prefixes: Vec<&[u8]> = prefixes.iter().map(<[u8; 2]>::as_slice).collect();
        let stripe = |(number, last): (u16, Option<Vec<u8>>)| {
            let last_seq = last.and_then(|key| key.last_chunk::<8>().copied()).map(u64::from_be_bytes);
            let next_seq = last_seq.map_or(0, |seq| seq + 1);
            let (batch, record, event) = (Batch::default(), Vec::new(), Vec::new());
            Mutex::new(Stripe { number, next_seq, batch, record, event })
        };
        let last_events = store.last_keys(Family::Event, &prefixes)?;
        Ok(Self((0..count).zip(last_events).map(stripe).collect()))
    }

    /// Lock the stripe of a record or device by its hash, with empty buffers.
    pub fn lock(&self, hash: u64) -> MutexGuard<'_, Stripe> {
        let mut stripe = self.0[(hash % self.0.len() as u64) as usize].lock();
        stripe.clear();
        stripe
    }
}
