//! The tamper-evident record: one leaf per command, an RFC 6962 tree over the leaves.

mod leaf;
mod tree;

pub use leaf::{Leaf, leaf_key};
pub use tree::{Frontier, Hash, hex, leaf_hash, node_hash};
