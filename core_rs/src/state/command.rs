//! The commands that change state, as JSON objects with a `command` key. Unknown keys are refused.

use crate::code::{Face, Format, Level, Pairing};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Codes one order may have.
pub const ORDER_QUANTITY_MAX: u32 = 20_000_000;
/// Codes or texts one command may list.
pub const LISTED_CODES_MAX: usize = 100_000;
/// Names (tenant, series, order, product, host, event id) are this long at most.
pub const NAME_BYTES_MAX: usize = 64;
/// Free texts (product name, reason, recall instructions) are this long at most.
pub const TEXT_BYTES_MAX: usize = 8_192;
/// A lot is GS1 AI (10): this many characters at most.
pub const LOT_BYTES_MAX: usize = 20;

/// One command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Give the tenant a scan domain.
    SetDomain(SetDomain),
    /// Say what a product is called; orders of it show the new text at once.
    SetProduct(SetProduct),
    /// Open a (further) key space of a series.
    OpenKeySpace(OpenKeySpace),
    /// Issue an order of codes.
    Issue(Issue),
    /// Make foreign codes known as an order of a keyless key space.
    ImportAliases(ImportAliases),
    /// Release items for use.
    Activate(Change),
    /// Take items out of use for good.
    Void(Change),
    /// Hold items until further notice.
    Freeze(Change),
    /// Call items back; also void ones.
    Recall(Recall),
    /// Take a hold away, wholly or for a sub-scope.
    Unfreeze(Unfreeze),
    /// Put new items in the place of old ones.
    Replace(Replace),
}

/// Names the `command` key may have.
pub const COMMAND_KINDS: [&str; 11] = [
    "set_domain",
    "set_product",
    "open_key_space",
    "issue",
    "import_aliases",
    "activate",
    "void",
    "freeze",
    "recall",
    "unfreeze",
    "replace",
];

/// Give the tenant a scan domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetDomain {
    /// Host name in lower case, without a port.
    pub host: String,
}

/// Describe a product. Replaces an earlier description as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetProduct {
    /// Name of the product inside the tenant.
    pub product: String,
    /// GTIN-8, -12, -13 or -14 with a valid check digit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtin: Option<String>,
    /// What consumers read.
    pub name: String,
    /// The same in English; `name` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_en: Option<String>,
    /// Brand as consumers know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// The same in English; `brand` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand_en: Option<String>,
    /// What to do when an item is recalled and the recall itself does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall_instructions: Option<String>,
    /// Where a browser is sent on: an http or https address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// Open a key space: one epoch of a series. Without faces it is keyless and takes imported codes; format, nonce
/// and key size then have no effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenKeySpace {
    /// Series inside the tenant.
    pub series: String,
    /// Renewal of the series; higher than all before.
    pub epoch: u32,
    /// Host name of the scan domain.
    pub domain: String,
    /// Format of its codes.
    pub format: Format,
    /// What its codes identify.
    pub level: Level,
    /// How the faces belong together.
    pub pairing: Pairing,
    /// 128 or 256.
    #[serde(default = "key_bits_usual")]
    pub key_bits: u16,
    /// Random 128-bit nonce of the epoch, 32 hexadecimal digits.
    pub nonce: String,
    /// One slot per face.
    pub faces: Vec<FaceSlot>,
}

fn key_bits_usual() -> u16 {
    128
}

/// A face and the slot its codes carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceSlot {
    /// Face.
    pub face: Face,
    /// Slot of the scan domain and format, never used before.
    pub slot: u16,
}

/// Issue an order of codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issue {
    /// Name of the order, unique in the tenant.
    pub order: String,
    /// Series it draws serials from, in its latest epoch.
    pub series: String,
    /// Product of its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Lot of its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// 1 to [`ORDER_QUANTITY_MAX`] codes.
    pub quantity: u32,
    /// Bound date of its items, µs since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_us: Option<i64>,
    /// Version of the word list whose words no code may contain; 0 is none.
    #[serde(default)]
    pub word_list: u8,
}

/// Make foreign codes known as an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportAliases {
    /// Name of the order, unique in the tenant.
    pub order: String,
    /// Keyless series.
    pub series: String,
    /// Product of its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Lot of its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// The texts, at most [`LISTED_CODES_MAX`]; the n-th gets index n.
    pub texts: Vec<String>,
    /// Whether the case of ASCII letters is ignored.
    #[serde(default)]
    pub fold_case: bool,
}

/// Which items a command means. In JSON: `{"order"}`, `{"order", "first", "count"}` or `{"codes"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ScopeFields", into = "ScopeFields")]
pub enum Scope {
    /// Every item of an order.
    Order(String),
    /// A range of an order: rows of its export, counted from 0. Serials skipped at issue are no rows.
    Range {
        /// Name of the order.
        order: String,
        /// Position of the first item.
        first: u32,
        /// Number of items, at least 1.
        count: u32,
    },
    /// The items behind 1 to [`LISTED_CODES_MAX`] codes of any face; an item listed twice counts once.
    Codes(Vec<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<String>>,
}

impl TryFrom<ScopeFields> for Scope {
    type Error = &'static str;

    fn try_from(fields: ScopeFields) -> std::result::Result<Self, Self::Error> {
        match fields {
            ScopeFields { order: Some(order), first: None, count: None, codes: None } => {
                Ok(Self::Order(order))
            }
            ScopeFields { order: Some(order), first: Some(first), count: Some(count), codes: None } => {
                Ok(Self::Range { order, first, count })
            }
            ScopeFields { order: None, first: None, count: None, codes: Some(codes) } => {
                Ok(Self::Codes(codes))
            }
            _ => Err(r#"scope: give "order", or "order" with "first" and "count", or "codes""#),
        }
    }
}

impl From<Scope> for ScopeFields {
    fn from(scope: Scope) -> Self {
        let none = Self { order: None, first: None, count: None, codes: None };
        match scope {
            Scope::Order(order) => Self { order: Some(order), ..none },
            Scope::Range { order, first, count } => {
                Self { order: Some(order), first: Some(first), count: Some(count), ..none }
            }
            Scope::Codes(codes) => Self { codes: Some(codes), ..none },
        }
    }
}

/// Activate, void or freeze.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Items meant.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Refuse when any item would be skipped.
    #[serde(default)]
    pub strict: bool,
}

/// Call items back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recall {
    /// Items meant.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Refuse when any item would be skipped. A recall skips none, so it changes nothing here.
    #[serde(default)]
    pub strict: bool,
    /// What the owner of an item shall do; the product's own text when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

/// Take a hold away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unfreeze {
    /// Event id of the freeze or recall. Without it the command is refused and lists the holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Items to release; all that the hold covers when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Why.
    pub reason: String,
    /// Refuse when any item would be skipped. An unfreeze skips none, so it changes nothing here.
    #[serde(default)]
    pub strict: bool,
}

/// Put new items in the place of old ones, pair by pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// 1 to [`LISTED_CODES_MAX`] codes to take out of use.
    pub old: Vec<String>,
    /// As many codes that are issued, of the same product and level.
    pub new: Vec<String>,
    /// Why.
    pub reason: String,
    /// Refuse when any pair would be skipped because its old item is void already.
    #[serde(default)]
    pub strict: bool,
}

impl Command {
    /// Read a command from JSON.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (field `command`) that says what is wrong with it.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(|error| Error::invalid("command", error.to_string()))
    }

    /// Its `command` key.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SetDomain(_) => "set_domain",
            Self::SetProduct(_) => "set_product",
            Self::OpenKeySpace(_) => "open_key_space",
            Self::Issue(_) => "issue",
            Self::ImportAliases(_) => "import_aliases",
            Self::Activate(_) => "activate",
            Self::Void(_) => "void",
            Self::Freeze(_) => "freeze",
            Self::Recall(_) => "recall",
            Self::Unfreeze(_) => "unfreeze",
            Self::Replace(_) => "replace",
        }
    }

    /// The reason it gives; commands on the catalogue and on whole new orders carry none.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Activate(change) | Self::Void(change) | Self::Freeze(change) => Some(&change.reason),
            Self::Recall(recall) => Some(&recall.reason),
            Self::Unfreeze(unfreeze) => Some(&unfreeze.reason),
            Self::Replace(replace) => Some(&replace.reason),
            Self::SetDomain(_)
            | Self::SetProduct(_)
            | Self::OpenKeySpace(_)
            | Self::Issue(_)
            | Self::ImportAliases(_) => None,
        }
    }
}

/// Whether `text` is a name: 1 to [`NAME_BYTES_MAX`] characters out of `A–Z a–z 0–9 . _ -`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
