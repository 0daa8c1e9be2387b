//! The opened data folder and the four stores in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postroom_access::AccessStore;
use postroom_bus::{Inlet, Ledger};
use postroom_records::Records;
use rusqlite::Connection;

use crate::access::EmbeddedAccess;
use crate::checkpoint::Checkpointer;
use crate::hints::{Hints, Lookout};
use crate::inlet::EmbeddedInlet;
use crate::ledger::EmbeddedLedger;
use crate::place::Place;
use crate::readers::Readers;
use crate::records::{self, EmbeddedRecords, Seen};
use crate::schema::{Part, RECORDS, TRUTH};
use crate::writer::Writer;
use crate::{EmbeddedError, file};

/// What may be set; the defaults are for a server.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Reads at the same time; more wait.
    pub readers_max: usize,
    /// For how long a write waits for another process that writes, before it is told to come again.
    pub busy_wait: Duration,
    /// Pages of 4 KiB that each file may grow to; none means as many as the disk has room for.
    pub pages_max: Option<u32>,
    /// Called by each thread that writes the records, as it starts. A server gives them a lower claim
    /// to the processors than those for which somebody outside waits.
    pub records_thread: fn(),
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            readers_max: 8,
            busy_wait: Duration::from_secs(5),
            pages_max: None,
            records_thread: || {},
        }
    }
}

/// A data folder in use. Cheap to clone; the file is closed when the last handle and the last store
/// are dropped, after everything that waits is written.
#[derive(Debug, Clone)]
pub struct Embedded(Arc<Store>);

/// What all stores share. The order is that of dropping: in each file the writer ends last, so that
/// it is its connection that leaves the file without a log beside it.
#[derive(Debug)]
pub(crate) struct Store {
    _lookout: Lookout,
    pub(crate) truth: Opened,
    pub(crate) records: Opened,
    pub(crate) hints: Arc<Hints>,
    pub(crate) seen: Seen,
}

/// One file in use.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) place: Place,
    pub(crate) readers: Readers,
    pub(crate) writer: Writer,
}

impl Opened {
    fn start(
        (path, part): (&Path, &'static Part),
        db: Connection,
        options: &EmbeddedOptions,
        thread: fn(),
        hints: &Arc<Hints>,
    ) -> Result<Self, EmbeddedError> {
        let unavailable = |error: std::io::Error| EmbeddedError::unavailable(path, error);
        let busy_wait = options.busy_wait;
        let place = Place::of(path).map_err(unavailable)?;
        let checkpointer = Checkpointer::start(path, part, busy_wait, thread);
        let checkpointer = checkpointer.map_err(unavailable)?;
        let writer = Writer::start(db, checkpointer, thread, Arc::clone(hints));
        let writer = writer.map_err(unavailable)?;
        let readers = Readers::new(path.to_owned(), busy_wait, options.readers_max);
        Ok(Self { place, readers, writer })
    }
}

/// Finds or makes a file of the folder and connects to it for writing.
fn connect(
    folder: &Path,
    part: &Part,
    options: &EmbeddedOptions,
) -> Result<(PathBuf, Connection), EmbeddedError> {
    let path = file::prepare(folder, part, options.busy_wait)?;
    let of_sqlite = |error: rusqlite::Error| EmbeddedError::of_sqlite(&path, &error);
    let db = file::connect_writer(&path, part, options.busy_wait).map_err(of_sqlite)?;
    if let Some(pages_max) = options.pages_max {
        let set = db.pragma_update_and_check(None, "max_page_count", pages_max, |_| Ok(()));
        set.map_err(of_sqlite)?;
    }
    Ok((path, db))
}

impl Embedded {
    /// Opens `postroom.db` and `records.db` in the folder, and makes what there is not. What is there
    /// and is not ours, is newer or is damaged stays untouched. Blocks for as long as the disk takes.
    pub fn open(
        folder: impl AsRef<Path>,
        options: &EmbeddedOptions,
    ) -> Result<Self, EmbeddedError> {
        let (truth, truth_db) = connect(folder.as_ref(), &TRUTH, options)?;
        let (records, records_db) = connect(folder.as_ref(), &RECORDS, options)?;
        records::begin(&records_db).map_err(|error| EmbeddedError::of_sqlite(&records, &error))?;
        let hints = Hints::at(&truth_db, &records_db);
        let hints = Arc::new(hints.map_err(|error| EmbeddedError::of_sqlite(&truth, &error))?);
        let opened_truth = Opened::start((&truth, &TRUTH), truth_db, options, || {}, &hints)?;
        let thread = options.records_thread;
        let opened_records =
            Opened::start((&records, &RECORDS), records_db, options, thread, &hints)?;
        let lookout = Lookout::start(truth.clone(), records, options.busy_wait, Arc::clone(&hints));
        let lookout = lookout.map_err(|error| EmbeddedError::unavailable(&truth, error))?;
        let (truth, records) = (opened_truth, opened_records);
        let seen = Seen::default();
        Ok(Self(Arc::new(Store { _lookout: lookout, truth, records, hints, seen })))
    }

    pub fn inlet(&self) -> Arc<dyn Inlet> {
        Arc::new(EmbeddedInlet(Arc::clone(&self.0)))
    }

    pub fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(EmbeddedLedger(Arc::clone(&self.0)))
    }

    pub fn records(&self) -> Arc<dyn Records> {
        Arc::new(EmbeddedRecords(Arc::clone(&self.0)))
    }

    pub fn access(&self) -> Arc<dyn AccessStore> {
        Arc::new(EmbeddedAccess(Arc::clone(&self.0)))
    }
}
