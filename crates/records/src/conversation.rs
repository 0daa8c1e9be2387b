//! What each event means for the row of its conversation. It decides nothing: what an event does not
//! say does not change.

use std::collections::BTreeMap;

use postroom_model::answer::is_automatic;
use postroom_model::{
    CallRecorded, Climbed, Conversation, ConversationId, Declined, EventBody, Message, OfferEnd,
    Offered, Opened, Reason, Status, TargetState, Timestamp, limits, note_target,
};

use crate::Row;
use crate::fold::{Effect, Fact};

/// The row of a conversation that has just been opened: version 1, or one more than it had.
pub(crate) fn opened(id: ConversationId, at: Timestamp, opened: &Opened) -> Conversation {
    Conversation {
        id,
        status: Status::Open,
        subject: opened.subject.clone(),
        channel: opened.channel.clone(),
        thread: opened.thread.clone(),
        queue: Some(opened.queue.clone()),
        assignee: None,
        contact: opened.contact,
        customer: opened.customer.clone(),
        linked: opened.linked,
        mails: Vec::new(),
        priority: opened.priority,
        skills: opened.skills.clone(),
        preferred: opened.preferred.clone(),
        cost: opened.cost,
        tags: opened.tags.clone(),
        targets: Vec::new(),
        policy: opened.policy.clone(),
        climbed: None,
        kept: None,
        resolved_at: None,
        opened_at: at,
        last_message_at: at,
        waiting_since: Some(opened.waiting_since.unwrap_or(at)),
        snoozed_until: None,
        settled_at: opened.settled_at,
        merged_into: None,
        merged_from: Vec::new(),
        version: opened.version.saturating_add(1),
        message_version: opened.message_version,
        route: opened.route.clone(),
        offer: None,
        declined: Vec::new(),
        assignment: None,
    }
}

/// Edits the row of the event's conversation; nothing if there is none.
pub(crate) fn edit(id: ConversationId, row: &mut Option<Row>, fact: Fact<'_>) -> Effect {
    let body = &fact.event.body;
    if row.is_none()
        && let EventBody::ConversationReopened { opened: again, .. } = body
    {
        *row = Some(Row::Conversation(Box::new(opened(id, fact.at, again))));
        return Effect::Changed;
    }
    let Some(Row::Conversation(conversation)) = row else {
        return Effect::Nothing;
    };
    conversation.version = conversation.version.saturating_add(1);
    if !edit_owner(conversation, body) && !edit_words(conversation, fact) {
        edit_state(conversation, fact);
    }
    Effect::Changed
}

/// What says who has it, or in which queue it stands. False if the event says nothing of that.
fn edit_owner(conversation: &mut Conversation, body: &EventBody) -> bool {
    match body {
        EventBody::ConversationAssigned { agent, reason, .. } => {
            conversation.assignee = Some(agent.clone());
            conversation.assignment = Some(reason.clone());
            conversation.kept = None;
        }
        EventBody::ConversationReleased { reason, .. } => {
            conversation.assignee = None;
            conversation.assignment = Some(reason.clone());
        }
        EventBody::OfferMade(made) | EventBody::OfferExtended(made) => {
            conversation.offer = Some(Offered {
                offer: made.offer,
                agents: made.agents.clone(),
                expires_at: made.expires_at,
            });
            conversation.assignment = Some(made.reason.clone());
        }
        EventBody::OfferForgotten { agent } => {
            conversation.declined.retain(|declined| declined.agent != *agent);
        }
        EventBody::OfferClosed(closed) => {
            if let Some(again_at) = closed.again_at.filter(|_| closed.cause == OfferEnd::Declined) {
                for agent in &closed.agents {
                    conversation.declined.retain(|declined| declined.agent != *agent);
                    conversation.declined.push(Declined { agent: agent.clone(), again_at });
                }
            }
            if let Some(offer) = &mut conversation.offer {
                offer.agents.retain(|agent| !closed.agents.contains(agent));
            }
            if conversation.offer.as_ref().is_some_and(|offer| offer.agents.is_empty()) {
                conversation.offer = None;
            }
        }
        EventBody::ConversationTransferred { queue, reached, .. } => {
            conversation.queue = Some(queue.clone());
            conversation.climbed = Climbed::at_the_foot(conversation, reached);
            conversation.kept = None;
        }
        _ => return false,
    }
    true
}

/// Messages, in and out. False if the event is none.
fn edit_words(conversation: &mut Conversation, fact: Fact<'_>) -> bool {
    if let EventBody::MessageReceived { message, mail: Some(_), .. } = &fact.event.body {
        refer(conversation, message);
    }
    match &fact.event.body {
        EventBody::CallRecorded(recorded) => take_call(conversation, recorded, fact.at),
        EventBody::MessageReceived { mail: Some(mail), .. } if mail.quiet => {}
        EventBody::MessageReceived { message, .. } => {
            if conversation.is_named_by_a_call() {
                conversation.subject.clone_from(&message.subject);
            }
            wait(conversation, fact.at);
        }
        // What the program says by itself is no answer.
        EventBody::ReplyQueued { message, .. } if is_automatic(message) => return true,
        EventBody::ReplyQueued { .. } => {
            if conversation.status == Status::Open {
                conversation.status = Status::Pending;
            }
            conversation.waiting_since = None;
            conversation.kept = None;
        }
        _ => return false,
    }
    conversation.last_message_at = fact.at;
    conversation.message_version = conversation.version;
    true
}

/// The customer has the last word.
fn wait(conversation: &mut Conversation, since: Timestamp) {
    if conversation.status == Status::Pending {
        conversation.status = Status::Open;
    }
    if conversation.status == Status::Open {
        if conversation.waiting_since.is_none() {
            // It climbs the ladder of its queue anew.
            conversation.climbed = None;
        }
        conversation.waiting_since.get_or_insert(since);
    }
}

/// A call counts by when it happened, not by when it was heard of.
fn take_call(conversation: &mut Conversation, recorded: &CallRecorded, at: Timestamp) {
    if recorded.waits {
        wait(conversation, recorded.moment(at));
    }
    if conversation.waiting_since.is_some() {
        conversation.waiting_since = recorded.waiting_since.or(conversation.waiting_since);
    }
    conversation.settled_at = conversation.settled_at.max(recorded.settled_at(at));
}

/// What an answer to this mail refers to (RFC 5322, 3.6.4).
fn refer(conversation: &mut Conversation, message: &Message) {
    // One that we made up is known to nobody else.
    if message.external_id.starts_with("generated:") {
        return;
    }
    let own = std::iter::once(&message.external_id);
    let ids: Vec<&String> = message.references.iter().chain(own).collect();
    let older = ids.len().saturating_sub(limits::MAILS_REFERRED_MAX);
    conversation.mails = ids.into_iter().skip(older).cloned().collect();
}

fn edit_state(conversation: &mut Conversation, fact: Fact<'_>) {
    match &fact.event.body {
        EventBody::ConversationReopened { opened, reason } => {
            leave_owner(conversation, reason);
            reopen(conversation, opened);
            conversation.waiting_since = Some(opened.waiting_since.unwrap_or(fact.at));
        }
        EventBody::ConversationWoken { reason } => {
            leave_owner(conversation, reason);
            conversation.status = Status::Open;
            conversation.snoozed_until = None;
            conversation.waiting_since = Some(fact.at);
            conversation.climbed = None;
        }
        EventBody::ConversationKept(kept) => conversation.kept = Some(kept.clone()),
        EventBody::ConversationUnkept => conversation.kept = None,
        EventBody::ConversationSnoozed { until, .. } => {
            conversation.kept = None;
            conversation.status = Status::Snoozed;
            conversation.snoozed_until = Some(*until);
            conversation.waiting_since = None;
        }
        EventBody::ConversationResolved { reason, .. } => {
            resolve(conversation, fact.at);
            // An answered call settles what was before it, and says so itself.
            if *reason != Reason::CallAnswered {
                conversation.settled_at = conversation.settled_at.max(Some(fact.at));
            }
        }
        EventBody::ConversationMerged { into, .. } => {
            resolve(conversation, fact.at);
            conversation.merged_into = Some(*into);
        }
        EventBody::ConversationAbsorbed { from, further, renamed, subject, .. } => {
            if *renamed {
                conversation.subject.clone_from(subject);
            }
            for one in further.iter().chain([from]) {
                conversation.merged_from.retain(|known| known != one);
                conversation.merged_from.push(*one);
            }
        }
        EventBody::ConversationTagged { added, removed, .. } => {
            conversation.tags.retain(|tag| !removed.contains(tag));
            for tag in added {
                if !conversation.tags.contains(tag) {
                    conversation.tags.push(tag.clone());
                }
            }
        }
        EventBody::ConversationPrioritised { priority, .. } => conversation.priority = *priority,
        EventBody::LadderClimbed(climbed) => {
            conversation.priority = climbed.priority;
            relax(conversation, &climbed.skills);
            conversation.climbed = Some(climbed.on_row(conversation.climbed.take()));
            conversation.kept = None;
        }
        EventBody::TargetsChanged { targets } => conversation.targets.clone_from(targets),
        EventBody::TargetWarned { kind, .. } => {
            note_target(&mut conversation.targets, *kind, TargetState::Warned);
        }
        EventBody::TargetBreached { kind, .. } => {
            note_target(&mut conversation.targets, *kind, TargetState::Breached);
        }
        _ => {}
    }
}

/// Who has what is needed no more still goes before those who have not.
fn relax(conversation: &mut Conversation, needed: &BTreeMap<String, u8>) {
    for (skill, level) in std::mem::take(&mut conversation.skills) {
        if needed.get(&skill) != Some(&level) {
            let liked = conversation.preferred.entry(skill).or_default();
            *liked = level.max(*liked);
        }
    }
    conversation.skills.clone_from(needed);
}

/// The owner stays named, so that it can return to them.
fn resolve(conversation: &mut Conversation, at: Timestamp) {
    conversation.status = Status::Resolved;
    conversation.resolved_at = Some(at);
    conversation.declined.clear();
    conversation.kept = None;
    conversation.waiting_since = None;
    conversation.snoozed_until = None;
}

fn leave_owner(conversation: &mut Conversation, reason: &Reason) {
    if conversation.assignee.take().is_some() {
        conversation.assignment = Some(reason.clone());
    }
}

/// Takes over all that the event says; what only the records know stays.
fn reopen(conversation: &mut Conversation, opened: &Opened) {
    // The event names the version before it; the row has been counted on already.
    let version = opened.version.saturating_add(1);
    conversation.version = conversation.version.max(version);
    conversation.message_version = conversation.message_version.max(opened.message_version);
    conversation.status = Status::Open;
    conversation.snoozed_until = None;
    conversation.merged_into = None;
    conversation.channel = opened.channel.clone();
    conversation.thread.clone_from(&opened.thread);
    conversation.contact = opened.contact;
    conversation.customer.clone_from(&opened.customer);
    conversation.linked = opened.linked;
    conversation.subject.clone_from(&opened.subject);
    conversation.queue = Some(opened.queue.clone());
    conversation.priority = opened.priority;
    conversation.skills.clone_from(&opened.skills);
    conversation.preferred.clone_from(&opened.preferred);
    conversation.cost = opened.cost;
    conversation.tags.clone_from(&opened.tags);
    conversation.policy.clone_from(&opened.policy);
    conversation.targets.clear();
    conversation.climbed = None;
    conversation.kept = None;
    conversation.resolved_at = None;
    conversation.settled_at = conversation.settled_at.max(opened.settled_at);
    conversation.route.clone_from(&opened.route);
}
