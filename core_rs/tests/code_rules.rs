//! Closed sets, odds, the word list, foreign codes and other carriers.

use std::borrow::Cow;

use imp_core::code::{
    ALIAS_TEXT_BYTES_MAX, BATCH_CODES_MAX, BATCH_THREADS_MAX, Carrier, Face, Format, Key, Level, OddsVerdict,
    Pairing, SlotCipher, WordFilter, alias_forms, alias_hash, check_batch, guess_odds, normalise_alias,
    slot_text,
};
use proptest::prelude::*;

#[test]
fn stored_ids_and_names_never_change() {
    let formats: Vec<_> = Format::ALL.iter().map(|format| (format.id(), format.name())).collect();
    assert_eq!(formats, [(0, "base32"), (1, "digits")]);
    let faces: Vec<_> = Face::ALL.iter().map(|face| (face.id(), face.name())).collect();
    assert_eq!(faces, [(0, "outer"), (1, "inner")]);
    let levels: Vec<_> = Level::ALL.iter().map(|level| (level.id(), level.name())).collect();
    assert_eq!(levels, [(0, "lot"), (1, "item"), (2, "box"), (3, "case"), (4, "pallet")]);
    let pairings: Vec<_> = Pairing::ALL.iter().map(|pairing| (pairing.id(), pairing.name())).collect();
    assert_eq!(pairings, [(0, "single"), (1, "same_serial"), (2, "associated")]);
    for pairing in Pairing::ALL {
        assert_eq!(Pairing::from_id(pairing.id()), Some(*pairing));
        assert_eq!(Pairing::from_name(pairing.name()), Some(*pairing));
        assert_eq!(serde_json::to_string(pairing).unwrap(), format!("{:?}", pairing.name()));
    }
    for &format in Format::ALL {
        assert_eq!(Format::from_id(format.id()), Some(format));
        assert_eq!(Format::from_name(format.name()), Some(format));
        assert_eq!(serde_json::to_string(&format).unwrap(), format!("{:?}", format.name()));
        assert_eq!(format.domain(), u64::from(format.radix()).pow(format.body_len() as u32));
        assert_eq!(format.slot_count(), format.radix().pow(2) as u16);
        assert_eq!(format.code_len(), 2 + format.body_len() + 1);
    }
    assert_eq!((Format::from_id(2), Face::from_id(2), Level::from_name("crate")), (None, None, None));
    assert_eq!((slot_text(Format::Base32, 1023), slot_text(Format::Digits, 7)), (*b"ZZ", *b"07"));
}

#[test]
fn odds_turn_at_their_two_limits() {
    let verdict = |planned| guess_odds(Format::Digits, planned).verdict;
    assert_eq!(verdict(0), OddsVerdict::Ok);
    assert!(guess_odds(Format::Digits, 0).one_in.is_infinite());
    assert_eq!(verdict(100_000_000_000), OddsVerdict::Ok);
    assert_eq!(verdict(100_000_000_001), OddsVerdict::Warn);
    assert_eq!(verdict(10_000_000_000_000), OddsVerdict::Warn);
    assert_eq!(verdict(10_000_000_000_001), OddsVerdict::Refuse);
    assert_eq!(verdict(u64::MAX), OddsVerdict::Refuse);
    assert_eq!(guess_odds(Format::Base32, 1 << 20).one_in, (1u64 << 40) as f64);
}

#[test]
fn batch_limits() {
    assert!(check_batch(BATCH_CODES_MAX, BATCH_THREADS_MAX).is_ok());
    assert!(check_batch(BATCH_CODES_MAX + 1, 1).is_err());
    assert!(check_batch(0, BATCH_THREADS_MAX + 1).is_err());
    assert!(check_batch(0, 0).is_err());
}

#[test]
fn words_are_found_wherever_and_however_they_are_written() {
    let words = WordFilter::version(1).unwrap();
    for text in
        ["FVCK00000000000", "00000000000FVCK", "000SEX000000000", "00000000000053X", "0000000A55H0000"]
    {
        assert!(words.matches(text.as_bytes()), "{text}");
    }
    for text in ["000000000000000", "ABCDEFGHJKMNPQR", "0000455000000000", "455455455455455", "FVCK", ""] {
        assert!(!words.matches(text.as_bytes()), "{text}");
    }
    assert!(!WordFilter::version(0).unwrap().matches(b"FVCK00000000000"));
    assert!(WordFilter::version(0).unwrap().is_empty());
    assert!(WordFilter::version(2).is_err());
}

#[test]
fn few_codes_spell_a_word() {
    let words = WordFilter::version(1).unwrap();
    let cipher = SlotCipher::new(Format::Base32, 9, &Key::from_bytes(&[1; 16]).unwrap()).unwrap();
    let mut texts = vec![0; 200_000 * 15];
    cipher.encode_range(0, 200_000, &mut texts, 1).unwrap();
    let found = texts.chunks(15).filter(|text| words.matches(text)).count();
    assert!((1_000..8_000).contains(&found), "{found} of 200,000");
}

#[test]
fn alias_hash_is_xxh3_128() {
    // Values of python-xxhash: xxh3_128_intdigest(b""), (b"abc").
    assert_eq!(alias_hash(b""), 0x99aa_06d3_0147_98d8_6001_c324_468d_497f);
    assert_eq!(alias_hash(b"abc"), 0x06b0_5ab6_733a_6185_78af_5f94_892f_3950);
}

#[test]
fn foreign_texts_are_trimmed_and_otherwise_left_alone() {
    let normal = |text: &'static [u8], fold| normalise_alias(text, fold).map(Cow::into_owned);
    assert_eq!(normal(b"\t aB-1O0l \r\n", false).unwrap(), b"aB-1O0l");
    assert_eq!(normal(b" aB-1 ", true).unwrap(), b"AB-1");
    assert_eq!(normal("防伪码 é".as_bytes(), true).unwrap(), "防伪码 é".as_bytes());
    for refused in [&b""[..], b"  ", b"a\0b", b"a\nb", b"\xff", b"\xc2\x80"] {
        assert!(normalise_alias(refused, false).is_err(), "{refused:?}");
    }
    assert!(normalise_alias(&[b'x'; ALIAS_TEXT_BYTES_MAX], false).is_ok());
    assert!(normalise_alias(&[b'x'; ALIAS_TEXT_BYTES_MAX + 1], false).is_err());
}

#[test]
fn carriers_have_one_written_form() {
    let normal = |carrier: Carrier, text: &str| {
        carrier.normalise(text.as_bytes(), false).map(|text| String::from_utf8(text.into_owned()).unwrap())
    };
    assert_eq!(normal(Carrier::NfcUid, "04:a2:24:62:e5:6f:80").unwrap(), "04A22462E56F80");
    assert_eq!(normal(Carrier::NfcUid, " de ad be ef ").unwrap(), "DEADBEEF");
    assert_eq!(normal(Carrier::NfcUid, "E004015012345678").unwrap(), "E004015012345678");
    assert_eq!(normal(Carrier::Epc, "3034257BF7194E4000001A85").unwrap(), "3034257BF7194E4000001A85");
    assert_eq!(normal(Carrier::Tid, "e200-3412-0123-4567").unwrap(), "E200341201234567");
    assert_eq!(normal(Carrier::Text, " abc ").unwrap(), "abc");
    for (carrier, text) in [
        (Carrier::NfcUid, "04A22462E56F8"),
        (Carrier::NfcUid, "1204015012345678"),
        (Carrier::Epc, "3034257BF7194E40"),
        (Carrier::Epc, "3034257BF7194E4000001A8"),
        (Carrier::Epc, "G034257BF7194E4000001A85"),
        (Carrier::Tid, "3034257BF7194E40"),
        (Carrier::Tid, ""),
    ] {
        assert!(normal(carrier, text).is_err(), "{carrier:?} {text}");
    }
    assert!(Carrier::ALL.iter().all(|carrier| Carrier::from_name(carrier.name()) == Some(*carrier)));
}

#[test]
fn a_scanned_text_is_looked_for_in_every_spelling_that_may_have_been_imported() {
    let forms = |text: &str| -> Vec<(String, bool, bool)> {
        let spelt = |form: &[u8]| String::from_utf8(form.to_vec()).unwrap();
        alias_forms(text.as_bytes())
            .map(|form| (spelt(form.as_bytes()), form.fits(false), form.fits(true)))
            .collect()
    };
    let expect = |text: &str, expected: &[(&str, bool, bool)]| {
        let expected: Vec<_> = expected.iter().map(|(form, no, yes)| (form.to_string(), *no, *yes)).collect();
        assert_eq!(forms(text), expected, "{text:?}");
    };
    expect(" ABC-1 ", &[("ABC-1", true, true)]);
    expect("aBC-1", &[("aBC-1", true, false), ("ABC-1", false, true)]);
    expect("04A2B3C4", &[("04A2B3C4", true, true)]);
    expect("04a2b3c4", &[("04a2b3c4", true, false), ("04A2B3C4", true, true)]);
    expect("04:A2:B3:C4", &[("04:A2:B3:C4", true, true), ("04A2B3C4", true, true)]);
    let mixed = "04:a2:24:62:e5:6f:80";
    let upper = mixed.to_uppercase();
    expect(mixed, &[(mixed, true, false), (&upper, false, true), ("04A22462E56F80", true, true)]);
    expect("", &[]);
    let epc = "3034257BF7194E40".repeat(4);
    let spelt = epc.as_bytes().chunks(2).map(|byte| str::from_utf8(byte).unwrap()).collect::<Vec<_>>();
    expect(&spelt.join(":"), &[(&epc, true, true)]);
    expect(&format!("{}--", spelt.join(":")), &[]);
    expect(&format!("{}-", spelt.join(":")), &[(&epc, true, true)]);
    assert_eq!(forms(&"x".repeat(ALIAS_TEXT_BYTES_MAX)).len(), 2);
    assert!(forms(&"x".repeat(ALIAS_TEXT_BYTES_MAX + 1)).is_empty());
}

proptest! {
    #[test]
    fn what_is_imported_is_among_the_forms_of_what_was_given(
        text in "[0-9a-fA-F]{8,64}|([0-9a-fA-F]{2}[:-]){6}[0-9a-fA-F]{2}|[ -~]{1,70}",
        fold_case: bool,
    ) {
        for carrier in Carrier::ALL {
            if let Ok(stored) = carrier.normalise(text.as_bytes(), fold_case) {
                let found = alias_forms(text.as_bytes())
                    .any(|form| form.fits(fold_case) && form.as_bytes() == stored.as_ref());
                prop_assert!(found, "{carrier:?} {text}");
            }
        }
        prop_assert!(alias_forms(text.as_bytes()).count() <= 3);
    }

    #[test]
    fn normalising_a_foreign_text_twice_changes_nothing(
        text in prop::collection::vec(any::<u8>(), 0..80),
        fold_case: bool,
    ) {
        for carrier in Carrier::ALL {
            if let Ok(once) = carrier.normalise(&text, fold_case) {
                prop_assert_eq!(&carrier.normalise(&once, fold_case).unwrap(), &once);
                prop_assert!(!once.is_empty() && once.len() <= ALIAS_TEXT_BYTES_MAX);
            }
        }
    }
}
