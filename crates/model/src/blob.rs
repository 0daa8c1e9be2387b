//! What is too large to travel inside an input: named by the hash of its content.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A blob in the blob store.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
pub struct BlobRef {
    pub sha256: Digest,
    pub size_bytes: u64,
}

impl BlobRef {
    pub fn of(content: &[u8]) -> Self {
        Self { sha256: Digest::of(content), size_bytes: content.len() as u64 }
    }
}
