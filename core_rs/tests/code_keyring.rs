//! Keys: separate by every part of their context, equal to RFC 5869 written out, never shown.

use std::collections::HashSet;

use hmac::{Hmac, KeyInit, Mac};
use imp_core::code::{Face, Key, KeyContext, KeySize, Keyring};
use proptest::prelude::*;
use sha2::Sha256;
use zeroize::ZeroizeOnDrop;

const CONTEXT: KeyContext<'static> =
    KeyContext { tenant: "acme", series: "wine", face: Face::Outer, epoch: 1, nonce: [7; 16] };

fn keyring() -> Keyring {
    Keyring::new(b"0123456789abcdef0123456789abcdef")
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// RFC 5869 for outputs of one block: extract with a zero salt, then expand once.
fn hkdf(master: &[u8], fields: &[&[u8]], len: usize) -> Vec<u8> {
    let mut info = Vec::new();
    for field in fields {
        info.extend((field.len() as u32).to_be_bytes());
        info.extend(*field);
    }
    info.push(1);
    hmac_sha256(&hmac_sha256(&[0; 32], master), &info)[..len].to_vec()
}

#[test]
fn derivation_is_hkdf_over_length_prefixed_fields() {
    let master = b"0123456789abcdef0123456789abcdef";
    let fields: [&[u8]; 8] = [b"imp/v1", b"code", b"acme", b"wine", &[0], &[0, 0, 0, 1], &[7; 16], &[16]];
    assert_eq!(keyring().derive(&CONTEXT, KeySize::Aes128).bytes(), hkdf(master, &fields, 16));
    assert_eq!(keyring().check_value()[..], hkdf(master, &[b"imp/v1", b"check"], 8));
    let subkey = hkdf(master, &[b"imp/v1", b"subkey", b"cookie", b"acme"], 32);
    assert_eq!(keyring().subkey("cookie", "acme")[..], subkey);
}

#[test]
fn every_part_of_the_context_counts() {
    let contexts = [
        CONTEXT,
        KeyContext { tenant: "acm", series: "ewine", ..CONTEXT },
        KeyContext { tenant: "other", ..CONTEXT },
        KeyContext { series: "beer", ..CONTEXT },
        KeyContext { face: Face::Inner, ..CONTEXT },
        KeyContext { epoch: 2, ..CONTEXT },
        KeyContext { nonce: [8; 16], ..CONTEXT },
    ];
    let mut seen = HashSet::new();
    for context in contexts {
        for size in [KeySize::Aes128, KeySize::Aes256] {
            // The first 16 bytes differ too: a short key is no prefix of a long one.
            assert!(seen.insert(keyring().derive(&context, size).bytes()[..16].to_vec()), "{context:?}");
        }
    }
    assert!(seen.insert(Keyring::new(&[0; 32]).derive(&CONTEXT, KeySize::Aes128).bytes().to_vec()));
    assert_ne!(keyring().check_value(), Keyring::new(&[0; 32]).check_value());
    assert_ne!(keyring().subkey("cookie", "acme"), keyring().subkey("address", "acme"));
}

#[test]
fn derived_secrets_are_wiped_on_drop() {
    fn is_wiped<T: ZeroizeOnDrop>(_: &T) {}
    is_wiped(&keyring().subkey("cookie", "acme"));
}

#[test]
fn secrets_are_not_shown() {
    assert_eq!(format!("{:?}", keyring()), "Keyring(..)");
    assert_eq!(format!("{:?}", keyring().derive(&CONTEXT, KeySize::Aes256)), "Key(Aes256)");
}

#[test]
fn keys_from_elsewhere_have_16_or_32_bytes() {
    for (len, accepted) in
        [(0, false), (15, false), (16, true), (17, false), (24, false), (32, true), (33, false)]
    {
        assert_eq!(Key::from_bytes(&vec![1; len]).is_ok(), accepted, "{len} bytes");
    }
    assert_eq!((KeySize::from_bits(128), KeySize::from_bits(192)), (Some(KeySize::Aes128), None));
}

proptest! {
    #[test]
    fn names_never_run_together(tenant in "[a-z]{0,6}", series in "[a-z]{0,6}", cut in 0usize..13) {
        let joined = format!("{tenant}{series}");
        let cut = cut.min(joined.len());
        let one = keyring().derive(&KeyContext { tenant: &tenant, series: &series, ..CONTEXT }, KeySize::Aes128);
        let other = KeyContext { tenant: &joined[..cut], series: &joined[cut..], ..CONTEXT };
        let other = keyring().derive(&other, KeySize::Aes128);
        prop_assert_eq!(one.bytes() == other.bytes(), cut == tenant.len());
    }
}
