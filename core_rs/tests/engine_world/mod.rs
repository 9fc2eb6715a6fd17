//! A brand with one domain and its series, on either store, with a clock that tests turn.
#![allow(dead_code, reason = "each test file uses its own part of this world")]

use imp_core::code::CodeText;
use imp_core::engine::{Clock, Engine, EngineOptions, Envelope, StoreKind};
use imp_core::error::Result;
use imp_core::scan::{Device, Outcome, Role, ScanContext};
use imp_core::store::{MemoryStore, RocksOptions, Store};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

pub const SECRET: [u8; 32] = *b"a secret of exactly 32 bytes ...";
pub const NOON_US: i64 = 1_800_000_000_000_000;
pub const MINUTE_US: i64 = 60_000_000;

pub struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub struct World {
    pub engine: Engine,
    pub clock: Arc<TestClock>,
    seq: AtomicU64,
}

fn options(clock: &Arc<TestClock>, store: StoreKind) -> EngineOptions {
    EngineOptions {
        store,
        create: true,
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ..EngineOptions::default()
    }
}

impl World {
    /// An empty directory on disk, or the one that is there.
    pub fn on_disk(path: &Path) -> Result<Self> {
        let clock = Arc::new(TestClock(AtomicI64::new(NOON_US)));
        let engine = Engine::open(path, &SECRET, options(&clock, StoreKind::Rocks(RocksOptions::default())))?;
        let seq = AtomicU64::new(engine.last_seq("brand"));
        Ok(Self { engine, clock, seq })
    }

    /// Over a memory store, which a test may make fail.
    pub fn in_memory() -> (Self, Arc<MemoryStore>) {
        let clock = Arc::new(TestClock(AtomicI64::new(NOON_US)));
        let store = Arc::new(MemoryStore::new());
        let shared = Arc::clone(&store) as Arc<dyn Store>;
        let engine = Engine::over(shared, &SECRET, options(&clock, StoreKind::Memory)).unwrap();
        (Self { engine, clock, seq: AtomicU64::new(0) }, store)
    }

    pub fn wait_us(&self, us: i64) {
        self.clock.0.fetch_add(us, Ordering::Relaxed);
    }

    /// Apply under a fresh id and the next seq; the report.
    pub fn apply(&self, command: &Value) -> Value {
        let seq = self.seq.load(Ordering::Relaxed) + 1;
        let report = self.try_apply(&format!("event-{seq}"), seq, command).unwrap();
        self.seq.store(seq, Ordering::Relaxed);
        report
    }

    pub fn try_apply(&self, event_id: &str, seq: u64, command: &Value) -> Result<Value> {
        let command = serde_json::to_vec(command).unwrap();
        let at_us = self.clock.now_us();
        let envelope = Envelope { tenant: "brand", event_id, seq, at_us, actor: "tester", command: &command };
        Ok(serde_json::from_slice(&self.engine.apply(&envelope)?).unwrap())
    }

    pub fn must_apply(&self, command: &Value) -> Value {
        let report = self.apply(command);
        assert_eq!(report["status"], "applied", "{report}");
        report
    }

    /// One domain, one product, and a series of one or two faces.
    pub fn found_brand(&self, faces: &[&str], level: &str) {
        let slots: Vec<Value> =
            faces.iter().enumerate().map(|(slot, face)| json!({"face": face, "slot": slot + 1})).collect();
        let pairing = if faces.len() == 2 { "same_serial" } else { "single" };
        self.must_apply(&json!({"command": "set_domain", "host": "c.example"}));
        self.must_apply(
            &json!({"command": "set_product", "product": "tea", "gtin": "6901234567892", "name": "茶"}),
        );
        self.must_apply(&json!({
            "command": "open_key_space", "series": "s", "epoch": 1, "domain": "c.example", "format": "base32",
            "level": level, "pairing": pairing, "key_bits": 128, "nonce": "00112233445566778899aabbccddeeff",
            "faces": slots,
        }));
    }

    /// An order of `quantity` codes of series `s`, activated if asked.
    pub fn issue(&self, order: &str, quantity: u32, activate: bool) {
        self.must_apply(&json!({
            "command": "issue", "order": order, "series": "s", "product": "tea", "lot": "L1", "quantity": quantity,
        }));
        if activate {
            let scope = json!({"order": order});
            self.must_apply(&json!({"command": "activate", "scope": scope, "reason": "released"}));
        }
    }

    /// The code of row `row` of an order, on one face.
    pub fn code(&self, order: &str, row: u64, face: &str) -> CodeText {
        let snapshot = self.engine.snapshot();
        let tenant = snapshot.tenant("brand").unwrap().id;
        let order = snapshot.order_named(tenant, order).unwrap();
        let face = imp_core::code::Face::from_name(face).unwrap();
        snapshot.key_space(order.meta.key_space).unwrap().code_of(order.meta.first + row, face).unwrap()
    }

    pub fn scan(&self, text: &[u8], device: u64) -> Outcome {
        self.scan_as(text, device, Role::Consumer)
    }

    pub fn scan_as(&self, text: &[u8], device: u64, role: Role) -> Outcome {
        self.engine.scan(text, &ScanContext { role, ..self.context(device) })
    }

    pub fn context(&self, device: u64) -> ScanContext<'static> {
        ScanContext {
            device: Device { cookie: Some(device), issued: None, address: Some(!device) },
            now_us: self.clock.now_us(),
            count: true,
            ..ScanContext::default()
        }
    }
}

/// Run a test against both stores.
pub fn on_both_stores(test: impl Fn(&World)) {
    test(&World::in_memory().0);
    let directory = tempfile::tempdir().unwrap();
    test(&World::on_disk(directory.path()).unwrap());
}
