//! Whether what a configuration says of time can be decided by.

use postroom_model::{PolicyId, Settings};

/// The first mistake. The configuration's own checks find more, and say where.
pub(super) fn mistake(wanted: &Settings) -> Option<String> {
    wrong_policy(wanted).or_else(|| wrong_queue(wanted)).or_else(|| wrong_rule(wanted))
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
        unknown(wanted, timing.targets.as_ref()).map(|what| format!("the queue {queue}: {what}"))
    })
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
