//! One scan, from text to outcome.

use super::identify::{Identified, NoItem};
use super::stripes::Stripe;
use super::{Engine, NO_TENANT};
use crate::error::{Error, Result};
use crate::event::{Event, geohash5};
use crate::scan::{Outcome, Reason, Reasons, Role, ScanContext, ScannedText, Verdict, link_mismatch};
use crate::state::{Observed, Record, State, Visit, scan_key};
use crate::store::Family;
use xxhash_rust::xxh3::xxh3_64;

/// How a scan of an issued item counts (design: state is per item, counts are per face).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// Counts, and decides who was first: a consumer on the counting face of an active item.
    Sessions,
    /// Counts without sessions: a consumer on another face or level of an active item.
    Scans,
    /// Leaves an event and nothing else: roles, and items that are not active.
    EventOnly,
}

impl Engine {
    /// Scan a text. Always answers: what cannot be recorded is answered unrecorded, from what is known.
    ///
    /// `context.now_us` is [`Engine::now_us`], or a replay's own time; records never let it run backwards.
    pub fn scan(&self, text: &[u8], context: &ScanContext<'_>) -> Outcome {
        let snapshot = self.snapshot.load();
        let outcome = match self.identify(&snapshot, context.tenant, context.domain, text) {
            Ok(Ok(found)) => self.scan_item(found, context),
            Ok(Err(none)) => self.scan_no_item(none, context),
            Err(_) => unreadable(),
        };
        self.counters.scan(&outcome);
        outcome
    }

    /// A link that carries no readable code: counted as malformed.
    pub fn scan_nothing(&self, reason: Reason) -> Outcome {
        let outcome = Outcome::without_item(Verdict::Malformed, reason, ScannedText::None);
        self.counters.scan(&outcome);
        outcome
    }

    fn scan_item(&self, found: Identified, context: &ScanContext<'_>) -> Outcome {
        if let Some(reason) = link_mismatch(&found.order, context) {
            return Outcome::without_item(Verdict::Mistyped, reason, found.text);
        }
        let state = found.order.state(found.index, context.now_us);
        let counting = counting(&found, state, context.role);
        let visit = Visit {
            now_us: context.now_us,
            device: context.device,
            opens_sessions: counting == Counting::Sessions,
            session_us: self.session_us,
            position: context.position,
            idempotency: context.idempotency,
        };
        let key = scan_key(found.item.key_space, found.item.serial, found.face);
        let seen = if !context.count {
            self.look(&key, &visit, Trace::Looked)
        } else if self.durability.is_poisoned() {
            self.look(&key, &visit, Trace::Failed)
        } else {
            self.observe(&key, &visit, counting, &found, state, context)
        };
        answer(found, state, seen)
    }

    /// Read the record without a lock and without counting.
    fn look(&self, key: &[u8], visit: &Visit, trace: Trace) -> Seen {
        match read_record(self, key, &mut Vec::new()) {
            Ok(record) => Seen::uncounted(record, visit, trace),
            Err(_) => Seen::uncounted(Record::default(), visit, Trace::Failed),
        }
    }

    /// Read, decide and write under the record's stripe lock, record and event in one batch.
    fn observe(
        &self,
        key: &[u8],
        visit: &Visit,
        counting: Counting,
        found: &Identified,
        state: State,
        context: &ScanContext<'_>,
    ) -> Seen {
        let mut stripe = self.stripes.lock(xxh3_64(key));
        let mut bytes = std::mem::take(&mut stripe.record);
        let read = read_record(self, key, &mut bytes);
        stripe.record = bytes;
        let Ok(before) = read else { return Seen::uncounted(Record::default(), visit, Trace::Failed) };
        let mut record = before;
        let observed = match counting {
            Counting::EventOnly => Observed { is_first: None, replay: false, new_session: false },
            _ => record.observe(visit),
        };
        let seen = Seen { record, observed: Some(observed), trace: Trace::Written };
        if observed.replay {
            return seen;
        }
        if counting != Counting::EventOnly {
            stripe.batch.put(Family::Scan, key, &record.encode());
        }
        let (verdict, reasons) = judge(found, state, &seen);
        write_event(&mut stripe, found, verdict, &reasons, &seen, context);
        match self.write_scan(&mut stripe) {
            Ok(()) => seen,
            Err(_) => Seen::uncounted(before, visit, Trace::Failed),
        }
    }

    /// Write what the stripe holds. Push-back leaves no trace; any other failure poisons the engine.
    fn write_scan(&self, stripe: &mut Stripe) -> Result<()> {
        let written = stripe.write(&*self.store);
        if let Err(error) = &written
            && !matches!(error, Error::Busy(_))
        {
            self.durability.poison(&error.to_string());
        }
        written
    }

    /// A text that names no issued item: counted, and journalled as far as the cap allows.
    fn scan_no_item(&self, none: NoItem, context: &ScanContext<'_>) -> Outcome {
        let verdict = match none.reason {
            Reason::CheckFailed => Verdict::Mistyped,
            Reason::SlotUnknown | Reason::SerialNotIssued => Verdict::Unknown,
            _ => Verdict::Malformed,
        };
        let mut outcome = Outcome::without_item(verdict, none.reason, none.text);
        if context.count && verdict != Verdict::Malformed {
            outcome.recorded = self.record_no_item(&outcome, context);
            if !outcome.recorded {
                outcome.reasons.push(Reason::NotRecorded);
            }
        }
        outcome
    }

    /// Leave an event unless the device or the minute has left enough of them. Whether the scan was noted.
    fn record_no_item(&self, outcome: &Outcome, context: &ScanContext<'_>) -> bool {
        if self.durability.is_poisoned() {
            return false;
        }
        if context.tenant == NO_TENANT {
            return true;
        }
        let device = context.device.cookie.or(context.device.address).unwrap_or(0);
        if !self.unissued_limit.lock().admits(device, context.now_us) {
            self.counters.event_dropped();
            return true;
        }
        let mut stripe = self.stripes.lock(device);
        let event = Event { text: outcome.code.as_bytes(), ..event_of(context, outcome.verdict) };
        stripe.add_event(&event, &outcome.reasons);
        self.write_scan(&mut stripe).is_ok()
    }
}

/// What a scan left behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trace {
    /// Record or event, in the journal.
    Written,
    /// Nothing: it only looked.
    Looked,
    /// Nothing: the store could not take it.
    Failed,
}

/// What a scan found in the record, and what it left.
struct Seen {
    record: Record,
    observed: Option<Observed>,
    trace: Trace,
}

impl Seen {
    /// A scan that changed nothing: what the record says of it. Whoever opens no sessions is told nothing about them,
    /// not even under a key that somebody else's scan had.
    fn uncounted(record: Record, visit: &Visit, trace: Trace) -> Self {
        let is_told = record.scans > 0 && visit.opens_sessions;
        Self { record, observed: is_told.then(|| record.peek(visit)), trace }
    }
}

fn read_record(engine: &Engine, key: &[u8], bytes: &mut Vec<u8>) -> Result<Record> {
    if engine.store.get(Family::Scan, key, bytes)? { Record::decode(bytes) } else { Ok(Record::default()) }
}

fn counting(found: &Identified, state: State, role: Role) -> Counting {
    if role != Role::Consumer || state != State::Active {
        Counting::EventOnly
    } else if found.opens_sessions {
        Counting::Sessions
    } else {
        Counting::Scans
    }
}

/// Verdict and reasons of an issued item, under the precedence that `state` already carries.
fn judge(found: &Identified, state: State, seen: &Seen) -> (Verdict, Reasons) {
    let mut reasons = Reasons::new();
    let verdict = match state {
        State::Recalled => (Verdict::Recalled, Some(Reason::UnderRecall)),
        State::Void if found.order.is_replaced(found.index) => (Verdict::Void, Some(Reason::Replaced)),
        State::Void => (Verdict::Void, Some(Reason::Voided)),
        State::Frozen => (Verdict::Frozen, Some(Reason::OnHold)),
        State::Expired => (Verdict::Expired, Some(Reason::PastExpiry)),
        State::Issued => (Verdict::Inactive, Some(Reason::NotActivated)),
        State::Active if seen.observed.is_some_and(|observed| observed.is_first == Some(false)) => {
            (Verdict::Repeat, Some(Reason::CheckedBefore))
        }
        State::Active => (Verdict::Genuine, None),
    };
    if let Some(reason) = verdict.1 {
        reasons.push(reason);
    }
    match seen.trace {
        Trace::Written => {}
        Trace::Looked => reasons.push(Reason::NotCounted),
        Trace::Failed => reasons.push(Reason::NotRecorded),
    }
    (verdict.0, reasons)
}

fn answer(found: Identified, state: State, seen: Seen) -> Outcome {
    let (verdict, reasons) = judge(&found, state, &seen);
    let (is_written, is_known) = (seen.trace == Trace::Written, seen.record.scans > 0);
    Outcome {
        verdict,
        reasons,
        is_first: seen.observed.filter(|_| is_written).and_then(|observed| observed.is_first),
        scans: is_known.then_some(seen.record.scans),
        first_at_us: is_known.then_some(seen.record.first_us),
        recorded: is_written,
        code: found.text,
        face: Some(found.face),
        order: Some(found.order),
        index: found.index,
    }
}

/// The store failed before it was known what the text names.
fn unreadable() -> Outcome {
    Outcome::without_item(Verdict::Unknown, Reason::NotRecorded, ScannedText::None)
}

fn event_of<'a>(context: &ScanContext<'_>, verdict: Verdict) -> Event<'a> {
    Event {
        at_us: context.now_us,
        caller_at_us: context.caller_at_us,
        tenant: context.tenant,
        item: None,
        verdict: verdict.id(),
        reasons: &[],
        role: context.role.id(),
        channel: context.channel,
        is_first: None,
        opened_session: false,
        scans: 0,
        cookie: context.device.stored_cookie().unwrap_or(0),
        address: context.device.address.unwrap_or(0),
        address_prefix: context.address_prefix,
        position: context.position.map(|at| (geohash5(at.lat_e7, at.lon_e7), at.accuracy_m, at.datum.id())),
        text: b"",
    }
}

fn write_event(
    stripe: &mut Stripe,
    found: &Identified,
    verdict: Verdict,
    reasons: &Reasons,
    seen: &Seen,
    context: &ScanContext<'_>,
) {
    let observed = seen.observed;
    let event = Event {
        item: Some((found.item.key_space, found.item.serial, found.face.id())),
        is_first: observed.and_then(|observed| observed.is_first),
        opened_session: observed.is_some_and(|observed| observed.new_session),
        scans: seen.record.scans,
        ..event_of(context, verdict)
    };
    stripe.add_event(&event, reasons);
}
