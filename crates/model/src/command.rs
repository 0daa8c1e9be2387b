//! What agents, programs and operators ask for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, AgentStatus, Attachment, Call, CommandId, ContactId, ConversationId, MessageId,
    NoteId, OfferId, ParkedId, QueueId, StatusId, Timestamp,
};

/// A change that somebody asks for; the router decides it in one order with everything else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Command {
    pub id: CommandId,
    pub actor: Actor,
    pub action: Action,
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
pub enum Role {
    /// Answers conversations of their own queues.
    Agent,
    /// Sees and moves every conversation.
    Supervisor,
    /// Everything, including tokens and inputs set aside.
    Admin,
    /// A program: posts to its own channels and reads its own feed.
    Integrator,
}

/// Who asked. Names only; rights were checked at the door, those that depend on state are checked by
/// the core.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Actor {
    pub role: Role,
    /// The agent that acts, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The name of the user or token.
    pub name: String,
}

impl Actor {
    pub fn agent(agent: &AgentId) -> Self {
        Self { role: Role::Agent, agent: Some(agent.clone()), name: agent.to_string() }
    }

    /// The program itself.
    pub fn postroom() -> Self {
        Self { role: Role::Admin, agent: None, name: "postroom".to_owned() }
    }

    /// The operator at the command line.
    pub fn operator() -> Self {
        Self { role: Role::Admin, agent: None, name: "operator".to_owned() }
    }
}

/// One change. `conversation` stands in every action that is about one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Action {
    Reply {
        conversation: ConversationId,
        message: MessageId,
        draft: ReplyDraft,
        /// Refused if any message came after this version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_version: Option<u64>,
    },
    /// Sends again what failed or is uncertain, with the same delivery id.
    Resend {
        conversation: ConversationId,
        message: MessageId,
    },
    Note {
        conversation: ConversationId,
        note: NoteId,
        text: String,
    },
    /// A call that the agent had, logged by hand.
    LogCall {
        conversation: ConversationId,
        call: Box<Call>,
        /// Whether it ends the conversation; what the channel says otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resolve: Option<bool>,
    },
    Claim {
        conversation: ConversationId,
    },
    Release {
        conversation: ConversationId,
    },
    Assign {
        conversation: ConversationId,
        agent: AgentId,
    },
    Transfer {
        conversation: ConversationId,
        queue: QueueId,
    },
    Resolve {
        conversation: ConversationId,
    },
    Reopen {
        conversation: ConversationId,
    },
    Snooze {
        conversation: ConversationId,
        until: Timestamp,
    },
    Tag {
        conversation: ConversationId,
        #[serde(default)]
        add: Vec<String>,
        #[serde(default)]
        remove: Vec<String>,
    },
    Prioritise {
        conversation: ConversationId,
        priority: u8,
    },
    /// Ends `conversation`; its thread and everything later goes to `into`.
    Merge {
        conversation: ConversationId,
        into: ConversationId,
    },
    SetStatus {
        agent: AgentId,
        status: AgentStatus,
        /// The team's own word for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<StatusId>,
    },
    /// These agents have an inbox open.
    Present {
        agents: Vec<AgentId>,
    },
    AcceptOffer {
        conversation: ConversationId,
        offer: OfferId,
    },
    DeclineOffer {
        conversation: ConversationId,
        offer: OfferId,
    },
    /// Two contacts are one person: the addresses of `contact` lead to `into` from now on.
    MergeContact {
        contact: ContactId,
        into: ContactId,
    },
    /// Decides an input that was set aside once more.
    RetryParked {
        parked: ParkedId,
    },
    /// Gives up an input that was set aside.
    DropParked {
        parked: ParkedId,
    },
}

impl Action {
    /// The conversation that the action is about.
    pub fn conversation(&self) -> Option<ConversationId> {
        match self {
            Self::Reply { conversation, .. }
            | Self::Resend { conversation, .. }
            | Self::Note { conversation, .. }
            | Self::LogCall { conversation, .. }
            | Self::Claim { conversation }
            | Self::Release { conversation }
            | Self::Assign { conversation, .. }
            | Self::Transfer { conversation, .. }
            | Self::Resolve { conversation }
            | Self::Reopen { conversation }
            | Self::Snooze { conversation, .. }
            | Self::Tag { conversation, .. }
            | Self::Prioritise { conversation, .. }
            | Self::Merge { conversation, .. }
            | Self::AcceptOffer { conversation, .. }
            | Self::DeclineOffer { conversation, .. } => Some(*conversation),
            Self::SetStatus { .. }
            | Self::Present { .. }
            | Self::MergeContact { .. }
            | Self::RetryParked { .. }
            | Self::DropParked { .. } => None,
        }
    }
}

/// What an agent wrote. Attachments are in the blob store already.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReplyDraft {
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, serde_json::Value>,
}
