//! Mailboxes on real and on scripted servers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;
mod dovecot;
mod scripted;
mod support;
