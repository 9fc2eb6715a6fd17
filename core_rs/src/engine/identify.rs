//! From scanned text to item: parse, slot, decrypt, watermark; after any failure the alias table.

use super::Engine;
use crate::code::{Face, MalformedWhy, ParseFailure, alias_forms, alias_hash, parse};
use crate::error::Result;
use crate::scan::{Reason, ScannedText};
use crate::state::{Alias, Found, FoundCode, ItemRef, NotIssued, Order, Snapshot, alias_key};
use crate::store::Family;
use std::sync::Arc;

/// An issued item behind a text.
#[derive(Debug, Clone)]
pub struct Identified {
    /// The item.
    pub item: ItemRef,
    /// Its order.
    pub order: Arc<Order>,
    /// Its index in the order.
    pub index: u32,
    /// The face that was scanned.
    pub face: Face,
    /// Whether consumer scans of this face open sessions.
    pub opens_sessions: bool,
    /// The text as stored or as normalised.
    pub text: ScannedText,
}

impl Identified {
    fn new(found: Found<'_>, face: Face, opens_sessions: bool, text: ScannedText) -> Self {
        let Found { item, order, index } = found;
        Self { item, order: Arc::clone(order), index, face, opens_sessions, text }
    }
}

/// Why a text names no issued item of the tenant.
#[derive(Debug, Clone)]
pub struct NoItem {
    /// Why.
    pub reason: Reason,
    /// The text as far as it was understood.
    pub text: ScannedText,
}

impl Engine {
    /// The item behind `text` among those of `tenant` (and of `domain`, if it is known).
    ///
    /// A valid code of ours always wins; no store is read for it. Forged codes cost one decryption.
    ///
    /// # Errors
    /// Only when the alias table cannot be read.
    pub(super) fn identify(
        &self,
        snapshot: &Snapshot,
        tenant: u32,
        domain: Option<u32>,
        text: &[u8],
    ) -> Result<std::result::Result<Identified, NoItem>> {
        let failure = match own_code(snapshot, tenant, domain, text) {
            Ok(identified) => return Ok(Ok(identified)),
            Err(failure) => failure,
        };
        Ok(self.alias(snapshot, tenant, text)?.ok_or(failure))
    }

    /// The item a foreign text names, under the first of its spellings that was imported.
    fn alias(&self, snapshot: &Snapshot, tenant: u32, text: &[u8]) -> Result<Option<Identified>> {
        let filter = self.aliases.load();
        if filter.is_empty() {
            return Ok(None);
        }
        for form in alias_forms(text) {
            let hash = alias_hash(form.as_bytes());
            if !filter.may_contain(hash) {
                continue;
            }
            let Some(alias) = self.stored_alias(tenant, hash)? else { continue };
            if form.fits(alias.fold_case) && *alias.text == *form.as_bytes() {
                return Ok(alias_item(snapshot, alias));
            }
        }
        Ok(None)
    }

    /// What the alias table holds under a hash.
    pub(super) fn stored_alias(&self, tenant: u32, hash: u128) -> Result<Option<Alias>> {
        let mut value = Vec::new();
        if !self.store.get(Family::Alias, &alias_key(tenant, hash), &mut value)? {
            return Ok(None);
        }
        Alias::decode(&value).map(Some)
    }
}

fn alias_item(snapshot: &Snapshot, alias: Alias) -> Option<Identified> {
    let found = snapshot.item(alias.item)?;
    let key_space = snapshot.key_space(alias.item.key_space)?;
    let face = key_space.meta.counting_face();
    let opens_sessions = key_space.meta.opens_sessions(face);
    Some(Identified::new(found, face, opens_sessions, ScannedText::Alias(alias.text.into())))
}

/// Parse, slot, decrypt, watermark: no I/O.
fn own_code(
    snapshot: &Snapshot,
    tenant: u32,
    domain: Option<u32>,
    text: &[u8],
) -> std::result::Result<Identified, NoItem> {
    let parsed = parse(text).map_err(from_parse_failure)?;
    let found = match domain {
        Some(domain) => snapshot.find_in(domain, &parsed),
        None => snapshot.find(tenant, &parsed),
    };
    let text = ScannedText::Code(parsed.text);
    match found {
        Ok(FoundCode { found, slot }) => Ok(Identified::new(found, slot.face, slot.opens_sessions, text)),
        Err(NotIssued::SlotUnknown) => Err(NoItem { reason: Reason::SlotUnknown, text }),
        Err(NotIssued::SerialNotIssued) => Err(NoItem { reason: Reason::SerialNotIssued, text }),
    }
}

fn from_parse_failure(failure: ParseFailure) -> NoItem {
    match failure {
        ParseFailure::Mistyped { text, .. } => {
            NoItem { reason: Reason::CheckFailed, text: ScannedText::Code(text) }
        }
        ParseFailure::Malformed(why) => {
            let reason = match why {
                MalformedWhy::Empty => Reason::Empty,
                MalformedWhy::TooLong => Reason::TooLong,
                MalformedWhy::Length => Reason::Length,
                MalformedWhy::Alphabet => Reason::Alphabet,
            };
            NoItem { reason, text: ScannedText::None }
        }
    }
}
