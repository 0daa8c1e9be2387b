//! What happens to one leg of a call: the line of one telephone or trunk within it. Telephone systems
//! that log leg by leg say no more at a time; `legs` reads the call out of all of them.

use serde::{Deserialize, Serialize};

use crate::{CallId, ChannelId, Timestamp};

/// Something that happened to one leg. The moment stands first, so that the order of such things is
/// the order of time.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(default)]
pub struct CallLeg {
    pub at: Timestamp,
    pub step: LegStep,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub leg_id: String,
    /// Name of the line, such as `PJSIP/200-0000001d`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub channel: String,
    /// Who is at the leg at this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    #[serde(skip_serializing_if = "Side::is_outside")]
    pub number_side: Side,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What was dialled, or where in the dialplan the leg is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exten: Option<String>,
    #[serde(skip_serializing_if = "Side::is_outside")]
    pub exten_side: Side,
    /// It is where the dialplan takes calls from outside.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_outside: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<LegNote>,
}

/// On which side of the telephone system a number is.
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
)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    #[default]
    Outside,
    /// An extension, a feature code, a name of the dialplan.
    Inside,
    /// A public number of the house.
    Own,
}

impl Side {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this form")]
    fn is_outside(&self) -> bool {
        *self == Self::Outside
    }
}

/// In the order in which they follow each other within one moment.
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
)]
#[serde(rename_all = "snake_case")]
pub enum LegStep {
    Start,
    App,
    Answer,
    BridgeExit,
    BridgeEnter,
    /// Something else, of which only the note and who is at the leg count.
    #[default]
    Other,
    Hangup,
    End,
    /// The last leg of the call is gone.
    CallEnd,
}

/// What else is said beside the step.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LegNote {
    /// Why the leg was hung up (a cause of Q.850, 0 if unknown), and how its dialling ended.
    Hangup {
        cause: u16,
        dial_status: String,
    },
    /// The call came from outside.
    Incoming,
    /// The call goes outside.
    Outgoing,
    /// Whom the call was meant for at this moment.
    Target {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A conference or meeting.
    Room {
        name: String,
    },
    Queue {
        name: String,
    },
    Voicemail,
    Transfer,
    /// It was handed over to somebody who had been asked before: their telephone or number.
    HandedOver {
        to: String,
    },
}

/// Something happened to a leg that says nothing new of the call as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LegHeard {
    pub id: CallId,
    pub channel: ChannelId,
    pub call_id: String,
    pub leg: CallLeg,
    /// When the call is taken to be over if nothing more comes; none once it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
}
