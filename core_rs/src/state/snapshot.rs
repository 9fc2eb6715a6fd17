//! The governance snapshot: everything about issued codes that scans read and commands change.
//!
//! Immutable. A command makes the next one, which shares all but what changed, and the engine swaps it in once
//! it is durable. Every look-up starts at a tenant, so nothing of another tenant can be found.

use super::key_space::{KeySpace, KeySpaceMeta, SlotEntry};
use super::keys::ItemRef;
use super::order::Order;
use super::product::{Fragments, Product};
use super::shelf::{Names, Shelf};
use crate::code::{Face, Format, Key, KeySize, Keyring, Parsed, SlotCipher};
use crate::error::Result;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

/// A brand owner, and the names that are its own.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: Box<str>,
    domains: Vec<u32>,
    products: Names,
    product_numbers: Arc<Vec<u32>>,
    orders: Names,
    order_numbers: Arc<Vec<u32>>,
    series: Arc<BTreeMap<Box<str>, Vec<u32>>>,
}

/// A scan domain of one tenant, with the slots of its codes.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Its number.
    pub id: u32,
    /// Number of its tenant.
    pub tenant: u32,
    /// Host name in lower case.
    pub host: Box<str>,
    slots: [Arc<Vec<Option<Arc<SlotEntry>>>>; 2],
}

impl Domain {
    /// The slot of a format, if it was ever allocated. Slots are never used twice.
    #[must_use]
    pub fn slot(&self, format: Format, slot: u16) -> Option<&Arc<SlotEntry>> {
        self.slots[usize::from(format.id())].get(usize::from(slot))?.as_ref()
    }

    fn fill_slots(&mut self, entries: &[Arc<SlotEntry>]) {
        for entry in entries {
            let format = entry.cipher.format();
            let slots = Arc::make_mut(&mut self.slots[usize::from(format.id())]);
            slots.resize(usize::from(format.slot_count()), None);
            slots[usize::from(entry.cipher.slot())] = Some(Arc::clone(entry));
        }
    }
}

/// Codes of unknown slots are decrypted all the same, with a key that means nothing: the time of an answer must not
/// tell a slot that nobody opened from a serial that nobody issued.
static DECOYS: LazyLock<[SlotCipher; 2]> = LazyLock::new(|| {
    let key = Key::from_bytes(&[0; KeySize::Aes128.bytes_count()]).expect("a key has 16 bytes");
    [Format::Base32, Format::Digits]
        .map(|format| SlotCipher::new(format, 0, &key).expect("every format has a slot 0"))
});

/// An issued item that a code or an alias leads to.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The item.
    pub item: ItemRef,
    /// Its order.
    pub order: &'a Arc<Order>,
    /// Its index inside the order.
    pub index: u32,
}

/// An issued item and the face that was scanned.
#[derive(Debug, Clone, Copy)]
pub struct FoundCode<'a> {
    /// The item.
    pub found: Found<'a>,
    /// The slot its code named.
    pub slot: &'a Arc<SlotEntry>,
}

/// Why a well-formed code leads to no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotIssued {
    /// The domain has no such slot.
    SlotUnknown,
    /// The slot is known; the serial was never issued, or was skipped.
    SerialNotIssued,
}

/// Everything about issued codes, at one instant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Number of the last command that shows in it.
    pub epoch: u64,
    tenants: Shelf<Tenant>,
    tenant_names: Names,
    domains: Shelf<Domain>,
    hosts: Arc<HashMap<Box<[u8]>, u32>>,
    products: Shelf<Product>,
    product_fragments: Shelf<Fragments>,
    no_product: Arc<Fragments>,
    key_spaces: Shelf<KeySpace>,
    orders: Shelf<Order>,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            epoch: 0,
            tenants: Shelf::default(),
            tenant_names: Names::default(),
            domains: Shelf::default(),
            hosts: Arc::default(),
            products: Shelf::default(),
            product_fragments: Shelf::default(),
            no_product: Arc::new(Fragments::none()),
            key_spaces: Shelf::default(),
            orders: Shelf::default(),
        }
    }
}

/// Look-ups of scans, by number.
impl Snapshot {
    /// The domain that answers for an exact host name in lower case.
    #[must_use]
    pub fn domain_of_host(&self, host: &[u8]) -> Option<&Arc<Domain>> {
        self.domain(*self.hosts.get(host)?)
    }

    /// A domain by its number.
    #[must_use]
    pub fn domain(&self, number: u32) -> Option<&Arc<Domain>> {
        self.domains.get(number)
    }

    /// A key space by its number.
    #[must_use]
    pub fn key_space(&self, number: u32) -> Option<&Arc<KeySpace>> {
        self.key_spaces.get(number)
    }

    /// An order by its number.
    #[must_use]
    pub fn order(&self, number: u32) -> Option<&Arc<Order>> {
        self.orders.get(number)
    }

    /// The item of a serial; `None` when it was never issued or was skipped.
    #[must_use]
    pub fn item(&self, item: ItemRef) -> Option<Found<'_>> {
        let order = self.order(self.key_space(item.key_space)?.order_of(item.serial)?)?;
        let index = order.index_of_serial(item.serial)?;
        Some(Found { item, order, index })
    }

    /// The item a parsed code names under one scan domain.
    ///
    /// # Errors
    /// [`NotIssued`], as a value.
    pub fn find_in(&self, domain: u32, code: &Parsed) -> std::result::Result<FoundCode<'_>, NotIssued> {
        let slot = self.domain(domain).and_then(|domain| domain.slot(code.format, code.slot));
        let Some(slot) = slot else {
            std::hint::black_box(DECOYS[usize::from(code.format.id())].decrypt(code.body));
            return Err(NotIssued::SlotUnknown);
        };
        let item = ItemRef { key_space: slot.key_space, serial: slot.cipher.decrypt(code.body) };
        let found = self.item(item).ok_or(NotIssued::SerialNotIssued)?;
        Ok(FoundCode { found, slot })
    }

    /// The item a parsed code names under any scan domain of a tenant.
    ///
    /// # Errors
    /// [`NotIssued`], as a value.
    pub fn find(&self, tenant: u32, code: &Parsed) -> std::result::Result<FoundCode<'_>, NotIssued> {
        let mut why = NotIssued::SlotUnknown;
        for domain in self.domains_of(tenant) {
            match self.find_in(domain.id, code) {
                Ok(found) => return Ok(found),
                Err(NotIssued::SerialNotIssued) => why = NotIssued::SerialNotIssued,
                Err(NotIssued::SlotUnknown) => {}
            }
        }
        Err(why)
    }
}

/// Look-ups by name, and lists.
impl Snapshot {
    /// A tenant by its name.
    #[must_use]
    pub fn tenant(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.tenants.get(self.tenant_names.get(name)?)
    }

    /// A tenant by its number.
    #[must_use]
    pub fn tenant_at(&self, number: u32) -> Option<&Arc<Tenant>> {
        self.tenants.get(number)
    }

    /// All tenants, oldest first.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.iter()
    }

    /// Domains of a tenant, oldest first.
    pub fn domains_of(&self, tenant: u32) -> impl Iterator<Item = &Arc<Domain>> {
        let numbers = self.tenants.get(tenant).map_or(&[][..], |tenant| &tenant.domains);
        numbers.iter().filter_map(|number| self.domain(*number))
    }

    /// A product of a tenant.
    #[must_use]
    pub fn product(&self, tenant: u32, name: &str) -> Option<&Arc<Product>> {
        self.products.get(self.tenants.get(tenant)?.products.get(name)?)
    }

    /// A product by its number.
    #[must_use]
    pub fn product_at(&self, number: u32) -> Option<&Arc<Product>> {
        self.products.get(number)
    }

    /// Products of a tenant, oldest first.
    pub fn products_of(&self, tenant: u32) -> impl Iterator<Item = &Arc<Product>> {
        let numbers = self.tenants.get(tenant).map_or(&[][..], |tenant| &tenant.product_numbers);
        numbers.iter().filter_map(|number| self.product_at(*number))
    }

    /// Key spaces of a series of a tenant, oldest epoch first; empty for an unknown series.
    pub fn epochs_of(&self, tenant: u32, series: &str) -> impl DoubleEndedIterator<Item = &Arc<KeySpace>> {
        let numbers = self.tenants.get(tenant).and_then(|tenant| tenant.series.get(series));
        numbers.map_or(&[][..], Vec::as_slice).iter().filter_map(|number| self.key_space(*number))
    }

    /// Key spaces of a tenant, by series, then epoch.
    pub fn key_spaces_of(&self, tenant: u32) -> impl Iterator<Item = &Arc<KeySpace>> {
        let series = self.tenants.get(tenant).map(|tenant| &tenant.series);
        series
            .into_iter()
            .flat_map(|series| series.values())
            .flatten()
            .filter_map(|number| self.key_space(*number))
    }

    /// An order of a tenant.
    #[must_use]
    pub fn order_named(&self, tenant: u32, name: &str) -> Option<&Arc<Order>> {
        self.order(self.tenants.get(tenant)?.orders.get(name)?)
    }

    /// Orders of a tenant, oldest first.
    #[must_use]
    pub fn orders_of(&self, tenant: u32) -> impl DoubleEndedIterator<Item = &Arc<Order>> {
        let numbers = self.tenants.get(tenant).map_or(&[][..], |tenant| &tenant.order_numbers);
        numbers.iter().filter_map(|number| self.order(*number))
    }

    /// All orders, oldest first.
    #[must_use]
    pub fn orders(&self) -> impl DoubleEndedIterator<Item = &Arc<Order>> {
        self.orders.iter()
    }
}

/// Changes, for plans and for loading. Numbers are dense: the next one is the number of those there are.
impl Snapshot {
    pub(super) fn next_tenant(&self) -> u32 {
        self.tenants.len()
    }

    pub(super) fn next_domain(&self) -> u32 {
        self.domains.len()
    }

    pub(super) fn next_product(&self) -> u32 {
        self.products.len()
    }

    pub(super) fn next_key_space(&self) -> u32 {
        self.key_spaces.len()
    }

    pub(super) fn next_order(&self) -> u32 {
        self.orders.len()
    }

    pub(super) fn add_tenant(&mut self, name: &str) -> u32 {
        let id = self.next_tenant();
        self.tenants.push(Arc::new(Tenant {
            id,
            name: name.into(),
            domains: Vec::new(),
            products: Names::default(),
            product_numbers: Arc::default(),
            orders: Names::default(),
            order_numbers: Arc::default(),
            series: Arc::default(),
        }));
        self.tenant_names.insert(name, id);
        id
    }

    pub(super) fn add_domain(&mut self, tenant: u32, host: &str) {
        let id = self.next_domain();
        let slots = [Arc::default(), Arc::default()];
        self.domains.push(Arc::new(Domain { id, tenant, host: host.into(), slots }));
        Arc::make_mut(&mut self.hosts).insert(host.as_bytes().into(), id);
        self.tenants.change(tenant, |tenant| tenant.domains.push(id));
    }

    /// Add a product, or describe one anew: its orders then show the new texts.
    pub(super) fn put_product(&mut self, product: Product) {
        let (id, tenant) = (product.id, product.tenant);
        let fragments = Arc::new(Fragments::of(&product.description));
        if id < self.products.len() {
            let shown: Vec<Order> = self
                .orders_of(tenant)
                .filter(|order| order.meta.product == Some(id))
                .map(|order| order.with_fragments(Arc::clone(&fragments)))
                .collect();
            for order in shown {
                self.set_order(order);
            }
            self.products.set(id, Arc::new(product));
            self.product_fragments.set(id, fragments);
            return;
        }
        let name = product.description.product.clone();
        self.tenants.change(tenant, |tenant| {
            tenant.products.insert(&name, id);
            Arc::make_mut(&mut tenant.product_numbers).push(id);
        });
        self.products.push(Arc::new(product));
        self.product_fragments.push(fragments);
    }

    pub(super) fn add_key_space(&mut self, meta: KeySpaceMeta, keyring: &Keyring) -> Result<()> {
        let (tenant, domain, series) = (meta.tenant, meta.domain, meta.series.clone());
        let tenant_name = self.tenants.get(tenant).map_or("", |tenant| &tenant.name);
        let key_space = KeySpace::new(meta, tenant_name, keyring)?;
        let id = self.next_key_space();
        self.domains.change(domain, |domain| domain.fill_slots(&key_space.slots));
        self.key_spaces.push(Arc::new(key_space));
        self.tenants.change(tenant, |tenant| {
            Arc::make_mut(&mut tenant.series).entry(series).or_default().push(id);
        });
        Ok(())
    }

    /// Append an order; it takes the serials from its key space's watermark on.
    pub(super) fn add_order(&mut self, order: Order) -> Arc<Order> {
        let order = Arc::new(order);
        let meta = &order.meta;
        self.key_spaces.change(meta.key_space, |key_space| key_space.take(meta.id, meta.extent.span()));
        self.orders.push(Arc::clone(&order));
        self.tenants.change(meta.tenant, |tenant| {
            tenant.orders.insert(&meta.name, meta.id);
            Arc::make_mut(&mut tenant.order_numbers).push(meta.id);
        });
        order
    }

    /// Put an order in the place of the one of the same number.
    pub(super) fn set_order(&mut self, order: Order) -> Arc<Order> {
        let order = Arc::new(order);
        self.orders.set(order.meta.id, Arc::clone(&order));
        order
    }

    pub(super) fn fragments_of(&self, product: Option<u32>) -> Arc<Fragments> {
        let known = product.and_then(|product| self.product_fragments.get(product));
        Arc::clone(known.unwrap_or(&self.no_product))
    }
}

impl KeySpace {
    /// The code of an item's face; `None` for a face the key space does not have.
    #[must_use]
    pub fn code_of(&self, serial: u64, face: Face) -> Option<crate::code::CodeText> {
        self.slots.iter().find(|slot| slot.face == face).map(|slot| slot.cipher.encode(serial))
    }
}
