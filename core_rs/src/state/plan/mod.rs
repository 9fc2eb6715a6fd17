//! From a snapshot and a command to the next snapshot, or to a refusal. Pure: the caller stores and swaps.
//!
//! Each kind of command is one function in the file named after its subject. All of a command is planned or
//! nothing: whatever cannot be done makes it a [`Refusal`], which is itself a result to be stored.

mod catalogue;
mod change;
mod draft;
mod holds;
mod import;
mod issue;
mod leaf;
mod replace;
mod scope;

use super::command::{Command, TEXT_BYTES_MAX, is_name};
use super::keys::ItemRef;
use super::report::{Refusal, RefusalReason, Report};
use super::snapshot::Snapshot;
use super::stored::Put;
use crate::code::Keyring;
use crate::error::{Error, Result};
pub use leaf::LeafMaterial;

/// Finds the item that a text names for a tenant, given by number.
pub type Resolve<'a> = dyn Fn(u32, &[u8]) -> Result<Option<ItemRef>> + 'a;

/// Tells of a tenant, given by number, whether its alias table holds anything under a hash.
pub type IsAliasTaken<'a> = dyn Fn(u32, u128) -> Result<bool> + 'a;

/// What a plan may look at besides its command.
#[derive(Clone, Copy)]
pub struct PlanContext<'a> {
    /// State before the command.
    pub snapshot: &'a Snapshot,
    /// Where keys come from.
    pub keyring: &'a Keyring,
    /// Name of the tenant the command belongs to.
    pub tenant: &'a str,
    /// Id of the command; a freeze or recall gives it to its hold.
    pub event_id: &'a str,
    /// Time of the command, µs since the Unix epoch.
    pub at_us: i64,
    /// The item of a text: as a code of ours ([`Snapshot::find`]), else as an imported one. Fails only when the alias
    /// table cannot be read.
    pub resolve: &'a Resolve<'a>,
    /// Whether an import would overwrite an alias: two texts can have one hash. Fails as `resolve` does.
    pub is_alias_taken: &'a IsAliasTaken<'a>,
    /// Whether a text, in any case of its ASCII letters if asked, means something else when it is scanned, so that
    /// no imported code may be it.
    pub is_reserved: &'a dyn Fn(&[u8], bool) -> bool,
}

/// What to store, show and answer when a command is carried out.
#[derive(Debug)]
pub struct Plan {
    /// State after the command.
    pub snapshot: Snapshot,
    /// Writes that make the stored state that of `snapshot`.
    pub puts: Vec<Put>,
    /// The answer.
    pub report: Report,
    /// What the ledger keeps of it.
    pub leaf: LeafMaterial,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The command is refused; the refusal is its result.
    Refused(Refusal),
    /// The alias table could not be read; the same command may be planned again.
    Failed(Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Plan a command. A preview is a plan that is thrown away.
///
/// # Errors
/// [`Stop`]: a refusal, or a failure to read the alias table.
pub fn plan(context: &PlanContext<'_>, command: &Command) -> std::result::Result<Plan, Stop> {
    expect_name("tenant", context.tenant)?;
    expect_name("event_id", context.event_id)?;
    if let Some(reason) = command.reason() {
        expect_text("reason", reason)?;
    }
    let draft = match command {
        Command::SetDomain(command) => catalogue::set_domain(context, command),
        Command::SetProduct(command) => catalogue::set_product(context, command),
        Command::OpenKeySpace(command) => catalogue::open_key_space(context, command),
        Command::Issue(command) => issue::issue(context, command),
        Command::ImportAliases(command) => import::import_aliases(context, command),
        Command::Activate(command) => change::activate(context, command),
        Command::Void(command) => change::void(context, command),
        Command::Freeze(command) => holds::freeze(context, command),
        Command::Recall(command) => holds::recall(context, command),
        Command::Unfreeze(command) => holds::unfreeze(context, command),
        Command::Replace(command) => replace::replace(context, command),
    }?;
    Ok(draft.finish(command))
}

fn refuse<T>(reason: RefusalReason, message: impl Into<String>) -> std::result::Result<T, Stop> {
    Err(Refusal::new(reason, message).into())
}

fn bad_field<T>(field: &str, message: impl std::fmt::Display) -> std::result::Result<T, Stop> {
    refuse(RefusalReason::BadField, format!("{field}: {message}"))
}

fn expect_name(field: &str, name: &str) -> std::result::Result<(), Stop> {
    if is_name(name) {
        Ok(())
    } else {
        bad_field(field, format!("{name:?}; accepted are 1 to 64 of A–Z a–z 0–9 . _ -"))
    }
}

/// A text people read: 1 to [`TEXT_BYTES_MAX`] bytes without control characters but line feeds.
fn expect_text(field: &str, text: &str) -> std::result::Result<(), Stop> {
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
        return bad_field(
            field,
            format!("{} bytes; accepted are 1 to {TEXT_BYTES_MAX}, not blank", text.len()),
        );
    }
    if text.chars().any(|character| character.is_control() && character != '\n') {
        return bad_field(field, "control characters are not accepted, but for line feeds");
    }
    Ok(())
}
