//! Why a conversation is where it is: rules tried, agents considered, what it waits for.
//!
//! A pure function over what the records hold, so that a gateway or the command line can answer
//! without the router.

use std::collections::BTreeMap;

use postroom_model::{
    AgentChoice, AgentId, AgentSettings, AgentStatus, ChannelKind, Climbed, Conversation, Declined,
    HandOut, Kept, LadderClock, Offered, PassedOver, PassedOverCause, Pause, PauseCause, Presence,
    QueueId, Reason, RuleTrace, Settings, Status, Timestamp,
};
use serde::Serialize;

use crate::Calendar;
use crate::decide::default_queue;

/// An answer to "why did it go there?", for people (`summary`) and programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    pub conversation: postroom_model::ConversationId,
    pub status: Status,
    pub queue: Option<QueueId>,
    pub assignee: Option<AgentId>,
    /// One sentence for each step, in the order in which it went.
    pub summary: Vec<String>,
    pub rules: Vec<TriedRule>,
    pub route: RuleTrace,
    pub assignment: Option<Reason>,
    /// The agents of its queue as they stand now.
    pub agents: Vec<Considered>,
    /// What has to happen before it goes on; none if somebody has it or it is done.
    pub waits_for: Option<String>,
    /// When time alone brings something, if that is known: an offer ends, a snooze, a step of a ladder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who is asked whether they take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offered>,
    /// Who declined it not long ago, and until when they are not asked again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub declined: Vec<Declined>,
    /// The agent for whom it waits for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    /// How far up the ladder of its queue it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub climbed: Option<Climbed>,
    pub waiting_since: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TriedRule {
    pub number: u32,
    pub when: String,
    /// `matched`, `no_match`, `failed` or `not_tried`.
    pub result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Considered {
    pub agent: AgentId,
    pub name: String,
    pub status: AgentStatus,
    pub load: u32,
    pub capacity: u32,
    /// Why the agent cannot take it now; none if they can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed_over: Option<PassedOverCause>,
}

/// The agents as they stand now.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    pub presences: &'a [Presence],
    /// How many of the conversation's kind each of them holds or is asked to take, of those who may
    /// hold only so many.
    pub held: &'a BTreeMap<AgentId, u32>,
}

/// Explains one conversation from its row, the settings in force and the agents.
pub fn explain(
    conversation: &Conversation,
    settings: &Settings,
    desk: Desk<'_>,
    now: Timestamp,
) -> Explanation {
    let agents = considered(conversation, settings, desk, now);
    let waits_for = waits_for(conversation, settings, &agents);
    let failed = conversation.route.failed.iter();
    let mut summary: Vec<String> = failed
        .map(|(number, error)| match number {
            0 => format!("The rules could not be tried: {error}."),
            _ => format!("Rule {number} failed and was skipped: {error}."),
        })
        .collect();
    summary.extend(call_words(conversation, settings));
    summary.push(routed_words(conversation, settings));
    summary.extend(told_words(&conversation.route));
    summary.extend(moved_words(conversation, settings));
    summary.extend(climbed_words(conversation));
    summary.extend(skipped_words(conversation));
    summary.extend(conversation.kept.as_ref().map(|kept| {
        let (agent, until) = (&kept.agent, kept.until);
        format!("It waits for {agent}, who had the customer last, until {until}; then for all.")
    }));
    summary.extend(next_step_words(conversation, settings));
    summary.extend(assignment(conversation).map(reason_words));
    summary.extend(waits_for.clone().map(|what| match conversation.waiting_since {
        Some(since) => {
            format!("The customer has waited for {}; {what}.", duration(now.since(since)))
        }
        None => format!("It waits: {what}."),
    }));
    Explanation {
        conversation: conversation.id,
        status: conversation.status,
        queue: conversation.queue.clone(),
        assignee: conversation.assignee.clone(),
        summary,
        rules: tried(conversation, settings),
        route: conversation.route.clone(),
        assignment: conversation.assignment.clone(),
        agents,
        waits_for,
        until: until(conversation, settings),
        offer: conversation.offer.clone(),
        declined: conversation.declined.clone(),
        kept: conversation.kept.clone(),
        climbed: conversation.climbed.clone(),
        waiting_since: conversation.waiting_since,
    }
}

/// What a phone channel makes of a call stands in its settings.
fn call_words(conversation: &Conversation, settings: &Settings) -> Option<String> {
    let calls = settings.channel(&conversation.channel)?.calls?;
    let subject = conversation.subject.as_deref().unwrap_or("Call");
    let mut words = format!("A call opened it: {subject}.");
    if calls.resolve {
        words.push_str(" An answered call with the same number resolves it.");
    }
    Some(words)
}

/// The rules in force, if they are the ones that were tried; else only the one that matched.
fn tried(conversation: &Conversation, settings: &Settings) -> Vec<TriedRule> {
    let route = &conversation.route;
    if route.config != settings.short_hash() {
        let matched = route.matched.zip(route.when.clone());
        let rule = |(number, when)| TriedRule { number, when, result: "matched", error: None };
        return matched.map(rule).into_iter().collect();
    }
    let numbered = settings.rules.iter().zip(1..);
    numbered
        .map(|(rule, number)| {
            let failed = route.failed.iter().find(|(failed, _)| *failed == number);
            let result = match failed {
                Some(_) => "failed",
                None if route.matched == Some(number) => "matched",
                None if number <= route.tried => "no_match",
                None => "not_tried",
            };
            let error = failed.map(|(_, error)| error.clone());
            TriedRule { number, when: rule.when.clone(), result, error }
        })
        .collect()
}

/// Why it has its owner, or why it lost the last one. That somebody was chosen to be asked gives it to
/// nobody.
fn assignment(conversation: &Conversation) -> Option<&Reason> {
    let chosen = |reason: &&Reason| {
        matches!(
            reason,
            Reason::LongestIdle { .. }
                | Reason::LeastLoaded { .. }
                | Reason::RoundRobin { .. }
                | Reason::KeptFor { .. }
        )
    };
    let reason = conversation.assignment.as_ref();
    reason.filter(|reason| conversation.assignee.is_some() || !chosen(reason))
}

/// The first moment at which something happens by itself.
fn until(conversation: &Conversation, settings: &Settings) -> Option<Timestamp> {
    let offer = conversation.offer.as_ref().map(|offer| offer.expires_at);
    let kept = conversation.kept.as_ref().map(|kept| kept.until);
    let step = next_step(conversation, settings).map(|(_, at)| at);
    let again = conversation.declined.iter().map(|declined| declined.again_at).min();
    [conversation.snoozed_until, offer, kept, step, again].into_iter().flatten().min()
}

fn considered(
    conversation: &Conversation,
    settings: &Settings,
    desk: Desk<'_>,
    now: Timestamp,
) -> Vec<Considered> {
    let Some(queue) = &conversation.queue else {
        return vec![];
    };
    let mut climbed = conversation.climbed.clone().unwrap_or_default();
    if let Some(kept) = &conversation.kept {
        climbed.agents = vec![kept.agent.clone()];
    }
    // Where nobody of those who are named is configured any more, it is as if nobody were named.
    let named = climbed.agents.iter().any(|id| settings.agent(id).is_some());
    let serving = settings.agents.iter().filter(|agent| {
        if named {
            return climbed.agents.contains(&agent.id);
        }
        let known = climbed.queues.iter().filter(|queue| settings.queue(queue).is_some());
        known.chain([queue]).any(|queue| agent.queues.contains(queue))
    });
    serving
        .map(|agent| {
            let presence = desk.presences.iter().find(|presence| presence.agent == agent.id);
            let status = presence.map(|presence| presence.status).unwrap_or_default();
            let load = presence.map_or(0, |presence| presence.load);
            let offers = presence.map(|presence| presence.offers.as_slice()).unwrap_or_default();
            let asked = offers.iter().filter(|offer| offer.conversation != conversation.id);
            let reserved: u32 = asked.map(|offer| u32::from(offer.cost)).sum();
            let free = agent.capacity.saturating_sub(load.saturating_add(reserved));
            let pause = presence.and_then(|presence| presence.pause);
            let pause = pause.filter(|pause| pause.until > now);
            let lacking = conversation.skills.iter().find_map(|(skill, level)| {
                let has = agent.skills.get(skill).copied().unwrap_or(0);
                let cause = PassedOverCause::Skill { skill: skill.clone(), needed: *level, has };
                (has < *level).then_some(cause)
            });
            let cost = conversation.cost;
            let passed_over = if status != AgentStatus::Online {
                Some(PassedOverCause::Unavailable { status })
            } else if lacking.is_some() {
                lacking
            } else if let Some(Pause { until, cause }) = pause {
                Some(PassedOverCause::Paused { until, pause: cause })
            } else if free < u32::from(cost) {
                Some(PassedOverCause::Capacity { free, cost })
            } else {
                limited(conversation, settings, agent, desk)
                    .or_else(|| declined(conversation, &agent.id, now))
            };
            Considered {
                agent: agent.id.clone(),
                name: agent.name.clone(),
                status,
                load,
                capacity: agent.capacity,
                passed_over,
            }
        })
        .collect()
}

/// Holds as many of its kind as they may.
fn limited(
    conversation: &Conversation,
    settings: &Settings,
    agent: &AgentSettings,
    desk: Desk<'_>,
) -> Option<PassedOverCause> {
    let kind = settings.channel(&conversation.channel)?.kind;
    let most = *agent.limits.get(&kind)?;
    let held = desk.held.get(&agent.id).copied().unwrap_or(0);
    (held >= most).then_some(PassedOverCause::Limit { kind, most })
}

fn declined(
    conversation: &Conversation,
    agent: &AgentId,
    now: Timestamp,
) -> Option<PassedOverCause> {
    let mut declined = conversation.declined.iter();
    let still = declined.any(|declined| declined.agent == *agent && declined.again_at > now);
    still.then_some(PassedOverCause::Declined)
}

fn waits_for(
    conversation: &Conversation,
    settings: &Settings,
    agents: &[Considered],
) -> Option<String> {
    let queue = conversation.queue.as_ref().and_then(|id| settings.queue(id));
    let hand_out = queue.map(|queue| queue.work.hand_out).unwrap_or_default();
    match conversation.status {
        Status::Resolved => None,
        Status::Snoozed => {
            let until = conversation.snoozed_until.map(|at| at.to_string());
            Some(format!("it is snoozed until {}", until.unwrap_or_default()))
        }
        Status::Pending => Some("the customer has the next word".to_owned()),
        Status::Open if conversation.assignee.is_some() => None,
        Status::Open if agents.is_empty() => Some("no agent serves the queue".to_owned()),
        Status::Open if let Some(offer) = &conversation.offer => {
            let asked: Vec<&str> = offer.agents.iter().map(AgentId::as_str).collect();
            let (asked, until) = (asked.join(", "), offer.expires_at);
            Some(format!("it is offered to {asked} until {until}; whoever accepts first has it"))
        }
        Status::Open if hand_out == HandOut::Pull => {
            Some("somebody who serves the queue has to claim it".to_owned())
        }
        Status::Open => {
            let count = |wanted: fn(&PassedOverCause) -> bool| {
                agents.iter().filter(|agent| agent.passed_over.as_ref().is_some_and(wanted)).count()
            };
            let away = count(|cause| matches!(cause, PassedOverCause::Unavailable { .. }));
            let skill = count(|cause| matches!(cause, PassedOverCause::Skill { .. }));
            let full = count(|cause| matches!(cause, PassedOverCause::Capacity { .. }));
            let paused = count(|cause| matches!(cause, PassedOverCause::Paused { .. }));
            let limited = count(|cause| matches!(cause, PassedOverCause::Limit { .. }));
            let declined = count(|cause| matches!(cause, PassedOverCause::Declined));
            let more = [
                (paused, "pausing"),
                (limited, "with as many of its kind as they may have"),
                (declined, "who declined it"),
            ];
            let more: Vec<String> = more
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!(", {count} {what}"))
                .collect();
            let more = more.concat();
            Some(format!(
                "it needs an agent of the queue who is online, has the skills and has room \
                 ({away} not online, {skill} without a skill, {full} without room{more})"
            ))
        }
    }
}

fn routed_words(conversation: &Conversation, settings: &Settings) -> String {
    let id = conversation.queue.as_ref();
    let named = id.and_then(|id| settings.queue(id)).map(|queue| queue.name.clone());
    let queue = named.or(id.map(ToString::to_string)).unwrap_or_else(|| "no queue".to_owned());
    match (&conversation.route.matched, &conversation.route.when) {
        (Some(number), Some(when)) => {
            format!("Rule {number} matched: {when}. It is in {queue}.")
        }
        _ if conversation.route.tried == 0 => {
            format!("There were no rules to try. It is in {queue}.")
        }
        _ => format!(
            "None of {} rules matched, so the channel's queue or the default was taken. \
             It is in {queue}.",
            conversation.route.tried
        ),
    }
}

/// What the rules went by beside the message.
fn told_words(route: &RuleTrace) -> Option<String> {
    let told = route.told.iter().map(|(name, value)| match value.as_str() {
        "" => format!("no {name}"),
        _ => format!("{name} {value}"),
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("The rules were told: {}.", told.join(", ")))
}

/// That it lies elsewhere than the rules had put it, by hand or by a ladder, where the rules of that
/// time are still known.
fn moved_words(conversation: &Conversation, settings: &Settings) -> Option<String> {
    let route = &conversation.route;
    if route.config != settings.short_hash() {
        return None;
    }
    let rule = route.matched.and_then(|number| usize::try_from(number).ok()?.checked_sub(1));
    let chosen = rule.and_then(|index| settings.rules.get(index)?.queue.clone());
    let channel = || settings.channel(&conversation.channel)?.queue.clone();
    // The first queue is the default.
    let first = || settings.queues.first().map(|queue| queue.id.clone());
    let chosen = chosen.or_else(channel).or_else(first).unwrap_or_else(default_queue);
    if conversation.queue.as_ref() == Some(&chosen) {
        return None;
    }
    let name = settings.queue(&chosen).map_or(chosen.to_string(), |queue| queue.name.clone());
    Some(format!("It was moved there since; the rules had put it into {name}."))
}

/// What the ladder has done for it so far.
fn climbed_words(conversation: &Conversation) -> Option<String> {
    let climbed = conversation.climbed.as_ref()?;
    let agents: Vec<&str> = climbed.agents.iter().map(AgentId::as_str).collect();
    let queues: Vec<&str> = climbed.queues.iter().map(QueueId::as_str).collect();
    let whom = if !agents.is_empty() {
        format!("; for now only {} get it", agents.join(", "))
    } else if !queues.is_empty() {
        format!("; the agents of {} get it as well", queues.join(", "))
    } else {
        String::new()
    };
    let steps = match climbed.step {
        // It has just come from another queue, whose ladder had widened it.
        0 => return Some(format!("It came here by a ladder{whom}.")),
        1 => "1 step".to_owned(),
        steps => format!("{steps} steps"),
    };
    Some(format!("It took {steps} of its queue's ladder{whom}."))
}

/// The steps of the ladder that were passed at once, and why.
fn skipped_words(conversation: &Conversation) -> Vec<String> {
    let climbed = conversation.climbed.iter();
    let skips = climbed.flat_map(|climbed| &climbed.skips);
    skips
        .map(|skip| {
            let agents: Vec<&str> = skip.agents.iter().map(AgentId::as_str).collect();
            let queues: Vec<&str> = skip.queues.iter().map(QueueId::as_str).collect();
            let whom = match (agents.is_empty(), queues.is_empty()) {
                (false, _) => format!("of {}", agents.join(", ")),
                (true, true) => "of its queue".to_owned(),
                (true, false) => format!("of its queue and {}", queues.join(", ")),
            };
            format!("Step {} was skipped: nobody {whom} was online.", skip.step)
        })
        .collect()
}

/// When the next step comes, while it waits.
fn next_step_words(conversation: &Conversation, settings: &Settings) -> Option<String> {
    let (step, at) = next_step(conversation, settings)?;
    Some(format!("Step {step} of its queue's ladder comes at {at}."))
}

fn next_step(conversation: &Conversation, settings: &Settings) -> Option<(usize, Timestamp)> {
    let waits = conversation.status == Status::Open && conversation.assignee.is_none();
    let since = conversation.waiting_since.filter(|_| waits)?;
    let timing = settings.timing.queues.get(conversation.queue.as_ref()?)?;
    let taken = conversation.climbed.as_ref().map_or(0, |climbed| usize::from(climbed.step));
    let next = timing.ladder.get(taken)?;
    let calendar = timing.calendar.as_ref().filter(|_| next.clock == LadderClock::Calendar);
    let calendar = calendar.and_then(|id| settings.calendars.iter().find(|one| one.id == *id));
    let at = match calendar.and_then(|calendar| Calendar::new(calendar).ok()) {
        Some(calendar) => calendar.open_after(since, next.after_ms)?,
        None => since.plus_millis(next.after_ms),
    };
    Some((taken + 1, at))
}

fn reason_words(reason: &Reason) -> String {
    match reason {
        Reason::LongestIdle { queue, passed_over } => {
            chosen_words("the longest idle agent", queue, passed_over)
        }
        Reason::LeastLoaded { queue, passed_over } => {
            chosen_words("the least loaded agent", queue, passed_over)
        }
        Reason::RoundRobin { queue, passed_over } => {
            chosen_words("the next agent in turn", queue, passed_over)
        }
        Reason::Accepted { by } => format!("It was offered, and {} accepted.", by.name),
        Reason::TakenOver { from, choose } => {
            let whom = match choose {
                AgentChoice::LongestIdle => "who was idle longest",
                AgentChoice::LeastLoaded => "who had the least to do",
                AgentChoice::RoundRobin => "who was next in turn",
            };
            format!("{from} went offline, and of those who could take it, it went to {whom}.")
        }
        Reason::KeptFor { queue } => {
            format!("Its customer came back, so it waited in {queue} for who had them last.")
        }
        Reason::OwnerOffline { agent } => format!("{agent} went offline, so it went back."),
        Reason::Claimed { by } => format!("{} claimed it.", by.name),
        Reason::Assigned { by } => format!("{} assigned it.", by.name),
        Reason::FirstReply { by } => format!("{} answered first and so has it.", by.name),
        Reason::Released { by } => format!("{} gave it back.", by.name),
        Reason::Returned => "It came back to the agent who had snoozed it.".to_owned(),
        Reason::OwnerAway { agent } => format!("{agent} went away and gave it back."),
        Reason::OwnerGone { agent } => format!("{agent} is no longer configured."),
        Reason::Transferred { by } => format!("{} moved it to another queue.", by.name),
        Reason::OwnerKept => {
            "It was opened again and went back to the agent who had it.".to_owned()
        }
        Reason::Escalated { step } => {
            format!("It waited for long, and step {step} of its queue's ladder moved it.")
        }
        Reason::QueueGone { queue } => format!("The queue {queue} is no longer configured."),
        Reason::CustomerWrote => "The customer wrote again.".to_owned(),
        Reason::CustomerCalled => "The customer called and nobody answered.".to_owned(),
        Reason::CallAnswered => "A call with the customer's number was answered.".to_owned(),
        Reason::SnoozeOver => "Its time to wake came.".to_owned(),
        Reason::Asked { by } => format!("{} asked for it.", by.name),
    }
}

/// Who was chosen, and why the others were not.
fn chosen_words(whom: &str, queue: &QueueId, passed_over: &[PassedOver]) -> String {
    let mut words = format!("It went to {whom} of {queue} who could take it");
    let preferred: BTreeMap<&str, u8> = passed_over
        .iter()
        .filter_map(|other| match &other.cause {
            PassedOverCause::Preferred { skill, wanted, .. } => Some((skill.as_str(), *wanted)),
            _ => None,
        })
        .collect();
    let preferred: Vec<_> =
        preferred.iter().map(|(skill, level)| format!("{skill} {level}")).collect();
    if !preferred.is_empty() {
        words.push_str(" and has what is preferred, ");
        words.push_str(&preferred.join(" and "));
    }
    for (index, other) in passed_over.iter().enumerate() {
        words.push_str(if index == 0 { "; passed over: " } else { ", " });
        words.push_str(other.agent.as_str());
        words.push_str(" (");
        words.push_str(&cause_words(&other.cause));
        words.push(')');
    }
    words.push('.');
    words
}

const fn kind_word(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Email => "email",
        ChannelKind::Imap => "imap",
        ChannelKind::Webhook => "webhook",
        ChannelKind::Phone => "phone",
        ChannelKind::External => "external",
    }
}

/// Why an agent was passed over, in a few words.
pub fn cause_words(cause: &PassedOverCause) -> String {
    match cause {
        PassedOverCause::Unavailable { status } => match status {
            AgentStatus::Online => "not available".to_owned(),
            AgentStatus::Away | AgentStatus::AwayAndReassign => "away".to_owned(),
            AgentStatus::Offline => "offline".to_owned(),
            AgentStatus::NotResponding => "did not answer an offer".to_owned(),
        },
        PassedOverCause::Skill { skill, needed, has } => {
            format!("{skill} {has}, needs {needed}")
        }
        PassedOverCause::Capacity { free, cost } => format!("room for {free}, needs {cost}"),
        PassedOverCause::LessIdle => "idle for a shorter time".to_owned(),
        PassedOverCause::LaterTurn => "not their turn yet".to_owned(),
        PassedOverCause::Preferred { skill, wanted, has } => {
            format!("{skill} {has}, {wanted} preferred")
        }
        PassedOverCause::Paused { until, pause } => match pause {
            PauseCause::WrapUp => format!("finishing the last one until {until}"),
            PauseCause::RampIn => format!("just came online, next portion at {until}"),
        },
        PassedOverCause::Limit { kind, most } => {
            format!("holds {most} of {}, the most that they may", kind_word(*kind))
        }
        PassedOverCause::Declined => "declined it a moment ago".to_owned(),
    }
}

/// A length of time in its two largest units.
fn duration(millis: i64) -> String {
    let seconds = millis.max(0) / 1_000;
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
