//! Goal: a scan means the same at every door. Method: the case table that front, route and bindings run against
//! a real engine runs here against a stand-in that knows what each kind of code answers.

#[path = "scan_world/mod.rs"]
mod world;

use imp_core::scan::{HttpAnswer, HttpRequest, HttpSettings, TrustedProxies, answer};
use serde_json::Value;
use world::World;

const NOW_US: i64 = 1_767_323_045_678_901;

struct Case<'t> {
    name: &'t str,
    request: &'t Value,
    expect: &'t Value,
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Ask as the case says; placeholders become codes of `world`.
fn ask(world: &mut World, request: &Value) -> Option<HttpAnswer> {
    let path = world.fill(text(request, "path"));
    let method = request["method"].as_str().unwrap_or("GET");
    let mut headers: Vec<(String, String)> = request["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|line| (line[0].as_str().unwrap().to_owned(), world.fill(line[1].as_str().unwrap())))
        .collect();
    if request["no_host"] != Value::Bool(true) && headers.iter().all(|(name, _)| name != "Host") {
        headers.push(("Host".to_owned(), world.fill("{host}")));
    }
    if let Some(total) = request["long_header"].as_u64() {
        let used: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        headers.push(("X-Fill".to_owned(), "f".repeat(total as usize - used - "X-Fill".len())));
    }
    let headers: Vec<(&[u8], &[u8])> =
        headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let request = HttpRequest {
        method: method.as_bytes(),
        raw_path: path.as_bytes(),
        query: text(request, "query").as_bytes(),
        headers: &headers,
        peer: Some("192.0.2.7"),
        now_us: NOW_US,
        random: [42; 16],
    };
    answer(world, &HttpSettings::default(), &request)
}

fn header<'a>(answer: &'a HttpAnswer, name: &str) -> Option<&'a str> {
    let mut lines = answer.headers.iter().filter(|(known, _)| *known == name.as_bytes());
    let first = lines.next();
    assert!(lines.next().is_none(), "{name} twice");
    first.map(|(_, value)| std::str::from_utf8(value).unwrap())
}

fn check(world: &World, case: &Case<'_>, answer: &HttpAnswer) {
    let Case { name, expect, .. } = case;
    assert_eq!(u64::from(answer.status), expect["status"].as_u64().unwrap(), "{name}");
    for (field, value) in expect["headers"].as_object().into_iter().flatten() {
        assert_eq!(header(answer, field), value.as_str(), "{name}: {field}");
    }
    for (field, part) in expect["headers_contain"].as_object().into_iter().flatten() {
        let value = header(answer, field).unwrap_or_else(|| panic!("{name}: {field} is missing"));
        assert!(value.contains(part.as_str().unwrap()), "{name}: {field}: {value}");
    }
    for field in expect["headers_absent"].as_array().into_iter().flatten() {
        assert_eq!(header(answer, field.as_str().unwrap()), None, "{name}");
    }
    let body = std::str::from_utf8(&answer.body).unwrap();
    if expect["empty"] == Value::Bool(true) {
        assert_eq!(body, "", "{name}");
    }
    for part in expect["text_contains"].as_array().into_iter().flatten() {
        assert!(body.contains(part.as_str().unwrap()), "{name}: {part} is not in\n{body}");
    }
    for part in expect["text_excludes"].as_array().into_iter().flatten() {
        assert!(!body.contains(part.as_str().unwrap()), "{name}: {part} is in\n{body}");
    }
    check_json(world, case, body);
}

fn check_json(world: &World, case: &Case<'_>, body: &str) {
    let Case { name, expect, .. } = case;
    let json =
        || serde_json::from_str::<Value>(body).unwrap_or_else(|error| panic!("{name}: {error}\n{body}"));
    for (key, value) in expect["json"].as_object().into_iter().flatten() {
        let value = match value {
            Value::String(text) => Value::String(world.filled(text)),
            other => other.clone(),
        };
        assert_eq!(json()[key], value, "{name}: {key}");
    }
    if let Some(reasons) = expect.get("reasons") {
        assert_eq!(&json()["reasons"], reasons, "{name}");
    }
    if let Some(keys) = expect["json_keys"].as_array() {
        let places: Vec<_> = keys.iter().map(|key| body.find(&format!("{key}:")).unwrap()).collect();
        assert!(places.is_sorted(), "{name}: {body}");
        assert_eq!(json().as_object().unwrap().len(), keys.len(), "{name}: {body}");
    }
}

#[test]
fn every_case_of_the_table_is_answered_as_it_says() {
    let table: Value = serde_json::from_str(include_str!("../../tests/cases/http_scans.json")).unwrap();
    let mut world = World::new(&table["world"]);
    for case in table["cases"].as_array().unwrap() {
        let case = Case { name: text(case, "name"), request: &case["request"], expect: &case["expect"] };
        world.forget();
        let answer = ask(&mut world, case.request);
        if case.expect["none"] == Value::Bool(true) {
            assert_eq!(answer, None, "{}", case.name);
        } else {
            check(&world, &case, &answer.unwrap_or_else(|| panic!("{}: no answer", case.name)));
        }
    }
}

/// A world and a request to it whose parts a test changes.
fn small_world() -> World {
    let table: Value = serde_json::from_str(include_str!("../../tests/cases/http_scans.json")).unwrap();
    World::new(&table["world"])
}

fn request<'a>(path: &'a str, headers: &'a [(&'a [u8], &'a [u8])], peer: &'a str) -> HttpRequest<'a> {
    HttpRequest {
        method: b"GET",
        raw_path: path.as_bytes(),
        query: b"",
        headers,
        peer: Some(peer),
        now_us: NOW_US,
        random: [42; 16],
    }
}

#[test]
fn a_returning_cookie_is_presented_and_no_new_one_set() {
    let mut world = small_world();
    let path = world.fill("/{active}");
    let settings = HttpSettings::default();
    let host: (&[u8], &[u8]) = (b"host", b"scan.example.com");
    let first = answer(&world, &settings, &request(&path, &[host], "192.0.2.7")).unwrap();
    let issued = world.last_context().device;
    assert!(issued.cookie.is_none() && issued.issued.is_some());
    assert_eq!(issued.stored_cookie(), issued.issued);
    let line = header(&first, "set-cookie").unwrap();
    assert!(line.ends_with("; Secure"));
    let cookie = format!("a=1; {}", line.split(';').next().unwrap());
    let again = [host, (b"cookie".as_slice(), cookie.as_bytes())];
    let second = answer(&world, &settings, &request(&path, &again, "192.0.2.7")).unwrap();
    let presented = world.last_context().device;
    assert_eq!(presented.cookie, issued.issued);
    assert_eq!(presented.issued, None);
    assert_eq!(header(&second, "set-cookie"), None);
    assert_eq!(presented.address, issued.address);
    let plain = HttpSettings { cookie_secure: false, ..settings };
    let third = answer(&world, &plain, &request(&path, &[host], "192.0.2.7")).unwrap();
    assert!(!header(&third, "set-cookie").unwrap().contains("Secure"));
}

#[test]
fn only_a_trusted_proxy_may_name_the_client() {
    let mut world = small_world();
    let path = world.fill("/{active}");
    let headers: [(&[u8], &[u8]); 2] =
        [(b"host", b"scan.example.com"), (b"x-forwarded-for", b"9.9.9.9, 203.0.113.5")];
    let trusting = HttpSettings {
        trusted_proxies: TrustedProxies::parse(&["10.0.0.0/8"]).unwrap(),
        ..HttpSettings::default()
    };
    for (settings, peer, prefix) in [
        (&HttpSettings::default(), "10.1.1.1", [4, 10, 1, 1, 0, 0, 0, 0]),
        (&trusting, "10.1.1.1", [4, 203, 0, 113, 0, 0, 0, 0]),
        (&trusting, "192.0.2.7", [4, 192, 0, 2, 0, 0, 0, 0]),
        (&trusting, "/run/socket", [0; 8]),
    ] {
        answer(&world, settings, &request(&path, &headers, peer)).unwrap();
        assert_eq!(world.last_context().address_prefix, prefix);
        assert_eq!(world.last_context().device.address.is_some(), prefix != [0; 8]);
    }
}

#[test]
fn a_default_domain_answers_for_any_host_name_but_not_for_none() {
    let mut world = small_world();
    let path = world.fill("/{active}");
    let settings =
        HttpSettings { default_domain: Some("scan.example.com".into()), ..HttpSettings::default() };
    let at = |host: &[u8]| {
        answer(&world, &settings, &request(&path, &[(b"host", host)], "192.0.2.7")).unwrap().status
    };
    assert_eq!(at(b"127.0.0.1:8000"), 200);
    assert_eq!(at(b"anything.example.org"), 200);
    assert_eq!(at(b""), 400);
    let lost = HttpSettings { default_domain: Some("gone.example.com".into()), ..HttpSettings::default() };
    let answered = answer(&world, &lost, &request(&path, &[(b"host", b"x")], "192.0.2.7")).unwrap();
    assert_eq!(answered.status, 421);
}

#[test]
fn the_link_and_the_look_only_mark_reach_the_engine() {
    let mut world = small_world();
    let path = world.fill("/01/6901028075831/10/L-26%2F07/21/{active}");
    let host: (&[u8], &[u8]) = (b"host", b"scan.example.com");
    answer(&world, &HttpSettings::default(), &request(&path, &[host], "192.0.2.7")).unwrap();
    let seen = world.last_context();
    assert!(seen.count);
    assert_eq!(seen.now_us, NOW_US);
    assert_eq!(seen.gtin.as_deref(), Some(b"06901028075831".as_slice()));
    assert_eq!(seen.lot.as_deref(), Some(b"L-26/07".as_slice()));
    for purpose in [b"sec-purpose".as_slice(), b"Purpose", b"X-Purpose", b"X-Moz"] {
        let headers = [host, (purpose, b"prefetch".as_slice())];
        answer(&world, &HttpSettings::default(), &request(&path, &headers, "192.0.2.7")).unwrap();
        assert!(!world.last_context().count);
    }
}
