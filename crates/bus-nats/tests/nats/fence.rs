//! Who writes the ledger (P4), and who takes a credential.

use bytes::Bytes;
use postroom_access::{Credential, CredentialKind, Principal};
use postroom_bus::{BusError, ReadLimits};
use postroom_model::digest::Digest;
use postroom_model::{Role, Timestamp};
use postroom_testkit::NatsServer;

use crate::{open, payload, stranger};

const RACES: u64 = 200;

#[tokio::test]
async fn two_connections_race_for_the_fence_and_exactly_one_wins_each_time() {
    let server = NatsServer::start().await;
    let (one, two) = (open(&server).await.ledger(), open(&server).await.ledger());
    let mut winners = Vec::new();
    for last in 0..RACES {
        let events = (last + 1, last + 1);
        let (a, b) = (Bytes::from(format!("one {last}")), Bytes::from(format!("two {last}")));
        let (first, second) =
            tokio::join!(one.append(last, events, a.clone()), two.append(last, events, b.clone()));
        let fenced = Err(BusError::Fenced { expected: last, actual: last + 1 });
        let winner = match (&first, &second) {
            (Ok(seq), lost) if *seq == last + 1 && *lost == fenced => a,
            (lost, Ok(seq)) if *seq == last + 1 && *lost == fenced => b,
            other => panic!("race {last}: {other:?}"),
        };
        winners.push(winner);
    }
    let all = ReadLimits { entries_max: 1_000, bytes_max: usize::MAX };
    let stored = one.read(0, all).await.unwrap();
    let stored: Vec<Bytes> = stored.into_iter().map(|entry| entry.bytes).collect();
    assert_eq!(stored, winners, "each winner's bytes, in order, and nothing else");
}

#[tokio::test]
async fn ledger_that_was_made_anew_behind_the_writer_is_damaged_and_not_written() {
    let server = NatsServer::start().await;
    let ledger = open(&server).await.ledger();
    for number in 0..3 {
        ledger.append(number, (number + 1, number + 1), payload(1)).await.unwrap();
    }
    let stranger = stranger(&server).await;
    let deleted = stranger.request("$JS.API.STREAM.DELETE.POSTROOM_main_LEDGER", "".into()).await;
    assert!(!String::from_utf8_lossy(&deleted.unwrap().payload).contains("error"));
    let anew = open(&server).await.ledger();
    assert_eq!(anew.tail().await, Ok(None), "empty for who has seen nothing");
    anew.append(0, (1, 1), payload(7)).await.unwrap();

    for error in
        [ledger.append(3, (4, 4), payload(2)).await.unwrap_err(), ledger.tail().await.unwrap_err()]
    {
        assert_eq!((error.code(), error.retryable()), ("storage_damaged", false), "{error}");
        assert!(error.to_string().contains("backwards"), "{error}");
    }
    assert_eq!(anew.tail().await.unwrap().map(|tail| tail.seq), Some(1), "nothing was added");
}

#[tokio::test]
async fn of_many_who_take_a_credential_one_gets_it() {
    let server = NatsServer::start().await;
    let stores = [open(&server).await.access(), open(&server).await.access()];
    let hash = Digest::of(b"link");
    let credential = Credential {
        kind: CredentialKind::Link,
        principal: Principal {
            role: Role::Admin,
            agent: None,
            name: "ann".to_owned(),
            channels: vec![],
        },
        created_at: Timestamp::from_millis(1),
        expires_at: Some(Timestamp::from_millis(2)),
    };
    for _ in 0..20 {
        stores[0].put(hash, credential.clone()).await.unwrap();
        let takes = (0..4).map(|at| stores[at % 2].take(hash));
        let taken = futures_util::future::join_all(takes).await;
        let got = taken.iter().filter(|taken| matches!(taken, Ok(Some(_)))).count();
        assert_eq!(got, 1, "{taken:?}");
        assert_eq!(stores[1].list(CredentialKind::Link).await.unwrap(), []);
    }
}
