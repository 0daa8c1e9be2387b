//! One group with pieces that fail before, half way and for want of space.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;

use super::write;
use crate::failure::Failure;
use crate::file;
use crate::hints::Hints;
use crate::schema::TRUTH;
use crate::writer::{About, Work};

type Answer = (&'static str, Result<(), Failure>);
type Answers = Arc<Mutex<Vec<Answer>>>;

/// Writes `bytes` zeros into the inlet, and then fails if it is told to.
struct Piece {
    name: &'static str,
    bytes: Option<i64>,
    failure: Option<Failure>,
    answers: Answers,
}

impl Work for Piece {
    fn run(&mut self, db: &Connection) -> Result<(), Failure> {
        if let Some(bytes) = self.bytes {
            db.execute("INSERT INTO inlet (batch) VALUES (zeroblob(?1))", [bytes])?;
        }
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn finish(self: Box<Self>, stored: Result<(), Failure>, _: &Hints) {
        self.answers.lock().unwrap().push((self.name, stored));
    }

    fn about(&self) -> About {
        About::default()
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    db: Connection,
    hints: Hints,
    answers: Answers,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wait = Duration::from_millis(10);
        let path = file::prepare(folder.path(), &TRUTH, wait).unwrap();
        let db = file::connect_writer(&path, &TRUTH, wait).unwrap();
        let hints = Hints::from_nothing();
        Self { _folder: folder, db, hints, answers: Answers::default() }
    }

    /// Writes pieces of a name, how much each writes and how it fails, until none waits.
    fn write(&self, pieces: &[(&'static str, Option<i64>, Option<Failure>)]) {
        let mut waiting: VecDeque<Box<dyn Work>> = VecDeque::new();
        for (name, bytes, failure) in pieces {
            let (name, bytes, failure) = (*name, *bytes, failure.clone());
            let answers = Arc::clone(&self.answers);
            waiting.push_back(Box::new(Piece { name, bytes, failure, answers }));
        }
        while !waiting.is_empty() {
            write(&self.db, &mut waiting, &self.hints);
        }
        assert!(self.db.is_autocommit(), "no transaction is left open");
    }

    /// The sizes that are stored, and the names with their answers in alphabetical order.
    fn found(&self) -> (Vec<i64>, Vec<Answer>) {
        let mut sizes = self.db.prepare("SELECT length(batch) FROM inlet ORDER BY 1").unwrap();
        let sizes = sizes.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let mut answers = self.answers.lock().unwrap().clone();
        answers.sort_by_key(|(name, _)| *name);
        (sizes, answers)
    }
}

#[test]
fn piece_that_fails_takes_back_only_itself() {
    let bench = Bench::new();
    let moved = Failure::Moved { expected: 1, actual: 2 };
    let damaged = Failure::Damaged("half way".to_owned());
    bench.write(&[
        ("a", Some(1), None),
        ("b", None, Some(moved.clone())),
        ("c", Some(3), None),
        ("d", Some(4), Some(damaged.clone())),
        ("e", Some(5), None),
    ]);
    let answers =
        [("a", Ok(())), ("b", Err(moved)), ("c", Ok(())), ("d", Err(damaged)), ("e", Ok(()))];
    assert_eq!(bench.found(), (vec![1, 3, 5], answers.to_vec()));
}

#[test]
fn group_without_a_good_piece_stores_nothing() {
    let bench = Bench::new();
    bench.write(&[("a", Some(1), Some(Failure::Full)), ("b", None, Some(Failure::Full))]);
    let answers = vec![("a", Err(Failure::Full)), ("b", Err(Failure::Full))];
    assert_eq!(bench.found(), (vec![], answers));
}

#[test]
fn piece_that_does_not_fit_leaves_room_for_those_that_do() {
    let bench = Bench::new();
    bench.db.pragma_update_and_check(None, "max_page_count", 60, |_| Ok(())).unwrap();
    bench.write(&[
        ("a", Some(1_000), None),
        ("b", Some(900_000), None),
        ("c", Some(1_001), None),
        ("d", Some(900_000), None),
    ]);
    let full = || Err(Failure::Full);
    let answers = vec![("a", Ok(())), ("b", full()), ("c", Ok(())), ("d", full())];
    assert_eq!(bench.found(), (vec![1_000, 1_001], answers));
}

#[test]
fn commit_that_fails_is_told_to_the_whole_group_and_the_next_goes_on() {
    let bench = Bench::new();
    // A deferred constraint fails the commit and nothing before it.
    let tables = "CREATE TABLE one (a INTEGER PRIMARY KEY) STRICT;
        CREATE TABLE other (a INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED) STRICT;
        CREATE TRIGGER seven AFTER INSERT ON inlet WHEN length(NEW.batch) = 7
            BEGIN INSERT INTO other VALUES (1); END;";
    bench.db.execute_batch(tables).unwrap();
    bench.write(&[("a", Some(1), None), ("b", Some(7), None)]);
    bench.write(&[("c", Some(3), None)]);
    let (sizes, answers) = bench.found();
    assert_eq!(sizes, [3]);
    let stored: Vec<_> = answers
        .iter()
        .map(|(name, stored)| (*name, matches!(stored, Err(Failure::Unavailable(_)))))
        .collect();
    assert_eq!(stored, [("a", true), ("b", true), ("c", false)]);
}
