//! The settings that decisions depend on: the configuration in its normalised form, without secrets.
//!
//! They take effect only through an input, so that the fold holds the version in force (P5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::{
    AgentId, AnswerSettings, CalendarSettings, CallSettings, ChannelId, ContactSettings,
    DeskSettings, PolicyId, QueueId, QueueWork, Timing, WorkspaceId,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Settings {
    pub workspace: WorkspaceId,
    /// What time alone brings.
    #[serde(default, skip_serializing_if = "Timing::is_empty")]
    pub timing: Timing,
    pub channels: Vec<ChannelSettings>,
    /// At least one; the first is the default.
    pub queues: Vec<QueueSettings>,
    /// In order; the first that matches wins.
    #[serde(default)]
    pub rules: Vec<Rule>,
    #[serde(default)]
    pub agents: Vec<AgentSettings>,
    /// What one conversation takes of an agent's capacity, by kind of channel.
    pub costs: BTreeMap<ChannelKind, u16>,
    /// What rules can ask whether it is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendars: Vec<CalendarSettings>,
    /// What holds for all agents.
    #[serde(default, skip_serializing_if = "DeskSettings::is_default")]
    pub desk: DeskSettings,
    #[serde(default, skip_serializing_if = "ContactSettings::is_default")]
    pub contacts: ContactSettings,
    /// In order; the first that applies is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<AnswerSettings>,
}

impl Settings {
    /// The name of this version: a hash of its normalised form.
    pub fn hash(&self) -> Digest {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Digest::of(&bytes)
    }

    /// The first 16 hexadecimal digits of the hash, for people and for traces.
    pub fn short_hash(&self) -> String {
        let mut text = self.hash().to_string();
        text.truncate(16);
        text
    }

    pub fn channel(&self, id: &ChannelId) -> Option<&ChannelSettings> {
        self.channels.iter().find(|channel| channel.id == *id)
    }

    pub fn queue(&self, id: &QueueId) -> Option<&QueueSettings> {
        self.queues.iter().find(|queue| queue.id == *id)
    }

    pub fn agent(&self, id: &AgentId) -> Option<&AgentSettings> {
        self.agents.iter().find(|agent| agent.id == *id)
    }

    /// Costs where the configuration names none: a call fills an agent, five chats do, twenty mails do.
    pub fn default_costs() -> BTreeMap<ChannelKind, u16> {
        BTreeMap::from([
            (ChannelKind::Email, 5),
            (ChannelKind::Imap, 5),
            (ChannelKind::Webhook, 20),
            (ChannelKind::Phone, 100),
            (ChannelKind::External, 20),
        ])
    }
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    Email,
    Imap,
    Webhook,
    Phone,
    /// An adapter outside of the process, on the bus.
    External,
}

impl ChannelKind {
    pub const ALL: [Self; 5] =
        [Self::Email, Self::Imap, Self::Webhook, Self::Phone, Self::External];

    /// Its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ChannelSettings {
    pub id: ChannelId,
    pub kind: ChannelKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// Where its conversations go when no rule says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueId>,
    /// Whether replies can leave through it.
    pub sends: bool,
    /// What it makes of calls, if it tells of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<CallSettings>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueueSettings {
    pub id: QueueId,
    pub name: String,
    /// How its work is handed out.
    #[serde(default, skip_serializing_if = "QueueWork::is_default")]
    pub work: QueueWork,
}

impl QueueSettings {
    /// A queue with nothing set.
    pub fn new(id: QueueId, name: impl Into<String>) -> Self {
        Self { id, name: name.into(), work: QueueWork::default() }
    }
}

/// A routing rule. What it does not name stays as the channel has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Rule {
    /// A CEL expression over `message`, `channel` and the calendars; true means that the rule matches.
    pub when: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, u8>,
    /// Skills that an agent need not have; who has them goes before those who have not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prefer: BTreeMap<String, u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What is promised; what the queue promises if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<PolicyId>,
    /// Whether an answered call joins another open conversation of its contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AgentSettings {
    pub id: AgentId,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub queues: Vec<QueueId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, u8>,
    /// The sum of costs that automatic assignment never exceeds (P6).
    pub capacity: u32,
    /// How many conversations of a kind they hold at most, by automatic assignment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<ChannelKind, u32>,
}
