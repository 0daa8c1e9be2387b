//! Offers: agents are asked whether they take a conversation, and the first who accepts has it.

use serde::{Deserialize, Serialize};

use crate::{Actor, AgentId, ConversationId, OfferId, QueueId, Reason, Timestamp};

/// Agents were asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OfferMade {
    pub offer: OfferId,
    pub queue: QueueId,
    pub agents: Vec<AgentId>,
    /// Kept free by each of them while the offer stands.
    pub cost: u16,
    pub expires_at: Timestamp,
    pub reason: Reason,
}

/// These agents are no longer asked. Once nobody is, the conversation stands in its queue again, with
/// the age that it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OfferClosed {
    pub offer: OfferId,
    pub agents: Vec<AgentId>,
    pub cost: u16,
    pub cause: OfferEnd,
    /// Until when it is not offered again to who declined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
}

/// An offer to an agent that is over, so that who answers late can be told what became of it.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct OfferOver {
    pub id: OfferId,
    pub conversation: ConversationId,
}

/// An agent who declined a conversation not long ago.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Declined {
    pub agent: AgentId,
    /// Until when it is not offered to them again.
    pub again_at: Timestamp,
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OfferEnd {
    /// One of them took it.
    Accepted,
    Declined,
    /// They did not answer in time.
    Expired,
    /// The conversation went elsewhere, or is done.
    Withdrawn,
    /// The agent is no longer online.
    Unavailable,
}

/// An offer as an agent sees it.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Offer {
    pub id: OfferId,
    pub conversation: ConversationId,
    pub queue: QueueId,
    pub agent: AgentId,
    pub cost: u16,
    pub offered_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Who is asked whether they take a conversation, as its row says it.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Offered {
    pub offer: OfferId,
    pub agents: Vec<AgentId>,
    pub expires_at: Timestamp,
}
