//! FF1 as a permutation: exhaustive on a small domain, random on every shape, refusals at the limits.

use imp_core::code::{GeneralFf1, TWEAK_BYTES_MAX};
use proptest::prelude::*;

fn ff1(radix: u32) -> GeneralFf1 {
    GeneralFf1::new(&[0x2b; 16], radix, b"tweak").unwrap()
}

#[test]
fn every_text_of_a_domain_of_a_million_is_hit_once() {
    let ff1 = ff1(10);
    let mut hit = vec![false; 1_000_000];
    for number in 0..1_000_000u32 {
        let numerals: Vec<u32> = (0..6).rev().map(|place| number / 10u32.pow(place) % 10).collect();
        let cipher = ff1.encrypt(&numerals).unwrap();
        let at = cipher.iter().fold(0, |number, &numeral| number * 10 + numeral as usize);
        assert!(!std::mem::replace(&mut hit[at], true), "{at} is hit twice");
        if number % 97 == 0 {
            assert_eq!(ff1.decrypt(&cipher).unwrap(), numerals);
        }
    }
    assert!(hit.into_iter().all(|hit| hit));
}

/// Most numerals whose longer half stays below 2^127.
fn longest(radix: u32) -> usize {
    let mut half = 0;
    let mut power = 1u128;
    while power.checked_mul(u128::from(radix)).is_some_and(|power| power < 1 << 127) {
        power *= u128::from(radix);
        half += 1;
    }
    2 * half
}

#[test]
fn limits_of_radix_length_and_tweak() {
    let key = [0; 16];
    for (radix, accepted) in [(0, false), (1, false), (2, true), (65_536, true), (65_537, false)] {
        assert_eq!(GeneralFf1::new(&key, radix, b"").is_ok(), accepted, "radix {radix}");
    }
    for (len, accepted) in
        [(0, false), (15, false), (16, true), (24, true), (31, false), (32, true), (33, false)]
    {
        assert_eq!(GeneralFf1::new(&vec![0; len], 10, b"").is_ok(), accepted, "key of {len} bytes");
    }
    assert!(GeneralFf1::new(&key, 10, &vec![0; TWEAK_BYTES_MAX]).is_ok());
    assert!(GeneralFf1::new(&key, 10, &vec![0; TWEAK_BYTES_MAX + 1]).is_err());
    // The floor of 10^6 and the ceiling of the halves, each at N and N + 1.
    for (radix, shortest) in [(2, 20), (10, 6), (999, 3), (1_000, 2), (65_536, 2)] {
        let ff1 = ff1(radix);
        assert!(ff1.encrypt(&vec![0; shortest - 1]).is_err(), "radix {radix}");
        assert!(ff1.encrypt(&vec![0; shortest]).is_ok(), "radix {radix}");
        assert!(ff1.encrypt(&vec![0; longest(radix)]).is_ok(), "radix {radix}");
        assert!(ff1.encrypt(&vec![0; longest(radix) + 1]).is_err(), "radix {radix}");
    }
    assert!(ff1(10).encrypt(&[]).is_err());
    assert!(ff1(10).encrypt(&[0, 1, 2, 3, 4, 10]).is_err());
    assert!(ff1(10).decrypt(&[0, 1, 2, 3, 4, u32::MAX]).is_err());
}

/// A radix and numerals of it between the shortest and the longest accepted length.
fn any_message() -> impl Strategy<Value = (u32, Vec<u32>)> {
    prop_oneof![2u32..=64, 2u32..=65_536, Just(65_535), Just(65_536)].prop_flat_map(|radix| {
        let shortest = (2..).find(|&len| f64::from(radix).powi(len) >= 1_000_001.0).unwrap() as usize;
        (Just(radix), prop::collection::vec(0..radix, shortest..=longest(radix)))
    })
}

proptest! {
    #[test]
    fn decrypt_inverts_encrypt(
        (radix, numerals) in any_message(),
        key in prop_oneof![Just(16), Just(24), Just(32)].prop_flat_map(|len| prop::collection::vec(any::<u8>(), len)),
        tweak in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let ff1 = GeneralFf1::new(&key, radix, &tweak).unwrap();
        let cipher = ff1.encrypt(&numerals).unwrap();
        prop_assert_eq!(cipher.len(), numerals.len());
        prop_assert!(cipher.iter().all(|&numeral| numeral < radix));
        prop_assert_eq!(ff1.decrypt(&cipher).unwrap(), &numerals[..]);
        prop_assert_eq!(ff1.encrypt(&ff1.decrypt(&numerals).unwrap()).unwrap(), numerals);
    }
}
