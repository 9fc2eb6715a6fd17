//! Products, and the pieces of answers that show them.

use super::command::SetProduct;
use super::gs1::gtin14;
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

#[cfg(test)]
mod tests {
    use super::*;

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
