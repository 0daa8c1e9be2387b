//! The gateway from outside: its routes over memory backends and a small router of the tests' own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod channels;
mod commands;
mod contacts;
mod conversations;
mod events;
mod house;
mod matrix;
mod meta;
mod router;
mod serve;
mod session;
