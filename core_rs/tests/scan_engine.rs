//! Goal: the engine answers HTTP scans as the case table says. Method: the table's world is built by commands,
//! then every case runs against the engine over the memory store.

#[path = "scan_table/mod.rs"]
mod table;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use imp_core::code::{Format, Key, SlotCipher};
use imp_core::engine::{Clock, Engine, EngineOptions, Envelope, StoreKind};
use imp_core::scan::{HttpAnswer, HttpRequest};
use serde_json::{Value, json};
use table::{NOW_US, World, mistype};

const TENANT: &str = "brand";
/// When the world was built: before [`NOW_US`], and before what has expired by then.
const BUILT_AT_US: i64 = NOW_US - 1_000_000_000;
const EXPIRES_AT_US: i64 = NOW_US - 500_000_000;
/// Codes of every kind: more than the table has cases.
const QUANTITY: u64 = 100;
const UNISSUED: u64 = 1 << 39;
/// A slot nobody opened.
const STRANGE_SLOT: u16 = 900;

/// Requests bring their own time; nothing else may move it.
struct StandingClock;

impl Clock for StandingClock {
    fn now_us(&self) -> i64 {
        BUILT_AT_US
    }
}

struct EngineWorld {
    engine: Engine,
    host: String,
    seq: u64,
    /// Cipher and next serial of every kind.
    kinds: HashMap<&'static str, (SlotCipher, u64)>,
    aliases: Vec<String>,
}

impl EngineWorld {
    fn new(world: &Value) -> Self {
        let options = EngineOptions {
            store: StoreKind::Memory,
            create: true,
            clock: Arc::new(StandingClock),
            ..EngineOptions::default()
        };
        let mut this = Self {
            engine: Engine::open(Path::new(""), &[7; 32], options).unwrap(),
            host: world["host"].as_str().unwrap().to_owned(),
            seq: 0,
            kinds: HashMap::new(),
            aliases: (0..QUANTITY).map(|n| format!("EPC{n:09}")).collect(),
        };
        this.open_spaces(world);
        this.issue_orders(world);
        this.change_states();
        this
    }

    fn apply(&mut self, command: &Value) {
        self.seq += 1;
        let report = self.engine.apply(&Envelope {
            tenant: TENANT,
            event_id: &format!("event-{}", self.seq),
            seq: self.seq,
            at_us: BUILT_AT_US,
            actor: "test",
            command: command.to_string().as_bytes(),
        });
        let report: Value = serde_json::from_slice(&report.unwrap()).unwrap();
        assert_eq!(report["status"], "applied", "{command}: {report}");
    }

    fn open_spaces(&mut self, world: &Value) {
        let host = world["host"].clone();
        self.apply(&json!({"command": "set_domain", "host": host}));
        let mut product = world["product"].clone();
        product["command"] = "set_product".into();
        self.apply(&product);
        let mut space = json!({"command": "open_key_space", "epoch": 0, "domain": host, "level": "item",
            "pairing": "single", "key_bits": 128, "nonce": "00112233445566778899aabbccddeeff"});
        let both = json!([{"face": "outer", "slot": 2}, {"face": "inner", "slot": 3}]);
        for (series, format, pairing, faces) in [
            ("items", "base32", "single", json!([{"face": "outer", "slot": 1}])),
            ("digits", "digits", "single", json!([{"face": "outer", "slot": 1}])),
            ("pairs", "base32", "same_serial", both),
            ("labels", "base32", "single", json!([])),
        ] {
            space["series"] = series.into();
            space["format"] = format.into();
            space["pairing"] = pairing.into();
            space["faces"] = faces;
            self.apply(&space);
        }
    }

    fn issue_orders(&mut self, world: &Value) {
        for (kind, series) in [
            ("active", "items"),
            ("seen", "items"),
            ("inactive", "items"),
            ("frozen", "items"),
            ("void", "items"),
            ("replaced", "items"),
            ("successors", "items"),
            ("expired", "items"),
            ("recalled", "items"),
            ("plain", "items"),
            ("digits", "digits"),
            ("outer", "pairs"),
        ] {
            let mut issue =
                json!({"command": "issue", "order": kind, "series": series, "quantity": QUANTITY});
            if kind != "plain" {
                issue["product"] = world["product"]["product"].clone();
                issue["lot"] = world["lot"].clone();
            }
            if kind == "expired" {
                issue["expires_at_us"] = EXPIRES_AT_US.into();
            }
            self.apply(&issue);
            let order: Value = serde_json::from_slice(&self.engine.order(TENANT, kind).unwrap()).unwrap();
            let (_, slot, key) = self.engine.export_keys(TENANT, kind).unwrap().swap_remove(0);
            let format = if series == "digits" { Format::Digits } else { Format::Base32 };
            let cipher = SlotCipher::new(format, slot, &key).unwrap();
            self.kinds.insert(kind, (cipher, order["first_serial"].as_u64().unwrap()));
        }
        let mut texts = self.aliases.clone();
        texts.push(world["odd_alias"].as_str().unwrap().to_owned());
        self.apply(
            &json!({"command": "import_aliases", "order": "aliases", "series": "labels", "texts": texts}),
        );
    }

    fn change_states(&mut self) {
        let change = |command: &str, order: &str| {
            let scope = json!({"order": order});
            json!({"command": command, "scope": scope, "reason": "test"})
        };
        for order in [
            "active", "seen", "frozen", "replaced", "expired", "recalled", "plain", "digits", "outer",
            "aliases",
        ] {
            self.apply(&change("activate", order));
        }
        self.apply(&change("freeze", "frozen"));
        self.apply(&change("void", "void"));
        self.apply(&change("recall", "recalled"));
        let codes = |kind: &str| -> Vec<String> {
            let (cipher, first) = &self.kinds[kind];
            (*first..*first + QUANTITY).map(|serial| cipher.encode(serial).as_str().to_owned()).collect()
        };
        let (old, new) = (codes("replaced"), codes("successors"));
        self.apply(&json!({"command": "replace", "old": old, "new": new, "reason": "test"}));
    }

    fn next_of(&mut self, kind: &str) -> String {
        let (cipher, next) = self.kinds.get_mut(kind).unwrap_or_else(|| panic!("no order of {kind}"));
        *next += 1;
        cipher.encode(*next - 1).as_str().to_owned()
    }
}

impl World for EngineWorld {
    fn new_code(&mut self, kind: &str) -> String {
        match kind {
            "alias" => self.aliases.pop().unwrap(),
            "mistyped" => mistype(&self.next_of("active")),
            "unissued" => self.kinds["active"].0.encode(UNISSUED).as_str().to_owned(),
            "strange" => {
                let key = Key::from_bytes(&[1; 16]).unwrap();
                SlotCipher::new(Format::Base32, STRANGE_SLOT, &key).unwrap().encode(1).as_str().to_owned()
            }
            "seen" => {
                let code = self.next_of("seen");
                let headers: [(&[u8], &[u8]); 1] = [(b"host", self.host.as_bytes())];
                let path = format!("/{code}");
                let first = self.answer(&HttpRequest {
                    method: b"GET",
                    raw_path: path.as_bytes(),
                    query: b"",
                    headers: &headers,
                    peer: Some("198.51.100.1"),
                    now_us: NOW_US - 1_000_000,
                    random: [1; 16],
                });
                assert_eq!(first.unwrap().status, 200);
                code
            }
            kind => self.next_of(kind),
        }
    }

    fn answer(&self, request: &HttpRequest<'_>) -> Option<HttpAnswer> {
        self.engine.http(request)
    }
}

#[test]
fn every_case_of_the_table_is_answered_as_it_says() {
    table::run(&mut EngineWorld::new(&table::table()["world"]));
}

/// One GET of a code at a time, by a device.
fn get(
    world: &EngineWorld,
    code: &str,
    at_us: i64,
    peer: &str,
    cookie: Option<&str>,
    random: u8,
) -> (Value, String) {
    let path = format!("/{code}");
    let mut headers: Vec<(&[u8], &[u8])> =
        vec![(b"host", world.host.as_bytes()), (b"user-agent", b"Phone/1")];
    headers.extend(cookie.map(|cookie| (b"cookie".as_slice(), cookie.as_bytes())));
    let answer = world.answer(&HttpRequest {
        method: b"GET",
        raw_path: path.as_bytes(),
        query: b"",
        headers: &headers,
        peer: Some(peer),
        now_us: at_us,
        random: [random; 16],
    });
    let answer = answer.unwrap();
    let set =
        table::header(&answer, "set-cookie").and_then(|line| line.split(';').next()).unwrap_or_default();
    (serde_json::from_slice(&answer.body).unwrap(), set.to_owned())
}

fn is_first(answer: &(Value, String)) -> Option<bool> {
    answer.0["is_first"].as_bool()
}

const HOME: &str = "192.0.2.7";
const ELSEWHERE: &str = "198.51.100.9";
const MINUTE_US: i64 = 60_000_000;

#[test]
fn a_browser_that_comes_back_is_the_device_its_first_answer_made_it() {
    let mut world = EngineWorld::new(&table::table()["world"]);
    let code = world.new_code("active");
    let first = get(&world, &code, NOW_US, HOME, None, 1);
    assert_eq!(is_first(&first), Some(true));
    let again = get(&world, &code, NOW_US + MINUTE_US, ELSEWHERE, Some(&first.1), 2);
    assert_eq!(is_first(&again), Some(true), "the cookie decides, not the network");
    assert_eq!(again.1, "", "no second cookie");
    assert_eq!(again.0["scans"], 2);
    let later = get(&world, &code, NOW_US + 11 * MINUTE_US, ELSEWHERE, Some(&first.1), 3);
    assert_eq!(
        (is_first(&later), later.0["verdict"].as_str()),
        (Some(false), Some("repeat")),
        "a new session"
    );
}

#[test]
fn two_cookies_behind_one_address_are_two_devices() {
    let mut world = EngineWorld::new(&table::table()["world"]);
    let (code, other) = (world.new_code("active"), world.new_code("active"));
    let first = get(&world, &code, NOW_US, HOME, None, 1);
    let neighbour = get(&world, &other, NOW_US, HOME, None, 2);
    let theirs = get(&world, &code, NOW_US + MINUTE_US, HOME, Some(&neighbour.1), 3);
    assert_eq!(is_first(&theirs), Some(false));
    let without = get(&world, &code, NOW_US + MINUTE_US, HOME, None, 4);
    assert_eq!(is_first(&without), Some(true), "the address decides when one side has no cookie");
    let far = get(&world, &code, NOW_US + MINUTE_US, ELSEWHERE, None, 5);
    assert_eq!(is_first(&far), Some(false));
    let own = get(&world, &code, NOW_US + 2 * MINUTE_US, ELSEWHERE, Some(&first.1), 6);
    assert_eq!(is_first(&own), Some(true));
}

#[test]
fn looks_and_mismatched_links_leave_the_first_check_to_the_buyer() {
    let mut world = EngineWorld::new(&table::table()["world"]);
    let code = world.new_code("active");
    let head: [(&[u8], &[u8]); 1] = [(b"host", b"scan.example.com")];
    let prefetch: [(&[u8], &[u8]); 2] = [head[0], (b"sec-purpose", b"prefetch")];
    let link = format!("/01/04006381333931/21/{code}");
    for (method, path, headers) in [
        (b"HEAD".as_slice(), format!("/{code}"), &head[..]),
        (b"OPTIONS", format!("/{code}"), &head),
        (b"GET", format!("/{code}"), &prefetch),
        (b"GET", link, &head),
    ] {
        let request = HttpRequest {
            method,
            raw_path: path.as_bytes(),
            query: b"",
            headers,
            peer: Some(ELSEWHERE),
            now_us: NOW_US,
            random: [9; 16],
        };
        world.answer(&request).unwrap();
    }
    let buyer = get(&world, &code, NOW_US + MINUTE_US, HOME, None, 1);
    assert_eq!((is_first(&buyer), buyer.0["scans"].as_u64()), (Some(true), Some(1)));
}

#[test]
fn many_devices_at_once_have_one_first() {
    let mut world = EngineWorld::new(&table::table()["world"]);
    let code = world.new_code("active");
    let (world, code) = (&world, code.as_str());
    let firsts: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4u8)
            .map(|thread| {
                scope.spawn(move || {
                    (0..50u8)
                        .filter(|n| {
                            let peer = format!("10.{thread}.{n}.1");
                            is_first(&get(world, code, NOW_US, &peer, None, thread * 50 + n)) == Some(true)
                        })
                        .count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(firsts, 1);
    let last = get(world, code, NOW_US, HOME, None, 255);
    assert_eq!(last.0["scans"], 201);
}
