//! End to end, faults, simulation: what the tests of this package share.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

pub mod engines;
pub mod mail;
pub mod process;
pub mod sim;
pub mod street;
