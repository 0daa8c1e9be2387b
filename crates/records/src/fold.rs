//! The meaning of each event for each row, once for every backend.
//!
//! An event puts rows that need nothing from before ([`rows`]) and edits rows that do ([`edited`],
//! [`apply`]). Nothing here loads, writes or asks for the time; the sheet holds the rows.

use postroom_model::{
    Address, AgentId, AgentStatus, Bodies, CallState, Contact, ContactId, ConversationId,
    DeliveryState, Event, EventBody, Freed, Message, MessageId, Offer, Outbound, Presence,
    Timestamp,
};
use uuid::Uuid;

use crate::describe::describe;
use crate::{Key, OutboundRow, Parked, Row, conversation, delivery};

/// One event with its place in the ledger and the time that its decision knew.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact<'a> {
    pub(crate) position: u64,
    pub(crate) at: Timestamp,
    pub(crate) event: &'a Event,
}

/// What an edit did to its row.
#[derive(Debug)]
pub(crate) enum Effect {
    /// There was nothing to edit, or it says what stands there already.
    Nothing,
    Changed,
    /// A reply moved on: its entry in the timeline follows.
    Moved(Box<delivery::Progress>),
}

/// The message with its words, which travel apart from it.
pub(crate) fn whole(message: &Message, id: Uuid, bodies: &Bodies) -> Message {
    let mut message = message.clone();
    if let Some(body) = bodies.get(&id) {
        body.put_into(&mut message);
    }
    message
}

/// Gives each row that the event puts or, with none, deletes, whatever was there before.
pub(crate) fn rows(fact: Fact<'_>, bodies: &Bodies, put: &mut impl FnMut(Key, Option<Row>)) {
    let Fact { position, at, event } = fact;
    if let Some(id) = event.conversation {
        let item = Box::new(describe(position, at, event, bodies));
        put(Key::Timeline(id, position), Some(Row::Timeline(item)));
    }
    match (&event.body, event.conversation) {
        (EventBody::ConfigInstalled { settings }, _) => {
            put(Key::Settings, Some(Row::Settings(settings.clone())));
        }
        (EventBody::ContactCreated { contact }, _) => {
            put_addresses(contact.id, &contact.addresses, put);
            put(Key::Contact(contact.id), Some(Row::Contact(contact.clone())));
        }
        (EventBody::ContactUpdated { contact, addresses, .. }, _) => {
            put_addresses(*contact, addresses, put);
        }
        (EventBody::ContactMerged { into, addresses, .. }, _) => {
            put_addresses(*into, addresses, put);
        }
        (EventBody::ConversationOpened(opened), Some(id)) => {
            if let Some(thread) = &opened.thread {
                let key = Key::Thread(opened.channel.clone(), thread.clone());
                put(key, Some(Row::Thread(id)));
            }
            let row = Box::new(conversation::opened(id, at, opened));
            put(Key::Conversation(id), Some(Row::Conversation(row)));
        }
        (EventBody::ConversationReopened { opened, .. }, Some(id)) => {
            if let Some(thread) = &opened.thread {
                let key = Key::Thread(opened.channel.clone(), thread.clone());
                put(key, Some(Row::Thread(id)));
            }
        }
        (EventBody::ConversationMerged { into, channel, thread: Some(thread), .. }, _) => {
            let key = Key::Thread(channel.clone(), thread.clone());
            put(key, Some(Row::Thread(*into)));
        }
        (EventBody::ConversationJoined { channel, thread: Some(thread) }, Some(id)) => {
            let key = Key::Thread(channel.clone(), thread.clone());
            put(key, Some(Row::Thread(id)));
        }
        (EventBody::MessageReceived { mail: Some(mail), .. }, Some(id)) => {
            for key in mail.awaits.iter().chain([&mail.key]) {
                put(Key::Thread(mail.channel.clone(), key.clone()), Some(Row::Thread(id)));
            }
        }
        (EventBody::ReplyQueued { id, .. }, Some(conversation)) => {
            if let Some(row) = queued(fact, conversation, bodies) {
                put(Key::Outbound(*id), Some(Row::Outbound(Box::new(row))));
            }
        }
        (EventBody::InputParked { id, code, detail, input }, _) => {
            let parked = Parked {
                id: *id,
                at,
                code: code.clone(),
                detail: detail.clone(),
                input: (**input).clone(),
            };
            put(Key::Parked(*id), Some(Row::Parked(Box::new(parked))));
        }
        (EventBody::InputUnparked { id, .. }, _) => put(Key::Parked(*id), None),
        (EventBody::CallRecorded(recorded), _) => {
            let live = recorded.call.state != CallState::Ended;
            let told = live.then(|| Row::Call(Box::new(describe(position, at, event, bodies))));
            put(Key::Call(recorded.id), told);
        }
        (EventBody::CursorMoved(cursor), _) => {
            let key = Key::Cursor(cursor.channel.clone(), cursor.name.clone());
            put(key, Some(Row::Cursor(cursor.value.clone())));
        }
        _ => {}
    }
}

fn put_addresses(
    contact: ContactId,
    addresses: &[Address],
    put: &mut impl FnMut(Key, Option<Row>),
) {
    for address in addresses {
        put(Key::Address(address.clone()), Some(Row::Address(contact)));
    }
}

/// The row of a reply that has just been decided.
fn queued(fact: Fact<'_>, conversation: ConversationId, bodies: &Bodies) -> Option<OutboundRow> {
    let EventBody::ReplyQueued { id, channel, message, .. } = &fact.event.body else {
        return None;
    };
    let message = whole(message, id.0, bodies);
    let outbound = Outbound {
        id: *id,
        channel: channel.clone(),
        conversation,
        thread: message.thread.clone(),
        to: message.to.clone(),
        message,
        state: DeliveryState::Queued,
        attempts: 0,
        next_at: fact.at,
        queued_at: fact.at,
        epoch: None,
    };
    Some(OutboundRow { outbound, position: fact.position })
}

/// The row that the event makes and later events edit.
pub(crate) fn created(event: &Event) -> Option<Key> {
    match (&event.body, event.conversation) {
        (EventBody::ContactCreated { contact }, _) => Some(Key::Contact(contact.id)),
        (EventBody::ConversationOpened(_), Some(id)) => Some(Key::Conversation(id)),
        (EventBody::ReplyQueued { id, .. }, Some(_)) => Some(Key::Outbound(*id)),
        _ => None,
    }
}

/// Names each row that the event edits, so that it must be known what is there.
pub(crate) fn edited(event: &Event, visit: &mut impl FnMut(Key)) {
    if let Some(id) = event.conversation
        && !matches!(event.body, EventBody::ConversationOpened(_))
    {
        visit(Key::Conversation(id));
    }
    match &event.body {
        EventBody::ContactUpdated { contact, .. }
        | EventBody::AddressDied { contact, .. }
        | EventBody::AddressRevived { contact, .. }
        | EventBody::ContactServed { contact, .. } => visit(Key::Contact(*contact)),
        EventBody::ConversationOpened(opened) => {
            if let Some(contact) = opened.contact {
                visit(Key::Contact(contact));
            }
        }
        EventBody::ContactMerged { contact, into, .. } => {
            visit(Key::Contact(*contact));
            visit(Key::Contact(*into));
        }
        _ => {}
    }
    if let Some(agent) = agent_of(event) {
        visit(Key::Presence(agent.clone()));
    }
    for agent in asked(event) {
        visit(Key::Presence(agent.clone()));
    }
    if let Some(message) = reply_of(event) {
        visit(Key::Outbound(message));
    }
}

/// The agent whose presence the event edits.
fn agent_of(event: &Event) -> Option<&AgentId> {
    match &event.body {
        EventBody::ConversationAssigned { agent, .. }
        | EventBody::ConversationReleased { agent, .. }
        | EventBody::ConversationIdled { agent, .. }
        | EventBody::ConversationRoused { agent, .. }
        | EventBody::AgentPaused { agent, .. }
        | EventBody::AgentReady { agent }
        | EventBody::AgentStatusChanged { agent, .. } => Some(agent),
        _ => freed_by(event).map(|freed| &freed.agent),
    }
}

/// The agents who are asked, or no longer asked, whether they take a conversation.
fn asked(event: &Event) -> &[AgentId] {
    match &event.body {
        EventBody::OfferMade(made) | EventBody::OfferExtended(made) => &made.agents,
        EventBody::OfferClosed(closed) => &closed.agents,
        _ => &[],
    }
}

fn freed_by(event: &Event) -> Option<&Freed> {
    match &event.body {
        EventBody::ConversationSnoozed { freed, .. }
        | EventBody::ConversationResolved { freed, .. }
        | EventBody::ConversationMerged { freed, .. } => freed.as_ref(),
        _ => None,
    }
}

/// The reply whose way out the event edits.
fn reply_of(event: &Event) -> Option<MessageId> {
    match &event.body {
        EventBody::DeliveryAttempted { message, .. }
        | EventBody::DeliverySettled { message, .. }
        | EventBody::DeliveryRequeued { message, .. }
        | EventBody::ReceiptRecorded { message, .. } => Some(*message),
        _ => None,
    }
}

/// Edits the row of `key`. `fact` is one of those for which [`edited`] names the key.
pub(crate) fn apply(key: &Key, row: &mut Option<Row>, fact: Fact<'_>) -> Effect {
    match key {
        Key::Conversation(id) => conversation::edit(*id, row, fact),
        Key::Presence(agent) => presence(agent, row, fact),
        Key::Contact(id) => contact(*id, row, fact.event),
        Key::Outbound(_) => delivery::edit(row, fact),
        Key::Timeline(..)
        | Key::Address(_)
        | Key::Thread(..)
        | Key::Seen(_)
        | Key::Sent(..)
        | Key::Parked(_)
        | Key::Cursor(..)
        | Key::Call(_)
        | Key::Settings
        | Key::Totals => Effect::Nothing,
    }
}

fn contact(id: ContactId, row: &mut Option<Row>, event: &Event) -> Effect {
    let Some(Row::Contact(row)) = row else {
        return Effect::Nothing;
    };
    match &event.body {
        EventBody::ContactMerged { contact, into, .. } if *contact == id => {
            row.merged_into = Some(*into);
            row.addresses.clear();
            row.dead.clear();
            row.conversations = 0;
        }
        EventBody::ContactMerged { name, addresses, last_agent, conversations, .. } => {
            gather(row, name.as_deref(), addresses);
            row.last_agent = row.last_agent.take().or_else(|| last_agent.clone());
            row.conversations = row.conversations.saturating_add(*conversations);
        }
        EventBody::ConversationOpened(_) => {
            row.conversations = row.conversations.saturating_add(1);
        }
        EventBody::ContactUpdated { name, addresses, .. } => {
            gather(row, name.as_deref(), addresses);
        }
        EventBody::ContactServed { agent, .. } => row.last_agent = Some(agent.clone()),
        EventBody::AddressDied { address, .. } => {
            if !row.dead.contains(address) {
                row.dead.push(address.clone());
            }
        }
        EventBody::AddressRevived { address, .. } => row.dead.retain(|dead| dead != address),
        _ => return Effect::Nothing,
    }
    Effect::Changed
}

/// What has become known of a person.
fn gather(contact: &mut Contact, name: Option<&str>, addresses: &[Address]) {
    if let Some(name) = name {
        contact.name = Some(name.to_owned());
    }
    for address in addresses {
        if !contact.addresses.contains(address) {
            contact.addresses.push(address.clone());
        }
    }
}

/// The row is made by whatever first concerns the agent.
fn presence(agent: &AgentId, row: &mut Option<Row>, fact: Fact<'_>) -> Effect {
    let at = fact.at;
    let row = row.get_or_insert_with(|| {
        Row::Presence(Presence {
            agent: agent.clone(),
            status: AgentStatus::Offline,
            status_since: at,
            load: 0,
            conversations: 0,
            idle_since: at,
            reason: None,
            pause: None,
            offers: Vec::new(),
            over: Vec::new(),
        })
    });
    let Row::Presence(presence) = row else {
        return Effect::Nothing;
    };
    let freed = match &fact.event.body {
        EventBody::AgentStatusChanged { status, reason, .. } => {
            presence.status = *status;
            presence.status_since = at;
            presence.reason.clone_from(reason);
            return Effect::Changed;
        }
        EventBody::AgentPaused { pause, .. } => {
            presence.pause = Some(*pause);
            return Effect::Changed;
        }
        EventBody::AgentReady { .. } => {
            presence.pause = None;
            return Effect::Changed;
        }
        EventBody::ConversationIdled { cost, .. } => {
            presence.load = presence.load.saturating_sub(u32::from(*cost));
            return Effect::Changed;
        }
        EventBody::ConversationRoused { cost, .. } => {
            presence.load = presence.load.saturating_add(u32::from(*cost));
            return Effect::Changed;
        }
        EventBody::OfferExtended(made) if presence.extend_offer(made.offer, made.expires_at) => {
            return Effect::Changed;
        }
        EventBody::OfferMade(made) | EventBody::OfferExtended(made) => {
            presence.idle_since = at;
            presence.offers.extend(fact.event.conversation.map(|id| Offer {
                id: made.offer,
                conversation: id,
                queue: made.queue.clone(),
                agent: agent.clone(),
                cost: made.cost,
                offered_at: at,
                expires_at: made.expires_at,
            }));
            return Effect::Changed;
        }
        EventBody::OfferClosed(closed) => {
            if let Some(conversation) = fact.event.conversation {
                presence.close_offer(closed.offer, conversation);
            }
            return Effect::Changed;
        }
        EventBody::ConversationAssigned { cost, .. } => {
            presence.load = presence.load.saturating_add(u32::from(*cost));
            presence.conversations = presence.conversations.saturating_add(1);
            presence.idle_since = at;
            return Effect::Changed;
        }
        EventBody::ConversationReleased { cost, .. } => Some(*cost),
        _ => freed_by(fact.event).map(|freed| freed.cost),
    };
    let Some(cost) = freed else {
        return Effect::Nothing;
    };
    presence.load = presence.load.saturating_sub(u32::from(cost));
    presence.conversations = presence.conversations.saturating_sub(1);
    presence.idle_since = at;
    Effect::Changed
}
