//! The ladder of a queue: what is done for a conversation that waits for long.

use std::collections::BTreeMap;

use postroom_model::{
    Climbed, ConversationId, Event, EventBody, LadderClock, LadderStep, QueueId, Reason, Timestamp,
};

use crate::State;
use crate::state::{Agent, Open, Queue, QueueIx, Reach};

/// The steps that are due now, as one transition; nothing if none is. They end where one of them
/// moves the conversation, since the ladder of the other queue is asked then.
pub(crate) fn climb(state: &State, id: ConversationId, now: Timestamp) -> Vec<Event> {
    let Some(open) = state.conversations.get(&id).filter(|open| open.waits()) else {
        return vec![];
    };
    let Some(queue) = state.queues.get(open.queue).filter(|queue| queue.configured) else {
        return vec![];
    };
    let mut events = Vec::new();
    let mut reach = state.reach_of(open);
    let mut skills = state.skills.needed(open.need).cloned().unwrap_or_default();
    let (mut taken, mut priority, mut skipped) = (open.step, open.priority, false);
    while let Some(step) = queue.ladder.get(usize::from(taken)) {
        let after = open.waiting_since.and_then(|since| comes_at(queue, step, since));
        if !skipped && after.is_none_or(|at| at > now) {
            break;
        }
        taken = taken.saturating_add(1);
        priority = step.priority.map_or(priority, |least| least.max(priority));
        relax(&mut skills, &step.relax);
        reach.agents.clone_from(&step.agents);
        widen(&mut reach.queues, step.queue.as_ref().unwrap_or(&queue.id), &step.widen);
        skipped = step.skip_if_nobody_available && !is_anybody_there(state, open.queue, &reach);
        let climbed = Climbed {
            step: taken,
            priority,
            skills: skills.clone(),
            agents: reach.agents.clone(),
            queues: reach.queues.clone(),
            notified: step.notify.clone(),
            skipped,
            skips: vec![],
        };
        events.push(Event::on(id, EventBody::LadderClimbed(Box::new(climbed))));
        if let Some(to) = &step.queue {
            let reason = Reason::Escalated { step: taken };
            // What was widened stays so: whoever got it before gets it still.
            let reached = reach.queues.iter().filter(|queue| *queue != to).cloned().collect();
            let queue = to.clone();
            let moved = EventBody::ConversationTransferred { queue, reached, reason };
            events.push(Event::on(id, moved));
            break;
        }
    }
    events
}

/// When the next step comes, while it waits.
pub(crate) fn next_at(queue: &Queue, open: &Open) -> Option<Timestamp> {
    let step = queue.ladder.get(usize::from(open.step))?;
    comes_at(queue, step, open.waiting_since?)
}

/// When a step comes for who has waited since then: after so much time in which the queue works, or
/// after so much by the clock on the wall. None if the queue never works so long.
fn comes_at(queue: &Queue, step: &LadderStep, since: Timestamp) -> Option<Timestamp> {
    match queue.calendar.as_ref().filter(|_| step.clock == LadderClock::Calendar) {
        Some(calendar) => calendar.open_after(since, step.after_ms),
        None => Some(since.plus_millis(step.after_ms)),
    }
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

/// Queues only ever become more.
fn widen(reached: &mut Vec<QueueId>, own: &QueueId, step: &[QueueId]) {
    for queue in step {
        if queue != own && !reached.contains(queue) {
            reached.push(queue.clone());
        }
    }
}

/// Somebody of those who would get it now is online.
fn is_anybody_there(state: &State, queue: QueueIx, reach: &Reach) -> bool {
    let reached = state.reached(queue, reach);
    reached.iter().any(|ix| state.agents.get(*ix).is_some_and(Agent::is_online))
}
