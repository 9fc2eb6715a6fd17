//! The state of issued codes: what exists, how far its life has gone, what holds it, who looked first.
//!
//! Everything here is a pure function of its arguments: no I/O, no clock, no randomness. The engine stores what
//! [`plan()`] says to store and swaps in the [`Snapshot`] it returns.

mod command;
mod gs1;
mod hold;
mod item_set;
mod key_space;
mod keys;
mod lifecycle;
mod order;
mod plan;
mod product;
mod record;
mod report;
mod session;
mod shelf;
mod snapshot;
mod stored;
mod text;

pub use command::{
    COMMAND_KINDS, Change, Command, FaceSlot, ImportAliases, Issue, LISTED_CODES_MAX, LOT_BYTES_MAX,
    NAME_BYTES_MAX, ORDER_QUANTITY_MAX, OpenKeySpace, Recall, Replace, Scope, SetDomain, SetProduct,
    TEXT_BYTES_MAX, Unfreeze, is_name,
};
pub use gs1::{gtin14, gtin14_unchecked, is_set_82};
pub use hold::{Hold, HoldKind};
pub use item_set::{Extent, ItemSet};
pub use key_space::{KeySpace, KeySpaceMeta, SlotEntry};
pub use keys::{
    Alias, ItemRef, Relation, SERIAL_COUNT_MAX, alias_key, link_key, link_target, link_value, scan_key,
};
pub use lifecycle::{Lifecycle, State, StateCounts};
pub use order::{ORDER_HOLDS_MAX, Order, OrderMeta, Tally};
pub use plan::{IsAliasTaken, LeafMaterial, Plan, PlanContext, Resolve, Stop, plan};
pub use product::{Fragments, Product, ProductTexts};
pub use record::{LastRequest, Observed, RECORD_BYTES_MAX, RECORD_VERSION, Record, RecordBytes, Visit};
pub use report::{HOLDS_LISTED_MAX, MESSAGE_BYTES_MAX, Refusal, RefusalReason, Report, Status};
pub use session::{Membership, SESSIONS_KEPT_MAX, Session, Sessions};
pub use snapshot::{Domain, Found, FoundCode, NotIssued, Snapshot, Tenant};
pub use stored::{Loader, Put, Table};
pub use text::PreparedText;
pub(crate) use text::{push_html, push_json};
