//! FF1 against vectors written by others: NIST SP 800-38G samples and Project Wycheproof.

use imp_core::code::GeneralFf1;
use serde_json::Value;

fn vectors(name: &str) -> Value {
    let path = format!("{}/../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Numerals of a vector; a numeral no `u32` holds (Wycheproof has negative ones) becomes the largest.
fn numerals(list: &Value) -> Vec<u32> {
    let numeral = |value: &Value| value.as_u64().and_then(|value| value.try_into().ok()).unwrap_or(u32::MAX);
    list.as_array().unwrap().iter().map(numeral).collect()
}

#[test]
fn all_nist_samples() {
    let file = vectors("nist_ff1_samples.json");
    let tests = file["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 9);
    for test in tests {
        let radix = test["radix"].as_u64().unwrap() as u32;
        let ff1 = GeneralFf1::new(&bytes(&test["key"]), radix, &bytes(&test["tweak"])).unwrap();
        let (plain, cipher) = (numerals(&test["plaintext"]), numerals(&test["ciphertext"]));
        assert_eq!(ff1.encrypt(&plain).unwrap(), cipher, "sample {}", test["sample"]);
        assert_eq!(ff1.decrypt(&cipher).unwrap(), plain, "sample {}", test["sample"]);
    }
}

#[derive(Default, Debug, PartialEq)]
struct Tally {
    passed: usize,
    invalid_refused: usize,
    below_floor_refused: usize,
    large_half_refused: usize,
}

#[test]
fn all_wycheproof_radix_10_vectors_pass_or_are_refused_for_a_stated_reason() {
    let file = vectors("wycheproof_aes_ff1_radix10.json");
    let mut tally = Tally::default();
    for group in file["testGroups"].as_array().unwrap() {
        let radix = group["radix"].as_u64().unwrap() as u32;
        for test in group["tests"].as_array().unwrap() {
            let (plain, cipher) = (numerals(&test["msg"]), numerals(&test["ct"]));
            let ff1 = GeneralFf1::new(&bytes(&test["key"]), radix, &bytes(&test["tweak"]));
            let encrypted = ff1.as_ref().map_err(Clone::clone).and_then(|ff1| ff1.encrypt(&plain));
            if test["result"] == "invalid" {
                assert!(encrypted.is_err(), "tcId {} is invalid", test["tcId"]);
                tally.invalid_refused += 1;
            } else if plain.len() < 6 {
                assert!(encrypted.unwrap_err().to_string().contains("at least 1000000"));
                tally.below_floor_refused += 1;
            } else if plain.len() > 76 {
                assert!(encrypted.unwrap_err().to_string().contains("below 2^127"));
                tally.large_half_refused += 1;
            } else {
                assert_eq!(encrypted.unwrap(), cipher, "tcId {}", test["tcId"]);
                assert_eq!(ff1.unwrap().decrypt(&cipher).unwrap(), plain, "tcId {}", test["tcId"]);
                tally.passed += 1;
            }
        }
    }
    let expected =
        Tally { passed: 3_267, invalid_refused: 533, below_floor_refused: 12, large_half_refused: 33 };
    assert_eq!(tally, expected);
}
