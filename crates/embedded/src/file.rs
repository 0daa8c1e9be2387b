//! A file of the data folder: making it, refusing what is not ours without touching it, and connecting to it.
//!
//! A new file is built beside its place and then linked there, whole, so that whatever stands at its
//! place without our marks is not ours. The file is never opened except through SQLite: closing any
//! other handle would take away the locks that SQLite holds for this process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::EmbeddedError;
use crate::schema::{PAGE_BYTES, Part};

/// Files up to this size are checked page by page when they are opened. Of larger ones only the
/// ends of the tables are, which finds a file that is cut off; `postroom verify` reads everything.
const CHECKED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Statements kept prepared on a connection.
const STATEMENTS_MAX: usize = 64;

/// Makes the file if there is none, and refuses it if it is not one that this program may write.
pub(crate) fn prepare(
    folder: &Path,
    part: &Part,
    busy_wait: Duration,
) -> Result<PathBuf, EmbeddedError> {
    let path = folder.join(part.name);
    let unavailable = |error: io::Error| EmbeddedError::unavailable(&path, error);
    fs::create_dir_all(folder).map_err(unavailable)?;
    match fs::metadata(&path) {
        Ok(about) if about.len() == 0 => {
            return Err(EmbeddedError::damaged(&path, "the file is empty"));
        }
        Ok(about) => check(&path, part, about.len(), busy_wait)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let log = format!("{}-wal", part.name);
            if path.with_file_name(&log).exists() {
                let detail = format!("the file is gone, and its log {log} is still there");
                return Err(EmbeddedError::damaged(&path, detail));
            }
            create(folder, &path, part)?;
            check(&path, part, 0, busy_wait)?;
        }
        Err(error) => return Err(unavailable(error)),
    }
    Ok(path)
}

/// Only the owner may read the file: it holds what customers write.
fn create(folder: &Path, path: &Path, part: &Part) -> Result<(), EmbeddedError> {
    let unavailable = |error: io::Error| EmbeddedError::unavailable(path, error);
    let mut name = tempfile::Builder::new();
    let new = name.prefix("new-").suffix(part.name).tempfile_in(folder);
    let new = new.map_err(unavailable)?.into_temp_path();
    fill(&new, part).map_err(|error| EmbeddedError::unavailable(path, error))?;
    match new.persist_noclobber(path) {
        Ok(()) => {}
        // Another process was faster; its file will be checked.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unavailable(error.error)),
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unavailable)
}

fn fill(path: &Path, part: &Part) -> rusqlite::Result<()> {
    let db = Connection::open(path)?;
    db.pragma_update(None, "page_size", PAGE_BYTES)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute_batch("BEGIN EXCLUSIVE")?;
    db.execute_batch(part.tables)?;
    db.execute_batch(part.added)?;
    db.pragma_update(None, "application_id", part.application_id)?;
    db.pragma_update(None, "user_version", part.version)?;
    db.execute_batch("COMMIT")?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.close().map_err(|(_, error)| error)
}

/// Looks without writing: a file of somebody else stays as it is.
fn check(path: &Path, part: &Part, bytes: u64, busy_wait: Duration) -> Result<(), EmbeddedError> {
    let of_sqlite = |error: rusqlite::Error| EmbeddedError::of_sqlite(path, &error);
    let db = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY));
    let db = db.map_err(of_sqlite)?;
    db.busy_timeout(busy_wait).map_err(of_sqlite)?;
    let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("application_id").map_err(of_sqlite)? != part.application_id {
        return Err(EmbeddedError::Foreign { path: path.to_owned() });
    }
    let found = number("user_version").map_err(of_sqlite)?;
    if found > part.version {
        return Err(EmbeddedError::Newer { path: path.to_owned(), found, known: part.version });
    }
    let looked = if bytes <= CHECKED_BYTES_MAX { check_pages(&db) } else { check_ends(&db, part) };
    match looked.map_err(of_sqlite)?.as_str() {
        "ok" => Ok(()),
        detail => Err(EmbeddedError::damaged(path, detail)),
    }
}

/// `ok` or the first fault.
fn check_pages(db: &Connection) -> rusqlite::Result<String> {
    db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}

/// Reads the last rows of what grows.
fn check_ends(db: &Connection, part: &Part) -> rusqlite::Result<String> {
    for table in part.growing {
        let last = format!("SELECT * FROM {table} ORDER BY rowid DESC LIMIT 10");
        let mut statement = db.prepare(&last)?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok("ok".to_owned())
}

/// A connection that only reads.
pub(crate) fn connect_reader(path: &Path, busy_wait: Duration) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    db.busy_timeout(busy_wait)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(db)
}

/// The connection of the writer.
pub(crate) fn connect_writer(
    path: &Path,
    part: &Part,
    busy_wait: Duration,
) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    db.busy_timeout(busy_wait)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", part.synchronous)?;
    db.execute_batch(part.added)?;
    db.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // The checkpointer does it.
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    Ok(db)
}

/// What a writer keeps in memory of the file.
const WRITER_CACHE_KIB: i64 = 64 * 1024;
/// To what the log is cut back after it had to grow.
const LOG_BYTES_KEPT: i64 = 64 * 1024 * 1024;

fn flags(access: OpenFlags) -> OpenFlags {
    // Each connection stays in one thread at a time, so SQLite need not lock it.
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}
