//! The one state machine of all calls: a pure fold of events into the state of a call.
//!
//! What is known of a call only grows: each field keeps the better of what it has and what comes,
//! by an order that does not ask when it came. So events may come in any order, any number of
//! times, or not at all. It knows no dialect, reads no clock and does no I/O.

use std::collections::{BTreeMap, HashMap};

use postroom_model::{Call, CallState, Direction, Disposition, Legs, Timestamp};
use smol_str::SmolStr;

use crate::event::{CallEvent, Outcome, Stage};
use crate::limits::AGENTS_MAX;
use crate::place::Places;

/// Calls by id, in the order in which they were first heard of.
#[derive(Debug, Default)]
pub struct Calls {
    known: Vec<Progress>,
    places: HashMap<SmolStr, usize>,
}

impl Calls {
    /// Takes one event; the index is of the call that it is about.
    pub fn apply(&mut self, event: CallEvent) -> usize {
        let index = match self.places.get(event.call_id.as_str()) {
            Some(index) => *index,
            None => {
                self.places.insert(event.call_id.clone(), self.known.len());
                self.known.push(Progress::new(event.call_id.clone()));
                self.known.len() - 1
            }
        };
        if let Some(progress) = self.known.get_mut(index) {
            progress.apply(event);
        }
        index
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The state of one call, by what [`Self::apply`] gave.
    pub fn call(&self, index: usize, places: &Places) -> Option<Call> {
        self.known.get(index).map(|progress| progress.call(places))
    }

    pub fn all(&self, places: &Places) -> Vec<Call> {
        self.known.iter().map(|progress| progress.call(places)).collect()
    }
}

/// All that is known of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    call_id: SmolStr,
    linked_id: Best<SmolStr>,
    stage: Option<Stage>,
    direction: Best<Direction>,
    from: Best<SmolStr>,
    from_name: Best<SmolStr>,
    to: Best<SmolStr>,
    to_name: Best<SmolStr>,
    dialled: Best<SmolStr>,
    started: Moment,
    answered: Moment,
    ended: Moment,
    duration_s: Told,
    talk_s: Told,
    outcome: Option<Outcome>,
    cause: Best<SmolStr>,
    agents: BTreeMap<SmolStr, Agent>,
    queue: Best<SmolStr>,
    recording_url: Best<SmolStr>,
    legs: Legs,
}

/// Whether somebody answered, and at which place of the list the name stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Agent {
    answered: bool,
    place: usize,
}

impl Progress {
    pub fn new(call_id: SmolStr) -> Self {
        Self { call_id, ..Self::default() }
    }

    pub fn apply(&mut self, event: CallEvent) {
        let answers =
            event.stage == Some(Stage::Answered) || event.outcome.is_some_and(Outcome::is_answered);
        let known_at = event.at.or(event.answered_at).or(event.started_at).or(event.arrived_at);
        let plain = Weight { strength: 0, at: known_at };
        let answer = Weight { strength: u8::from(answers), at: known_at };
        self.stage = self.stage.max(event.stage);
        self.outcome = self.outcome.max(event.outcome);
        self.linked_id.take(event.linked_id, plain);
        self.direction.take(event.direction, plain);
        self.from.take(event.from, plain);
        self.from_name.take(event.from_name, plain);
        self.dialled.take(event.dialled, plain);
        self.to.take(event.to, answer);
        self.to_name.take(event.to_name, answer);
        self.cause.take(event.cause, answer);
        self.queue.take(event.queue, answer);
        self.recording_url.take(event.recording_url, plain);
        self.duration_s.take(event.duration_s);
        self.talk_s.take(event.talk_s);
        let moment_of = |stage| event.at.filter(|_| event.stage == Some(stage));
        let arrival_of = |stage| event.arrived_at.filter(|_| event.stage == Some(stage));
        self.started.take(
            event.started_at.or_else(|| moment_of(Stage::Ringing)),
            arrival_of(Stage::Ringing),
        );
        self.answered.take(
            event.answered_at.or_else(|| moment_of(Stage::Answered)),
            arrival_of(Stage::Answered),
        );
        self.ended
            .take(event.ended_at.or_else(|| moment_of(Stage::Ended)), arrival_of(Stage::Ended));
        for (place, name) in event.agents.into_iter().enumerate() {
            self.take_agent(name, Agent { answered: answers, place });
        }
        if let Some(leg) = event.leg {
            self.legs.apply(*leg);
        }
    }

    fn take_agent(&mut self, name: SmolStr, agent: Agent) {
        if let Some(known) = self.agents.get_mut(&name) {
            known.answered |= agent.answered;
            known.place = known.place.min(agent.place);
        } else if self.agents.len() < AGENTS_MAX {
            self.agents.insert(name, agent);
        }
    }

    /// The call as all of this tells it.
    pub fn call(&self, places: &Places) -> Call {
        let mut call = match self.legs.read(&self.call_id) {
            Some(read) => {
                let mut whole = self.clone();
                whole.legs = Legs::default();
                whole.apply(told_by_legs(read));
                whole.settled()
            }
            None => self.settled(),
        };
        if places.stays_inside(call.from.as_deref(), call.to.as_deref()) {
            call.direction = Direction::Internal;
        }
        call
    }

    fn settled(&self) -> Call {
        let state = self.state();
        let answered = self.outcome.is_some_and(Outcome::is_answered)
            || self.stage == Some(Stage::Answered)
            || self.answered.is_known();
        let ended_at = self.ended.latest().filter(|_| state == CallState::Ended);
        let answered_at = self.answered.earliest().filter(|_| answered);
        let answered_at = answered_at.map(|at| ended_at.map_or(at, |end| at.min(end)));
        let started_at = self.started.earliest();
        let started_at =
            started_at.map(|at| answered_at.or(ended_at).map_or(at, |end| at.min(end)));
        let spent = |from: Option<Timestamp>| {
            let millis = ended_at?.since(from?);
            u64::try_from(millis / 1_000).ok()
        };
        let talk_s = self.talk_s.agreed().or_else(|| spent(answered_at));
        let untalked = (state == CallState::Ended && !answered).then_some(0);
        Call {
            call_id: self.call_id.to_string(),
            linked_id: self.linked_id.text(),
            state,
            direction: self.direction.value().unwrap_or(Direction::In),
            from: self.from.text(),
            from_name: self.from_name.text(),
            to: self.to.text(),
            to_name: self.to_name.text(),
            dialled: self.dialled.text(),
            started_at,
            answered_at,
            ended_at,
            duration_s: self.duration_s.agreed().or_else(|| spent(started_at)),
            talk_s: talk_s.or(untalked),
            disposition: self.disposition(state, answered),
            cause: self.cause.text(),
            agents: self.agents(),
            queue: self.queue.text(),
            recording_url: self.recording_url.text(),
        }
    }

    fn state(&self) -> CallState {
        self.stage.unwrap_or(Stage::Ringing).into()
    }

    fn disposition(&self, state: CallState, answered: bool) -> Option<Disposition> {
        let told = self.outcome.filter(|outcome| outcome.is_answered() || !answered);
        match (told, answered, state) {
            (Some(outcome), _, _) => Some(outcome.disposition()),
            (None, true, _) => Some(Disposition::Answered),
            (None, false, CallState::Ended) => Some(Disposition::NoAnswer),
            (None, false, _) => None,
        }
    }

    /// Who answered, or, as long as nobody did, who was called.
    fn agents(&self) -> Vec<String> {
        let any_answered = self.agents.values().any(|agent| agent.answered);
        let shown = self.agents.iter().filter(|(_, agent)| agent.answered || !any_answered);
        let mut shown: Vec<(usize, &SmolStr)> =
            shown.map(|(name, agent)| (agent.place, name)).collect();
        shown.sort_unstable();
        shown.into_iter().map(|(_, name)| name.to_string()).collect()
    }
}

/// The call that its legs tell of, as one more event.
fn told_by_legs(call: Call) -> CallEvent {
    CallEvent {
        call_id: call.call_id.into(),
        linked_id: call.linked_id.map(SmolStr::from),
        stage: Some(call.state.into()),
        direction: Some(call.direction),
        from: call.from.map(SmolStr::from),
        from_name: call.from_name.map(SmolStr::from),
        to: call.to.map(SmolStr::from),
        to_name: call.to_name.map(SmolStr::from),
        dialled: call.dialled.map(SmolStr::from),
        started_at: call.started_at,
        answered_at: call.answered_at,
        ended_at: call.ended_at,
        outcome: call.disposition.map(Outcome::of),
        cause: call.cause.map(SmolStr::from),
        agents: call.agents.into_iter().map(SmolStr::from).collect(),
        queue: call.queue.map(SmolStr::from),
        ..CallEvent::default()
    }
}

/// What speaks for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weight {
    strength: u8,
    at: Option<Timestamp>,
}

/// A value and what speaks for it: strength, then the earlier moment, then the smaller value, so
/// that the best one does not depend on the order in which they come.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Best<T>(Option<(Weight, T)>);

impl<T> Default for Best<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Rank + Clone> Best<T> {
    fn take(&mut self, value: Option<T>, weight: Weight) {
        let Some(value) = value else {
            return;
        };
        let better = match &self.0 {
            None => true,
            Some((known, held)) => key(weight, &value) < key(*known, held),
        };
        if better {
            self.0 = Some((weight, value));
        }
    }

    fn value(&self) -> Option<T> {
        self.0.as_ref().map(|(_, value)| value.clone())
    }
}

impl Best<SmolStr> {
    fn text(&self) -> Option<String> {
        self.0.as_ref().map(|(_, text)| text.to_string())
    }
}

/// Less is better.
fn key<T: Rank>(weight: Weight, value: &T) -> (u8, i64, T::Key<'_>) {
    let at = weight.at.map_or(i64::MAX, Timestamp::millis);
    (u8::MAX - weight.strength, at, value.rank())
}

/// An order of values, for want of anything else that speaks for one.
trait Rank {
    type Key<'a>: Ord
    where
        Self: 'a;
    fn rank(&self) -> Self::Key<'_>;
}

impl Rank for SmolStr {
    type Key<'a> = &'a str;
    fn rank(&self) -> &str {
        self
    }
}

impl Rank for Direction {
    type Key<'a> = u8;
    fn rank(&self) -> u8 {
        match self {
            Direction::In => 0,
            Direction::Out => 1,
            Direction::Internal => 2,
        }
    }
}

/// A moment that several events may tell: by the system's own clock where one does, else by arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Moment {
    told: Option<(Timestamp, Timestamp)>,
    arrived: Option<Timestamp>,
}

impl Moment {
    fn take(&mut self, told: Option<Timestamp>, arrived: Option<Timestamp>) {
        if let Some(at) = told {
            let (first, last) = self.told.unwrap_or((at, at));
            self.told = Some((first.min(at), last.max(at)));
        } else if let Some(at) = arrived {
            self.arrived = Some(self.arrived.map_or(at, |known| known.min(at)));
        }
    }

    fn is_known(&self) -> bool {
        self.told.is_some() || self.arrived.is_some()
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.told.map(|(first, _)| first).or(self.arrived)
    }

    fn latest(&self) -> Option<Timestamp> {
        self.told.map(|(_, last)| last).or(self.arrived)
    }
}

/// A length that is told. Where several are, none of them is that of the whole call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Told {
    #[default]
    Nothing,
    Once(u64),
    Several,
}

impl Told {
    fn take(&mut self, seconds: Option<u64>) {
        *self = match (*self, seconds) {
            (known, None) => known,
            (Self::Nothing, Some(seconds)) => Self::Once(seconds),
            (Self::Once(known), Some(seconds)) if known == seconds => *self,
            (Self::Once(_) | Self::Several, Some(_)) => Self::Several,
        };
    }

    fn agreed(self) -> Option<u64> {
        match self {
            Self::Once(seconds) => Some(seconds),
            Self::Nothing | Self::Several => None,
        }
    }
}
