//! What every inlet and every ledger must do. Each backend runs these against empty instances; they
//! panic where the backend does not conform. They use nothing but the traits.
#![expect(clippy::unwrap_used, reason = "a conformance suite fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroom_model::{
    ChannelId, DeliveryInput, HostId, Input, InputBody, InputId, Position, Timestamp,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::{BusError, Entry, Inlet, Intake, IntakeLimits, Ledger, ReadLimits, decode_batch};

/// A hint that has not come by then does not come.
const HINT_WAIT: Duration = Duration::from_secs(10);

const ALL: ReadLimits = ReadLimits { entries_max: 1_000, bytes_max: usize::MAX };

/// Runs the suite of the inlet on an empty one.
pub async fn inlet(inlet: &dyn Inlet) {
    inlet_keeps_the_order(inlet).await;
    inlet_hints(inlet).await;
    inlet_takes_many_at_once(inlet).await;
    inlet_is_trimmed(inlet).await;
}

/// Gives inputs to an inlet as hosts do, many callers at once, and looks where each of them stands.
pub async fn intake(inlet: Arc<dyn Inlet>) {
    let tasks = TaskTracker::new();
    let intake = Intake::start(Arc::clone(&inlet), IntakeLimits::default(), &tasks);
    let before = inlet.last().await.unwrap();
    let mut callers = JoinSet::new();
    for caller in 0..40_i64 {
        let intake = intake.clone();
        callers.spawn(async move {
            let inputs: Vec<Input> = (0..=caller % 3).map(|n| input(10 * caller + n)).collect();
            (intake.accept_all(&inputs).await.unwrap(), inputs)
        });
    }
    let told = callers.join_all().await;
    let entries = inlet.read(before, ALL).await.unwrap();
    let stored: BTreeMap<Position, Input> = entries
        .iter()
        .flat_map(|entry| {
            let inputs = decode_batch(&entry.bytes).into_iter().zip(0..);
            inputs.map(|(input, index)| (Position { seq: entry.seq, index }, input.unwrap()))
        })
        .collect();
    let mut count = 0;
    for (first, inputs) in told {
        for (input, index) in inputs.into_iter().zip(first.index..) {
            let position = Position { seq: first.seq, index };
            assert_eq!(stored.get(&position), Some(&input), "each at the place it was told");
            count += 1;
        }
    }
    assert_eq!(count, stored.len(), "and nothing beside them");
    assert!(!intake.is_crowded(), "all of them are answered");
    drop(intake);
    tasks.close();
    tasks.wait().await;
}

fn input(millis: i64) -> Input {
    let channel = ChannelId::new("site").unwrap();
    let body = DeliveryInput::Own { channel, host: HostId(uuid::Uuid::nil()) };
    let at = Timestamp::from_millis(millis);
    Input { id: InputId(uuid::Uuid::nil()), at, body: InputBody::Delivery(body) }
}

/// Runs the suite of the ledger on an empty one.
pub async fn ledger(ledger: &dyn Ledger) {
    ledger_is_empty(ledger).await;
    ledger_appends_in_order(ledger).await;
    ledger_fences(ledger).await;
    ledger_finds_positions(ledger).await;
    ledger_hints(ledger).await;
}

async fn inlet_keeps_the_order(inlet: &dyn Inlet) {
    assert_eq!(inlet.last().await.unwrap(), 0, "the suite needs an empty inlet");
    assert!(inlet.read(0, ALL).await.unwrap().is_empty());
    let mut seqs: Vec<u64> = Vec::new();
    for number in 0..5_usize {
        let seq = inlet.publish(payload(number, 100)).await.unwrap();
        assert!(seqs.last().copied().unwrap_or(0) < seq, "sequences grow, from 1");
        assert_eq!(inlet.last().await.unwrap(), seq);
        let stored = inlet.read(seq - 1, ALL).await.unwrap();
        assert_eq!(stored, [Entry { seq, bytes: payload(number, 100) }], "stored on return");
        seqs.push(seq);
    }
    let read = inlet.read(0, ALL).await.unwrap();
    let expected: Vec<Entry> = seqs
        .iter()
        .enumerate()
        .map(|(number, seq)| Entry { seq: *seq, bytes: payload(number, 100) })
        .collect();
    assert_eq!(read, expected);
    check_limits(&expected, async |after, limits| inlet.read(after, limits).await.unwrap()).await;
    assert!(inlet.read(seqs[4], ALL).await.unwrap().is_empty(), "nothing after the last");
    assert!(inlet.read(u64::MAX, ALL).await.unwrap().is_empty(), "nothing beyond everything");
}

async fn inlet_hints(inlet: &dyn Inlet) {
    let mut changes = inlet.changes();
    let (hint, seq) = tokio::join!(hinted(&mut changes), inlet.publish(payload(5, 10)));
    hint.unwrap();
    assert_eq!(inlet.last().await.unwrap(), seq.unwrap());
}

async fn inlet_takes_many_at_once(inlet: &dyn Inlet) {
    let before = inlet.last().await.unwrap();
    let publish = |number| inlet.publish(payload(number, 20));
    let (a, b, c, d) = tokio::join!(publish(10), publish(11), publish(12), publish(13));
    let mut stored: Vec<Entry> = [a, b, c, d]
        .into_iter()
        .zip(10..)
        .map(|(seq, number)| Entry { seq: seq.unwrap(), bytes: payload(number, 20) })
        .collect();
    stored.sort_by_key(|entry| entry.seq);
    assert_eq!(inlet.read(before, ALL).await.unwrap(), stored, "each at the place it was told");
}

async fn inlet_is_trimmed(inlet: &dyn Inlet) {
    let entries = inlet.read(0, ALL).await.unwrap();
    let last = inlet.last().await.unwrap();
    inlet.trim(0).await.unwrap();
    assert_eq!(inlet.read(0, ALL).await.unwrap(), entries, "nothing to trim");
    inlet.trim(entries[1].seq).await.unwrap();
    assert_eq!(inlet.read(0, ALL).await.unwrap(), entries[2..]);
    inlet.trim(entries[1].seq).await.unwrap();
    inlet.trim(last).await.unwrap();
    assert!(inlet.read(0, ALL).await.unwrap().is_empty());
    assert_eq!(inlet.last().await.unwrap(), last, "what is trimmed still counts");
    let next = inlet.publish(payload(0, 10)).await.unwrap();
    assert!(next > last, "no sequence is given twice");
    assert_eq!(inlet.read(0, ALL).await.unwrap(), [Entry { seq: next, bytes: payload(0, 10) }]);
}

async fn ledger_is_empty(ledger: &dyn Ledger) {
    assert_eq!(ledger.tail().await.unwrap(), None, "the suite needs an empty ledger");
    assert!(ledger.read(0, ALL).await.unwrap().is_empty());
    assert_eq!(ledger.find(0).await.unwrap(), None);
    assert_eq!(ledger.find(1).await.unwrap(), None);
    let fenced = ledger.append(1, (1, 1), payload(0, 10)).await;
    assert_eq!(fenced, Err(BusError::Fenced { expected: 1, actual: 0 }));
}

/// Leaves four envelopes: with the events 1 to 3, none, 4, none.
async fn ledger_appends_in_order(ledger: &dyn Ledger) {
    let mut expected = Vec::new();
    for (number, events) in [(1, 3), (4, 3), (4, 4), (5, 4)].into_iter().enumerate() {
        let last = number as u64;
        let seq = ledger.append(last, events, payload(number, 100)).await.unwrap();
        assert_eq!(seq, last + 1);
        let entry = Entry { seq, bytes: payload(number, 100) };
        assert_eq!(ledger.tail().await.unwrap(), Some(entry.clone()), "stored on return");
        expected.push(entry);
    }
    assert_eq!(ledger.read(0, ALL).await.unwrap(), expected);
    assert_eq!(ledger.read(3, ALL).await.unwrap(), expected[3..]);
    assert!(ledger.read(4, ALL).await.unwrap().is_empty());
    assert!(ledger.read(u64::MAX, ALL).await.unwrap().is_empty());
    check_limits(&expected, async |after, limits| ledger.read(after, limits).await.unwrap()).await;
}

/// Leaves a fifth envelope, with event 5.
async fn ledger_fences(ledger: &dyn Ledger) {
    let append = |number| ledger.append(4, (5, 5), payload(number, 30));
    let pair = async |number| tokio::join!(append(number), append(number + 1));
    let (one, two, three, four) = tokio::join!(pair(20), pair(22), pair(24), pair(26));
    let answers = [one.0, one.1, two.0, two.1, three.0, three.1, four.0, four.1];
    let winners: Vec<usize> = (0..8).filter(|index| answers[*index] == Ok(5)).collect();
    assert_eq!(winners.len(), 1, "exactly one wins: {answers:?}");
    let lost = answers.iter().filter(|answer| **answer != Ok(5));
    for answer in lost {
        assert_eq!(*answer, Err(BusError::Fenced { expected: 4, actual: 5 }));
    }
    let own = payload(20 + winners[0], 30);
    assert_eq!(
        ledger.append(4, (5, 5), own.clone()).await,
        Err(BusError::Fenced { expected: 4, actual: 5 }),
        "the same bytes again are not appended twice"
    );
    let tail = ledger.tail().await.unwrap();
    assert_eq!(tail, Some(Entry { seq: 5, bytes: own }), "and the tail tells whose they are");
    for expected in [0, 6, u64::MAX] {
        let fenced = ledger.append(expected, (6, 6), payload(0, 1)).await;
        assert_eq!(fenced, Err(BusError::Fenced { expected, actual: 5 }));
    }
}

async fn ledger_finds_positions(ledger: &dyn Ledger) {
    for (position, seq) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 3), (5, 5)] {
        assert_eq!(ledger.find(position).await.unwrap(), Some(seq), "event {position}");
    }
    assert_eq!(ledger.find(6).await.unwrap(), None);
    assert_eq!(ledger.find(u64::MAX).await.unwrap(), None);
}

async fn ledger_hints(ledger: &dyn Ledger) {
    let mut changes = ledger.changes();
    let (hint, seq) = tokio::join!(hinted(&mut changes), ledger.append(5, (6, 6), payload(6, 10)));
    hint.unwrap();
    assert_eq!(seq, Ok(6));
}

async fn hinted(changes: &mut watch::Receiver<u64>) -> Result<(), String> {
    match tokio::time::timeout(HINT_WAIT, changes.changed()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("the backend hints no more".to_owned()),
        Err(_) => Err("no hint came".to_owned()),
    }
}

/// `expected` are at least four entries of 100 bytes.
async fn check_limits(expected: &[Entry], read: impl AsyncFn(u64, ReadLimits) -> Vec<Entry>) {
    for (entries_max, bytes_max, count) in [
        (2, usize::MAX, 2),
        (1_000, 350, 3),
        (1_000, 300, 3),
        (1_000, 1, 1),
        (0, 1_000, 1),
        (0, 0, 1),
    ] {
        let read = read(0, ReadLimits { entries_max, bytes_max }).await;
        assert_eq!(read, expected[..count], "up to {entries_max} entries, {bytes_max} bytes");
    }
    let from_second = read(expected[0].seq, ReadLimits { entries_max: 1, bytes_max: 1 }).await;
    assert_eq!(from_second, expected[1..2]);
}

/// `bytes` bytes that differ from number to number and are no text.
fn payload(number: usize, bytes: usize) -> Bytes {
    (0..bytes).map(|at| u8::try_from((number * 7 + at) % 256).unwrap_or(0)).collect()
}
