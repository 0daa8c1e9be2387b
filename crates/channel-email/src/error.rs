//! Why a mail is not read. It is set aside raw, and the next one goes on (P9).

use crate::limits::{
    ENCLOSED_MAX, HEADER_BYTES_MAX, HEADER_FIELDS_MAX, MAIL_BYTES_MAX, MULTIPARTS_MAX, PARTS_MAX,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    #[error("the mail is empty")]
    Empty,
    #[error("more than {MAIL_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the header has more than {HEADER_FIELDS_MAX} fields or {HEADER_BYTES_MAX} bytes")]
    HeaderTooLarge,
    #[error("more than {ENCLOSED_MAX} mails or {MULTIPARTS_MAX} multiparts within each other")]
    TooDeep,
    #[error("more than {PARTS_MAX} parts")]
    TooManyParts,
    #[error("the library that takes mails apart gave up on it")]
    Unreadable,
}

impl MailError {
    /// Stable; each has a page in `docs/errors`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "mail_empty",
            Self::TooLarge => "mail_too_large",
            Self::HeaderTooLarge => "mail_header_too_large",
            Self::TooDeep => "mail_too_deep",
            Self::TooManyParts => "mail_too_many_parts",
            Self::Unreadable => "mail_unreadable",
        }
    }

    /// The same bytes fail the same way, until a later version reads them better.
    pub fn retryable(self) -> bool {
        false
    }
}
