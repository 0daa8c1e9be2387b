//! Why records in Redis are not opened.

use crate::Finding;

/// A refusal to open. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The address is not one of a Redis server.
    #[error("the address of the Redis server is not valid: {0}")]
    Url(String),
    /// The server cannot be reached, or does not answer as it should.
    #[error("Redis at {address} is not available: {detail}")]
    Unavailable { address: String, detail: String },
    /// The server would not keep what it is given, or does not let itself be asked.
    #[error("Redis at {address} cannot hold the records: {}", in_words(findings))]
    Unfit { address: String, findings: Vec<Finding> },
    /// What stands under our keys belongs to another workspace.
    #[error("the records at {address} belong to workspace {found}, not to {wanted}")]
    OtherWorkspace { address: String, found: String, wanted: String },
}

fn in_words(findings: &[Finding]) -> String {
    let each: Vec<String> = findings.iter().map(Finding::to_string).collect();
    each.join("; ")
}

impl RedisError {
    /// Stable, for programs; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "redis_url_invalid",
            Self::Unavailable { .. } => "redis_unavailable",
            Self::Unfit { .. } => "redis_unfit",
            Self::OtherWorkspace { .. } => "redis_other_workspace",
        }
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
