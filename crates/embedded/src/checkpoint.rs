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
use crate::schema::Part;

/// When the log is brought back, in pages.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// The length of the log from which on it is brought back.
    log: i64,
    /// What the writer may copy between two groups.
    rest: i64,
    /// The length of the log from which on the writer copies all of it, however long that takes.
    log_max: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { log: 16_000, rest: 1_000, log_max: 64_000 }
    }
}

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
    limits: Limits,
    /// The length of the log at which the writer tries next. A reader can keep the log from being
    /// started anew, and then trying with every group would sync for nothing.
    next_at: i64,
}

impl Checkpointer {
    pub(crate) fn start(
        path: &Path,
        part: &'static Part,
        busy_wait: Duration,
        begin: fn(),
    ) -> std::io::Result<Self> {
        Self::start_with(path, (part, Limits::default()), busy_wait, begin)
    }

    fn start_with(
        path: &Path,
        (part, limits): (&'static Part, Limits),
        busy_wait: Duration,
        begin: fn(),
    ) -> std::io::Result<Self> {
        let (ask, asked) = mpsc::sync_channel(1);
        let path = path.to_owned();
        let copy = move || {
            begin();
            while asked.recv().is_ok() {
                let copied = file::connect_writer(&path, part, busy_wait).and_then(|db| copy(&db));
                if let Err(error) = copied {
                    tracing::warn!(%error, "the log could not be brought into the file");
                }
            }
        };
        let thread =
            std::thread::Builder::new().name("postroom-checkpoint".to_owned()).spawn(copy)?;
        Ok(Self { ask: Some(ask), thread: Some(thread), limits, next_at: limits.log })
    }

    /// After each group.
    pub(crate) fn look(&mut self, db: &Connection) {
        if let Err(error) = self.try_look(db) {
            tracing::warn!(%error, "the log could not be brought into the file");
        }
    }

    fn try_look(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let limits = self.limits;
        let log = measure(db)?;
        if log.pages < limits.log {
            self.next_at = limits.log;
            return Ok(());
        }
        let rest = log.pages - log.copied;
        if rest > limits.rest && log.pages < limits.log_max {
            // If it was asked already, it is at it.
            if let Some(Err(TrySendError::Disconnected(()))) =
                self.ask.as_ref().map(|ask| ask.try_send(()))
            {
                copy(db)?;
            }
        } else if rest > 0 && log.pages >= self.next_at {
            // While the thread copies, the next group tries again.
            if copy(db)? == Copied::Done {
                self.next_at = log.pages + limits.rest;
            }
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    /// All that no reader holds back.
    Done,
    /// Nothing: another connection is copying.
    Busy,
}

fn copy(db: &Connection) -> rusqlite::Result<Copied> {
    let mut statement = db.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
    let busy: bool = statement.query_row([], |row| row.get(0))?;
    Ok(if busy { Copied::Busy } else { Copied::Done })
}

fn measure(db: &Connection) -> rusqlite::Result<Log> {
    let mut statement = db.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
    statement.query_row([], |row| Ok(Log { pages: row.get(1)?, copied: row.get(2)? }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Checkpointer, Limits, measure};
    use crate::file;
    use crate::schema::TRUTH;

    #[test]
    fn log_is_brought_back_while_the_writer_writes_on() {
        let folder = tempfile::tempdir().unwrap();
        let wait = Duration::from_secs(5);
        let path = file::prepare(folder.path(), &TRUTH, wait).unwrap();
        let db = file::connect_writer(&path, &TRUTH, wait).unwrap();
        let limits = Limits { log: 40, rest: 20, log_max: 100 };
        let mut checkpointer =
            Checkpointer::start_with(&path, (&TRUTH, limits), wait, || {}).unwrap();
        // How often the thread gets a turn is the machine's affair, so this counts restarts and not
        // writes; without them the log would have some 9,000 pages at the end.
        let (mut restarts, mut before) = (0, 0);
        for _ in 0..3_000 {
            db.execute("INSERT INTO inlet (batch) VALUES (zeroblob(6000))", []).unwrap();
            checkpointer.look(&db);
            let pages = measure(&db).unwrap().pages;
            restarts += i32::from(pages < before);
            before = pages;
            if restarts == 5 {
                return;
            }
        }
        panic!("{restarts} restarts, {before} pages");
    }

    #[test]
    fn reader_that_holds_the_log_does_not_make_every_group_copy() {
        let folder = tempfile::tempdir().unwrap();
        let wait = Duration::from_secs(5);
        let path = file::prepare(folder.path(), &TRUTH, wait).unwrap();
        let db = file::connect_writer(&path, &TRUTH, wait).unwrap();
        let limits = Limits { log: 10, rest: 1_000, log_max: 2_000 };
        let mut checkpointer =
            Checkpointer::start_with(&path, (&TRUTH, limits), wait, || {}).unwrap();
        let insert = "INSERT INTO inlet (batch) VALUES (zeroblob(6000))";
        db.execute(insert, []).unwrap();
        let reader = file::connect_reader(&path, wait).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM inlet;").unwrap();
        let mut tries = std::collections::BTreeSet::new();
        for _ in 0..50 {
            db.execute(insert, []).unwrap();
            checkpointer.look(&db);
            tries.insert(checkpointer.next_at);
        }
        assert_eq!(tries.len(), 2, "waits for the log to grow before it tries again: {tries:?}");
    }
}
