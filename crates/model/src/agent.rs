//! An agent's presence: what they said they do, and what they hold.

use serde::{Deserialize, Serialize};

use crate::{AgentId, ConversationId, Offer, OfferId, OfferOver, StatusId, Timestamp};

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
pub enum AgentStatus {
    /// Gets new conversations while there is room.
    Online,
    /// Keeps what they have, gets nothing new.
    Away,
    /// Gives back what they have and gets nothing new.
    AwayAndReassign,
    /// As after a start: gets nothing new.
    #[default]
    Offline,
    /// Did not answer an offer: gets nothing new until they say that they are there. Nobody can ask
    /// for it.
    NotResponding,
}

/// Why somebody who is online gets nothing new for a while.
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
pub enum PauseCause {
    /// One was done, and has its work afterwards.
    WrapUp,
    /// They have just come online, and got a portion of what waits.
    RampIn,
}

/// Until when somebody who is online gets nothing new.
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
pub struct Pause {
    pub until: Timestamp,
    pub cause: PauseCause,
}

impl Pause {
    pub fn is_wrap_up(&self) -> bool {
        self.cause == PauseCause::WrapUp
    }
}

/// What the records hold of an agent beside the settings.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Presence {
    pub agent: AgentId,
    pub status: AgentStatus,
    pub status_since: Timestamp,
    /// The team's own word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<StatusId>,
    /// Sum of the costs of the conversations held, open and pending.
    pub load: u32,
    /// Conversations held, open and pending.
    pub conversations: u32,
    /// When a conversation was last assigned to or taken from them.
    pub idle_since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// What they are asked to take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<Offer>,
    /// The last of those that are over, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<OfferOver>,
}

impl Presence {
    /// Offers that are over and still known.
    const OVER_MAX: usize = 20;

    /// The agent is no longer asked.
    pub fn close_offer(&mut self, id: OfferId, conversation: ConversationId) {
        self.offers.retain(|offer| offer.id != id);
        self.over.retain(|over| over.id != id);
        self.over.push(OfferOver { id, conversation });
        let older = self.over.len().saturating_sub(Self::OVER_MAX);
        self.over.drain(..older);
    }

    /// Whoever is asked already has longer for the answer. False if they are not asked.
    pub fn extend_offer(&mut self, id: OfferId, expires_at: Timestamp) -> bool {
        let offer = self.offers.iter_mut().find(|offer| offer.id == id);
        offer.map(|offer| offer.expires_at = expires_at).is_some()
    }
}
