//! The records in memory: for tests, simulations, and folding a ledger to compare with. They are lost
//! with the process; no running server uses them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use postroom_model::{
    Conversation, ConversationId, DeliveryState, InputId, Outbound, ParkedId, Presence, QueueId,
    Status,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    Change, ConversationQuery, ENTRIES_LOOKED_AT, Key, ListingCursor, Page, Parked, QueueCounts,
    Records, RecordsError, Row, Standing, TimelineItem,
};

/// A complete implementation of [`Records`] in memory.
#[derive(Debug)]
pub struct MemoryRecords {
    held: Mutex<Held>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Held {
    standing: Standing,
    rows: BTreeMap<Key, Row>,
}

impl MemoryRecords {
    pub fn new() -> Self {
        Self::default()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryRecords {
    fn default() -> Self {
        Self { held: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

impl Held {
    fn change(&mut self, change: Change) {
        match change {
            Change::Put(key, row) => {
                self.rows.insert(key, row);
            }
            Change::Delete(key) => {
                self.rows.remove(&key);
            }
            Change::ForgetSeen { before } => {
                let range = Key::Seen(InputId(Uuid::nil()))..=Key::Seen(InputId(Uuid::max()));
                let old = self.rows.range(range).filter_map(|(key, row)| match row {
                    Row::Seen(seen) if seen.at < before => Some(key.clone()),
                    _ => None,
                });
                for key in old.collect::<Vec<_>>() {
                    self.rows.remove(&key);
                }
            }
        }
    }

    fn conversations(&self) -> impl Iterator<Item = &Conversation> {
        self.rows.values().filter_map(|row| match row {
            Row::Conversation(conversation) => Some(&**conversation),
            _ => None,
        })
    }
}

#[async_trait]
impl Records for MemoryRecords {
    async fn standing(&self) -> Result<Standing, RecordsError> {
        Ok(self.held().standing)
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, RecordsError> {
        let held = self.held();
        Ok(keys.iter().map(|key| held.rows.get(key).cloned()).collect())
    }

    async fn write(
        &self,
        from: u64,
        to: Standing,
        changes: Arc<[Change]>,
    ) -> Result<(), RecordsError> {
        let mut held = self.held();
        let actual = held.standing.seq;
        if actual != from {
            return Err(RecordsError::Moved { expected: from, actual });
        }
        for change in changes.iter().cloned() {
            held.change(change);
        }
        held.standing = to;
        // Under the lock, so that no later write is told of before this one.
        self.changes.send_replace(to.seq);
        Ok(())
    }

    async fn clear(&self) -> Result<(), RecordsError> {
        let mut held = self.held();
        *held = Held::default();
        self.changes.send_replace(0);
        Ok(())
    }

    async fn scan(
        &self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Row)>, RecordsError> {
        use std::ops::Bound::{Excluded, Unbounded};
        let held = self.held();
        let range = held.rows.range((after.map_or(Unbounded, Excluded), Unbounded));
        Ok(range.take(limit).map(|(key, row)| (key.clone(), row.clone())).collect())
    }

    async fn conversations(
        &self,
        query: &ConversationQuery,
    ) -> Result<Page<Conversation>, RecordsError> {
        let after = query.after()?;
        let held = self.held();
        let mut found: Vec<(ListingCursor, &Conversation)> = held
            .conversations()
            .map(|conversation| (ListingCursor::of(conversation), conversation))
            .filter(|(place, conversation)| {
                after.is_none_or(|after| *place > after) && query.matches(conversation)
            })
            .collect();
        found.sort_unstable_by_key(|(place, _)| *place);
        let wanted = query.limit.saturating_add(1);
        let items = found.into_iter().take(wanted).map(|(_, found)| found.clone());
        Ok(Page::of(items.collect(), query.limit))
    }

    async fn timeline(
        &self,
        conversations: &[ConversationId],
        after: u64,
        limit: usize,
    ) -> Result<Vec<TimelineItem>, RecordsError> {
        let Some(first) = after.checked_add(1) else {
            return Ok(Vec::new());
        };
        let held = self.held();
        let mut items = BTreeMap::new();
        for id in conversations {
            let range = Key::Timeline(*id, first)..=Key::Timeline(*id, u64::MAX);
            for row in held.rows.range(range).take(limit).map(|(_, row)| row) {
                if let Row::Timeline(item) = row {
                    items.insert(item.position, item);
                }
            }
        }
        Ok(items.into_values().take(limit).map(|item| (**item).clone()).collect())
    }

    async fn last_words(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Vec<Option<String>>, RecordsError> {
        let held = self.held();
        let last = |id: &ConversationId| {
            let range = Key::Timeline(*id, 0)..=Key::Timeline(*id, u64::MAX);
            held.rows.range(range).rev().take(ENTRIES_LOOKED_AT).find_map(|(_, row)| match row {
                Row::Timeline(item) => item.words().map(str::to_owned),
                _ => None,
            })
        };
        Ok(conversations.iter().map(last).collect())
    }

    async fn live_calls(&self, limit: usize) -> Result<Vec<TimelineItem>, RecordsError> {
        let held = self.held();
        let calls = held.rows.values().filter_map(|row| match row {
            Row::Call(told) => Some((**told).clone()),
            _ => None,
        });
        Ok(calls.take(limit).collect())
    }

    async fn presences(&self) -> Result<Vec<Presence>, RecordsError> {
        let held = self.held();
        let presences = held.rows.values().filter_map(|row| match row {
            Row::Presence(presence) => Some(presence.clone()),
            _ => None,
        });
        Ok(presences.collect())
    }

    async fn queue_counts(&self) -> Result<BTreeMap<QueueId, QueueCounts>, RecordsError> {
        let held = self.held();
        let mut counts: BTreeMap<QueueId, QueueCounts> = BTreeMap::new();
        for conversation in held.conversations() {
            let Some(queue) = &conversation.queue else {
                continue;
            };
            if !matches!(conversation.status, Status::Open | Status::Pending) {
                continue;
            }
            let count = counts.entry(queue.clone()).or_default();
            count.open += 1;
            if conversation.status == Status::Open && conversation.assignee.is_none() {
                count.waiting += 1;
                let both = [count.waiting_since, conversation.waiting_since];
                count.waiting_since = both.into_iter().flatten().min();
            }
        }
        Ok(counts)
    }

    async fn outbox(&self, limit: usize) -> Result<Vec<Outbound>, RecordsError> {
        let held = self.held();
        let mut replies: Vec<_> = held
            .rows
            .values()
            .filter_map(|row| match row {
                Row::Outbound(row) => Some(row),
                _ => None,
            })
            .filter(|row| {
                let state = row.outbound.state;
                matches!(
                    state,
                    DeliveryState::Queued | DeliveryState::Waiting | DeliveryState::Sending
                )
            })
            .collect();
        replies.sort_unstable_by_key(|row| row.position);
        Ok(replies.into_iter().take(limit).map(|row| row.outbound.clone()).collect())
    }

    async fn parked(
        &self,
        after: Option<ParkedId>,
        limit: usize,
    ) -> Result<Vec<Parked>, RecordsError> {
        let held = self.held();
        let parked = held.rows.values().filter_map(|row| match row {
            Row::Parked(parked) if after.is_none_or(|after| parked.id > after) => Some(parked),
            _ => None,
        });
        Ok(parked.take(limit).map(|parked| (**parked).clone()).collect())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
