//! What the actors see of the house: the ledger's tail, as a gateway or a host follows it.

use std::collections::{BTreeMap, BTreeSet};

use postroom_bus::{Ledger as _, MemoryLedger, ReadLimits};
use postroom_model::{
    AgentId, ChannelId, ContactId, ConversationId, DeliveryState, Envelope, Event, EventBody,
    HostId, InputId, MessageId, OfferId, OutcomeKind, ParkedId, SendResult, Timestamp,
};

/// A reply on its way out, as a host sees it.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) channel: ChannelId,
    pub(crate) conversation: ConversationId,
    pub(crate) state: DeliveryState,
    pub(crate) attempt: u32,
    pub(crate) epoch: u64,
    pub(crate) next_at: Timestamp,
}

impl Reply {
    pub(crate) fn waits(&self) -> bool {
        matches!(self.state, DeliveryState::Queued | DeliveryState::Waiting)
    }
}

/// The ledger up to `seq`, as far as it matters to the actors.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) seq: u64,
    pub(crate) conversations: Vec<ConversationId>,
    /// Also those that were merged.
    pub(crate) contacts: Vec<ContactId>,
    pub(crate) versions: BTreeMap<ConversationId, u64>,
    pub(crate) outcomes: BTreeMap<InputId, OutcomeKind>,
    pub(crate) parked: BTreeSet<ParkedId>,
    pub(crate) replies: BTreeMap<MessageId, Reply>,
    pub(crate) owners: BTreeMap<ChannelId, (HostId, u64)>,
    /// Offers that were made, those that are over too.
    pub(crate) offers: Vec<(ConversationId, OfferId, Vec<AgentId>)>,
    /// Ids that providers gave to replies.
    pub(crate) provider_ids: Vec<(ChannelId, String)>,
}

impl View {
    /// Envelopes after `after`. What cannot be read is left to the judge.
    pub(crate) async fn news(ledger: &MemoryLedger, after: u64) -> Vec<(u64, Envelope)> {
        let limits = ReadLimits { entries_max: usize::MAX, bytes_max: usize::MAX };
        let entries = ledger.read(after, limits).await.unwrap_or_default();
        let decoded = entries
            .into_iter()
            .filter_map(|entry| Some((entry.seq, Envelope::decode(&entry.bytes).ok()?.0)));
        decoded.collect()
    }

    pub(crate) fn take(&mut self, news: Vec<(u64, Envelope)>) {
        for (seq, envelope) in news {
            if seq <= self.seq {
                continue;
            }
            self.seq = seq;
            for transition in &envelope.transitions {
                if let Some(outcome) = &transition.outcome
                    && outcome.kind != OutcomeKind::Duplicate
                {
                    self.outcomes.insert(outcome.input, outcome.kind);
                }
                for event in &transition.events {
                    self.see(transition.at, event);
                }
            }
        }
    }

    fn see(&mut self, at: Timestamp, event: &Event) {
        if let Some(id) = event.conversation {
            *self.versions.entry(id).or_default() += 1;
        }
        match (&event.body, event.conversation) {
            (EventBody::ConversationOpened(_), Some(id)) => self.conversations.push(id),
            (EventBody::OfferMade(made), Some(id)) => {
                // Most answers are given in time.
                if self.offers.len() > 5 {
                    self.offers.remove(0);
                }
                self.offers.push((id, made.offer, made.agents.clone()));
            }
            (EventBody::OfferExtended(made), Some(_)) => {
                for (_, offer, asked) in &mut self.offers {
                    if *offer == made.offer {
                        asked.clone_from(&made.agents);
                    }
                }
            }
            (EventBody::ContactCreated { contact }, _) => self.contacts.push(contact.id),
            (EventBody::InputParked { id, .. }, _) => drop(self.parked.insert(*id)),
            (EventBody::InputUnparked { id, .. }, _) => drop(self.parked.remove(id)),
            (EventBody::DeliveryOwned { channel, host, epoch }, _) => {
                self.owners.insert(channel.clone(), (*host, *epoch));
            }
            (EventBody::ReplyQueued { id, channel, .. }, Some(conversation)) => {
                let reply = Reply {
                    channel: channel.clone(),
                    conversation,
                    state: DeliveryState::Queued,
                    attempt: 0,
                    epoch: 0,
                    next_at: at,
                };
                self.replies.insert(*id, reply);
            }
            (body, _) => self.see_delivery(at, body),
        }
    }

    fn see_delivery(&mut self, at: Timestamp, body: &EventBody) {
        let (EventBody::DeliveryAttempted { message, .. }
        | EventBody::DeliverySettled { message, .. }
        | EventBody::DeliveryRequeued { message, .. }) = body
        else {
            return;
        };
        let Some(reply) = self.replies.get_mut(message) else { return };
        match body {
            EventBody::DeliveryAttempted { epoch, attempt, .. } => {
                reply.state = DeliveryState::Sending;
                (reply.epoch, reply.attempt) = (*epoch, *attempt);
            }
            EventBody::DeliveryRequeued { .. } => {
                reply.state = DeliveryState::Queued;
                reply.next_at = at;
            }
            EventBody::DeliverySettled { result, .. } => {
                reply.state = match result {
                    SendResult::Sent { external_id } => {
                        let given = external_id.clone().map(|id| (reply.channel.clone(), id));
                        self.provider_ids.extend(given);
                        DeliveryState::Sent
                    }
                    SendResult::Retry { retry_at, .. } => {
                        reply.next_at = *retry_at;
                        DeliveryState::Waiting
                    }
                    SendResult::Failed { .. } => DeliveryState::Failed,
                    SendResult::Uncertain { .. } => DeliveryState::Uncertain,
                };
            }
            _ => {}
        }
    }
}
