//! Two that have the same folder open, as the command line beside a running server.

use std::time::Duration;

use bytes::Bytes;
use postroom_access::{Credential, CredentialKind, Principal};
use postroom_bus::BusError;
use postroom_embedded::{Embedded, EmbeddedOptions};
use postroom_model::digest::Digest;
use postroom_model::{Role, Timestamp};
use postroom_records::{RecordsError, Standing};
use tokio::sync::watch;

fn both() -> (tempfile::TempDir, Embedded, Embedded) {
    let folder = tempfile::tempdir().unwrap();
    let open = || Embedded::open(folder.path(), &EmbeddedOptions::default()).unwrap();
    let (one, other) = (open(), open());
    (folder, one, other)
}

async fn reaches(mut changes: watch::Receiver<u64>, seq: u64) {
    let reached = changes.wait_for(|now| *now >= seq);
    tokio::time::timeout(Duration::from_secs(10), reached).await.unwrap().unwrap();
}

#[tokio::test]
async fn each_is_hinted_at_what_the_other_writes() {
    let (_folder, one, other) = both();
    let changes = (other.inlet().changes(), other.ledger().changes(), other.records().changes());
    let seq = one.inlet().publish(Bytes::from_static(b"input")).await.unwrap();
    one.ledger().append(0, (1, 2), Bytes::from_static(b"envelope")).await.unwrap();
    let standing = Standing { seq: 1, last_event: 2, at: Timestamp::from_millis(3) };
    one.records().write(0, standing, vec![].into()).await.unwrap();
    reaches(changes.0, seq).await;
    reaches(changes.1, 1).await;
    reaches(changes.2, 1).await;
    assert_eq!(other.inlet().last().await, Ok(seq));
    assert_eq!(other.ledger().tail().await.unwrap().unwrap().bytes, "envelope");
    assert_eq!(other.records().standing().await.unwrap(), standing);
}

#[tokio::test]
async fn two_writers_are_told_apart() {
    let (_folder, one, other) = both();
    let (ours, theirs) = (one.ledger(), other.ledger());
    let (a, b) = tokio::join!(
        ours.append(0, (1, 1), Bytes::from_static(b"ours")),
        theirs.append(0, (1, 1), Bytes::from_static(b"theirs"))
    );
    let fenced = Err(BusError::Fenced { expected: 0, actual: 1 });
    assert!([(Ok(1), fenced.clone()), (fenced, Ok(1))].contains(&(a, b)));
    let standing = Standing { seq: 1, ..Standing::default() };
    one.records().write(0, standing, vec![].into()).await.unwrap();
    let moved = other.records().write(0, standing, vec![].into()).await.unwrap_err();
    assert!(matches!(moved, RecordsError::Moved { expected: 0, actual: 1 }), "{moved}");
}

#[tokio::test]
async fn token_made_beside_a_running_server_is_known_to_it() {
    let (_folder, server, command_line) = both();
    let principal =
        Principal { role: Role::Admin, agent: None, name: "cli".to_owned(), channels: vec![] };
    let created_at = Timestamp::from_millis(1);
    let kind = CredentialKind::Token;
    let credential = Credential { kind, principal, created_at, expires_at: None };
    command_line.access().put(Digest::of(b"token"), credential.clone()).await.unwrap();
    assert_eq!(server.access().get(Digest::of(b"token")).await.unwrap(), Some(credential));
}

#[tokio::test]
async fn write_that_meets_a_long_one_of_another_process_is_told_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        EmbeddedOptions { busy_wait: Duration::from_millis(20), ..EmbeddedOptions::default() };
    let store = Embedded::open(folder.path(), &options).unwrap();
    let other = rusqlite::Connection::open(folder.path().join("postroom.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let inlet = store.inlet();
    assert_eq!(inlet.publish(Bytes::from_static(b"a")).await, Err(BusError::Busy));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(inlet.publish(Bytes::from_static(b"a")).await, Ok(1));
}
