//! The records in memory do what every backend must do, and the suite finds those that do not.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use postroom_model::{Conversation, ConversationId, Outbound, ParkedId, Presence, QueueId};
use postroom_records::{
    Change, ConversationQuery, Key, MemoryRecords, Page, Parked, QueueCounts, Records,
    RecordsError, Row, Standing, TimelineItem, conformance,
};
use tokio::sync::watch;

#[tokio::test]
async fn memory_records_conform() {
    conformance::run(&MemoryRecords::new()).await;
}

/// What a backend can get wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    WritesFromAnywhere,
    LosesTheTime,
    WritesHalfOfWhatItRefuses,
    ForgetsLast,
    NeverForgets,
    LoadsInTheOrderOfKeys,
    ScansFromTheKeyItself,
    IgnoresTheQueue,
    GivesACursorAlways,
    TimelinesPerConversation,
    LastWordsInAnotherOrder,
    OutboxByIds,
    ParkedFromTheStart,
    CountsAllAsWaiting,
}

#[derive(Debug)]
struct Faulty(MemoryRecords, Fault);

#[async_trait]
impl Records for Faulty {
    async fn standing(&self) -> Result<Standing, RecordsError> {
        self.0.standing().await
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, RecordsError> {
        let mut keys = keys.to_vec();
        if self.1 == Fault::LoadsInTheOrderOfKeys {
            keys.sort();
        }
        self.0.load(&keys).await
    }

    async fn write(
        &self,
        mut from: u64,
        mut to: Standing,
        changes: Arc<[Change]>,
    ) -> Result<(), RecordsError> {
        let mut changes = changes.to_vec();
        let standing = self.0.standing().await?;
        match self.1 {
            Fault::WritesFromAnywhere => from = standing.seq,
            Fault::LosesTheTime => to.at = standing.at,
            Fault::WritesHalfOfWhatItRefuses if from != standing.seq => {
                changes.truncate(1);
                self.0.write(standing.seq, standing, changes.clone().into()).await?;
            }
            Fault::ForgetsLast => {
                changes.sort_by_key(|change| matches!(change, Change::ForgetSeen { .. }));
            }
            Fault::NeverForgets => {
                changes.retain(|change| !matches!(change, Change::ForgetSeen { .. }));
            }
            _ => {}
        }
        self.0.write(from, to, changes.into()).await
    }

    async fn clear(&self) -> Result<(), RecordsError> {
        self.0.clear().await
    }

    async fn scan(
        &self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Row)>, RecordsError> {
        let mut rows = self.0.scan(after, limit).await?;
        if let Some(key) = after
            && self.1 == Fault::ScansFromTheKeyItself
            && let Some(row) = self.0.load(std::slice::from_ref(key)).await?.remove(0)
        {
            rows.insert(0, (key.clone(), row));
            rows.truncate(limit);
        }
        Ok(rows)
    }

    async fn conversations(
        &self,
        query: &ConversationQuery,
    ) -> Result<Page<Conversation>, RecordsError> {
        let mut query = query.clone();
        if self.1 == Fault::IgnoresTheQueue {
            query.queues = None;
        }
        let mut page = self.0.conversations(&query).await?;
        if self.1 == Fault::GivesACursorAlways && page.next_cursor.is_none() {
            page.next_cursor = query.cursor.or_else(|| Some("0.0".to_owned()));
        }
        Ok(page)
    }

    async fn timeline(
        &self,
        conversations: &[ConversationId],
        after: u64,
        limit: usize,
    ) -> Result<Vec<TimelineItem>, RecordsError> {
        let mut items = self.0.timeline(conversations, after, limit).await?;
        if self.1 == Fault::TimelinesPerConversation {
            items.sort_by_key(|item| item.conversation);
        }
        Ok(items)
    }

    async fn last_words(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Vec<Option<String>>, RecordsError> {
        let mut words = self.0.last_words(conversations).await?;
        if self.1 == Fault::LastWordsInAnotherOrder {
            words.reverse();
        }
        Ok(words)
    }

    async fn live_calls(&self, limit: usize) -> Result<Vec<TimelineItem>, RecordsError> {
        self.0.live_calls(limit).await
    }

    async fn presences(&self) -> Result<Vec<Presence>, RecordsError> {
        self.0.presences().await
    }

    async fn queue_counts(&self) -> Result<BTreeMap<QueueId, QueueCounts>, RecordsError> {
        let mut counts = self.0.queue_counts().await?;
        if self.1 == Fault::CountsAllAsWaiting {
            for count in counts.values_mut() {
                count.waiting = count.open;
            }
        }
        Ok(counts)
    }

    async fn outbox(&self, limit: usize) -> Result<Vec<Outbound>, RecordsError> {
        let mut replies = self.0.outbox(limit).await?;
        if self.1 == Fault::OutboxByIds {
            replies.sort_by_key(|reply| reply.id);
        }
        Ok(replies)
    }

    async fn parked(
        &self,
        after: Option<ParkedId>,
        limit: usize,
    ) -> Result<Vec<Parked>, RecordsError> {
        let after = after.filter(|_| self.1 != Fault::ParkedFromTheStart);
        self.0.parked(after, limit).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes()
    }
}

#[tokio::test]
async fn suite_finds_what_a_backend_gets_wrong() {
    let faults = [
        Fault::WritesFromAnywhere,
        Fault::LosesTheTime,
        Fault::WritesHalfOfWhatItRefuses,
        Fault::ForgetsLast,
        Fault::NeverForgets,
        Fault::LoadsInTheOrderOfKeys,
        Fault::ScansFromTheKeyItself,
        Fault::IgnoresTheQueue,
        Fault::GivesACursorAlways,
        Fault::TimelinesPerConversation,
        Fault::LastWordsInAnotherOrder,
        Fault::OutboxByIds,
        Fault::ParkedFromTheStart,
        Fault::CountsAllAsWaiting,
    ];
    for fault in faults {
        let mut runs = tokio::task::JoinSet::new();
        runs.spawn(async move {
            let records = Faulty(MemoryRecords::new(), fault);
            conformance::run(&records).await;
        });
        let run = runs.join_next().await.unwrap();
        assert!(run.is_err_and(|error| error.is_panic()), "{fault:?} was not found");
    }
}
