//! The trait that a backend of the records implements.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use postroom_model::{
    AgentId, ChannelId, Conversation, ConversationId, InputId, Outbound, Presence, QueueId,
    Timestamp,
};
use serde::Serialize;
use tokio::sync::watch;

use crate::{Change, Key, Parked, RecordsError, Row, TimelineItem};

/// Where the records stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Standing {
    /// Sequence of the last envelope that they hold; 0 if none.
    pub seq: u64,
    /// Position of the last event that they hold.
    pub last_event: u64,
    /// The time of that envelope.
    pub at: Timestamp,
}

/// Entries at the end of a timeline among which [`Records::last_words`] looks for a message.
pub const ENTRIES_LOOKED_AT: usize = 10;

/// Rows, read and written by the router and read by the gateway.
#[async_trait]
pub trait Records: Send + Sync + std::fmt::Debug {
    /// Where the records stand. [`RecordsError::OtherSchema`] asks for a rebuild.
    async fn standing(&self) -> Result<Standing, RecordsError>;

    /// The rows of `keys`, in their order, in one round trip. A key may stand there twice.
    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, RecordsError>;

    /// Writes all changes, in their order, and moves the standing from `from` to `to`, both or neither;
    /// [`RecordsError::Moved`] if they do not stand at `from`. The changes are shared with whoever goes on
    /// with them while they are written.
    async fn write(
        &self,
        from: u64,
        to: Standing,
        changes: Arc<[Change]>,
    ) -> Result<(), RecordsError>;

    /// Throws every row away; the records stand at 0 afterwards.
    async fn clear(&self) -> Result<(), RecordsError>;

    /// Rows after `after` in the order of their keys, for comparing two records.
    async fn scan(
        &self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Row)>, RecordsError>;

    /// A page of conversations, the one with the newest message first; see
    /// [`ConversationQuery::matches`] and [`crate::ListingCursor`].
    async fn conversations(
        &self,
        query: &ConversationQuery,
    ) -> Result<Page<Conversation>, RecordsError>;

    /// Entries of the conversations' timelines after the position `after`, in ledger order.
    async fn timeline(
        &self,
        conversations: &[ConversationId],
        after: u64,
        limit: usize,
    ) -> Result<Vec<TimelineItem>, RecordsError>;

    /// The words of the newest message of each conversation, ours or the customer's; none where the newest
    /// [`ENTRIES_LOOKED_AT`] entries of its timeline hold no message with words. For searching.
    async fn last_words(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Vec<Option<String>>, RecordsError>;

    /// Whether the records are still where they were opened. An error says how to mend it.
    async fn in_place(&self) -> Result<(), RecordsError> {
        Ok(())
    }

    /// All presences, in the order of their agents.
    async fn presences(&self) -> Result<Vec<Presence>, RecordsError>;

    /// Calls that ring or go on, in the order of their ids: what was told last of each.
    async fn live_calls(&self, limit: usize) -> Result<Vec<TimelineItem>, RecordsError>;

    /// Per queue: how many wait, how many are open, how long the oldest has waited. Only queues with
    /// a conversation that is open or pending.
    async fn queue_counts(&self) -> Result<BTreeMap<QueueId, QueueCounts>, RecordsError>;

    /// Replies that have not left: queued, waiting, sending, in the order in which they were queued,
    /// which is that of [`crate::OutboundRow::position`].
    async fn outbox(&self, limit: usize) -> Result<Vec<Outbound>, RecordsError>;

    /// Inputs set aside, in the order of their ids, the oldest first, after the id `after`.
    async fn parked(
        &self,
        after: Option<postroom_model::ParkedId>,
        limit: usize,
    ) -> Result<Vec<Parked>, RecordsError>;

    /// Whether it is known without asking the engine that this input was never decided; `false` says
    /// nothing. May err where another process writes, so only the doors may go by it, never the router.
    fn surely_unseen(&self, _input: InputId) -> bool {
        false
    }

    /// Reads what [`Records::surely_unseen`] has to know, once, where a backend knows it at all. May
    /// take seconds.
    async fn gather_seen(&self) -> Result<(), RecordsError> {
        Ok(())
    }

    /// Changes with each write, to the sequence at which the records then stand. A hint.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Which conversations to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationQuery {
    pub view: View,
    /// For [`View::Mine`].
    pub agent: Option<AgentId>,
    /// Only these queues; none means all. What an agent may see is limited by this.
    pub queues: Option<Vec<QueueId>>,
    /// Beside what is in `queues`, this agent sees what is theirs, and what a ladder has brought to them
    /// or to who serves `queues`.
    pub or_agent: Option<AgentId>,
    pub channels: Option<Vec<ChannelId>>,
    pub tag: Option<String>,
    /// What the page before gave as `next_cursor`.
    pub cursor: Option<String>,
    pub limit: usize,
}

/// The five lists of the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// Open and pending ones of one agent.
    Mine,
    /// Open ones without an owner.
    Unassigned,
    #[default]
    All,
    Snoozed,
    Resolved,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// For the next page; none if this was the last. Safe in a URL.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct QueueCounts {
    /// Open, without an owner.
    pub waiting: u64,
    /// Open or pending.
    pub open: u64,
    /// Since when the customer of the longest waiting conversation waits; of those in `waiting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
}
