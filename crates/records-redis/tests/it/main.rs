//! The records over a real Redis: the common suite, and what Redis and its operator can do to them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod crashes;
mod examine;
mod forget;
mod hints;
mod limits;
mod server;
mod standing;
mod support;
mod tls;
