//! Goal: a scan means the same at every door. Method: the case table that front, route and bindings run against
//! a real engine runs here against a stand-in that knows what each kind of code answers; what the table cannot
//! see (what reaches the engine) is looked at directly.

#[path = "scan_table/mod.rs"]
mod table;

#[path = "scan_table/stand_in.rs"]
mod stand_in;

use imp_core::scan::{HttpRequest, HttpSettings, TrustedProxies, answer};
use proptest::prelude::*;
use stand_in::StandIn;
use table::{Filler, NOW_US, header};

#[test]
fn every_case_of_the_table_is_answered_as_it_says() {
    table::run(&mut small_world());
}

fn filled(world: &mut StandIn, text: &str) -> String {
    Filler::new("scan.example.com").fill(world, text)
}

fn small_world() -> StandIn {
    StandIn::new(&table::table()["world"])
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
    let path = filled(&mut world, "/{active}");
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
    let path = filled(&mut world, "/{active}");
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
    let path = filled(&mut world, "/{active}");
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
    let path = filled(&mut world, "/01/6901028075831/10/L-26%2F07/21/{active}");
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

/// Header names the scan looks at, and one it does not.
const NAMES: [&[u8]; 8] = [
    b"host",
    b"Accept",
    b"accept-language",
    b"cookie",
    b"x-forwarded-for",
    b"sec-purpose",
    b"user-agent",
    b"x-other",
];

proptest! {
    #[test]
    fn any_request_has_a_well_formed_answer(
        path in proptest::collection::vec(any::<u8>(), 0..80),
        query in proptest::collection::vec(any::<u8>(), 0..40),
        lines in proptest::collection::vec((0..NAMES.len(), proptest::collection::vec(any::<u8>(), 0..60)), 0..8),
        peer in "\\PC{0,20}",
        method in 0..4usize,
        html in any::<bool>(),
    ) {
        let world = small_world();
        let path = [b"/".as_slice(), &path].concat();
        let mut headers: Vec<(&[u8], &[u8])> =
            lines.iter().map(|(name, value)| (NAMES[*name], value.as_slice())).collect();
        headers.retain(|(name, _)| *name != b"host" || path.len().is_multiple_of(7));
        headers.push((b"host", b"scan.example.com"));
        headers.extend(html.then_some((b"accept".as_slice(), b"text/html".as_slice())));
        let method: &[u8] = [b"GET".as_slice(), b"HEAD", b"OPTIONS", b"PUT"][method];
        let trusted_proxies = TrustedProxies::parse(&["0.0.0.0/0", "::/0"]).unwrap();
        let settings = HttpSettings { trusted_proxies, ..HttpSettings::default() };
        let request = HttpRequest {
            method,
            raw_path: &path,
            query: &query,
            headers: &headers,
            peer: Some(&peer),
            now_us: NOW_US,
            random: [0; 16],
        };
        if let Some(answer) = answer(&world, &settings, &request) {
            prop_assert!([200, 204, 400, 421].contains(&answer.status));
            prop_assert_eq!(header(&answer, "cache-control"), Some("no-store"));
            let is_silent = method == b"HEAD" || answer.status == 204;
            prop_assert_eq!(answer.body.is_empty(), is_silent);
            let is_json = header(&answer, "content-type").is_some_and(|media| media.ends_with("json"));
            if is_json && method == b"GET" {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok());
            }
            for (_, value) in &answer.headers {
                prop_assert!(value.iter().all(|byte| (b' '..=b'~').contains(byte)), "a header line may break");
            }
        }
    }
}
