//! One command, from bytes to report: plan, write once, flush, publish.

use super::Engine;
use super::alias_filter::AliasFilter;
use crate::code::CODE_TEXT_BYTES_MAX;
use crate::error::{Error, Result};
use crate::ledger::{Frontier, Leaf, hex, leaf_hash, leaf_key};
use crate::scan::is_reserved_name;
use crate::state::{
    Command, LISTED_CODES_MAX, LeafMaterial, NAME_BYTES_MAX, Plan, PlanContext, Put, Refusal, RefusalReason,
    Report, Snapshot, Status, Stop, Table, is_name, plan,
};
use crate::store::{Batch, Family, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const META_LEDGER: &[u8] = b"ledger";
const META_SEQ: &[u8] = b"seq/";
/// Largest command, bytes: `replace` lists two codes per item; JSON writes a character of two bytes as six, and each
/// text has quotes and a comma.
pub const COMMAND_BYTES_MAX: usize = 2 * LISTED_CODES_MAX * (3 * CODE_TEXT_BYTES_MAX + 3) + (64 << 10);
/// Longest actor, bytes.
pub const ACTOR_BYTES_MAX: usize = 128;
/// How long a command repeats a write that the store pushes back.
const BUSY_WAIT: Duration = Duration::from_secs(30);
const BUSY_PAUSE: Duration = Duration::from_millis(5);
const LEAF_VERSION: u8 = 1;

/// How far the commands have come. Immutable: each command publishes the next one.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// Last applied seq by tenant name.
    pub last_seqs: BTreeMap<String, u64>,
    /// Which ledger: a restore starts the next one.
    pub origin: u32,
    /// Tree over all its leaves so far.
    pub frontier: Frontier,
}

/// A command with its place in the order of commands.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// Whose data.
    pub tenant: &'a str,
    /// Id, unique in the tenant.
    pub event_id: &'a str,
    /// Place among the tenant's commands, 1-based, without gaps.
    pub seq: u64,
    /// When it was decided, µs since the epoch.
    pub at_us: i64,
    /// Who decided it, as an opaque id.
    pub actor: &'a str,
    /// JSON of the command.
    pub command: &'a [u8],
}

impl Head {
    /// What the store holds.
    pub(super) fn load(store: &dyn Store) -> Result<Self> {
        let mut value = Vec::new();
        let (origin, frontier) = match store.get(Family::Meta, META_LEDGER, &mut value)? {
            true => read_ledger(&value)?,
            false => (0, Frontier::default()),
        };
        let mut last_seqs = BTreeMap::new();
        let mut failed = None;
        store.for_each(Family::Meta, b"", META_SEQ, &mut |key, value| {
            match (std::str::from_utf8(&key[META_SEQ.len()..]), fixed(value)) {
                (Ok(tenant), Ok(seq)) => last_seqs.insert(tenant.to_owned(), u64::from_be_bytes(seq)),
                _ => failed.replace(Error::Corrupt("sequence number of a tenant".into())).map(|_| 0),
            };
            failed.is_none()
        })?;
        failed.map_or(Ok(Self { last_seqs, origin, frontier }), Err)
    }

    /// Last applied seq of a tenant, 0 before its first.
    pub fn last_seq(&self, tenant: &str) -> u64 {
        self.last_seqs.get(tenant).copied().unwrap_or(0)
    }
}

/// Origin u32 big endian ‖ frontier.
fn read_ledger(value: &[u8]) -> Result<(u32, Frontier)> {
    let (origin, frontier) =
        value.split_first_chunk::<4>().ok_or_else(|| Error::Corrupt("head of the ledger".into()))?;
    Ok((u32::from_be_bytes(*origin), Frontier::from_bytes(frontier)?))
}

fn fixed(value: &[u8]) -> Result<[u8; 8]> {
    value.try_into().map_err(|_| Error::Corrupt("a number of eight bytes".into()))
}

impl Engine {
    /// Apply one command durably and return its report, which is stored and never changes.
    ///
    /// A known event id returns its stored report. A refusal is a report too. State, report, sequence number and
    /// ledger leaf are one batch; the snapshot is published after the flush.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a name or size that cannot be stored, [`Error::Conflict`] for a seq that is
    /// not the next one: nothing is stored. [`Error::Busy`], [`Error::Poisoned`], [`Error::Storage`].
    pub fn apply(&self, envelope: &Envelope<'_>) -> Result<Vec<u8>> {
        check_names(envelope)?;
        let _in_turn = self.sequencer.lock();
        if let Some(report) = self.applied(envelope.tenant, envelope.event_id)? {
            return Ok(report);
        }
        let mut head = Head::clone(&self.head.load());
        let next = head.last_seq(envelope.tenant) + 1;
        if envelope.seq != next {
            return Err(Error::Conflict(format!(
                "seq {} of tenant {} is not the next one, {next}; nothing was stored",
                envelope.seq, envelope.tenant
            )));
        }
        if let Some(cause) = self.durability.poisoned() {
            return Err(Error::Poisoned(cause));
        }
        let before = self.snapshot.load_full();
        let decided = self.decide(&before, envelope)?;
        let report = decided.report.to_json();
        self.write_decided(&mut head, envelope, &decided, &report)?;
        self.flush()?;
        head.last_seqs.insert(envelope.tenant.to_owned(), envelope.seq);
        // Whoever reads the new seq must find the state it stands for.
        self.publish(decided);
        self.head.store(Arc::new(head));
        Ok(report)
    }

    /// The report [`Self::apply`] would give now. Nothing is stored.
    ///
    /// # Errors
    /// [`Error::InvalidInput`]; [`Error::Storage`] when the alias table cannot be read.
    pub fn preview(&self, tenant: &str, at_us: i64, command: &[u8]) -> Result<Vec<u8>> {
        let envelope = Envelope { tenant, event_id: "preview", seq: 0, at_us, actor: "preview", command };
        check_names(&envelope)?;
        Ok(self.decide(&self.snapshot.load_full(), &envelope)?.report.to_json())
    }

    /// Stored report of an applied command, once it is on disk.
    ///
    /// # Errors
    /// As [`Store::get`]; [`Error::Poisoned`] when it may never be.
    pub fn applied(&self, tenant: &str, event_id: &str) -> Result<Option<Vec<u8>>> {
        let mut report = Vec::new();
        if !self.store.get(Family::Applied, &applied_key(tenant, event_id), &mut report)? {
            return Ok(None);
        }
        self.flush()?;
        Ok(Some(report))
    }

    /// Start the next ledger, whose first leaf names the head of the one before: for a restored copy, whose further
    /// leaves must never pass for those of the original. Returns the old head as JSON: origin, size, root.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn renew_ledger(&self, actor: &str, at_us: i64, reason: &str) -> Result<Vec<u8>> {
        let _in_turn = self.sequencer.lock();
        let mut head = Head::clone(&self.head.load());
        let old =
            json!({"origin": head.origin, "root": hex(&head.frontier.root()), "size": head.frontier.size()});
        head.origin += 1;
        head.frontier = Frontier::default();
        let event_id = format!("origin-{}", head.origin);
        let leaf = LeafMaterial {
            action: "origin",
            object: old.clone(),
            reason: reason.into(),
            impact: Value::Null,
            before: Value::Null,
            after: Value::Null,
        };
        let envelope = Envelope { tenant: "", event_id: &event_id, seq: 0, at_us, actor, command: b"" };
        let mut batch = Batch::new();
        add_leaf(&mut batch, &mut head, &leaf_of(&envelope, "applied", &leaf));
        self.write_patiently(&batch)?;
        self.flush()?;
        self.head.store(Arc::new(head));
        Ok(old.to_string().into_bytes())
    }

    /// Last applied seq of a tenant, 0 before its first.
    pub fn last_seq(&self, tenant: &str) -> u64 {
        self.head.load().last_seq(tenant)
    }

    /// Last applied seq of every tenant.
    pub fn last_seqs(&self) -> BTreeMap<String, u64> {
        self.head.load().last_seqs.clone()
    }

    /// Plan the command against the snapshot; a refusal becomes a report without a plan.
    fn decide(&self, before: &Snapshot, envelope: &Envelope<'_>) -> Result<Decided> {
        let resolve = |tenant, text: &[u8]| {
            let found = self.identify(before, tenant, None, text)?;
            Ok(found.ok().map(|found| found.item))
        };
        let is_alias_taken = |tenant, hash| {
            Ok(self.aliases.load().may_contain(hash) && self.stored_alias(tenant, hash)?.is_some())
        };
        let context = PlanContext {
            snapshot: before,
            keyring: &self.keyring,
            tenant: envelope.tenant,
            event_id: envelope.event_id,
            at_us: envelope.at_us,
            resolve: &resolve,
            is_alias_taken: &is_alias_taken,
            is_reserved: &is_reserved_name,
        };
        let command = match Command::from_json(envelope.command) {
            Ok(command) => command,
            Err(error) => {
                let refusal = Refusal::new(RefusalReason::BadField, error.to_string());
                return Ok(Decided::refused(refusal, None, &context));
            }
        };
        match plan(&context, &command) {
            Ok(Plan { snapshot, puts, report, leaf }) => {
                Ok(Decided { report, leaf: Some(leaf), change: Some((snapshot, puts)) })
            }
            Err(Stop::Refused(refusal)) => Ok(Decided::refused(refusal, Some(&command), &context)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// State, report, sequence number and leaf in one batch; `head` gets the leaf.
    fn write_decided(
        &self,
        head: &mut Head,
        envelope: &Envelope<'_>,
        decided: &Decided,
        report: &[u8],
    ) -> Result<()> {
        let mut batch = Batch::new();
        for put in decided.change.iter().flat_map(|(_, puts)| puts) {
            add(&mut batch, put);
        }
        add_leaf(&mut batch, head, &decided_leaf(envelope, decided));
        batch.put(
            Family::Meta,
            &[META_SEQ, envelope.tenant.as_bytes()].concat(),
            &envelope.seq.to_be_bytes(),
        );
        batch.put(Family::Applied, &applied_key(envelope.tenant, envelope.event_id), report);
        self.write_patiently(&batch)
    }

    /// Commands repeat what the store pushes back; any other failure poisons.
    fn write_patiently(&self, batch: &Batch) -> Result<()> {
        let started = Instant::now();
        loop {
            match self.store.write(batch) {
                Err(Error::Busy(_)) if started.elapsed() < BUSY_WAIT => std::thread::sleep(BUSY_PAUSE),
                Err(error) if !matches!(error, Error::Busy(_)) => {
                    self.durability.poison(&error.to_string());
                    return Err(error);
                }
                done => return done,
            }
        }
    }

    /// Show the change to scans: first the texts that may be aliases now, then the snapshot.
    fn publish(&self, decided: Decided) {
        self.counters.command(decided.change.is_some());
        let Some((snapshot, puts)) = decided.change else { return };
        self.know_aliases(&puts);
        self.snapshot.store(Arc::new(snapshot));
    }

    fn know_aliases(&self, puts: &[Put]) {
        let hashes: Vec<u128> = puts
            .iter()
            .filter(|put| put.table == Table::Alias && put.value.is_some())
            .filter_map(|put| put.key.last_chunk::<16>().map(|hash| u128::from_be_bytes(*hash)))
            .collect();
        let filter = self.aliases.load_full();
        if filter.has_room(hashes.len()) {
            hashes.into_iter().for_each(|hash| filter.insert(hash));
            return;
        }
        // A read failure here only costs look-ups: the old filter plus the new texts would miss none, so keep it.
        let grown = AliasFilter::with_capacity((filter.len() + hashes.len()) * 2);
        let read = self.store.for_each(Family::Alias, b"", b"", &mut |key, _| {
            key.last_chunk::<16>().into_iter().for_each(|hash| grown.insert(u128::from_be_bytes(*hash)));
            true
        });
        match read {
            Ok(()) => self.aliases.store(Arc::new(grown)),
            Err(_) => hashes.into_iter().for_each(|hash| filter.insert(hash)),
        }
    }
}

/// A report, what the ledger keeps of it, and what changes; nothing changes for a refusal.
struct Decided {
    report: Report,
    leaf: Option<LeafMaterial>,
    change: Option<(Snapshot, Vec<Put>)>,
}

impl Decided {
    /// `command` is none where it could not be read.
    fn refused(refusal: Refusal, command: Option<&Command>, context: &PlanContext<'_>) -> Self {
        let report = refusal.report(context.event_id, context.snapshot.epoch);
        Self { report, leaf: command.map(LeafMaterial::of_refusal), change: None }
    }
}

fn check_names(envelope: &Envelope<'_>) -> Result<()> {
    for (field, value) in
        [("tenant", envelope.tenant), ("event_id", envelope.event_id), ("actor", envelope.actor)]
    {
        let is_accepted = if field == "actor" {
            (1..=ACTOR_BYTES_MAX).contains(&value.len()) && !value.contains(char::is_control)
        } else {
            is_name(value)
        };
        if !is_accepted {
            let message = match field {
                "actor" => {
                    format!("{value:?}; 1 to {ACTOR_BYTES_MAX} bytes without control characters are accepted")
                }
                _ => format!("{value:?}; 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 . _ - are accepted"),
            };
            return Err(Error::InvalidInput { field, message });
        }
    }
    if envelope.command.len() > COMMAND_BYTES_MAX {
        let message = format!("{} bytes; at most {COMMAND_BYTES_MAX} are accepted", envelope.command.len());
        return Err(Error::InvalidInput { field: "command", message });
    }
    Ok(())
}

fn applied_key(tenant: &str, event_id: &str) -> Vec<u8> {
    [tenant.as_bytes(), b"\0", event_id.as_bytes()].concat()
}

fn add(batch: &mut Batch, put: &Put) {
    let family = match put.table {
        Table::Order => Family::Order,
        Table::Alias => Family::Alias,
        Table::Link => Family::Link,
    };
    match &put.value {
        Some(value) => batch.put(family, &put.key, value),
        None => batch.delete(family, &put.key),
    }
}

/// Put a leaf into the batch, and its hash and place into `head`.
fn add_leaf(batch: &mut Batch, head: &mut Head, leaf: &[u8]) {
    batch.put(Family::Ledger, &leaf_key(head.origin, head.frontier.size()), leaf);
    head.frontier.push(leaf_hash(leaf));
    let ledger = [&head.origin.to_be_bytes(), head.frontier.to_bytes().as_slice()].concat();
    batch.put(Family::Meta, META_LEDGER, &ledger);
}

fn decided_leaf(envelope: &Envelope<'_>, decided: &Decided) -> Vec<u8> {
    let unreadable = LeafMaterial {
        action: "unreadable",
        object: Value::Null,
        reason: String::new(),
        impact: Value::Null,
        before: Value::Null,
        after: Value::Null,
    };
    let status = if decided.report.status == Status::Applied { "applied" } else { "refused" };
    leaf_of(envelope, status, decided.leaf.as_ref().unwrap_or(&unreadable))
}

fn leaf_of(envelope: &Envelope<'_>, status: &str, material: &LeafMaterial) -> Vec<u8> {
    let LeafMaterial { action, object, reason, impact, before, after } = material;
    Leaf {
        action,
        actor: envelope.actor,
        after,
        at_us: envelope.at_us,
        before,
        event_id: envelope.event_id,
        impact,
        object,
        reason,
        seq: envelope.seq,
        status,
        tenant: envelope.tenant,
        v: LEAF_VERSION,
    }
    .canonical_bytes()
}
