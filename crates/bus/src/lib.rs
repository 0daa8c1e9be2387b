//! What is durable: the inlet (everything that asks for a decision, in one order), the ledger (what
//! was decided) and the blobs (what is too large for either).
//!
//! This crate holds the traits that a backend implements, the conformance suite that every backend
//! passes, and what is the same on all of them: coalescing of inputs, their encoding, the blob
//! folder. It knows no backend and takes no decision.

mod batch;
mod blobs;
pub mod conformance;
mod error;
mod intake;
mod memory;
mod ports;

pub use batch::{
    Undecodable, count_inputs, decode_batch, encode_batch, encode_input, encode_refused,
};
pub use blobs::{BLOB_BYTES_MAX, BlobError, Blobs, SNAPSHOT_BYTES_MAX, SnapshotName};
pub use error::BusError;
pub use intake::{Intake, IntakeLimits, Submission};
pub use memory::{MemoryInlet, MemoryLedger};
pub use ports::{Entry, Filling, Inlet, Ledger, ReadLimits};
