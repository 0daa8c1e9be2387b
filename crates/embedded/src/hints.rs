//! The hints that something was stored: from the writer at once, from other processes by looking.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use postroom_bus::Entry;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::recent::Recent;
use crate::{file, inlet, ledger, numbers};

/// How often this process looks for what others wrote.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What was stored, and up to where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint {
    Inlet(Entry),
    Ledger(Entry),
    Records(u64),
}

/// The senders of the three hints, and the newest of what they hint at.
#[derive(Debug)]
pub(crate) struct Hints {
    pub(crate) inlet: watch::Sender<u64>,
    pub(crate) ledger: watch::Sender<u64>,
    pub(crate) records: watch::Sender<u64>,
    pub(crate) recent_inlet: Recent,
    pub(crate) recent_ledger: Recent,
}

impl Hints {
    /// All at 0, as in new files.
    pub(crate) fn from_nothing() -> Self {
        let sender = || watch::Sender::new(0);
        Self {
            inlet: sender(),
            ledger: sender(),
            records: sender(),
            recent_inlet: Recent::default(),
            recent_ledger: Recent::default(),
        }
    }

    /// Starts at what is stored now.
    pub(crate) fn at(truth: &Connection, records: &Connection) -> rusqlite::Result<Self> {
        let hints = Self::from_nothing();
        hints.look_at_truth(truth)?;
        hints.look_at_records(records)?;
        Ok(hints)
    }

    /// Who hears of an entry also finds it.
    pub(crate) fn send(&self, hint: Hint) {
        let (hinted, seq) = match hint {
            Hint::Inlet(entry) => {
                let seq = entry.seq;
                self.recent_inlet.push(entry);
                (&self.inlet, seq)
            }
            Hint::Ledger(entry) => {
                let seq = entry.seq;
                self.recent_ledger.push(entry);
                (&self.ledger, seq)
            }
            Hint::Records(seq) => (&self.records, seq),
        };
        hinted.send_replace(seq);
    }

    /// Wakes only those for whom something is new.
    fn look_at_truth(&self, db: &Connection) -> rusqlite::Result<()> {
        set(&self.inlet, inlet::last(db)?);
        set(&self.ledger, ledger::last(db)?);
        Ok(())
    }

    fn look_at_records(&self, db: &Connection) -> rusqlite::Result<()> {
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

/// Looks at one file and sends what is new there.
type Look = fn(&Hints, &Connection) -> rusqlite::Result<()>;

/// The thread that looks for what other processes wrote. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Lookout {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lookout {
    pub(crate) fn start(
        truth: PathBuf,
        records: PathBuf,
        busy_wait: Duration,
        hints: Arc<Hints>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let watched = [
            Watched::new(truth, Hints::look_at_truth),
            Watched::new(records, Hints::look_at_records),
        ];
        let look = move || look_until(&stopped, watched, busy_wait, &hints);
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
    mut watched: [Watched; 2],
    busy_wait: Duration,
    hints: &Hints,
) {
    while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
        for file in &mut watched {
            if let Err(error) = file.look(busy_wait, hints) {
                tracing::warn!(%error, "cannot see what other processes write");
            }
        }
    }
}

/// A file that other processes write too.
struct Watched {
    path: PathBuf,
    look: Look,
    db: Option<Connection>,
    /// The version at which was looked last, and whether something had changed then.
    seen: (i64, bool),
}

impl Watched {
    fn new(path: PathBuf, look: Look) -> Self {
        Self { path, look, db: None, seen: (0, false) }
    }

    /// What the writer hints while this looks can be overtaken by what was read a moment before, so
    /// after each change it looks once more.
    fn look(&mut self, busy_wait: Duration, hints: &Hints) -> rusqlite::Result<()> {
        let db = match self.db.take() {
            Some(db) => db,
            None => file::connect_reader(&self.path, busy_wait)?,
        };
        let version: i64 = db.pragma_query_value(None, "data_version", |row| row.get(0))?;
        let changed = version != self.seen.0;
        if changed || self.seen.1 {
            (self.look)(hints, &db)?;
        }
        self.seen = (version, changed);
        self.db = Some(db);
        Ok(())
    }
}
