//! The hints that something was stored: from the writer at once, from other processes by looking.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use crate::{file, inlet, ledger, numbers};

/// How often this process looks for what others wrote.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What was stored, and up to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    Inlet(u64),
    Ledger(u64),
    Records(u64),
}

/// The senders of the three hints.
#[derive(Debug)]
pub(crate) struct Hints {
    pub(crate) inlet: watch::Sender<u64>,
    pub(crate) ledger: watch::Sender<u64>,
    pub(crate) records: watch::Sender<u64>,
}

impl Hints {
    /// Starts at what is stored now.
    pub(crate) fn at(db: &Connection) -> rusqlite::Result<Self> {
        let sender = |seq| watch::Sender::new(seq);
        Ok(Self {
            inlet: sender(inlet::last(db)?),
            ledger: sender(ledger::last(db)?),
            records: sender(records_seq(db)?),
        })
    }

    pub(crate) fn send(&self, hint: Hint) {
        match hint {
            Hint::Inlet(seq) => self.inlet.send_replace(seq),
            Hint::Ledger(seq) => self.ledger.send_replace(seq),
            Hint::Records(seq) => self.records.send_replace(seq),
        };
    }

    /// Wakes only those for whom something is new.
    fn look(&self, db: &Connection) -> rusqlite::Result<()> {
        set(&self.inlet, inlet::last(db)?);
        set(&self.ledger, ledger::last(db)?);
        set(&self.records, records_seq(db)?);
        Ok(())
    }
}

fn set(sender: &watch::Sender<u64>, seq: u64) {
    sender.send_if_modified(|held| std::mem::replace(held, seq) != seq);
}

fn records_seq(db: &Connection) -> rusqlite::Result<u64> {
    let mut statement = db.prepare_cached("SELECT seq FROM standing")?;
    statement.query_row([], |row| row.get(0)).map(numbers::from_sql)
}

/// The thread that looks for what other processes wrote. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Lookout {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lookout {
    pub(crate) fn start(
        path: PathBuf,
        busy_wait: Duration,
        hints: Arc<Hints>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let look = move || look_until(&stopped, &path, busy_wait, &hints);
        let thread = std::thread::Builder::new().name("postroom-lookout".to_owned()).spawn(look)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It holds nothing that a panic could leave half done.
            drop(thread.join());
        }
    }
}

fn look_until(
    stopped: &mpsc::Receiver<()>,
    path: &std::path::Path,
    busy_wait: Duration,
    hints: &Hints,
) {
    let mut db: Option<Connection> = None;
    let mut seen = (0, false);
    while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
        let looked = match db.take() {
            Some(db) => Ok(db),
            None => file::connect_reader(path, busy_wait),
        }
        .and_then(|db| look_once(&db, &mut seen, hints).map(|()| db));
        match looked {
            Ok(used) => db = Some(used),
            Err(error) => tracing::warn!(%error, "cannot see what other processes write"),
        }
    }
}

/// `seen` is the version at which was looked last, and whether something had changed then. What the
/// writer hints while this looks can be overtaken by what was read a moment before, so after each
/// change it looks once more.
fn look_once(db: &Connection, seen: &mut (i64, bool), hints: &Hints) -> rusqlite::Result<()> {
    let version: i64 = db.pragma_query_value(None, "data_version", |row| row.get(0))?;
    let changed = version != seen.0;
    if changed || seen.1 {
        hints.look(db)?;
    }
    *seen = (version, changed);
    Ok(())
}
