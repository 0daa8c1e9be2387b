//! A message from a customer: whose it is, which conversation it belongs to, where that goes.

use postroom_model::limits::{CONTACT_ADDRESSES_MAX, JOINED_MAX};
use postroom_model::{
    Body, ChannelId, Contact, ContactId, Conversation, ConversationId, Event, EventBody, Inbound,
    Input, InputBody, InputId, MessageId, Opened, OutcomeKind, Reason, ReceivedMail, Status,
    Timestamp,
};

use super::{Decision, Lookups, contact, mail, park, sticky};
use crate::{Made, State, codes, matching};

pub(super) fn decide(
    state: &State,
    id: InputId,
    at: Timestamp,
    inbound: Inbound,
    lookups: &Lookups<'_>,
    made: &mut Made,
) -> Decision {
    if state.channel(&inbound.channel).is_none() {
        let (code, detail) = no_channel(state, &inbound.channel);
        let input = Input { id, at, body: InputBody::Inbound(Box::new(inbound)) };
        return park(input, code.to_owned(), detail, made);
    }
    let prints = mail::prints(state, &inbound);
    Decision { prints, ..accept(state, MessageId(id.0), at, inbound, lookups, made) }
}

/// Why what came in cannot be decided: its channel is not configured.
pub(super) fn no_channel(state: &State, channel: &ChannelId) -> (&'static str, String) {
    match state.settings() {
        Some(_) => (codes::CHANNEL_NOT_FOUND, format!("no channel {channel} is configured")),
        None => (codes::NOT_CONFIGURED, "no configuration is in force".to_owned()),
    }
}

/// Takes a message whose channel is configured.
pub(super) fn accept(
    state: &State,
    id: MessageId,
    at: Timestamp,
    inbound: Inbound,
    lookups: &Lookups<'_>,
    made: &mut Made,
) -> Decision {
    let mut events = Vec::with_capacity(4);
    let name = inbound.message.from.as_ref().and_then(|from| from.name.clone());
    let kind = state.channel(&inbound.channel).map(|channel| channel.kind);
    let mail = kind.is_some_and(mail::carries).then(|| mail::Standing::of(&inbound, lookups));
    // A program that reports is nobody's contact.
    let contact = match &mail {
        Some(mail) if mail.reports => None,
        _ => contact_of(name, at, lookups, made, &mut events),
    };
    if let Some(known) = contact {
        events.extend(contact::found_to_be(state, &inbound, known, lookups));
    }
    if let Some(mail) = &mail {
        events.extend(mail.revived(&inbound, lookups));
    }
    let (conversation, quiet) = match &mail {
        Some(mail) => mail.place(state, (&inbound, contact), lookups, made, &mut events),
        None => (place(state, &inbound, contact, lookups, made, &mut events), false),
    };
    events.extend(sticky::kept(state, at, (conversation, contact), lookups, &events));
    let channel = inbound.channel;
    let mut message = inbound.message;
    let body = Body::take_from(&mut message);
    let received =
        |mail: mail::Standing| ReceivedMail { channel, key: mail.key, quiet, awaits: mail.awaits };
    let mail = mail.map(received);
    events.push(Event::on(
        conversation,
        EventBody::MessageReceived { id, contact, message: Box::new(message), mail },
    ));
    Decision {
        kind: Some(OutcomeKind::Routed),
        conversation: Some(conversation),
        message: Some(id),
        events,
        bodies: if body.is_empty() { vec![] } else { vec![(id.0, body)] },
        ..Decision::default()
    }
}

/// The sender's contact: found by any of the addresses, or made; what is new about it is an event.
pub(super) fn contact_of(
    name: Option<String>,
    at: Timestamp,
    lookups: &Lookups<'_>,
    made: &mut Made,
    events: &mut Vec<Event>,
) -> Option<ContactId> {
    if lookups.addresses.is_empty() {
        return None;
    }
    let Some(known) = lookups.addresses.iter().find_map(|(_, contact)| *contact) else {
        let contact = Contact {
            id: ContactId(made.next("contact")),
            name,
            addresses: lookups
                .addresses
                .iter()
                .take(CONTACT_ADDRESSES_MAX)
                .map(|(address, _)| address.clone())
                .collect(),
            dead: vec![],
            created_at: at,
            last_agent: None,
            conversations: 0,
            merged_into: None,
        };
        let id = contact.id;
        events.push(Event::global(EventBody::ContactCreated { contact }));
        return Some(id);
    };
    // An address of another contact stays with it, until a rule or a person joins the two. What is over
    // the limit stays with nobody: the message is taken all the same.
    let row = lookups.contact.filter(|row| row.id == known);
    let room = CONTACT_ADDRESSES_MAX.saturating_sub(row.map_or(0, |row| row.addresses.len()));
    let unknown = lookups.addresses.iter().filter(|(_, contact)| contact.is_none());
    let addresses: Vec<_> = unknown.take(room).map(|(address, _)| address.clone()).collect();
    let nameless = row.is_some_and(|row| row.name.is_none());
    let name = name.filter(|_| nameless);
    if !addresses.is_empty() || name.is_some() {
        let updated = EventBody::ContactUpdated { contact: known, name, addresses };
        events.push(Event::global(updated));
    }
    Some(known)
}

/// The conversation that the message belongs to, opened or opened again if need be.
fn place(
    state: &State,
    inbound: &Inbound,
    contact: Option<ContactId>,
    lookups: &Lookups<'_>,
    made: &mut Made,
    events: &mut Vec<Event>,
) -> ConversationId {
    if let Some((id, row)) = lookups.thread.map(|id| end_of_merges(id, lookups)) {
        if taken_up(state, made.at(), (id, row), events) {
            return id;
        }
        let linked = row.map(|row| row.id);
        let opened = Opened { linked, ..opened(state, inbound, contact, lookups) };
        return joined(state, &opened, made.at(), events)
            .unwrap_or_else(|| open(opened, made, events));
    }
    let opened = opened(state, inbound, contact, lookups);
    joined(state, &opened, made.at(), events).unwrap_or_else(|| open(opened, made, events))
}

/// The conversation in which a message goes on that would open this one, where its channel wants that:
/// the newest of the same contact, channel and queue that is not done, if somebody wrote there not long
/// ago.
pub(super) fn joined(
    state: &State,
    opened: &Opened,
    at: Timestamp,
    events: &mut Vec<Event>,
) -> Option<ConversationId> {
    let within_ms = *state.settings()?.timing.join.get(&opened.channel)?;
    let queue = *state.queue_ix.get(&opened.queue)?;
    let id = state.talks.newest(opened.contact?, |id, talk| {
        talk.channel == opened.channel
            && talk.joined < JOINED_MAX
            && at.since(talk.last_at) < within_ms
            && state.conversations.get(&id).is_some_and(|open| open.queue == queue)
    })?;
    taken_up(state, at, (id, None), events);
    let (channel, thread) = (opened.channel.clone(), opened.thread.clone());
    events.push(Event::on(id, EventBody::ConversationJoined { channel, thread }));
    Some(id)
}

/// Opens a conversation.
pub(super) fn open(opened: Opened, made: &mut Made, events: &mut Vec<Event>) -> ConversationId {
    let id = ConversationId(made.next("conversation"));
    events.push(Event::on(id, EventBody::ConversationOpened(Box::new(opened))));
    id
}

/// Takes a conversation up again because its customer wrote. False if there is none, or if the channel
/// no longer opens it again.
pub(super) fn taken_up(
    state: &State,
    at: Timestamp,
    (id, row): (ConversationId, Option<&Conversation>),
    events: &mut Vec<Event>,
) -> bool {
    let reason = Reason::CustomerWrote;
    if let Some(open) = state.conversations.get(&id) {
        if open.status == Status::Snoozed {
            events.push(Event::on(id, EventBody::ConversationWoken { reason }));
            events.extend(matching::returned(state, id, open));
        }
        return true;
    }
    let Some(row) = row.filter(|row| sticky::reopens(state, at, row)) else {
        return false;
    };
    let opened = Box::new(reopened(state, row));
    let kept = sticky::owner_kept(state, row, &opened);
    events.push(Event::on(id, EventBody::ConversationReopened { opened, reason }));
    events.extend(kept);
    true
}

/// Where a thread leads in the end, with the row of that conversation if it was looked up.
pub(super) fn end_of_merges<'a>(
    id: ConversationId,
    lookups: &Lookups<'a>,
) -> (ConversationId, Option<&'a Conversation>) {
    let row = lookups.conversation.filter(|row| row.id == id);
    match row.and_then(|row| row.merged_into) {
        Some(into) => (into, lookups.into.filter(|row| row.id == into)),
        None => (id, row),
    }
}

pub(super) fn opened(
    state: &State,
    inbound: &Inbound,
    contact: Option<ContactId>,
    lookups: &Lookups<'_>,
) -> Opened {
    let channel = state.channel(&inbound.channel);
    let routed = lookups.routed.cloned().unwrap_or_default();
    let queue = routed.queue.or_else(|| channel.and_then(|channel| channel.queue.clone()));
    let queue = state.queue_or_default(queue.as_ref());
    // Settings always hold a queue; they are refused otherwise.
    let queue = queue.unwrap_or_else(default_queue);
    Opened {
        channel: inbound.channel.clone(),
        thread: inbound.message.thread.clone(),
        contact,
        customer: inbound.message.from.clone(),
        subject: inbound.message.subject.clone(),
        linked: None,
        priority: routed.priority.unwrap_or(0),
        skills: routed.skills,
        preferred: routed.preferred,
        cost: channel.map_or(0, |channel| state.cost_of(channel, &queue)),
        queue,
        tags: routed.tags,
        policy: routed.targets,
        route: routed.trace,
        waiting_since: None,
        settled_at: None,
        version: 0,
        message_version: 0,
    }
}

#[expect(clippy::expect_used, reason = "the text is a slug")]
pub(crate) fn default_queue() -> postroom_model::QueueId {
    postroom_model::QueueId::new("default").expect("a slug")
}

/// What a conversation that is done becomes when it is opened again: it keeps its queue, if there
/// still is one, and loses its owner.
pub(super) fn reopened(state: &State, row: &Conversation) -> Opened {
    let queue = state.queue_or_default(row.queue.as_ref()).unwrap_or_else(default_queue);
    let channel = state.channel(&row.channel);
    Opened {
        channel: row.channel.clone(),
        thread: row.thread.clone(),
        contact: row.contact,
        customer: row.customer.clone(),
        subject: row.subject.clone(),
        linked: row.linked,
        priority: row.priority,
        skills: row.skills.clone(),
        preferred: row.preferred.clone(),
        cost: channel.map_or(row.cost, |channel| state.cost_of(channel, &queue)),
        queue,
        tags: row.tags.clone(),
        policy: row.policy.clone(),
        route: row.route.clone(),
        waiting_since: None,
        settled_at: row.settled_at,
        version: row.version,
        message_version: row.message_version,
    }
}
