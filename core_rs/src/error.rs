//! The one error type of the core. Malformed or forged codes are values, never errors.

/// What went wrong, by kind: the seam maps each kind to one Python exception.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An argument is outside what is accepted; `message` says what would be.
    #[error("{field}: {message}")]
    InvalidInput {
        /// Name of the argument or of the key inside a command.
        field: &'static str,
        /// What was seen and what is accepted.
        message: String,
    },
    /// Nothing of that name belongs to this tenant.
    #[error("{what} {id:?} does not exist")]
    NotFound {
        /// Kind of thing looked for: order, series, hold …
        what: &'static str,
        /// The name that was looked up.
        id: String,
    },
    /// The request contradicts something already accepted under the same id.
    #[error("{0}")]
    Conflict(String),
    /// Push-back of the store; the same call may be repeated.
    #[error("busy: {0}")]
    Busy(String),
    /// A write or flush failed earlier; nothing is written until the engine is reopened.
    #[error("the engine stopped writing: {0}; reopen it when the cause is mended")]
    Poisoned(String),
    /// The file system refused.
    #[error("storage: {0}")]
    Storage(String),
    /// Stored bytes do not have the form they were written in.
    #[error("corrupt data: {0}")]
    Corrupt(String),
    /// Another process owns the directory.
    #[error("{0}")]
    Locked(String),
    /// The master secret is not the one the directory was made with.
    #[error("the master secret does not belong to this directory (key check value differs)")]
    WrongSecret,
    /// The directory was written by a newer version.
    #[error("incompatible data: {0}")]
    Incompatible(String),
    /// The engine was closed.
    #[error("the engine is closed")]
    Closed,
}

/// Result of every fallible call of the core.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An [`Error::InvalidInput`] for `field`.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::InvalidInput { field, message: message.into() }
    }
}
