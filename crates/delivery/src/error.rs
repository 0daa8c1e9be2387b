//! What ends a delivery host for good. Everything that may pass is waited for instead.

use postroom_bus::BusError;
use postroom_model::envelope::EnvelopeError;

/// Why a host can follow the ledger no longer.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The ledger is damaged or not ours.
    #[error("delivery cannot read the ledger: {0}")]
    Ledger(#[from] BusError),
    /// An envelope is damaged, or was written by a later version of this program.
    #[error("delivery cannot read envelope {seq} of the ledger: {cause}")]
    Envelope { seq: u64, cause: EnvelopeError },
    /// An envelope is missing: the ledger went backwards or lost something.
    #[error("the ledger continues with envelope {actual} where {expected} should follow")]
    Gap { expected: u64, actual: u64 },
}

impl DeliveryError {
    /// Stable, for programs; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.code(),
            Self::Envelope { .. } => "envelope_unreadable",
            Self::Gap { .. } => "ledger_gap",
        }
    }

    /// Whether the same may succeed later. Never without somebody doing something.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Ledger(error) => error.retryable(),
            Self::Envelope { .. } | Self::Gap { .. } => false,
        }
    }
}
