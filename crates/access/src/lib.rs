//! Who may do what: roles, bearer tokens, one-time sign-in links and sessions.
//!
//! A small durable store of its own, apart from the ledger. Secrets are random and stored only as
//! SHA-256 hashes. This crate makes and checks them; it knows no HTTP and no backend.

pub mod conformance;
mod credential;
mod memory;
mod ports;
mod secret;

pub use credential::{Credential, CredentialKind, Principal};
pub use memory::MemoryAccess;
pub use ports::{AccessError, AccessStore};
pub use secret::{Secret, hash_of};
