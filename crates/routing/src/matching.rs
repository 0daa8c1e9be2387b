//! Who gets what: the next pair of a free agent and a waiting conversation.
//!
//! Automatic assignment never takes an agent over capacity (P6). The longest idle agent is chosen
//! for a conversation; for an agent the conversation with the highest priority, then the one that
//! waits longest.

use postroom_model::{
    ConversationId, Event, EventBody, PassedOver, PassedOverCause, Reason, limits::PASSED_OVER_MAX,
};

use crate::State;
use crate::state::{Agent, AgentIx, Open, Queue, QueueIx, WaitKey};

/// The assignment of a conversation that waits, if somebody can take it.
pub(crate) fn agent_for(state: &State, id: ConversationId) -> Option<Event> {
    let open = state.conversations.get(&id).filter(|open| open.waits())?;
    let queue = state.queues.get(state.line_of(open)).filter(|queue| queue.configured)?;
    let (chosen, agent) = longest_idle(state, queue, open)?;
    let reason = Reason::LongestIdle {
        queue: queue.id.clone(),
        passed_over: passed_over(state, open, queue, chosen),
    };
    Some(assigned(id, open, agent, reason))
}

/// The first conversation, in the order of waiting, that an agent could take.
pub(crate) fn first_for(state: &State, agent: AgentIx) -> Option<WaitKey> {
    let agent = state.agents.get(agent).filter(|agent| agent.takes_new())?;
    let first_of = |ix: &QueueIx| {
        let queue = state.queues.get(*ix).filter(|queue| queue.configured)?;
        let parts = queue.waiting.iter().filter(|(bucket, _)| {
            u32::from(bucket.cost) <= agent.free() && state.skills.fits(bucket.need, agent.profile)
        });
        parts.map(|(_, line)| line.first()).min()
    };
    agent.queues.iter().filter_map(first_of).min().copied()
}

fn longest_idle<'a>(state: &'a State, queue: &Queue, open: &Open) -> Option<(AgentIx, &'a Agent)> {
    let lowest = state.class_of(open.cost);
    let parts = queue
        .available
        .iter()
        .filter(|(key, _)| key.class >= lowest && state.skills.fits(open.need, key.profile));
    let (_, ix) = *parts.filter_map(|(_, agents)| agents.first()).min()?;
    Some((ix, state.agents.get(ix)?))
}

/// The first agents of the queue who were not chosen, with the cause.
fn passed_over(state: &State, open: &Open, queue: &Queue, chosen: AgentIx) -> Vec<PassedOver> {
    let others = queue.members.iter().filter(|ix| **ix != chosen).take(PASSED_OVER_MAX);
    let mut named = Vec::new();
    for agent in others.filter_map(|ix| state.agents.get(*ix)) {
        let lacking = || state.skills.lacking(open.need, agent.profile);
        let cause = if !agent.takes_new() {
            PassedOverCause::Unavailable { status: agent.status }
        } else if let Some((skill, needed, has)) = lacking() {
            PassedOverCause::Skill { skill, needed, has }
        } else if agent.free() < u32::from(open.cost) {
            PassedOverCause::Capacity { free: agent.free(), cost: open.cost }
        } else {
            PassedOverCause::LessIdle
        };
        named.push(PassedOver { agent: agent.id.clone(), cause });
    }
    named
}

fn assigned(id: ConversationId, open: &Open, agent: &Agent, reason: Reason) -> Event {
    let body = EventBody::ConversationAssigned { agent: agent.id.clone(), cost: open.cost, reason };
    Event::on(id, body)
}

/// Gives a conversation back to whoever set it aside, if they take new ones and have room.
pub(crate) fn returned(state: &State, id: ConversationId, open: &Open) -> Option<Event> {
    let owner = state.owner_of(open).filter(|owner| owner.takes_new())?;
    let serves = owner.queues.contains(&open.queue);
    let fits = owner.free() >= u32::from(open.cost) && state.skills.fits(open.need, owner.profile);
    (serves && fits).then(|| assigned(id, open, owner, Reason::Returned))
}
