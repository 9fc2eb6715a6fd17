//! What happened: one event per scan, written in the scan's own batch.

mod encode;
mod limit;

pub use encode::{EVENT_VERSION, Event, event_key, geohash5};
pub use limit::UnissuedLimit;
