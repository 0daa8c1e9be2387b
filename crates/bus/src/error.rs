//! What can go wrong on the bus, and whether trying again helps.

/// A failure of the inlet or the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// Too much waits already; nothing was taken.
    #[error("too many inputs wait to be stored")]
    Busy,
    /// The storage is full; nothing was taken.
    #[error("the storage is full")]
    Full,
    /// What was to be stored is larger than the backend takes; nothing was taken.
    #[error("{bytes} bytes are more than the {bytes_max} that one entry may have")]
    TooLarge { bytes: usize, bytes_max: usize },
    /// The ledger does not end where the writer believes: another one writes (P4).
    #[error("the ledger ends at {actual}, not at {expected}")]
    Fenced { expected: u64, actual: u64 },
    /// What is stored is damaged or not ours.
    #[error("the storage is damaged or foreign: {0}")]
    Damaged(String),
    /// The backend did not answer or answered with a failure; the entry may or may not be stored.
    #[error("the storage is not available: {0}")]
    Unavailable(String),
    /// The bus is being shut down; nothing was taken.
    #[error("shutting down")]
    Closed,
}

impl BusError {
    /// Stable, for programs; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Full => "storage_full",
            Self::TooLarge { .. } => "entry_too_large",
            Self::Fenced { .. } => "fenced",
            Self::Damaged(_) => "storage_damaged",
            Self::Unavailable(_) => "storage_unavailable",
            Self::Closed => "shutting_down",
        }
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::Unavailable(_) | Self::Closed)
    }
}
