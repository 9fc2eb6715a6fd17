//! What the engine found out about one scanned text.

use std::sync::Arc;

use super::{Reason, Reasons, ScanContext, Verdict};
use crate::code::{CodeText, Face};
use crate::state::{Order, PreparedText};

/// The scanned text as it was understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ScannedText {
    /// Not understood; it is not echoed.
    #[default]
    None,
    /// A code of ours, normalised.
    Code(CodeText),
    /// A foreign code, normalised as its set says.
    Alias(Arc<[u8]>),
}

impl ScannedText {
    /// Its bytes, empty when it was not understood.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::None => b"",
            Self::Code(text) => text.as_bytes(),
            Self::Alias(text) => text,
        }
    }
}

/// One scan's result, before anybody's language or rights shape it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The answer.
    pub verdict: Verdict,
    /// Why, the deciding reason first.
    pub reasons: Reasons,
    /// Is this the first session of the face? `None` where sessions do not count: other faces and levels,
    /// roles, items not active, scans that only look or could not be recorded.
    pub is_first: Option<bool>,
    /// Counted scans of the face, this one included; `None` where nothing is known of the face.
    pub scans: Option<u32>,
    /// First counted scan of the face, microseconds since the Unix epoch.
    pub first_at_us: Option<i64>,
    /// Was the scan written down?
    pub recorded: bool,
    /// The text as it was understood.
    pub code: ScannedText,
    /// Which face was scanned, for issued codes.
    pub face: Option<Face>,
    /// The order it belongs to; `None` unless the item may be shown.
    pub order: Option<Arc<Order>>,
    /// Index of the item in its order; meaningless without one.
    pub index: u32,
}

impl Outcome {
    /// What a recall tells the people who hold the item.
    #[must_use]
    pub fn recall_instructions(&self) -> Option<&PreparedText> {
        if self.verdict != Verdict::Recalled {
            return None;
        }
        self.order.as_ref()?.recall_instructions(self.index)
    }

    /// A text that carries no issued code: nothing is known but why.
    #[must_use]
    pub fn without_item(verdict: Verdict, reason: Reason, code: ScannedText) -> Self {
        Self {
            verdict,
            reasons: reason.into(),
            is_first: None,
            scans: None,
            first_at_us: None,
            recorded: false,
            code,
            face: None,
            order: None,
            index: 0,
        }
    }
}

/// Does the link around the code claim a GTIN or lot that is not the order's? Then the answer is
/// [`Verdict::Mistyped`] with this reason, counts nothing and shows no product. An order without a GTIN or
/// lot fits no claim of one.
#[must_use]
pub fn link_mismatch(order: &Order, context: &ScanContext<'_>) -> Option<Reason> {
    let gtin = order.fragments.gtin14.as_ref().map(|gtin| gtin.as_slice());
    let lot = order.meta.lot.as_ref().map(|lot| lot.as_bytes());
    if context.gtin.is_some() && context.gtin != gtin {
        Some(Reason::GtinMismatch)
    } else if context.lot.is_some() && context.lot != lot {
        Some(Reason::LotMismatch)
    } else {
        None
    }
}
