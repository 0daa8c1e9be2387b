//! Loading, writing, the standing, and what comes of both.

use std::time::Duration;

use postroom_model::{ContactId, InputId};

use super::samples::{self, conversation, id, moment, seen, uuid};
use super::{at, change, scan_all, start_with};
use crate::{Change, ConversationQuery, Key, Records, RecordsError, Row, Standing, Totals};

pub(super) async fn run(records: &dyn Records) {
    starts_empty(records).await;
    writes_whole_or_not(records).await;
    gives_rows_in_the_order_of_keys(records).await;
    scans_in_the_order_of_keys(records).await;
    takes_large_batches(records).await;
    forgets_what_was_seen(records).await;
    knows_what_is_new(records).await;
    lets_one_of_two_writers_win(records).await;
    tells_of_writes(records).await;
    clears(records).await;
}

fn totals(routed: u64) -> Row {
    Row::Totals(Totals { routed, ..Totals::default() })
}

async fn load_one(records: &dyn Records, key: Key) -> Option<Row> {
    let mut rows = records.load(&[key]).await.unwrap();
    assert_eq!(rows.len(), 1);
    rows.pop().unwrap()
}

async fn starts_empty(records: &dyn Records) {
    assert_eq!(records.standing().await.unwrap(), Standing::default());
    assert_eq!(records.scan(None, 10).await.unwrap(), []);
    assert_eq!(records.load(&[]).await.unwrap(), []);
    assert_eq!(load_one(records, Key::Totals).await, None);
}

async fn writes_whole_or_not(records: &dyn Records) {
    start_with(records, vec![(Key::Totals, totals(1))]).await;
    assert_eq!(records.standing().await.unwrap(), at(1));
    for wrong in [0, 2] {
        let changes = vec![
            Change::Put(Key::Totals, totals(9)),
            Change::Put(Key::Conversation(id(1)), Row::Conversation(Box::new(conversation(1)))),
        ];
        let refused = records.write(wrong, at(5), changes.into()).await.unwrap_err();
        assert!(
            matches!(refused, RecordsError::Moved { expected, actual: 1 } if expected == wrong),
            "{refused:?}"
        );
    }
    assert_eq!(records.standing().await.unwrap(), at(1), "a refused write moves nothing");
    assert_eq!(scan_all(records, 10).await, [(Key::Totals, totals(1))]);

    records.write(1, at(4), Vec::new().into()).await.unwrap();
    assert_eq!(records.standing().await.unwrap(), at(4), "an empty write moves the standing");

    // In the order of the list: the last one counts.
    let thread = || Key::Thread(samples::channel("site"), "t".to_owned());
    let changes = vec![
        Change::Put(Key::Totals, totals(2)),
        Change::Put(Key::Totals, totals(3)),
        Change::Put(thread(), Row::Thread(id(1))),
        Change::Delete(thread()),
        Change::Delete(Key::Settings),
    ];
    records.write(4, at(5), changes.into()).await.unwrap();
    assert_eq!(scan_all(records, 10).await, [(Key::Totals, totals(3))]);
}

async fn gives_rows_in_the_order_of_keys(records: &dyn Records) {
    let rows = samples::rows();
    start_with(records, rows.clone()).await;
    let absent = Key::Contact(ContactId(uuid(999)));
    let mut keys = vec![absent.clone()];
    let mut expected = vec![None];
    for (key, row) in rows.iter().rev() {
        keys.push(key.clone());
        expected.push(Some(row.clone()));
    }
    keys.extend([keys[1].clone(), absent]);
    expected.extend([expected[1].clone(), None]);
    let loaded = records.load(&keys).await.unwrap();
    assert_eq!(loaded.len(), expected.len());
    for ((key, loaded), expected) in keys.iter().zip(loaded).zip(expected) {
        assert_eq!(loaded, expected, "{key:?}");
    }
}

async fn scans_in_the_order_of_keys(records: &dyn Records) {
    let mut rows = samples::rows();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    // Shuffled, so that the order is not that of writing.
    let (even, odd): (Vec<_>, Vec<_>) =
        rows.iter().cloned().enumerate().partition(|(n, _)| n % 2 == 0);
    let shuffled = odd.into_iter().rev().chain(even).map(|(_, row)| row);
    start_with(records, shuffled.collect()).await;
    for page in [1, 7, 1_000] {
        assert_eq!(scan_all(records, page).await, rows, "pages of {page}");
    }
    let absent = Key::Timeline(id(1), 100);
    let next = records.scan(Some(&absent), 1).await.unwrap();
    assert_eq!(next[0].0, Key::Timeline(id(1), 256), "after a key that is not there");
}

async fn takes_large_batches(records: &dyn Records) {
    const MANY: u64 = 5_000;
    let rows: Vec<_> = (0..MANY).map(|n| seen(n, moment(n))).collect();
    start_with(records, rows.clone()).await;
    let keys: Vec<_> = (0..2 * MANY).map(|n| Key::Seen(InputId(uuid(n)))).collect();
    let loaded = records.load(&keys).await.unwrap();
    assert_eq!(loaded.len(), keys.len());
    assert_eq!(loaded.iter().flatten().count(), rows.len());
    assert_eq!(loaded[4_999].as_ref(), rows.last().map(|(_, row)| row));
}

/// A backend need not know; what it claims to know must be so.
async fn knows_what_is_new(records: &dyn Records) {
    start_with(records, vec![seen(1, moment(10))]).await;
    records.gather_seen().await.unwrap();
    change(records, vec![Change::Put(seen(2, moment(20)).0, seen(2, moment(20)).1)]).await;
    for known in [1, 2] {
        assert!(!records.surely_unseen(InputId(uuid(known))), "{known} was seen");
    }
}

async fn forgets_what_was_seen(records: &dyn Records) {
    let rows = vec![seen(1, moment(10)), seen(2, moment(20)), seen(3, moment(30))];
    start_with(records, [rows.clone(), vec![(Key::Totals, totals(1))]].concat()).await;
    let (late, (early_key, early)) = (seen(4, moment(5)), seen(5, moment(5)));
    let changes = vec![
        Change::Put(late.0.clone(), late.1),
        Change::ForgetSeen { before: moment(20) },
        Change::Put(early_key.clone(), early.clone()),
    ];
    change(records, changes).await;
    // Strictly before, and what is put later in the list stays.
    let mut expected = vec![rows[1].clone(), rows[2].clone(), (early_key, early)];
    expected.push((Key::Totals, totals(1)));
    assert_eq!(scan_all(records, 10).await, expected);
    change(records, vec![Change::ForgetSeen { before: moment(31) }]).await;
    assert_eq!(scan_all(records, 10).await, [(Key::Totals, totals(1))]);
    // A row that was put anew counts with its new time.
    change(records, vec![put(seen(6, moment(1)))]).await;
    change(records, vec![put(seen(6, moment(40)))]).await;
    change(records, vec![Change::ForgetSeen { before: moment(40) }]).await;
    let (key, row) = seen(6, moment(40));
    assert_eq!(load_one(records, key).await, Some(row));
}

fn put((key, row): (Key, Row)) -> Change {
    Change::Put(key, row)
}

async fn lets_one_of_two_writers_win(records: &dyn Records) {
    start_with(records, Vec::new()).await;
    for round in 1..20 {
        let from = at(round).seq;
        let write = |routed| {
            let changes =
                vec![Change::Put(Key::Totals, totals(routed)), put(seen(routed, moment(routed)))];
            records.write(from, at(from + 1), changes.into())
        };
        let (one, other) = tokio::join!(write(100 + round), write(200 + round));
        let (won, lost) = match (one, other) {
            (Ok(()), Err(refused)) => (100 + round, refused),
            (Err(refused), Ok(())) => (200 + round, refused),
            both => {
                let won = both.0.is_ok() || both.1.is_ok();
                assert!(!won, "two writers from the same standing both wrote");
                assert!(won, "neither of two writers wrote: {both:?}");
                return;
            }
        };
        assert!(matches!(lost, RecordsError::Moved { .. }), "{lost:?}");
        assert_eq!(load_one(records, Key::Totals).await, Some(totals(won)));
    }
    assert_eq!(scan_all(records, 100).await.len(), 20, "nothing of the losers is there");
}

async fn tells_of_writes(records: &dyn Records) {
    start_with(records, Vec::new()).await;
    let mut changes = records.changes();
    change(records, Vec::new()).await;
    change(records, Vec::new()).await;
    let woken = changes.wait_for(|seq| *seq == 3);
    let woken = tokio::time::timeout(Duration::from_secs(10), woken).await;
    assert!(matches!(woken, Ok(Ok(_))), "a write wakes who waits for changes");
}

async fn clears(records: &dyn Records) {
    start_with(records, samples::rows()).await;
    records.clear().await.unwrap();
    assert_eq!(records.standing().await.unwrap(), Standing::default());
    assert_eq!(records.scan(None, 10).await.unwrap(), []);
    let query = ConversationQuery { limit: 10, ..ConversationQuery::default() };
    assert_eq!(records.conversations(&query).await.unwrap().items, []);
    assert_eq!(records.timeline(&[id(1)], 0, 10).await.unwrap(), []);
    assert_eq!(records.presences().await.unwrap(), []);
    assert!(records.queue_counts().await.unwrap().is_empty());
    assert_eq!(records.outbox(10).await.unwrap(), []);
    assert_eq!(records.parked(None, 10).await.unwrap(), []);
    records.write(0, at(1), vec![Change::Put(Key::Totals, totals(1))].into()).await.unwrap();
    records.clear().await.unwrap();
}
