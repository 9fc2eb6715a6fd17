//! A world without an engine: a snapshot, and the stored entries its plans asked for.

#![allow(dead_code, reason = "every test binary uses its own part")]

use imp_core::code::{Face, Keyring, alias_hash, parse};
use imp_core::state::{
    Alias, Command, Found, IsAliasTaken, ItemRef, Loader, Plan, PlanContext, Put, Refusal, RefusalReason,
    Report, Resolve, Snapshot, Stop, Table, alias_key, plan,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const TENANT: &str = "acme";

pub struct World {
    pub snapshot: Snapshot,
    pub keyring: Keyring,
    /// What the `order` family would hold.
    pub entries: BTreeMap<Vec<u8>, Vec<u8>>,
    pub aliases: BTreeMap<Vec<u8>, Vec<u8>>,
    pub links: BTreeMap<Vec<u8>, Vec<u8>>,
    pub now_us: i64,
    pub events: u32,
}

impl World {
    pub fn empty() -> Self {
        Self {
            snapshot: Snapshot::default(),
            keyring: Keyring::new(&[7; 32]),
            entries: BTreeMap::new(),
            aliases: BTreeMap::new(),
            links: BTreeMap::new(),
            now_us: 1_000_000,
            events: 0,
        }
    }

    /// A tenant with a domain, a product and a series `s` of two faces.
    pub fn furnished() -> Self {
        let mut world = Self::empty();
        world.apply(json!({"command": "set_domain", "host": "q.acme.example"}));
        world.apply(json!({"command": "set_product", "product": "tea", "name": "茶"}));
        world.apply(open_key_space("s", 1, "same_serial", &[("outer", 5), ("inner", 6)]));
        world
    }

    pub fn context<'a>(
        &'a self,
        tenant: &'a str,
        event_id: &'a str,
        resolve: &'a Resolve<'a>,
        is_alias_taken: &'a IsAliasTaken<'a>,
    ) -> PlanContext<'a> {
        PlanContext {
            snapshot: &self.snapshot,
            keyring: &self.keyring,
            tenant,
            event_id,
            at_us: self.now_us,
            resolve,
            is_alias_taken,
            is_reserved: &imp_core::scan::is_reserved_name,
        }
    }

    pub fn resolve(&self, tenant: u32, text: &[u8]) -> Option<ItemRef> {
        let own = parse(text).ok().and_then(|code| Some(self.snapshot.find(tenant, &code).ok()?.found.item));
        own.or_else(|| {
            let stored = self.aliases.get(alias_key(tenant, alias_hash(text)).as_slice())?;
            Some(Alias::decode(stored).unwrap().item)
        })
    }

    pub fn plan_as(&self, tenant: &str, event_id: &str, command: &Command) -> Result<Plan, Stop> {
        let resolve = |tenant, text: &[u8]| Ok(self.resolve(tenant, text));
        let is_alias_taken = |tenant, hash| Ok(self.aliases.contains_key(alias_key(tenant, hash).as_slice()));
        plan(&self.context(tenant, event_id, &resolve, &is_alias_taken), command)
    }

    /// Plan and carry out; the event ids are e1, e2, …
    pub fn try_apply_as(&mut self, tenant: &str, command: Value) -> Result<Report, Refusal> {
        self.events += 1;
        self.now_us += 1_000;
        let event_id = format!("e{}", self.events);
        let command = Command::from_json(command.to_string().as_bytes()).unwrap();
        match self.plan_as(tenant, &event_id, &command) {
            Ok(plan) => {
                assert_eq!(plan.snapshot.epoch, self.snapshot.epoch + 1);
                assert_eq!(plan.report.epoch, plan.snapshot.epoch);
                self.store(plan.puts);
                self.snapshot = plan.snapshot;
                Ok(plan.report)
            }
            Err(Stop::Refused(refusal)) => Err(refusal),
            Err(Stop::Failed(error)) => panic!("{error}"),
        }
    }

    pub fn try_apply(&mut self, command: Value) -> Result<Report, Refusal> {
        self.try_apply_as(TENANT, command)
    }

    pub fn apply(&mut self, command: Value) -> Report {
        self.try_apply(command.clone()).unwrap_or_else(|refusal| panic!("{command}: {refusal:?}"))
    }

    fn store(&mut self, puts: Vec<Put>) {
        for Put { table, key, value } in puts {
            let entries = match table {
                Table::Order => &mut self.entries,
                Table::Alias => &mut self.aliases,
                Table::Link => &mut self.links,
            };
            match value {
                Some(value) => drop(entries.insert(key, value)),
                None => drop(entries.remove(&key).expect("only what is stored is deleted")),
            }
        }
    }

    pub fn load(&self) -> imp_core::error::Result<Snapshot> {
        let mut loader = Loader::default();
        for (key, value) in &self.entries {
            loader.entry(key, value, &self.keyring)?;
        }
        Ok(loader.finish())
    }

    pub fn tenant(&self) -> u32 {
        self.snapshot.tenant(TENANT).unwrap().id
    }

    pub fn order(&self, name: &str) -> &imp_core::state::Order {
        self.snapshot.order_named(self.tenant(), name).unwrap()
    }

    /// The code of an item's face.
    pub fn code(&self, order: &str, index: u32, face: Face) -> String {
        let meta = &self.order(order).meta;
        let key_space = self.snapshot.key_space(meta.key_space).unwrap();
        key_space.code_of(meta.first + u64::from(index), face).unwrap().to_string()
    }

    pub fn found(&self, code: &str) -> Option<Found<'_>> {
        self.snapshot.item(self.resolve(self.tenant(), code.as_bytes())?)
    }
}

pub fn open_key_space(series: &str, epoch: u32, pairing: &str, faces: &[(&str, u16)]) -> Value {
    let faces: Vec<Value> = faces.iter().map(|(face, slot)| json!({"face": face, "slot": slot})).collect();
    json!({
        "command": "open_key_space", "series": series, "epoch": epoch, "domain": "q.acme.example",
        "format": "base32", "level": "item", "pairing": pairing,
        "nonce": "000102030405060708090a0b0c0d0e0f", "faces": faces,
    })
}

pub fn issue(order: &str, quantity: u32) -> Value {
    json!({"command": "issue", "order": order, "series": "s", "product": "tea", "lot": "L1", "quantity": quantity})
}

pub fn change(kind: &str, scope: Value) -> Value {
    json!({"command": kind, "scope": scope, "reason": "because"})
}

/// The command with one key set.
pub fn with(mut command: Value, key: &str, value: Value) -> Value {
    command[key] = value;
    command
}

/// The command is refused for this reason and nothing changes.
pub fn refused(world: &mut World, command: Value, reason: RefusalReason) -> String {
    let before = (describe(&world.snapshot), world.entries.clone());
    match world.try_apply(command.clone()) {
        Ok(report) => panic!("{command} was applied: {report:?}"),
        Err(refusal) => {
            assert_eq!(refusal.reason, reason, "{command}: {}", refusal.message);
            assert!(!refusal.message.is_empty());
            assert_eq!((describe(&world.snapshot), world.entries.clone()), before);
            refusal.message
        }
    }
}

/// A furnished world with an order of ten.
pub fn issued() -> World {
    let mut world = World::furnished();
    world.apply(issue("o", 10));
    world
}

/// Everything a snapshot says, in one text.
pub fn describe(snapshot: &Snapshot) -> String {
    use std::fmt::Write;
    let mut out = format!("epoch {}\n", snapshot.epoch);
    for tenant in snapshot.tenants() {
        writeln!(out, "tenant {} {}", tenant.id, tenant.name).unwrap();
        for domain in snapshot.domains_of(tenant.id) {
            writeln!(out, "  domain {domain:?}").unwrap();
            assert_eq!(
                snapshot.domain_of_host(domain.host.as_bytes()).map(|found| found.id),
                Some(domain.id)
            );
        }
        for product in snapshot.products_of(tenant.id) {
            writeln!(out, "  {product:?}").unwrap();
        }
        for key_space in snapshot.key_spaces_of(tenant.id) {
            writeln!(out, "  {key_space:?}").unwrap();
        }
        for order in snapshot.orders_of(tenant.id) {
            writeln!(out, "  {order:?}").unwrap();
        }
    }
    out
}

/// Byte strings of a released version, from `state_fixtures/v1/{name}.hex`: one per line, in hexadecimal digits.
/// With `IMP_WRITE_GOLDEN=1` a file that does not exist yet is made from `now`; one that exists never changes.
pub fn golden(name: &str, now: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let path = format!("{}/tests/state_fixtures/v1/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("IMP_WRITE_GOLDEN").is_some() && !std::fs::exists(&path).unwrap() {
        let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
        std::fs::write(&path, now.iter().map(hex).collect::<String>()).unwrap();
    }
    let byte = |line: &str, at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines().map(|line| (0..line.len()).step_by(2).map(|at| byte(line, at)).collect()).collect()
}
