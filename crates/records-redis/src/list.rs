//! Listings. Each walks an index in the order in which it answers and brings the rows along, in one
//! round trip for a stretch of it.

use std::collections::BTreeMap;

use postroom_model::{
    Conversation, ConversationId, Outbound, ParkedId, Presence, QueueId, Timestamp,
};
use postroom_records::{
    ConversationQuery, ENTRIES_LOOKED_AT, Key, ListingCursor, OutboundRow, Page, Parked,
    QueueCounts, RecordsError, TimelineItem, View,
};
use redis::{Cmd, Value, cmd};
use serde::de::DeserializeOwned;

use crate::keys::{self, Kind, Names};
use crate::link::Link;
use crate::{failure, places, plan, read, rows, scripts, values};

/// Conversations looked at for one page. Where a filter lets few through, the page is short and its
/// cursor leads on from where this stopped.
const LOOKED_AT_MAX: usize = 10_000;
/// Rows that one stretch brings at most, and the first one of conversations at least.
const STRETCH_ROWS: usize = 500;
const STRETCH_MIN: usize = 50;

/// Asks for the rows of a stretch; `range` is what `ZRANGE` takes behind the key.
fn stretch(names: &Names, index: &str, kind: Kind, range: &[&[u8]]) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(scripts::ROWS).arg(2).arg(names.key(index)).arg(names.key(kind.name()));
    for argument in range {
        command.arg(*argument);
    }
    command
}

/// The rows in an answer; none for one that an index names and that is not there.
fn rows_in<T: DeserializeOwned>(kind: Kind, answer: Value) -> Result<Vec<Option<T>>, RecordsError> {
    let read = |value| match values::bytes(value)? {
        Some(data) => rows::content(kind, &data).map(Some),
        None => Ok(None),
    };
    values::array(answer)?.into_iter().map(read).collect()
}

fn some(count: usize) -> String {
    count.to_string()
}

pub(crate) async fn conversations(
    link: &Link,
    names: &Names,
    query: &ConversationQuery,
) -> Result<Page<Conversation>, RecordsError> {
    let after = query.after()?;
    let index = match (query.view, &query.agent) {
        (View::Mine, Some(agent)) => places::mine(agent),
        (View::Mine, None) => return Ok(Page::of(Vec::new(), query.limit)),
        (View::Unassigned, _) => places::UNASSIGNED.to_owned(),
        (View::Snoozed, _) => places::SNOOZED.to_owned(),
        (View::Resolved, _) => places::RESOLVED.to_owned(),
        (View::All, _) => keys::ALL.to_owned(),
    };
    let wanted = query.limit.saturating_add(1);
    let mut count = wanted.clamp(STRETCH_MIN, STRETCH_ROWS);
    let mut walk = Walk { last: after, foot: None, looked_at: 0, found: Vec::new() };
    loop {
        let command = walk.command(names, &index, count);
        let rows = rows_in(Kind::Conversation, link.ask_one(command).await?)?;
        let end = rows.len() < count;
        match walk.step(rows, query, wanted) {
            Step::Again => {}
            Step::On if !end => {}
            Step::On | Step::Enough => break,
        }
        // A filter lets few through.
        count = STRETCH_ROWS;
    }
    let mut page = Page::of(walk.found, query.limit);
    if page.next_cursor.is_none() && walk.looked_at >= LOOKED_AT_MAX {
        page.next_cursor = walk.last.map(|last| last.to_string());
    }
    Ok(page)
}

/// On the way through an index of conversations. Many can have the same time, and rows move while
/// this walks: each stretch begins with the row at which the one before ended, which shows that nobody
/// has been passed over.
struct Walk {
    /// The last one that was looked at; what comes before it is known already.
    last: Option<ListingCursor>,
    /// Where the stretch before ended, and how many of the same time stood before it.
    foot: Option<(ListingCursor, usize)>,
    looked_at: usize,
    found: Vec<Conversation>,
}

/// How it goes on after a stretch.
enum Step {
    On,
    /// The row at its beginning has moved: from the last one that was looked at.
    Again,
    /// Enough were found or looked at.
    Enough,
}

impl Walk {
    /// The time at which the next stretch begins, and how many of that time are passed over.
    fn begin(&self) -> (Option<Timestamp>, usize) {
        let place = self.foot.map(|(place, _)| place).or(self.last);
        let before = self.foot.map_or(0, |(_, before)| before);
        (place.map(|place| place.last_message_at), before)
    }

    fn command(&self, names: &Names, index: &str, count: usize) -> Cmd {
        let (newest, before) = self.begin();
        let newest = newest.map(|newest| newest.millis().to_string());
        let newest = newest.as_deref().unwrap_or("+inf").as_bytes();
        let (before, count) = (some(before), some(count));
        let (before, count) = (before.as_bytes(), count.as_bytes());
        let range = [newest, b"-inf", b"BYSCORE", b"REV", b"LIMIT", before, count];
        stretch(names, index, Kind::Conversation, &range)
    }

    fn step(
        &mut self,
        rows: Vec<Option<Conversation>>,
        query: &ConversationQuery,
        wanted: usize,
    ) -> Step {
        let (mut time, mut before) = self.begin();
        let foot = self.foot.take();
        let begins_at = rows.first().and_then(Option::as_ref).map(ListingCursor::of);
        if foot.is_some_and(|(place, _)| begins_at != Some(place)) {
            return Step::Again;
        }
        for row in rows {
            let place = row.as_ref().map(ListingCursor::of);
            if place.is_some_and(|place| time != Some(place.last_message_at)) {
                (time, before) = (place.map(|place| place.last_message_at), 0);
            }
            self.foot = place.map(|place| (place, before)).or(self.foot);
            before += 1;
            let (Some(row), Some(place)) = (row, place) else {
                continue;
            };
            if self.last.is_some_and(|last| place <= last) {
                continue;
            }
            self.last = Some(place);
            self.looked_at += 1;
            if query.matches(&row) {
                self.found.push(row);
            }
            if self.found.len() >= wanted || self.looked_at >= LOOKED_AT_MAX {
                return Step::Enough;
            }
        }
        // An index that names nothing but what is not there leads nowhere.
        if self.foot == foot { Step::Enough } else { Step::On }
    }
}

/// In rounds: each conversation gives its next entries, and what all of them have told is answered.
pub(crate) async fn timeline(
    link: &Link,
    names: &Names,
    conversations: &[ConversationId],
    mut after: u64,
    limit: usize,
) -> Result<Vec<TimelineItem>, RecordsError> {
    let mut found = Vec::new();
    while found.len() < limit && !conversations.is_empty() {
        let count = (limit - found.len()).min(STRETCH_ROWS);
        let asked = conversations.iter().map(|id| entries(names, *id, after, count));
        let mut merged: BTreeMap<u64, TimelineItem> = BTreeMap::new();
        let mut known_to = None;
        for answer in read::at_once(link, names, asked).await?.1 {
            let items: Vec<Option<TimelineItem>> = rows_in(Kind::Timeline, answer)?;
            let last = items.iter().flatten().next_back().map(|item| item.position);
            if items.len() >= count {
                known_to = known_to.into_iter().chain(last).min();
            }
            merged.extend(items.into_iter().flatten().map(|item| (item.position, item)));
        }
        let known = |position: &u64| known_to.is_none_or(|known_to| *position <= known_to);
        found.extend(merged.into_iter().filter(|(at, _)| known(at)).map(|(_, item)| item));
        match known_to {
            Some(known_to) => after = known_to,
            None => break,
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// In one round trip for all of them.
pub(crate) async fn last_words(
    link: &Link,
    names: &Names,
    conversations: &[ConversationId],
) -> Result<Vec<Option<String>>, RecordsError> {
    let asked = conversations.iter().map(|id| last_entries(names, *id));
    let mut found = Vec::with_capacity(conversations.len());
    for answer in read::at_once(link, names, asked).await?.1 {
        let items: Vec<Option<TimelineItem>> = rows_in(Kind::Timeline, answer)?;
        let words = items.iter().flatten().find_map(TimelineItem::words);
        found.push(words.map(str::to_owned));
    }
    Ok(found)
}

/// The newest first.
fn last_entries(names: &Names, id: ConversationId) -> Cmd {
    let from = [b"[", keys::entry(id, u64::MAX).as_slice()].concat();
    let to = [b"[", keys::entry(id, 0).as_slice()].concat();
    let count = some(ENTRIES_LOOKED_AT);
    let range = [&from, &to, b"BYLEX".as_slice(), b"REV", b"LIMIT", b"0", count.as_bytes()];
    stretch(names, "timeline.order", Kind::Timeline, &range)
}

fn entries(names: &Names, id: ConversationId, after: u64, count: usize) -> Cmd {
    let from = [b"(", keys::entry(id, after).as_slice()].concat();
    let to = [b"[", keys::entry(id, u64::MAX).as_slice()].concat();
    let count = some(count);
    let range = [&from, &to, b"BYLEX".as_slice(), b"LIMIT", b"0", count.as_bytes()];
    stretch(names, "timeline.order", Kind::Timeline, &range)
}

pub(crate) async fn presences(link: &Link, names: &Names) -> Result<Vec<Presence>, RecordsError> {
    let all = link.ask_one(cmd("HVALS").arg(names.key(Kind::Presence.name())).take()).await?;
    let mut presences: Vec<Presence> =
        rows_in(Kind::Presence, all)?.into_iter().flatten().collect();
    presences.sort_unstable_by(|one, other| one.agent.cmp(&other.agent));
    Ok(presences)
}

/// In the order of their ids, which tell nothing of when a call began.
pub(crate) async fn live_calls(
    link: &Link,
    names: &Names,
    limit: usize,
) -> Result<Vec<TimelineItem>, RecordsError> {
    let all = link.ask_one(cmd("HVALS").arg(names.key(Kind::Call.name())).take()).await?;
    let mut calls: Vec<TimelineItem> = rows_in(Kind::Call, all)?.into_iter().flatten().collect();
    calls.sort_unstable_by_key(|told| told.id);
    calls.truncate(limit);
    Ok(calls)
}

pub(crate) async fn queue_counts(
    link: &Link,
    names: &Names,
) -> Result<BTreeMap<QueueId, QueueCounts>, RecordsError> {
    let mut command = cmd("EVAL");
    command.arg(scripts::COUNTS).arg(1).arg(names.key(keys::INDEXES)).arg(names.prefix());
    let answer = values::array(link.ask_one(command).await?)?;
    answer.into_iter().map(counts_of).collect()
}

fn counts_of(answer: Value) -> Result<(QueueId, QueueCounts), RecordsError> {
    let mut parts = Vec::new();
    for value in values::array(answer)? {
        parts.push(values::text(value)?.unwrap_or_default());
    }
    let [queue, open, waiting, since] = parts.as_slice() else {
        return Err(failure::unexpected("the count of a queue"));
    };
    let number = |text: &str| text.parse().map_err(|_| failure::unexpected("a count"));
    let queue = QueueId::new(queue).map_err(|_| failure::unexpected("a queue"))?;
    let counts = QueueCounts {
        waiting: number(waiting)?,
        open: number(open)?,
        // What waits for nobody sorts last, at `inf`.
        waiting_since: since.parse().ok().map(Timestamp::from_millis),
    };
    Ok((queue, counts))
}

pub(crate) async fn outbox(
    link: &Link,
    names: &Names,
    limit: usize,
) -> Result<Vec<Outbound>, RecordsError> {
    let mut found = Vec::new();
    let mut after = "-inf".to_owned();
    while found.len() < limit {
        let count = (limit - found.len()).min(STRETCH_ROWS);
        let counted = some(count);
        let range =
            [after.as_bytes(), b"+inf", b"BYSCORE".as_slice(), b"LIMIT", b"0", counted.as_bytes()];
        let asked = stretch(names, keys::OUTBOX, Kind::Outbound, &range);
        let rows: Vec<Option<OutboundRow>> = rows_in(Kind::Outbound, link.ask_one(asked).await?)?;
        let (end, last) = (rows.len() < count, rows.iter().flatten().next_back());
        let next = last.map(|row| format!("({}", row.position));
        let unsent = rows.into_iter().flatten().filter(plan::unsent);
        found.extend(unsent.map(|row| row.outbound));
        match next {
            Some(next) if !end => after = next,
            _ => break,
        }
    }
    Ok(found)
}

pub(crate) async fn parked(
    link: &Link,
    names: &Names,
    after: Option<ParkedId>,
    limit: usize,
) -> Result<Vec<Parked>, RecordsError> {
    let beyond = |id| [b"(", keys::field(&Key::Parked(id)).as_slice()].concat();
    let mut from = after.map_or_else(|| b"-".to_vec(), beyond);
    let mut found: Vec<Parked> = Vec::new();
    while found.len() < limit {
        let count = (limit - found.len()).min(STRETCH_ROWS);
        let counted = some(count);
        let range = [&from, b"+".as_slice(), b"BYLEX", b"LIMIT", b"0", counted.as_bytes()];
        let asked = stretch(names, "parked.order", Kind::Parked, &range);
        let rows = rows_in(Kind::Parked, link.ask_one(asked).await?)?;
        let end = rows.len() < count;
        found.extend(rows.into_iter().flatten());
        match found.last() {
            Some(last) if !end => from = beyond(last.id),
            _ => break,
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use postroom_model::{Conversation, SeededRandom, Timestamp};
    use postroom_records::{ConversationQuery, ListingCursor};
    use serde_json::json;

    use super::{Step, Walk};

    fn conversation(number: u64, millis: u64) -> Conversation {
        let at = Timestamp::from_millis(i64::try_from(millis).unwrap()).to_string();
        let row = json!({
            "id": uuid::Uuid::from_u64_pair(1, number), "status": "open", "channel": "site",
            "cost": 1, "priority": 0, "tags": [], "targets": [], "opened_at": at,
            "last_message_at": at, "version": 1, "message_version": 1, "route": { "tried": 0 },
        });
        serde_json::from_value(row).unwrap()
    }

    /// What the index gives to a walk.
    fn stretch(index: &[Conversation], walk: &Walk, count: usize) -> Vec<Option<Conversation>> {
        let (newest, before) = walk.begin();
        let from = |row: &&Conversation| newest.is_none_or(|newest| row.last_message_at <= newest);
        index.iter().filter(from).skip(before).take(count).cloned().map(Some).collect()
    }

    #[test]
    fn walk_passes_nobody_over_and_nobody_twice_while_others_move() {
        for seed in 0..200 {
            let random = SeededRandom::new(seed);
            // Few times, so that many have the same.
            let mut index: Vec<_> = (0..40).map(|n| conversation(n, random.below(4))).collect();
            let mut moved = Vec::new();
            let query = ConversationQuery::default();
            let mut walk = Walk { last: None, foot: None, looked_at: 0, found: Vec::new() };
            for round in 0.. {
                assert!(round < 1_000, "the walk comes to its end");
                index.sort_by_key(ListingCursor::of);
                let rows = stretch(&index, &walk, 5);
                let end = rows.len() < 5;
                match walk.step(rows, &query, usize::MAX) {
                    Step::Again => {}
                    Step::On if !end => {}
                    Step::On | Step::Enough => break,
                }
                if random.chance(30) {
                    let place = usize::try_from(random.below(40)).unwrap();
                    index[place].last_message_at = Timestamp::from_millis(100 + round);
                    moved.push(index[place].id);
                }
            }
            let found: Vec<_> = walk.found.iter().map(|row| row.id).collect();
            assert!(walk.found.is_sorted_by_key(ListingCursor::of), "seed {seed}");
            for row in index.iter().filter(|row| !moved.contains(&row.id)) {
                let times = found.iter().filter(|id| **id == row.id).count();
                assert_eq!(times, 1, "{} with seed {seed}", row.id);
            }
        }
    }

    #[test]
    fn index_that_names_only_what_is_not_there_leads_to_an_end() {
        let mut walk = Walk { last: None, foot: None, looked_at: 0, found: Vec::new() };
        let query = ConversationQuery::default();
        assert!(matches!(walk.step(vec![None; 5], &query, 10), Step::Enough));
        let row = Some(conversation(1, 1));
        assert!(matches!(walk.step(vec![row.clone(), None], &query, 10), Step::On));
        assert!(matches!(walk.step(vec![row, None, None], &query, 10), Step::Enough));
    }
}
