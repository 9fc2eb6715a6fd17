//! Check characters: which typing errors they find, counted over every position and symbol.

use imp_core::code::{CROCKFORD, Format, Key, MalformedWhy, ParseFailure, SlotCipher, damm, gf32, parse};
use proptest::prelude::*;

/// Sample codes of a format, as symbol values.
fn sample(format: Format, count: u64) -> Vec<Vec<u8>> {
    let cipher = SlotCipher::new(format, 42, &Key::from_bytes(&[3; 16]).unwrap()).unwrap();
    let value = |&byte: &u8| CROCKFORD.iter().position(|&symbol| symbol == byte).unwrap() as u8;
    (0..count).map(|serial| cipher.encode(serial * 7_919).iter().map(value).collect()).collect()
}

fn passes(symbols: &[u8]) -> bool {
    let text: Vec<u8> = symbols.iter().map(|&symbol| CROCKFORD[usize::from(symbol)]).collect();
    match parse(&text) {
        Ok(_) => true,
        Err(ParseFailure::Mistyped { .. }) => false,
        Err(failure) => panic!("{failure:?}"),
    }
}

/// Every text that differs from `symbols` by one substitution.
fn substitutions(symbols: &[u8], radix: u8) -> impl Iterator<Item = Vec<u8>> {
    (0..symbols.len()).flat_map(move |at| {
        (0..radix).filter(move |&symbol| symbol != symbols[at]).map(move |symbol| {
            let mut wrong = symbols.to_vec();
            wrong[at] = symbol;
            wrong
        })
    })
}

/// Every exchange of two different symbols at `distance`.
fn transpositions(symbols: &[u8], distance: usize) -> impl Iterator<Item = Vec<u8>> {
    (distance..symbols.len()).filter(move |&at| symbols[at] != symbols[at - distance]).map(move |at| {
        let mut wrong = symbols.to_vec();
        wrong.swap(at, at - distance);
        wrong
    })
}

/// Every change of a pair of equal symbols at `distance` into another pair.
fn twins(symbols: &[u8], distance: usize, radix: u8) -> impl Iterator<Item = Vec<u8>> {
    (distance..symbols.len()).filter(move |&at| symbols[at] == symbols[at - distance]).flat_map(move |at| {
        (0..radix).filter(move |&symbol| symbol != symbols[at]).map(move |symbol| {
            let mut wrong = symbols.to_vec();
            (wrong[at], wrong[at - distance]) = (symbol, symbol);
            wrong
        })
    })
}

fn missed(wrong: impl Iterator<Item = Vec<u8>>) -> (usize, usize) {
    wrong.fold((0, 0), |(missed, count), text| (missed + usize::from(passes(&text)), count + 1))
}

#[test]
fn base32_check_misses_no_substitution_transposition_or_twin() {
    let mut total = 0;
    for symbols in sample(Format::Base32, 1_000) {
        let mut none_missed = |wrong: &mut dyn Iterator<Item = Vec<u8>>| {
            let (missed, count) = missed(wrong);
            assert_eq!(missed, 0, "{symbols:?}");
            total += count;
        };
        none_missed(&mut substitutions(&symbols, 32));
        for distance in 1..symbols.len() {
            none_missed(&mut transpositions(&symbols, distance));
            none_missed(&mut twins(&symbols, distance, 32));
        }
    }
    assert!(total > 500_000, "{total}");
}

#[test]
fn digits_check_misses_no_substitution_or_neighbour_transposition() {
    let mut jumps = (0, 0);
    for symbols in sample(Format::Digits, 1_000) {
        assert_eq!(missed(substitutions(&symbols, 10)).0, 0, "{symbols:?}");
        assert_eq!(missed(transpositions(&symbols, 1)).0, 0, "{symbols:?}");
        let (missed, count) = missed(transpositions(&symbols, 2));
        jumps = (jumps.0 + missed, jumps.1 + count);
    }
    // Damm promises nothing for jumps; about one in ten passes, as for any text.
    assert!(jumps.0 * 6 < jumps.1, "{jumps:?}");
}

#[test]
fn a_random_text_passes_the_check_as_often_as_it_must() {
    for (format, radix) in [(Format::Base32, 32u64), (Format::Digits, 10)] {
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % radix) as u8
        };
        let tries = 64_000;
        let passed = (0..tries)
            .filter(|_| passes(&(0..format.code_len()).map(|_| draw()).collect::<Vec<_>>()))
            .count() as f64;
        let expected = f64::from(tries) / radix as f64;
        assert!((passed / expected - 1.0).abs() < 0.15, "{} of {expected}", passed);
    }
}

#[test]
fn known_check_values() {
    // H. M. Damm's example, and α⁰ … α² by hand: 1·α = 2, (1·α + 1)·α = 6.
    assert_eq!(damm(&[5, 7, 2]), 4);
    assert_eq!(damm(&[5, 7, 2, 4]), 0);
    assert_eq!((gf32(&[]), gf32(&[1]), gf32(&[1, 1])), (0, 2, 6));
}

#[test]
fn normalising_reads_what_people_write() {
    let code = SlotCipher::new(Format::Base32, 33, &Key::from_bytes(&[3; 16]).unwrap()).unwrap().encode(5);
    let expected = parse(&code).unwrap();
    let plain = code.to_string();
    let written = [
        plain.to_lowercase(),
        code.grouped('-'),
        format!("  {} ", code.grouped(' ')),
        plain.replace('1', "I").replace('0', "O"),
        plain.replace('1', "l").replace('0', "o"),
    ];
    for text in written {
        assert_eq!(parse(text.as_bytes()), Ok(expected), "{text}");
    }
}

#[test]
fn failures_name_their_reason() {
    let malformed = |text: &[u8]| match parse(text) {
        Err(ParseFailure::Malformed(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(malformed(b""), MalformedWhy::Empty);
    assert_eq!(malformed(b" - - "), MalformedWhy::Empty);
    assert_eq!(malformed(b"HELLO"), MalformedWhy::Length);
    assert_eq!(malformed(&[b'0'; 21]), MalformedWhy::Length);
    assert_eq!(malformed(&[b'U'; 15]), MalformedWhy::Alphabet);
    assert_eq!(malformed(&[b'A'; 20]), MalformedWhy::Alphabet);
    assert_eq!(malformed("０００００".as_bytes()), MalformedWhy::Alphabet);
    assert_eq!(malformed(&[b'-'; 65]), MalformedWhy::TooLong);
    assert_eq!(malformed(&[b'-'; 64]), MalformedWhy::Empty);
}

proptest! {
    #[test]
    fn parsing_any_bytes_never_panics_and_its_text_parses_again(text in prop::collection::vec(any::<u8>(), 0..80)) {
        match parse(&text) {
            Ok(parsed) => {
                prop_assert!(parsed.body < parsed.format.domain() && parsed.slot < parsed.format.slot_count());
                prop_assert_eq!(parse(&parsed.text), Ok(parsed));
            }
            Err(ParseFailure::Mistyped { format, text }) => {
                prop_assert_eq!(parse(&text), Err(ParseFailure::Mistyped { format, text }));
            }
            Err(ParseFailure::Malformed(_)) => {}
        }
    }

    #[test]
    fn code_like_bytes_never_panic(text in "[0-9A-Za-z -]{10,24}") {
        if let Ok(parsed) = parse(text.as_bytes()) {
            prop_assert_eq!(parse(&parsed.text), Ok(parsed));
        }
    }
}
