//! What time brings to conversations: the part of the settings that says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CalendarId, ChannelId, LadderStep, PolicyId, QueueId, ReopenRule, TargetPolicy};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Timing {
    /// What can be promised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<TargetPolicy>,
    /// Queues for which anything is said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub queues: BTreeMap<QueueId, QueueTiming>,
    /// Channels that do not always open again what is done.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reopen: BTreeMap<ChannelId, ReopenRule>,
    /// Channels on which a message that would open a conversation goes on in an open one of its contact,
    /// in the same queue, for so long after somebody wrote there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub join: BTreeMap<ChannelId, i64>,
}

impl Timing {
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
            && self.queues.is_empty()
            && self.reopen.is_empty()
            && self.join.is_empty()
    }

    pub fn policy(&self, id: &PolicyId) -> Option<&TargetPolicy> {
        self.policies.iter().find(|policy| policy.id == *id)
    }
}

/// What time brings to the conversations of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueueTiming {
    /// What is promised where no rule says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<PolicyId>,
    /// When the queue works: its ladder counts the time in which this one is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarId>,
    /// What is done for whoever waits for long, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ladder: Vec<LadderStep>,
}
