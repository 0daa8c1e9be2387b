//! Bus, records and access store over two SQLite files, for one machine: what must not be lost, and
//! what can be built anew from it.
//!
//! In each file one thread writes, with group commit: whatever waits goes into one transaction and one
//! sync. Reads have connections of their own. Nothing takes an exclusive lock, so the command line works beside a
//! running server. This crate decides nothing and folds nothing; it keeps what it is given.

mod access;
mod checkpoint;
mod embedded;
mod error;
mod failure;
mod file;
mod group;
mod hints;
mod inlet;
mod ledger;
mod numbers;
mod place;
pub mod raw;
mod readers;
mod recent;
mod records;
mod schema;
mod writer;

pub use embedded::{Embedded, EmbeddedOptions};
pub use error::EmbeddedError;
