//! Listings. Each walks an index in the order in which it answers, and stops at its limit.

use std::collections::BTreeMap;

use postroom_model::{
    AgentId, Conversation, ConversationId, Outbound, ParkedId, Presence, QueueId, Status, Timestamp,
};
use postroom_records::{
    ConversationQuery, ENTRIES_LOOKED_AT, ListingCursor, OutboundRow, Page, Parked, QueueCounts,
    TimelineItem, View,
};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use super::rows::{blob, from_json, status_number};
use crate::failure::Failure;
use crate::numbers;

/// Conversations looked at for one page, of each status. Where a filter lets few through, the page
/// is short and its cursor leads on from where this stopped.
const LOOKED_AT_MAX: usize = 10_000;

/// One stretch of an index, with what it binds before the place where it starts.
struct Stretch {
    sql: &'static str,
    values: Vec<Value>,
}

/// What a stretch gave.
struct Walked {
    found: Vec<Conversation>,
    /// Where it stopped with more behind it, though it had not found enough.
    stopped_at: Option<ListingCursor>,
}

pub(super) fn conversations(
    db: &Connection,
    query: &ConversationQuery,
) -> Result<Page<Conversation>, Failure> {
    let after = query.after()?;
    let mut found = Vec::new();
    let mut known_to: Option<ListingCursor> = None;
    for stretch in stretches(query) {
        let walked = walk(db, stretch, after, query)?;
        found.extend(walked.found);
        known_to = known_to.into_iter().chain(walked.stopped_at).min();
    }
    found.sort_unstable_by_key(ListingCursor::of);
    // Beyond the place where one stretch stopped, others may stand between.
    found.retain(|found| known_to.is_none_or(|known_to| ListingCursor::of(found) <= known_to));
    let mut page = Page::of(found, query.limit);
    if page.next_cursor.is_none() {
        page.next_cursor = known_to.map(|known_to| known_to.to_string());
    }
    Ok(page)
}

fn stretches(query: &ConversationQuery) -> Vec<Stretch> {
    const BY_STATUS: &str = "
        SELECT data FROM conversation INDEXED BY conversation_status
        WHERE status = ?1 AND (last_message_at, id) < (?2, ?3)
        ORDER BY last_message_at DESC, id DESC";
    const OF_AGENT: &str = "
        SELECT data FROM conversation INDEXED BY conversation_held
        WHERE status < 2 AND status = ?1 AND assignee = ?2 AND (last_message_at, id) < (?3, ?4)
        ORDER BY last_message_at DESC, id DESC";
    const OF_NOBODY: &str = "
        SELECT data FROM conversation INDEXED BY conversation_held
        WHERE status < 2 AND status = ?1 AND assignee IS NULL AND (last_message_at, id) < (?2, ?3)
        ORDER BY last_message_at DESC, id DESC";
    let of = |sql, status, agent: Option<&AgentId>| {
        let agent = agent.map(|agent| Value::Text(agent.as_str().to_owned()));
        let status = Value::Integer(status_number(status));
        Stretch { sql, values: std::iter::once(status).chain(agent).collect() }
    };
    let by_status = |status| of(BY_STATUS, status, None);
    match (query.view, &query.agent) {
        (View::Mine, None) => vec![],
        (View::Mine, agent) => [Status::Open, Status::Pending]
            .map(|status| of(OF_AGENT, status, agent.as_ref()))
            .into(),
        (View::Unassigned, _) => vec![of(OF_NOBODY, Status::Open, None)],
        (View::Snoozed, _) => vec![by_status(Status::Snoozed)],
        (View::Resolved, _) => vec![by_status(Status::Resolved)],
        (View::All, _) => {
            let all = [Status::Open, Status::Pending, Status::Snoozed, Status::Resolved];
            all.map(by_status).into()
        }
    }
}

/// One more than the page holds, if there are so many.
fn walk(
    db: &Connection,
    stretch: Stretch,
    after: Option<ListingCursor>,
    query: &ConversationQuery,
) -> Result<Walked, Failure> {
    let wanted = query.limit.saturating_add(1);
    let mut values = stretch.values;
    values.push(Value::Integer(after.map_or(i64::MAX, |after| after.last_message_at.millis())));
    values.push(blob(&after.map_or(Uuid::max(), |after| after.id.0)));
    let mut statement = db.prepare_cached(stretch.sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut walked = Walked { found: Vec::new(), stopped_at: None };
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let conversation: Conversation = from_json(row.get_ref(0)?.as_blob()?)?;
        looked_at += 1;
        if looked_at >= LOOKED_AT_MAX {
            walked.stopped_at = Some(ListingCursor::of(&conversation));
        }
        if query.matches(&conversation) {
            walked.found.push(conversation);
        }
        if walked.found.len() >= wanted || looked_at >= LOOKED_AT_MAX {
            break;
        }
    }
    Ok(walked)
}

pub(super) fn timeline(
    db: &Connection,
    conversations: &[ConversationId],
    after: u64,
    limit: usize,
) -> Result<Vec<TimelineItem>, Failure> {
    let sql = "SELECT position, data FROM timeline
        WHERE conversation = ?1 AND position > ?2 ORDER BY position LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    // Kept undecoded until it is known which are the first.
    let mut found: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    for conversation in conversations {
        let (after, limit) = (numbers::to_sql(after), numbers::limit_to_sql(limit));
        let mut rows = statement.query((conversation.0.as_bytes(), after, limit))?;
        while let Some(row) = rows.next()? {
            found.insert(row.get(0)?, row.get(1)?);
        }
        while found.len() > limit_to_len(limit) {
            found.pop_last();
        }
    }
    found.into_values().map(|data| from_json(&data)).collect()
}

pub(super) fn last_words(
    db: &Connection,
    conversations: &[ConversationId],
) -> Result<Vec<Option<String>>, Failure> {
    let sql = "SELECT data FROM timeline WHERE conversation = ?1 ORDER BY position DESC LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let mut found = Vec::with_capacity(conversations.len());
    for conversation in conversations {
        let limit = numbers::limit_to_sql(ENTRIES_LOOKED_AT);
        let mut rows = statement.query((conversation.0.as_bytes(), limit))?;
        let mut words = None;
        while let (None, Some(row)) = (&words, rows.next()?) {
            let item: TimelineItem = from_json(row.get_ref(0)?.as_blob()?)?;
            words = item.words().map(str::to_owned);
        }
        found.push(words);
    }
    Ok(found)
}

fn limit_to_len(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

pub(super) fn presences(db: &Connection) -> Result<Vec<Presence>, Failure> {
    json_rows(db, "SELECT data FROM presence ORDER BY agent", [])
}

pub(super) fn live_calls(db: &Connection, limit: usize) -> Result<Vec<TimelineItem>, Failure> {
    let sql = "SELECT data FROM live_call ORDER BY id LIMIT ?1";
    json_rows(db, sql, [numbers::limit_to_sql(limit)])
}

pub(super) fn outbox(db: &Connection, limit: usize) -> Result<Vec<Outbound>, Failure> {
    let sql = "SELECT data FROM outbound WHERE unsent = 1 ORDER BY position LIMIT ?1";
    let rows: Vec<OutboundRow> = json_rows(db, sql, [numbers::limit_to_sql(limit)])?;
    Ok(rows.into_iter().map(|row| row.outbound).collect())
}

pub(super) fn parked(
    db: &Connection,
    after: Option<ParkedId>,
    limit: usize,
) -> Result<Vec<Parked>, Failure> {
    let limit = numbers::limit_to_sql(limit);
    match after {
        Some(after) => {
            let sql = "SELECT data FROM parked WHERE id > ?1 ORDER BY id LIMIT ?2";
            json_rows(db, sql, (after.0.as_bytes(), limit))
        }
        None => json_rows(db, "SELECT data FROM parked ORDER BY id LIMIT ?1", [limit]),
    }
}

/// From the index alone.
pub(super) fn queue_counts(db: &Connection) -> Result<BTreeMap<QueueId, QueueCounts>, Failure> {
    let sql = "
        SELECT queue, assignee IS NULL AND status = 0 AS waits, count(*), min(waiting_since)
        FROM conversation INDEXED BY conversation_held
        WHERE status < 2 AND queue IS NOT NULL GROUP BY queue, waits";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut counts: BTreeMap<QueueId, QueueCounts> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let queue = QueueId::new(row.get_ref(0)?.as_str()?);
        let queue = queue.map_err(|error| Failure::Damaged(error.to_string()))?;
        let (waits, number) = (row.get(1)?, numbers::from_sql(row.get(2)?));
        let counts = counts.entry(queue).or_default();
        counts.open += number;
        if waits {
            let since: Option<i64> = row.get(3)?;
            counts.waiting = number;
            counts.waiting_since = since.map(Timestamp::from_millis);
        }
    }
    Ok(counts)
}

fn json_rows<T: serde::de::DeserializeOwned>(
    db: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<T>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_json(row.get_ref(0)?.as_blob()?)?);
    }
    Ok(found)
}
