//! Why a mailbox cannot be read now. Nothing is lost by any of it: what was not stored is fetched later.

use postroom_channel::{AcceptError, GuardError};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImapError {
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    #[error("{0}")]
    NotAllowed(#[from] GuardError),
    #[error("there is no TLS with the server: {0}")]
    Tls(String),
    #[error("whoever answers does not speak IMAP, or turns us away: {0}")]
    Greeting(String),
    #[error("the server refuses to sign us in: {0}")]
    LoginRefused(String),
    #[error("the token endpoint gives no token: {0}")]
    TokenRefused(String),
    #[error("the token endpoint cannot be asked: {0}")]
    TokenUnavailable(String),
    #[error("the folder {folder} cannot be opened: {words}")]
    Folder { folder: String, words: String },
    #[error("the server refuses a command: {0}")]
    Refused(String),
    #[error("the server fell silent")]
    Silent,
    #[error("the server closed the connection: {0}")]
    Closed(String),
    #[error("the server says something that cannot be read")]
    Unreadable,
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    Accept(#[from] AcceptError),
}

impl ImapError {
    /// Stable; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "imap_unreachable",
            Self::NotAllowed(error) => error.code(),
            Self::Tls(_) => "imap_tls_failed",
            Self::Greeting(_) => "imap_greeting_refused",
            Self::LoginRefused(_) => "imap_login_refused",
            Self::TokenRefused(_) => "imap_token_refused",
            Self::TokenUnavailable(_) => "imap_token_unavailable",
            Self::Folder { .. } => "imap_folder_refused",
            Self::Refused(_) => "imap_command_refused",
            Self::Silent => "imap_silent",
            Self::Closed(_) => "imap_closed",
            Self::Unreadable => "imap_unreadable",
            Self::TooLarge(_) => "imap_response_too_large",
            Self::Accept(error) => error.code(),
        }
    }

    /// Whether the same may go well later without anybody doing anything.
    pub fn retryable(&self) -> bool {
        match self {
            Self::NotAllowed(_) | Self::LoginRefused(_) | Self::TokenRefused(_) => false,
            Self::Accept(error) => error.retryable(),
            _ => true,
        }
    }

    /// Whether a mail that was just asked for may be the cause.
    pub(crate) fn may_be_the_mail(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::Silent
                | Self::Closed(_)
                | Self::Unreadable
                | Self::TooLarge(_)
        )
    }
}
