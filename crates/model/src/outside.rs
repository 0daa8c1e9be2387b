//! A reply as an adapter outside of the process gets it: everything that it needs to send it, and
//! nothing that it would have to ask for.

use serde::{Deserialize, Serialize};

use crate::{Attachment, ChannelId, ConversationId, MessageId, Party, Timestamp};

/// A reply to send. Members that are not known are to be passed over: later versions may add some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OutsideReply {
    /// The delivery id, the same however often the reply is handed over. A receipt names it as its
    /// `external_id`.
    pub id: MessageId,
    pub channel: ChannelId,
    pub conversation: ConversationId,
    /// Counts from 1. A higher one under the same id is asked for by a person who was told that the
    /// reply had failed or may not have left.
    pub attempt: u32,
    /// The provider's key of the conversation, as the messages of the channel named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Party>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// External ids of the messages that it answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_reply_to: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<OutsideFile>,
    pub sent_at: Timestamp,
}

/// A file of a reply with its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OutsideFile {
    #[serde(flatten)]
    pub attachment: Attachment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<String>,
}
