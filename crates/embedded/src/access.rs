//! The access store: credentials by the hash of their secret.

use std::sync::Arc;

use async_trait::async_trait;
use postroom_access::{AccessError, AccessStore, Credential, CredentialKind};
use postroom_model::digest::Digest;
use rusqlite::{Connection, OptionalExtension as _};

use crate::embedded::Store;
use crate::failure::Failure;
use crate::writer::{About, Written};

#[derive(Debug)]
pub(crate) struct EmbeddedAccess(pub(crate) Arc<Store>);

#[async_trait]
impl AccessStore for EmbeddedAccess {
    async fn put(&self, hash: Digest, credential: Credential) -> Result<(), AccessError> {
        let data = serde_json::to_vec(&credential).map_err(Failure::from)?;
        let kind = number(credential.kind);
        let insert = move |db: &Connection| {
            let sql = "INSERT INTO access (hash, kind, data) VALUES (?1, ?2, ?3)
                ON CONFLICT (hash) DO UPDATE SET kind = excluded.kind, data = excluded.data";
            db.prepare_cached(sql)?.execute((&hash.0, kind, &data))?;
            Ok(Written { value: (), hint: None })
        };
        Ok(self.0.truth.writer.write(About::default(), insert).await?)
    }

    async fn get(&self, hash: Digest) -> Result<Option<Credential>, AccessError> {
        let read = move |db: &Connection| {
            let mut statement = db.prepare_cached("SELECT data FROM access WHERE hash = ?1")?;
            let data: Option<Vec<u8>> =
                statement.query_row([&hash.0], |row| row.get(0)).optional()?;
            data.map(|data| decode(&data)).transpose()
        };
        Ok(self.0.truth.readers.read(read).await?)
    }

    async fn take(&self, hash: Digest) -> Result<Option<Credential>, AccessError> {
        let delete = move |db: &Connection| {
            let sql = "DELETE FROM access WHERE hash = ?1 RETURNING data";
            let mut statement = db.prepare_cached(sql)?;
            let data: Option<Vec<u8>> =
                statement.query_row([&hash.0], |row| row.get(0)).optional()?;
            let value = data.map(|data| decode(&data)).transpose()?;
            Ok(Written { value, hint: None })
        };
        Ok(self.0.truth.writer.write(About::default(), delete).await?)
    }

    async fn list(&self, kind: CredentialKind) -> Result<Vec<(Digest, Credential)>, AccessError> {
        let read = move |db: &Connection| {
            let sql = "SELECT hash, data FROM access WHERE kind = ?1 ORDER BY hash";
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([number(kind)])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let data: Vec<u8> = row.get(1)?;
                found.push((Digest(row.get(0)?), decode(&data)?));
            }
            Ok(found)
        };
        Ok(self.0.truth.readers.read(read).await?)
    }
}

fn decode(data: &[u8]) -> Result<Credential, Failure> {
    Ok(serde_json::from_slice(data)?)
}

/// How a kind stands in its column.
const fn number(kind: CredentialKind) -> u8 {
    match kind {
        CredentialKind::Token => 0,
        CredentialKind::Link => 1,
        CredentialKind::Session => 2,
    }
}
