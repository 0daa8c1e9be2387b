//! Group commit: many pieces of writing, one transaction, one sync. A piece that fails takes only
//! itself back; what fails the transaction fails every piece that is still in it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::failure::Failure;
use crate::hints::Hints;
use crate::writer::Work;

/// For how long pieces are taken into one transaction. A single piece may take longer.
const GROUP_TIME_MAX: Duration = Duration::from_millis(40);

/// Writes what waits, from the front, and answers it. What there is no time for stays waiting.
///
/// Savepoints would copy every page that a piece touches before it is known that it must be taken
/// back. Pieces fail before they write (another writer was faster) or almost never, so here a piece
/// that failed half way takes the transaction with it, and the others are written once more.
pub(crate) fn write(db: &Connection, waiting: &mut VecDeque<Box<dyn Work>>, hints: &Hints) {
    if let Err(failure) = begin(db) {
        for work in waiting.drain(..) {
            work.finish(Err(failure.clone()), hints);
        }
        return;
    }
    let started = Instant::now();
    let mut written: VecDeque<Box<dyn Work>> = VecDeque::new();
    while let Some(mut work) = waiting.pop_front() {
        let before = db.total_changes();
        match work.run(db) {
            Ok(()) => written.push_back(work),
            Err(failure) => {
                // On a full disk SQLite has given up the whole transaction by itself.
                let clean = !db.is_autocommit() && db.total_changes() == before;
                work.finish(Err(failure), hints);
                if !clean {
                    return write_again(db, written, hints);
                }
            }
        }
        if started.elapsed() > GROUP_TIME_MAX {
            break;
        }
    }
    let stored = if written.is_empty() { rollback(db) } else { commit(db) };
    finish(written, &stored, hints);
}

/// Takes the transaction back and writes the pieces that had gone well in one of their own.
fn write_again(db: &Connection, mut pieces: VecDeque<Box<dyn Work>>, hints: &Hints) {
    match rollback(db) {
        Err(failure) => finish(pieces, &Err(failure), hints),
        Ok(()) => {
            while !pieces.is_empty() {
                write(db, &mut pieces, hints);
            }
        }
    }
}

fn finish(pieces: VecDeque<Box<dyn Work>>, stored: &Result<(), Failure>, hints: &Hints) {
    for work in pieces {
        work.finish(stored.clone(), hints);
    }
}

fn begin(db: &Connection) -> Result<(), Failure> {
    if !db.is_autocommit() {
        // Left from a rollback that failed.
        execute(db, "ROLLBACK")?;
    }
    execute(db, "BEGIN IMMEDIATE")
}

fn commit(db: &Connection) -> Result<(), Failure> {
    let Err(failure) = execute(db, "COMMIT") else { return Ok(()) };
    tracing::error!(%failure, "a group of writes was not stored");
    if let Err(failure) = rollback(db) {
        tracing::error!(%failure, "and could not be taken back");
    }
    // Of a commit that failed otherwise than for want of space, nobody knows what a later start will
    // find in the log.
    Err(match failure {
        Failure::Full => Failure::Full,
        other => Failure::Unavailable(other.to_string()),
    })
}

fn rollback(db: &Connection) -> Result<(), Failure> {
    if db.is_autocommit() { Ok(()) } else { execute(db, "ROLLBACK") }
}

fn execute(db: &Connection, sql: &str) -> Result<(), Failure> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests;
