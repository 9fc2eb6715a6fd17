//! One function per parser. Each takes any bytes and panics when the parser breaks a promise.

use imp_core::code::{self, Carrier, Format, Key, ParseFailure, SlotCipher};
use imp_core::scan::{self, Accept, DeviceKeys, Lang, Route, TrustedProxies};
use imp_core::state::{Command, Extent, ItemSet, Record};

/// A target: its name, which is also the folder of its seeds, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 6] = [
    ("code", code),
    ("foreign", foreign),
    ("link", link),
    ("headers", headers),
    ("command", command),
    ("stored", stored),
];

/// Scanned texts: the canonical text reads the same again, a batch decides as a single call does.
pub fn code(data: &[u8]) {
    let parsed = code::parse(data);
    match parsed {
        Ok(parsed) => {
            assert!(parsed.slot < parsed.format.slot_count() && parsed.body < parsed.format.domain());
            assert_eq!(parsed.text.as_bytes().len(), parsed.format.code_len());
            assert_eq!(code::parse(&parsed.text), Ok(parsed));
        }
        Err(ParseFailure::Mistyped { format, text }) => {
            assert_eq!(code::parse(&text), Err(failure(format, text)))
        }
        Err(ParseFailure::Malformed(_)) => {}
    }
    let key = Key::from_bytes(&[7; 16]).expect("16 bytes");
    for &format in Format::ALL {
        let slot = parsed.ok().filter(|parsed| parsed.format == format).map_or(0, |parsed| parsed.slot);
        let cipher = SlotCipher::new(format, slot, &key).expect("a slot of the format");
        let single = cipher.decode(data);
        if let Ok(number) = single {
            assert_eq!(parsed.map(|parsed| parsed.text), Ok(cipher.encode(number)));
        }
        let mut packed = [0];
        cipher.decode_many(&[data], &mut packed, 1).expect("one text, one result");
        assert_eq!(code::unpack_decoded(packed[0]), single);
    }
    for version in 0..=code::WORD_LIST_NEWEST {
        let _ = code::WordFilter::version(version).expect("a published version").matches(data);
    }
}

fn failure(format: Format, text: code::CodeText) -> ParseFailure {
    ParseFailure::Mistyped { format, text }
}

/// Foreign texts: normalising twice changes nothing and keeps the limit.
pub fn foreign(data: &[u8]) {
    for carrier in Carrier::ALL {
        for fold_case in [false, true] {
            let Ok(once) = carrier.normalise(data, fold_case) else { continue };
            assert!((1..=code::ALIAS_TEXT_BYTES_MAX).contains(&once.len()));
            assert_eq!(carrier.normalise(&once, fold_case).as_ref(), Ok(&once));
        }
    }
}

/// Raw request paths: what a link names is never a reserved name and never holds a slash.
pub fn link(data: &[u8]) {
    if let Route::Scan(link) = scan::route(data) {
        if let Ok(code) = &link.code {
            assert!(!code.contains(&b'/'), "an encoded slash is malformed");
            let _ = code::parse(code);
        }
        assert!(link.gtin.is_none_or(|gtin| gtin.iter().all(u8::is_ascii_digit)));
    }
}

/// Header values and proxy lists: any bytes have an answer.
pub fn headers(data: &[u8]) {
    let mut accept = Accept::default();
    accept.add(data);
    let _ = accept.media();
    let _ = (
        scan::accepted_language(data),
        scan::is_prefetch(data),
        Lang::from_tag(data),
        Lang::from_query(data),
    );
    let _ = scan::parse_address(data).map(scan::address_prefix);
    let keys = DeviceKeys::new(&[1; 32], &[2; 32]);
    assert_eq!(keys.find_cookie(std::iter::once(data)), None, "nobody guesses a signature");
    let text = String::from_utf8_lossy(data);
    let entries: Vec<&str> = text.split(' ').collect();
    let own = TrustedProxies::parse(&["127.0.0.0/8", "::1"]).expect("two blocks");
    for proxies in [Ok(own), TrustedProxies::parse(&entries)].into_iter().flatten() {
        let _ = proxies.client_address(Some("127.0.0.1"), data.split(|&byte| byte == b'\n'));
        let _ = proxies.client_address(Some(&text), std::iter::once(data));
    }
}

/// Commands as JSON: read, or refused with words.
pub fn command(data: &[u8]) {
    match Command::from_json(data) {
        Ok(command) => assert!(!command.kind().is_empty()),
        Err(error) => assert!(error.to_string().starts_with("command: ")),
    }
}

/// Stored bytes: what decodes is the same after it was written again, the rest is an error.
pub fn stored(data: &[u8]) {
    if let Ok(record) = Record::decode(data) {
        assert_eq!(Record::decode(&record.encode()).as_ref(), Ok(&record));
    }
    let extent = Extent::dense(100_000);
    if let Ok(set) = ItemSet::decode(data, &extent) {
        assert!(set.count(&extent) <= 100_000);
        let mut bytes = Vec::new();
        set.encode(&mut bytes);
        assert_eq!(ItemSet::decode(&bytes, &extent).as_ref(), Ok(&set));
    }
}
