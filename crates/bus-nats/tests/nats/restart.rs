//! The server dies and comes back: nothing that was acknowledged is lost, nothing is doubled, and
//! readers go on by themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use postroom_bus::{BusError, Inlet, Ledger, ReadLimits};
use postroom_testkit::NatsServer;
use tokio::sync::mpsc;

use crate::{open, payload, until};

const KILLS: usize = 4;

/// Publishes until it is stored, as a sender does that was not answered.
async fn publish(inlet: &dyn Inlet, batch: &Bytes) -> u64 {
    until(async || match inlet.publish(batch.clone()).await {
        Ok(seq) => Some(seq),
        Err(error) if error.retryable() => None,
        Err(error) => panic!("{error}"),
    })
    .await
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_doubled_while_the_server_is_killed() {
    let mut server = NatsServer::start().await;
    let inlet = open(&server).await.inlet();
    let (stored, mut acknowledged) = mpsc::channel(1);
    let writer = {
        let inlet = Arc::clone(&inlet);
        async move {
            let mut number = 0;
            loop {
                let seq = publish(inlet.as_ref(), &payload(number)).await;
                if stored.send((seq, payload(number))).await.is_err() {
                    return;
                }
                number += 1;
            }
        }
    };
    let killer = async move {
        let mut told = BTreeMap::new();
        for _ in 0..KILLS {
            for _ in 0..30 {
                let (seq, bytes) = acknowledged.recv().await.unwrap();
                assert_eq!(told.insert(seq, bytes), None, "a sequence given twice");
            }
            server.start_again().await;
        }
        drop(acknowledged);
        (told, server)
    };
    let ((), (told, _server)) = tokio::join!(writer, killer);

    let read = until(async || {
        let all = ReadLimits { entries_max: 1_000, bytes_max: usize::MAX };
        inlet.read(0, all).await.ok().filter(|read| read.len() >= told.len())
    })
    .await;
    let read: BTreeMap<u64, Bytes> = read.into_iter().map(|e| (e.seq, e.bytes)).collect();
    for (seq, bytes) in &told {
        assert_eq!(read.get(seq), Some(bytes), "acknowledged at {seq}");
    }
    let mut kept: Vec<&Bytes> = read.values().collect();
    kept.sort();
    kept.dedup();
    assert_eq!(kept.len(), read.len(), "nothing stands there twice");
}

#[tokio::test]
async fn reader_goes_on_after_a_restart_and_hears_what_comes_then() {
    let mut server = NatsServer::start().await;
    let (here, there) = (open(&server).await.inlet(), open(&server).await.inlet());
    let limits = ReadLimits { entries_max: 10, bytes_max: usize::MAX };
    for number in 0..15 {
        there.publish(payload(number)).await.unwrap();
    }
    assert_eq!(here.read(0, limits).await.unwrap().len(), 10, "a warm consumer");
    let mut changes = here.changes();
    server.start_again().await;
    let seq = publish(there.as_ref(), &payload(15)).await;
    assert_eq!(seq, 16);
    let reached = changes.wait_for(|reached| *reached >= seq);
    tokio::time::timeout(crate::WAIT, reached).await.unwrap().unwrap();
    let read = until(async || here.read(10, limits).await.ok()).await;
    assert_eq!(read.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [11, 12, 13, 14, 15, 16]);
}

#[tokio::test]
async fn p4_append_without_an_answer_is_told_by_the_tail() {
    let mut server = NatsServer::start().await;
    let ledger = open(&server).await.ledger();
    let mut last = 0;
    let mut unanswered = 0;
    while unanswered < KILLS {
        let envelope = Bytes::from(format!("envelope {last}"));
        let events = (last + 1, last + 1);
        let append = ledger.append(last, events, envelope.clone());
        let (answer, ()) = tokio::join!(append, async { server.kill() });
        unanswered += usize::from(answer.is_err());
        if let Err(error) = &answer {
            assert!(matches!(error, BusError::Unavailable(_)), "{error}");
        }
        server.start_again().await;
        let tail = until(async || ledger.tail().await.ok()).await;
        match tail {
            Some(tail) if tail.seq == last + 1 => assert_eq!(tail.bytes, envelope),
            tail => {
                assert_eq!(tail.map_or(0, |tail| tail.seq), last);
                assert!(answer.is_err(), "what was acknowledged is there");
                append_again(ledger.as_ref(), last, envelope).await;
            }
        }
        last += 1;
    }
    let all = ReadLimits { entries_max: 1_000, bytes_max: usize::MAX };
    let read = until(async || ledger.read(0, all).await.ok()).await;
    let expected: Vec<Bytes> = (0..last).map(|n| Bytes::from(format!("envelope {n}"))).collect();
    assert_eq!(read.into_iter().map(|entry| entry.bytes).collect::<Vec<_>>(), expected);
}

/// The very same bytes again; what the client still had to send may come first.
async fn append_again(ledger: &dyn Ledger, last: u64, envelope: Bytes) {
    let seq =
        until(async || match ledger.append(last, (last + 1, last + 1), envelope.clone()).await {
            Ok(seq) | Err(BusError::Fenced { actual: seq, .. }) => Some(seq),
            Err(error) if error.retryable() => None,
            Err(error) => panic!("{error}"),
        })
        .await;
    assert_eq!(seq, last + 1);
    let tail = until(async || ledger.tail().await.ok().flatten()).await;
    assert_eq!((tail.seq, tail.bytes), (last + 1, envelope));
}

#[tokio::test]
async fn server_that_is_gone_is_told_within_the_wait() {
    let mut server = NatsServer::start().await;
    let nats = open(&server).await;
    server.kill();
    let started = tokio::time::Instant::now();
    for _ in 0..3 {
        let refused = nats.inlet().publish(payload(1)).await.unwrap_err();
        assert_eq!((refused.code(), refused.retryable()), ("storage_unavailable", true));
        assert!(nats.ledger().tail().await.is_err());
        assert!(nats.access().get(postroom_model::digest::Digest::ZERO).await.is_err());
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(15), "{:?}", started.elapsed());
}
