//! The rows of the records and their keys.

use postroom_model::{
    Actor, Address, AgentId, Call, CallId, ChannelId, Contact, ContactId, Conversation,
    ConversationId, DeliveryState, Input, InputId, Message, MessageId, Outbound, Outcome, ParkedId,
    Presence, Reason, Settings, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Grows when rows change in a way that older ones cannot be read; the records are then rebuilt.
pub const SCHEMA_VERSION: u32 = 5;

/// Names a row. The order is the order in which rows are scanned and compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    Conversation(ConversationId),
    /// One entry of a timeline, by the position of its event.
    Timeline(ConversationId, u64),
    Contact(ContactId),
    /// Whose address it is.
    Address(Address),
    /// Which conversation a provider's thread leads to.
    Thread(ChannelId, String),
    /// The outcome of an input, for as long as ids are remembered.
    Seen(InputId),
    Presence(AgentId),
    /// A reply, on its way out or gone.
    Outbound(MessageId),
    /// Which reply has the id that a provider gave it.
    Sent(ChannelId, String),
    Parked(ParkedId),
    /// How far a channel has read what this names.
    Cursor(ChannelId, String),
    /// A call that rings or goes on, for as long as it does.
    Call(CallId),
    /// The settings in force.
    Settings,
    Totals,
}

/// The content of a row; its variant fits its key. Some variants look alike as JSON: a backend reads
/// the content by the kind of the key, never as a `Row`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Row {
    Conversation(Box<Conversation>),
    Timeline(Box<TimelineItem>),
    Contact(Contact),
    Address(ContactId),
    Thread(ConversationId),
    Seen(Box<Seen>),
    Presence(Presence),
    Outbound(Box<OutboundRow>),
    Sent(MessageId),
    Parked(Box<Parked>),
    Cursor(String),
    /// What was told of it last.
    Call(Box<TimelineItem>),
    Settings(Box<Settings>),
    Totals(Totals),
}

/// What one envelope does to the records, besides moving their standing.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Put(Key, Row),
    Delete(Key),
    /// Forgets inputs seen before this moment, strictly, as far as they stand there when its turn in
    /// the list of changes comes. Comes at the same envelope in every fold.
    ForgetSeen {
        before: Timestamp,
    },
}

/// One entry of a conversation's timeline: a message, a note, or something that happened.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct TimelineItem {
    /// Position of the event in the ledger, counted from 1.
    pub position: u64,
    /// None for what is about no conversation, such as an agent's status; those are in the feed only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    pub at: Timestamp,
    /// The event's type, such as `message.received`, `reply.queued` or `conversation.assigned`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the message or note, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub id: Option<uuid::Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<Message>>,
    /// The call, if it is about one, as far as it was known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<Call>>,
    /// The words of a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Who did it, if an agent or a program did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Where a reply stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryNote>,
    /// What else the event says (agent, queue, until, tags, …), flat.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[schema(value_type = Object)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl TimelineItem {
    /// What the message says; none for an entry that is no message, or whose words are elsewhere.
    pub fn words(&self) -> Option<&str> {
        let message = self.message.as_deref()?;
        message.text.as_deref().or(message.visible_text.as_deref())
    }
}

/// Where a reply stands, as shown beside it.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct DeliveryNote {
    pub state: DeliveryState,
    pub attempts: u32,
    pub updated_at: Timestamp,
    /// Why it failed, waits or is uncertain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

/// The outcome of an input, kept so that the same input makes nothing twice (P3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub at: Timestamp,
    pub outcome: Outcome,
}

/// A reply with the place of its entry in the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboundRow {
    pub outbound: Outbound,
    pub position: u64,
}

/// An input set aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    pub id: ParkedId,
    pub at: Timestamp,
    pub code: String,
    pub detail: String,
    pub input: Input,
}

/// How many inputs ended in which way (P2), and how many events the ledger holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Totals {
    pub routed: u64,
    pub duplicate: u64,
    pub parked: u64,
    pub rejected: u64,
    pub events: u64,
    /// Sequence of the inlet up to which everything is decided.
    pub inlet_seq: u64,
    /// Sequence of the last envelope that is counted: where the records stood when this was read.
    pub seq: u64,
}

impl Totals {
    /// All inputs that were decided.
    pub fn decided(&self) -> u64 {
        self.routed + self.duplicate + self.parked + self.rejected
    }
}
