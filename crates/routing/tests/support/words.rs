//! What happened, in a few words for a table.

use std::collections::BTreeMap;

use postroom_model::{
    CallRecorded, ConversationId, Event, EventBody, Freed, Opened, OutcomeKind, Reason, SendResult,
    Target, TargetKind, TargetState, Timestamp, Transition,
};

/// Names of conversations, as a script calls them.
pub(crate) type Names = BTreeMap<ConversationId, String>;

/// One line for a transition. `subject` is the conversation that the line is about anyway.
pub(crate) fn of(taken: &Transition, names: &Names, subject: Option<ConversationId>) -> String {
    let mut words = vec![];
    if let Some(outcome) = &taken.outcome {
        let detail = || {
            let (code, detail) = (outcome.code.as_deref(), outcome.detail.as_deref());
            format!("{} {}", code.unwrap_or(""), detail.unwrap_or(""))
        };
        match outcome.kind {
            OutcomeKind::Routed => {}
            OutcomeKind::Duplicate => words.push("duplicate".to_owned()),
            OutcomeKind::Parked => words.push(format!("parked {}", detail())),
            OutcomeKind::Rejected => words.push(detail()),
        }
    }
    let opened = |event: &Event| matches!(event.body, EventBody::ConversationOpened(_));
    let opens = taken.events.iter().any(opened);
    let events = taken.events.iter().filter_map(|event| {
        let said = match event.body {
            EventBody::MessageReceived { .. } if !opens => "received".to_owned(),
            EventBody::TargetsChanged { ref targets } => {
                format!("targets {}", self::targets(targets, taken.at))
            }
            _ => event_words(&event.body, names)?,
        };
        Some(match event.conversation {
            Some(id) if Some(id) != subject => format!("{} {said}", name(names, id)),
            _ => said,
        })
    });
    words.extend(events);
    if words.is_empty() {
        words.push("nothing".to_owned());
    }
    words.join(", ").trim().to_owned()
}

fn name(names: &Names, id: ConversationId) -> String {
    names.get(&id).cloned().unwrap_or_else(|| id.to_string())
}

fn freed(freed: Option<&Freed>) -> String {
    freed.map(|freed| format!(" freeing {}", freed.agent)).unwrap_or_default()
}

#[expect(clippy::too_many_lines, reason = "one arm for each of what there is")]
fn event_words(body: &EventBody, names: &Names) -> Option<String> {
    if let Some(words) = desk_words(body) {
        return Some(words);
    }
    Some(match body {
        EventBody::ConfigInstalled { .. } => "installed".to_owned(),
        EventBody::ContactServed { .. }
        | EventBody::ContactCreated { .. }
        | EventBody::TargetsChanged { .. }
        | EventBody::MessageReceived { .. }
        | EventBody::InputParked { .. } => return None,
        EventBody::CursorMoved(cursor) => format!("read to {}", cursor.value),
        EventBody::CallRecorded(recorded) => call_words(recorded),
        EventBody::CallLeg(heard) => format!("heard of {}", heard.leg.leg_id),
        EventBody::ContactUpdated { name, addresses, .. } => {
            let name = name.as_deref().map(|name| format!(" name {name}")).unwrap_or_default();
            let added = each(" +", addresses);
            format!("contact{name}{added}")
        }
        EventBody::ContactMerged { name, addresses, .. } => {
            let name = name.as_deref().map(|name| format!(" name {name}")).unwrap_or_default();
            format!("joined{name}{}", each(" +", addresses))
        }
        EventBody::AddressDied { address, .. } => format!("dead {address}"),
        EventBody::AddressRevived { address, .. } => format!("alive {address}"),
        EventBody::ConversationOpened(opened) => opened_words(opened),
        EventBody::ConversationReopened { opened, reason } => {
            format!("reopened {} ({})", opened.queue, why(reason))
        }
        EventBody::ConversationWoken { reason } => format!("woken ({})", why(reason)),
        EventBody::ConversationAssigned { agent, reason, .. } => match reason {
            Reason::LongestIdle { .. } | Reason::LeastLoaded { .. } | Reason::RoundRobin { .. } => {
                format!("assigned {agent}")
            }
            Reason::Accepted { .. } => format!("accepted by {agent}"),
            Reason::Returned => format!("returned to {agent}"),
            Reason::FirstReply { .. } => format!("first reply of {agent}"),
            Reason::Claimed { .. } => format!("claimed by {agent}"),
            Reason::KeptFor { .. } => format!("assigned {agent}"),
            other => format!("assigned {agent} ({})", why(other)),
        },
        EventBody::ConversationReleased { agent, reason, .. } => {
            format!("released {agent} ({})", why(reason))
        }
        EventBody::ConversationTransferred { queue, reached, reason } => {
            format!("moved to {queue}{} ({})", each(" with ", reached), why(reason))
        }
        EventBody::ConversationSnoozed { freed: owner, .. } => {
            format!("snoozed{}", freed(owner.as_ref()))
        }
        EventBody::ConversationResolved { freed: owner, .. } => {
            format!("resolved{}", freed(owner.as_ref()))
        }
        EventBody::ConversationTagged { added, removed, .. } => {
            let added = each(" +", added);
            let removed = each(" -", removed);
            format!("tagged{added}{removed}")
        }
        EventBody::ConversationJoined { .. } => "goes on here".to_owned(),
        EventBody::ConversationKept(kept) => format!("kept for {}", kept.agent),
        EventBody::ConversationUnkept => "for all".to_owned(),
        EventBody::LadderClimbed(climbed) => {
            let needs = climbed.skills.iter().map(|(skill, level)| format!("{skill} {level}"));
            [
                format!("step {}", climbed.step),
                each(" priority ", Some(climbed.priority).filter(|priority| *priority > 0)),
                each(" needs ", needs),
                each(" only ", &climbed.agents),
                each(" with ", &climbed.queues),
                each(" tells ", &climbed.notified),
                if climbed.skipped { " skipped".to_owned() } else { String::new() },
            ]
            .concat()
        }
        EventBody::TargetWarned { kind, .. } => format!("{} warned", kind_word(*kind)),
        EventBody::TargetBreached { kind, .. } => format!("{} breached", kind_word(*kind)),
        EventBody::ConversationPrioritised { priority, .. } => format!("priority {priority}"),
        EventBody::ConversationMerged { into, freed: owner, .. } => {
            format!("merged into {}{}", name(names, *into), freed(owner.as_ref()))
        }
        EventBody::ConversationAbsorbed { from, further, renamed, subject, .. } => {
            let further = each(" with ", further.iter().map(|one| name(names, *one)));
            let about = each(" about ", renamed.then(|| subject.as_deref().unwrap_or("nothing")));
            format!("absorbed {}{further}{about}", name(names, *from))
        }
        EventBody::NoteAdded { .. } => "noted".to_owned(),
        EventBody::ReplyQueued { channel, .. } => format!("queued for {channel}"),
        EventBody::DeliveryOwned { channel, epoch, .. } => {
            format!("{channel} owned, epoch {epoch}")
        }
        EventBody::DeliveryPresent { asks, .. } => {
            if *asks { "who is there?" } else { "here" }.to_owned()
        }
        EventBody::DeliveryAttempted { attempt, .. } => format!("attempt {attempt}"),
        EventBody::DeliverySettled { result, .. } => match result {
            SendResult::Sent { .. } => "sent".to_owned(),
            SendResult::Retry { .. } => "waiting".to_owned(),
            SendResult::Failed { code, .. } => format!("failed {code}"),
            SendResult::Uncertain { code, .. } => format!("uncertain {code}"),
        },
        EventBody::DeliveryRequeued { .. } => "queued again".to_owned(),
        EventBody::ReceiptRecorded { status, .. } => {
            format!("receipt {}", format!("{status:?}").to_lowercase())
        }
        EventBody::AgentStatusChanged { agent, status, .. } => {
            format!("{agent} {}", serde_json::json!(status).as_str().unwrap_or(""))
        }
        EventBody::InputUnparked { dropped: true, .. } => "dropped".to_owned(),
        EventBody::InputUnparked { .. } => "unparked".to_owned(),
        _ => return None,
    })
}

/// What happens at the desk.
fn desk_words(body: &EventBody) -> Option<String> {
    Some(match body {
        EventBody::OfferMade(made) => format!("offered to{}", each(" ", &made.agents)),
        EventBody::OfferExtended(made) => format!("now offered to{}", each(" ", &made.agents)),
        EventBody::OfferClosed(closed) => {
            let cause = serde_json::json!(closed.cause);
            format!("offer {}{}", cause.as_str().unwrap_or(""), each(" ", &closed.agents))
        }
        EventBody::OfferForgotten { agent } => format!("may be offered to {agent} again"),
        EventBody::ConversationIdled { agent, cost } => format!("idle, frees {cost} of {agent}"),
        EventBody::ConversationRoused { agent, cost } => format!("takes {cost} of {agent} again"),
        EventBody::AgentPaused { agent, pause } => {
            let cause = serde_json::json!(pause.cause);
            format!("{agent} pauses ({})", cause.as_str().unwrap_or(""))
        }
        EventBody::AgentReady { agent } => format!("{agent} ready"),
        EventBody::AgentsSeen { agents } => format!("seen{}", each(" ", agents)),
        _ => return None,
    })
}

fn kind_word(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::FirstResponse => "first",
        TargetKind::NextResponse => "next",
        TargetKind::Resolution => "resolution",
    }
}

/// Each with the seconds to go, or those that are left while it is paused.
pub(crate) fn targets(targets: &[Target], at: Timestamp) -> String {
    let words = targets.iter().map(|target| {
        let kind = kind_word(target.kind);
        let due = target.due_at.since(at) / 1_000;
        match target.state {
            TargetState::Running => format!("{kind} in {due}"),
            TargetState::Warned => format!("{kind} soon in {due}"),
            TargetState::Paused => {
                format!("{kind} paused with {}", target.left_ms.unwrap_or(0) / 1_000)
            }
            TargetState::Met => format!("{kind} met"),
            TargetState::Breached if target.met_at.is_some() => format!("{kind} late"),
            TargetState::Breached => format!("{kind} breached"),
            TargetState::Dropped => format!("{kind} dropped"),
        }
    });
    words.collect::<Vec<_>>().join(" & ")
}

fn call_words(recorded: &CallRecorded) -> String {
    let call = &recorded.call;
    let word = |value: serde_json::Value| value.as_str().unwrap_or("").to_owned();
    let state = word(serde_json::json!(call.state));
    let how = call.disposition.map(|how| format!(" {}", word(serde_json::json!(how))));
    let waits = if recorded.waits { ", waits" } else { "" };
    let presumed = if recorded.presumed_end { ", no end came" } else { "" };
    format!("call {state}{}{waits}{presumed}", how.unwrap_or_default())
}

fn opened_words(opened: &Opened) -> String {
    let skills = opened.skills.iter().map(|(skill, level)| format!("{skill} {level}"));
    let failed = &opened.route.failed;
    let failed = failed.iter().map(|(rule, why)| format!("(rule {rule} failed: {why})"));
    [
        format!("opened {}", opened.queue),
        each(" priority ", Some(opened.priority).filter(|priority| *priority > 0)),
        each(" needs ", skills),
        each(" #", &opened.tags),
        each(" by rule ", opened.route.matched),
        each(" ", failed),
    ]
    .concat()
}

/// All of them in a row, each after the same sign.
pub(crate) fn each(sign: &str, all: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let all: Vec<String> = all.into_iter().map(|one| format!("{sign}{one}")).collect();
    all.concat()
}

fn why(reason: &Reason) -> String {
    match reason {
        Reason::LongestIdle { .. } => "longest idle".to_owned(),
        Reason::LeastLoaded { .. } => "least loaded".to_owned(),
        Reason::RoundRobin { .. } => "in turn".to_owned(),
        Reason::Accepted { by } => format!("accepted by {}", by.name),
        Reason::TakenOver { from, .. } => format!("taken over from {from}"),
        Reason::KeptFor { .. } => "kept for them".to_owned(),
        Reason::OwnerOffline { .. } => "offline".to_owned(),
        Reason::Claimed { by } => format!("claimed by {}", by.name),
        Reason::Returned => "returned".to_owned(),
        Reason::Assigned { by } => format!("by {}", by.name),
        Reason::FirstReply { .. } => "first reply".to_owned(),
        Reason::Released { by } => format!("by {}", by.name),
        Reason::OwnerAway { .. } => "away".to_owned(),
        Reason::OwnerGone { .. } => "gone".to_owned(),
        Reason::Transferred { by } => format!("by {}", by.name),
        Reason::OwnerKept => "kept".to_owned(),
        Reason::Escalated { step } => format!("step {step}"),
        Reason::QueueGone { queue } => format!("{queue} is gone"),
        Reason::CustomerWrote => "customer".to_owned(),
        Reason::CustomerCalled => "called".to_owned(),
        Reason::CallAnswered => "call answered".to_owned(),
        Reason::SnoozeOver => "time".to_owned(),
        Reason::Asked { by } => format!("by {}", by.name),
    }
}
