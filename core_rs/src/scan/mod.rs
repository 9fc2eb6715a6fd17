//! The scan: what it may answer, who asks, and its meaning over HTTP.
//!
//! [`Scanner`] is what the engine does; everything here is a pure function of its arguments.

mod answer;
mod context;
mod device;
mod http;
mod messages;
mod negotiate;
mod outcome;
mod page;
mod parse;
mod problem;
mod proxy;
mod time;
mod verdict;

pub use answer::json_answer;
pub use context::{Datum, Device, Position, Role, ScanContext};
pub use device::{COOKIE_AGE_S_MAX, COOKIE_NAME, DeviceKeys, IssuedCookie, address_prefix};
pub use http::{
    HEADERS_BYTES_MAX, HeaderLines, HttpAnswer, HttpRequest, HttpSettings, ScanDomain, Scanner, answer,
};
pub use negotiate::{Accept, Lang, Media, accepted_language, is_prefetch};
pub use outcome::{Outcome, ScannedText, link_mismatch};
pub use page::html_answer;
pub use parse::{Link, RESERVED_NAMES, Route, is_reserved_name, route};
pub use proxy::{TRUSTED_PROXIES_MAX, TrustedProxies, parse_address};
pub use verdict::{REASONS_MAX, Reason, Reasons, Severity, Verdict};
