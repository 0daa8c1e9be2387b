//! What one record, one post or one line says about a call. Plain data; dialects make it, the fold
//! takes it.

use postroom_model::{CallState, Direction, Disposition, Timestamp};

/// One thing that is known about one call. What it does not say is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallEvent {
    pub call_id: String,
    /// What several calls have in common that belong together (a transfer, a fork).
    pub linked_id: Option<String>,
    /// How far the call has come; none if the event is about something else, such as a recording.
    pub stage: Option<Stage>,
    /// When it came so far, as the telephone system says.
    pub at: Option<Timestamp>,
    /// When we heard of it; stands in where the system does not say.
    pub arrived_at: Option<Timestamp>,
    pub direction: Option<Direction>,
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
    pub outcome: Option<Outcome>,
    pub cause: Option<String>,
    /// Who of our side was called or, at an answer, who answered.
    pub agents: Vec<String>,
    pub queue: Option<String>,
    pub recording_url: Option<String>,
    /// What happened to one leg of the call; then the rest of the call is read from its legs.
    pub leg: Option<Box<LegEvent>>,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Ringing,
    Answered,
    Ended,
}

impl From<Stage> for CallState {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Ringing => Self::Ringing,
            Stage::Answered => Self::Answered,
            Stage::Ended => Self::Ended,
        }
    }
}

/// How a call went, from weak evidence to strong: the stronger one holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Failed,
    Cancelled,
    NoAnswer,
    Busy,
    /// The way it was hung up says that it had been answered; by whom, it does not say.
    TalkEnded,
    Voicemail,
    /// Somebody answered.
    Answered,
}

impl Outcome {
    pub fn disposition(self) -> Disposition {
        match self {
            Self::Failed => Disposition::Failed,
            Self::Cancelled => Disposition::Cancelled,
            Self::NoAnswer => Disposition::NoAnswer,
            Self::Busy => Disposition::Busy,
            Self::TalkEnded | Self::Answered => Disposition::Answered,
            Self::Voicemail => Disposition::Voicemail,
        }
    }

    pub fn is_answered(self) -> bool {
        self >= Self::TalkEnded
    }
}

/// Something that happened to one leg: the line of one telephone or trunk within a call. The moment
/// stands first, so that the order of such events is the order of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LegEvent {
    pub at: Timestamp,
    pub step: LegStep,
    pub leg_id: String,
    /// Name of the channel, such as `PJSIP/200-0000001d`.
    pub channel: String,
    /// Who is at the leg at this moment.
    pub number: Option<String>,
    pub name: Option<String>,
    /// Where in the dialplan the leg is.
    pub exten: Option<String>,
    pub context: Option<String>,
    pub note: Option<Note>,
}

/// In the order in which they follow each other within one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
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

/// What an event of a leg says beside its step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
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
        number: Option<String>,
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
}
