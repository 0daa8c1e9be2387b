//! The webhook adapter from outside: the contract of all adapters, fixtures, and replies that
//! leave.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod inspect;
mod send;
mod support;
