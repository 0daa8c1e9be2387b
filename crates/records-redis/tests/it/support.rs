//! Records and rows for the tests.

use std::time::Duration;

use postroom_model::{
    Conversation, ConversationId, InputId, Outcome, OutcomeKind, Position, Timestamp, WorkspaceId,
};
use postroom_records::{Change, Key, Records, Row, Seen, Standing, TimelineItem, Totals};
use postroom_records_redis::{RedisOptions, RedisRecords};
use serde_json::json;
use uuid::Uuid;

use crate::server::Server;

pub(crate) async fn open(server: &Server) -> RedisRecords {
    open_with(server, &RedisOptions::default()).await
}

pub(crate) async fn open_with(server: &Server, options: &RedisOptions) -> RedisRecords {
    RedisRecords::open(&server.url(), WorkspaceId::main(), options).await.unwrap()
}

/// Nothing is heard by looking, so that what is heard was told.
pub(crate) fn deaf() -> RedisOptions {
    RedisOptions { look_every: Duration::from_hours(1), ..RedisOptions::default() }
}

pub(crate) fn at(seq: u64) -> Standing {
    let millis = i64::try_from(seq).unwrap();
    Standing { seq, last_event: 10 * seq, at: Timestamp::from_millis(millis) }
}

pub(crate) fn totals(routed: u64) -> Change {
    Change::Put(Key::Totals, Row::Totals(Totals { routed, ..Totals::default() }))
}

/// What the row of totals says; it says nothing if there is none.
pub(crate) async fn routed(records: &dyn Records) -> Option<u64> {
    match records.load(&[Key::Totals]).await.unwrap().pop().unwrap() {
        Some(Row::Totals(totals)) => Some(totals.routed),
        _ => None,
    }
}

pub(crate) fn input(number: u64) -> InputId {
    InputId(Uuid::from_u64_pair(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number))
}

pub(crate) fn seen(number: u64, millis: i64) -> Change {
    let outcome = Outcome {
        position: Position { seq: number, index: 0 },
        input: input(number),
        kind: OutcomeKind::Routed,
        code: None,
        detail: None,
        conversation: None,
        message: None,
        version: None,
        prints: vec![],
    };
    let at = Timestamp::from_millis(millis);
    Change::Put(Key::Seen(input(number)), Row::Seen(Box::new(Seen { at, outcome })))
}

pub(crate) fn conversation(number: u64, status: &str, subject: &str) -> Conversation {
    let at = Timestamp::from_millis(i64::try_from(number).unwrap() * 10).to_string();
    let value = json!({
        "id": Uuid::from_u64_pair(1, number), "status": status, "subject": subject,
        "channel": "site", "queue": "support", "cost": 1, "priority": 0, "tags": [], "targets": [],
        "opened_at": at, "last_message_at": at, "waiting_since": at, "version": 1,
        "message_version": 1, "route": { "tried": 0 },
    });
    serde_json::from_value(value).unwrap()
}

pub(crate) fn put(conversation: Conversation) -> Change {
    Change::Put(Key::Conversation(conversation.id), Row::Conversation(Box::new(conversation)))
}

pub(crate) fn entry(conversation: ConversationId, position: u64, text: &str) -> Change {
    let item = TimelineItem {
        position,
        conversation: Some(conversation),
        at: Timestamp::from_millis(1),
        kind: "note.added".to_owned(),
        id: None,
        message: None,
        call: None,
        text: Some(text.to_owned()),
        by: None,
        reason: None,
        delivery: None,
        details: serde_json::Map::new(),
    };
    Change::Put(Key::Timeline(conversation, position), Row::Timeline(Box::new(item)))
}

/// Asks again and again until the records stand there, for as long as it may take.
pub(crate) async fn stand_at(records: &dyn Records, seq: u64) {
    let standing = async {
        while records.standing().await.map_or(u64::MAX, |standing| standing.seq) != seq {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), standing).await.unwrap();
}
