//! Connections for reading: a bounded few, made when they are first needed, each used by one thread
//! at a time and never on the threads of the async runtime.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::file;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Readers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    busy_wait: Duration,
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, busy_wait: Duration, readers_max: usize) -> Self {
        let free = Arc::new(Semaphore::new(readers_max.max(1)));
        Self(Arc::new(Pool { path, busy_wait, idle: Mutex::default(), free }))
    }

    /// Reads in one transaction: all that `read` sees is of one moment.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let pool = Arc::clone(&self.0);
        let place = Arc::clone(&pool.free).acquire_owned().await.map_err(|_| Failure::Closed)?;
        let reading = tokio::task::spawn_blocking(move || {
            let _place = place;
            let db = pool.take()?;
            let found = in_transaction(&db, read);
            pool.give_back(db);
            found
        });
        reading.await.unwrap_or_else(|error| Err(Failure::Unavailable(error.to_string())))
    }
}

impl Pool {
    fn take(&self) -> Result<Connection, Failure> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| Ok(file::connect_reader(&self.path, self.busy_wait)?), Ok)
    }

    /// A connection that could not end its transaction would show the same moment for ever.
    fn give_back(&self, db: Connection) {
        if !db.is_autocommit() {
            return;
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
    }
}

fn in_transaction<T>(
    db: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    db.prepare_cached("BEGIN")?.execute([])?;
    let found = read(db);
    // After some failures SQLite has ended it by itself.
    if !db.is_autocommit() {
        db.prepare_cached("ROLLBACK")?.execute([])?;
    }
    found
}
