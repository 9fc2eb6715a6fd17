//! IMP core: codes, state, scans and the journal of what happened, without Python.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod code;
pub mod engine;
pub mod error;
pub mod event;
pub mod ledger;
pub mod scan;
pub mod state;
pub mod store;
