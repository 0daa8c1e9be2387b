//! What goes wrong inside, before it becomes the error of the trait that was called.

use postroom_access::AccessError;
use postroom_bus::BusError;
use postroom_records::RecordsError;
use rusqlite::ErrorCode;

/// A failure of a read or of a piece of writing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("too much waits to be stored")]
    Busy,
    #[error("the disk is full")]
    Full,
    #[error("{bytes} bytes are more than the {bytes_max} that one entry may have")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("it ends at {actual}, not at {expected}")]
    Fenced { expected: u64, actual: u64 },
    #[error("it stands at {actual}, not at {expected}")]
    Moved { expected: u64, actual: u64 },
    #[error("it has schema {actual}, not {expected}")]
    OtherSchema { expected: u32, actual: u32 },
    #[error("{0}")]
    Damaged(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("shutting down")]
    Closed,
    #[error("not a cursor of this listing")]
    BadCursor,
    #[error("{name} was {what} while it is in use")]
    Misplaced { name: String, what: String },
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match (&error, error.sqlite_error_code()) {
            (_, Some(ErrorCode::DiskFull)) => Self::Full,
            // Another process writes for longer than we wait; nothing was begun.
            (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => Self::Busy,
            (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            | (E::FromSqlConversionFailure(..) | E::InvalidColumnType(..), _) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<RecordsError> for Failure {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Moved { expected, actual } => Self::Moved { expected, actual },
            RecordsError::OtherSchema { expected, actual } => {
                Self::OtherSchema { expected, actual }
            }
            RecordsError::Damaged(detail) => Self::Damaged(detail),
            RecordsError::Unavailable(detail) => Self::Unavailable(detail),
            RecordsError::BadCursor => Self::BadCursor,
            RecordsError::Misplaced { name, what } => Self::Misplaced { name, what },
        }
    }
}

impl From<Failure> for BusError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy,
            Failure::Full => Self::Full,
            Failure::TooLarge { bytes, bytes_max } => Self::TooLarge { bytes, bytes_max },
            Failure::Fenced { expected, actual } => Self::Fenced { expected, actual },
            Failure::Damaged(detail) => Self::Damaged(detail),
            Failure::Closed => Self::Closed,
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<Failure> for RecordsError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Moved { expected, actual } => Self::Moved { expected, actual },
            Failure::OtherSchema { expected, actual } => Self::OtherSchema { expected, actual },
            Failure::Damaged(detail) => Self::Damaged(detail),
            Failure::BadCursor => Self::BadCursor,
            Failure::Misplaced { name, what } => Self::Misplaced { name, what },
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<Failure> for AccessError {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string())
    }
}
