//! A new configuration.

use std::collections::BTreeSet;

use postroom_model::limits::{PRIORITY_MAX, TAGS_MAX};
use postroom_model::{Actor, AgentId, AgentStatus, Event, EventBody, Rule, Settings};

use super::{Decision, timing};
use crate::{Calendar, Rules, State, codes};

/// Refuses settings that could not be decided by; the ones in force stay.
pub(super) fn decide(state: &State, wanted: Settings) -> Decision {
    if state.settings().is_some_and(|settings| **settings == wanted) {
        return Decision::routed(None, vec![]);
    }
    if let Some(mistake) = mistake(&wanted) {
        return Decision::rejected(codes::SETTINGS_INVALID, mistake);
    }
    let mut events = signed_off(state, &wanted);
    events.push(Event::global(EventBody::ConfigInstalled { settings: Box::new(wanted) }));
    Decision::routed(None, events)
}

/// Agents who are configured no longer are offline from now on, also if they come back one day.
fn signed_off(state: &State, wanted: &Settings) -> Vec<Event> {
    let named: BTreeSet<&AgentId> = wanted.agents.iter().map(|agent| &agent.id).collect();
    let gone = state.agents.iter().filter(|agent| {
        agent.configured && agent.status != AgentStatus::Offline && !named.contains(&agent.id)
    });
    gone.map(|agent| {
        Event::global(EventBody::AgentStatusChanged {
            agent: agent.id.clone(),
            status: AgentStatus::Offline,
            reason: None,
            by: Actor::operator(),
        })
    })
    .collect()
}

/// What would break a decision later. The configuration's own checks find more, and say where.
fn mistake(wanted: &Settings) -> Option<String> {
    if wanted.queues.is_empty() {
        return Some("at least one queue is needed".to_owned());
    }
    let queues = wanted.queues.iter().map(|queue| queue.id.as_str());
    let agents = wanted.agents.iter().map(|agent| agent.id.as_str());
    let channels = wanted.channels.iter().map(|channel| channel.id.as_str());
    let calendars = wanted.calendars.iter().map(|calendar| calendar.id.as_str());
    twice("queue", queues)
        .or_else(|| twice("agent", agents))
        .or_else(|| twice("channel", channels))
        .or_else(|| twice("calendar", calendars))
        .or_else(|| wrong_calendar(wanted))
        .or_else(|| timing::mistake(wanted))
        .or_else(|| wrong_rule(wanted))
}

fn wrong_calendar(wanted: &Settings) -> Option<String> {
    wanted.calendars.iter().find_map(|calendar| {
        let error = Calendar::new(calendar).err()?;
        Some(format!("the calendar {}: {error}", calendar.id))
    })
}

fn twice<'a>(what: &str, ids: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut again = ids.filter(|id| !seen.insert(*id));
    again.next().map(|id| format!("the {what} {id} is named twice"))
}

fn wrong_rule(wanted: &Settings) -> Option<String> {
    if let Err(errors) = Rules::compile(wanted) {
        return errors.first().map(ToString::to_string);
    }
    let wrong = |rule: &Rule| {
        if let Some(queue) = rule.queue.as_ref().filter(|id| wanted.queue(id).is_none()) {
            return Some(format!("no queue {queue}"));
        }
        let high = rule.priority.filter(|priority| *priority > PRIORITY_MAX);
        if high.is_some() {
            return Some(format!("a priority is 0 to {PRIORITY_MAX}"));
        }
        (rule.tags.len() > TAGS_MAX).then(|| format!("more than {TAGS_MAX} tags"))
    };
    let mut numbered = wanted.rules.iter().zip(1..);
    numbered.find_map(|(rule, number)| Some(format!("rule {number}: {}", wrong(rule)?)))
}
