//! What agents write: replies, notes, and sending again.

use postroom_model::limits::{ATTACHMENTS_MAX, REPLY_BYTES_MAX};
use postroom_model::{
    Actor, Attachment, Body, ChannelId, ChannelKind, Conversation, ConversationId, DeliveryState,
    Event, EventBody, Message, MessageId, MessageKind, NoteId, OutcomeKind, Party, Reason,
    ReplyDraft, Status, Timestamp,
};

use super::{Decision, Lookups, mail};
use crate::state::Open;
use crate::{State, codes, matching};

/// What a reply command says.
#[derive(Debug)]
pub(super) struct Reply {
    pub conversation: ConversationId,
    pub message: MessageId,
    pub draft: ReplyDraft,
    pub if_version: Option<u64>,
}

/// Queues a reply. Its id is the delivery id, so it is reserved before the first attempt (P7).
pub(super) fn reply(
    state: &State,
    at: Timestamp,
    actor: &Actor,
    reply: &Reply,
    lookups: &Lookups<'_>,
) -> Decision {
    let id = reply.conversation;
    let (Some(row), Some(open)) = (lookups.conversation, state.conversations.get(&id)) else {
        return Decision::rejected(
            codes::CONVERSATION_RESOLVED,
            "the conversation is resolved; reopen it to reply",
        )
        .about(id);
    };
    if let Some(version) = reply.if_version.filter(|version| *version > row.version) {
        let detail =
            format!("if_version is {version}, the conversation has version {}", row.version);
        return Decision::rejected(codes::INVALID_VERSION, detail).about(id);
    }
    if reply.if_version.is_some_and(|version| open.message_version > version) {
        return Decision::rejected(
            codes::CONVERSATION_CHANGED,
            format!("a message came after version {}", reply.if_version.unwrap_or(0)),
        )
        .about(id);
    }
    if let Some(refusal) = no_way_out(state, &row.channel).or_else(|| too_large(&reply.draft)) {
        return refusal.about(id);
    }
    if mail::is_dead(row, lookups) {
        let detail = "mail to the customer came back: nobody is at that address";
        return Decision::rejected(codes::ADDRESS_DEAD, detail).about(id);
    }
    let mut events = Vec::with_capacity(3);
    // Whoever answers what was set aside has taken it up again.
    if open.status == Status::Snoozed {
        let reason = Reason::Asked { by: actor.clone() };
        events.push(Event::on(id, EventBody::ConversationWoken { reason }));
        events.extend(
            matching::returned(state, id, open).or_else(|| first_reply(state, id, open, actor)),
        );
    } else if open.owner.is_none() {
        events.extend(first_reply(state, id, open, actor));
    }
    let (message, body) = compose(at, actor, reply, row, state);
    events.push(Event::on(
        id,
        EventBody::ReplyQueued {
            id: reply.message,
            channel: row.channel.clone(),
            by: actor.clone(),
            message: Box::new(message),
        },
    ));
    Decision {
        kind: Some(OutcomeKind::Routed),
        conversation: Some(id),
        message: Some(reply.message),
        events,
        bodies: vec![(reply.message.0, body)],
        ..Decision::default()
    }
}

/// The first agent to answer a conversation that nobody has becomes its owner.
fn first_reply(state: &State, id: ConversationId, open: &Open, actor: &Actor) -> Option<Event> {
    let agent = actor.agent.as_ref().and_then(|agent| state.agent(agent))?.id.clone();
    let reason = Reason::FirstReply { by: actor.clone() };
    Some(Event::on(id, EventBody::ConversationAssigned { agent, cost: open.cost, reason }))
}

fn no_way_out(state: &State, id: &ChannelId) -> Option<Decision> {
    match state.channel(id) {
        Some(channel) if channel.sends => None,
        Some(_) => Some(Decision::rejected(
            codes::CHANNEL_CANNOT_SEND,
            format!("the channel {id} has no way out"),
        )),
        None => Some(Decision::rejected(
            codes::CHANNEL_NOT_FOUND,
            format!("the channel {id} is no longer configured"),
        )),
    }
}

/// The door checks this too; a command that came another way is held to the same limits (P12).
fn too_large(draft: &ReplyDraft) -> Option<Decision> {
    let html = draft.html.as_deref().unwrap_or("");
    let detail = if draft.text.len() > REPLY_BYTES_MAX || html.len() > REPLY_BYTES_MAX {
        format!("a reply has at most {REPLY_BYTES_MAX} bytes of text and of HTML")
    } else if draft.attachments.len() > ATTACHMENTS_MAX {
        format!("a reply has at most {ATTACHMENTS_MAX} files")
    } else {
        return None;
    };
    Some(Decision::rejected(codes::INVALID_COMMAND, detail))
}

fn compose(
    at: Timestamp,
    actor: &Actor,
    reply: &Reply,
    row: &Conversation,
    state: &State,
) -> (Message, Body) {
    let kind = state.channel(&row.channel).map(|channel| channel.kind);
    let mail = matches!(kind, Some(ChannelKind::Email | ChannelKind::Imap));
    let attachments: Vec<Attachment> = reply.draft.attachments.clone();
    let message = Message {
        kind: if mail { MessageKind::Email } else { MessageKind::Text },
        external_id: reply.message.to_string(),
        thread: row.thread.clone(),
        from: Some(Party { name: Some(actor.name.clone()), ..Party::default() }),
        to: row.customer.iter().cloned().collect(),
        sent_at: Some(at),
        subject: row.subject.clone(),
        in_reply_to: row.mails.last().cloned().into_iter().collect(),
        references: row.mails.clone(),
        attachments,
        attributes: reply.draft.attributes.clone(),
        ..Message::default()
    };
    let body = Body {
        text: Some(reply.draft.text.clone()),
        visible_text: None,
        html: reply.draft.html.clone(),
    };
    (message, body)
}

/// Sends again what failed or is uncertain: only because somebody asks, and with the same id.
pub(super) fn resend(
    state: &State,
    conversation: ConversationId,
    message: MessageId,
    actor: &Actor,
    lookups: &Lookups<'_>,
) -> Decision {
    let row = lookups.outbound.filter(|row| row.conversation == conversation);
    let Some(row) = row.filter(|row| row.id == message) else {
        return Decision::rejected(codes::MESSAGE_NOT_FOUND, "the conversation has no such reply")
            .about(conversation);
    };
    if let Some(refusal) = no_way_out(state, &row.channel) {
        return refusal.about(conversation);
    }
    if !matches!(row.state, DeliveryState::Failed | DeliveryState::Uncertain) {
        return Decision::rejected(
            codes::DELIVERY_NOT_WAITING,
            "only a reply that failed or is uncertain can be sent again",
        )
        .about(conversation);
    }
    let requeued = EventBody::DeliveryRequeued {
        message,
        channel: row.channel.clone(),
        attempts: row.attempts,
        by: actor.clone(),
    };
    let mut decision =
        Decision::routed(Some(conversation), vec![Event::on(conversation, requeued)]);
    decision.message = Some(message);
    decision
}

/// A note for colleagues. It may stand on a conversation that is done.
pub(super) fn note(
    conversation: ConversationId,
    note: NoteId,
    text: String,
    actor: &Actor,
) -> Decision {
    if text.len() > REPLY_BYTES_MAX {
        let detail = format!("a note has at most {REPLY_BYTES_MAX} bytes");
        return Decision::rejected(codes::INVALID_COMMAND, detail).about(conversation);
    }
    let added = EventBody::NoteAdded { id: note, by: actor.clone() };
    let mut decision = Decision::routed(Some(conversation), vec![Event::on(conversation, added)]);
    decision.bodies = vec![(note.0, Body { text: Some(text), ..Body::default() })];
    decision
}
