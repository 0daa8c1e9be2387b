//! Whole mails, from bytes to the message.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod automation;
mod report;
mod support;
mod whole;
