//! What the records do beyond the common suite: pages over many conversations of which few are
//! wanted, and records of another schema.

use postroom_model::{Conversation, ConversationId, Timestamp};
use postroom_records::{Change, ConversationQuery, Key, Row, Standing, View};
use serde_json::json;

use crate::fresh;

fn conversation(number: u32) -> Change {
    let statuses = ["open", "pending", "snoozed", "resolved"];
    let at = Timestamp::from_millis(i64::from(number) * 10).to_string();
    let tags: &[&str] = if number.is_multiple_of(24_000) { &["wanted"] } else { &[] };
    let value = json!({
        "id": uuid::Uuid::from_u128(u128::from(number)),
        "status": statuses[number as usize % 4],
        "subject": "About something",
        "channel": "site",
        "cost": 1,
        "priority": 0,
        "tags": tags,
        "targets": [],
        "opened_at": at,
        "last_message_at": at,
        "version": 1,
        "message_version": 1,
        "route": { "tried": 0 },
    });
    let row: Conversation = serde_json::from_value(value).unwrap();
    Change::Put(Key::Conversation(row.id), Row::Conversation(Box::new(row)))
}

#[tokio::test]
async fn search_that_finds_little_goes_on_from_page_to_page() {
    let (_folder, store) = fresh();
    let records = store.records();
    // All are open, so that a page of either view looks at fewer than there are.
    let changes = (0..=24_000).map(|number| conversation(4 * number)).collect();
    let standing = Standing { seq: 1, last_event: 1, at: Timestamp::EPOCH };
    records.write(0, standing, changes).await.unwrap();
    for view in [View::All, View::Unassigned] {
        let tag = Some("wanted".to_owned());
        let mut query = ConversationQuery { view, tag, limit: 2, ..ConversationQuery::default() };
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let page = records.conversations(&query).await.unwrap();
            assert!(page.items.len() <= 2);
            found.extend(page.items.iter().map(|item| item.id.0.as_u128()));
            pages += 1;
            match page.next_cursor {
                Some(cursor) => query.cursor = Some(cursor),
                None => break,
            }
        }
        assert_eq!(found, [96_000, 72_000, 48_000, 24_000, 0], "{view:?}");
        assert!(pages >= 3, "{pages} pages");
    }
}

#[tokio::test]
async fn records_of_another_schema_ask_for_a_rebuild() {
    let (folder, store) = fresh();
    let records = store.records();
    let standing = Standing { seq: 1, last_event: 1, at: Timestamp::EPOCH };
    records.write(0, standing, vec![conversation(1)].into()).await.unwrap();
    let other = rusqlite::Connection::open(folder.path().join("records.db")).unwrap();
    other.execute("UPDATE standing SET schema = 99", []).unwrap();
    assert_eq!(records.standing().await.unwrap_err().code(), "records_other_schema");
    let refused = records.write(1, standing, vec![conversation(2)].into()).await.unwrap_err();
    assert_eq!(refused.code(), "records_other_schema");
    records.clear().await.unwrap();
    assert_eq!(records.standing().await.unwrap(), Standing::default());
    let key = Key::Conversation(ConversationId(uuid::Uuid::from_u128(1)));
    assert_eq!(records.load(&[key]).await.unwrap(), [None]);
}
