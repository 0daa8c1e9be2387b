//! Why the bus is not opened.

use crate::judge::Finding;

/// A refusal to open the bus. Nothing on the server was changed by what is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NatsError {
    /// The options make no sense.
    #[error("{0}")]
    Options(String),
    /// No server answered, or not in time.
    #[error("no NATS server answers at {servers}: {detail}")]
    Unreachable { servers: String, detail: String },
    /// The server does not let us in, or not do what we must.
    #[error("the NATS server at {servers} refuses us: {detail}")]
    Denied { servers: String, detail: String },
    /// Who answers is not who was asked for, as far as the certificates tell.
    #[error(
        "the NATS server at {servers} is not trusted: {detail}; name the certificate of its authority \
         in [bus] authorities_path, or the host as the certificate has it in url"
    )]
    Untrusted { servers: String, detail: String },
    /// The server cannot keep what the bus promises.
    #[error("the NATS server cannot be used: {}", listed(.0))]
    Unfit(Vec<Finding>),
}

impl NatsError {
    /// Stable, for programs; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Options(_) => "nats_options_invalid",
            Self::Unreachable { .. } => "nats_unreachable",
            Self::Denied { .. } => "nats_denied",
            Self::Untrusted { .. } => "nats_untrusted",
            Self::Unfit(_) => "nats_unfit",
        }
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

fn listed(findings: &[Finding]) -> String {
    let words: Vec<String> = findings.iter().map(Finding::to_string).collect();
    words.join("; ")
}
