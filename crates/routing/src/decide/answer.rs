//! Automatic answers (P8): to a person who wrote, when that opens a conversation or opens it again.
//!
//! Never to a program, nor to whoever is not who they say, nor more often than the limits of
//! [`crate::state::Answers`] allow. An answer changes nothing: the customer goes on waiting, with the same
//! age, and no promise is kept by it.

use std::collections::BTreeMap;

use postroom_model::answer::ANSWER_ATTRIBUTE;
use postroom_model::{
    Actor, AnswerOn, AnswerSettings, Automation, AutomationClass, Body, ChannelKind,
    ConversationId, Event, EventBody, Message, MessageId, MessageKind, Opened, Party, Reason,
    Timestamp, ids,
};
use uuid::Uuid;

use super::{Lookups, mail};
use crate::state::{Open, answer_key, line_key};
use crate::{Calendar, State};

/// Places in line that are counted; whoever stands further back is told this.
const POSITION_MAX: usize = 1_000;
/// Milliseconds after which what was sent is too old for an automatic answer.
const ANSWERED_AGE_MAX_MS: i64 = 24 * 3_600_000;
/// Mails that an answer refers to, the newest.
const REFERRED_MAX: usize = postroom_model::limits::MAILS_REFERRED_MAX;

/// The answer to what these events, which the state has taken in, brought about.
pub(crate) fn given(
    state: &State,
    at: Timestamp,
    events: &[Event],
    lookups: &Lookups<'_>,
) -> Option<(Event, (Uuid, Body))> {
    let settings = state.settings()?;
    if settings.answers.is_empty() {
        return None;
    }
    let (id, opened) = events.iter().find_map(begun)?;
    let received = events.iter().find_map(|event| match &event.body {
        EventBody::MessageReceived { message, .. } if event.conversation == Some(id) => {
            Some(message)
        }
        _ => None,
    })?;
    let open = state.conversations.get(&id)?;
    let kind = state.channel(&opened.channel).filter(|channel| channel.sends)?.kind;
    if !may_be_answered(received, opened, at) {
        return None;
    }
    let customer = answer_key(opened.customer.as_ref(), opened.thread.as_deref());
    let dead = |address| lookups.contact.is_some_and(|contact| contact.dead.contains(address));
    if opened.customer.as_ref().and_then(|customer| customer.address.as_ref()).is_some_and(dead) {
        return None;
    }
    let answer = settings.answers.iter().find(|answer| applies(state, at, answer, open))?;
    if !state.answers.may(at, id, &customer) {
        return None;
    }
    let text = text_of(state, at, answer, (id, open, opened));
    let seed = [id.0.as_u64_pair().0, id.0.as_u64_pair().1, open.version];
    let message_id = MessageId(ids::decided(at, "answer", &seed));
    let message =
        message_of(state, (at, message_id), (answer, opened, open), (kind, received, lookups));
    let queued = EventBody::ReplyQueued {
        id: message_id,
        channel: opened.channel.clone(),
        by: Actor::postroom(),
        message: Box::new(message),
    };
    let body = Body { text: Some(text), ..Body::default() };
    Some((Event::on(id, queued), (message_id.0, body)))
}

/// A conversation that begins, or begins again because its customer wrote.
fn begun(event: &Event) -> Option<(ConversationId, &Opened)> {
    let opened = match &event.body {
        EventBody::ConversationOpened(opened) => opened,
        EventBody::ConversationReopened { opened, reason: Reason::CustomerWrote } => opened,
        _ => return None,
    };
    Some((event.conversation?, opened))
}

/// A person wrote it lately, and is who they say as far as anybody knows.
fn may_be_answered(received: &Message, opened: &Opened, at: Timestamp) -> bool {
    let person = received.automation.is_none_or(|automation| {
        automation.may_answer && automation.class == AutomationClass::None
    });
    let forged = mail::said(received, "authentication") == Some("fail");
    // A call is answered by calling back; whoever claims another's conversation is kept apart.
    // A mailbox that is taken over holds the mails of years.
    let old = received.sent_at.is_some_and(|sent| at.since(sent) > ANSWERED_AGE_MAX_MS);
    person && !forged && !old && received.kind != MessageKind::Call && opened.linked.is_none()
}

fn applies(state: &State, at: Timestamp, answer: &AnswerSettings, open: &Open) -> bool {
    let queue = state.queues.get(open.queue).map(|queue| &queue.id);
    if !answer.queues.is_empty() && !queue.is_some_and(|queue| answer.queues.contains(queue)) {
        return false;
    }
    let calendar = state.targets.calendar(answer.calendar.as_ref());
    let is_open = calendar.is_none_or(|calendar| calendar.is_open(at));
    match answer.on {
        AnswerOn::Received => is_open,
        AnswerOn::Closed => !is_open,
        AnswerOn::Waiting => is_open && open.waits(),
    }
}

fn text_of(
    state: &State,
    at: Timestamp,
    answer: &AnswerSettings,
    (id, open, opened): (ConversationId, &Open, &Opened),
) -> String {
    let name = opened.customer.as_ref().and_then(|customer| customer.name.clone());
    let calendar = state.targets.calendar(answer.calendar.as_ref());
    let opens = calendar.and_then(|calendar| opening(calendar, at));
    let mut text = answer.text.clone();
    for (place, words) in [
        ("{position}", position(state, id, open).to_string()),
        ("{opens_at}", opens.unwrap_or_default()),
        // The customer's own words come last: what stands in them is not replaced.
        ("{name}", name.unwrap_or_default()),
    ] {
        text = text.replace(place, &words);
    }
    text
}

/// How many stand before it in its line, and itself.
fn position(state: &State, id: ConversationId, open: &Open) -> usize {
    let Some(queue) = state.queues.get(open.line).filter(|_| open.waits()) else { return 1 };
    let own = line_key(queue.work.order, id, open);
    let before = queue.waiting.values().flat_map(|line| line.iter().take_while(|key| **key < own));
    before.take(POSITION_MAX - 1).count() + 1
}

/// The next time at which it opens, by its own clock.
fn opening(calendar: &Calendar, at: Timestamp) -> Option<String> {
    let opens = calendar.open_after(at, 1)?.plus_millis(-1);
    Some(calendar.local(opens))
}

fn message_of(
    state: &State,
    (at, id): (Timestamp, MessageId),
    (answer, opened, open): (&AnswerSettings, &Opened, &Open),
    (kind, received, lookups): (ChannelKind, &Message, &Lookups<'_>),
) -> Message {
    let mail = mail::carries(kind);
    let queue = state.queues.get(open.queue).map(|queue| &queue.id);
    let named = queue.and_then(|queue| state.settings()?.queue(queue));
    let before = lookups.conversation.map(|row| row.mails.as_slice()).unwrap_or_default();
    // One that we made up is known to nobody else.
    let own = (!received.external_id.starts_with("generated:")).then_some(&received.external_id);
    let mut references: Vec<String> = before.iter().chain(own).filter(|_| mail).cloned().collect();
    references.drain(..references.len().saturating_sub(REFERRED_MAX));
    let class = AutomationClass::AutoReply;
    Message {
        kind: if mail { MessageKind::Email } else { MessageKind::Text },
        external_id: id.to_string(),
        thread: opened.thread.clone(),
        from: named.map(|queue| Party { name: Some(queue.name.clone()), ..Party::default() }),
        to: opened.customer.iter().cloned().collect(),
        sent_at: Some(at),
        subject: opened.subject.clone(),
        in_reply_to: references.last().cloned().into_iter().collect(),
        references,
        automation: Some(Automation { class, may_answer: false }),
        attributes: BTreeMap::from([(ANSWER_ATTRIBUTE.to_owned(), answer.id.to_string().into())]),
        ..Message::default()
    }
}
