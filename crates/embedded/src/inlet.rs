//! The inlet: a table that grows at one end and is trimmed at the other.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_bus::{BusError, Entry, Inlet, ReadLimits, Submission};
use rusqlite::{Connection, OptionalExtension as _, Statement};
use tokio::sync::watch;

use crate::embedded::Store;
use crate::failure::Failure;
use crate::hints::Hint;
use crate::numbers;
use crate::writer::{About, Written};

/// Bytes in one entry of inlet or ledger.
pub(crate) const ENTRY_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Entries forgotten in one piece, so that publishes get in between.
const TRIM_ENTRIES: i64 = 500;

#[derive(Debug)]
pub(crate) struct EmbeddedInlet(pub(crate) Arc<Store>);

#[async_trait]
impl Inlet for EmbeddedInlet {
    async fn publish(&self, batch: Bytes) -> Result<u64, BusError> {
        let about = About { bytes: check_size(&batch)?, urgent: true };
        let insert = move |db: &Connection| {
            let seq = insert(db, &batch)?;
            let entry = Entry { seq, bytes: batch.clone() };
            Ok(Written { value: seq, hint: Some(Hint::Inlet(entry)) })
        };
        Ok(self.0.truth.writer.write_now(about, insert).await?)
    }

    fn submit(&self, submission: Submission) -> Result<(), Submission> {
        self.0.truth.writer.submit(submission);
        Ok(())
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        if let Some(recent) = self.0.hints.recent_inlet.after(after, limits) {
            return Ok(recent);
        }
        let sql = "SELECT seq, batch FROM inlet WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let read =
            move |db: &Connection| read_entries(&mut *db.prepare_cached(sql)?, after, limits);
        Ok(self.0.truth.readers.read(read).await?)
    }

    async fn last(&self) -> Result<u64, BusError> {
        Ok(self.0.truth.readers.read(|db| Ok(last(db)?)).await?)
    }

    async fn trim(&self, through: u64) -> Result<(), BusError> {
        self.0.hints.recent_inlet.trim(through);
        let through = numbers::to_sql(through);
        loop {
            let delete = move |db: &Connection| {
                let sql = "DELETE FROM inlet WHERE seq IN
                    (SELECT seq FROM inlet WHERE seq <= ?1 ORDER BY seq LIMIT ?2)";
                let value = db.prepare_cached(sql)?.execute([through, TRIM_ENTRIES])?;
                Ok(Written { value, hint: None })
            };
            let trimmed = self.0.truth.writer.write(About::default(), delete).await?;
            if numbers::limit_to_sql(trimmed) < TRIM_ENTRIES {
                return Ok(());
            }
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.hints.inlet.subscribe()
    }
}

/// Stores a batch and gives its sequence.
pub(crate) fn insert(db: &Connection, batch: &Bytes) -> Result<u64, Failure> {
    db.prepare_cached("INSERT INTO inlet (batch) VALUES (?1)")?.execute([&batch[..]])?;
    Ok(numbers::from_sql(db.last_insert_rowid()))
}

/// The last sequence given, whether its entry was trimmed or not.
pub(crate) fn last(db: &Connection) -> rusqlite::Result<u64> {
    let mut statement =
        db.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'inlet'")?;
    let last: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(last.map_or(0, numbers::from_sql))
}

/// The number of bytes, if an entry may have that many.
pub(crate) fn check_size(entry: &Bytes) -> Result<usize, Failure> {
    let (bytes, bytes_max) = (entry.len(), ENTRY_BYTES_MAX);
    if bytes > bytes_max { Err(Failure::TooLarge { bytes, bytes_max }) } else { Ok(bytes) }
}

/// Entries after `after`. The statement gives sequence and bytes, and takes `after` and a limit.
pub(crate) fn read_entries(
    statement: &mut Statement<'_>,
    after: u64,
    limits: ReadLimits,
) -> Result<Vec<Entry>, Failure> {
    let entries_max = numbers::limit_to_sql(limits.entries_max.max(1));
    let mut rows = statement.query([numbers::to_sql(after), entries_max])?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut bytes = 0_usize;
    while let Some(row) = rows.next()? {
        let content = row.get_ref(1)?.as_blob()?;
        bytes = bytes.saturating_add(content.len());
        if bytes > limits.bytes_max && !entries.is_empty() {
            break;
        }
        let seq = numbers::from_sql(row.get(0)?);
        entries.push(Entry { seq, bytes: Bytes::copy_from_slice(content) });
    }
    Ok(entries)
}
