//! The ladder of a queue: what is done for a conversation that waits for long, step by step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AgentId, Conversation, QueueId};

/// How the time of a step is counted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LadderClock {
    /// Only while the calendar of its queue is open, if the queue has one.
    #[default]
    Calendar,
    /// Every hour counts.
    Wall,
}

impl LadderClock {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One step. What it does holds from then on; only `agents` ends with the next step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LadderStep {
    /// Counted from when the conversation began to wait, for every step.
    pub after_ms: i64,
    #[serde(default, skip_serializing_if = "LadderClock::is_default")]
    pub clock: LadderClock,
    /// Only these agents get it until the next step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentId>,
    /// Skills that are needed no more (0), or only at this level.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub relax: BTreeMap<String, u8>,
    /// Queues whose agents get it as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub widen: Vec<QueueId>,
    /// It has at least this priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Who is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<AgentId>,
    /// It is moved there, where the ladder of that queue goes on with the same waiting time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueId>,
    /// If none of those who would get it now is online, the next step follows at once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skip_if_nobody_available: bool,
}

/// How far up the ladder of its queue a conversation is.
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
pub struct Climbed {
    /// Steps that were taken.
    pub step: u16,
    /// The priority that it has by now.
    pub priority: u8,
    /// The skills that it still needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, u8>,
    /// Only these agents get it for now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentId>,
    /// Further queues whose agents get it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueueId>,
    /// Who was told by this step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notified: Vec<AgentId>,
    /// Nobody of those who would have got it was online, so the next step followed at once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skipped: bool,
    /// The steps that were skipped so far, as the row has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skips: Vec<SkippedStep>,
}

/// A step that was skipped, and whom nobody of was online.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct SkippedStep {
    pub step: u16,
    /// Those whom the step names; whoever serves the queue or one of `queues` where it names nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueueId>,
}

impl Climbed {
    /// As the row has it: with what was skipped before.
    #[must_use]
    pub fn on_row(&self, before: Option<Self>) -> Self {
        let mut skips = before.map(|before| before.skips).unwrap_or_default();
        if self.skipped {
            let (agents, queues) = (self.agents.clone(), self.queues.clone());
            skips.push(SkippedStep { step: self.step, agents, queues });
        }
        Self { skips, ..self.clone() }
    }

    /// Whether it has brought the conversation to an agent who serves these queues: by name, or by one
    /// of the queues that it added.
    pub fn reaches(&self, agent: &AgentId, serves: impl Fn(&QueueId) -> bool) -> bool {
        self.agents.contains(agent) || self.queues.iter().any(serves)
    }

    /// Of a conversation that has just come into another queue: no step of that queue's ladder is taken,
    /// and the agents of these queues get it still. None where there are no such queues.
    pub fn at_the_foot(row: &Conversation, reached: &[QueueId]) -> Option<Self> {
        (!reached.is_empty()).then(|| Self {
            priority: row.priority,
            skills: row.skills.clone(),
            queues: reached.to_vec(),
            ..Self::default()
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}
