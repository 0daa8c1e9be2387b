//! What time alone brings.

use postroom_model::{ConversationId, Event, EventBody, Reason, Status, Timestamp};

use crate::{State, matching};

/// Conversations that one call moves on; the caller calls again while the next deadline has passed.
pub const DUE_MAX: usize = 256;

/// What has come due at `now`, for one conversation each.
pub fn due(state: &State, now: Timestamp) -> Vec<Vec<Event>> {
    let orphans = state.orphans.iter().copied();
    let mut transitions: Vec<Vec<Event>> = orphans
        .take(DUE_MAX)
        .map(|id| moved_on(state, id))
        .collect();
    let woken = state.deadlines.iter().take_while(|(at, _)| *at <= now);
    for (_, id) in woken.take(DUE_MAX.saturating_sub(transitions.len())) {
        if let Some(open) = state.conversations.get(id)
            && open.status == Status::Snoozed
            && !state.orphans.contains(id)
        {
            let reason = Reason::SnoozeOver;
            let mut events = vec![Event::on(*id, EventBody::ConversationWoken { reason })];
            events.extend(matching::returned(state, *id, open));
            transitions.push(events);
        }
    }
    transitions
}

/// A conversation whose owner or queue is no longer configured.
fn moved_on(state: &State, id: ConversationId) -> Vec<Event> {
    let mut events = Vec::new();
    let Some(open) = state.conversations.get(&id) else {
        return events;
    };
    let owner = state.owner_of(open).filter(|_| open.holds_capacity());
    if let Some(owner) = owner.filter(|owner| !owner.configured) {
        let agent = owner.id.clone();
        let reason = Reason::OwnerGone {
            agent: agent.clone(),
        };
        let released = EventBody::ConversationReleased {
            agent,
            cost: open.cost,
            reason,
        };
        events.push(Event::on(id, released));
    }
    let queue = state
        .queues
        .get(open.queue)
        .filter(|queue| !queue.configured);
    if let (Some(gone), Some(queue)) = (queue, state.queue_or_default(None)) {
        let reason = Reason::QueueGone {
            queue: gone.id.clone(),
        };
        events.push(Event::on(
            id,
            EventBody::ConversationTransferred { queue, reason },
        ));
    }
    events
}
