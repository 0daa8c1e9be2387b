//! Offers: who accepts first has it, who declines is passed over for a while, and what goes elsewhere
//! is withdrawn.

use postroom_model::{
    Actor, AgentId, AgentStatus, ConversationId, Event, EventBody, OfferClosed, OfferEnd, OfferId,
    Reason, Timestamp,
};

use super::Decision;
use crate::state::Standing;
use crate::{State, codes};

/// The one who accepts has it; nobody else is asked any more.
pub(super) fn accept(state: &State, actor: &Actor, id: ConversationId, offer: OfferId) -> Decision {
    let (agent, standing) = match asked(state, actor, id, offer) {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let mut closed = close(standing, standing.agents.clone(), OfferEnd::Accepted);
    closed.by = Some(actor.clone());
    let reason = Reason::Accepted { by: actor.clone() };
    let assigned = EventBody::ConversationAssigned { agent, cost: standing.cost, reason };
    let events = [EventBody::OfferClosed(Box::new(closed)), assigned];
    Decision::routed(Some(id), events.map(|body| Event::on(id, body)).into())
}

/// The others are still asked; once nobody is, it stands in its queue again with its age.
pub(super) fn decline(
    state: &State,
    at: Timestamp,
    actor: &Actor,
    id: ConversationId,
    offer: OfferId,
) -> Decision {
    let (agent, standing) = match asked(state, actor, id, offer) {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let queue = state.queue_ix.get(&standing.queue).and_then(|ix| state.queues.get(*ix));
    let pause = queue.map_or(postroom_model::desk::DECLINE_MS, |queue| queue.work.decline_ms);
    let mut closed = close(standing, vec![agent], OfferEnd::Declined);
    closed.again_at = Some(at.plus_millis(pause));
    closed.by = Some(actor.clone());
    let event = Event::on(id, EventBody::OfferClosed(Box::new(closed)));
    Decision::routed(Some(id), vec![event])
}

/// The agent who acts and the offer, if it stands and is theirs.
fn asked<'a>(
    state: &'a State,
    actor: &Actor,
    id: ConversationId,
    offer: OfferId,
) -> Result<(AgentId, &'a Standing), Box<Decision>> {
    let Some(agent) = &actor.agent else {
        let detail = "only an agent can answer an offer";
        return Err(Box::new(Decision::rejected(codes::AGENT_REQUIRED, detail)));
    };
    let standing = state.desk.standing.get(&id).filter(|standing| standing.offer == offer);
    match standing.filter(|standing| standing.agents.contains(agent)) {
        Some(standing) => Ok((agent.clone(), standing)),
        None => Err(Box::new(Decision::rejected(codes::OFFER_OVER, over(state, id)))),
    }
}

/// What became of it, as far as that is known.
fn over(state: &State, id: ConversationId) -> String {
    let owner = state.conversations.get(&id).and_then(|open| state.owner_of(open));
    let name = owner.and_then(|owner| state.agent_settings(&owner.id)).map(|agent| &agent.name);
    match name {
        Some(name) => format!("the offer is over: {name} has the conversation"),
        None => "the offer is over".to_owned(),
    }
}

pub(crate) fn close(standing: &Standing, agents: Vec<AgentId>, cause: OfferEnd) -> OfferClosed {
    OfferClosed {
        offer: standing.offer,
        agents,
        cost: standing.cost,
        cause,
        again_at: None,
        by: None,
    }
}

/// Nobody answered: all of them are passed over until they say that they are there.
pub(super) fn expired(state: &State, id: ConversationId) -> Vec<Event> {
    let Some(standing) = state.desk.standing.get(&id) else {
        return vec![];
    };
    let agents = standing.agents.clone();
    let closed = close(standing, agents.clone(), OfferEnd::Expired);
    let mut events = vec![Event::on(id, EventBody::OfferClosed(Box::new(closed)))];
    let online = |agent: &AgentId| {
        state.agent(agent).is_some_and(|agent| agent.status == AgentStatus::Online)
    };
    events.extend(agents.into_iter().filter(online).map(|agent| {
        Event::global(EventBody::AgentStatusChanged {
            agent,
            status: AgentStatus::NotResponding,
            reason: None,
            by: Actor::postroom(),
        })
    }));
    events
}

/// Offers that what is decided puts an end to, before it does: the conversation goes elsewhere, or
/// an agent who is asked goes away.
pub(crate) fn withdraw(state: &State, events: &mut Vec<Event>) {
    if state.desk.standing.is_empty() {
        return;
    }
    let decided = std::mem::take(events);
    for event in decided {
        let ended = ended_by(state, &event, events);
        events.extend(ended);
        events.push(event);
    }
}

fn ended_by(state: &State, event: &Event, before: &[Event]) -> Vec<Event> {
    let still = |id: ConversationId| {
        let standing = state.desk.standing.get(&id)?;
        let closed: Vec<&AgentId> = before
            .iter()
            .filter(|event| event.conversation == Some(id))
            .filter_map(|event| match &event.body {
                EventBody::OfferClosed(closed) => Some(&closed.agents),
                _ => None,
            })
            .flatten()
            .collect();
        let left = standing.agents.iter().filter(|agent| !closed.contains(agent));
        Some((standing, left.cloned().collect::<Vec<_>>()))
    };
    let closed = |id, agents: Vec<AgentId>, cause| {
        let (standing, _) = still(id)?;
        let closed = close(standing, agents, cause);
        Some(Event::on(id, EventBody::OfferClosed(Box::new(closed))))
    };
    match (&event.body, event.conversation) {
        (
            EventBody::ConversationAssigned { .. }
            | EventBody::ConversationTransferred { .. }
            | EventBody::ConversationSnoozed { .. }
            | EventBody::ConversationResolved { .. }
            | EventBody::ConversationMerged { .. }
            // Somebody answers who is no agent: the customer has the next word.
            | EventBody::ReplyQueued { .. },
            Some(id),
        ) => {
            let left = still(id).map(|(_, left)| left).filter(|left| !left.is_empty());
            left.and_then(|left| closed(id, left, OfferEnd::Withdrawn)).into_iter().collect()
        }
        (EventBody::AgentStatusChanged { agent, status, .. }, _)
            if *status != AgentStatus::Online =>
        {
            let asked = state.agent(agent).map(|agent| agent.work.offered.iter());
            let asked = asked.into_iter().flatten();
            let asked = asked
                .filter(|id| still(**id).is_some_and(|(_, left)| left.contains(agent)));
            asked
                .filter_map(|id| closed(*id, vec![agent.clone()], OfferEnd::Unavailable))
                .collect()
        }
        _ => vec![],
    }
}
