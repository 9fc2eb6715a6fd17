//! Who scans: the signed first-party cookie `imp_d` and the keyed form of an address.
//!
//! Nothing here can be turned back into a person without the tenant's keys: the core sees 64-bit keyed
//! hashes, and of an address only the part that names a neighbourhood.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Name of the device cookie.
pub const COOKIE_NAME: &[u8] = b"imp_d";
/// How long a browser keeps it: 400 days, the most RFC 6265bis lets a server ask for.
pub const COOKIE_AGE_S_MAX: u32 = 400 * 24 * 60 * 60;
/// Cookies of our name that one request may make us verify.
const COOKIES_TRIED_MAX: usize = 4;
/// Bytes of a user agent that enter the address form.
const USER_AGENT_BYTES_MAX: usize = 512;
const SEED_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
/// Base64url of seed and tag without padding.
const COOKIE_TEXT_BYTES: usize = 43;

type HmacSha256 = Hmac<Sha256>;

/// A tenant's keys for recognising devices, with their HMAC states prepared: a scan pays two to four
/// compressions, no key schedule. The states are wiped on drop; shows no bytes in `Debug`.
#[derive(Clone)]
pub struct DeviceKeys {
    cookie: HmacSha256,
    address: HmacSha256,
}

impl std::fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceKeys(..)")
    }
}

/// A device cookie made for a request that presented none. Whoever has it is the device: `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IssuedCookie {
    /// Cookie value, base64url.
    pub text: [u8; COOKIE_TEXT_BYTES],
    /// What [`DeviceKeys::verify_cookie`] will say when it comes back.
    pub hash: u64,
}

impl std::fmt::Debug for IssuedCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IssuedCookie(..)")
    }
}

impl DeviceKeys {
    /// `cookie_key` signs cookies, `address_key` salts addresses, API device ids and idempotency keys.
    #[must_use]
    pub fn new(cookie_key: &[u8; 32], address_key: &[u8; 32]) -> Self {
        let prepare =
            |key: &[u8; 32]| HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length");
        Self { cookie: prepare(cookie_key), address: prepare(address_key) }
    }

    /// Sign a new cookie over 16 random bytes.
    #[must_use]
    pub fn issue_cookie(&self, random: [u8; SEED_BYTES]) -> IssuedCookie {
        let (tag, hash) = self.sign(&random);
        let mut raw = [0u8; SEED_BYTES + TAG_BYTES];
        raw[..SEED_BYTES].copy_from_slice(&random);
        raw[SEED_BYTES..].copy_from_slice(&tag);
        let mut text = [0u8; COOKIE_TEXT_BYTES];
        encode_base64url(&raw, &mut text);
        IssuedCookie { text, hash }
    }

    /// The device behind a cookie value, `None` unless this tenant's key signed it.
    #[must_use]
    pub fn verify_cookie(&self, text: &[u8]) -> Option<u64> {
        let raw = decode_cookie(text)?;
        let (tag, hash) = self.sign(&raw[..SEED_BYTES]);
        equal_in_constant_time(&tag, &raw[SEED_BYTES..]).then_some(hash)
    }

    /// The device of the first valid `imp_d` in the `Cookie` lines of a request.
    pub fn find_cookie<'h>(&self, lines: impl Iterator<Item = &'h [u8]>) -> Option<u64> {
        lines
            .flat_map(|line| line.split(|byte| *byte == b';'))
            .filter_map(|pair| pair.trim_ascii().strip_prefix(COOKIE_NAME)?.strip_prefix(b"="))
            .take(COOKIES_TRIED_MAX)
            .find_map(|value| self.verify_cookie(value))
    }

    /// HMAC(tenant salt, address prefix ‖ user agent): the device form that needs no cookie.
    #[must_use]
    pub fn address_form(&self, address: IpAddr, user_agent: &[u8]) -> u64 {
        let user_agent = &user_agent[..user_agent.len().min(USER_AGENT_BYTES_MAX)];
        self.salted(b'a', &[&address_prefix(address), user_agent])
    }

    /// The device of an API caller that names it itself.
    #[must_use]
    pub fn named_device(&self, device: &[u8]) -> u64 {
        self.salted(b'd', &[device])
    }

    /// An idempotency key, scoped to its caller. The record it is kept in scopes it to the code.
    #[must_use]
    pub fn idempotency(&self, caller: &[u8], key: &[u8]) -> u64 {
        self.salted(b'i', &[&(caller.len() as u64).to_be_bytes(), caller, key])
    }

    /// Tag of a seed and, from the half of the MAC that never leaves us, the device's hash.
    fn sign(&self, seed: &[u8]) -> ([u8; TAG_BYTES], u64) {
        let mut mac = self.cookie.clone();
        mac.update(seed);
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut tag = [0u8; TAG_BYTES];
        tag.copy_from_slice(&full[..TAG_BYTES]);
        (tag, first_u64(&full[TAG_BYTES..]))
    }

    fn salted(&self, purpose: u8, parts: &[&[u8]]) -> u64 {
        let mut mac = self.address.clone();
        mac.update(&[purpose]);
        for part in parts {
            mac.update(part);
        }
        first_u64(&mac.finalize().into_bytes())
    }
}

/// Big-endian, and never 0, which stands for "none" in a record.
fn first_u64(bytes: &[u8]) -> u64 {
    let mut first = [0u8; 8];
    first.copy_from_slice(&bytes[..8]);
    u64::from_be_bytes(first).max(1)
}

fn equal_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differing, (l, r)| differing | (l ^ r)) == 0
}

/// The part of an address that is kept: a family byte (4 or 6), then /24 of IPv4 or /56 of IPv6, zero-filled.
/// A household or a shop keeps its prefix; a person cannot be named by it.
#[must_use]
pub fn address_prefix(address: IpAddr) -> [u8; 8] {
    fn v4(address: Ipv4Addr) -> [u8; 8] {
        let [a, b, c, _] = address.octets();
        [4, a, b, c, 0, 0, 0, 0]
    }
    fn v6(address: Ipv6Addr) -> [u8; 8] {
        let mut prefix = [6; 8];
        prefix[1..].copy_from_slice(&address.octets()[..7]);
        prefix
    }
    match address.to_canonical() {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648 section 5 without padding; `out` has ⌈4/3 · raw⌉ bytes.
pub(super) fn encode_base64url(raw: &[u8], out: &mut [u8]) {
    for (chunk, symbols) in raw.chunks(3).zip(out.chunks_mut(4)) {
        let word =
            chunk.iter().enumerate().fold(0u32, |word, (i, byte)| word | u32::from(*byte) << (16 - 8 * i));
        for (i, symbol) in symbols.iter_mut().enumerate() {
            *symbol = BASE64URL[(word >> (18 - 6 * i) & 63) as usize];
        }
    }
}

/// Seed and tag of a cookie value; `None` unless it is exactly the text [`encode_base64url`] gives for them
/// (the spare bits of the last symbol are zero), so that one cookie has one spelling.
fn decode_cookie(text: &[u8]) -> Option<[u8; SEED_BYTES + TAG_BYTES]> {
    if text.len() != COOKIE_TEXT_BYTES {
        return None;
    }
    let mut raw = [0u8; SEED_BYTES + TAG_BYTES];
    for (symbols, bytes) in text.chunks(4).zip(raw.chunks_mut(3)) {
        let mut word = 0u32;
        for (i, symbol) in symbols.iter().enumerate() {
            let value = match symbol {
                b'A'..=b'Z' => symbol - b'A',
                b'a'..=b'z' => symbol - b'a' + 26,
                b'0'..=b'9' => symbol - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return None,
            };
            word |= u32::from(value) << (18 - 6 * i);
        }
        let decoded = word.to_be_bytes();
        bytes.copy_from_slice(&decoded[1..=bytes.len()]);
        if decoded[1 + bytes.len()..].iter().any(|spare| *spare != 0) {
            return None;
        }
    }
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> DeviceKeys {
        DeviceKeys::new(&[7; 32], &[9; 32])
    }

    #[test]
    fn an_issued_cookie_comes_back_as_the_same_device() {
        let issued = keys().issue_cookie([3; 16]);
        assert_eq!(keys().verify_cookie(&issued.text), Some(issued.hash));
        let header = [b"theme=dark; imp_d=".as_slice(), &issued.text, b"; a=b"].concat();
        assert_eq!(keys().find_cookie(std::iter::once(header.as_slice())), Some(issued.hash));
        assert_eq!(DeviceKeys::new(&[8; 32], &[9; 32]).verify_cookie(&issued.text), None);
    }

    #[test]
    fn keys_are_wiped_on_drop_and_nothing_is_shown() {
        // An HMAC state is two of the hash.
        fn is_wiped<T: zeroize::ZeroizeOnDrop>() {}
        is_wiped::<Sha256>();
        assert_eq!(format!("{:?}", keys()), "DeviceKeys(..)");
        assert_eq!(format!("{:?}", keys().issue_cookie([3; 16])), "IssuedCookie(..)");
    }

    #[test]
    fn the_device_hash_is_not_in_the_cookie() {
        let issued = keys().issue_cookie([3; 16]);
        let raw = decode_cookie(&issued.text).unwrap();
        assert!(raw.windows(8).all(|window| window != issued.hash.to_be_bytes()));
    }

    #[test]
    fn a_changed_symbol_never_verifies() {
        let issued = keys().issue_cookie([3; 16]);
        for position in 0..issued.text.len() {
            for symbol in BASE64URL {
                let mut text = issued.text;
                text[position] = *symbol;
                assert_eq!(keys().verify_cookie(&text).is_some(), text == issued.text, "position {position}");
            }
        }
    }

    #[test]
    fn a_stale_double_does_not_hide_the_valid_cookie() {
        let issued = keys().issue_cookie([3; 16]);
        let foreign = DeviceKeys::new(&[1; 32], &[1; 32]).issue_cookie([3; 16]);
        let header = [b"imp_d=".as_slice(), &foreign.text, b";imp_d=", &issued.text].concat();
        assert_eq!(keys().find_cookie(std::iter::once(header.as_slice())), Some(issued.hash));
        let flood = [b"imp_d=x; ".repeat(COOKIES_TRIED_MAX), header.clone()].concat();
        assert_eq!(
            keys().find_cookie(std::iter::once(flood.as_slice())),
            None,
            "work per request is bounded"
        );
        let split = [b"a=b".as_slice(), &header];
        assert_eq!(keys().find_cookie(split.into_iter()), Some(issued.hash));
        let other_name = [b"ximp_d=".as_slice(), &issued.text].concat();
        assert_eq!(keys().find_cookie(std::iter::once(other_name.as_slice())), None);
    }

    #[test]
    fn base64url_agrees_with_rfc_4648() {
        for (raw, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")] {
            let mut out = vec![0; (raw.len() * 4).div_ceil(3)];
            encode_base64url(raw.as_bytes(), &mut out);
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn a_prefix_names_a_neighbourhood() {
        let prefix = |text: &str| address_prefix(text.parse().unwrap());
        assert_eq!(prefix("203.0.113.77"), [4, 203, 0, 113, 0, 0, 0, 0]);
        assert_eq!(prefix("::ffff:203.0.113.1"), prefix("203.0.113.77"));
        assert_eq!(prefix("2001:db8:1:22ff::1"), [6, 0x20, 1, 0x0d, 0xb8, 0, 1, 0x22]);
        assert_eq!(prefix("2001:db8:1:2200:ffff::2"), prefix("2001:db8:1:22ff::1"));
        assert_ne!(prefix("2001:db8:1:2300::1"), prefix("2001:db8:1:22ff::1"));
    }

    #[test]
    fn address_forms_differ_by_prefix_agent_and_tenant_only() {
        let (a, near, far) = (
            "203.0.113.1".parse().unwrap(),
            "203.0.113.200".parse().unwrap(),
            "203.0.114.1".parse().unwrap(),
        );
        let form = keys().address_form(a, b"Mozilla");
        assert_eq!(form, keys().address_form(near, b"Mozilla"));
        assert_ne!(form, keys().address_form(far, b"Mozilla"));
        assert_ne!(form, keys().address_form(a, b"curl"));
        assert_ne!(form, DeviceKeys::new(&[7; 32], &[8; 32]).address_form(a, b"Mozilla"));
        assert_ne!(keys().idempotency(b"ab", b"c"), keys().idempotency(b"a", b"bc"));
    }

    proptest! {
        #[test]
        fn any_cookie_header_is_survived(header in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(keys().find_cookie(std::iter::once(header.as_slice())), None);
        }

        #[test]
        fn every_seed_round_trips(seed in any::<[u8; 16]>()) {
            let issued = keys().issue_cookie(seed);
            prop_assert_eq!(keys().verify_cookie(&issued.text), Some(issued.hash));
        }
    }
}
