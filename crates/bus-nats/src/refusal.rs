//! What a question to the server can end in, and what that means to the bus.

use postroom_access::AccessError;
use postroom_bus::BusError;
use serde::Deserialize;

/// A "no" of the JetStream API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub(crate) struct Refusal {
    /// As in HTTP: 503 is what may pass.
    #[serde(default)]
    pub(crate) code: u16,
    #[serde(default)]
    pub(crate) err_code: u32,
    #[serde(default)]
    pub(crate) description: String,
}

/// Numbers of the JetStream API.
pub(crate) mod numbers {
    pub(crate) const NO_MESSAGE: u32 = 10037;
    pub(crate) const NO_STREAM: u32 = 10059;
    pub(crate) const NAME_IN_USE: u32 = 10058;
    pub(crate) const WRONG_LAST: u32 = 10071;
    /// The same, where the server does not name the actual one.
    pub(crate) const WRONG_LAST_UNNAMED: u32 = 10164;
    pub(crate) const STORE_FAILED: u32 = 10077;
    pub(crate) const MESSAGE_TOO_LARGE: u32 = 10054;
    pub(crate) const HEADERS_TOO_LARGE: u32 = 10097;
    pub(crate) const SEALED: u32 = 10109;
    pub(crate) const CONSUMER_EXISTS: u32 = 10148;
    pub(crate) const ACCOUNT_EXCEEDED: u32 = 10002;
    pub(crate) const INSUFFICIENT: u32 = 10023;
    pub(crate) const STORAGE_EXCEEDED: u32 = 10047;
}

impl Refusal {
    pub(crate) fn is_wrong_last(&self) -> bool {
        matches!(self.err_code, numbers::WRONG_LAST | numbers::WRONG_LAST_UNNAMED)
    }

    /// Where the stream ends, if the words tell.
    pub(crate) fn named_last(&self) -> Option<u64> {
        self.description.rsplit(':').next()?.trim().parse().ok()
    }

    /// The store failed for want of room. Other failures of the store may have left the entry.
    pub(crate) fn is_full(&self) -> bool {
        match self.err_code {
            numbers::ACCOUNT_EXCEEDED | numbers::INSUFFICIENT | numbers::STORAGE_EXCEEDED => true,
            numbers::STORE_FAILED => {
                ["maximum bytes exceeded", "maximum messages exceeded", "no space left"]
                    .iter()
                    .any(|words| self.description.contains(words))
            }
            _ => false,
        }
    }
}

/// A question without the answer that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("not connected to NATS")]
    NotConnected,
    #[error("the connection to NATS was lost before it answered")]
    Lost,
    #[error("NATS did not answer in time")]
    TimedOut,
    #[error("nobody answers at {0}; is JetStream on, and has the stream a leader?")]
    NobodyAnswers(String),
    #[error("NATS refuses: {} ({})", .0.description, .0.err_code)]
    Refused(Refusal),
    #[error("NATS answered what is not understood: {0}")]
    Unreadable(String),
    #[error("{bytes} bytes are more than the {bytes_max} that one message may have")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("{0}")]
    Other(String),
}

impl Failure {
    pub(crate) fn is_refusal(&self, err_code: u32) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.err_code == err_code)
    }
}

impl From<Failure> for BusError {
    fn from(failure: Failure) -> Self {
        match &failure {
            Failure::TooLarge { bytes, bytes_max } => {
                Self::TooLarge { bytes: *bytes, bytes_max: *bytes_max }
            }
            Failure::Refused(refusal) if refusal.is_full() => Self::Full,
            Failure::Refused(refusal)
                if matches!(refusal.err_code, numbers::SEALED | numbers::NO_STREAM) =>
            {
                Self::Damaged(failure.to_string())
            }
            _ => Self::Unavailable(failure.to_string()),
        }
    }
}

impl From<Failure> for AccessError {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Refusal};
    use postroom_bus::BusError;

    fn refused(err_code: u32, description: &str) -> Failure {
        Failure::Refused(Refusal { code: 400, err_code, description: description.to_owned() })
    }

    #[test]
    fn answers_are_told_for_what_they_are() {
        for (failure, code) in [
            (refused(10077, "maximum bytes exceeded"), "storage_full"),
            (refused(10077, "write: no space left on device"), "storage_full"),
            // It may have been written before it failed.
            (refused(10077, "input/output error"), "storage_unavailable"),
            (refused(10047, "insufficient storage resources available"), "storage_full"),
            (refused(10158, "duplicate message id is in process"), "storage_unavailable"),
            (refused(10109, "invalid operation on sealed stream"), "storage_damaged"),
            (refused(10059, "stream not found"), "storage_damaged"),
            (Failure::TimedOut, "storage_unavailable"),
            (Failure::NotConnected, "storage_unavailable"),
            (Failure::TooLarge { bytes: 2, bytes_max: 1 }, "entry_too_large"),
        ] {
            assert_eq!(BusError::from(failure.clone()).code(), code, "{failure}");
        }
    }

    #[test]
    fn actual_end_is_read_from_the_words_if_they_name_it() {
        let named = Refusal {
            err_code: 10071,
            description: "wrong last sequence: 17".to_owned(),
            ..Refusal::default()
        };
        assert!(named.is_wrong_last());
        assert_eq!(named.named_last(), Some(17));
        let silent = Refusal { err_code: 10164, ..Refusal::default() };
        assert!(silent.is_wrong_last());
        assert_eq!(silent.named_last(), None);
    }
}
