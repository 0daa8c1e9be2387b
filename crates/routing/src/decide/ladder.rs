//! The ladder of a queue: what is done for a conversation that waits for long.

use std::collections::BTreeMap;

use postroom_model::{
    Climbed, ConversationId, Event, EventBody, LadderStep, QueueId, Reason, Timestamp,
};

use crate::State;
use crate::state::{Agent, Open, Queue};

/// The steps that are due now, as one transition; nothing if none is.
pub(crate) fn climb(state: &State, id: ConversationId, now: Timestamp) -> Vec<Event> {
    let Some(open) = state.conversations.get(&id).filter(|open| open.waits()) else {
        return vec![];
    };
    let Some(queue) = state.queues.get(open.queue) else {
        return vec![];
    };
    let mut events = Vec::new();
    let mut now_at = open.clone();
    let mut skills = state.skills.needed(open.need).cloned().unwrap_or_default();
    while let Some(step) = queue.ladder.get(usize::from(now_at.step)) {
        let skipped = is_skipped(&events);
        if !skipped && next_at(queue, &now_at).is_none_or(|at| at > now) {
            break;
        }
        now_at.step += 1;
        now_at.priority = step.priority.map_or(now_at.priority, |least| least.max(now_at.priority));
        relax(&mut skills, &step.relax);
        let climbed = Climbed {
            step: now_at.step,
            priority: now_at.priority,
            skills: skills.clone(),
            agents: step.agents.clone(),
            queues: wider(queue, now_at.step),
            notified: step.notify.clone(),
            skipped: step.skip_if_nobody_available && !is_anybody_there(state, &now_at),
        };
        events.push(Event::on(id, EventBody::LadderClimbed(Box::new(climbed))));
        if let Some(to) = &step.queue {
            let reason = Reason::Escalated { step: now_at.step };
            let moved = EventBody::ConversationTransferred { queue: to.clone(), reason };
            events.push(Event::on(id, moved));
            break;
        }
    }
    events
}

/// When the next step comes, while it waits.
pub(crate) fn next_at(queue: &Queue, open: &Open) -> Option<Timestamp> {
    let step = queue.ladder.get(usize::from(open.step))?;
    Some(open.waiting_since?.plus_millis(step.after_ms))
}

fn is_skipped(events: &[Event]) -> bool {
    let last = events.last().map(|event| &event.body);
    matches!(last, Some(EventBody::LadderClimbed(climbed)) if climbed.skipped)
}

/// Skills only ever become less.
fn relax(skills: &mut BTreeMap<String, u8>, step: &BTreeMap<String, u8>) {
    for (name, level) in step {
        if let Some(needed) = skills.get_mut(name) {
            *needed = (*needed).min(*level);
        }
    }
    skills.retain(|_, level| *level > 0);
}

/// The queues into which the steps have widened it, each once.
fn wider(queue: &Queue, taken: u16) -> Vec<QueueId> {
    let steps = queue.ladder.get(..usize::from(taken)).unwrap_or_default();
    let mut all: Vec<QueueId> = Vec::new();
    for one in steps.iter().flat_map(|step: &LadderStep| &step.widen) {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
    all
}

/// Somebody of those who would get it now is online.
fn is_anybody_there(state: &State, open: &Open) -> bool {
    let line = state.queues.get(state.line_of(open));
    let mut members = line.into_iter().flat_map(|line| &line.members);
    members.any(|ix| state.agents.get(*ix).is_some_and(Agent::takes_new))
}
