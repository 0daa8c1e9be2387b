//! One step of the machine: decide, fold, and assign until nothing more can be.

use std::collections::BTreeSet;

use postroom_model::{
    Body, ConversationId, Event, EventBody, Input, Position, Timestamp, Transition,
};
use uuid::Uuid;

use crate::due::{DUE_MAX, due};
use crate::state::{AgentIx, Open, WaitKey, wait_key};
use crate::{Lookups, Made, State, decide, matching};

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
    let version = decision.conversation.and_then(|id| version_of(state, id, lookups, &events));
    let outcome = decision.outcome(position, id, version);
    Step { transition: Transition { outcome: Some(outcome), at, events }, bodies: decision.bodies }
}

/// What time alone brings at `now`, at most [`DUE_MAX`] transitions; call again while
/// [`State::next_deadline`] has passed.
pub fn step_due(state: &mut State, now: Timestamp) -> Vec<Step> {
    let mut steps = Vec::new();
    while steps.len() < DUE_MAX
        && let Some(mut events) = due(state, now)
    {
        settle(state, now, &mut events);
        let transition = Transition { outcome: None, at: now, events };
        steps.push(Step { transition, bodies: vec![] });
    }
    steps
}

/// Folds the events and goes on to assign until no free agent and eligible conversation wait for
/// each other.
fn settle(state: &mut State, at: Timestamp, events: &mut Vec<Event>) {
    let mut touched = Touched::default();
    for event in &*events {
        state.apply(at, event);
        touched.note(state, event);
    }
    let mut pairs = touched.pairs(state);
    while let Some(event) = pairs.next(state) {
        state.apply(at, &event);
        events.push(event);
    }
}

/// Whom the events touched: only a pair with one of these can be new.
#[derive(Debug, Default)]
struct Touched {
    conversations: BTreeSet<ConversationId>,
    agents: BTreeSet<AgentIx>,
}

impl Touched {
    fn note(&mut self, state: &State, event: &Event) {
        if let Some(id) = event.conversation
            && state.conversations.get(&id).is_some_and(Open::waits)
        {
            self.conversations.insert(id);
        }
        match &event.body {
            EventBody::AgentStatusChanged { agent, .. }
            | EventBody::ConversationReleased { agent, .. } => self.note_agent(state, agent),
            EventBody::ConversationSnoozed { freed: Some(freed), .. }
            | EventBody::ConversationResolved { freed: Some(freed), .. }
            | EventBody::ConversationMerged { freed: Some(freed), .. } => {
                self.note_agent(state, &freed.agent);
            }
            EventBody::ConfigInstalled { .. } => self.agents.extend(0..state.agents.len()),
            _ => {}
        }
    }

    fn note_agent(&mut self, state: &State, agent: &postroom_model::AgentId) {
        self.agents.extend(state.agent_ix.get(agent));
    }

    fn pairs(self, state: &State) -> Pairs {
        let waiting = self.conversations.iter().filter_map(|id| {
            let open = state.conversations.get(id).filter(|open| open.waits())?;
            Some((wait_key(*id, open), None))
        });
        let free = self.agents.iter().filter_map(|ix| {
            let first = matching::first_for(state, *ix)?;
            Some((first, Some(*ix)))
        });
        Pairs(waiting.chain(free).collect())
    }
}

/// What may be assigned, in the order of waiting: a conversation by itself, or the first one that an
/// agent could take. While assignments go on, agents only fill up and conversations only go, so an
/// agent's first one only ever moves back.
#[derive(Debug)]
struct Pairs(BTreeSet<(WaitKey, Option<AgentIx>)>);

impl Pairs {
    fn next(&mut self, state: &State) -> Option<Event> {
        while let Some((key, agent)) = self.0.pop_first() {
            if let Some(ix) = agent {
                let Some(first) = matching::first_for(state, ix) else {
                    continue;
                };
                self.0.insert((first, agent));
                if first != key {
                    continue;
                }
            }
            let (_, _, id) = key;
            if let Some(event) = matching::agent_for(state, id) {
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
