//! The opened data folder and the four stores in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postroom_access::AccessStore;
use postroom_bus::{Inlet, Ledger};
use postroom_records::Records;

use crate::access::EmbeddedAccess;
use crate::checkpoint::Checkpointer;
use crate::hints::{Hints, Lookout};
use crate::inlet::EmbeddedInlet;
use crate::ledger::EmbeddedLedger;
use crate::readers::Readers;
use crate::records::EmbeddedRecords;
use crate::writer::Writer;
use crate::{EmbeddedError, file};

/// What may be set; the defaults are for a server.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Reads at the same time; more wait.
    pub readers_max: usize,
    /// For how long a write waits for another process that writes, before it is told to come again.
    pub busy_wait: Duration,
    /// Pages of 4 KiB that the file may grow to; none means as many as the disk has room for.
    pub pages_max: Option<u32>,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self { readers_max: 8, busy_wait: Duration::from_secs(5), pages_max: None }
    }
}

/// A data folder in use. Cheap to clone; the file is closed when the last handle and the last store
/// are dropped, after everything that waits is written.
#[derive(Debug, Clone)]
pub struct Embedded(Arc<Store>);

/// What all stores share. The order is that of dropping: the writer ends last, so that it is its
/// connection that leaves the file without a log beside it.
#[derive(Debug)]
pub(crate) struct Store {
    _lookout: Lookout,
    pub(crate) readers: Readers,
    pub(crate) writer: Writer,
    pub(crate) hints: Arc<Hints>,
}

impl Embedded {
    /// Opens `postroom.db` in the folder, and makes both if there are none. What is there and is not
    /// ours, is newer or is damaged stays untouched. Blocks for as long as the disk takes.
    pub fn open(
        folder: impl AsRef<Path>,
        options: &EmbeddedOptions,
    ) -> Result<Self, EmbeddedError> {
        let busy_wait = options.busy_wait;
        let path = file::prepare(folder.as_ref(), busy_wait)?;
        let of_sqlite = |error: rusqlite::Error| EmbeddedError::of_sqlite(&path, &error);
        let unavailable = |error: std::io::Error| EmbeddedError::unavailable(&path, error);
        let db = file::connect_writer(&path, busy_wait).map_err(of_sqlite)?;
        if let Some(pages_max) = options.pages_max {
            let set = db.pragma_update_and_check(None, "max_page_count", pages_max, |_| Ok(()));
            set.map_err(of_sqlite)?;
        }
        let hints = Arc::new(Hints::at(&db).map_err(of_sqlite)?);
        let checkpointer = Checkpointer::start(&path, busy_wait).map_err(unavailable)?;
        let writer = Writer::start(db, checkpointer, Arc::clone(&hints)).map_err(unavailable)?;
        let lookout = Lookout::start(path.clone(), busy_wait, Arc::clone(&hints));
        let lookout = lookout.map_err(unavailable)?;
        let readers = Readers::new(path, busy_wait, options.readers_max);
        Ok(Self(Arc::new(Store { _lookout: lookout, readers, writer, hints })))
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
