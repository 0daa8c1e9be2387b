//! Calls as inputs, as events, and what a phone channel makes of them.

use serde::{Deserialize, Serialize};

use crate::{
    Actor, Call, CallId, CallLeg, CallState, ChannelId, ContactId, ConversationId, Disposition,
    Opened, Timestamp,
};

/// What a telephone system tells of a call: one report of several, in any order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InboundCall {
    pub channel: ChannelId,
    /// As far as this report tells it; only its id, if it tells of one leg.
    pub call: Call,
    /// What happened to one leg of the call, where a telephone system tells leg by leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<Box<CallLeg>>,
}

impl InboundCall {
    pub fn new(channel: ChannelId, call: Call) -> Self {
        Self { channel, call, leg: None }
    }

    /// What happened to one leg of the call with this id.
    pub fn of_leg(channel: ChannelId, call_id: String, leg: CallLeg) -> Self {
        Self { channel, call: Call::unknown(call_id), leg: Some(Box::new(leg)) }
    }
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
    /// What happened to one leg, if that is what came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<Box<CallLeg>>,
    /// The customer was not answered and waits to be called back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub waits: bool,
    /// When it was over, where that lies before it was heard of: by this it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<Timestamp>,
    /// Since when the customer waits now, where a call that was heard of late says otherwise than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// It is over only because its end did not come in time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub presumed_end: bool,
    /// When it is taken to be over if nothing more comes; none once it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
    /// Where the calls of this number went before, as long as this one is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<ConversationId>,
    /// What it would open if nothing more comes, as long as it is not over: rules read messages, and
    /// time alone brings none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Box<Opened>>,
    /// What a rule said of joining another open conversation of the contact, as long as it is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<bool>,
    /// Who logged it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
}

impl CallRecorded {
    /// When it happened, as it counts, if it was heard of at `at`.
    pub fn moment(&self, at: Timestamp) -> Timestamp {
        self.happened_at.unwrap_or(at)
    }

    /// Until when the customer has been talked to; none if nobody answered, or if they still talk.
    pub fn settled_at(&self, at: Timestamp) -> Option<Timestamp> {
        let answered = self.call.disposition == Some(Disposition::Answered);
        (answered && self.call.state == CallState::Ended).then(|| self.moment(at))
    }
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
    /// An answered call joins another open conversation of its contact, unless a rule says otherwise.
    pub attach: bool,
    /// A call that was missed longer ago than this when it is heard of waits for nobody.
    #[serde(default = "missed_max_age_ms", skip_serializing_if = "is_usual_age")]
    pub missed_max_age_ms: i64,
}

impl Default for CallSettings {
    fn default() -> Self {
        const HOURS: i64 = 4;
        Self {
            close_after_ms: HOURS * 3_600_000,
            missed: true,
            resolve: true,
            attach: false,
            missed_max_age_ms: MISSED_MAX_AGE_MS,
        }
    }
}

/// Two weeks: who fetches again what was missed in the last one finds it overdue, and who fetches
/// years does not find years of callers in the queue.
const MISSED_MAX_AGE_MS: i64 = 14 * 24 * 3_600_000;

fn missed_max_age_ms() -> i64 {
    MISSED_MAX_AGE_MS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this form")]
fn is_usual_age(age_ms: &i64) -> bool {
    *age_ms == MISSED_MAX_AGE_MS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this form")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
