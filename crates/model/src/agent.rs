//! An agent's presence: what they said they do, and what they hold.

use serde::{Deserialize, Serialize};

use crate::{AgentId, Timestamp};

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
}

/// What the records hold of an agent beside the settings.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Presence {
    pub agent: AgentId,
    pub status: AgentStatus,
    pub status_since: Timestamp,
    /// Sum of the costs of the conversations held, open and pending.
    pub load: u32,
    /// Conversations held, open and pending.
    pub conversations: u32,
    /// When a conversation was last assigned to or taken from them.
    pub idle_since: Timestamp,
}
