//! What can be asked without changing anything, as JSON.

use super::Engine;
use crate::code::{Face, Key, KeySize};
use crate::error::{Error, Result};
use crate::ledger::hex;
use crate::scan::Role;
use crate::state::{
    Hold, ItemRef, ItemSet, KeySpace, Order, Record, Relation, Snapshot, StateCounts, link_key, link_target,
    scan_key,
};
use crate::store::Family;
use serde::Serialize;

#[derive(Serialize)]
struct HoldJson<'a> {
    hold: &'a str,
    kind: &'static str,
    at_us: i64,
    reason: &'a str,
    items: u64,
}

#[derive(Serialize)]
struct OrderJson<'a> {
    order: &'a str,
    series: &'a str,
    epoch: u32,
    key_space: u32,
    level: &'static str,
    format: Option<&'static str>,
    product: Option<&'a str>,
    lot: Option<&'a str>,
    quantity: u32,
    first_serial: u64,
    skipped_serials: u32,
    issued_at_us: i64,
    expires_at_us: Option<i64>,
    by_state: StateCounts,
    holds: Vec<HoldJson<'a>>,
}

#[derive(Serialize)]
struct FaceJson {
    face: &'static str,
    code: Option<String>,
    scans: u32,
    sessions: u32,
    first_at_us: Option<i64>,
    last_at_us: Option<i64>,
}

#[derive(Serialize)]
struct LookupJson<'a> {
    state: &'static str,
    reason: Option<&'static str>,
    code: Option<String>,
    lifecycle: Option<&'static str>,
    holds: Vec<HoldJson<'a>>,
    order: Option<&'a str>,
    product: Option<&'a str>,
    lot: Option<&'a str>,
    face: Option<&'static str>,
    level: Option<&'static str>,
    index: Option<u32>,
    serial: Option<u64>,
    key_space: Option<u32>,
    successor: Option<String>,
    faces: Vec<FaceJson>,
}

#[derive(Serialize)]
struct PlannedFaceJson {
    face: &'static str,
    slot: u16,
}

#[derive(Serialize)]
struct ExportPlanJson<'a> {
    order: &'a str,
    format: &'static str,
    faces: Vec<PlannedFaceJson>,
    epoch: u32,
    key_bits: u16,
    domain: &'a str,
    product: Option<&'a str>,
    gtin: Option<&'a str>,
    lot: Option<&'a str>,
    first_serial: u64,
    quantity: u32,
    span: u32,
    left_out: Vec<(u64, u64)>,
    count: u64,
}

#[derive(Serialize)]
struct KeySpaceJson<'a> {
    key_space: u32,
    series: &'a str,
    epoch: u32,
    domain: &'a str,
    format: &'static str,
    level: &'static str,
    pairing: &'static str,
    key_bits: u16,
    nonce: String,
    faces: Vec<PlannedFaceJson>,
    issued: u64,
    capacity: u64,
}

#[derive(Serialize)]
struct ProductJson<'a> {
    product: &'a str,
    name: &'a str,
    gtin: Option<&'a str>,
}

#[derive(Serialize)]
struct CatalogueJson<'a> {
    domains: Vec<&'a str>,
    key_spaces: Vec<KeySpaceJson<'a>>,
    products: Vec<ProductJson<'a>>,
}

#[derive(Serialize)]
struct StatusJson<'a> {
    ready: bool,
    poisoned: Option<String>,
    format_version: u16,
    epoch: u64,
    tenants: usize,
    orders: usize,
    codes_issued: u64,
    aliases: usize,
    ledger_origin: u32,
    ledger_leaves: u64,
    ledger_root: String,
    latest_sequence: u64,
    durable_sequence: u64,
    last_seqs: &'a std::collections::BTreeMap<String, u64>,
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and integers always serialise")
}

impl Engine {
    /// One order: series, product, lot, quantity, exact counts by state, holds.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an order that is not the tenant's.
    pub fn order(&self, tenant: &str, order: &str) -> Result<Vec<u8>> {
        let snapshot = self.snapshot.load();
        let order = order_of(&snapshot, tenant, order)?;
        Ok(json(&order_json(&snapshot, order, self.now_us())))
    }

    /// All orders of a tenant, oldest first; none for a tenant without any.
    pub fn orders(&self, tenant: &str) -> Vec<u8> {
        let (snapshot, now_us) = (self.snapshot.load(), self.now_us());
        let tenant = snapshot.tenant(tenant).map(|tenant| tenant.id);
        let orders = tenant.into_iter().flat_map(|tenant| snapshot.orders_of(tenant));
        json(&orders.map(|order| order_json(&snapshot, order, now_us)).collect::<Vec<_>>())
    }

    /// All that is known of a code, without counting: state, lifecycle, holds, order, counters of each face.
    ///
    /// # Errors
    /// When the store cannot be read; an unknown text is an answer, not an error.
    pub fn lookup(&self, tenant: &str, text: &[u8], role: Role) -> Result<Vec<u8>> {
        let snapshot = self.snapshot.load();
        let found = match self.identify(&snapshot, self.tenant(tenant), None, text)? {
            Ok(found) => found,
            Err(none) => {
                let code = String::from_utf8_lossy(none.text.as_bytes()).into_owned();
                return Ok(json(&unknown_json(
                    none.reason.visible_to(role).then(|| none.reason.code()),
                    code,
                )));
            }
        };
        let order = &*found.order;
        let key_space = key_space_of(&snapshot, order)?;
        let (product, now_us) = (product_of(&snapshot, order), self.now_us());
        Ok(json(&LookupJson {
            state: order.state(found.index, now_us).name(),
            reason: None,
            code: Some(String::from_utf8_lossy(found.text.as_bytes()).into_owned()),
            lifecycle: Some(order.lifecycle(found.index).name()),
            holds: order.holds_on(found.index).map(|hold| hold_json(order, hold)).collect(),
            order: Some(&order.meta.name),
            product,
            lot: order.meta.lot.as_deref(),
            face: Some(found.face.name()),
            level: Some(key_space.meta.level.name()),
            index: Some(found.index),
            serial: Some(found.item.serial),
            key_space: Some(found.item.key_space),
            successor: match order.is_replaced(found.index) {
                true => self.successor(&snapshot, found.item)?,
                false => None,
            },
            faces: self.faces(key_space, found.item)?,
        }))
    }

    /// The code of the item that took this one's place.
    fn successor(&self, snapshot: &Snapshot, item: ItemRef) -> Result<Option<String>> {
        let mut value = Vec::new();
        if !self.store.get(Family::Link, &link_key(item, Relation::Successor), &mut value)? {
            return Ok(None);
        }
        let target = link_target(&value)?;
        let key_space = snapshot.key_space(target.key_space);
        let code = key_space.and_then(|space| space.code_of(target.serial, space.meta.counting_face()));
        Ok(code.map(|code| code.as_str().to_owned()))
    }

    fn faces(&self, key_space: &KeySpace, item: ItemRef) -> Result<Vec<FaceJson>> {
        let own: Vec<Face> = key_space.meta.faces.iter().map(|(face, _)| *face).collect();
        let faces = if own.is_empty() { vec![Face::Outer] } else { own };
        let mut bytes = Vec::new();
        faces
            .into_iter()
            .map(|face| {
                let key = scan_key(item.key_space, item.serial, face);
                let is_known = self.store.get(Family::Scan, &key, &mut bytes)?;
                let record = if is_known { Record::decode(&bytes)? } else { Record::default() };
                Ok(FaceJson {
                    face: face.name(),
                    code: key_space.code_of(item.serial, face).map(|code| code.as_str().to_owned()),
                    scans: record.scans,
                    sessions: record.sessions,
                    first_at_us: is_known.then_some(record.first_us),
                    last_at_us: is_known.then_some(record.last_us),
                })
            })
            .collect()
    }

    /// Domains, key spaces and products of a tenant; empty for a tenant without any.
    pub fn catalogue(&self, tenant: &str) -> Vec<u8> {
        let snapshot = self.snapshot.load();
        let Some(tenant) = snapshot.tenant(tenant).map(|tenant| tenant.id) else {
            return json(&CatalogueJson { domains: vec![], key_spaces: vec![], products: vec![] });
        };
        let products = snapshot.products_of(tenant).map(|product| &product.description);
        json(&CatalogueJson {
            domains: snapshot.domains_of(tenant).map(|domain| &*domain.host).collect(),
            key_spaces: snapshot
                .key_spaces_of(tenant)
                .map(|space| key_space_json(&snapshot, space))
                .collect(),
            products: products
                .map(|product| ProductJson {
                    product: &product.product,
                    name: &product.name,
                    gtin: product.gtin.as_deref(),
                })
                .collect(),
        })
    }

    /// The latest key space of a series.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a series that is not the tenant's.
    pub fn key_space(&self, tenant: &str, series: &str) -> Result<Vec<u8>> {
        let snapshot = self.snapshot.load();
        let latest = snapshot.epochs_of(self.tenant(tenant), series).next_back();
        let missing = || Error::NotFound { what: "series", id: series.into() };
        Ok(json(&key_space_json(&snapshot, latest.ok_or_else(missing)?)))
    }

    /// What an export job needs besides keys.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] for an order of foreign codes, and for frozen or recalled items
    /// unless `include_frozen`.
    pub fn export_plan(&self, tenant: &str, order: &str, include_frozen: bool) -> Result<Vec<u8>> {
        let snapshot = self.snapshot.load();
        let order = order_of(&snapshot, tenant, order)?;
        let key_space = key_space_of(&snapshot, order)?;
        refuse_export(order, key_space, include_frozen)?;
        let extent = &order.meta.extent;
        let left_out = left_out(order);
        Ok(json(&ExportPlanJson {
            order: &order.meta.name,
            format: key_space.meta.format.name(),
            faces: faces_json(key_space),
            epoch: key_space.meta.epoch,
            key_bits: key_bits(key_space.meta.key_size),
            domain: snapshot.domain(key_space.meta.domain).map_or("", |domain| &domain.host),
            product: product_of(&snapshot, order),
            gtin: order.fragments.gtin.as_deref(),
            lot: order.meta.lot.as_deref(),
            first_serial: order.meta.first,
            quantity: extent.count(),
            span: extent.span(),
            count: u64::from(extent.span()) - left_out.iter().map(|(_, count)| count).sum::<u64>(),
            left_out,
        }))
    }

    /// (face, slot, key) of each face of an order, for a job process; to be handed over by pipe only.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an order that is not the tenant's.
    pub fn export_keys(&self, tenant: &str, order: &str) -> Result<Vec<(Face, u16, Key)>> {
        let snapshot = self.snapshot.load();
        let order = order_of(&snapshot, tenant, order)?;
        let meta = &key_space_of(&snapshot, order)?.meta;
        let key = |&(face, slot): &(Face, u16)| {
            (face, slot, self.keyring.derive(&meta.key_context(tenant, face), meta.key_size))
        };
        Ok(meta.faces.iter().map(key).collect())
    }

    /// Readiness, why not, and how much there is.
    pub fn status(&self) -> Vec<u8> {
        let snapshot = self.snapshot.load();
        let poisoned = self.durability.poisoned();
        let head = self.head.load();
        json(&StatusJson {
            ready: poisoned.is_none(),
            poisoned,
            format_version: super::open::FORMAT_VERSION,
            epoch: snapshot.epoch,
            tenants: snapshot.tenants().count(),
            orders: snapshot.orders().count(),
            codes_issued: snapshot.orders().map(|order| u64::from(order.meta.extent.count())).sum(),
            aliases: self.aliases.load().len(),
            ledger_origin: head.origin,
            ledger_leaves: head.frontier.size(),
            ledger_root: hex(&head.frontier.root()),
            latest_sequence: self.store.latest_sequence(),
            durable_sequence: self.durability.durable(),
            last_seqs: &head.last_seqs,
        })
    }
}

fn order_of<'a>(snapshot: &'a Snapshot, tenant: &str, name: &str) -> Result<&'a Order> {
    let order = snapshot.tenant(tenant).and_then(|tenant| snapshot.order_named(tenant.id, name));
    order.map(|order| &**order).ok_or_else(|| Error::NotFound { what: "order", id: name.into() })
}

fn key_space_of<'a>(snapshot: &'a Snapshot, order: &Order) -> Result<&'a KeySpace> {
    let missing = || Error::Corrupt(format!("key space {} of an order", order.meta.key_space));
    snapshot.key_space(order.meta.key_space).map(|space| &**space).ok_or_else(missing)
}

fn product_of<'a>(snapshot: &'a Snapshot, order: &Order) -> Option<&'a str> {
    Some(snapshot.product_at(order.meta.product?)?.description.product.as_str())
}

fn hold_json<'a>(order: &Order, hold: &'a Hold) -> HoldJson<'a> {
    let items = hold.items.count(&order.meta.extent);
    HoldJson { hold: &hold.id, kind: hold.kind.name(), at_us: hold.at_us, reason: &hold.reason, items }
}

fn order_json<'a>(snapshot: &'a Snapshot, order: &'a Order, now_us: i64) -> OrderJson<'a> {
    let key_space = snapshot.key_space(order.meta.key_space).map(|space| &space.meta);
    OrderJson {
        order: &order.meta.name,
        series: key_space.map_or("", |space| &space.series),
        epoch: key_space.map_or(0, |space| space.epoch),
        key_space: order.meta.key_space,
        level: key_space.map_or("", |space| space.level.name()),
        format: key_space.filter(|space| !space.is_keyless()).map(|space| space.format.name()),
        product: product_of(snapshot, order),
        lot: order.meta.lot.as_deref(),
        quantity: order.meta.extent.count(),
        first_serial: order.meta.first,
        skipped_serials: order.meta.extent.span() - order.meta.extent.count(),
        issued_at_us: order.meta.issued_at_us,
        expires_at_us: order.meta.expires_at_us,
        by_state: order.counts(now_us),
        holds: order.holds().iter().map(|hold| hold_json(order, hold)).collect(),
    }
}

fn unknown_json(reason: Option<&'static str>, code: String) -> LookupJson<'static> {
    LookupJson {
        state: "unknown",
        reason,
        code: (!code.is_empty()).then_some(code),
        lifecycle: None,
        holds: vec![],
        order: None,
        product: None,
        lot: None,
        face: None,
        level: None,
        index: None,
        serial: None,
        key_space: None,
        successor: None,
        faces: vec![],
    }
}

const fn key_bits(size: KeySize) -> u16 {
    size.bytes_count() as u16 * 8
}

fn faces_json(key_space: &KeySpace) -> Vec<PlannedFaceJson> {
    key_space
        .meta
        .faces
        .iter()
        .map(|(face, slot)| PlannedFaceJson { face: face.name(), slot: *slot })
        .collect()
}

fn key_space_json<'a>(snapshot: &'a Snapshot, key_space: &'a KeySpace) -> KeySpaceJson<'a> {
    let meta = &key_space.meta;
    KeySpaceJson {
        key_space: meta.id,
        series: &meta.series,
        epoch: meta.epoch,
        domain: snapshot.domain(meta.domain).map_or("", |domain| &domain.host),
        format: meta.format.name(),
        level: meta.level.name(),
        pairing: meta.pairing.name(),
        key_bits: key_bits(meta.key_size),
        nonce: hex(&meta.nonce),
        faces: faces_json(key_space),
        issued: key_space.watermark,
        capacity: meta.capacity(),
    }
}

fn refuse_export(order: &Order, key_space: &KeySpace, include_frozen: bool) -> Result<()> {
    if key_space.meta.is_keyless() {
        let name = &order.meta.name;
        return Err(Error::Conflict(format!("order {name} holds foreign codes; there is nothing to derive")));
    }
    let extent = &order.meta.extent;
    let held = order.frozen().count(extent) + order.recalled().count(extent);
    if held > 0 && !include_frozen {
        let name = &order.meta.name;
        return Err(Error::Conflict(format!(
            "order {name} has {held} frozen or recalled items; unfreeze them or export with include_frozen"
        )));
    }
    Ok(())
}

/// Serials not to print, void or skipped at issue, as (first, count) pairs in order: the gaps between those to print.
fn left_out(order: &Order) -> Vec<(u64, u64)> {
    let extent = &order.meta.extent;
    let printed = ItemSet::All.minus(order.void(), extent);
    let mut gaps = Vec::new();
    let mut next = 0u32;
    let mut gap = |from: u32, to: u32| {
        if from < to {
            gaps.push((order.meta.first + u64::from(from), u64::from(to - from)));
        }
    };
    for range in printed.ranges(extent) {
        gap(next, *range.start());
        next = range.end() + 1;
    }
    gap(next, extent.span());
    gaps
}
