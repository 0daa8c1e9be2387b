//! Envelopes and ids for the tests of the fold.

use std::collections::BTreeMap;

use postroom_model::digest::Digest;
use postroom_model::envelope::ENVELOPE_VERSION;
use postroom_model::{
    Actor, AgentId, Bodies, Body, ChannelId, ContactId, ConversationId, Envelope, Event, EventBody,
    Message, MessageId, Opened, QueueId, RuleTrace, Timestamp, Transition,
};
use postroom_records::{Sheet, Standing, fold_envelope, keys_of};
use uuid::Uuid;

pub(crate) fn uuid(n: u64) -> Uuid {
    Uuid::from_u64_pair(0x0190_0000_0000_7000, 0x8000_0000_0000_0000 | n)
}

pub(crate) fn conversation(n: u64) -> ConversationId {
    ConversationId(uuid(n))
}

pub(crate) fn message_id(n: u64) -> MessageId {
    MessageId(uuid(n))
}

pub(crate) fn contact_id(n: u64) -> ContactId {
    ContactId(uuid(n))
}

pub(crate) fn agent(text: &str) -> AgentId {
    AgentId::new(text).unwrap()
}

pub(crate) fn queue(text: &str) -> QueueId {
    QueueId::new(text).unwrap()
}

pub(crate) fn site() -> ChannelId {
    ChannelId::new("site").unwrap()
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

pub(crate) fn ada() -> Actor {
    Actor::agent(&agent("ada"))
}

pub(crate) fn opened() -> Opened {
    Opened {
        channel: site(),
        thread: Some("thread".to_owned()),
        contact: Some(contact_id(1)),
        customer: None,
        subject: Some("Order 7".to_owned()),
        linked: None,
        queue: queue("support"),
        priority: 3,
        skills: BTreeMap::from([("english".to_owned(), 5)]),
        preferred: std::collections::BTreeMap::new(),
        cost: 20,
        tags: vec!["new".to_owned()],
        policy: None,
        route: RuleTrace { tried: 2, matched: Some(2), ..RuleTrace::default() },
        waiting_since: None,
        settled_at: None,
        version: 0,
        message_version: 0,
    }
}

pub(crate) fn open() -> EventBody {
    EventBody::ConversationOpened(Box::new(opened()))
}

pub(crate) fn received(n: u64) -> EventBody {
    let message = Message { external_id: n.to_string(), ..Message::default() };
    EventBody::MessageReceived {
        id: message_id(n),
        contact: Some(contact_id(1)),
        message: Box::new(message),
        mail: None,
    }
}

pub(crate) fn reply(n: u64) -> EventBody {
    let to = vec![postroom_model::Party {
        address: Some("tel:+1".parse().unwrap()),
        ..postroom_model::Party::default()
    }];
    let thread = Some("thread".to_owned());
    let message = Message { external_id: n.to_string(), thread, to, ..Message::default() };
    EventBody::ReplyQueued {
        id: message_id(n),
        channel: site(),
        by: ada(),
        message: Box::new(message),
    }
}

/// An envelope with one transition for each event, a millisecond apart, the first at 1.
pub(crate) fn envelope(events: Vec<Event>, bodies: Bodies) -> Envelope {
    let transition =
        |(millis, event)| Transition { outcome: None, at: at(millis), events: vec![event] };
    Envelope {
        v: ENVELOPE_VERSION,
        epoch: 1,
        writer: uuid(1),
        at: at(1_000),
        prev_hash: Digest::ZERO,
        inlet_seq: 1,
        first_event: 1,
        transitions: (1..).zip(events).map(transition).collect(),
        bodies_hash: Digest::ZERO,
        bodies,
    }
}

pub(crate) fn bodies(words: &[(u64, &str)]) -> Bodies {
    let body = |text: &str| Body { text: Some(text.to_owned()), ..Body::default() };
    words.iter().map(|(n, text)| (uuid(*n), body(text))).collect()
}

/// The sheet after these events, all of them on conversation 1, over empty records.
pub(crate) fn folded(events: Vec<EventBody>) -> Sheet {
    let events = events.into_iter().map(|body| Event::on(conversation(1), body));
    folded_all(events.collect(), Bodies::new())
}

/// The sheet after these events over empty records.
pub(crate) fn folded_all(events: Vec<Event>, bodies: Bodies) -> Sheet {
    let envelope = envelope(events, bodies);
    let mut sheet = Sheet::new();
    for key in keys_of(&envelope) {
        sheet.insert_loaded(key, None);
    }
    fold_envelope(&mut sheet, &envelope, Standing::default());
    assert_eq!(sheet.deferred_keys(), [], "the keys of an envelope are all that it needs");
    sheet
}
