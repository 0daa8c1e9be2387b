//! What follows at the desk from what is decided, and what time brings there: pauses after one that
//! is done, portions for those who come online, silent customers who write again.

use postroom_model::{ConversationId, Event, EventBody, Pause, PauseCause, Status, Timestamp};

use super::{offer, status, sticky};
use crate::State;
use crate::matching;
use crate::state::DeskDue;

/// Puts what follows from the events among them: each where the fold must come to it.
pub(crate) fn follow(state: &State, at: Timestamp, events: &mut Vec<Event>) {
    offer::withdraw(state, events);
    let mut index = 0;
    while let Some(event) = events.get(index) {
        match roused(state, event, events.get(..index).unwrap_or_default()) {
            Some(roused) => {
                events.insert(index, roused);
                index += 2;
            }
            None => index += 1,
        }
    }
    let wraps: Vec<Event> = events.iter().filter_map(|event| wrap_up(state, at, event)).collect();
    events.extend(wraps);
    let unkept: Vec<Event> =
        events.iter().flat_map(|event| sticky::left_waiting(state, event)).collect();
    events.extend(unkept);
    let served: Vec<Event> =
        events.iter().filter_map(|event| sticky::served(state, event)).collect();
    events.extend(served);
}

/// A conversation goes on whose owner had a share of its cost back.
fn roused(state: &State, event: &Event, before: &[Event]) -> Option<Event> {
    match &event.body {
        EventBody::MessageReceived { .. } | EventBody::ReplyQueued { .. } => {}
        EventBody::CallRecorded(recorded) if recorded.waits => {}
        _ => return None,
    }
    let id = event.conversation?;
    let open = state.conversations.get(&id).filter(|open| open.idle > 0)?;
    // What was taken from its owner a moment ago is whole again.
    let moved = before.iter().any(|event| {
        event.conversation == Some(id)
            && matches!(event.body, EventBody::ConversationReleased { .. })
    });
    let agent = state.owner_of(open).filter(|_| !moved)?.id.clone();
    Some(Event::on(id, EventBody::ConversationRoused { agent, cost: open.idle }))
}

/// Whoever is done with one has its work afterwards.
fn wrap_up(state: &State, at: Timestamp, event: &Event) -> Option<Event> {
    let EventBody::ConversationResolved { freed: Some(freed), .. } = &event.body else {
        return None;
    };
    let open = state.conversations.get(&event.conversation?)?;
    let queue = state.queues.get(open.queue).filter(|queue| queue.work.wrap_up_ms > 0)?;
    let agent = state.agent(&freed.agent)?;
    let until = at.plus_millis(queue.work.wrap_up_ms);
    let pause = Pause { until, cause: PauseCause::WrapUp };
    let later = agent.work.pause.is_none_or(|before| before.until < until);
    later.then(|| Event::global(EventBody::AgentPaused { agent: agent.id.clone(), pause }))
}

/// After an agent got one by itself: whoever has just come online has had their portion.
pub(crate) fn portioned(state: &State, at: Timestamp, event: &Event) -> Vec<Event> {
    let ramp = state.settings().and_then(|settings| settings.desk.ramp_in);
    let Some(ramp) = ramp else {
        return vec![];
    };
    let agents = match &event.body {
        EventBody::ConversationAssigned { agent, reason, .. } if matching::is_automatic(reason) => {
            std::slice::from_ref(agent)
        }
        EventBody::OfferMade(made) | EventBody::OfferExtended(made) => made.agents.as_slice(),
        _ => &[],
    };
    let portioned = |agent: &&crate::state::Agent| {
        at < agent.status_since.plus_millis(ramp.lasts_ms)
            && agent.work.portion.given >= ramp.new_max
            && agent.work.pause.is_none()
    };
    let found = agents.iter().filter_map(|agent| state.agent(agent)).filter(portioned);
    found
        .map(|agent| {
            let until = agent.work.portion.from.plus_millis(ramp.every_ms);
            let pause = Pause { until, cause: PauseCause::RampIn };
            Event::global(EventBody::AgentPaused { agent: agent.id.clone(), pause })
        })
        .collect()
}

/// What has come due.
pub(crate) fn due(state: &State, due: DeskDue<'_>) -> Vec<Event> {
    match due {
        DeskDue::Offer(id) => offer::expired(state, id),
        DeskDue::Decline(id, agent) => {
            vec![Event::on(id, EventBody::OfferForgotten { agent: agent.clone() })]
        }
        DeskDue::Pause(agent) => {
            vec![Event::global(EventBody::AgentReady { agent: agent.clone() })]
        }
        DeskDue::Presence(agent) => status::lost(state, agent),
        DeskDue::Keep(id) => sticky::over(state, id),
        DeskDue::Silence(id) => silent(state, id).into_iter().collect(),
    }
}

fn silent(state: &State, id: ConversationId) -> Option<Event> {
    let open = state.conversations.get(&id)?;
    let owner = state.owner_of(open).filter(|_| open.status == Status::Pending)?;
    let idle = state.queues.get(open.queue)?.work.idle?;
    let share = u32::from(open.cost) * u32::from(idle.frees_percent.min(100)) / 100;
    let cost = u16::try_from(share).unwrap_or(open.cost);
    Some(Event::on(id, EventBody::ConversationIdled { agent: owner.id.clone(), cost }))
}
