//! Timelines, presences, counts, the outbox, and inputs set aside.

use postroom_model::{DeliveryState, MessageId, ParkedId, Status};

use super::samples::{
    agent, conversation, entry, id, live_call, moment, outbound, parked, presence, queue, uuid,
};
use super::{change, start_with};
use crate::{Change, ENTRIES_LOOKED_AT, Key, Parked, QueueCounts, Records, Row};

pub(super) async fn run(records: &dyn Records) {
    reads_timelines(records).await;
    reads_last_words(records).await;
    reads_presences(records).await;
    reads_live_calls(records).await;
    counts_queues(records).await;
    reads_the_outbox(records).await;
    reads_what_is_parked(records).await;
}

async fn reads_timelines(records: &dyn Records) {
    // Positions of which the decimal and the byte-wise order differ.
    let entries = [(1, 2), (2, 3), (1, 10), (3, 11), (2, 100), (1, 256), (1, 70_000), (2, 70_001)];
    let row = |(n, position)| {
        let item = entry(id(n), position, position % 2 == 0);
        (Key::Timeline(id(n), position), Row::Timeline(Box::new(item)))
    };
    start_with(records, entries.iter().rev().copied().map(row).collect()).await;
    let both = [id(2), id(1)];
    let cases = [
        (&both[..], 0, 10, &[2, 3, 10, 100, 256, 70_000, 70_001][..]),
        (&both, 3, 2, &[10, 100]),
        (&both, 9, 1, &[10]),
        (&both, 70_001, 10, &[]),
        (&both, u64::MAX, 10, &[]),
        (&both, 0, 0, &[]),
        (&both[1..], 2, 10, &[10, 256, 70_000]),
        (&[id(9)], 0, 10, &[]),
        (&[], 0, 10, &[]),
    ];
    for (conversations, after, limit, expected) in cases {
        let items = records.timeline(conversations, after, limit).await.unwrap();
        let positions: Vec<_> = items.iter().map(|item| item.position).collect();
        assert_eq!(positions, expected, "after {after}, {limit} of {conversations:?}");
    }
    let all = records.timeline(&[id(1), id(2), id(3)], 0, 100).await.unwrap();
    for (item, (n, position)) in all.into_iter().zip(entries) {
        assert_eq!(item, entry(id(n), position, position % 2 == 0));
    }
    change(records, vec![Change::Delete(Key::Timeline(id(3), 11))]).await;
    assert_eq!(records.timeline(&[id(3)], 0, 10).await.unwrap(), []);
}

async fn reads_last_words(records: &dyn Records) {
    let row = |n, position, text: Option<&str>| {
        let mut item = entry(id(n), position, text.is_some());
        if let Some(message) = &mut item.message {
            message.text = text.map(str::to_owned);
        }
        (Key::Timeline(id(n), position), Row::Timeline(Box::new(item)))
    };
    let mut rows = vec![row(1, 9, Some("old")), row(1, 100, Some("new")), row(1, 256, None)];
    rows.extend([row(2, 10, None), row(3, 11, Some("far back")), row(4, 70_000, Some("four"))]);
    rows.extend((0..ENTRIES_LOOKED_AT as u64).map(|n| row(3, 300 + n, None)));
    start_with(records, rows).await;
    let asked = [id(4), id(1), id(2), id(3), id(9), id(1)];
    let words = records.last_words(&asked).await.unwrap();
    let words: Vec<Option<&str>> = words.iter().map(Option::as_deref).collect();
    assert_eq!(words, [Some("four"), Some("new"), None, None, None, Some("new")]);
    assert_eq!(records.last_words(&[]).await.unwrap(), Vec::<Option<String>>::new());
}

async fn reads_presences(records: &dyn Records) {
    let rows = ["bob", "ada", "cy"].map(presence);
    start_with(records, rows.to_vec()).await;
    change(records, vec![Change::Delete(Key::Presence(agent("cy")))]).await;
    let presences = records.presences().await.unwrap();
    let rows: Vec<_> = presences.into_iter().map(Row::Presence).collect();
    assert_eq!(rows, ["ada", "bob"].map(|name| presence(name).1));
}

async fn reads_live_calls(records: &dyn Records) {
    let rows = [5, 9, 7].map(live_call);
    start_with(records, rows.to_vec()).await;
    let (over, _) = live_call(7);
    change(records, vec![Change::Delete(over)]).await;
    let calls = records.live_calls(10).await.unwrap();
    let told: Vec<_> = calls.into_iter().map(|item| Row::Call(Box::new(item))).collect();
    assert_eq!(told, [5, 9].map(|n| live_call(n).1));
    assert_eq!(records.live_calls(1).await.unwrap().len(), 1);
}

async fn counts_queues(records: &dyn Records) {
    let states = [
        (1, Status::Open, None, "support"),
        (2, Status::Open, None, "support"),
        (3, Status::Open, Some("ada"), "support"),
        (4, Status::Pending, Some("ada"), "support"),
        (5, Status::Pending, None, "billing"),
        (6, Status::Snoozed, None, "billing"),
        (7, Status::Resolved, None, "sales"),
    ];
    let mut rows = Vec::new();
    for (n, status, owner, name) in states {
        let mut made = conversation(n);
        made.status = status;
        made.assignee = owner.map(agent);
        made.queue = Some(queue(name));
        // The oldest is not among those that wait, and one of them waits for nobody.
        made.waiting_since = (n != 1).then(|| moment(if n == 3 { 1 } else { 10 * n }));
        rows.push((Key::Conversation(id(n)), Row::Conversation(Box::new(made))));
    }
    let mut nowhere = conversation(8);
    nowhere.queue = None;
    rows.push((Key::Conversation(id(8)), Row::Conversation(Box::new(nowhere))));
    start_with(records, rows).await;
    let support = QueueCounts { waiting: 2, open: 4, waiting_since: Some(moment(20)) };
    let billing = QueueCounts { waiting: 0, open: 1, waiting_since: None };
    let counts = records.queue_counts().await.unwrap();
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [(queue("billing"), billing), (queue("support"), support)]
    );
    let gone = [1, 3, 4].map(|n| Change::Delete(Key::Conversation(id(n))));
    change(records, gone.to_vec()).await;
    let counts = records.queue_counts().await.unwrap();
    let left = QueueCounts { waiting: 1, open: 1, waiting_since: Some(moment(20)) };
    assert_eq!(counts.get(&queue("support")), Some(&left));
}

async fn reads_the_outbox(records: &dyn Records) {
    use DeliveryState::{Delivered, Failed, Queued, Read, Sending, Sent, Uncertain, Waiting};
    let states = [Queued, Sending, Waiting, Sent, Delivered, Read, Failed, Uncertain];
    let row = |n, state| {
        let key = Key::Outbound(MessageId(uuid(n)));
        (key, Row::Outbound(Box::new(outbound(n, state))))
    };
    let rows = (1..).zip(states).map(|(n, state)| row(n, state));
    start_with(records, rows.collect()).await;
    let outbox = records.outbox(10).await.unwrap();
    // Positions fall as ids rise.
    let expected = [(3, Waiting), (2, Sending), (1, Queued)];
    assert_eq!(outbox, expected.map(|(n, state)| outbound(n, state).outbound));
    let first = records.outbox(1).await.unwrap();
    assert_eq!(first[..], outbox[..1]);
    let put = |(key, row)| Change::Put(key, row);
    let changes = vec![put(row(3, Sent)), put(row(7, Queued)), put(row(2, Queued))];
    change(records, changes).await;
    let ids: Vec<_> = records.outbox(10).await.unwrap().iter().map(|reply| reply.id.0).collect();
    assert_eq!(ids, [7, 2, 1].map(uuid));
    change(records, vec![Change::Delete(Key::Outbound(MessageId(uuid(2))))]).await;
    assert_eq!(records.outbox(10).await.unwrap().len(), 2);
}

async fn reads_what_is_parked(records: &dyn Records) {
    start_with(records, [3, 1, 4, 2].map(parked).to_vec()).await;
    let ids = |parked: Vec<Parked>| parked.into_iter().map(|one| one.id.0).collect::<Vec<_>>();
    let all = records.parked(None, 10).await.unwrap();
    assert_eq!(Row::Parked(Box::new(all[0].clone())), parked(1).1);
    assert_eq!(ids(all), [1, 2, 3, 4].map(uuid));
    let some = records.parked(Some(ParkedId(uuid(1))), 2).await.unwrap();
    assert_eq!(ids(some), [2, 3].map(uuid));
    change(records, vec![Change::Delete(Key::Parked(ParkedId(uuid(3))))]).await;
    let rest = records.parked(Some(ParkedId(uuid(2))), 10).await.unwrap();
    assert_eq!(ids(rest), [4].map(uuid));
    // After one that is gone.
    let rest = records.parked(Some(ParkedId(uuid(3))), 10).await.unwrap();
    assert_eq!(ids(rest), [4].map(uuid));
}
