//! What one leaf says, as canonical bytes.

use serde::Serialize;
use serde_json::Value;

/// One leaf: who did what to which scope, and what that changed.
///
/// The canonical form is JSON without white space whose keys stand in alphabetical order (the rule of
/// RFC 8785 for the values used here: strings, integers, arrays, objects). Personal data never enters a leaf.
#[derive(Debug, Clone, Serialize)]
pub struct Leaf<'a> {
    /// Command kind, or the name of another recorded act.
    pub action: &'a str,
    /// Salted hash or opaque account id of who asked.
    pub actor: &'a str,
    /// Scope, counts by state and hold set after the command.
    pub after: &'a Value,
    /// Time of the command, µs since the epoch.
    pub at_us: i64,
    /// The same before the command.
    pub before: &'a Value,
    /// Event id of the command.
    pub event_id: &'a str,
    /// Codes changed, already so, skipped.
    pub impact: &'a Value,
    /// What was acted on.
    pub object: &'a Value,
    /// The reason given.
    pub reason: &'a str,
    /// Per-tenant sequence number of the command.
    pub seq: u64,
    /// `applied` or `refused`.
    pub status: &'a str,
    /// Tenant whose data was touched.
    pub tenant: &'a str,
    /// Version of this leaf form.
    pub v: u8,
}

impl Leaf<'_> {
    /// The bytes that are stored and hashed.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, integers and JSON values always serialise")
    }
}

/// Key of leaf `index` of ledger `origin` in the `ledger` family: big endian, so iteration follows the tree.
pub fn leaf_key(origin: u32, index: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&origin.to_be_bytes());
    key[4..].copy_from_slice(&index.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn canonical_bytes_have_sorted_keys_and_no_white_space() {
        let none = json!({});
        let leaf = Leaf {
            action: "freeze",
            actor: "a1",
            after: &json!({"b": 1, "a": 2}),
            at_us: 5,
            before: &none,
            event_id: "e",
            impact: &none,
            object: &none,
            reason: "leak",
            seq: 7,
            status: "applied",
            tenant: "t",
            v: 1,
        };
        let text = String::from_utf8(leaf.canonical_bytes()).unwrap();
        assert!(
            text.starts_with(r#"{"action":"freeze","actor":"a1","after":{"a":2,"b":1},"at_us":5"#),
            "{text}"
        );
        let parsed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), text, "a sorted map prints the same bytes");
    }
}
