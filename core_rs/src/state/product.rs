//! Products, and the pieces of answers that show them.

use super::command::SetProduct;
use super::text::{PreparedText, json_text, json_text_or_null};

/// A product of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its number.
    pub id: u32,
    /// Number of its tenant.
    pub tenant: u32,
    /// As the tenant describes it.
    pub description: SetProduct,
}

/// Pieces of answers, made when the product is described and spliced into every scan of its orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragments {
    /// `{"gtin":…,"name":…,"brand":…}`, or `null` for items without a product.
    pub product_json: Box<[u8]>,
    /// The same with English texts, where there are any.
    pub product_json_en: Box<[u8]>,
    /// Name and brand for pages.
    pub texts: ProductTexts,
    /// The same in English, where there are any.
    pub texts_en: ProductTexts,
    /// GTIN as given: 8, 12, 13 or 14 digits.
    pub gtin: Option<Box<str>>,
    /// GTIN with leading zeros to 14 digits, as links carry it.
    pub gtin14: Option<[u8; 14]>,
    /// What to do when an item is recalled and the recall does not say.
    pub recall_instructions: Option<PreparedText>,
    /// Where a browser is sent on.
    pub link: Option<Box<str>>,
}

/// Name and brand of a product.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductTexts {
    /// Name; `None` for items without a product.
    pub name: Option<PreparedText>,
    /// Brand.
    pub brand: Option<PreparedText>,
}

impl ProductTexts {
    fn new(name: &str, brand: Option<&str>) -> Self {
        Self { name: Some(PreparedText::new(name)), brand: brand.map(PreparedText::new) }
    }
}

impl Fragments {
    /// For items without a product.
    #[must_use]
    pub fn none() -> Self {
        let null: Box<[u8]> = (*b"null").into();
        Self {
            product_json: null.clone(),
            product_json_en: null,
            texts: ProductTexts::default(),
            texts_en: ProductTexts::default(),
            gtin: None,
            gtin14: None,
            recall_instructions: None,
            link: None,
        }
    }

    /// For items of a product.
    #[must_use]
    pub fn of(product: &SetProduct) -> Self {
        let (name, brand) = (product.name.as_str(), product.brand.as_deref());
        let name_en = product.name_en.as_deref().unwrap_or(name);
        let brand_en = product.brand_en.as_deref().or(brand);
        let gtin = product.gtin.as_deref();
        Self {
            product_json: product_json(gtin, name, brand),
            product_json_en: product_json(gtin, name_en, brand_en),
            texts: ProductTexts::new(name, brand),
            texts_en: ProductTexts::new(name_en, brand_en),
            gtin: gtin.map(Into::into),
            gtin14: gtin.and_then(gtin14),
            recall_instructions: product.recall_instructions.as_deref().map(PreparedText::new),
            link: product.link.as_deref().map(Into::into),
        }
    }
}

fn product_json(gtin: Option<&str>, name: &str, brand: Option<&str>) -> Box<[u8]> {
    let mut json = b"{\"gtin\":".to_vec();
    json.extend(json_text_or_null(gtin));
    json.extend(b",\"name\":");
    json.extend(json_text(name));
    json.extend(b",\"brand\":");
    json.extend(json_text_or_null(brand));
    json.push(b'}');
    json.into()
}

/// A GTIN-8, -12, -13 or -14 as 14 digits, `None` unless its check digit fits (GS1 General Specifications,
/// section 7.9: weights 3 and 1 from the right, modulo 10).
#[must_use]
pub fn gtin14(gtin: &str) -> Option<[u8; 14]> {
    let digits = gtin.as_bytes();
    if !matches!(digits.len(), 8 | 12 | 13 | 14) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut padded = [b'0'; 14];
    padded[14 - digits.len()..].copy_from_slice(digits);
    let weigh = |(place, digit): (usize, &u8)| u32::from(digit - b'0') * if place % 2 == 0 { 3 } else { 1 };
    let sum: u32 = padded.iter().enumerate().map(weigh).sum();
    sum.is_multiple_of(10).then_some(padded)
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
    }

    #[test]
    fn english_texts_fall_back_to_the_others() {
        let product = SetProduct {
            product: "p".into(),
            gtin: Some("6901028075831".into()),
            name: "茶".into(),
            name_en: Some("Tea".into()),
            brand: Some("<牌>".into()),
            ..SetProduct::default()
        };
        let fragments = Fragments::of(&product);
        let text = |json: &[u8]| String::from_utf8(json.to_vec()).unwrap();
        assert_eq!(
            text(&fragments.product_json),
            r#"{"gtin":"6901028075831","name":"茶","brand":"\u003c牌\u003e"}"#
        );
        assert_eq!(
            text(&fragments.product_json_en),
            r#"{"gtin":"6901028075831","name":"Tea","brand":"\u003c牌\u003e"}"#
        );
        assert_eq!(&*fragments.texts_en.brand.unwrap().html, "&lt;牌&gt;");
        assert_eq!(text(&Fragments::none().product_json), "null");
    }
}
