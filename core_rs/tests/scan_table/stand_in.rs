//! A stand-in for the engine: it issues codes of each kind of the case table and answers them by their kind.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use imp_core::code::{Face, Format, Key, MalformedWhy, ParseFailure, SlotCipher, parse};
use imp_core::scan::{
    Device, DeviceKeys, HttpAnswer, HttpRequest, HttpSettings, Outcome, Reason, Reasons, ScanContext,
    ScanDomain, ScannedText, Scanner, Verdict, answer, link_mismatch,
};
use imp_core::state::{Extent, Fragments, Hold, HoldKind, ItemSet, Order, OrderMeta, SetProduct};
use serde_json::Value;

use crate::table::{World, mistype};

const SLOT: u16 = 5;
const STRANGE_SLOT: u16 = 6;
const UNISSUED: u64 = 1 << 39;
const FIRST_AT_US: i64 = 1_767_000_000_000_000;

/// The parts of a context that tests look at.
#[derive(Debug, Clone)]
pub struct Seen {
    pub device: Device,
    pub address_prefix: [u8; 8],
    pub now_us: i64,
    pub count: bool,
    pub gtin: Option<Vec<u8>>,
    pub lot: Option<Vec<u8>>,
}

/// Orders, codes and keys of the table's world.
pub struct StandIn {
    host: String,
    base32: SlotCipher,
    digits: SlotCipher,
    strange: SlotCipher,
    order: Arc<Order>,
    recalled: Arc<Order>,
    plain: Arc<Order>,
    device_keys: Arc<DeviceKeys>,
    next_serial: u64,
    /// Kind of every issued text.
    kinds: HashMap<Vec<u8>, String>,
    last: RefCell<Option<Seen>>,
}

impl StandIn {
    pub fn new(world: &Value) -> Self {
        let product: SetProduct = serde_json::from_value(world["product"].clone()).unwrap();
        let order = Order::new(meta(world["lot"].as_str()), Arc::new(Fragments::of(&product)));
        let recall = Hold {
            id: "recall-1".into(),
            kind: HoldKind::Recall,
            at_us: 1,
            reason: "test".into(),
            instructions: None,
            items: ItemSet::All,
        };
        let cipher =
            |format, slot| SlotCipher::new(format, slot, &Key::from_bytes(&[9; 16]).unwrap()).unwrap();
        let odd_alias = world["odd_alias"].as_str().unwrap().to_owned();
        Self {
            host: world["host"].as_str().unwrap().to_owned(),
            base32: cipher(Format::Base32, SLOT),
            digits: cipher(Format::Digits, SLOT),
            strange: cipher(Format::Base32, STRANGE_SLOT),
            recalled: Arc::new(order.held(recall).0),
            plain: Arc::new(Order::new(meta(None), Arc::new(Fragments::none()))),
            order: Arc::new(order),
            device_keys: Arc::new(DeviceKeys::new(&[1; 32], &[2; 32])),
            kinds: HashMap::from([(odd_alias.into_bytes(), "alias".to_owned())]),
            next_serial: 0,
            last: RefCell::new(None),
        }
    }

    pub fn last_context(&self) -> Seen {
        self.last.borrow().clone().expect("something was scanned")
    }

    fn issued(&self, kind: &str, code: ScannedText, context: &ScanContext<'_>) -> Outcome {
        let order = match kind {
            "recalled" => &self.recalled,
            "plain" => &self.plain,
            _ => &self.order,
        };
        if let Some(reason) = link_mismatch(order, context) {
            return Outcome::without_item(Verdict::Mistyped, reason, code);
        }
        let (verdict, reason) = match kind {
            "seen" => (Verdict::Repeat, Some(Reason::CheckedBefore)),
            "inactive" => (Verdict::Inactive, Some(Reason::NotActivated)),
            "frozen" => (Verdict::Frozen, Some(Reason::OnHold)),
            "void" => (Verdict::Void, Some(Reason::Voided)),
            "replaced" => (Verdict::Void, Some(Reason::Replaced)),
            "expired" => (Verdict::Expired, Some(Reason::PastExpiry)),
            "recalled" => (Verdict::Recalled, Some(Reason::UnderRecall)),
            _ => (Verdict::Genuine, None),
        };
        let mut reasons = reason.map(Reasons::from).unwrap_or_default();
        if !context.count {
            reasons.push(Reason::NotCounted);
        }
        let counts = context.count && matches!(verdict, Verdict::Genuine | Verdict::Repeat);
        let first_at_us = if kind == "seen" { FIRST_AT_US } else { context.now_us };
        Outcome {
            verdict,
            reasons,
            is_first: (counts && kind != "outer").then_some(verdict == Verdict::Genuine),
            scans: counts.then_some(if kind == "seen" { 2 } else { 1 }),
            first_at_us: counts.then_some(first_at_us),
            recorded: context.count,
            code,
            face: Some(if kind == "outer" { Face::Outer } else { Face::Inner }),
            order: Some(Arc::clone(order)),
            index: 0,
        }
    }
}

impl World for StandIn {
    fn new_code(&mut self, kind: &str) -> String {
        self.next_serial += 1;
        let text = match kind {
            "digits" => self.digits.encode(self.next_serial).as_str().to_owned(),
            "strange" => self.strange.encode(self.next_serial).as_str().to_owned(),
            "unissued" => self.base32.encode(UNISSUED + self.next_serial).as_str().to_owned(),
            "alias" => format!("EPC{:09}", self.next_serial),
            "mistyped" => mistype(self.base32.encode(self.next_serial).as_str()),
            _ => self.base32.encode(self.next_serial).as_str().to_owned(),
        };
        if !matches!(kind, "strange" | "unissued" | "mistyped") {
            self.kinds.insert(text.clone().into_bytes(), kind.to_owned());
        }
        text
    }

    fn answer(&self, request: &HttpRequest<'_>) -> Option<HttpAnswer> {
        answer(self, &HttpSettings::default(), request)
    }
}

impl Scanner for StandIn {
    fn scan(&self, text: &[u8], context: &ScanContext<'_>) -> Outcome {
        *self.last.borrow_mut() = Some(Seen {
            device: context.device,
            address_prefix: context.address_prefix,
            now_us: context.now_us,
            count: context.count,
            gtin: context.gtin.map(<[u8]>::to_vec),
            lot: context.lot.map(<[u8]>::to_vec),
        });
        let alias = |failed: Outcome| match self.kinds.get(text) {
            Some(kind) => self.issued(kind, ScannedText::Alias(text.into()), context),
            None => failed,
        };
        match parse(text) {
            Err(ParseFailure::Malformed(why)) => {
                let reason = match why {
                    MalformedWhy::Empty => Reason::Empty,
                    MalformedWhy::TooLong => Reason::TooLong,
                    MalformedWhy::Length => Reason::Length,
                    MalformedWhy::Alphabet => Reason::Alphabet,
                };
                alias(Outcome::without_item(Verdict::Malformed, reason, ScannedText::None))
            }
            Err(ParseFailure::Mistyped { text, .. }) => {
                let code = ScannedText::Code(text);
                alias(Outcome::without_item(Verdict::Mistyped, Reason::CheckFailed, code))
            }
            Ok(parsed) => match self.kinds.get(parsed.text.as_bytes()) {
                Some(kind) => self.issued(kind, ScannedText::Code(parsed.text), context),
                None => {
                    let reason =
                        if parsed.slot == SLOT { Reason::SerialNotIssued } else { Reason::SlotUnknown };
                    Outcome::without_item(Verdict::Unknown, reason, ScannedText::Code(parsed.text))
                }
            },
        }
    }

    fn scan_nothing(&self, reason: Reason, _context: &ScanContext<'_>) -> Outcome {
        Outcome::without_item(Verdict::Malformed, reason, ScannedText::None)
    }

    fn domain(&self, host: &[u8]) -> Option<ScanDomain> {
        (host == self.host.as_bytes()).then(|| ScanDomain {
            id: 1,
            tenant: 1,
            device_keys: Arc::clone(&self.device_keys),
        })
    }
}

fn meta(lot: Option<&str>) -> OrderMeta {
    OrderMeta {
        id: 1,
        tenant: 1,
        name: "order".into(),
        key_space: 1,
        product: None,
        lot: lot.map(Into::into),
        first: 0,
        extent: Extent::dense(1000),
        expires_at_us: None,
        issued_at_us: 0,
        word_list: 0,
        texts_sha256: None,
    }
}
