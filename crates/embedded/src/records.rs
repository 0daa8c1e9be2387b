//! The records: rows with the few columns that listings need, and the place at which they stand.

mod list;
mod read;
mod rows;
mod seen;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use postroom_model::{
    Conversation, ConversationId, InputId, Outbound, ParkedId, Presence, QueueId,
};
use postroom_records::{
    Change, ConversationQuery, Key, Page, Parked, QueueCounts, Records, RecordsError, Row,
    Standing, TimelineItem,
};
use rusqlite::Connection;
use tokio::sync::watch;

use crate::embedded::Store;
use crate::failure::Failure;

#[derive(Debug)]
pub(crate) struct EmbeddedRecords(pub(crate) Arc<Store>);

pub(crate) use self::seen::Seen;
pub(crate) use self::write::begin;

impl EmbeddedRecords {
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, RecordsError> {
        Ok(self.0.records.readers.read(read).await?)
    }
}

#[async_trait]
impl Records for EmbeddedRecords {
    async fn standing(&self) -> Result<Standing, RecordsError> {
        self.read(write::standing).await
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, RecordsError> {
        let keys = keys.to_vec();
        self.read(move |db| read::load(db, &keys)).await
    }

    async fn write(
        &self,
        from: u64,
        to: Standing,
        changes: Arc<[Change]>,
    ) -> Result<(), RecordsError> {
        self.0.seen.add(&changes);
        Ok(write::write(&self.0.records.writer, from, to, changes).await?)
    }

    async fn clear(&self) -> Result<(), RecordsError> {
        Ok(write::clear(&self.0.records.writer).await?)
    }

    async fn scan(
        &self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Row)>, RecordsError> {
        let after = after.cloned();
        self.read(move |db| read::scan(db, after.as_ref(), limit)).await
    }

    async fn conversations(
        &self,
        query: &ConversationQuery,
    ) -> Result<Page<Conversation>, RecordsError> {
        let query = query.clone();
        self.read(move |db| list::conversations(db, &query)).await
    }

    async fn timeline(
        &self,
        conversations: &[ConversationId],
        after: u64,
        limit: usize,
    ) -> Result<Vec<TimelineItem>, RecordsError> {
        let conversations = conversations.to_vec();
        self.read(move |db| list::timeline(db, &conversations, after, limit)).await
    }

    async fn last_words(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Vec<Option<String>>, RecordsError> {
        let conversations = conversations.to_vec();
        self.read(move |db| list::last_words(db, &conversations)).await
    }

    async fn in_place(&self) -> Result<(), RecordsError> {
        let store = Arc::clone(&self.0);
        let looking = tokio::task::spawn_blocking(move || store.records.place.look());
        match looking.await {
            Ok(looked) => Ok(looked?),
            Err(error) => Err(RecordsError::Unavailable(error.to_string())),
        }
    }

    async fn presences(&self) -> Result<Vec<Presence>, RecordsError> {
        self.read(list::presences).await
    }

    async fn live_calls(&self, limit: usize) -> Result<Vec<TimelineItem>, RecordsError> {
        self.read(move |db| list::live_calls(db, limit)).await
    }

    async fn queue_counts(&self) -> Result<BTreeMap<QueueId, QueueCounts>, RecordsError> {
        self.read(list::queue_counts).await
    }

    async fn outbox(&self, limit: usize) -> Result<Vec<Outbound>, RecordsError> {
        self.read(move |db| list::outbox(db, limit)).await
    }

    async fn parked(
        &self,
        after: Option<ParkedId>,
        limit: usize,
    ) -> Result<Vec<Parked>, RecordsError> {
        self.read(move |db| list::parked(db, after, limit)).await
    }

    fn surely_unseen(&self, input: InputId) -> bool {
        self.0.seen.surely_unseen(input)
    }

    async fn gather_seen(&self) -> Result<(), RecordsError> {
        Ok(self.0.seen.gather(&self.0.records.readers).await?)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.hints.records.subscribe()
    }
}
