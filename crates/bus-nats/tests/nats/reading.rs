//! Reading by sequence: many, from anywhere, by several at once, over gaps.

use std::collections::BTreeMap;

use bytes::Bytes;
use postroom_bus::{Entry, Inlet, ReadLimits};
use postroom_testkit::NatsServer;

use crate::{WAIT, open, payload, stranger};

const ENTRIES: usize = 3_000;

async fn fill(inlet: &dyn Inlet) -> BTreeMap<u64, Bytes> {
    let mut stored = BTreeMap::new();
    for start in (0..ENTRIES).step_by(500) {
        let publishes = (start..start + 500).map(|number| inlet.publish(payload(number)));
        let seqs = futures_util::future::join_all(publishes).await;
        for (seq, number) in seqs.into_iter().zip(start..) {
            stored.insert(seq.unwrap(), payload(number));
        }
    }
    assert_eq!(stored.len(), ENTRIES, "each has a place of its own");
    stored
}

async fn read_all(inlet: &dyn Inlet, mut after: u64, limits: ReadLimits) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let entries = inlet.read(after, limits).await.unwrap();
        let Some(last) = entries.last() else {
            return all;
        };
        after = last.seq;
        all.extend(entries);
    }
}

#[tokio::test]
async fn several_readers_at_their_own_places_read_everything_in_order() {
    let server = NatsServer::start().await;
    let inlet = open(&server).await.inlet();
    let stored = fill(inlet.as_ref()).await;
    let limits = |entries_max, bytes_max| ReadLimits { entries_max, bytes_max };
    let reads = [
        (0, limits(256, 1 << 20)),
        (0, limits(7, 1 << 20)),
        (17, limits(usize::MAX, 100)),
        (2_500, limits(1_024, usize::MAX)),
        (ENTRIES as u64, limits(10, 10)),
    ];
    let reads = reads.map(|(after, limits)| {
        let (inlet, stored) = (&inlet, &stored);
        async move {
            let read = read_all(inlet.as_ref(), after, limits).await;
            let expected: Vec<Entry> = stored
                .range(after + 1..)
                .map(|(seq, bytes)| Entry { seq: *seq, bytes: bytes.clone() })
                .collect();
            assert!(read == expected, "after {after}: {} entries", read.len());
        }
    });
    futures_util::future::join_all(reads).await;
}

#[tokio::test]
async fn reader_goes_on_over_what_was_trimmed_under_it() {
    let server = NatsServer::start().await;
    let (inlet, other) = (open(&server).await.inlet(), open(&server).await.inlet());
    fill(inlet.as_ref()).await;
    let limits = ReadLimits { entries_max: 10, bytes_max: usize::MAX };
    assert_eq!(inlet.read(0, limits).await.unwrap().len(), 10);
    other.trim(2_000).await.unwrap();
    let read = read_all(inlet.as_ref(), 10, limits).await;
    assert_eq!(read.first().map(|entry| entry.seq), Some(2_001));
    assert_eq!(read.len(), ENTRIES - 2_000);
    let one = ReadLimits { entries_max: 1, bytes_max: 1 };
    assert_eq!(inlet.read(5, one).await.unwrap()[0].seq, 2_001);
    other.trim(u64::MAX).await.unwrap();
    assert_eq!(inlet.read(10, limits).await, Ok(vec![]));
    assert_eq!(inlet.last().await, Ok(ENTRIES as u64));
}

/// Does something to every consumer of the inlet.
async fn to_consumers(server: &NatsServer, verb: &str, body: &'static str) {
    let stranger = stranger(server).await;
    let names = stranger.request("$JS.API.CONSUMER.NAMES.POSTROOM_main_IN", "".into()).await;
    let names: serde_json::Value = serde_json::from_slice(&names.unwrap().payload).unwrap();
    let names = names["consumers"].as_array().unwrap();
    assert!(names.len() >= 2, "a reader and a lookout: {names:?}");
    for name in names {
        let subject =
            format!("$JS.API.CONSUMER.{verb}.POSTROOM_main_IN.{}", name.as_str().unwrap());
        let done = stranger.request(subject, body.into()).await.unwrap();
        assert!(!String::from_utf8_lossy(&done.payload).contains("\"error\""), "{done:?}");
    }
}

#[tokio::test]
async fn consumer_that_vanishes_or_falls_silent_is_replaced() {
    let stand_still = r#"{"pause_until":"2999-01-01T00:00:00Z"}"#;
    for (verb, body) in [("DELETE", ""), ("PAUSE", stand_still)] {
        let server = NatsServer::start().await;
        let (inlet, other) = (open(&server).await.inlet(), open(&server).await.inlet());
        let limits = ReadLimits { entries_max: 2, bytes_max: usize::MAX };
        for number in 0..6 {
            inlet.publish(payload(number)).await.unwrap();
        }
        assert_eq!(inlet.read(0, limits).await.unwrap().len(), 2);
        to_consumers(&server, verb, body).await;
        let read = read_all(inlet.as_ref(), 2, limits).await;
        assert_eq!(read.iter().map(|e| e.seq).collect::<Vec<_>>(), [3, 4, 5, 6], "{verb}");

        let mut changes = inlet.changes();
        let seq = other.publish(payload(6)).await.unwrap();
        let reached = changes.wait_for(|reached| *reached >= seq);
        assert!(tokio::time::timeout(WAIT, reached).await.is_ok(), "{verb}: nobody looked");
    }
}
