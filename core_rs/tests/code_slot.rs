//! Slot ciphers: equal to the general FF1, batch equal to single, every tail, every failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use imp_core::code::{
    AesCipher, Block, BlockCipher, CROCKFORD, Format, GeneralFf1, Key, LANES, NotACode, ParseFailure,
    SlotCipher, parse, unpack_decoded,
};
use proptest::prelude::*;

fn cipher(format: Format, slot: u16, key: &[u8]) -> SlotCipher {
    SlotCipher::new(format, slot, &Key::from_bytes(key).unwrap()).unwrap()
}

/// The serial as numerals of the format, most significant first.
fn numerals(format: Format, mut number: u64) -> Vec<u32> {
    let mut numerals = vec![0; format.body_len()];
    for numeral in numerals.iter_mut().rev() {
        *numeral = (number % u64::from(format.radix())) as u32;
        number /= u64::from(format.radix());
    }
    numerals
}

fn body_text(numerals: &[u32]) -> String {
    numerals.iter().map(|&numeral| char::from(CROCKFORD[numeral as usize])).collect()
}

fn any_format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Base32), Just(Format::Digits)]
}

/// Format, slot, key of 16 or 32 bytes, serial of the format.
fn any_case() -> impl Strategy<Value = (Format, u16, Vec<u8>, u64)> {
    any_format().prop_flat_map(|format| {
        let key =
            prop_oneof![prop::collection::vec(any::<u8>(), 16), prop::collection::vec(any::<u8>(), 32),];
        (Just(format), 0..format.slot_count(), key, 0..format.domain())
    })
}

proptest! {
    #[test]
    fn code_is_general_ff1_in_a_frame((format, slot, key, serial) in any_case()) {
        let code = cipher(format, slot, &key).encode(serial);
        let tweak = [b"imp1", &[format.id()][..], &slot.to_be_bytes()].concat();
        let general = GeneralFf1::new(&key, format.radix(), &tweak).unwrap();
        let body = body_text(&general.encrypt(&numerals(format, serial)).unwrap());
        prop_assert_eq!(&code.as_str()[2..2 + format.body_len()], body);
        prop_assert_eq!(code.as_bytes().len(), format.code_len());
    }

    #[test]
    fn decode_inverts_encode((format, slot, key, serial) in any_case()) {
        let cipher = cipher(format, slot, &key);
        let code = cipher.encode(serial);
        let parsed = parse(&code).unwrap();
        prop_assert_eq!((parsed.format, parsed.slot, parsed.text), (format, slot, code));
        prop_assert_eq!(cipher.decrypt(parsed.body), serial);
        prop_assert_eq!(cipher.decode(&code), Ok(serial));
        prop_assert_eq!(cipher.decode(code.grouped('-').to_ascii_lowercase().as_bytes()), Ok(serial));
    }

    #[test]
    fn any_bytes_decode_without_panic(text in prop::collection::vec(any::<u8>(), 0..80)) {
        let cipher = cipher(Format::Base32, 7, &[1; 16]);
        let single = cipher.decode(&text);
        let mut packed = [0];
        cipher.decode_many(&[&text], &mut packed, 1).unwrap();
        prop_assert_eq!(unpack_decoded(packed[0]), single);
    }

    #[test]
    fn batch_is_single_for_any_cut_and_thread_count(
        (format, slot, key, first) in any_case(),
        count in 0usize..400,
        threads in 1usize..5,
    ) {
        let first = first.min(format.domain() - count as u64);
        let cipher = cipher(format, slot, &key);
        let width = format.code_len();
        let mut batch = vec![0; count * width];
        cipher.encode_range(first, count, &mut batch, threads).unwrap();
        for (code, serial) in batch.chunks(width).zip(first..) {
            let single = cipher.encode(serial);
            prop_assert_eq!(code, single.as_bytes());
        }
        let mut serials = vec![0; count];
        cipher.decode_packed(&batch, &mut serials, threads).unwrap();
        prop_assert!(serials.iter().copied().eq(first..first + count as u64));
    }
}

#[test]
fn every_tail_length_is_whole() {
    for &format in Format::ALL {
        let cipher = cipher(format, 3, &[9; 16]);
        let width = format.code_len();
        let mut whole = vec![0; (2 * LANES + 2) * width];
        cipher.encode_range(1_000, 2 * LANES + 2, &mut whole, 1).unwrap();
        for count in 0..=2 * LANES + 1 {
            let mut out = vec![0; count * width];
            cipher.encode_range(1_000, count, &mut out, 2).unwrap();
            assert_eq!(out, whole[..count * width], "{count} codes");
            let mut serials = vec![0; count];
            cipher.decode_packed(&out, &mut serials, 3).unwrap();
            assert!(serials.into_iter().eq(1_000..1_000 + count as u64), "{count} codes");
        }
    }
}

#[test]
fn ends_of_the_domain() {
    for &format in Format::ALL {
        let cipher = cipher(format, format.slot_count() - 1, &[5; 32]);
        for serial in [0, 1, format.domain() - 1] {
            assert_eq!(cipher.decode(&cipher.encode(serial)), Ok(serial));
        }
        let mut out = vec![0; 2 * format.code_len()];
        cipher.encode_range(format.domain() - 2, 2, &mut out, 1).unwrap();
        let error = cipher.encode_range(format.domain() - 1, 2, &mut out, 1).unwrap_err();
        assert!(error.to_string().contains("leave the domain"), "{error}");
        assert!(SlotCipher::new(format, format.slot_count(), &Key::from_bytes(&[0; 16]).unwrap()).is_err());
    }
}

#[test]
fn wrong_sizes_are_refused() {
    let cipher = cipher(Format::Base32, 0, &[0; 16]);
    assert!(cipher.encode_range(0, 2, &mut [0; 29], 1).is_err());
    assert!(cipher.encode_range(0, 2, &mut [0; 30], 0).is_err());
    assert!(cipher.encode_range(0, 2, &mut [0; 30], 257).is_err());
    assert!(cipher.encode_range(u64::MAX, 2, &mut [0; 30], 1).is_err());
    assert!(cipher.decode_packed(&[0; 29], &mut [0; 2], 1).is_err());
    assert!(cipher.decode_many(&[b"x"], &mut [0; 2], 1).is_err());
}

#[test]
fn failures_are_told_apart() {
    let cipher_0 = cipher(Format::Base32, 0, &[0; 16]);
    let other = cipher(Format::Base32, 1, &[0; 16]).encode(0);
    let digits = cipher(Format::Digits, 0, &[0; 16]).encode(0);
    let mut mistyped = *<&[u8; 15]>::try_from(&cipher_0.encode(0)[..]).unwrap();
    mistyped[14] = if mistyped[14] == b'0' { b'1' } else { b'0' };
    let texts: [&[u8]; 5] = [&cipher_0.encode(77), &mistyped, &other, &digits, b"hello"];
    let mut out = [0; 5];
    cipher_0.decode_many(&texts, &mut out, 2).unwrap();
    let results: Vec<_> = out.into_iter().map(unpack_decoded).collect();
    let (other_slot, malformed) = (Err(NotACode::OtherSlot), Err(NotACode::Malformed));
    assert_eq!(results, [Ok(77), Err(NotACode::Mistyped), other_slot, other_slot, malformed]);
    assert!(matches!(parse(&mistyped), Err(ParseFailure::Mistyped { format: Format::Base32, .. })));
}

/// Any block cipher may stand under FF1; this one counts its work.
#[derive(Clone)]
struct Counting(AesCipher, Arc<AtomicUsize>);

impl BlockCipher for Counting {
    fn encrypt_blocks(&self, blocks: &mut [Block]) {
        self.1.fetch_add(blocks.len(), Ordering::Relaxed);
        self.0.encrypt_blocks(blocks);
    }
}

#[test]
fn a_code_takes_ten_blocks() {
    let blocks = Arc::new(AtomicUsize::new(0));
    let counting = Counting(AesCipher::from_bytes(&[4; 16]).unwrap(), Arc::clone(&blocks));
    for &format in Format::ALL {
        let cipher = SlotCipher::with_cipher(format, 1, counting.clone()).unwrap();
        blocks.store(0, Ordering::Relaxed);
        let mut out = vec![0; 1_000 * format.code_len()];
        cipher.encode_range(0, 1_000, &mut out, 3).unwrap();
        assert_eq!(blocks.load(Ordering::Relaxed), 10_000);
        let same = SlotCipher::new(format, 1, &Key::from_bytes(&[4; 16]).unwrap()).unwrap();
        assert_eq!(same.encode(999).as_bytes(), &out[999 * format.code_len()..]);
    }
}

#[test]
fn printed_codes_never_change() {
    // Labels are on goods: these texts must decode for ever.
    let code = |format, slot, serial| cipher(format, slot, b"0123456789abcdef").encode(serial).to_string();
    let codes = [
        code(Format::Base32, 0, 0),
        code(Format::Base32, 1023, 1_000_000),
        code(Format::Digits, 0, 0),
        code(Format::Digits, 99, 1_000_000),
    ];
    assert_eq!(codes, ["009HHQPEM3F36ZN", "ZZJFWG4ZX39X5ZW", "00765318879325219172", "99966018376592922084"]);
}
