//! Who gets what: the next pair of a free agent and a waiting conversation.
//!
//! Automatic assignment never takes an agent over capacity (P6). The longest idle agent is chosen
//! for a conversation; for an agent the conversation with the highest priority, then the one that
//! waits longest.

use postroom_model::{
    ConversationId, Event, EventBody, PassedOver, PassedOverCause, Reason, limits::PASSED_OVER_MAX,
};

use crate::State;
use crate::state::{AgentIx, Bucket, NeedIx, Open, Queue};

/// The assignment of a conversation that waits, if somebody can take it.
pub(crate) fn agent_for(state: &State, id: ConversationId) -> Option<Event> {
    let open = state.conversations.get(&id).filter(|open| open.waits())?;
    let queue = state
        .queues
        .get(open.queue)
        .filter(|queue| queue.configured)?;
    let agent = longest_idle(state, queue, open.need, open.cost)?;
    Some(assignment(state, id, open, queue, agent))
}

/// The assignment of the next conversation to an agent, if there is room and something fits.
pub(crate) fn conversation_for(state: &State, agent: AgentIx) -> Option<Event> {
    let free = state.agents.get(agent).filter(|agent| agent.takes_new())?;
    let next = free.queues.iter().filter_map(|ix| {
        let queue = state.queues.get(*ix)?;
        let fits = |bucket: &Bucket| {
            u32::from(bucket.cost) <= free.free() && state.skills.fits(bucket.need, free.profile)
        };
        let parts = queue.waiting.iter().filter(|(bucket, _)| fits(bucket));
        parts.filter_map(|(_, waiting)| waiting.first()).min()
    });
    let (_, _, id) = *next.min()?;
    let open = state.conversations.get(&id)?;
    let queue = state.queues.get(open.queue)?;
    // Of several agents who could take it, it still goes to the longest idle.
    let chosen = longest_idle(state, queue, open.need, open.cost)?;
    Some(assignment(state, id, open, queue, chosen))
}

fn longest_idle(state: &State, queue: &Queue, need: NeedIx, cost: u16) -> Option<AgentIx> {
    let lowest = state.class_of(cost);
    let parts = queue
        .available
        .iter()
        .filter(|(key, _)| key.class >= lowest && state.skills.fits(need, key.profile));
    let fits = |ix: AgentIx| {
        state
            .agents
            .get(ix)
            .is_some_and(|agent| agent.free() >= u32::from(cost))
    };
    let firsts = parts.filter_map(|(_, agents)| agents.iter().find(|(_, ix)| fits(*ix)));
    firsts.min().map(|(_, ix)| *ix)
}

fn assignment(
    state: &State,
    id: ConversationId,
    open: &Open,
    queue: &Queue,
    chosen: AgentIx,
) -> Event {
    let agent = state.agents.get(chosen).map(|agent| agent.id.clone());
    let reason = Reason::LongestIdle {
        queue: queue.id.clone(),
        passed_over: passed_over(state, open, queue, chosen),
    };
    match agent {
        Some(agent) => {
            let body = EventBody::ConversationAssigned {
                agent,
                cost: open.cost,
                reason,
            };
            Event::on(id, body)
        }
        // `chosen` comes from the index of agents, so it is always there.
        None => Event::on(id, EventBody::ConversationWoken { reason }),
    }
}

/// The first agents of the queue who were not chosen, with the cause.
fn passed_over(state: &State, open: &Open, queue: &Queue, chosen: AgentIx) -> Vec<PassedOver> {
    let others = queue
        .members
        .iter()
        .filter(|ix| **ix != chosen)
        .take(PASSED_OVER_MAX);
    let mut named = Vec::new();
    for agent in others.filter_map(|ix| state.agents.get(*ix)) {
        let lacking = || state.skills.lacking(open.need, agent.profile);
        let cause = if !agent.takes_new() {
            PassedOverCause::Unavailable {
                status: agent.status,
            }
        } else if let Some((skill, needed, has)) = lacking() {
            PassedOverCause::Skill { skill, needed, has }
        } else if agent.free() < u32::from(open.cost) {
            PassedOverCause::Capacity {
                free: agent.free(),
                cost: open.cost,
            }
        } else {
            PassedOverCause::LessIdle
        };
        named.push(PassedOver {
            agent: agent.id.clone(),
            cause,
        });
    }
    named
}

/// Gives a conversation back to whoever set it aside, if they take new ones and have room.
pub(crate) fn returned(state: &State, id: ConversationId, open: &Open) -> Option<Event> {
    let owner = state.owner_of(open).filter(|owner| owner.takes_new())?;
    let serves = owner.queues.contains(&open.queue);
    let fits = owner.free() >= u32::from(open.cost) && state.skills.fits(open.need, owner.profile);
    (serves && fits).then(|| {
        let agent = owner.id.clone();
        let reason = Reason::Returned;
        Event::on(
            id,
            EventBody::ConversationAssigned {
                agent,
                cost: open.cost,
                reason,
            },
        )
    })
}
