//! Follows the ledger and sends what must leave.
//!
//! A [`DeliveryHost`] asks the router for each channel and for each attempt, and sends only what it
//! saw granted on the ledger, so that a reply leaves once (P7). What to do is decided by a pure fold
//! (`outbox`) and a pure [`Schedule`]; the host around them does the I/O. Nothing here decides what
//! becomes of a reply: the host reports, the router settles.

mod attempt;
mod backoff;
mod error;
mod files;
mod host;
mod metrics;
mod outbox;
mod publish;
mod schedule;
#[cfg(test)]
mod testing;

pub use attempt::{ATTEMPT_DEADLINE, PREPARE_DEADLINE};
pub use error::DeliveryError;
pub use files::{BODY_BYTES_MAX, BlobFiles, FILE_BYTES_MAX};
pub use host::{Adapters, DeliveryHost, DeliveryParts, STOP_LIMIT};
pub use metrics::Metrics;
pub use outbox::{CONCURRENT_SENDS_MAX, HELD_MAX};
pub use schedule::{
    ATTEMPTS_MAX, DELAYS_S, JITTER_PERCENT, MAIL_ATTEMPTS_MAX, MAIL_DELAYS_S, RETRY_AFTER_S_MAX,
    Schedule,
};
