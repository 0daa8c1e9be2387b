//! How work is handed out: what a queue, and the desk as a whole, ask of routing. Plain settings; what
//! follows from them is decided by the core.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AgentStatus, ChannelKind, StatusId};

/// How long an offer stands where the configuration says nothing.
pub const OFFER_MS: i64 = 120_000;
/// After how long a conversation is offered again to who declined it, where nothing is said.
pub const DECLINE_MS: i64 = 60_000;

/// How a conversation comes to an agent.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HandOut {
    /// It is theirs at once.
    #[default]
    Push,
    /// They are asked first, and accept or decline.
    Offer,
    /// They take it themselves.
    Pull,
}

/// Which conversation of a queue is next.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum QueueOrder {
    /// The higher priority, then the longer wait.
    #[default]
    Priority,
    /// The one that has waited for the shortest time.
    Newest,
    /// The promise that is due first, then those without one by priority and wait.
    Targets,
}

/// Which of the agents who could take it gets a conversation.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AgentChoice {
    /// Who was given or freed of one the longest time ago.
    #[default]
    LongestIdle,
    /// Who has the smallest share of their capacity taken.
    LeastLoaded,
    /// Who was given one the longest time ago, whatever they finished since.
    RoundRobin,
}

impl AgentChoice {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_longest_idle(&self) -> bool {
        *self == Self::LongestIdle
    }
}

/// What becomes of an agent's conversations when the agent goes offline.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OfflineAction {
    /// They stay with the agent.
    #[default]
    Keep,
    /// Those that somebody else could take now go there; the others stay.
    Reassign,
    /// They go back to the queue and wait there, with their age.
    Queue,
}

/// A conversation whose customer says nothing gives its owner back a share of its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IdleShare {
    pub after_ms: i64,
    /// Of a hundred.
    pub frees_percent: u8,
}

/// How the work of one queue is handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct QueueWork {
    pub hand_out: HandOut,
    pub order: QueueOrder,
    pub choose: AgentChoice,
    /// How long an offer stands.
    pub offer_ms: i64,
    /// How many agents are asked at once; the first who accepts has it.
    pub offer_to: u8,
    /// After how long it is offered again to who declined it.
    pub decline_ms: i64,
    /// How long an agent gets nothing new after one is done.
    pub wrap_up_ms: i64,
    /// For how long a customer who comes back is kept for the agent who had them last; 0 for nobody.
    #[serde(skip_serializing_if = "is_zero")]
    pub sticky_ms: i64,
    /// The same where that agent is away; 0 lets it go to the queue at once.
    #[serde(skip_serializing_if = "is_zero")]
    pub sticky_away_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<IdleShare>,
    pub offline: OfflineAction,
    /// What one conversation takes here, where it is not what it takes elsewhere.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub costs: BTreeMap<ChannelKind, u16>,
}

impl Default for QueueWork {
    fn default() -> Self {
        Self {
            hand_out: HandOut::default(),
            order: QueueOrder::default(),
            choose: AgentChoice::default(),
            offer_ms: OFFER_MS,
            offer_to: 1,
            decline_ms: DECLINE_MS,
            wrap_up_ms: 0,
            sticky_ms: 0,
            sticky_away_ms: 0,
            idle: None,
            offline: OfflineAction::default(),
            costs: BTreeMap::new(),
        }
    }
}

impl QueueWork {
    /// Customers who come back are kept for a while for who had them last.
    pub const fn is_sticky(&self) -> bool {
        self.sticky_ms > 0 || self.sticky_away_ms > 0
    }

    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A word of the team's own for what an agent does, and what it means for routing.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct StatusSettings {
    pub id: StatusId,
    pub name: String,
    pub status: AgentStatus,
}

/// Who has just come online gets the pile in portions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RampIn {
    /// At most so many new ones…
    pub new_max: u16,
    /// …in this time…
    pub every_ms: i64,
    /// …for so long after they came online.
    pub lasts_ms: i64,
}

/// What holds for all agents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct DeskSettings {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<StatusSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_in: Option<RampIn>,
    /// How long an agent may be out of sight before they are offline; none if nobody looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<i64>,
}

impl DeskSettings {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub fn status(&self, id: &StatusId) -> Option<&StatusSettings> {
        self.statuses.iter().find(|status| status.id == *id)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}
