//! What people read, in both languages. The verdict is a fact for machines; the message is advice for the
//! person who holds the item. It never accuses: what cannot be confirmed is said to be just that.

use super::{Lang, Outcome, Reason, Verdict};

/// One situation a person can be in. Several verdicts look alike from outside, one verdict can look different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Finding {
    FirstCheck,
    Genuine,
    Valid,
    ValidRepeat,
    Repeat,
    Suspect,
    Inactive,
    Frozen,
    Void,
    Replaced,
    Expired,
    Recalled,
    Unknown,
    Mistyped,
    GtinMismatch,
    LotMismatch,
    Malformed,
    SerialMissing,
}

/// How a finding looks and sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// All is well.
    Good,
    /// Worth a thought.
    Notice,
    /// Neutral; nothing is said about the item.
    Calm,
    /// Do not use the item.
    Stop,
}

/// The text of a finding. `lead` is also the `message` of JSON answers and therefore free of characters that
/// JSON escapes (tested).
pub(super) struct Text {
    pub title: &'static str,
    pub lead: &'static str,
    pub advice: &'static [&'static str],
}

/// Labels of the page.
pub(super) struct Labels {
    pub gtin: &'static str,
    pub lot: &'static str,
    pub code: &'static str,
    pub scans: &'static str,
    pub first_at: &'static str,
    pub advice: &'static str,
    pub instructions: &'static str,
    pub link: &'static str,
    pub service: &'static str,
    pub details: &'static str,
    pub other_language: &'static str,
}

impl Finding {
    #[cfg(test)]
    pub(super) const ALL: [Self; 18] = [
        Self::FirstCheck,
        Self::Genuine,
        Self::Valid,
        Self::ValidRepeat,
        Self::Repeat,
        Self::Suspect,
        Self::Inactive,
        Self::Frozen,
        Self::Void,
        Self::Replaced,
        Self::Expired,
        Self::Recalled,
        Self::Unknown,
        Self::Mistyped,
        Self::GtinMismatch,
        Self::LotMismatch,
        Self::Malformed,
        Self::SerialMissing,
    ];

    pub(super) fn of(outcome: &Outcome) -> Self {
        let why = outcome.reasons.first();
        match outcome.verdict {
            Verdict::Genuine if !outcome.recorded => Self::Valid,
            Verdict::Genuine if outcome.is_first == Some(true) => Self::FirstCheck,
            Verdict::Genuine => Self::Genuine,
            Verdict::Repeat if !outcome.recorded => Self::ValidRepeat,
            Verdict::Repeat => Self::Repeat,
            Verdict::Suspect => Self::Suspect,
            Verdict::Inactive => Self::Inactive,
            Verdict::Frozen => Self::Frozen,
            Verdict::Void if outcome.reasons.contains(Reason::Replaced) => Self::Replaced,
            Verdict::Void => Self::Void,
            Verdict::Expired => Self::Expired,
            Verdict::Recalled => Self::Recalled,
            // The store failed before it was known what the text names.
            Verdict::Unknown if why == Some(Reason::NotRecorded) => Self::Suspect,
            Verdict::Unknown => Self::Unknown,
            Verdict::Mistyped if why == Some(Reason::GtinMismatch) => Self::GtinMismatch,
            Verdict::Mistyped if why == Some(Reason::LotMismatch) => Self::LotMismatch,
            Verdict::Mistyped => Self::Mistyped,
            Verdict::Malformed if why == Some(Reason::SerialMissing) => Self::SerialMissing,
            Verdict::Malformed => Self::Malformed,
        }
    }

    pub(super) const fn tone(self) -> Tone {
        match self {
            Self::FirstCheck | Self::Genuine | Self::Valid => Tone::Good,
            Self::Repeat | Self::ValidRepeat | Self::Suspect | Self::Unknown | Self::Inactive => Tone::Notice,
            Self::Frozen | Self::Void | Self::Replaced | Self::Expired | Self::Recalled => Tone::Stop,
            Self::Mistyped
            | Self::GtinMismatch
            | Self::LotMismatch
            | Self::Malformed
            | Self::SerialMissing => Tone::Calm,
        }
    }

    pub(super) const fn text(self, lang: Lang) -> &'static Text {
        match lang {
            Lang::Zh => &ZH[self as usize],
            Lang::En => &EN[self as usize],
        }
    }
}

impl Labels {
    pub(super) const fn of(lang: Lang) -> &'static Self {
        match lang {
            Lang::Zh => &LABELS_ZH,
            Lang::En => &LABELS_EN,
        }
    }
}

const KEEP_ZH: &str = "请保留商品、包装和购买凭证。";
const ASK_ZH: &str = "请联系品牌方客服或销售商，并提供本页显示的编码。";
const AGAIN_ZH: &str = "请直接扫描商品上的二维码，或逐字核对后重新输入。";
const NOT_USE_ZH: &str = "请暂时不要使用这件商品。";
const KEEP_EN: &str = "Keep the item, its packaging and the receipt.";
const ASK_EN: &str = "Contact the brand’s customer service or the seller and quote the code shown here.";
const AGAIN_EN: &str = "Scan the symbol on the item again, or compare what you typed character by character.";
const NOT_USE_EN: &str = "Please do not use the item for now.";

const fn text(title: &'static str, lead: &'static str, advice: &'static [&'static str]) -> Text {
    Text { title, lead, advice }
}

static ZH: [Text; 18] = [
    text(
        "正品 · 首次查询",
        "这件商品是正品，这是它的首次查询。",
        &["请核对本页的商品名称和批号是否与实物一致。"],
    ),
    text("正品", "这件商品是正品。", &["请核对本页的商品名称和批号是否与实物一致。"]),
    text("编码有效", "这个编码有效，本次查询未计入次数。", &["稍后再次扫描，即可查看完整的查询记录。"]),
    text(
        "编码有效 · 已有查询",
        "这个编码有效，此前已有查询记录，本次查询未计入次数。",
        &["稍后再次扫描，即可查看完整的查询记录。"],
    ),
    text(
        "正品 · 已有查询",
        "这件商品是正品，此前已被查询过。",
        &[
            "如果之前是您或身边的人查询的，请放心使用。",
            "如果您刚刚打开包装，而首次查询并非您本人所为，请联系品牌方客服或销售商。",
        ],
    ),
    text("暂时无法确认", "这次查询暂时无法确认。", &[KEEP_ZH, ASK_ZH]),
    text(
        "尚未激活",
        "这个编码尚未激活，商品可能还没有正式上市。",
        &["如果您已经购买了这件商品，请联系品牌方客服或销售商。"],
    ),
    text("已暂停使用", "品牌方已暂停这件商品的使用。", &[NOT_USE_ZH, ASK_ZH]),
    text("编码已停用", "这个编码已经停用。", &[KEEP_ZH, ASK_ZH]),
    text("编码已更换", "这个编码已经停用，商品已更换新的编码。", &["请扫描商品上的新编码。"]),
    text("已过有效期", "这件商品已超过有效期限。", &["请不要使用这件商品。", ASK_ZH]),
    text("已召回", "品牌方已召回这件商品，请停止使用。", &["请停止使用这件商品，并妥善保管。", ASK_ZH]),
    text(
        "无法确认",
        "没有找到这个编码，无法确认这件商品。",
        &[AGAIN_ZH, "如果结果不变，请保留商品和购买凭证，并联系品牌方客服或销售商。"],
    ),
    text("请再核对一次", "编码中有字符读错或输错，请再核对一次。", &[AGAIN_ZH]),
    text("信息不一致", "链接中的商品条码（GTIN）与这个编码不一致。", &[AGAIN_ZH]),
    text("信息不一致", "链接中的批号与这个编码不一致。", &[AGAIN_ZH]),
    text("未识别到编码", "这不是一个完整的商品编码，请再核对一次。", &[AGAIN_ZH]),
    text("未识别到编码", "这个链接只标明了商品种类，没有单件商品的编码。", &["请扫描商品上的专属二维码。"]),
];

static EN: [Text; 18] = [
    text(
        "Genuine · First check",
        "This item is genuine and this is its first check.",
        &["Compare product and lot on this page with the item in your hand."],
    ),
    text(
        "Genuine",
        "This item is genuine.",
        &["Compare product and lot on this page with the item in your hand."],
    ),
    text(
        "Valid code",
        "Valid code. This check was not counted.",
        &["Scan again a little later to see all that is known."],
    ),
    text(
        "Valid code · Checked before",
        "Valid code, checked before. This check was not counted.",
        &["Scan again a little later to see all that is known."],
    ),
    text(
        "Genuine · Checked before",
        "This item is genuine and was checked before.",
        &[
            "If you or someone close to you made the earlier check, all is well.",
            "If you have only just opened the item and the first check was not yours, contact the brand or the seller.",
        ],
    ),
    text("Cannot be confirmed", "This check cannot be confirmed at the moment.", &[KEEP_EN, ASK_EN]),
    text(
        "Not activated yet",
        "This code is not activated; the item may not be on sale yet.",
        &["If you have already bought the item, contact the brand or the seller."],
    ),
    text("On hold", "The brand has put this item on hold.", &[NOT_USE_EN, ASK_EN]),
    text("No longer in use", "This code is no longer in use.", &[KEEP_EN, ASK_EN]),
    text(
        "Code replaced",
        "This code is no longer in use; the item has a new one.",
        &["Scan the new code on the item."],
    ),
    text("Past its date", "This item is past its date.", &["Please do not use the item.", ASK_EN]),
    text(
        "Recalled",
        "The brand has recalled this item. Please stop using it.",
        &["Stop using the item and keep it safe.", ASK_EN],
    ),
    text(
        "Cannot be confirmed",
        "This code was not found, so the item cannot be confirmed.",
        &[
            AGAIN_EN,
            "If the answer stays the same, keep item and receipt and contact the brand or the seller.",
        ],
    ),
    text(
        "Please look again",
        "A character of the code was misread or mistyped. Please look again.",
        &[AGAIN_EN],
    ),
    text(
        "Does not match",
        "The product number (GTIN) in the link does not belong to this code.",
        &[AGAIN_EN],
    ),
    text("Does not match", "The lot in the link does not belong to this code.", &[AGAIN_EN]),
    text("No code found", "This is not a complete product code. Please look again.", &[AGAIN_EN]),
    text(
        "No code found",
        "This link names a kind of product, but no single item.",
        &["Scan the item’s own code, usually near the cap or under a label."],
    ),
];

static LABELS_ZH: Labels = Labels {
    gtin: "商品条码",
    lot: "批号",
    code: "编码",
    scans: "查询次数",
    first_at: "首次查询",
    advice: "温馨提示",
    instructions: "召回说明",
    link: "了解这件商品",
    service: "商品标识查询",
    details: "查询结果",
    other_language: "English",
};

static LABELS_EN: Labels = Labels {
    gtin: "GTIN",
    lot: "Lot",
    code: "Code",
    scans: "Checks",
    first_at: "First check",
    advice: "What to do",
    instructions: "Recall instructions",
    link: "About this product",
    service: "Product check",
    details: "Result",
    other_language: "中文",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_stands_at_its_own_place() {
        for (index, finding) in Finding::ALL.into_iter().enumerate() {
            assert_eq!(finding as usize, index);
        }
    }

    #[test]
    fn nobody_is_accused_and_json_needs_no_escape() {
        let banned = ["假", "伪", "冒", "fake", "counterfeit", "forged", "fraud", "illegal"];
        for finding in Finding::ALL {
            for lang in [Lang::Zh, Lang::En] {
                let text = finding.text(lang);
                let all = [&[text.title, text.lead], text.advice].concat().join(" ").to_lowercase();
                for word in banned {
                    assert!(!all.contains(word), "{finding:?} says {word}");
                }
                assert!(!text.advice.is_empty() && !text.title.is_empty());
                assert!(text.lead.chars().all(|c| c >= ' ' && c != '"' && c != '\\'), "{finding:?}");
            }
        }
    }

    #[test]
    fn what_is_not_recorded_is_never_called_a_first_check() {
        for finding in [Finding::Valid, Finding::ValidRepeat] {
            let (zh, en) = (finding.text(Lang::Zh), finding.text(Lang::En));
            assert!(!zh.lead.contains("首次") && !zh.title.contains("首次"));
            assert!(!en.lead.contains("first") && !en.title.contains("First"));
            assert!(zh.title.contains("编码有效") && en.lead.starts_with("Valid code"));
        }
    }
}
