//! What time alone brings.

use postroom_model::{CallId, ConversationId, Event, EventBody, Reason, Timestamp};

use crate::decide::{Past, call, desk, ladder, target};
use crate::state::DeskDue;
use crate::{State, matching};

/// Transitions that time brings in one batch.
pub const DUE_MAX: usize = 256;

/// What has come due at `now` and goes first: what the configuration left behind, then the earliest
/// of the snoozes that are over, the calls whose end never came, the targets of which people must
/// know, what waits at the desk, and the steps of ladders. Fold it before asking for the next.
pub fn due(state: &State, now: Timestamp, past: Past<'_, '_>) -> Option<Vec<Event>> {
    if let Some(id) = state.orphans.first() {
        return Some(moved_on(state, *id)).filter(|events| !events.is_empty());
    }
    let woken = state.deadlines.first().map(|(at, id)| (*at, Came::Woken(*id)));
    let closed = state.calls.next_deadline().map(|(at, id)| (at, Came::Closed(id)));
    let promised = state.targets.next().map(|(at, id)| (at, Came::Promised(id)));
    let desk = state.desk.next().map(|(at, due)| (at, Came::Desk(due)));
    let climbs = state.climbs.first().map(|(at, id)| (*at, Came::Climbs(*id)));
    let all = [woken, closed, promised, desk, climbs];
    let came = all.into_iter().flatten().min_by_key(|(at, _)| *at);
    let (_, came) = came.filter(|(at, _)| *at <= now)?;
    let events = match came {
        Came::Woken(id) => woken_at(state, id),
        Came::Closed(call) => call::closed(state, call, now, past),
        Came::Promised(id) => target::come(state, id, now),
        Came::Desk(due) => desk::due(state, due),
        Came::Climbs(id) => ladder::climb(state, id, now),
    };
    Some(events).filter(|events| !events.is_empty())
}

/// What has come; of those of one moment the first goes first.
enum Came<'a> {
    Woken(ConversationId),
    Closed(CallId),
    Promised(ConversationId),
    Desk(DeskDue<'a>),
    Climbs(ConversationId),
}

fn woken_at(state: &State, id: ConversationId) -> Vec<Event> {
    let Some(open) = state.conversations.get(&id) else {
        return vec![];
    };
    let reason = Reason::SnoozeOver;
    let mut events = vec![Event::on(id, EventBody::ConversationWoken { reason })];
    events.extend(matching::returned(state, id, open));
    events
}

/// A conversation whose owner or queue is no longer configured.
fn moved_on(state: &State, id: ConversationId) -> Vec<Event> {
    let Some(open) = state.conversations.get(&id) else {
        return vec![];
    };
    let mut events = Vec::with_capacity(2);
    let owner = state.owner_of(open).filter(|_| open.holds_capacity());
    if let Some(owner) = owner.filter(|owner| !owner.configured) {
        let agent = owner.id.clone();
        let reason = Reason::OwnerGone { agent: agent.clone() };
        let cost = open.charge();
        let released = EventBody::ConversationReleased { agent, cost, reason };
        events.push(Event::on(id, released));
    }
    let queue = state.queues.get(open.queue);
    let gone = queue.filter(|queue| !queue.configured);
    if let (Some(gone), Some(queue)) = (gone, state.queue_or_default(None)) {
        let queue_gone = gone.id.clone();
        let reason = Reason::QueueGone { queue: queue_gone };
        let moved = EventBody::ConversationTransferred { queue, reached: vec![], reason };
        events.push(Event::on(id, moved));
    }
    events
}
