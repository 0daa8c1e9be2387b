//! The closed sets of what an adapter can refuse or fail at.

use std::time::Duration;

/// Why a post is not taken. Nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// The HTTP status to answer: 401, 404, 405, 413, 415 or 422.
    pub status: u16,
    /// Stable; each has a page in `docs/errors`.
    pub code: &'static str,
    /// For the sender, without secrets.
    pub detail: String,
    /// Where in a JSON body (RFC 6901) it went wrong, and how.
    pub pointers: Vec<(String, String)>,
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), pointers: Vec::new() }
    }

    /// The same request is refused again, unless the settings or the moment change.
    pub fn retryable(&self) -> bool {
        false
    }

    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.pointers.push((pointer.into(), detail.into()));
        self
    }
}

/// Why a reply did not leave, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct SendError {
    pub kind: SendErrorKind,
    /// Stable; each has a page in `docs/errors`.
    pub code: &'static str,
    /// For the agent, without secrets.
    pub detail: String,
    /// When the other side asked to be tried again.
    pub retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorKind {
    /// Surely not taken; a later attempt may be.
    Retryable,
    /// Surely not taken, and never will be.
    Permanent,
    /// Broken off where it may have been taken.
    Uncertain,
}

impl SendError {
    /// Whether the same may be tried again without asking anybody.
    pub fn may_retry(&self) -> bool {
        self.kind == SendErrorKind::Retryable
    }

    pub fn retryable(code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: SendErrorKind::Retryable, code, detail: detail.into(), retry_after: None }
    }

    pub fn permanent(code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: SendErrorKind::Permanent, code, detail: detail.into(), retry_after: None }
    }

    pub fn uncertain(code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: SendErrorKind::Uncertain, code, detail: detail.into(), retry_after: None }
    }
}

/// Why what came in could not be made durable. Nothing may be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    #[error("too much waits to be stored")]
    Busy,
    #[error("the storage is full")]
    Full,
    #[error("the storage is not available: {0}")]
    Unavailable(String),
    #[error("more than one entry may hold: {0}")]
    TooLarge(String),
}

impl AcceptError {
    /// Stable; each has a page in `docs/errors`. The bus has the same words for the same things.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Full => "storage_full",
            Self::Unavailable(_) => "storage_unavailable",
            Self::TooLarge(_) => "entry_too_large",
        }
    }

    /// Whether the same may be taken later.
    pub fn retryable(&self) -> bool {
        !matches!(self, Self::TooLarge(_))
    }
}

/// Why an outgoing request was not made (P10).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    #[error("the address {0} is private, and the operator has not allowed it")]
    PrivateAddress(String),
    #[error("the name of the server is not known: {0}")]
    UnknownHost(String),
    #[error("the URL is not one that may be called: {0}")]
    BadUrl(String),
    #[error("outgoing requests cannot be made at all: {0}")]
    Client(String),
}

impl GuardError {
    /// Stable; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PrivateAddress(_) => "address_not_allowed",
            Self::UnknownHost(_) => "host_unknown",
            Self::BadUrl(_) => "url_not_allowed",
            Self::Client(_) => "http_client_unavailable",
        }
    }

    /// The operator has to change something first, but for a name that cannot be resolved now.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::UnknownHost(_))
    }
}

/// Why there is no connection to a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error(transparent)]
    Refused(#[from] GuardError),
    #[error("{0}")]
    Failed(String),
}

/// A mistake in a channel's own options, for `postroom check`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct OptionError {
    /// The key in the channel's table.
    pub key: String,
    /// What is wrong, without the value: it may be a secret.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl OptionError {
    pub fn new(
        key: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), message: message.into(), help: help.into() }
    }
}
