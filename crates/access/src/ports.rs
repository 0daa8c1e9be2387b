//! The trait that a backend of the access store implements.

use async_trait::async_trait;
use postroom_model::digest::Digest;

use crate::{Credential, CredentialKind};

/// The access store did not answer or failed.
#[derive(Debug, thiserror::Error)]
#[error("the access store is not available: {0}")]
pub struct AccessError(pub String);

/// Credentials by the hash of their secret. Durable when a call returns.
#[async_trait]
pub trait AccessStore: Send + Sync + std::fmt::Debug {
    async fn put(&self, hash: Digest, credential: Credential) -> Result<(), AccessError>;

    async fn get(&self, hash: Digest) -> Result<Option<Credential>, AccessError>;

    /// Removes and returns; of two callers at once only one gets it.
    async fn take(&self, hash: Digest) -> Result<Option<Credential>, AccessError>;

    async fn list(&self, kind: CredentialKind) -> Result<Vec<(Digest, Credential)>, AccessError>;
}
