//! What one record, one post or one line says about a call. Plain data; dialects make it, the fold
//! takes it.

use postroom_model::{CallLeg, CallState, Direction, Disposition, Timestamp};
use smallvec::SmallVec;
use smol_str::SmolStr;

/// Telephones or names; mostly one, which takes no memory of its own.
pub type Agents = SmallVec<[SmolStr; 1]>;

/// One thing that is known about one call. What it does not say is none. Its texts are mostly short
/// and are held without memory of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallEvent {
    pub call_id: SmolStr,
    /// What several calls have in common that belong together (a transfer, a fork).
    pub linked_id: Option<SmolStr>,
    /// How far the call has come; none if the event is about something else, such as a recording.
    pub stage: Option<Stage>,
    /// When it came so far, as the telephone system says.
    pub at: Option<Timestamp>,
    /// When we heard of it; stands in where the system does not say.
    pub arrived_at: Option<Timestamp>,
    pub direction: Option<Direction>,
    pub from: Option<SmolStr>,
    pub from_name: Option<SmolStr>,
    pub to: Option<SmolStr>,
    pub to_name: Option<SmolStr>,
    pub dialled: Option<SmolStr>,
    pub started_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub duration_s: Option<u64>,
    pub talk_s: Option<u64>,
    pub outcome: Option<Outcome>,
    pub cause: Option<SmolStr>,
    /// Who of our side was called or, at an answer, who answered.
    pub agents: Agents,
    pub queue: Option<SmolStr>,
    pub recording_url: Option<SmolStr>,
    /// What happened to one leg of the call; then the rest of the call is read from its legs.
    pub leg: Option<Box<CallLeg>>,
}

impl CallEvent {
    /// What happened to a leg, with the id of its call; none if the event is about the call.
    pub(crate) fn take_leg(&mut self) -> Option<(String, CallLeg)> {
        let leg = self.leg.take()?;
        Some((self.call_id.to_string(), *leg))
    }
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Ringing,
    Answered,
    Ended,
}

impl From<CallState> for Stage {
    fn from(state: CallState) -> Self {
        match state {
            CallState::Ringing => Self::Ringing,
            CallState::Answered => Self::Answered,
            CallState::Ended => Self::Ended,
        }
    }
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

    /// The one that says no more than the disposition.
    pub fn of(disposition: Disposition) -> Self {
        match disposition {
            Disposition::Failed => Self::Failed,
            Disposition::Cancelled => Self::Cancelled,
            Disposition::NoAnswer => Self::NoAnswer,
            Disposition::Busy => Self::Busy,
            Disposition::Voicemail => Self::Voicemail,
            Disposition::Answered => Self::Answered,
        }
    }

    pub fn is_answered(self) -> bool {
        self >= Self::TalkEnded
    }
}
