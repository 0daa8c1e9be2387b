//! A bare file of the same engine, settings and group commit, and nothing of Postroom in it.
//!
//! Only `postroom bench` uses it: what a server could reach that does no more than store is the
//! measure of what the product reaches. Nothing else may be built on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroom_bus::BusError;
use rusqlite::{Connection, params};

use crate::checkpoint::Checkpointer;
use crate::hints::Hints;
use crate::schema::{PAGE_BYTES, Part, RECORDS, TRUTH};
use crate::writer::{About, Writer, Written};
use crate::{EmbeddedError, file};

const BUSY_WAIT: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE log (seq INTEGER PRIMARY KEY AUTOINCREMENT, content BLOB NOT NULL) STRICT;
CREATE TABLE timeline (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, data BLOB NOT NULL) STRICT;
CREATE TABLE conversation (
    n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, data BLOB NOT NULL
) STRICT;
CREATE TABLE seen (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, data BLOB NOT NULL) STRICT;
";

/// What one message writes: a new row of a timeline, a new or changed row of a conversation, a new
/// row of an input that was seen. Keys are those of the product in size.
#[derive(Debug, Clone)]
pub struct RawMessage {
    pub timeline: ([u8; 24], Bytes),
    pub conversation: ([u8; 16], Bytes),
    pub seen: ([u8; 16], Bytes),
}

/// The bare file. It is closed when this is dropped, after what waits is written.
#[derive(Debug)]
pub struct RawStore {
    writer: Writer,
}

impl RawStore {
    /// Makes a file as durable as that of inlet and ledger in a folder that has none. Blocks for as
    /// long as the disk takes.
    pub fn create_log(folder: &Path) -> Result<Self, EmbeddedError> {
        Self::create(folder, &TRUTH)
    }

    /// Makes a file as durable as that of the records.
    pub fn create_records(folder: &Path) -> Result<Self, EmbeddedError> {
        Self::create(folder, &RECORDS)
    }

    fn create(folder: &Path, like: &'static Part) -> Result<Self, EmbeddedError> {
        let path = folder.join("raw.db");
        let of_sqlite = |error: rusqlite::Error| EmbeddedError::of_sqlite(&path, &error);
        let unavailable = |error: std::io::Error| EmbeddedError::unavailable(&path, error);
        fill(&path).map_err(of_sqlite)?;
        let db = file::connect_writer(&path, like, BUSY_WAIT).map_err(of_sqlite)?;
        let checkpointer =
            Checkpointer::start(&path, like, BUSY_WAIT, || {}).map_err(unavailable)?;
        let writer = Writer::start(db, checkpointer, || {}, Arc::new(Hints::from_nothing()));
        Ok(Self { writer: writer.map_err(unavailable)? })
    }

    /// Stores the bytes as one row, in one transaction with whatever else waits, and returns when
    /// they are on the disk.
    pub async fn append(&self, content: Bytes) -> Result<(), BusError> {
        let about = About { bytes: content.len(), urgent: true };
        let insert = move |db: &Connection| {
            db.prepare_cached("INSERT INTO log (content) VALUES (?1)")?.execute([&content[..]])?;
            Ok(Written { value: (), hint: None })
        };
        Ok(self.writer.write(about, insert).await?)
    }

    /// Stores a batch in one transaction, three rows a message.
    pub async fn write(&self, batch: Vec<RawMessage>) -> Result<(), BusError> {
        let write = move |db: &Connection| {
            let mut timeline = db.prepare_cached(
                "INSERT INTO timeline (id, data) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            )?;
            let mut conversation = db.prepare_cached(
                "INSERT INTO conversation (id, data) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            )?;
            let mut seen = db.prepare_cached(
                "INSERT INTO seen (id, data) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            )?;
            for message in &batch {
                timeline.execute(params![message.timeline.0, &message.timeline.1[..]])?;
                conversation
                    .execute(params![message.conversation.0, &message.conversation.1[..]])?;
                seen.execute(params![message.seen.0, &message.seen.1[..]])?;
            }
            Ok(Written { value: (), hint: None })
        };
        Ok(self.writer.write(About::default(), write).await?)
    }
}

/// The pragmas of the product's file.
fn fill(path: &PathBuf) -> rusqlite::Result<()> {
    let db = Connection::open(path)?;
    db.pragma_update(None, "page_size", PAGE_BYTES)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute_batch(TABLES)?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.close().map_err(|(_, error)| error)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rusqlite::Connection;

    use super::{RawMessage, RawStore};

    #[tokio::test]
    async fn what_was_answered_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = RawStore::create_log(folder.path()).unwrap();
        store.append(Bytes::from_static(b"one")).await.unwrap();
        let message = |n: u8| RawMessage {
            timeline: ([n; 24], Bytes::from_static(b"said")),
            conversation: ([7; 16], Bytes::from(vec![n])),
            seen: ([n; 16], Bytes::from_static(b"outcome")),
        };
        store.write(vec![message(1), message(2)]).await.unwrap();
        let db = Connection::open(folder.path().join("raw.db")).unwrap();
        let count = |table: &str| -> i64 {
            db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        assert_eq!(
            ["log", "timeline", "conversation", "seen"].map(count),
            [1, 2, 1, 2],
            "a conversation is written anew by its second message"
        );
        let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }
}
