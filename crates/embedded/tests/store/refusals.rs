//! What is not ours, is newer or is damaged is refused with a code of its own and stays as it is.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use postroom_embedded::{Embedded, EmbeddedOptions};
use postroom_records::Standing;
use rusqlite::Connection;

const FILES: [&str; 2] = ["postroom.db", "records.db"];

/// Refuses the folder for this file with this code, and leaves the file as it was.
fn refused(folder: &Path, name: &str, code: &str) {
    let path = folder.join(name);
    let before = fs::read(&path).ok();
    let error = Embedded::open(folder, &EmbeddedOptions::default()).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert_eq!(error.retryable(), code == "database_unavailable");
    assert!(error.to_string().contains(name), "{error}");
    assert!(fs::read(&path).ok() == before, "the file was changed");
}

/// A folder with a database of ours that is not open.
async fn ours() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), &EmbeddedOptions::default()).unwrap();
    for _ in 0..30 {
        store.inlet().publish(Bytes::from(vec![7; 5_000])).await.unwrap();
    }
    folder
}

#[test]
fn garbage_is_foreign() {
    for name in FILES {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), "this is not a database ".repeat(1_000)).unwrap();
        refused(folder.path(), name, "database_foreign");
    }
}

#[test]
fn database_of_another_program_is_foreign() {
    for (name, mode) in FILES.into_iter().flat_map(|name| [(name, "delete"), (name, "wal")]) {
        let folder = tempfile::tempdir().unwrap();
        let other = Connection::open(folder.path().join(name)).unwrap();
        other.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(())).unwrap();
        other.execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1);").unwrap();
        drop(other);
        refused(folder.path(), name, "database_foreign");
    }
}

#[tokio::test]
async fn one_of_our_files_in_the_place_of_the_other_is_foreign() {
    let folder = ours().await;
    fs::copy(folder.path().join(FILES[0]), folder.path().join(FILES[1])).unwrap();
    refused(folder.path(), FILES[1], "database_foreign");
}

#[tokio::test]
async fn database_of_a_later_version_is_refused() {
    for name in FILES {
        let folder = ours().await;
        let db = Connection::open(folder.path().join(name)).unwrap();
        db.pragma_update(None, "user_version", 2).unwrap();
        drop(db);
        refused(folder.path(), name, "database_newer");
    }
}

#[tokio::test]
async fn file_that_is_cut_off_is_damaged() {
    for keep in [0, 100, 4_096, 3 * 4_096, 30 * 4_096 + 17] {
        let folder = ours().await;
        let path = folder.path().join("postroom.db");
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        assert!(file.metadata().unwrap().len() > keep, "the test cuts something off");
        file.set_len(keep).unwrap();
        drop(file);
        refused(folder.path(), FILES[0], "database_damaged");
    }
}

#[tokio::test]
async fn page_that_is_overwritten_is_damaged() {
    for name in FILES {
        let folder = ours().await;
        let path = folder.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[3 * 4_096..4 * 4_096].fill(0xa5);
        fs::write(&path, bytes).unwrap();
        refused(folder.path(), name, "database_damaged");
    }
}

#[tokio::test]
async fn log_without_its_file_is_damaged() {
    for name in FILES {
        let folder = ours().await;
        fs::remove_file(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(format!("{name}-wal")), "left behind").unwrap();
        refused(folder.path(), name, "database_damaged");
    }
}

#[test]
fn folder_that_cannot_be_made_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    refused(&file.join("data"), FILES[0], "database_unavailable");
}

#[tokio::test]
async fn new_folder_is_made_and_opened_again_with_what_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("a/b");
    let options = EmbeddedOptions::default();
    let first = Embedded::open(&inside, &options).unwrap();
    first.ledger().append(0, (1, 1), Bytes::from_static(b"kept")).await.unwrap();
    drop(first);
    let mut left: Vec<_> = fs::read_dir(&inside).unwrap().map(|f| f.unwrap().file_name()).collect();
    left.sort_unstable();
    assert_eq!(left, FILES, "closed, nothing is left beside the files");
    let again = Embedded::open(&inside, &options).unwrap();
    assert_eq!(again.ledger().tail().await.unwrap().unwrap().bytes, "kept");
    assert_eq!(*again.ledger().changes().borrow(), 1);
}

#[tokio::test]
async fn records_that_are_gone_begin_anew_beside_the_ledger() {
    let folder = ours().await;
    fs::remove_file(folder.path().join("records.db")).unwrap();
    let again = Embedded::open(folder.path(), &EmbeddedOptions::default()).unwrap();
    assert_eq!(again.records().standing().await.unwrap(), Standing::default());
    assert_eq!(again.inlet().last().await.unwrap(), 30);
}
