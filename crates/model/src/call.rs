//! Calls as inputs, as events, and what a phone channel makes of them.

use serde::{Deserialize, Serialize};

use crate::{Actor, Call, CallId, ChannelId, ContactId, ConversationId, Timestamp};

/// What a telephone system tells of a call: one report of several, in any order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InboundCall {
    pub channel: ChannelId,
    pub call: Call,
}

/// How far something that is fetched has been read. It comes behind what was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Cursor {
    pub channel: ChannelId,
    /// Of what: a file, a folder of a mailbox.
    pub name: String,
    /// Only whoever fetches understands it.
    pub value: String,
}

/// Something became known of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CallRecorded {
    pub id: CallId,
    pub channel: ChannelId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// The call as all reports together tell it.
    pub call: Call,
    /// The report that came, if the call says anything else; none if nothing came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<Call>>,
    /// The customer was not answered and waits to be called back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub waits: bool,
    /// It is over only because its end did not come in time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub presumed_end: bool,
    /// When it is taken to be over if nothing more comes; none once it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
    /// Where the calls of this number went before, as long as this one is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<ConversationId>,
    /// Who logged it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
}

/// What a phone channel makes of its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CallSettings {
    /// A call whose end never comes is over after this time without news.
    pub close_after_ms: i64,
    /// Missed calls open or join a conversation.
    pub missed: bool,
    /// An answered call with the same number resolves it.
    pub resolve: bool,
    /// An answered call joins another open conversation of its contact.
    pub attach: bool,
}

impl Default for CallSettings {
    fn default() -> Self {
        const HOURS: i64 = 4;
        Self { close_after_ms: HOURS * 3_600_000, missed: true, resolve: true, attach: false }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this form")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
