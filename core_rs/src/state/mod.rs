//! The state of issued codes: what exists, how far its life has gone, what holds it, who looked first.
//!
//! Everything here is a pure function of its arguments: no I/O, no clock, no randomness. The engine stores what
//! a plan says to store and swaps the snapshot it holds.

mod item_set;
mod keys;
mod lifecycle;
mod record;
mod session;

pub use item_set::{Extent, ItemSet};
pub use keys::{
    Alias, ItemRef, Relation, SERIAL_COUNT_MAX, alias_key, link_key, link_target, link_value, scan_key,
};
pub use lifecycle::{Lifecycle, State, StateCounts};
pub use record::{LastRequest, Observed, RECORD_BYTES_MAX, RECORD_VERSION, Record, RecordBytes, Visit};
pub use session::{Membership, SESSIONS_KEPT_MAX, Session, Sessions};
