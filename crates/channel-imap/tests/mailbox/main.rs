//! Mailboxes on real and on scripted servers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "what a test starts ends with it")]

mod contract;
mod dovecot;
mod scripted;
mod support;
