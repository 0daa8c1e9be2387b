//! The access store: a key-value bucket, a key for the hash of each secret. It is read from the
//! leader, so that a token that was removed is removed for everybody at once.

use std::sync::Arc;

use async_nats::HeaderMap;
use async_trait::async_trait;
use bytes::Bytes;
use postroom_access::{AccessError, AccessStore, Credential, CredentialKind};
use postroom_bus::ReadLimits;
use postroom_model::Clock;
use postroom_model::digest::Digest;

use crate::answers::Which;
use crate::api::Api;
use crate::entry::{KV_OPERATION, Stored};
use crate::limits::{MARK_SECONDS, TAKE_TRIES};
use crate::names::Names;
use crate::reader::Reader;
use crate::refusal::Failure;

const TTL: &str = "Nats-TTL";
const EXPECTED_LAST_OF_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence";

#[derive(Debug)]
pub(crate) struct NatsAccess {
    api: Api,
    names: Names,
    clock: Arc<dyn Clock>,
    reader: Reader,
}

impl NatsAccess {
    pub(crate) fn new(api: Api, names: Names, clock: Arc<dyn Clock>) -> Self {
        let reader = Reader::new(api.clone(), &names.access, false);
        Self { api, names, clock, reader }
    }

    fn subject(&self, hash: Digest) -> String {
        format!("{}{hash}", self.names.access_prefix())
    }

    async fn stored(&self, hash: Digest) -> Result<Option<Stored>, Failure> {
        let subject = self.subject(hash);
        let which = Which::Last { last_by_subj: &subject };
        let stored = self.api.message(&self.names.access, which).await?;
        Ok(stored.filter(|stored| !is_mark(stored)))
    }

    async fn write(&self, hash: Digest, headers: HeaderMap, data: Bytes) -> Result<(), Failure> {
        self.api.publish(&self.names.access, self.subject(hash), headers, data).await?;
        Ok(())
    }

    /// For how long the server keeps a credential that ends: a while beyond its end, for clocks
    /// differ, and the end itself is checked by whoever reads it.
    fn seconds_left(&self, credential: &Credential) -> Option<i64> {
        let expires_at = credential.expires_at?;
        let left = expires_at.millis().saturating_sub(self.clock.now().millis()) / 1_000;
        Some(left.max(0).saturating_add(MARK_SECONDS))
    }
}

#[async_trait]
impl AccessStore for NatsAccess {
    async fn put(&self, hash: Digest, credential: Credential) -> Result<(), AccessError> {
        let data = serde_json::to_vec(&credential).map_err(unreadable)?;
        let mut headers = HeaderMap::new();
        if let Some(seconds) = self.seconds_left(&credential) {
            headers.insert(TTL, format!("{seconds}s"));
        }
        Ok(self.write(hash, headers, data.into()).await?)
    }

    async fn get(&self, hash: Digest) -> Result<Option<Credential>, AccessError> {
        self.stored(hash).await?.map(|stored| decode(&stored)).transpose()
    }

    async fn take(&self, hash: Digest) -> Result<Option<Credential>, AccessError> {
        for _ in 0..TAKE_TRIES {
            let Some(stored) = self.stored(hash).await? else {
                return Ok(None);
            };
            let credential = decode(&stored)?;
            let mut headers = HeaderMap::new();
            headers.insert(KV_OPERATION, "DEL");
            headers.insert(EXPECTED_LAST_OF_SUBJECT, stored.seq.to_string());
            headers.insert(TTL, format!("{MARK_SECONDS}s"));
            match self.write(hash, headers, Bytes::new()).await {
                Ok(()) => return Ok(Some(credential)),
                // Somebody took or changed it in between.
                Err(Failure::Refused(refusal)) if refusal.is_wrong_last() => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(AccessError("others change this credential all the time".to_owned()))
    }

    async fn list(&self, kind: CredentialKind) -> Result<Vec<(Digest, Credential)>, AccessError> {
        let state = self.api.stream(&self.names.access).await?;
        let known = state.map_or(0, |info| info.state.last_seq);
        let mut found = std::collections::BTreeMap::new();
        let mut after = 0;
        while after < known {
            let read = self.reader.read(after, 0, ReadLimits::default()).await;
            let read = read.map_err(|error| AccessError(error.to_string()))?;
            let Some(last) = read.last() else {
                break;
            };
            after = last.seq;
            for stored in &read {
                if let Some(hash) = self.hash_of(stored) {
                    // A later entry of the same key takes the place of an earlier one.
                    found.remove(&hash);
                    if !is_mark(stored) {
                        found.insert(hash, decode(stored)?);
                    }
                }
            }
        }
        Ok(found.into_iter().filter(|(_, credential)| credential.kind == kind).collect())
    }
}

impl NatsAccess {
    fn hash_of(&self, stored: &Stored) -> Option<Digest> {
        stored.subject.strip_prefix(&self.names.access_prefix())?.parse().ok()
    }
}

/// Whether the entry says that the key was removed; the server writes such ones too.
fn is_mark(stored: &Stored) -> bool {
    stored.headers.get(KV_OPERATION).is_some() || stored.headers.get("Nats-Marker-Reason").is_some()
}

fn decode(stored: &Stored) -> Result<Credential, AccessError> {
    serde_json::from_slice(&stored.bytes).map_err(unreadable)
}

/// The words name no value, only what was expected.
#[expect(clippy::needless_pass_by_value, reason = "errors are handed over whole")]
fn unreadable(error: serde_json::Error) -> AccessError {
    AccessError(format!("a credential is not readable (line {})", error.line()))
}
