//! The scan: what it may answer, who asks, and its meaning over HTTP.

mod context;
mod device;
mod verdict;

pub use context::{Datum, Device, Position, Role, ScanContext};
pub use device::{COOKIE_AGE_S_MAX, COOKIE_NAME, DeviceKeys, IssuedCookie, address_prefix};
pub use verdict::{REASONS_MAX, Reason, Reasons, Severity, Verdict};
