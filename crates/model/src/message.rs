//! One kind of message for every channel, with calls and receipts beside it.
//!
//! The same shape is printed by `postroom inspect`, travels in the inlet, stands in the ledger and is
//! answered by the API. Absent fields are left out. Text is Unicode as it came, with `\n` line ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Address, BlobRef, Timestamp};

/// What the sender sent, or what an agent answers.
#[derive(
    Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Message {
    pub kind: MessageKind,
    /// The provider's id; where there is none, `generated:` and a hash of the content.
    pub external_id: String,
    /// The provider's key of the conversation (chat id, channel and thread, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Party>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Party>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<Party>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reply_to: Vec<Party>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The whole plain text, made from the HTML where there is only HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The newest words: without quotation and signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible_text: Option<String>,
    /// Sanitised HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Where text and HTML are, when they are too large to travel inside: a JSON [`crate::Body`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_blob: Option<BlobRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_reply_to: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automation: Option<Automation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounces: Vec<Bounce>,
    /// External id of the message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to_id: Option<String>,
    /// External id of the message that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edits_id: Option<String>,
    /// External id of the message that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes_id: Option<String>,
    /// What else the dialect knows, flat.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

impl Message {
    /// Text, visible text and HTML together, in bytes.
    pub fn body_bytes(&self) -> usize {
        [&self.text, &self.visible_text, &self.html].into_iter().flatten().map(String::len).sum()
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
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    Email,
    #[default]
    Text,
    Image,
    Audio,
    Video,
    File,
    Location,
    Contact,
    Sticker,
    Reaction,
    Button,
    Call,
    System,
}

/// A sender or recipient.
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
pub struct Party {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// A file that came or goes with a message. The content, once held, is named by `sha256`.
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
pub struct Attachment {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// `attachment` or `inline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<crate::digest::Digest>,
    /// Where the sender keeps it, if it was only named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The provider's handle for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_id: Option<String>,
}

impl Attachment {
    /// The stored content, if it is held.
    pub fn blob(&self) -> Option<BlobRef> {
        Some(BlobRef { sha256: self.sha256?, size_bytes: self.size_bytes? })
    }
}

/// Whether a machine wrote the message, and whether it may be answered automatically (RFC 3834).
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
pub struct Automation {
    pub class: AutomationClass,
    pub may_answer: bool,
}

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
pub enum AutomationClass {
    #[default]
    None,
    AutoReply,
    OutOfOffice,
    Bounce,
    DeliveryReport,
    FeedbackReport,
    ReadReceipt,
    List,
    Bulk,
}

/// One recipient that a delivery status notification speaks of (RFC 3464).
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
pub struct Bounce {
    pub recipient: Option<String>,
    /// Enhanced status code, such as `5.1.1` (RFC 3463).
    pub status: Option<String>,
    pub smtp_code: Option<u16>,
    /// The address itself is dead, not merely this message refused.
    pub hard: bool,
    pub action: Option<String>,
    pub diagnostic: Option<String>,
}

/// What became of a message that we sent.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Receipt {
    /// External id of the message.
    pub external_id: String,
    pub status: ReceiptStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The address, if it failed because nobody is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<Address>,
}

/// In the order in which they may follow each other; `failed` ends it.
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
pub enum ReceiptStatus {
    Sent,
    Delivered,
    Read,
    Failed,
}

/// A telephone call as a call log tells it.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Call {
    pub call_id: String,
    pub linked_id: Option<String>,
    pub state: CallState,
    pub direction: Direction,
    /// E.164 where a number can be read so, else as sent.
    pub from: Option<String>,
    pub from_name: Option<String>,
    pub to: Option<String>,
    pub to_name: Option<String>,
    pub dialled: Option<String>,
    pub started_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub duration_s: Option<u64>,
    pub talk_s: Option<u64>,
    pub disposition: Option<Disposition>,
    pub cause: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    pub queue: Option<String>,
    pub recording_url: Option<String>,
}

impl Call {
    /// A call of which nothing is known but its id.
    pub fn unknown(call_id: String) -> Self {
        Self {
            call_id,
            linked_id: None,
            state: CallState::Ringing,
            direction: Direction::In,
            from: None,
            from_name: None,
            to: None,
            to_name: None,
            dialled: None,
            started_at: None,
            answered_at: None,
            ended_at: None,
            duration_s: None,
            talk_s: None,
            disposition: None,
            cause: None,
            agents: vec![],
            queue: None,
            recording_url: None,
        }
    }
}

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
pub enum CallState {
    Ringing,
    Answered,
    Ended,
}

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
pub enum Direction {
    In,
    Out,
    Internal,
}

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
pub enum Disposition {
    Answered,
    NoAnswer,
    Busy,
    Failed,
    Cancelled,
    Voicemail,
}
