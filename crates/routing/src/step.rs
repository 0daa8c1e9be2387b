//! One step of the machine: decide, fold, and assign until nothing more can be.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use postroom_model::{
    Body, ConversationId, Event, EventBody, Input, OfferEnd, Position, Timestamp, Transition,
};
use uuid::Uuid;

use crate::decide::target::Promises;
use crate::decide::{answer, desk, ladder};
use crate::due::due;
use crate::state::{AgentIx, LineKey, Open, WaitKey, line_key};
use crate::{Lookups, Made, Past, State, decide, matching};

/// What one input, or time alone, brought about. The state has already taken it in.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub transition: Transition,
    pub bodies: Vec<(Uuid, Body)>,
}

/// Decides an input at `position`, folds what follows, and assigns what can be assigned.
pub fn step(state: &mut State, position: Position, input: Input, lookups: &Lookups<'_>) -> Step {
    let (id, at) = (input.id, input.at);
    let mut made = Made::new(at, position);
    let mut decision = decide(state, input, lookups, &mut made);
    let mut events = std::mem::take(&mut decision.events);
    settle(state, at, &mut events);
    if let Some((answer, body)) = answer::given(state, at, &events, lookups) {
        state.apply(at, &answer);
        events.push(answer);
        decision.bodies.push(body);
    }
    let version = decision.conversation.and_then(|id| version_of(state, id, lookups, &events));
    let outcome = decision.outcome(position, id, version);
    Step { transition: Transition { outcome: Some(outcome), at, events }, bodies: decision.bodies }
}

/// The next that time alone brings at `now`; ask again while [`State::next_deadline`] has passed.
/// The state has already taken it in.
pub fn step_due(state: &mut State, now: Timestamp, past: Past<'_, '_>) -> Option<Step> {
    let mut events = due(state, now, past)?;
    settle(state, now, &mut events);
    let transition = Transition { outcome: None, at: now, events };
    Some(Step { transition, bodies: vec![] })
}

/// Folds the events and goes on to assign until no free agent and eligible conversation wait for
/// each other.
fn settle(state: &mut State, at: Timestamp, events: &mut Vec<Event>) {
    let mut touched = Touched::default();
    let mut promises = Promises::default();
    fold(state, at, events, (&mut promises, &mut touched));
    for id in touched.conversations.clone() {
        // Steps of a ladder that come as the waiting begins, such as a named agent who goes first.
        while state.climbs.first().is_some_and(|(first, _)| *first <= at) {
            let mut steps = ladder::climb(state, id, at);
            if steps.is_empty() {
                break;
            }
            fold(state, at, &mut steps, (&mut promises, &mut touched));
            events.append(&mut steps);
        }
    }
    for event in promises.changes(state) {
        state.apply(at, &event);
        events.push(event);
    }
    let offers = std::mem::take(&mut touched.offers);
    let mut pairs = touched.pairs(state);
    while let Some(event) = pairs.next(state, at) {
        hand_out(state, at, event, events);
    }
    // Whoever waits in a line goes before a second agent for the same.
    for id in offers {
        if let Some(event) = matching::refilled(state, at, id) {
            hand_out(state, at, event, events);
        }
    }
}

/// Folds what is given to somebody, or offered, and what follows of it for them.
fn hand_out(state: &mut State, at: Timestamp, event: Event, events: &mut Vec<Event>) {
    state.apply(at, &event);
    let paused = desk::portioned(state, at, &event);
    events.push(event);
    for event in paused {
        state.apply(at, &event);
        events.push(event);
    }
}

/// Folds what is decided and what follows of it at the desk.
fn fold(
    state: &mut State,
    at: Timestamp,
    events: &mut Vec<Event>,
    (promises, touched): (&mut Promises, &mut Touched),
) {
    desk::follow(state, at, events);
    for event in &*events {
        promises.follow(state, at, event);
        let waited = event
            .conversation
            .filter(|_| is_message(event))
            .is_some_and(|id| state.conversations.get(&id).is_some_and(Open::waits));
        state.apply(at, event);
        if !waited {
            touched.note(state, event);
        }
    }
}

fn is_message(event: &Event) -> bool {
    matches!(event.body, EventBody::MessageReceived { .. } | EventBody::CallRecorded(_))
}

/// Whom the events touched: only a pair with one of these can be new.
#[derive(Debug, Default)]
struct Touched {
    conversations: Vec<ConversationId>,
    agents: Vec<AgentIx>,
    /// Offers of which one who was asked is no longer.
    offers: Vec<ConversationId>,
}

impl Touched {
    fn note(&mut self, state: &State, event: &Event) {
        match &event.body {
            EventBody::ConversationOpened(_)
            | EventBody::ConversationReopened { .. }
            | EventBody::ConversationWoken { .. }
            | EventBody::ConversationTransferred { .. }
            | EventBody::LadderClimbed(_)
            | EventBody::ConversationUnkept
            | EventBody::MessageReceived { .. }
            | EventBody::CallRecorded(_) => self.conversations.extend(event.conversation),
            EventBody::OfferClosed(closed) => {
                self.conversations.extend(event.conversation);
                if matches!(closed.cause, OfferEnd::Declined | OfferEnd::Unavailable) {
                    self.offers.extend(event.conversation);
                }
                for agent in &closed.agents {
                    self.note_agent(state, agent);
                }
            }
            EventBody::OfferForgotten { agent } => {
                self.conversations.extend(event.conversation);
                self.note_agent(state, agent);
            }
            EventBody::ConversationReleased { agent, .. } => {
                self.conversations.extend(event.conversation);
                self.note_agent(state, agent);
            }
            EventBody::AgentStatusChanged { agent, .. }
            | EventBody::AgentReady { agent }
            | EventBody::ConversationIdled { agent, .. } => self.note_agent(state, agent),
            EventBody::ConversationSnoozed { freed: Some(freed), .. }
            | EventBody::ConversationResolved { freed: Some(freed), .. }
            | EventBody::ConversationMerged { freed: Some(freed), .. } => {
                self.note_agent(state, &freed.agent);
            }
            EventBody::ConfigInstalled { .. } => {
                // Agents have new numbers now.
                self.agents = (0..state.agents.len()).collect();
            }
            _ => {}
        }
    }

    fn note_agent(&mut self, state: &State, agent: &postroom_model::AgentId) {
        self.agents.extend(state.agent_ix.get(agent));
    }

    fn pairs(mut self, state: &State) -> Pairs {
        self.conversations.sort_unstable();
        self.conversations.dedup();
        self.agents.sort_unstable();
        self.agents.dedup();
        let waiting = self.conversations.iter().filter_map(|id| {
            let open = state.conversations.get(id).filter(|open| open.stands())?;
            let order = state.queues.get(open.queue).map(|queue| queue.work.order);
            Some(Reverse((turn_of(line_key(order.unwrap_or_default(), *id, open)), None)))
        });
        let free = self.agents.iter().filter_map(|ix| {
            let first = matching::first_for(state, *ix)?;
            Some(Reverse((turn_of(first), Some(*ix))))
        });
        Pairs { first: waiting.chain(free).collect(), assigned: false }
    }
}

/// The place in the order that holds between queues.
const fn turn_of((_, wait): LineKey) -> WaitKey {
    wait
}

/// What may be assigned, in the order of waiting: a conversation by itself, or the first one that an
/// agent could take. While assignments go on, agents only fill up and conversations only go, so an
/// agent's first one only ever moves back.
#[derive(Debug)]
struct Pairs {
    first: BinaryHeap<Reverse<(WaitKey, Option<AgentIx>)>>,
    /// Something was assigned, so an agent's first may have gone.
    assigned: bool,
}

impl Pairs {
    fn next(&mut self, state: &State, at: Timestamp) -> Option<Event> {
        while let Some(Reverse((key, agent))) = self.first.pop() {
            if let Some(ix) = agent.filter(|_| self.assigned) {
                let Some(first) = matching::first_for(state, ix).map(turn_of) else {
                    continue;
                };
                if first != key {
                    self.first.push(Reverse((first, agent)));
                    continue;
                }
            }
            let (_, _, waits) = key;
            let id = matching::in_order(state, waits);
            if let Some(event) = matching::agent_for(state, at, id) {
                self.assigned = true;
                // The agent may have room for more.
                if agent.is_some() || id != waits {
                    self.first.push(Reverse((key, agent)));
                }
                return Some(event);
            }
        }
        None
    }
}

/// The conversation's version after the events; one that is done is no longer in the state.
fn version_of(
    state: &State,
    id: ConversationId,
    lookups: &Lookups<'_>,
    events: &[Event],
) -> Option<u64> {
    if let Some(open) = state.conversations.get(&id) {
        return Some(open.version);
    }
    let row = lookups.conversation.filter(|row| row.id == id)?;
    let grown = events.iter().filter(|event| event.conversation == Some(id)).count();
    Some(row.version + grown as u64)
}
