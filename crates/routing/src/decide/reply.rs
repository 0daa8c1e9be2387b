//! What agents write: replies, notes, and sending again.

use postroom_model::{
    Actor, Attachment, Body, ChannelKind, Conversation, ConversationId, DeliveryState, Event,
    EventBody, Message, MessageId, MessageKind, NoteId, OutcomeKind, Party, Reason, ReplyDraft,
    Timestamp,
};

use super::{Decision, Lookups};
use crate::{State, codes};

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
    if reply
        .if_version
        .is_some_and(|version| open.message_version > version)
    {
        return Decision::rejected(
            codes::CONVERSATION_CHANGED,
            format!(
                "a message came after version {}",
                reply.if_version.unwrap_or(0)
            ),
        )
        .about(id);
    }
    let Some(channel) = state.channel(&row.channel) else {
        return Decision::rejected(
            codes::CHANNEL_NOT_FOUND,
            format!("the channel {} is no longer configured", row.channel),
        )
        .about(id);
    };
    if !channel.sends {
        return Decision::rejected(
            codes::CHANNEL_CANNOT_SEND,
            format!("the channel {} has no way out", row.channel),
        )
        .about(id);
    }
    let mut events = Vec::with_capacity(2);
    if open.owner.is_none()
        && let Some(agent) = actor.agent.as_ref().and_then(|agent| state.agent(agent))
    {
        let reason = Reason::FirstReply { by: actor.clone() };
        let assigned = EventBody::ConversationAssigned {
            agent: agent.id.clone(),
            cost: open.cost,
            reason,
        };
        if open.status != postroom_model::Status::Snoozed {
            events.push(Event::on(id, assigned));
        }
    }
    let (message, body) = compose(at, actor, reply, row, channel.kind);
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

fn compose(
    at: Timestamp,
    actor: &Actor,
    reply: &Reply,
    row: &Conversation,
    kind: ChannelKind,
) -> (Message, Body) {
    let mail = matches!(kind, ChannelKind::Email | ChannelKind::Imap);
    let attachments: Vec<Attachment> = reply.draft.attachments.clone();
    let message = Message {
        kind: if mail {
            MessageKind::Email
        } else {
            MessageKind::Text
        },
        external_id: reply.message.to_string(),
        thread: row.thread.clone(),
        from: Some(Party {
            name: Some(actor.name.clone()),
            ..Party::default()
        }),
        to: row.customer.iter().cloned().collect(),
        sent_at: Some(at),
        subject: row.subject.clone(),
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
    conversation: ConversationId,
    message: MessageId,
    actor: &Actor,
    lookups: &Lookups<'_>,
) -> Decision {
    let row = lookups
        .outbound
        .filter(|row| row.conversation == conversation);
    let Some(row) = row.filter(|row| row.id == message) else {
        return Decision::rejected(
            codes::MESSAGE_NOT_FOUND,
            "the conversation has no such reply",
        )
        .about(conversation);
    };
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
    let added = EventBody::NoteAdded {
        id: note,
        by: actor.clone(),
    };
    let mut decision = Decision::routed(Some(conversation), vec![Event::on(conversation, added)]);
    decision.bodies = vec![(
        note.0,
        Body {
            text: Some(text),
            ..Body::default()
        },
    )];
    decision
}
