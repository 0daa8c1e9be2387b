//! An access store in memory, for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use postroom_model::digest::Digest;

use crate::{AccessError, AccessStore, Credential, CredentialKind};

#[derive(Debug, Default)]
pub struct MemoryAccess(Mutex<BTreeMap<Digest, Credential>>);

impl MemoryAccess {
    fn map(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, Credential>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AccessStore for MemoryAccess {
    async fn put(&self, hash: Digest, credential: Credential) -> Result<(), AccessError> {
        self.map().insert(hash, credential);
        Ok(())
    }

    async fn get(&self, hash: Digest) -> Result<Option<Credential>, AccessError> {
        Ok(self.map().get(&hash).cloned())
    }

    async fn take(&self, hash: Digest) -> Result<Option<Credential>, AccessError> {
        Ok(self.map().remove(&hash))
    }

    async fn list(&self, kind: CredentialKind) -> Result<Vec<(Digest, Credential)>, AccessError> {
        let of_kind = |entry: &(&Digest, &Credential)| entry.1.kind == kind;
        Ok(self.map().iter().filter(of_kind).map(|(hash, found)| (*hash, found.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn memory_access_conforms() {
        crate::conformance::run(&super::MemoryAccess::default()).await;
    }
}
