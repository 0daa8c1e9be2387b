//! Why a data folder is not opened.

use std::path::{Path, PathBuf};

/// A refusal to open a data folder. The file is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The file is not a database, or one of another program.
    #[error("{} is not a Postroom database", path.display())]
    Foreign { path: PathBuf },
    /// A later version of the program wrote it.
    #[error(
        "{} has version {found}; this program knows versions up to {known}", path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    /// The file is cut off, has lost a part, or its structure is broken.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged { path: PathBuf, detail: String },
    /// The folder or the file cannot be reached, or is held by another process for too long.
    #[error("{} cannot be opened: {detail}", path.display())]
    Unavailable { path: PathBuf, detail: String },
}

impl EmbeddedError {
    /// Stable, for programs; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Foreign { .. } => "database_foreign",
            Self::Newer { .. } => "database_newer",
            Self::Damaged { .. } => "database_damaged",
            Self::Unavailable { .. } => "database_unavailable",
        }
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    #[expect(clippy::needless_pass_by_value, reason = "errors are handed over whole")]
    pub(crate) fn damaged(path: &Path, detail: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), detail: detail.to_string() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "errors are handed over whole")]
    pub(crate) fn unavailable(path: &Path, detail: impl ToString) -> Self {
        Self::Unavailable { path: path.to_owned(), detail: detail.to_string() }
    }

    /// What SQLite says about a file that should be ours.
    pub(crate) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::Foreign { path: path.to_owned() },
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Self::damaged(path, error),
            _ => Self::unavailable(path, error),
        }
    }
}
