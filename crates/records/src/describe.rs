//! An event as people and programs read it: the entry of a timeline and of the event feed.
//!
//! What is written here leaves the house. It never holds the content of settings or of inputs that
//! were set aside, only their names.

use postroom_model::{
    Actor, AgentId, Bodies, Climbed, DeliveryState, Event, EventBody, Freed, Opened, Reason,
    SendResult, Target, TargetKind, Timestamp,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::fold::whole;
use crate::{DeliveryNote, TimelineItem};

/// The entry for an event of any type; its conversation is none where the event is about none.
/// `bodies` are those of the event's envelope.
pub fn describe(position: u64, at: Timestamp, event: &Event, bodies: &Bodies) -> TimelineItem {
    let mut item = TimelineItem {
        position,
        conversation: event.conversation,
        at,
        kind: event_type(&event.body).to_owned(),
        id: None,
        message: None,
        call: None,
        text: None,
        by: None,
        reason: None,
        delivery: None,
        details: Map::new(),
    };
    if !words(&mut item, &event.body, bodies)
        && !ownership(&mut item, &event.body)
        && !offers(&mut item, &event.body)
        && !state(&mut item, &event.body)
        && !sending(&mut item, &event.body)
    {
        workspace(&mut item, &event.body);
    }
    if item.by.is_none() {
        item.by = item.reason.as_ref().and_then(by_of).cloned();
    }
    item
}

/// The event's type as it stands in the ledger, such as `message.received`. Names every type, so that
/// a new one does not compile before somebody has thought of what it means for the rows.
pub fn event_type(body: &EventBody) -> &'static str {
    match body {
        EventBody::ConfigInstalled { .. } => "config.installed",
        EventBody::ContactCreated { .. } => "contact.created",
        EventBody::ContactUpdated { .. } => "contact.updated",
        EventBody::ContactMerged { .. } => "contact.merged",
        EventBody::ContactServed { .. } => "contact.served",
        EventBody::AddressDied { .. } => "contact.address_died",
        EventBody::AddressRevived { .. } => "contact.address_revived",
        EventBody::ConversationOpened(_) => "conversation.opened",
        EventBody::ConversationReopened { .. } => "conversation.reopened",
        EventBody::ConversationWoken { .. } => "conversation.woken",
        EventBody::ConversationAssigned { .. } => "conversation.assigned",
        EventBody::ConversationReleased { .. } => "conversation.released",
        EventBody::ConversationTransferred { .. } => "conversation.transferred",
        EventBody::ConversationSnoozed { .. } => "conversation.snoozed",
        EventBody::ConversationResolved { .. } => "conversation.resolved",
        EventBody::ConversationTagged { .. } => "conversation.tagged",
        EventBody::ConversationPrioritised { .. } => "conversation.prioritised",
        EventBody::ConversationMerged { .. } => "conversation.merged",
        EventBody::ConversationAbsorbed { .. } => "conversation.absorbed",
        EventBody::ConversationKept(_) => "conversation.kept",
        EventBody::ConversationUnkept => "conversation.unkept",
        EventBody::ConversationJoined { .. } => "conversation.joined",
        EventBody::LadderClimbed(_) => "ladder.climbed",
        EventBody::OfferMade(_) => "offer.made",
        EventBody::OfferExtended(_) => "offer.extended",
        EventBody::OfferClosed(_) => "offer.closed",
        EventBody::OfferForgotten { .. } => "offer.forgotten",
        EventBody::ConversationIdled { .. } => "conversation.idled",
        EventBody::ConversationRoused { .. } => "conversation.roused",
        EventBody::TargetsChanged { .. } => "targets.changed",
        EventBody::TargetWarned { .. } => "target.warned",
        EventBody::TargetBreached { .. } => "target.breached",
        EventBody::MessageReceived { .. } => "message.received",
        EventBody::CallRecorded(_) => "call.recorded",
        EventBody::CallLeg(_) => "call.leg",
        EventBody::NoteAdded { .. } => "note.added",
        EventBody::ReplyQueued { .. } => "reply.queued",
        EventBody::DeliveryOwned { .. } => "delivery.owned",
        EventBody::DeliveryPresent { .. } => "delivery.present",
        EventBody::DeliveryAttempted { .. } => "delivery.attempted",
        EventBody::DeliverySettled { .. } => "delivery.settled",
        EventBody::DeliveryRequeued { .. } => "delivery.requeued",
        EventBody::ReceiptRecorded { .. } => "receipt.recorded",
        EventBody::AgentStatusChanged { .. } => "agent.status_changed",
        EventBody::AgentPaused { .. } => "agent.paused",
        EventBody::AgentReady { .. } => "agent.ready",
        EventBody::AgentsSeen { .. } => "agents.seen",
        EventBody::CursorMoved(_) => "cursor.moved",
        EventBody::InputParked { .. } => "input.parked",
        EventBody::InputUnparked { .. } => "input.unparked",
    }
}

/// Who is behind a reason, if an agent or a program is.
fn by_of(reason: &Reason) -> Option<&Actor> {
    match reason {
        Reason::Accepted { by }
        | Reason::Claimed { by }
        | Reason::Assigned { by }
        | Reason::FirstReply { by }
        | Reason::Released { by }
        | Reason::Transferred { by }
        | Reason::Asked { by } => Some(by),
        Reason::LongestIdle { .. }
        | Reason::LeastLoaded { .. }
        | Reason::RoundRobin { .. }
        | Reason::KeptFor { .. }
        | Reason::TakenOver { .. }
        | Reason::OwnerOffline { .. }
        | Reason::Returned
        | Reason::OwnerAway { .. }
        | Reason::OwnerGone { .. }
        | Reason::OwnerKept
        | Reason::Escalated { .. }
        | Reason::QueueGone { .. }
        | Reason::CustomerWrote
        | Reason::CustomerCalled
        | Reason::CallAnswered
        | Reason::SnoozeOver => None,
    }
}

/// Sets a detail; what cannot be written as JSON, which nothing here is, would be left out.
fn set(item: &mut TimelineItem, name: &str, value: impl Serialize) {
    if let Ok(value) = serde_json::to_value(value)
        && value != Value::Null
    {
        item.details.insert(name.to_owned(), value);
    }
}

/// Messages and notes. False if the event is none.
fn words(item: &mut TimelineItem, body: &EventBody, bodies: &Bodies) -> bool {
    match body {
        EventBody::MessageReceived { id, contact, message, mail } => {
            item.id = Some(id.0);
            item.message = Some(Box::new(whole(message, id.0, bodies)));
            set(item, "contact", contact);
            set(item, "quiet", mail.as_ref().filter(|mail| mail.quiet).map(|_| true));
        }
        EventBody::CallRecorded(recorded) => {
            item.id = Some(recorded.id.0);
            item.call = Some(Box::new(recorded.call.clone()));
            item.by.clone_from(&recorded.by);
            set(item, "channel", &recorded.channel);
            set(item, "contact", recorded.contact);
            set(item, "waits", recorded.waits.then_some(true));
            set(item, "presumed_end", recorded.presumed_end.then_some(true));
        }
        EventBody::NoteAdded { id, by } => {
            item.id = Some(id.0);
            item.text = bodies.get(&id.0).and_then(|body| body.text.clone());
            item.by = Some(by.clone());
        }
        EventBody::ReplyQueued { id, channel, by, message } => {
            item.id = Some(id.0);
            item.message = Some(Box::new(whole(message, id.0, bodies)));
            item.by = Some(by.clone());
            item.delivery = Some(DeliveryNote {
                state: DeliveryState::Queued,
                attempts: 0,
                updated_at: item.at,
                code: None,
                detail: None,
                next_at: None,
            });
            set(item, "channel", channel);
        }
        _ => return false,
    }
    true
}

/// Where a conversation stands and who has it. False if the event says nothing of that.
fn ownership(item: &mut TimelineItem, body: &EventBody) -> bool {
    match body {
        EventBody::ConversationOpened(opened) => set_opened(item, opened),
        EventBody::ConversationReopened { opened, reason } => {
            item.reason = Some(reason.clone());
            set_opened(item, opened);
        }
        EventBody::ConversationAssigned { agent, cost, reason }
        | EventBody::ConversationReleased { agent, cost, reason } => {
            item.reason = Some(reason.clone());
            set(item, "agent", agent);
            set(item, "cost", cost);
        }
        EventBody::ConversationWoken { reason } => item.reason = Some(reason.clone()),
        EventBody::ConversationTransferred { queue, reached, reason } => {
            item.reason = Some(reason.clone());
            set(item, "queue", queue);
            set(item, "queues", Some(reached).filter(|queues| !queues.is_empty()));
        }
        _ => return false,
    }
    true
}

/// Who is asked, and what they answered. False if the event is about something else.
fn offers(item: &mut TimelineItem, body: &EventBody) -> bool {
    match body {
        EventBody::OfferMade(made) | EventBody::OfferExtended(made) => {
            item.id = Some(made.offer.0);
            item.reason = Some(made.reason.clone());
            set(item, "queue", &made.queue);
            set(item, "agents", &made.agents);
            set(item, "cost", made.cost);
            set(item, "expires_at", made.expires_at);
        }
        EventBody::OfferClosed(closed) => {
            item.id = Some(closed.offer.0);
            item.by.clone_from(&closed.by);
            set(item, "agents", &closed.agents);
            set(item, "cause", closed.cause);
            set(item, "again_at", closed.again_at);
        }
        EventBody::OfferForgotten { agent } => set(item, "agent", agent),
        EventBody::ConversationIdled { agent, cost }
        | EventBody::ConversationRoused { agent, cost } => {
            set(item, "agent", agent);
            set(item, "cost", cost);
        }
        _ => return false,
    }
    true
}

fn set_opened(item: &mut TimelineItem, opened: &Opened) {
    set(item, "channel", &opened.channel);
    set(item, "thread", &opened.thread);
    set(item, "contact", opened.contact);
    set(item, "subject", &opened.subject);
    set(item, "linked", opened.linked);
    set(item, "queue", &opened.queue);
    set(item, "priority", opened.priority);
    set(item, "cost", opened.cost);
    set(item, "tags", &opened.tags);
    set(item, "rule", opened.route.matched);
    set(item, "when", &opened.route.when);
}

fn set_freed(item: &mut TimelineItem, freed: Option<&Freed>) {
    if let Some(freed) = freed {
        set(item, "agent", &freed.agent);
        set(item, "cost", freed.cost);
    }
}

/// What else happens to a conversation. False if the event is about something else.
fn state(item: &mut TimelineItem, body: &EventBody) -> bool {
    match body {
        EventBody::ConversationSnoozed { until, freed, reason } => {
            item.reason = Some(reason.clone());
            set(item, "until", until);
            set_freed(item, freed.as_ref());
        }
        EventBody::ConversationResolved { freed, reason } => {
            item.reason = Some(reason.clone());
            set_freed(item, freed.as_ref());
        }
        EventBody::ConversationTagged { added, removed, by } => {
            item.by = Some(by.clone());
            set(item, "added", added);
            set(item, "removed", removed);
        }
        EventBody::ConversationPrioritised { priority, by } => {
            item.by = Some(by.clone());
            set(item, "priority", priority);
        }
        EventBody::ConversationMerged { into, channel, thread, freed, by } => {
            item.by = Some(by.clone());
            set(item, "into", into);
            set(item, "channel", channel);
            set(item, "thread", thread);
            set_freed(item, freed.as_ref());
        }
        EventBody::ConversationAbsorbed { from, further, renamed, subject, by } => {
            item.by = Some(by.clone());
            if *renamed {
                set(item, "subject", subject.as_deref().unwrap_or_default());
            }
            set(item, "from", from);
            set(item, "further", Some(further).filter(|further| !further.is_empty()));
        }
        EventBody::ConversationJoined { channel, .. } => set(item, "channel", channel),
        EventBody::ConversationKept(kept) => {
            set(item, "agent", &kept.agent);
            set(item, "until", kept.until);
        }
        EventBody::ConversationUnkept => {}
        EventBody::LadderClimbed(climbed) => set_climbed(item, climbed),
        EventBody::TargetsChanged { targets } => set_targets(item, targets),
        EventBody::TargetWarned { kind, due_at } | EventBody::TargetBreached { kind, due_at } => {
            set(item, "target", kind);
            set(item, "due_at", due_at);
        }
        _ => return false,
    }
    true
}

fn set_climbed(item: &mut TimelineItem, climbed: &Climbed) {
    set(item, "step", climbed.step);
    set(item, "priority", climbed.priority);
    let some = |list: &[AgentId]| (!list.is_empty()).then(|| list.to_vec());
    set(item, "agents", some(&climbed.agents));
    set(item, "notified", some(&climbed.notified));
    set(item, "queues", Some(&climbed.queues).filter(|queues| !queues.is_empty()));
    set(item, "skipped", climbed.skipped.then_some(true));
}

/// Of each kind where it is and when it is due.
fn set_targets(item: &mut TimelineItem, targets: &[Target]) {
    for target in targets {
        let (state, due_at) = match target.kind {
            TargetKind::FirstResponse => ("first_response", "first_response_due_at"),
            TargetKind::NextResponse => ("next_response", "next_response_due_at"),
            TargetKind::Resolution => ("resolution", "resolution_due_at"),
        };
        set(item, state, target.state);
        set(item, due_at, target.due_at);
    }
}

/// A reply on its way out. False if the event is about something else.
fn sending(item: &mut TimelineItem, body: &EventBody) -> bool {
    match body {
        EventBody::DeliveryOwned { channel, host, epoch } => {
            set(item, "channel", channel);
            set(item, "host", host);
            set(item, "epoch", epoch);
        }
        EventBody::DeliveryPresent { host, asks } => {
            set(item, "host", host);
            set(item, "asks", asks);
        }
        EventBody::DeliveryAttempted { message, epoch, attempt } => {
            set(item, "message", message);
            set(item, "epoch", epoch);
            set(item, "attempt", attempt);
        }
        EventBody::DeliverySettled { message, result } => {
            set(item, "message", message);
            set_result(item, result);
        }
        EventBody::DeliveryRequeued { message, channel, attempts, by } => {
            item.by = Some(by.clone());
            set(item, "channel", channel);
            set(item, "attempts", attempts);
            set(item, "message", message);
        }
        EventBody::ReceiptRecorded { message, status, at, code } => {
            set(item, "message", message);
            set(item, "status", status);
            set(item, "at", at);
            set(item, "code", code);
        }
        _ => return false,
    }
    true
}

fn set_result(item: &mut TimelineItem, result: &SendResult) {
    let (name, code, detail) = match result {
        SendResult::Sent { external_id } => {
            set(item, "external_id", external_id);
            ("sent", None, None)
        }
        SendResult::Retry { retry_at, code, detail } => {
            set(item, "retry_at", retry_at);
            ("retry", Some(code), Some(detail))
        }
        SendResult::Failed { code, detail } => ("failed", Some(code), Some(detail)),
        SendResult::Uncertain { code, detail } => ("uncertain", Some(code), Some(detail)),
    };
    set(item, "result", name);
    set(item, "code", code);
    set(item, "detail", detail);
}

/// What concerns contacts, agents and the workspace as a whole.
fn workspace(item: &mut TimelineItem, body: &EventBody) {
    match body {
        EventBody::ConfigInstalled { settings } => set(item, "hash", settings.hash()),
        EventBody::ContactCreated { contact } => {
            set(item, "contact", contact.id);
            set(item, "name", &contact.name);
            set(item, "addresses", &contact.addresses);
        }
        EventBody::ContactUpdated { contact, name, addresses } => {
            set(item, "contact", contact);
            set(item, "name", name);
            set(item, "addresses", addresses);
        }
        EventBody::AddressDied { contact, address, code } => {
            set(item, "contact", contact);
            set(item, "address", address);
            set(item, "code", code);
        }
        EventBody::AddressRevived { contact, address } => {
            set(item, "contact", contact);
            set(item, "address", address);
        }
        EventBody::ContactServed { contact, agent } => {
            set(item, "contact", contact);
            set(item, "agent", agent);
        }
        EventBody::ContactMerged { contact, into, name, addresses, last_agent, by, .. } => {
            set(item, "last_agent", last_agent);
            item.by = Some(by.clone());
            set(item, "contact", contact);
            set(item, "into", into);
            set(item, "name", name);
            set(item, "addresses", addresses);
        }
        EventBody::AgentStatusChanged { agent, status, reason, by } => {
            item.by = Some(by.clone());
            set(item, "agent", agent);
            set(item, "status", status);
            set(item, "reason", reason);
        }
        EventBody::AgentPaused { agent, pause } => {
            set(item, "agent", agent);
            set(item, "until", pause.until);
            set(item, "cause", pause.cause);
        }
        EventBody::AgentReady { agent } => set(item, "agent", agent),
        EventBody::AgentsSeen { agents } => set(item, "agents", agents),
        EventBody::CallLeg(heard) => {
            set(item, "channel", &heard.channel);
            set(item, "call_id", &heard.call_id);
        }
        EventBody::CursorMoved(cursor) => {
            set(item, "channel", &cursor.channel);
            set(item, "name", &cursor.name);
        }
        EventBody::InputParked { id, code, detail, .. } => {
            set(item, "parked", id);
            set(item, "code", code);
            set(item, "detail", detail);
        }
        EventBody::InputUnparked { id, dropped, by } => {
            item.by = Some(by.clone());
            set(item, "parked", id);
            set(item, "dropped", dropped);
        }
        _ => {}
    }
}
