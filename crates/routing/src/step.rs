//! One step of the machine: decide, fold, and assign until nothing more can be.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use postroom_model::{
    Body, ConversationId, Event, EventBody, Input, Position, Timestamp, Transition,
};
use uuid::Uuid;

use crate::state::AgentIx;
use crate::{Lookups, Made, State, decide, due, matching};

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
    let version = decision
        .conversation
        .and_then(|id| version_of(state, id, lookups, &events));
    let outcome = decision.outcome(position, id, version);
    Step {
        transition: Transition {
            outcome: Some(outcome),
            at,
            events,
        },
        bodies: decision.bodies,
    }
}

/// What time alone brings at `now`; call again while [`State::next_deadline`] has passed.
pub fn step_due(state: &mut State, now: Timestamp) -> Vec<Step> {
    let mut steps = Vec::new();
    for mut events in due(state, now) {
        settle(state, now, &mut events);
        let transition = Transition {
            outcome: None,
            at: now,
            events,
        };
        steps.push(Step {
            transition,
            bodies: vec![],
        });
    }
    steps
}

/// Folds the events and goes on to assign until no free agent and eligible conversation wait for
/// each other. Only pairs with a conversation or an agent that the events touched can be new.
fn settle(state: &mut State, at: Timestamp, events: &mut Vec<Event>) {
    let mut touched = Touched::default();
    for event in &*events {
        state.apply(at, event);
        touched.note(state, event);
    }
    while let Some(event) = touched.next_assignment(state) {
        state.apply(at, &event);
        events.push(event);
    }
}

/// Whom to look at again.
#[derive(Debug, Default)]
struct Touched {
    conversations: Vec<ConversationId>,
    agents: BTreeSet<AgentIx>,
}

impl Touched {
    fn note(&mut self, state: &State, event: &Event) {
        if let Some(id) = event.conversation
            && state
                .conversations
                .get(&id)
                .is_some_and(crate::state::Open::waits)
            && !self.conversations.contains(&id)
        {
            self.conversations.push(id);
        }
        match &event.body {
            EventBody::AgentStatusChanged { agent, .. }
            | EventBody::ConversationReleased { agent, .. } => self.note_agent(state, agent),
            EventBody::ConversationSnoozed {
                freed: Some(freed), ..
            }
            | EventBody::ConversationResolved {
                freed: Some(freed), ..
            }
            | EventBody::ConversationMerged {
                freed: Some(freed), ..
            } => {
                self.note_agent(state, &freed.agent);
            }
            EventBody::ConfigInstalled { .. } => self.agents.extend(0..state.agents.len()),
            _ => {}
        }
    }

    fn note_agent(&mut self, state: &State, agent: &postroom_model::AgentId) {
        self.agents.extend(state.agent_ix.get(agent));
    }

    /// Agents first: what waits longest goes before what has just come.
    fn next_assignment(&mut self, state: &State) -> Option<Event> {
        while let Some(agent) = self.agents.first().copied() {
            if let Some(event) = matching::conversation_for(state, agent) {
                return Some(event);
            }
            self.agents.remove(&agent);
        }
        // In the order of waiting, the first at the end; what no longer waits is passed over below.
        self.conversations.sort_unstable_by_key(|id| {
            let open = state.conversations.get(id);
            open.map(|open| (open.priority, Reverse(open.waiting_since), Reverse(*id)))
        });
        while let Some(id) = self.conversations.pop() {
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
    let grown = events
        .iter()
        .filter(|event| event.conversation == Some(id))
        .count();
    Some(row.version + grown as u64)
}
