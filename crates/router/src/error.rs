//! Why the router stops or steps down.

use postroom_bus::{BlobError, BusError};
use postroom_model::Position;
use postroom_model::envelope::EnvelopeError;
use postroom_records::RecordsError;

/// A failure of the router. None of them loses an input: what is not decided stays in the inlet.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    #[error("the bus failed: {0}")]
    Bus(#[from] BusError),
    #[error("the records failed: {0}")]
    Records(#[from] RecordsError),
    #[error("the blob store failed: {0}")]
    Blobs(#[from] BlobError),
    /// Another router writes; this one no longer decides.
    #[error("another router has appended to the ledger")]
    SteppedDown,
    /// The ledger or the inlet ends before what was already built from it. A person has to look.
    #[error("the {what} ends at {actual}, but was at {expected} before")]
    WentBackwards { what: &'static str, expected: u64, actual: u64 },
    /// An envelope is damaged, or does not follow the one before it.
    #[error("envelope {seq} of the ledger is damaged: {cause}")]
    LedgerDamaged { seq: u64, cause: String },
    /// An input brought the core down; it will be set aside.
    #[error("the input at {0:?} could not be decided")]
    Poisoned(Position),
    /// A batch became too large for one envelope; smaller ones follow.
    #[error("a batch did not fit into one envelope")]
    BatchTooLarge,
}

impl RouterError {
    /// Stable, for programs; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bus(error) => error.code(),
            Self::Records(error) => error.code(),
            Self::Blobs(error) => error.code(),
            Self::SteppedDown => "stepped_down",
            Self::WentBackwards { .. } => "went_backwards",
            Self::LedgerDamaged { .. } => "ledger_damaged",
            Self::Poisoned(_) => "input_poisonous",
            Self::BatchTooLarge => "batch_too_large",
        }
    }

    /// Whether the router may go on by itself after a moment.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Bus(error) => error.retryable(),
            Self::Records(error) => error.retryable(),
            Self::Blobs(error) => error.retryable(),
            Self::SteppedDown | Self::Poisoned(_) | Self::BatchTooLarge => true,
            Self::WentBackwards { .. } | Self::LedgerDamaged { .. } => false,
        }
    }
}

impl RouterError {
    pub(crate) fn damaged(seq: u64, error: &EnvelopeError) -> Self {
        Self::LedgerDamaged { seq, cause: error.to_string() }
    }
}
