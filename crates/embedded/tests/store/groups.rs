//! Group commit through the doors: many at once, a failing piece among them, large backlogs.

use std::sync::Arc;

use bytes::Bytes;
use postroom_bus::{BusError, Intake, IntakeLimits, ReadLimits, decode_batch};
use postroom_model::{
    AgentId, AgentStatus, ChannelId, ContactId, Inbound, Input, InputBody, InputId, Message,
    Presence, Timestamp,
};
use postroom_records::{Change, Key, RecordsError, Row, Standing};

use crate::fresh;

const ALL: ReadLimits = ReadLimits { entries_max: 100_000, bytes_max: usize::MAX };

fn presence(name: &str) -> (Key, Row) {
    let agent = AgentId::new(name).unwrap();
    let presence = Presence {
        agent: agent.clone(),
        status: AgentStatus::Online,
        status_since: Timestamp::EPOCH,
        load: 1,
        conversations: 1,
        idle_since: Timestamp::EPOCH,
        reason: None,
        pause: None,
        offers: vec![],
        over: vec![],
    };
    (Key::Presence(agent), Row::Presence(presence))
}

fn at(seq: u64) -> Standing {
    Standing { seq, last_event: 10 * seq, at: Timestamp::from_millis(5) }
}

#[tokio::test]
async fn failing_piece_leaves_its_group_alone() {
    let (_folder, store) = fresh();
    let (inlet, ledger, records) = (store.inlet(), store.ledger(), store.records());
    let (key, row) = presence("ada");
    for round in 0..20 {
        let put = || vec![Change::Put(key.clone(), row.clone())];
        let (first, fenced, appended, moved, written, second) = tokio::join!(
            inlet.publish(Bytes::from_static(b"a")),
            ledger.append(round + 7, (1, 1), Bytes::from_static(b"lost")),
            ledger.append(round, (1, 1), Bytes::from_static(b"kept")),
            records.write(round + 7, at(99), put().into()),
            records.write(round, at(round + 1), put().into()),
            inlet.publish(Bytes::from_static(b"b")),
        );
        assert!(first.is_ok() && second.is_ok() && written.is_ok());
        assert_eq!(appended, Ok(round + 1));
        assert!(matches!(fenced, Err(BusError::Fenced { .. })), "{fenced:?}");
        assert!(matches!(moved, Err(RecordsError::Moved { .. })), "{moved:?}");
    }
    assert_eq!(inlet.read(0, ALL).await.unwrap().len(), 40);
    let envelopes = ledger.read(0, ALL).await.unwrap();
    assert!(envelopes.len() == 20 && envelopes.iter().all(|envelope| envelope.bytes == "kept"));
    assert_eq!(records.standing().await.unwrap(), at(20));
}

/// An input of about 60 KiB.
fn large(number: u128) -> Input {
    let message = Message { text: Some("x".repeat(60_000)), ..Message::default() };
    let channel = ChannelId::new("site").unwrap();
    let body = InputBody::Inbound(Box::new(Inbound { channel, message }));
    Input { id: InputId(uuid::Uuid::from_u128(number)), at: Timestamp::EPOCH, body }
}

#[tokio::test]
async fn entries_that_the_writer_gathers_stay_within_their_size() {
    let (_folder, store) = fresh();
    let inlet = store.inlet();
    let tasks = tokio_util::task::TaskTracker::new();
    let intake = Intake::start(Arc::clone(&inlet), IntakeLimits::default(), &tasks);
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..100 {
        let intake = intake.clone();
        callers.spawn(async move { intake.accept(&large(number)).await });
    }
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    let entries = inlet.read(0, ALL).await.unwrap();
    let counts = entries.iter().map(|entry| decode_batch(&entry.bytes).len());
    assert_eq!(counts.sum::<usize>(), 100);
    assert!(entries.len() < 100, "they were gathered");
    assert!(entries.iter().all(|entry| entry.bytes.len() < 520 * 1_024), "but not all at once");
}

#[tokio::test]
async fn row_that_does_not_fit_its_key_is_refused_whole() {
    let (_folder, store) = fresh();
    let records = store.records();
    let (key, row) = presence("ada");
    let (other, _) = presence("bob");
    let wrong = Change::Put(other, Row::Address(ContactId(uuid::Uuid::nil())));
    let refused = records.write(0, at(1), vec![Change::Put(key.clone(), row), wrong].into()).await;
    assert_eq!(refused.unwrap_err().code(), "records_damaged");
    assert_eq!(records.load(&[key]).await.unwrap(), [None]);
    assert_eq!(records.standing().await.unwrap(), Standing::default());
}

#[tokio::test]
async fn many_publishers_are_each_told_their_own_place() {
    let (_folder, store) = fresh();
    let inlet = store.inlet();
    let tasks = tokio_util::task::TaskTracker::new();
    let publishing: Vec<_> = (0..200_u32)
        .map(|number| {
            let inlet = store.inlet();
            tasks.spawn(async move {
                let seq = inlet.publish(Bytes::from(number.to_string())).await.unwrap();
                (seq, number.to_string())
            })
        })
        .collect();
    let mut told = Vec::new();
    for publishing in publishing {
        told.push(publishing.await.unwrap());
    }
    told.sort_unstable();
    let stored: Vec<(u64, String)> = inlet
        .read(0, ALL)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| (entry.seq, String::from_utf8(entry.bytes.to_vec()).unwrap()))
        .collect();
    assert_eq!(stored, told);
}

#[tokio::test]
async fn long_inlet_is_trimmed_and_large_records_cleared_in_pieces() {
    let (_folder, store) = fresh();
    let (inlet, records) = (store.inlet(), store.records());
    let publishes = (0..1_203).map(|_| inlet.publish(Bytes::from_static(b"x")));
    for publish in publishes {
        publish.await.unwrap();
    }
    inlet.trim(1_200).await.unwrap();
    assert_eq!(inlet.read(0, ALL).await.unwrap().len(), 3);

    let rows = (0..4_100).map(|number| presence(&format!("agent-{number}")));
    let changes = rows.map(|(key, row)| Change::Put(key, row)).collect();
    records.write(0, at(1), changes).await.unwrap();
    records.clear().await.unwrap();
    assert_eq!(records.scan(None, 10).await.unwrap(), []);
    assert_eq!(records.standing().await.unwrap(), Standing::default());
    assert_eq!(*records.changes().borrow(), 0);
}
