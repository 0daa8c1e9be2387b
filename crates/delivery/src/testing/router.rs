//! A router for delivery alone: decides as the protocol says and keeps the rows that follow.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::digest::Digest;
use postroom_model::{
    Action, Actor, Bodies, Body, ChannelId, Command, CommandId, ConversationId, DeliveryInput,
    DeliveryState, Envelope, Event, EventBody, HostId, Input, InputBody, InputId, Message,
    MessageId, Outbound, Outcome, OutcomeKind, Position, ReplyDraft, SendResult, Timestamp,
    Transition,
};
use postroom_records::OutboundRow;

#[derive(Debug, Default)]
pub(crate) struct Router {
    pub(crate) rows: BTreeMap<MessageId, OutboundRow>,
    /// Through which channel the replies of a conversation leave; `site` where none is named.
    pub(crate) channels: BTreeMap<ConversationId, ChannelId>,
    owners: BTreeMap<ChannelId, (HostId, u64)>,
    seen: BTreeSet<InputId>,
    bodies: Bodies,
    events: u64,
}

impl Router {
    /// An agent's reply as an input; its id is that of the message.
    pub(crate) fn reply(
        at: Timestamp,
        conversation: ConversationId,
        message: MessageId,
        draft: ReplyDraft,
    ) -> Input {
        let action = Action::Reply { conversation, message, draft, if_version: None };
        command(at, message.0, action)
    }

    pub(crate) fn resend(
        at: Timestamp,
        id: uuid::Uuid,
        conversation: ConversationId,
        message: MessageId,
    ) -> Input {
        let action = Action::Resend { conversation, message };
        command(at, id, action)
    }

    /// What one input causes. Applied already when this returns.
    pub(crate) fn decide(&mut self, input: &Input) -> Transition {
        let decided = if self.seen.insert(input.id) { self.events_of(input) } else { Err(None) };
        let (kind, code, events) = match decided {
            Ok(events) => (OutcomeKind::Routed, None, events),
            Err(None) => (OutcomeKind::Duplicate, None, vec![]),
            Err(Some(code)) => (OutcomeKind::Rejected, Some(code.to_owned()), vec![]),
        };
        for event in &events {
            self.events += 1;
            self.apply(event, input.at);
        }
        let outcome = Outcome {
            position: Position::default(),
            input: input.id,
            kind,
            code,
            detail: None,
            conversation: None,
            message: None,
            version: None,
            prints: vec![],
        };
        Transition { outcome: Some(outcome), at: input.at, events }
    }

    /// The envelope of transitions that were just decided.
    pub(crate) fn envelope(&mut self, at: Timestamp, transitions: Vec<Transition>) -> Envelope {
        let count: usize = transitions.iter().map(|each| each.events.len()).sum();
        Envelope {
            v: 1,
            epoch: 1,
            writer: uuid::Uuid::nil(),
            at,
            prev_hash: Digest::ZERO,
            inlet_seq: 0,
            first_event: (self.events + 1).saturating_sub(count as u64),
            transitions,
            bodies_hash: Digest::ZERO,
            bodies: std::mem::take(&mut self.bodies),
        }
    }

    /// As the records answer it.
    pub(crate) fn outbox(&self) -> Vec<Outbound> {
        let mut rows: Vec<&OutboundRow> =
            self.rows.values().filter(|row| unsettled(row.outbound.state)).collect();
        rows.sort_by_key(|row| row.position);
        rows.into_iter().map(|row| row.outbound.clone()).collect()
    }

    fn events_of(&mut self, input: &Input) -> Result<Vec<Event>, Option<&'static str>> {
        match &input.body {
            InputBody::Command(command) => self.carry_out(&command.action),
            InputBody::Delivery(DeliveryInput::Own { channel, host }) => {
                Ok(self.own(channel, *host))
            }
            InputBody::Delivery(DeliveryInput::Present { host, asks }) => {
                let present = EventBody::DeliveryPresent { host: *host, asks: *asks };
                Ok(vec![Event::global(present)])
            }
            InputBody::Delivery(DeliveryInput::Attempt { message, epoch }) => {
                self.attempt(input.at, *message, *epoch)
            }
            InputBody::Delivery(DeliveryInput::Settle { message, epoch, attempt, result }) => {
                self.settle(*message, (*epoch, *attempt), result)
            }
            _ => Err(Some("not_here")),
        }
    }

    fn carry_out(&mut self, action: &Action) -> Result<Vec<Event>, Option<&'static str>> {
        match action {
            Action::Reply { conversation, message, draft, .. } => {
                let mut words = Message {
                    text: Some(draft.text.clone()),
                    attachments: draft.attachments.clone(),
                    ..Message::default()
                };
                self.bodies.insert(message.0, Body::take_from(&mut words));
                let channel = self.channels.get(conversation).cloned();
                let queued = EventBody::ReplyQueued {
                    id: *message,
                    channel: channel.unwrap_or_else(|| super::channel("site")),
                    by: Actor::operator(),
                    message: Box::new(words),
                };
                Ok(vec![Event::on(*conversation, queued)])
            }
            Action::Resend { conversation, message } => {
                let row = self.rows.get(message).ok_or(Some("message_not_found"))?;
                let outbound = &row.outbound;
                if unsettled(outbound.state) || outbound.state == DeliveryState::Sent {
                    return Err(Some("delivery_not_waiting"));
                }
                let requeued = EventBody::DeliveryRequeued {
                    message: *message,
                    channel: outbound.channel.clone(),
                    attempts: outbound.attempts,
                    by: Actor::operator(),
                };
                Ok(vec![Event::on(*conversation, requeued)])
            }
            _ => Err(Some("not_here")),
        }
    }

    fn own(&self, channel: &ChannelId, host: HostId) -> Vec<Event> {
        let epoch = self.owners.get(channel).map_or(0, |(_, epoch)| *epoch) + 1;
        let mut events =
            vec![Event::global(EventBody::DeliveryOwned { channel: channel.clone(), host, epoch })];
        let running = self.rows.values().map(|row| &row.outbound);
        let running = running.filter(|outbound| {
            outbound.channel == *channel && outbound.state == DeliveryState::Sending
        });
        events.extend(running.map(|outbound| {
            let result =
                SendResult::Uncertain { code: "owner_lost".to_owned(), detail: String::new() };
            let message = outbound.id;
            let settled = EventBody::DeliverySettled { message, result };
            Event::on(outbound.conversation, settled)
        }));
        events
    }

    fn attempt(
        &self,
        at: Timestamp,
        message: MessageId,
        epoch: u64,
    ) -> Result<Vec<Event>, Option<&'static str>> {
        let row = self.rows.get(&message).ok_or(Some("message_not_found"))?;
        let outbound = &row.outbound;
        let owner = self.owners.get(&outbound.channel);
        if owner.is_none_or(|(_, current)| *current != epoch) {
            return Err(Some("stale_owner"));
        }
        let waits = matches!(outbound.state, DeliveryState::Queued | DeliveryState::Waiting);
        if !waits || outbound.next_at > at {
            return Err(Some("delivery_not_waiting"));
        }
        let attempted =
            EventBody::DeliveryAttempted { message, epoch, attempt: outbound.attempts + 1 };
        Ok(vec![Event::on(outbound.conversation, attempted)])
    }

    fn settle(
        &self,
        message: MessageId,
        (epoch, attempt): (u64, u32),
        result: &SendResult,
    ) -> Result<Vec<Event>, Option<&'static str>> {
        let row = self.rows.get(&message).ok_or(Some("message_not_found"))?;
        let outbound = &row.outbound;
        let running = outbound.state == DeliveryState::Sending
            && outbound.epoch == Some(epoch)
            && outbound.attempts == attempt;
        if !running {
            return Err(Some("stale_owner"));
        }
        let result = result.clone();
        let settled = EventBody::DeliverySettled { message, result };
        Ok(vec![Event::on(outbound.conversation, settled)])
    }

    fn apply(&mut self, event: &Event, at: Timestamp) {
        match &event.body {
            EventBody::DeliveryOwned { channel, host, epoch } => {
                self.owners.insert(channel.clone(), (*host, *epoch));
            }
            EventBody::ReplyQueued { id, channel, message, .. } => {
                let mut words = (**message).clone();
                if let Some(body) = self.bodies.get(&id.0) {
                    body.put_into(&mut words);
                }
                let outbound = Outbound {
                    id: *id,
                    channel: channel.clone(),
                    conversation: event.conversation.unwrap(),
                    thread: None,
                    to: vec![],
                    message: words,
                    state: DeliveryState::Queued,
                    attempts: 0,
                    next_at: at,
                    queued_at: at,
                    epoch: None,
                };
                let position = self.events;
                self.rows.insert(*id, OutboundRow { outbound, position });
            }
            EventBody::DeliveryAttempted { message, epoch, attempt } => {
                self.edit(*message, |outbound| {
                    outbound.state = DeliveryState::Sending;
                    outbound.attempts = *attempt;
                    outbound.epoch = Some(*epoch);
                });
            }
            EventBody::DeliverySettled { message, result } => self.edit(*message, |outbound| {
                outbound.epoch = None;
                outbound.state = match result {
                    SendResult::Sent { .. } => DeliveryState::Sent,
                    SendResult::Retry { retry_at, .. } => {
                        outbound.next_at = *retry_at;
                        DeliveryState::Waiting
                    }
                    SendResult::Failed { .. } => DeliveryState::Failed,
                    SendResult::Uncertain { .. } => DeliveryState::Uncertain,
                };
            }),
            EventBody::DeliveryRequeued { message, .. } => self.edit(*message, |outbound| {
                outbound.state = DeliveryState::Queued;
                outbound.next_at = at;
                outbound.queued_at = at;
            }),
            _ => {}
        }
    }

    fn edit(&mut self, message: MessageId, edit: impl FnOnce(&mut Outbound)) {
        edit(&mut self.rows.get_mut(&message).unwrap().outbound);
    }
}

fn unsettled(state: DeliveryState) -> bool {
    matches!(state, DeliveryState::Queued | DeliveryState::Waiting | DeliveryState::Sending)
}

fn command(at: Timestamp, id: uuid::Uuid, action: Action) -> Input {
    Input {
        id: InputId(id),
        at,
        body: InputBody::Command(Box::new(Command {
            id: CommandId(id),
            actor: Actor::operator(),
            action,
        })),
    }
}
