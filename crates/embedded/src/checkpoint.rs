//! Bringing the log back into the file, without holding up the writer for long.
//!
//! SQLite's own way copies all of a grown log inside a commit, and every publish of that group waits.
//! Here a thread of its own copies while the writer goes on appending; the writer itself copies only
//! the short rest that came meanwhile, after which SQLite starts the log from its beginning.

use std::path::Path;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::file;

/// Pages in the log from which on it is brought back.
const LOG_PAGES: i64 = 16_000;
/// Pages that the writer may copy between two groups.
const REST_PAGES: i64 = 1_000;
/// Pages in the log from which on the writer copies them all, however long that takes.
const LOG_PAGES_MAX: i64 = 64_000;

/// How long the log is, and how much of it is in the file already, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Log {
    pages: i64,
    copied: i64,
}

/// Belongs to the writer. Its thread ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    ask: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The length of the log at which the writer tries next. A reader can keep the log from being
    /// started anew, and then trying with every group would sync for nothing.
    next_at: i64,
}

impl Checkpointer {
    pub(crate) fn start(path: &Path, busy_wait: Duration) -> Result<Self, std::io::Error> {
        let (ask, asked) = mpsc::sync_channel(1);
        let path = path.to_owned();
        let copy = move || {
            while asked.recv().is_ok() {
                let copied = file::connect_writer(&path, busy_wait).and_then(|db| copy(&db));
                if let Err(error) = copied {
                    tracing::warn!(%error, "the log could not be brought into the file");
                }
            }
        };
        let thread =
            std::thread::Builder::new().name("postroom-checkpoint".to_owned()).spawn(copy)?;
        Ok(Self { ask: Some(ask), thread: Some(thread), next_at: LOG_PAGES })
    }

    /// After each group.
    pub(crate) fn look(&mut self, db: &Connection) {
        if let Err(error) = self.try_look(db) {
            tracing::warn!(%error, "the log could not be brought into the file");
        }
    }

    fn try_look(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let log = checkpoint(db, "PRAGMA wal_checkpoint(NOOP)")?;
        if log.pages < LOG_PAGES {
            self.next_at = LOG_PAGES;
            return Ok(());
        }
        let rest = log.pages - log.copied;
        if rest > REST_PAGES && log.pages < LOG_PAGES_MAX {
            // If it was asked already, it is at it.
            if let Some(Err(TrySendError::Disconnected(()))) =
                self.ask.as_ref().map(|ask| ask.try_send(()))
            {
                copy(db)?;
            }
        } else if rest > 0 && log.pages >= self.next_at {
            copy(db)?;
            self.next_at = log.pages + REST_PAGES;
        }
        Ok(())
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.ask.take());
        if let Some(thread) = self.thread.take() {
            // It holds nothing that a panic could leave half done.
            drop(thread.join());
        }
    }
}

/// Copies what no reader holds back. Does nothing if another connection is copying.
fn copy(db: &Connection) -> rusqlite::Result<()> {
    checkpoint(db, "PRAGMA wal_checkpoint(PASSIVE)").map(drop)
}

fn checkpoint(db: &Connection, pragma: &str) -> rusqlite::Result<Log> {
    let mut statement = db.prepare_cached(pragma)?;
    statement.query_row([], |row| Ok(Log { pages: row.get(1)?, copied: row.get(2)? }))
}
