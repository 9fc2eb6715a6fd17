//! Importing foreign codes: an order in a keyless key space, one serial per text.

use super::draft::Draft;
use super::issue::{NewOrder, answer_again};
use super::{PlanContext, Stop, bad_field, refuse};
use crate::code::{alias_hash, normalise_alias};
use crate::state::command::{ImportAliases, LISTED_CODES_MAX};
use crate::state::item_set::Extent;
use crate::state::key_space::KeySpace;
use crate::state::keys::{Alias, ItemRef, alias_key};
use crate::state::report::RefusalReason;
use crate::state::stored::{Put, Table};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;

/// Import foreign codes as an order. The same content under the same name again answers with the order there is.
pub(super) fn import_aliases<'a>(
    context: &'a PlanContext<'a>,
    command: &ImportAliases,
) -> Result<Draft<'a>, Stop> {
    if !(1..=LISTED_CODES_MAX).contains(&command.texts.len()) {
        return bad_field("texts", format!("{}; accepted are 1 to {LISTED_CODES_MAX}", command.texts.len()));
    }
    let texts = normalised(command)?;
    let order = NewOrder {
        name: &command.order,
        series: &command.series,
        product: command.product.as_deref(),
        lot: command.lot.as_deref(),
        expires_at_us: None,
        word_list: 0,
        texts_sha256: Some(texts_sha256(&texts, command.fold_case)),
    };
    let key_space = order.key_space(context)?;
    if !key_space.meta.is_keyless() {
        let message = format!("series {} has keys; imported codes need one without faces", command.series);
        return refuse(RefusalReason::WrongSeriesKind, message);
    }
    let quantity = texts.len() as u32;
    if let Some(known) = order.known(context, quantity)? {
        return Ok(answer_again(context, known));
    }
    expect_capacity(key_space, quantity)?;
    let tenant = key_space.meta.tenant;
    let hashes = expect_free(context, tenant, &texts, command.fold_case)?;
    let mut draft = Draft::new(context);
    order.add_to(&mut draft, context, key_space, Extent::dense(quantity))?;
    for ((serial, text), hash) in (key_space.watermark..).zip(&texts).zip(hashes) {
        let item = ItemRef { key_space: key_space.meta.id, serial };
        let alias = Alias { item, fold_case: command.fold_case, text: text.as_ref().into() };
        let key = alias_key(tenant, hash).to_vec();
        draft.puts.push(Put { table: Table::Alias, key, value: Some(alias.encode()) });
    }
    Ok(draft)
}

fn expect_capacity(key_space: &KeySpace, quantity: u32) -> Result<(), Stop> {
    if key_space.watermark + u64::from(quantity) <= key_space.meta.capacity() {
        return Ok(());
    }
    let message =
        format!("series {} has no {quantity} serials left; open its next epoch", key_space.meta.series);
    refuse(RefusalReason::SeriesFull, message)
}

fn normalised(command: &ImportAliases) -> Result<Vec<Cow<'_, [u8]>>, Stop> {
    let mut texts = Vec::with_capacity(command.texts.len());
    for (index, text) in command.texts.iter().enumerate() {
        match normalise_alias(text.as_bytes(), command.fold_case) {
            Ok(text) => texts.push(text),
            Err(error) => return bad_field("texts", format!("text {index}: {error}")),
        }
    }
    Ok(texts)
}

/// The hashes of texts that may be imported. Refuses those that are listed twice, mean something else, already name
/// an item, or would overwrite an alias that has the same hash.
fn expect_free(
    context: &PlanContext<'_>,
    tenant: u32,
    texts: &[Cow<'_, [u8]>],
    fold_case: bool,
) -> Result<Vec<u128>, Stop> {
    let mut hashes = Vec::with_capacity(texts.len());
    let mut seen = HashMap::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let hash = alias_hash(text);
        let taken = |why: &str| {
            let shown = String::from_utf8_lossy(text);
            refuse(RefusalReason::AliasTaken, format!("text {index}: {shown:?} {why}"))
        };
        if let Some(earlier) = seen.insert(hash, index) {
            return match texts[earlier] == *text {
                true => taken(&format!("is text {earlier} again")),
                false => {
                    taken(&format!("has the hash of text {earlier}; import one of them in another spelling"))
                }
            };
        }
        if (context.is_reserved)(text, fold_case) {
            let shown = String::from_utf8_lossy(text);
            return refuse(
                RefusalReason::AliasReserved,
                format!("text {index}: {shown:?} is a reserved word"),
            );
        }
        if (context.resolve)(tenant, text)?.is_some() {
            return taken("already names an item");
        }
        if (context.is_alias_taken)(tenant, hash)? {
            return taken("has the hash of another imported text; import it in another spelling");
        }
        hashes.push(hash);
    }
    Ok(hashes)
}

fn texts_sha256(texts: &[Cow<'_, [u8]>], fold_case: bool) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update([u8::from(fold_case)]);
    for text in texts {
        hash.update((text.len() as u32).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}
