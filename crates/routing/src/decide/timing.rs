//! Whether what a configuration says of time can be decided by.

use std::collections::BTreeSet;

use postroom_model::limits::LADDER_STEPS_MAX;
use postroom_model::{CalendarId, LadderStep, PolicyId, QueueId, Settings};

/// The first mistake. The configuration's own checks find more, and say where.
pub(super) fn mistake(wanted: &Settings) -> Option<String> {
    wrong_policy(wanted)
        .or_else(|| wrong_queue(wanted))
        .or_else(|| wrong_rule(wanted))
        .or_else(|| wrong_ladder(wanted))
}

fn wrong_policy(wanted: &Settings) -> Option<String> {
    wanted.timing.policies.iter().find_map(|policy| {
        let calendar = policy.calendar.as_ref()?;
        let known = wanted.calendars.iter().any(|one| one.id == *calendar);
        (!known).then(|| format!("the targets {}: no calendar {calendar}", policy.id))
    })
}

fn wrong_queue(wanted: &Settings) -> Option<String> {
    wanted.timing.queues.iter().find_map(|(queue, timing)| {
        if wanted.queue(queue).is_none() {
            return Some(format!("no queue {queue}"));
        }
        let known = |id: &&CalendarId| wanted.calendars.iter().any(|one| one.id == **id);
        if let Some(calendar) = timing.calendar.as_ref().filter(|id| !known(id)) {
            return Some(format!("the queue {queue}: no calendar {calendar}"));
        }
        unknown(wanted, timing.targets.as_ref()).map(|what| format!("the queue {queue}: {what}"))
    })
}

/// A ladder that leads back to its own queue would be climbed for ever.
fn wrong_ladder(wanted: &Settings) -> Option<String> {
    wanted.timing.queues.iter().find_map(|(queue, timing)| {
        let mistake = wrong_steps(wanted, &timing.ladder).or_else(|| {
            leads_back(wanted, queue).then(|| "its ladder leads back to it".to_owned())
        });
        mistake.map(|what| format!("the queue {queue}: {what}"))
    })
}

fn wrong_steps(wanted: &Settings, ladder: &[LadderStep]) -> Option<String> {
    if ladder.len() > LADDER_STEPS_MAX {
        return Some(format!("more than {LADDER_STEPS_MAX} steps"));
    }
    if !ladder.is_sorted_by_key(|step| step.after_ms) {
        return Some("the steps are not in the order of time".to_owned());
    }
    ladder.iter().find_map(|step| {
        let mut queues = step.widen.iter().chain(&step.queue);
        let mut agents = step.agents.iter().chain(&step.notify);
        let no_queue = queues.find(|id| wanted.queue(id).is_none());
        let no_queue = no_queue.map(|id| format!("no queue {id}"));
        no_queue.or_else(|| {
            agents.find(|id| wanted.agent(id).is_none()).map(|id| format!("no agent {id}"))
        })
    })
}

fn leads_back(wanted: &Settings, from: &QueueId) -> bool {
    let mut reached: BTreeSet<&QueueId> = BTreeSet::new();
    let mut open = vec![from];
    while let Some(queue) = open.pop() {
        let timing = wanted.timing.queues.get(queue);
        for next in timing.iter().flat_map(|timing| &timing.ladder).filter_map(|s| s.queue.as_ref())
        {
            if next == from {
                return true;
            }
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

fn wrong_rule(wanted: &Settings) -> Option<String> {
    let mut numbered = wanted.rules.iter().zip(1..);
    numbered.find_map(|(rule, number)| {
        unknown(wanted, rule.targets.as_ref()).map(|what| format!("rule {number}: {what}"))
    })
}

fn unknown(wanted: &Settings, policy: Option<&PolicyId>) -> Option<String> {
    let policy = policy.filter(|id| wanted.timing.policy(id).is_none())?;
    Some(format!("no targets {policy}"))
}
