//! Limits: a stream that is full, an entry that is too large, a publish that is repeated.

use bytes::Bytes;
use postroom_bus::{BusError, ReadLimits};
use postroom_bus_nats::PAYLOAD_BYTES_MIN;
use postroom_testkit::NatsServer;

use crate::{open, open_with, options, payload};

const ALL: ReadLimits = ReadLimits { entries_max: 1_000, bytes_max: usize::MAX };

fn filled(number: u8) -> Bytes {
    Bytes::from(vec![number; 10_000])
}

#[tokio::test]
async fn full_streams_refuse_and_lose_nothing() {
    let server = NatsServer::start().await;
    let mut options = options(&server);
    (options.inlet_bytes_max, options.ledger_bytes_max) = (100_000, 100_000);
    let nats = open_with(&options).await;
    let (inlet, ledger) = (nats.inlet(), nats.ledger());
    let mut stored = 0_u8;
    while inlet.publish(filled(stored)).await != Err(BusError::Full) {
        stored += 1;
        assert!(stored < 11, "a limit of 100,000 bytes");
    }
    let entries = inlet.read(0, ALL).await.unwrap();
    let kept: Vec<Bytes> = (0..stored).map(filled).collect();
    assert_eq!(entries.iter().map(|entry| entry.bytes.clone()).collect::<Vec<_>>(), kept);

    let full = inlet.filling().await.unwrap().unwrap();
    assert_eq!(full.bytes_max, 100_000);
    assert!(full.bytes > 90_000 && full.bytes <= full.bytes_max, "{full:?}");
    inlet.trim(2).await.unwrap();
    let trimmed = inlet.filling().await.unwrap().unwrap();
    assert!(trimmed.bytes < full.bytes - 20_000, "{trimmed:?}");
    let seq = inlet.publish(filled(200)).await.unwrap();
    assert_eq!(seq, u64::from(stored) + 1, "there is room again, and no sequence was used up");

    let mut last = 0;
    while ledger.append(last, (last + 1, last + 1), filled(1)).await != Err(BusError::Full) {
        last += 1;
        assert!(last < 11, "a limit of 100,000 bytes");
    }
    let full = ledger.filling().await.unwrap().unwrap();
    assert!(full.bytes > 90_000 && full.bytes <= full.bytes_max, "{full:?}");
    assert_eq!(ledger.tail().await.unwrap().map(|tail| tail.seq), Some(last));
    assert_eq!(ledger.read(0, ALL).await.unwrap().len() as u64, last);
}

#[tokio::test]
async fn entry_that_is_too_large_is_refused_before_it_is_sent() {
    let server = NatsServer::start().await;
    let nats = open(&server).await;
    let large = Bytes::from(vec![1; PAYLOAD_BYTES_MIN]);
    let refused = nats.inlet().publish(large.clone()).await.unwrap_err();
    let BusError::TooLarge { bytes, bytes_max } = refused else {
        panic!("{refused}");
    };
    assert_eq!(bytes, large.len());
    assert_eq!(nats.ledger().append(0, (1, 1), large).await, Err(refused));
    let largest = Bytes::from(vec![2; bytes_max]);
    assert_eq!(nats.inlet().publish(largest.clone()).await, Ok(1));
    assert_eq!(nats.inlet().read(0, ALL).await.unwrap()[0].bytes, largest);
    assert_eq!(nats.ledger().append(0, (1, 1), largest).await, Ok(1));
}

#[tokio::test]
async fn publish_that_is_repeated_has_the_sequence_of_the_first() {
    let server = NatsServer::start().await;
    let (one, two) = (open(&server).await.inlet(), open(&server).await.inlet());
    assert_eq!(one.publish(payload(1)).await, Ok(1));
    assert_eq!(one.publish(payload(2)).await, Ok(2));
    assert_eq!(one.publish(payload(1)).await, Ok(1));
    assert_eq!(two.publish(payload(2)).await, Ok(2), "from whichever process");
    assert_eq!(two.last().await, Ok(2));
}
