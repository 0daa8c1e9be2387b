//! The listing of conversations: views, filters, order, and pages while rows move.

use postroom_model::{Climbed, Conversation, Status};

use super::samples::{agent, channel, conversation, id, moment, queue};
use super::{change, start_with};
use crate::{Change, ConversationQuery, Key, Records, RecordsError, Row, View};

pub(super) async fn run(records: &dyn Records) {
    lists_views(records).await;
    lists_by_filters(records).await;
    pages_while_rows_move(records).await;
    follows_changes(records).await;
    refuses_strange_cursors(records).await;
}

fn row(conversation: Conversation) -> (Key, Row) {
    (Key::Conversation(conversation.id), Row::Conversation(Box::new(conversation)))
}

fn put(conversation: Conversation) -> Change {
    let (key, row) = row(conversation);
    Change::Put(key, row)
}

/// 1 to 8; see the cases below for who is what.
fn inbox() -> Vec<(Key, Row)> {
    let with = |n, edit: fn(&mut Conversation)| {
        let mut made = conversation(n);
        edit(&mut made);
        row(made)
    };
    vec![
        with(1, |c| c.subject = None),
        with(2, |c| c.assignee = Some(agent("ada"))),
        with(3, |c| {
            c.assignee = Some(agent("ada"));
            c.status = Status::Pending;
            c.queue = Some(queue("billing"));
        }),
        with(4, |c| {
            c.assignee = Some(agent("bob"));
            c.queue = Some(queue("billing"));
            c.subject = Some("\u{c4}rger 100%".to_owned());
        }),
        with(5, |c| {
            c.status = Status::Snoozed;
            c.assignee = Some(agent("ada"));
            c.tags = vec!["vip".to_owned(), "a b".to_owned()];
        }),
        with(6, |c| {
            c.status = Status::Resolved;
            c.assignee = Some(agent("ada"));
            c.channel = channel("mail");
            c.subject = Some("a_b order".to_owned());
        }),
        with(7, |c| {
            c.queue = None;
            c.tags = vec!["vip".to_owned()];
        }),
        // As old as 7: of the two the greater id comes first.
        with(8, |c| {
            c.channel = channel("mail");
            c.last_message_at = moment(7);
            c.tags = vec!["VIP".to_owned()];
            // A ladder has brought it to the agents of another queue.
            c.climbed = Some(Climbed { queues: vec![queue("night")], ..Climbed::default() });
        }),
    ]
}

/// The ids that a query gives, read in pages of `limit`.
async fn list(records: &dyn Records, query: &ConversationQuery, limit: usize) -> Vec<u64> {
    let mut query = ConversationQuery { limit, ..query.clone() };
    let mut ids = Vec::new();
    loop {
        let page = records.conversations(&query).await.unwrap();
        assert!(page.items.len() <= limit, "a page holds no more than its limit");
        ids.extend(page.items.iter().map(number));
        let Some(cursor) = page.next_cursor else {
            return ids;
        };
        assert_eq!(page.items.len(), limit, "only the last page is shorter");
        assert!(ids.len() <= 8, "pages come to an end");
        let safe = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        assert!(cursor.chars().all(safe), "{cursor} is not safe in a URL");
        query.cursor = Some(cursor);
    }
}

fn number(conversation: &Conversation) -> u64 {
    conversation.id.0.as_u64_pair().1 & 0xffff
}

async fn check(records: &dyn Records, query: ConversationQuery, expected: &[u64]) {
    for limit in [1, 2, 3, 50] {
        let ids = list(records, &query, limit).await;
        assert_eq!(ids, expected, "{query:?} in pages of {limit}");
    }
}

async fn lists_views(records: &dyn Records) {
    start_with(records, inbox()).await;
    let view = |view| ConversationQuery { view, ..ConversationQuery::default() };
    let mine = |name| ConversationQuery { agent: Some(agent(name)), ..view(View::Mine) };
    check(records, view(View::All), &[8, 7, 6, 5, 4, 3, 2, 1]).await;
    check(records, view(View::Unassigned), &[8, 7, 1]).await;
    check(records, view(View::Snoozed), &[5]).await;
    check(records, view(View::Resolved), &[6]).await;
    check(records, mine("ada"), &[3, 2]).await;
    check(records, mine("bob"), &[4]).await;
    check(records, mine("eve"), &[]).await;
    check(records, view(View::Mine), &[]).await;
    let none = ConversationQuery { limit: 0, ..view(View::All) };
    let page = records.conversations(&none).await.unwrap();
    assert_eq!((page.items.len(), page.next_cursor), (0, None));
    let full = ConversationQuery { limit: 8, ..view(View::All) };
    let page = records.conversations(&full).await.unwrap();
    assert_eq!(page.items.len(), 8);
    assert_eq!(page.next_cursor, None, "a page that just holds the rest is the last");
    assert_eq!(row(page.items[7].clone()), inbox()[0], "an item is the row");
}

fn tag(tag: &str) -> ConversationQuery {
    ConversationQuery { tag: Some(tag.to_owned()), ..ConversationQuery::default() }
}

fn queues(names: &[&str]) -> ConversationQuery {
    let queues = Some(names.iter().map(|name| queue(name)).collect());
    ConversationQuery { queues, ..ConversationQuery::default() }
}

/// Those of the queues, and Ada's.
fn or_adas(query: ConversationQuery) -> ConversationQuery {
    ConversationQuery { or_agent: Some(agent("ada")), ..query }
}

fn viewed(view: View, query: ConversationQuery) -> ConversationQuery {
    ConversationQuery { view, ..query }
}

fn of_channels(names: &[&str], query: ConversationQuery) -> ConversationQuery {
    let channels = Some(names.iter().map(|name| channel(name)).collect());
    ConversationQuery { channels, ..query }
}

async fn lists_by_filters(records: &dyn Records) {
    start_with(records, inbox()).await;
    let all = ConversationQuery::default;
    let support_or_adas = or_adas(queues(&["support"]));
    let billing_or_adas = or_adas(queues(&["billing"]));
    let cases = [
        (queues(&["billing"]), &[4, 3][..]),
        (queues(&["billing", "none"]), &[4, 3]),
        (queues(&["billing", "support"]), &[8, 6, 5, 4, 3, 2, 1]),
        (queues(&[]), &[]),
        (billing_or_adas.clone(), &[6, 5, 4, 3, 2]),
        (viewed(View::Resolved, billing_or_adas), &[6]),
        (viewed(View::Unassigned, support_or_adas), &[8, 1]),
        (or_adas(queues(&[])), &[6, 5, 3, 2]),
        (queues(&["night"]), &[]),
        (or_adas(queues(&["night"])), &[8, 6, 5, 3, 2]),
        (viewed(View::Unassigned, or_adas(queues(&["night"]))), &[8]),
        (or_adas(all()), &[8, 7, 6, 5, 4, 3, 2, 1]),
        (of_channels(&["mail"], all()), &[8, 6]),
        (of_channels(&["mail", "site"], tag("vip")), &[7, 5]),
        (of_channels(&[], all()), &[]),
        (tag("vip"), &[7, 5]),
        (tag("a b"), &[5]),
        (tag("vi"), &[]),
    ];
    for (query, expected) in cases {
        check(records, query, expected).await;
    }
}

/// Who reads page after page misses nobody who stays, and sees nobody twice.
async fn pages_while_rows_move(records: &dyn Records) {
    start_with(records, (1..=7).map(|n| row(conversation(n))).collect()).await;
    let mut query = ConversationQuery { limit: 2, ..ConversationQuery::default() };
    let mut pages = Vec::new();
    // After the first page, one that was on it and one that was to come move to the top; after the
    // second, its last one, to which the cursor points, is deleted.
    for moves in [vec![7, 2], vec![], vec![]] {
        let page = records.conversations(&query).await.unwrap();
        pages.push(page.items.iter().map(number).collect::<Vec<_>>());
        query.cursor = page.next_cursor;
        let mut changes = Vec::new();
        for n in moves {
            let mut moved = conversation(n);
            moved.last_message_at = moment(100 + n);
            changes.push(put(moved));
        }
        if pages.len() == 2 {
            changes.push(Change::Delete(Key::Conversation(id(4))));
        }
        change(records, changes).await;
    }
    assert_eq!(pages, [vec![7, 6], vec![5, 4], vec![3, 1]]);
    assert_eq!(query.cursor, None);
    query.cursor = None;
    assert_eq!(list(records, &query, 2).await, [7, 2, 6, 5, 3, 1]);
}

/// A row that is put anew is found where it belongs now, and nowhere else.
async fn follows_changes(records: &dyn Records) {
    start_with(records, (1..=3).map(|n| row(conversation(n))).collect()).await;
    let mut moved = conversation(2);
    moved.status = Status::Pending;
    moved.assignee = Some(agent("ada"));
    moved.queue = Some(queue("billing"));
    moved.channel = channel("mail");
    moved.tags = vec!["vip".to_owned()];
    moved.subject = Some("New".to_owned());
    moved.last_message_at = moment(9);
    change(records, vec![put(moved.clone())]).await;
    let all = ConversationQuery::default;
    let new = ConversationQuery {
        view: View::Mine,
        agent: Some(agent("ada")),
        queues: Some(vec![queue("billing")]),
        or_agent: None,
        channels: Some(vec![channel("mail")]),
        tag: Some("vip".to_owned()),
        ..all()
    };
    check(records, all(), &[2, 3, 1]).await;
    check(records, new.clone(), &[2]).await;
    check(records, ConversationQuery { view: View::Unassigned, ..all() }, &[3, 1]).await;
    check(records, queues(&["support"]), &[3, 1]).await;
    moved.status = Status::Resolved;
    change(records, vec![put(moved.clone())]).await;
    check(records, new.clone(), &[]).await;
    check(records, ConversationQuery { view: View::Resolved, ..new }, &[2]).await;
    change(records, vec![Change::Delete(Key::Conversation(id(2)))]).await;
    check(records, all(), &[3, 1]).await;
    check(records, ConversationQuery { view: View::Resolved, ..all() }, &[]).await;
}

async fn refuses_strange_cursors(records: &dyn Records) {
    for cursor in ["", ".", "1", "1.2", "x.y", "../..", "\u{e4}", "99999999999999999999"] {
        let query = ConversationQuery {
            cursor: Some(cursor.to_owned()),
            limit: 1,
            ..ConversationQuery::default()
        };
        let refused = records.conversations(&query).await;
        assert!(matches!(refused, Err(RecordsError::BadCursor)), "{cursor:?}: {refused:?}");
    }
}
