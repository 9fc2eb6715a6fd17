//! Values of the GS1 General Specifications: article numbers (GTIN) and character set 82.

/// A GTIN-8, -12, -13 or -14 as 14 digits, `None` unless its check digit fits (section 7.9: weights 3 and 1 from the
/// right, modulo 10).
#[must_use]
pub fn gtin14(gtin: &str) -> Option<[u8; 14]> {
    let padded = gtin14_unchecked(gtin)?;
    let weigh = |(place, digit): (usize, &u8)| u32::from(digit - b'0') * if place % 2 == 0 { 3 } else { 1 };
    let sum: u32 = padded.iter().enumerate().map(weigh).sum();
    sum.is_multiple_of(10).then_some(padded)
}

/// 8, 12, 13 or 14 digits as 14, whether or not the check digit fits.
#[must_use]
pub fn gtin14_unchecked(gtin: &str) -> Option<[u8; 14]> {
    let digits = gtin.as_bytes();
    if !matches!(digits.len(), 8 | 12 | 13 | 14) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut padded = [b'0'; 14];
    padded[14 - digits.len()..].copy_from_slice(digits);
    Some(padded)
}

/// Whether a text is 1 to `bytes_max` characters of set 82 (section 7.11), as lots, variants and serials are.
#[must_use]
pub fn is_set_82(text: &[u8], bytes_max: usize) -> bool {
    let is_character = |byte: &u8| byte.is_ascii_alphanumeric() || b"!\"%&'()*+,-./:;<=>?_".contains(byte);
    (1..=bytes_max).contains(&text.len()) && text.iter().all(is_character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gtins_of_all_lengths_pad_to_fourteen_and_bad_checks_are_refused() {
        // Example numbers of the GS1 General Specifications and of real articles.
        for (gtin, padded) in [
            ("96385074", Some(b"00000096385074")),
            ("614141000036", Some(b"00614141000036")),
            ("6901028075831", Some(b"06901028075831")),
            ("10614141000415", Some(b"10614141000415")),
            ("6901028075832", None),
            ("690102807583", None),
            ("69010280758３1", None),
            ("", None),
        ] {
            assert_eq!(gtin14(gtin), padded.copied(), "{gtin}");
        }
        assert_eq!(gtin14_unchecked("6901028075832"), Some(*b"06901028075832"));
        assert_eq!(gtin14_unchecked("690102807583x"), None);
    }

    #[test]
    fn set_82_has_its_characters_and_no_others() {
        for text in ["A", "L-2024/07", "!\"%&'()*+,-./:;<=>?_", &"9".repeat(20)] {
            assert!(is_set_82(text.as_bytes(), 20), "{text}");
        }
        for text in ["", "a b", "批", "a#b", "a\n", &"9".repeat(21)] {
            assert!(!is_set_82(text.as_bytes(), 20), "{text}");
        }
        let characters = (0..=255u8).filter(|byte| is_set_82(&[*byte], 1)).count();
        assert_eq!(characters, 82);
    }
}
