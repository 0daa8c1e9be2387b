//! A conversation: what one contact and the agents say to each other on one thread of one channel.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, ChannelId, Climbed, ContactId, ConversationId, Declined, Kept, Offered, Party,
    PolicyId, QueueId, Reason, RuleTrace, Target, Timestamp,
};

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The customer waits for us.
    #[default]
    Open,
    /// We answered; the customer has the next word. The owner keeps it, and it keeps its cost.
    Pending,
    /// Set aside until a time or until the customer writes.
    Snoozed,
    /// Done. A new message on the thread opens it again.
    Resolved,
}

/// A conversation as people read it: the row of the records and the answer of the API.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Conversation {
    pub id: ConversationId,
    pub status: Status,
    pub subject: Option<String>,
    pub channel: ChannelId,
    /// The provider's key of the conversation; a later message with the same key goes here.
    pub thread: Option<String>,
    pub queue: Option<QueueId>,
    pub assignee: Option<AgentId>,
    pub contact: Option<ContactId>,
    /// The customer as the first message named them; replies go there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Party>,
    /// The conversation that its first message claimed to belong to, without being let in, or on which
    /// it came after that was done for too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked: Option<ConversationId>,
    /// Ids of the mails that an answer refers to, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mails: Vec<String>,
    /// 0 to 99; the higher is served first.
    pub priority: u8,
    /// Skills that an agent must have, with the lowest level that will do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, u8>,
    /// Skills that would be better still: who has them goes before those who have not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub preferred: BTreeMap<String, u8>,
    /// What it takes of its owner's capacity while it is open or pending.
    pub cost: u16,
    pub tags: Vec<String>,
    /// The times that were promised, the newest of each kind.
    pub targets: Vec<Target>,
    /// What a rule said is promised; what the queue promises if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// How far up the ladder of its queue it is, once it has waited for long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub climbed: Option<Climbed>,
    /// The agent for whom it waits for a while, before anybody else gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    pub opened_at: Timestamp,
    pub last_message_at: Timestamp,
    /// Since when the customer waits for us; null while we wait for the customer.
    pub waiting_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Timestamp>,
    /// When it was last done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Until when it is settled: the end of the newest call that was answered, or when somebody closed
    /// it. A call that was missed before then waits for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<ConversationId>,
    /// Conversations that were merged into this one; their timelines are shown with its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_from: Vec<ConversationId>,
    /// Starts at 1 and grows with each event.
    pub version: u64,
    /// The version at which the newest message, in or out, came.
    pub message_version: u64,
    /// Which rules were tried when it came into its queue.
    pub route: RuleTrace,
    /// Who is asked whether they take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offered>,
    /// Who declined it not long ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declined: Vec<Declined>,
    /// Why it has the owner that it has, or why it lost the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Reason>,
}

/// How the subject begins of a conversation that a call opened, before the number or the name.
pub mod call_subject {
    pub const TO: &str = "Call to";
    pub const FROM: &str = "Call from";
    pub const VOICEMAIL: &str = "Voicemail from";
    pub const MISSED: &str = "Missed call from";

    pub(super) const ALL: [&str; 4] = [TO, FROM, VOICEMAIL, MISSED];
}

impl Conversation {
    /// Whether an agent who serves these queues sees it and may act on it: it is theirs, or in one of
    /// the queues, or a ladder has brought it to them.
    pub fn is_within_reach_of(&self, agent: &AgentId, serves: impl Fn(&QueueId) -> bool) -> bool {
        self.assignee.as_ref() == Some(agent)
            || self.queue.as_ref().is_some_and(&serves)
            || self.climbed.as_ref().is_some_and(|climbed| climbed.reaches(agent, &serves))
    }

    /// A call gave it its subject: nobody wrote what it is about.
    pub fn is_named_by_a_call(&self) -> bool {
        let of_calls = self.thread.as_ref().is_none_or(|thread| thread.starts_with("tel:"));
        let begins = |subject: &str| {
            let mut words =
                call_subject::ALL.iter().filter_map(|words| subject.strip_prefix(words));
            words.any(|rest| rest.starts_with(' '))
        };
        of_calls && self.subject.as_deref().is_some_and(begins)
    }
}
