//! What can go wrong with the records.

/// A failure of the records.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// They do not stand where the writer believes; nothing was written.
    #[error("the records stand at {actual}, not at {expected}")]
    Moved { expected: u64, actual: u64 },
    /// They were written by a program with another schema and must be rebuilt.
    #[error("the records have schema {actual}, this program writes {expected}")]
    OtherSchema { expected: u32, actual: u32 },
    /// What is stored cannot be read.
    #[error("the records are damaged: {0}")]
    Damaged(String),
    /// The backend did not answer or answered with a failure; the write may or may not have happened.
    #[error("the records are not available: {0}")]
    Unavailable(String),
    /// They are no longer where they were opened: what is written there is lost with the process.
    #[error(
        "{name} was {what} under the running server; restart it, and the records are built anew"
    )]
    Misplaced { name: String, what: String },
    /// The cursor of a listing is not one that this listing gave.
    #[error("the cursor is not one of this listing")]
    BadCursor,
}

impl RecordsError {
    /// Stable, for programs; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Moved { .. } => "records_moved",
            Self::OtherSchema { .. } => "records_other_schema",
            Self::Damaged(_) => "records_damaged",
            Self::Unavailable(_) => "records_unavailable",
            Self::Misplaced { .. } => "records_misplaced",
            Self::BadCursor => "bad_cursor",
        }
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Moved { .. } | Self::Unavailable(_))
    }
}
