//! The records as one router reaches them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use postroom_model::{Conversation, ConversationId, Outbound, ParkedId, Presence, QueueId};
use postroom_records::{
    Change, ConversationQuery, Key, MemoryRecords, Page, Parked, QueueCounts, Records,
    RecordsError, Row, Standing, TimelineItem,
};
use tokio::sync::watch;

use super::line::{Call, Line};
use super::plan::Sabotage;

/// [`MemoryRecords`] at the end of a line. Listings, which no router asks for, go straight through.
#[derive(Debug)]
pub(crate) struct LineRecords(pub(crate) Line);

impl LineRecords {
    fn store(&self) -> Arc<MemoryRecords> {
        Arc::clone(&self.0.stage.records)
    }
}

fn no_answer<T>() -> Result<T, RecordsError> {
    Err(RecordsError::Unavailable("no answer".to_owned()))
}

fn forgotten(sabotage: Sabotage, key: &Key) -> bool {
    match key {
        Key::Seen(_) => sabotage == Sabotage::RecordsForgetSeen,
        Key::Thread(..) => sabotage == Sabotage::RecordsForgetThreads,
        Key::Address(_) => sabotage == Sabotage::RecordsForgetAddresses,
        _ => false,
    }
}

#[async_trait]
impl Records for LineRecords {
    async fn standing(&self) -> Result<Standing, RecordsError> {
        let store = self.store();
        let standing = async move { store.standing().await };
        self.0.call("standing", Call::Asks, standing).await.unwrap_or_else(no_answer)
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, RecordsError> {
        let (store, sabotage) = (self.store(), self.0.stage.plan.sabotage);
        let keys = keys.to_vec();
        let loaded = async move {
            let mut rows = store.load(&keys).await?;
            for (key, row) in keys.iter().zip(&mut rows) {
                if forgotten(sabotage, key) {
                    *row = None;
                }
            }
            Ok(rows)
        };
        self.0.call("load", Call::Asks, loaded).await.unwrap_or_else(no_answer)
    }

    async fn write(
        &self,
        from: u64,
        to: Standing,
        changes: Arc<[Change]>,
    ) -> Result<(), RecordsError> {
        let (store, stage) = (self.store(), Arc::clone(&self.0.stage));
        let written = async move {
            let (mut from, mut changes) = (from, changes);
            match stage.plan.sabotage {
                Sabotage::RecordsWithoutFence => from = store.standing().await?.seq,
                Sabotage::RecordsTorn if to.seq % 8 == 5 => {
                    changes =
                        changes.iter().take(changes.len().saturating_sub(1)).cloned().collect();
                }
                _ => {}
            }
            let written = store.write(from, to, changes).await;
            if matches!(written, Err(RecordsError::Moved { .. })) {
                stage.count("stale write refused");
            }
            written
        };
        self.0.call("write", Call::Changes, written).await.unwrap_or_else(no_answer)
    }

    async fn clear(&self) -> Result<(), RecordsError> {
        let store = self.store();
        let cleared = async move { store.clear().await };
        self.0.call("clear", Call::Changes, cleared).await.unwrap_or_else(no_answer)
    }

    async fn scan(
        &self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Row)>, RecordsError> {
        self.store().scan(after, limit).await
    }

    async fn conversations(
        &self,
        query: &ConversationQuery,
    ) -> Result<Page<Conversation>, RecordsError> {
        self.store().conversations(query).await
    }

    async fn last_words(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Vec<Option<String>>, RecordsError> {
        self.store().last_words(conversations).await
    }

    async fn timeline(
        &self,
        conversations: &[ConversationId],
        after: u64,
        limit: usize,
    ) -> Result<Vec<TimelineItem>, RecordsError> {
        self.store().timeline(conversations, after, limit).await
    }

    async fn live_calls(&self, limit: usize) -> Result<Vec<TimelineItem>, RecordsError> {
        self.store().live_calls(limit).await
    }

    async fn presences(&self) -> Result<Vec<Presence>, RecordsError> {
        self.store().presences().await
    }

    async fn queue_counts(&self) -> Result<BTreeMap<QueueId, QueueCounts>, RecordsError> {
        self.store().queue_counts().await
    }

    async fn outbox(&self, limit: usize) -> Result<Vec<Outbound>, RecordsError> {
        self.store().outbox(limit).await
    }

    async fn parked(
        &self,
        after: Option<ParkedId>,
        limit: usize,
    ) -> Result<Vec<Parked>, RecordsError> {
        self.store().parked(after, limit).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.stage.records.changes()
    }
}
