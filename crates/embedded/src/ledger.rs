//! The ledger: a table that only grows, each append fenced by where it ends.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_bus::{BusError, Entry, Ledger, ReadLimits};
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::watch;

use crate::embedded::Store;
use crate::failure::Failure;
use crate::hints::Hint;
use crate::inlet::{check_size, read_entries};
use crate::numbers;
use crate::writer::{About, Written};

#[derive(Debug)]
pub(crate) struct EmbeddedLedger(pub(crate) Arc<Store>);

#[async_trait]
impl Ledger for EmbeddedLedger {
    async fn append(
        &self,
        expected_last: u64,
        events: (u64, u64),
        envelope: Bytes,
    ) -> Result<u64, BusError> {
        let about = About { bytes: check_size(&envelope)?, urgent: false };
        let insert = move |db: &Connection| {
            let actual = last(db)?;
            if actual != expected_last {
                return Err(Failure::Fenced { expected: expected_last, actual });
            }
            let seq = actual + 1;
            let sql = "INSERT INTO ledger (seq, first_event, last_event, envelope)
                VALUES (?1, ?2, ?3, ?4)";
            let (first, last) = (numbers::to_sql(events.0), numbers::to_sql(events.1));
            let mut statement = db.prepare_cached(sql)?;
            statement.execute((numbers::to_sql(seq), first, last, &envelope[..]))?;
            let entry = Entry { seq, bytes: envelope.clone() };
            Ok(Written { value: seq, hint: Some(Hint::Ledger(entry)) })
        };
        Ok(self.0.truth.writer.write(about, insert).await?)
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        if let Some(recent) = self.0.hints.recent_ledger.after(after, limits) {
            return Ok(recent);
        }
        let sql = "SELECT seq, envelope FROM ledger WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let read =
            move |db: &Connection| read_entries(&mut *db.prepare_cached(sql)?, after, limits);
        Ok(self.0.truth.readers.read(read).await?)
    }

    async fn tail(&self) -> Result<Option<Entry>, BusError> {
        let read = |db: &Connection| {
            let sql = "SELECT seq, envelope FROM ledger ORDER BY seq DESC LIMIT 1";
            let mut statement = db.prepare_cached(sql)?;
            let tail = statement.query_row([], |row| {
                let bytes: Vec<u8> = row.get(1)?;
                Ok(Entry { seq: numbers::from_sql(row.get(0)?), bytes: bytes.into() })
            });
            Ok(tail.optional()?)
        };
        Ok(self.0.truth.readers.read(read).await?)
    }

    async fn find(&self, position: u64) -> Result<Option<u64>, BusError> {
        let read = move |db: &Connection| {
            let sql = "SELECT seq FROM ledger
                WHERE last_event >= ?1 AND first_event <= last_event
                ORDER BY last_event, seq LIMIT 1";
            let mut statement = db.prepare_cached(sql)?;
            let seq = statement.query_row([numbers::to_sql(position)], |row| row.get(0));
            Ok(seq.optional()?.map(numbers::from_sql))
        };
        Ok(self.0.truth.readers.read(read).await?)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.hints.ledger.subscribe()
    }
}

/// The sequence at which the ledger ends, 0 if it is empty.
pub(crate) fn last(db: &Connection) -> rusqlite::Result<u64> {
    let mut statement = db.prepare_cached("SELECT seq FROM ledger ORDER BY seq DESC LIMIT 1")?;
    let last: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(last.map_or(0, numbers::from_sql))
}
