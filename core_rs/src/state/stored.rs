//! How the snapshot is stored: the `order` family.
//!
//! A key is a kind byte and big-endian numbers; kinds ascend so that what an entry refers to comes before it.
//! A value is a version byte, the length of a JSON header (u32 little-endian), the header, and a binary tail.
//!
//! | kind | key after it | header | tail |
//! | --- | --- | --- | --- |
//! | 1 snapshot | – | `epoch` | – |
//! | 2 tenant | tenant u32 | `name` | – |
//! | 3 domain | domain u32 | `tenant`, `host` | – |
//! | 4 product | product u32 | `tenant`, the description | – |
//! | 5 key space | key space u32 | all but ciphers | – |
//! | 6 order | order u32 | all but items | skipped indices, roaring |
//! | 7 set of items | order u32, 1 active, 2 void or 3 replaced | – | [`ItemSet`] |
//! | 8 hold | order u32, hold id | kind, time, reason, instructions | [`ItemSet`] |

use super::command::SetProduct;
use super::hold::{Hold, HoldKind};
use super::item_set::{Extent, ItemSet, read_bitmap, write_bitmap};
use super::key_space::KeySpaceMeta;
use super::order::{Order, OrderMeta};
use super::product::Product;
use super::snapshot::Snapshot;
use super::text::PreparedText;
use crate::code::{Face, Format, KeySize, Keyring, Level, Pairing};
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

const VERSION: u8 = 1;

const SNAPSHOT: u8 = 1;
const TENANT: u8 = 2;
const DOMAIN: u8 = 3;
const PRODUCT: u8 = 4;
const KEY_SPACE: u8 = 5;
const ORDER: u8 = 6;
const ITEMS: u8 = 7;
const HOLD: u8 = 8;

const ACTIVE: u8 = 1;
const VOID: u8 = 2;
const REPLACED: u8 = 3;

/// Where a plan's write goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// The snapshot itself.
    Order,
    /// Foreign codes.
    Alias,
    /// Item to item.
    Link,
}

/// One write of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Where.
    pub table: Table,
    /// Key.
    pub key: Vec<u8>,
    /// Value; `None` deletes the key.
    pub value: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSnapshot {
    epoch: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTenant {
    name: Box<str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDomain {
    tenant: u32,
    host: Box<str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredProduct {
    tenant: u32,
    description: SetProduct,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKeySpace {
    tenant: u32,
    domain: u32,
    series: Box<str>,
    epoch: u32,
    format: Format,
    level: Level,
    pairing: Pairing,
    key_bits: u32,
    nonce: [u8; 16],
    faces: Vec<(Face, u16)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredOrder {
    tenant: u32,
    name: Box<str>,
    key_space: u32,
    product: Option<u32>,
    lot: Option<Box<str>>,
    first: u64,
    span: u32,
    expires_at_us: Option<i64>,
    issued_at_us: i64,
    word_list: u8,
    texts_sha256: Option<[u8; 32]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredHold {
    kind: HoldKind,
    at_us: i64,
    reason: Box<str>,
    instructions: Option<Box<str>>,
}

pub(super) fn snapshot_put(epoch: u64) -> Put {
    put(vec![SNAPSHOT], &StoredSnapshot { epoch }, &[])
}

pub(super) fn tenant_put(id: u32, name: &str) -> Put {
    put(key(TENANT, id), &StoredTenant { name: name.into() }, &[])
}

pub(super) fn domain_put(id: u32, tenant: u32, host: &str) -> Put {
    put(key(DOMAIN, id), &StoredDomain { tenant, host: host.into() }, &[])
}

pub(super) fn product_put(product: &Product) -> Put {
    let stored = StoredProduct { tenant: product.tenant, description: product.description.clone() };
    put(key(PRODUCT, product.id), &stored, &[])
}

pub(super) fn key_space_put(meta: &KeySpaceMeta) -> Put {
    let stored = StoredKeySpace {
        tenant: meta.tenant,
        domain: meta.domain,
        series: meta.series.clone(),
        epoch: meta.epoch,
        format: meta.format,
        level: meta.level,
        pairing: meta.pairing,
        key_bits: meta.key_size.bytes_count() as u32 * 8,
        nonce: meta.nonce,
        faces: meta.faces.clone(),
    };
    put(key(KEY_SPACE, meta.id), &stored, &[])
}

pub(super) fn order_put(meta: &OrderMeta) -> Put {
    let stored = StoredOrder {
        tenant: meta.tenant,
        name: meta.name.clone(),
        key_space: meta.key_space,
        product: meta.product,
        lot: meta.lot.clone(),
        first: meta.first,
        span: meta.extent.span(),
        expires_at_us: meta.expires_at_us,
        issued_at_us: meta.issued_at_us,
        word_list: meta.word_list,
        texts_sha256: meta.texts_sha256,
    };
    let mut skipped = Vec::new();
    write_bitmap(meta.extent.skipped(), &mut skipped);
    put(key(ORDER, meta.id), &stored, &skipped)
}

/// The writes that turn the stored state of an order's items into another one.
pub(super) fn state_puts(before: &Order, after: &Order, puts: &mut Vec<Put>) {
    let id = after.meta.id;
    let sets = [
        (ACTIVE, before.active(), after.active()),
        (VOID, before.void(), after.void()),
        (REPLACED, before.replaced(), after.replaced()),
    ];
    for (set, before, after) in sets {
        if before != after {
            let mut key = key(ITEMS, id);
            key.push(set);
            let mut items = Vec::new();
            after.encode(&mut items);
            puts.push(put(key, &(), &items));
        }
    }
    hold_puts(before, after, puts);
}

/// Both orders keep their holds by time, then id; untouched holds are the same allocation.
fn hold_puts(before: &Order, after: &Order, puts: &mut Vec<Put>) {
    let id = after.meta.id;
    let place = |hold: &Arc<Hold>| (hold.at_us, hold.id.clone());
    let (mut old, mut new) = (before.holds().iter().peekable(), after.holds().iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) if Arc::ptr_eq(a, b) => {
                old.next();
                new.next();
                continue;
            }
            (Some(a), Some(b)) => place(a).cmp(&place(b)),
        };
        let gone = old.next_if(|_| order.is_le());
        match (gone, new.next_if(|_| order.is_ge())) {
            (_, Some(hold)) => puts.push(hold_put(id, hold)),
            (Some(gone), None) => {
                puts.push(Put { table: Table::Order, key: hold_key(id, &gone.id), value: None })
            }
            (None, None) => {}
        }
    }
}

fn hold_put(order: u32, hold: &Hold) -> Put {
    let stored = StoredHold {
        kind: hold.kind,
        at_us: hold.at_us,
        reason: hold.reason.clone(),
        instructions: hold.instructions.as_ref().map(|prepared| prepared.text.clone()),
    };
    let mut items = Vec::new();
    hold.items.encode(&mut items);
    put(hold_key(order, &hold.id), &stored, &items)
}

fn hold_key(order: u32, hold: &str) -> Vec<u8> {
    let mut key = key(HOLD, order);
    key.extend(hold.as_bytes());
    key
}

fn key(kind: u8, number: u32) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend(number.to_be_bytes());
    key
}

fn put(key: Vec<u8>, header: &impl Serialize, tail: &[u8]) -> Put {
    let header = serde_json::to_vec(header).expect("stored headers always serialise");
    let mut value = Vec::with_capacity(5 + header.len() + tail.len());
    value.push(VERSION);
    value.extend((header.len() as u32).to_le_bytes());
    value.extend(header);
    value.extend(tail);
    Put { table: Table::Order, key, value: Some(value) }
}

/// Rebuilds a snapshot from the stored entries, which must come in key order.
#[derive(Debug, Default)]
pub struct Loader {
    snapshot: Snapshot,
    /// State of the order whose entries are being read; kinds 7 and 8 are gathered until the end.
    states: BTreeMap<u32, StoredState>,
}

#[derive(Debug, Default)]
struct StoredState {
    active: ItemSet,
    void: ItemSet,
    replaced: ItemSet,
    holds: Vec<Hold>,
}

impl Loader {
    /// Take one stored entry.
    ///
    /// # Errors
    /// [`Error::Incompatible`] for an entry of a newer version, [`Error::Corrupt`] for one that was not written
    /// by this module or does not fit those before it.
    pub fn entry(&mut self, key: &[u8], value: &[u8], keyring: &Keyring) -> Result<()> {
        let (kind, rest) = key.split_first().ok_or_else(|| corrupt("empty key"))?;
        let (header, tail) = unframe(value)?;
        if *kind == SNAPSHOT {
            self.snapshot.epoch = parse::<StoredSnapshot>(header)?.epoch;
            return Ok(());
        }
        let (number, rest) = rest.split_first_chunk::<4>().ok_or_else(|| corrupt("short key"))?;
        let number = u32::from_be_bytes(*number);
        match *kind {
            TENANT => self.tenant(number, parse(header)?),
            DOMAIN => self.domain(number, &parse(header)?),
            PRODUCT => self.product(number, parse(header)?),
            KEY_SPACE => self.key_space(number, parse(header)?, keyring),
            ORDER => self.order(number, parse(header)?, tail),
            ITEMS => self.items(number, rest, tail),
            HOLD => self.hold(number, rest, parse(header)?, tail),
            kind => Err(Error::Incompatible(format!("stored state of kind {kind}"))),
        }
    }

    /// The snapshot, after the last entry.
    #[must_use]
    pub fn finish(mut self) -> Snapshot {
        for (number, state) in self.states {
            if let Some(order) = self.snapshot.order(number) {
                let StoredState { active, void, replaced, holds } = state;
                let order = (**order).clone().restored(active, void, replaced, holds);
                self.snapshot.set_order(order);
            }
        }
        self.snapshot
    }

    fn tenant(&mut self, number: u32, stored: StoredTenant) -> Result<()> {
        expect_next("tenant", number, self.snapshot.next_tenant())?;
        self.snapshot.add_tenant(&stored.name);
        Ok(())
    }

    fn domain(&mut self, number: u32, stored: &StoredDomain) -> Result<()> {
        expect_next("domain", number, self.snapshot.next_domain())?;
        self.expect_tenant(stored.tenant)?;
        self.snapshot.add_domain(stored.tenant, &stored.host);
        Ok(())
    }

    fn product(&mut self, number: u32, stored: StoredProduct) -> Result<()> {
        expect_next("product", number, self.snapshot.next_product())?;
        self.expect_tenant(stored.tenant)?;
        let StoredProduct { tenant, description } = stored;
        self.snapshot.put_product(Product { id: number, tenant, description });
        Ok(())
    }

    fn key_space(&mut self, number: u32, stored: StoredKeySpace, keyring: &Keyring) -> Result<()> {
        expect_next("key space", number, self.snapshot.next_key_space())?;
        self.expect_tenant(stored.tenant)?;
        let key_size = KeySize::from_bits(stored.key_bits).ok_or_else(|| corrupt("key size"))?;
        let meta = KeySpaceMeta {
            id: number,
            tenant: stored.tenant,
            domain: stored.domain,
            series: stored.series,
            epoch: stored.epoch,
            format: stored.format,
            level: stored.level,
            pairing: stored.pairing,
            key_size,
            nonce: stored.nonce,
            faces: stored.faces,
        };
        self.snapshot.domain(meta.domain).ok_or_else(|| corrupt("domain of a key space"))?;
        self.snapshot.add_key_space(meta, keyring).map_err(|error| Error::Corrupt(error.to_string()))
    }

    fn order(&mut self, number: u32, stored: StoredOrder, tail: &[u8]) -> Result<()> {
        expect_next("order", number, self.snapshot.next_order())?;
        self.expect_tenant(stored.tenant)?;
        let key_space =
            self.snapshot.key_space(stored.key_space).ok_or_else(|| corrupt("key space of an order"))?;
        if key_space.watermark != stored.first {
            return Err(corrupt("serials of an order"));
        }
        let extent =
            Extent::with_skipped(stored.span, read_bitmap(tail)?).ok_or_else(|| corrupt("skipped items"))?;
        let meta = OrderMeta {
            id: number,
            tenant: stored.tenant,
            name: stored.name,
            key_space: stored.key_space,
            product: stored.product,
            lot: stored.lot,
            first: stored.first,
            extent,
            expires_at_us: stored.expires_at_us,
            issued_at_us: stored.issued_at_us,
            word_list: stored.word_list,
            texts_sha256: stored.texts_sha256,
        };
        let fragments = self.snapshot.fragments_of(meta.product);
        self.snapshot.add_order(Order::new(meta, fragments));
        Ok(())
    }

    fn items(&mut self, number: u32, set: &[u8], tail: &[u8]) -> Result<()> {
        let (order, state) = self.state_of(number)?;
        let items = ItemSet::decode(tail, &order.meta.extent)?;
        match set {
            [ACTIVE] => state.active = items,
            [VOID] => state.void = items,
            [REPLACED] => state.replaced = items,
            _ => return Err(corrupt("set of items")),
        }
        Ok(())
    }

    fn hold(&mut self, number: u32, id: &[u8], stored: StoredHold, tail: &[u8]) -> Result<()> {
        let (order, state) = self.state_of(number)?;
        state.holds.push(Hold {
            id: std::str::from_utf8(id).map_err(|_| corrupt("hold id"))?.into(),
            kind: stored.kind,
            at_us: stored.at_us,
            reason: stored.reason,
            instructions: stored.instructions.as_deref().map(PreparedText::new),
            items: ItemSet::decode(tail, &order.meta.extent)?,
        });
        Ok(())
    }

    fn state_of(&mut self, number: u32) -> Result<(&Arc<Order>, &mut StoredState)> {
        let order = self.snapshot.order(number).ok_or_else(|| corrupt("order of items"))?;
        Ok((order, self.states.entry(number).or_default()))
    }

    fn expect_tenant(&self, number: u32) -> Result<()> {
        self.snapshot.tenant_at(number).map(|_| ()).ok_or_else(|| corrupt("unknown tenant"))
    }
}

fn expect_next(what: &str, number: u32, next: u32) -> Result<()> {
    if number == next { Ok(()) } else { Err(corrupt(&format!("{what} {number} where {next} is next"))) }
}

fn unframe(value: &[u8]) -> Result<(&[u8], &[u8])> {
    match value {
        [VERSION, rest @ ..] => {
            let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(|| corrupt("short value"))?;
            rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or_else(|| corrupt("short header"))
        }
        [version, ..] if *version > VERSION => {
            Err(Error::Incompatible(format!("stored state version {version}")))
        }
        _ => Err(corrupt("version")),
    }
}

fn parse<T: DeserializeOwned>(header: &[u8]) -> Result<T> {
    serde_json::from_slice(header).map_err(|error| corrupt(&error.to_string()))
}

fn corrupt(what: &str) -> Error {
    Error::Corrupt(format!("stored state: {what}"))
}
