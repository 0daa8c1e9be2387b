//! What became of an input: every one ends as exactly one of four (P2).

use serde::{Deserialize, Serialize};

use crate::envelope::Position;
use crate::{ConversationId, InputId, MessageId};

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// Carried out.
    Routed,
    /// Seen before; nothing changed.
    Duplicate,
    /// Set aside with a reason; an operator can retry it.
    Parked,
    /// Refused with a reason.
    Rejected,
}

/// The answer to one input, in the ledger with the events that it caused.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Outcome {
    pub position: Position,
    pub input: InputId,
    pub kind: OutcomeKind,
    /// Why it was parked or rejected: a stable code with a page in the documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same in words for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The conversation's version after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Of a mail: what tells its copies from other mails that come under its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prints: Vec<String>,
}
