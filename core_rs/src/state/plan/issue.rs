//! Issuing an order: contiguous serials from the watermark of the series' latest epoch.

use super::draft::Draft;
use super::{PlanContext, Stop, bad_field, expect_name, refuse};
use crate::code::{Format, OddsVerdict, WordFilter, guess_odds};
use crate::state::command::{Issue, LOT_BYTES_MAX, ORDER_QUANTITY_MAX};
use crate::state::gs1::is_set_82;
use crate::state::item_set::Extent;
use crate::state::key_space::KeySpace;
use crate::state::order::{Order, OrderMeta, Tally};
use crate::state::report::RefusalReason;
use crate::state::stored::order_put;
use roaring::RoaringBitmap;
use std::sync::Arc;

/// Codes whose words are looked for at a time.
const CHUNK: u32 = 4_096;

/// Issue an order. The same content under the same name again answers with the order there is.
pub(super) fn issue<'a>(context: &'a PlanContext<'a>, command: &Issue) -> Result<Draft<'a>, Stop> {
    if !(1..=ORDER_QUANTITY_MAX).contains(&command.quantity) {
        return bad_field(
            "quantity",
            format!("{}; accepted are 1 to {ORDER_QUANTITY_MAX}", command.quantity),
        );
    }
    let filter = match WordFilter::version(command.word_list.into()) {
        Ok(filter) => filter,
        Err(error) => return bad_field("word_list", error),
    };
    let order = NewOrder {
        name: &command.order,
        series: &command.series,
        product: command.product.as_deref(),
        lot: command.lot.as_deref(),
        expires_at_us: command.expires_at_us,
        word_list: command.word_list,
        texts_sha256: None,
    };
    let key_space = order.key_space(context)?;
    if key_space.meta.is_keyless() {
        let message = format!("series {} takes imported codes only", command.series);
        return refuse(RefusalReason::WrongSeriesKind, message);
    }
    if let Some(known) = order.known(context, command.quantity)? {
        return Ok(answer_again(context, known));
    }
    let skipped = skipped_serials(key_space, command.quantity, filter);
    let span = command.quantity + skipped.len() as u32;
    let mut draft = Draft::new(context);
    draft.report.warnings.extend(expect_room(key_space, span)?);
    draft.report.skipped_serials = (command.word_list > 0).then_some(skipped.len() as u32);
    let extent = Extent::with_skipped(span, skipped).expect("serials are skipped inside the span only");
    order.add_to(&mut draft, context, key_space, extent)?;
    Ok(draft)
}

/// What orders of issued and of imported codes have in common.
pub(super) struct NewOrder<'c> {
    pub(super) name: &'c str,
    pub(super) series: &'c str,
    pub(super) product: Option<&'c str>,
    pub(super) lot: Option<&'c str>,
    pub(super) expires_at_us: Option<i64>,
    pub(super) word_list: u8,
    pub(super) texts_sha256: Option<[u8; 32]>,
}

impl NewOrder<'_> {
    /// The latest epoch of its series, with the other names of the command checked.
    pub(super) fn key_space<'a>(&self, context: &PlanContext<'a>) -> Result<&'a Arc<KeySpace>, Stop> {
        expect_name("order", self.name)?;
        if let Some(lot) = self.lot.filter(|lot| !is_set_82(lot.as_bytes(), LOT_BYTES_MAX)) {
            return bad_field(
                "lot",
                format!("{lot:?}; accepted are 1 to {LOT_BYTES_MAX} characters of GS1 set 82"),
            );
        }
        let tenant = context.snapshot.tenant(context.tenant);
        let epochs = tenant.map(|tenant| context.snapshot.epochs_of(tenant.id, self.series));
        match epochs.and_then(|mut epochs| epochs.next_back()) {
            Some(key_space) => Ok(key_space),
            None => refuse(RefusalReason::UnknownSeries, format!("series {:?} does not exist", self.series)),
        }
    }

    /// The order of this name, if there is one; refused when its content is another.
    pub(super) fn known<'a>(
        &self,
        context: &PlanContext<'a>,
        quantity: u32,
    ) -> Result<Option<&'a Arc<Order>>, Stop> {
        let snapshot = context.snapshot;
        let tenant = snapshot.tenant(context.tenant);
        let Some(known) = tenant.and_then(|tenant| snapshot.order_named(tenant.id, self.name)) else {
            return Ok(None);
        };
        let meta = &known.meta;
        let series = snapshot.key_space(meta.key_space).map(|key_space| &*key_space.meta.series);
        let product = meta.product.and_then(|product| snapshot.product_at(product));
        let is_same = meta.extent.count() == quantity
            && series == Some(self.series)
            && product.map(|product| product.description.product.as_str()) == self.product
            && meta.lot.as_deref() == self.lot
            && meta.expires_at_us == self.expires_at_us
            && meta.word_list == self.word_list
            && meta.texts_sha256 == self.texts_sha256;
        if is_same {
            return Ok(Some(known));
        }
        refuse(RefusalReason::Conflict, format!("order {:?} exists with other content", self.name))
    }

    /// Append the order to its key space.
    pub(super) fn add_to(
        &self,
        draft: &mut Draft<'_>,
        context: &PlanContext<'_>,
        key_space: &KeySpace,
        extent: Extent,
    ) -> Result<(), Stop> {
        let tenant = key_space.meta.tenant;
        let product = match self.product {
            Some(name) => match context.snapshot.product(tenant, name) {
                Some(product) => Some(product.id),
                None => {
                    return refuse(RefusalReason::UnknownProduct, format!("product {name:?} does not exist"));
                }
            },
            None => None,
        };
        let meta = OrderMeta {
            id: draft.next.next_order(),
            tenant,
            name: self.name.into(),
            key_space: key_space.meta.id,
            product,
            lot: self.lot.map(Into::into),
            first: key_space.watermark,
            extent,
            expires_at_us: self.expires_at_us,
            issued_at_us: context.at_us,
            word_list: self.word_list,
            texts_sha256: self.texts_sha256,
        };
        draft.puts.push(order_put(&meta));
        draft.tally(Tally { changed: u64::from(meta.extent.count()), ..Tally::default() });
        let fragments = draft.next.fragments_of(product);
        let order = draft.next.add_order(Order::new(meta, fragments));
        draft.show_order(&order, true);
        Ok(())
    }
}

/// The report of an order that is there already.
pub(super) fn answer_again<'a>(context: &'a PlanContext<'a>, known: &Arc<Order>) -> Draft<'a> {
    let mut draft = Draft::new(context);
    let extent = &known.meta.extent;
    draft.tally(Tally { already: u64::from(extent.count()), ..Tally::default() });
    draft.report.skipped_serials = (known.meta.word_list > 0).then_some(extent.skipped().len() as u32);
    draft.show_order(known, false);
    draft
}

/// Refuses orders that the key space has no room for, or that make guessing too easy; warns of the latter early.
fn expect_room(key_space: &KeySpace, span: u32) -> Result<Option<String>, Stop> {
    let planned = key_space.watermark + u64::from(span);
    if planned > key_space.meta.capacity() {
        let message =
            format!("series {} has no {span} serials left; open its next epoch", key_space.meta.series);
        return refuse(RefusalReason::SeriesFull, message);
    }
    let odds = guess_odds(key_space.meta.format, planned);
    let message = format!("with {planned} codes one guess in {:.0} hits", odds.one_in);
    match odds.verdict {
        OddsVerdict::Ok => Ok(None),
        OddsVerdict::Warn => Ok(Some(message)),
        OddsVerdict::Refuse => refuse(RefusalReason::OddsTooHigh, message),
    }
}

/// Indices of the serials to leave out so that `quantity` remain: those of which a face spells a word.
fn skipped_serials(key_space: &KeySpace, quantity: u32, filter: WordFilter) -> RoaringBitmap {
    let mut skipped = RoaringBitmap::new();
    if filter.is_empty() || key_space.meta.format != Format::Base32 {
        return skipped;
    }
    let width = key_space.meta.format.code_len();
    let mut texts = vec![0; CHUNK as usize * width];
    let mut looked_at = 0;
    loop {
        let left = quantity + skipped.len() as u32 - looked_at;
        if left == 0 {
            return skipped;
        }
        let count = left.min(CHUNK);
        for slot in &key_space.slots {
            let texts = &mut texts[..count as usize * width];
            let first = key_space.watermark + u64::from(looked_at);
            slot.cipher.encode_range(first, count as usize, texts, 1).expect("the range lies in the domain");
            let spelling =
                texts.chunks_exact(width).zip(looked_at..).filter(|(text, _)| filter.matches(text));
            skipped.extend(spelling.map(|(_, index)| index));
        }
        looked_at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{Face, KeySize, Keyring, Level, Pairing};
    use crate::state::key_space::KeySpaceMeta;
    use crate::state::keys::SERIAL_COUNT_MAX;

    fn key_space(watermark: u64) -> KeySpace {
        let meta = KeySpaceMeta {
            id: 0,
            tenant: 0,
            domain: 0,
            series: "s".into(),
            epoch: 1,
            format: Format::Base32,
            level: Level::Item,
            pairing: Pairing::Single,
            key_size: KeySize::Aes128,
            nonce: [0; 16],
            faces: vec![(Face::Outer, 1)],
        };
        let mut key_space = KeySpace::new(meta, "t", &Keyring::new(&[0; 32])).unwrap();
        key_space.watermark = watermark;
        key_space
    }

    #[test]
    fn a_key_space_is_full_exactly_when_its_serials_are() {
        let nearly_full = key_space(SERIAL_COUNT_MAX - 10);
        assert_eq!(expect_room(&nearly_full, 10), Ok(None));
        let Err(Stop::Refused(refusal)) = expect_room(&nearly_full, 11) else {
            panic!("one serial too many")
        };
        assert_eq!(refusal.reason, RefusalReason::SeriesFull);
    }
}
