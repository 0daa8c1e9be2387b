//! What agents say they do, whether anybody sees them, and what becomes of what they hold when they
//! go.

use std::collections::BTreeMap;

use postroom_model::{
    Actor, AgentChoice, AgentId, AgentStatus, ConversationId, Event, EventBody, HandOut,
    OfflineAction, Reason, Role, StatusId,
};

use super::Decision;
use crate::state::{Agent, AgentIx, Open, Queue, Turns};
use crate::{State, codes, matching};

pub(super) fn set(
    state: &State,
    actor: &Actor,
    agent: &AgentId,
    (status, reason): (AgentStatus, Option<StatusId>),
) -> Decision {
    let own = actor.agent.as_ref() == Some(agent);
    if !own && !matches!(actor.role, Role::Supervisor | Role::Admin) {
        return Decision::rejected(codes::ROLE_NOT_ALLOWED, "only a supervisor may do this");
    }
    let Some(found) = state.agent(agent) else {
        return Decision::rejected(codes::AGENT_NOT_FOUND, format!("no agent {agent}"));
    };
    if status == AgentStatus::NotResponding {
        let detail = "not_responding is what routing finds, not what somebody says";
        return Decision::rejected(codes::INVALID_COMMAND, detail);
    }
    if let Some(refusal) = reason.as_ref().and_then(|reason| wrong_reason(state, status, reason)) {
        return refusal;
    }
    let mut events = Vec::new();
    if found.status != status || found.work.reason != reason {
        let changed = EventBody::AgentStatusChanged {
            agent: agent.clone(),
            status,
            reason,
            by: actor.clone(),
        };
        events.push(Event::global(changed));
    }
    // Whoever is done early says so by being online.
    if status == AgentStatus::Online && found.work.pause.is_some_and(|pause| pause.is_wrap_up()) {
        events.push(Event::global(EventBody::AgentReady { agent: agent.clone() }));
    }
    match status {
        AgentStatus::AwayAndReassign => events.extend(given_back(state, found)),
        AgentStatus::Offline if found.status != status => events.extend(left(state, found)),
        _ => {}
    }
    Decision::routed(None, events)
}

fn wrong_reason(state: &State, status: AgentStatus, reason: &StatusId) -> Option<Decision> {
    let known = state.settings().and_then(|settings| settings.desk.status(reason));
    let detail = match known {
        None => format!("there is no status {reason}"),
        Some(known) if known.status != status => format!("{reason} is another status"),
        Some(_) => return None,
    };
    Some(Decision::rejected(codes::INVALID_COMMAND, detail))
}

/// They have an inbox open. Those who are not configured, or not at work, are left out.
pub(super) fn present(state: &State, agents: Vec<AgentId>) -> Decision {
    let known = |id: &AgentId| state.agent(id).is_some_and(Agent::is_signed_on);
    let agents: Vec<AgentId> = agents.into_iter().filter(known).collect();
    let watched = state.settings().is_some_and(|settings| settings.desk.grace_ms.is_some());
    if agents.is_empty() || !watched {
        return Decision::routed(None, vec![]);
    }
    Decision::routed(None, vec![Event::global(EventBody::AgentsSeen { agents })])
}

/// Nobody has seen them for too long.
pub(super) fn lost(state: &State, id: &AgentId) -> Vec<Event> {
    let changed = EventBody::AgentStatusChanged {
        agent: id.clone(),
        status: AgentStatus::Offline,
        reason: None,
        by: Actor::postroom(),
    };
    let mut events = vec![Event::global(changed)];
    events.extend(state.agent(id).map(|agent| left(state, agent)).unwrap_or_default());
    events
}

fn given_back(state: &State, agent: &Agent) -> Vec<Event> {
    let released = |id: &ConversationId| {
        let cost = state.conversations.get(id).map_or(0, Open::charge);
        let reason = Reason::OwnerAway { agent: agent.id.clone() };
        let released = EventBody::ConversationReleased { agent: agent.id.clone(), cost, reason };
        Event::on(*id, released)
    };
    agent.owned.iter().map(released).collect()
}

/// What an agent who goes offline leaves, by the actions of its queues.
fn left(state: &State, agent: &Agent) -> Vec<Event> {
    let mut given = BTreeMap::new();
    let mut events = Vec::new();
    for id in &agent.owned {
        let Some(open) = state.conversations.get(id) else {
            continue;
        };
        let Some(queue) = state.queues.get(open.line).filter(|queue| queue.configured) else {
            continue;
        };
        let taker = match queue.work.offline {
            OfflineAction::Keep => continue,
            OfflineAction::Queue => None,
            OfflineAction::Reassign => {
                let Some(taker) = taker(state, queue, open, (*id, agent), &mut given) else {
                    continue;
                };
                Some(taker)
            }
        };
        let reason = Reason::OwnerOffline { agent: agent.id.clone() };
        let owner = agent.id.clone();
        let released =
            EventBody::ConversationReleased { agent: owner, cost: open.charge(), reason };
        events.push(Event::on(*id, released));
        // What waits for the customer goes with its new owner, not into a line.
        if let Some(taker) = taker.filter(|_| queue.work.hand_out == HandOut::Push) {
            let (from, choose) = (agent.id.clone(), queue.work.choose);
            let reason = Reason::TakenOver { from, choose };
            events.push(matching::assigned(*id, open, taker, reason));
        }
    }
    events
}

/// Whose turn it is, of those who could take it beside what they were given just now. Who was given
/// something just now comes after the others, as if it had been a decision before.
fn taker<'a>(
    state: &'a State,
    queue: &Queue,
    open: &Open,
    (id, owner): (ConversationId, &Agent),
    given: &mut BTreeMap<AgentIx, u32>,
) -> Option<&'a Agent> {
    let could = |ix: &&AgentIx| {
        let taken = given.get(*ix).copied().unwrap_or(0);
        state.agents.get(**ix).is_some_and(|agent| {
            let fits = agent.free() >= u32::from(open.cost).saturating_add(taken);
            // Limits of a kind are not counted twice within one decision, so one is enough.
            let limited = taken > 0 && agent.work.limits.contains_key(&open.kind);
            agent.id != owner.id
                && fits
                && !limited
                && matching::hindrance(state, id, open, agent).is_none()
        })
    };
    let could = queue.members.iter().filter(could);
    let turn = |ix: &&AgentIx| {
        let just = given.get(*ix).copied();
        let turns = state.agents.get(**ix).map(|agent| Turns::beside(agent, just.unwrap_or(0)));
        let turn = turns.map(|turns| turns.of(queue.work.choose));
        match queue.work.choose {
            AgentChoice::LeastLoaded => (false, turn, **ix),
            AgentChoice::LongestIdle | AgentChoice::RoundRobin => (just.is_some(), turn, **ix),
        }
    };
    let ix = *could.min_by_key(turn)?;
    *given.entry(ix).or_insert(0) += u32::from(open.cost);
    state.agents.get(ix)
}
