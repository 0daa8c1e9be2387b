//! Why: what each transition carries, for `explain` and for the record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Actor, AgentChoice, AgentId, QueueId};

/// The rules that were tried on a message, in order, up to the first that matched.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
pub struct RuleTrace {
    /// How many rules were tried.
    pub tried: u32,
    /// The one that matched, counted from 1; none means that the channel's or the default queue was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<u32>,
    /// The text of the rule that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Rules that failed while they were tried and were skipped: number and cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<(u32, String)>,
    /// What the rules were told beside the message, as far as one of them asks for it: name and value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, String>,
    /// Hash of the configuration whose rules these were, first 16 hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub config: String,
}

/// Why something happened to a conversation.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reason {
    /// The longest idle of the agents who could take it.
    LongestIdle {
        queue: QueueId,
        /// Agents of the queue that were not chosen, with the cause; at most five.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        passed_over: Vec<PassedOver>,
    },
    /// The one with the smallest share of their capacity taken.
    LeastLoaded {
        queue: QueueId,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        passed_over: Vec<PassedOver>,
    },
    /// The one who was given something the longest time ago.
    RoundRobin {
        queue: QueueId,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        passed_over: Vec<PassedOver>,
    },
    /// It was offered, and they accepted.
    Accepted { by: Actor },
    /// The owner went offline, and of those who could take it this was the one whose turn it was.
    TakenOver {
        from: AgentId,
        /// What the queue goes by.
        #[serde(default, skip_serializing_if = "AgentChoice::is_longest_idle")]
        choose: AgentChoice,
    },
    /// Its customer came back, and it waited for whoever had them last.
    KeptFor { queue: QueueId },
    /// The owner went offline.
    OwnerOffline { agent: AgentId },
    /// An agent took it.
    Claimed { by: Actor },
    /// It was theirs before it was set aside, and they have room for it.
    Returned,
    /// Somebody gave it to an agent.
    Assigned { by: Actor },
    /// The agent who answered first became the owner.
    FirstReply { by: Actor },
    /// The owner gave it back.
    Released { by: Actor },
    /// The owner went away and asked for reassignment.
    OwnerAway { agent: AgentId },
    /// The owner is no longer configured, or no longer serves the queue.
    OwnerGone { agent: AgentId },
    /// It was moved to another queue.
    Transferred { by: Actor },
    /// It was opened again, and the channel keeps the owner.
    OwnerKept,
    /// It waited for long, and a step of its queue's ladder moved it, counted from 1.
    Escalated { step: u16 },
    /// Its queue is no longer configured.
    QueueGone { queue: QueueId },
    /// The customer wrote on a thread that was set aside or done.
    CustomerWrote,
    /// The customer called and nobody answered.
    CustomerCalled,
    /// A call with the customer's number was answered, or is no matter for anybody.
    CallAnswered,
    /// The time until which it was snoozed has come.
    SnoozeOver,
    /// An agent or program asked for it.
    Asked { by: Actor },
}

/// An agent who was considered and not chosen.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct PassedOver {
    pub agent: AgentId,
    #[serde(flatten)]
    pub cause: PassedOverCause,
}

#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum PassedOverCause {
    /// Not online.
    Unavailable { status: crate::AgentStatus },
    /// Lacks a skill, or has it at a lower level.
    Skill { skill: String, needed: u8, has: u8 },
    /// The conversation's cost does not fit into what is free.
    Capacity { free: u32, cost: u16 },
    /// Could have taken it, but was idle for a shorter time.
    LessIdle,
    /// Could have taken it, but it was not their turn.
    LaterTurn,
    /// Could have taken it, but lacks a skill that is preferred for it, or has it at a lower level.
    Preferred { skill: String, wanted: u8, has: u8 },
    /// Online, and gets nothing new for a while.
    Paused { until: crate::Timestamp, pause: crate::PauseCause },
    /// Holds as many of this kind as they may.
    Limit { kind: crate::ChannelKind, most: u32 },
    /// Declined it not long ago.
    Declined,
}
