//! The records over Redis or Valkey, 7.0 or newer: rows in hashes, listings in sorted sets, and the
//! place at which they stand.
//!
//! Redis is a view here and may lose what it was told: where the records stand is written in the same
//! transaction as the rows, is the condition of the next write, and is always asked for and never
//! remembered. So a crash, a failover to an older copy or a flush leaves records that are behind, and
//! never records that are wrong. This crate decides nothing and folds nothing; it keeps what it is given.

mod error;
mod examine;
mod failure;
mod hints;
mod keys;
mod link;
mod list;
mod meta;
mod options;
mod places;
mod plan;
pub mod raw;
mod read;
mod records;
mod rows;
mod scan;
mod scripts;
mod values;
mod write;

pub use error::RedisError;
pub use examine::{ACCEPTABLE, Facts, Finding, examine, judge};
pub use options::RedisOptions;
pub use records::RedisRecords;
