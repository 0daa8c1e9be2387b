//! Call logs of every dialect, the state machine under all of them, and what strangers may send.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asterisk;
mod contract;
mod fetch;
mod fold;
mod hostile;
mod numbers;
mod push;
mod signatures;
mod support;
