//! How the outbox takes in what the router decided. Never acts; what follows is for [`Outbox::due`].
//!
//! Most envelopes tell a host nothing. Their bytes say so in a fraction of the time that reading takes.

use postroom_model::envelope::EnvelopeError;
use postroom_model::{
    ChannelId, ConversationId, Envelope, Event, EventBody, HostId, MessageId, Outcome, OutcomeKind,
    SendResult, Timestamp,
};

use super::shelf::{Claim, Phase, Reply};
use super::{Grant, HELD_MAX, Outbox, Question, RETRY_MS, STALE_OWNER, slower};

/// How the head of an envelope begins whose version this program reads.
const KNOWN_VERSION: &[u8] = b"{\"v\":1,";
/// Every event that [`Outbox::apply_event`] does something with has one of these in its JSON. Words of
/// customers that look like it cost no more than reading the envelope.
const TOLD_BY: [&[u8]; 3] = [b"\"type\":\"reply.", b"\"type\":\"delivery.", b"\"type\":\"config."];

impl Outbox {
    /// Takes in the next envelope as the ledger has it.
    pub(crate) fn take(
        &mut self,
        seq: u64,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), EnvelopeError> {
        let (head, _) = Envelope::parts(bytes)?;
        if self.is_told_by(head) {
            let (envelope, _) = Envelope::decode(bytes)?;
            self.apply(seq, &envelope, now);
        }
        self.seq = seq;
        Ok(())
    }

    /// Whether this head of an envelope may hold something to fold.
    fn is_told_by(&self, head: &[u8]) -> bool {
        // Any outcome may be the answer to a question.
        !self.questions.is_empty()
            || !head.starts_with(KNOWN_VERSION)
            || TOLD_BY.iter().any(|words| memchr::memmem::find(head, words).is_some())
    }

    fn apply(&mut self, seq: u64, envelope: &Envelope, now: Timestamp) {
        self.seq = seq;
        for transition in &envelope.transitions {
            for event in &transition.events {
                self.apply_event(event, transition.at, now);
            }
            if let Some(outcome) = &transition.outcome {
                self.apply_outcome(outcome, now);
            }
        }
    }

    fn apply_event(&mut self, event: &Event, at: Timestamp, now: Timestamp) {
        match &event.body {
            EventBody::ReplyQueued { id, channel, .. } => {
                self.queued(*id, channel, (event.conversation, 0), at);
            }
            EventBody::DeliveryRequeued { message, channel, attempts, .. } => {
                self.queued(*message, channel, (event.conversation, *attempts), at);
            }
            EventBody::DeliveryOwned { channel, host, epoch } => self.owned(channel, *host, *epoch),
            EventBody::DeliveryPresent { host, asks } => {
                self.presence.said(*host, *asks, *host == self.host, now);
            }
            EventBody::DeliveryAttempted { message, epoch, attempt } => {
                self.attempted(*message, *epoch, *attempt);
            }
            EventBody::DeliverySettled { message, result } => self.settled(*message, result),
            EventBody::ConfigInstalled { .. } => self.ask_to_own_again(),
            _ => {}
        }
    }

    /// For the first time, or again because somebody asked for it.
    fn queued(
        &mut self,
        message: MessageId,
        channel: &ChannelId,
        (conversation, attempts_before): (Option<ConversationId>, u32),
        at: Timestamp,
    ) {
        // The row of the records is as new as this event or newer.
        if self.shelf.get(message).is_some() {
            return;
        }
        // What comes later must not overtake what was left in the records.
        self.overflowing |= self.shelf.len() >= HELD_MAX;
        if self.overflowing {
            return;
        }
        let reply = Reply {
            channel: channel.clone(),
            conversation,
            queued_at: at,
            next_at: at,
            attempts_before,
            refusals: 0,
            phase: Phase::Ready,
        };
        self.shelf.insert(message, reply);
    }

    fn owned(&mut self, channel: &ChannelId, host: HostId, epoch: u64) {
        let lane = self.shelf.lanes.entry(channel.clone()).or_default();
        if host == self.host {
            lane.claim = Claim::Owned(epoch);
        } else if matches!(lane.claim, Claim::Owned(_)) {
            self.lose(channel, Some(host));
        } else if matches!(lane.claim, Claim::Lost(_)) {
            lane.claim = Claim::Lost(Some(host));
        }
    }

    /// A channel that the router did not know may be known now.
    fn ask_to_own_again(&mut self) {
        for lane in self.shelf.lanes.values_mut() {
            if matches!(lane.claim, Claim::Due(_)) {
                lane.claim = Claim::Due(Timestamp::EPOCH);
            }
        }
    }

    fn lose(&mut self, channel: &ChannelId, to: Option<HostId>) {
        if let Some(lane) = self.shelf.lanes.get_mut(channel) {
            lane.claim = Claim::Lost(to);
        }
        self.grants.retain(|grant| grant.channel != *channel);
        self.lost.push(channel.clone());
    }

    fn attempted(&mut self, message: MessageId, epoch: u64, attempt: u32) {
        let Some(reply) = self.shelf.get(message) else {
            return;
        };
        let channel = reply.channel.clone();
        let attempt_since_queued = attempt.saturating_sub(reply.attempts_before);
        let ours = self.owns(&channel, epoch);
        self.shelf.change(message, |reply| {
            reply.phase = if ours { Phase::Running } else { Phase::Foreign };
            reply.refusals = 0;
        });
        if ours {
            self.grants.push_back(Grant { message, channel, epoch, attempt, attempt_since_queued });
        }
    }

    fn settled(&mut self, message: MessageId, result: &SendResult) {
        self.grants.retain(|grant| grant.message != message);
        match result {
            SendResult::Retry { retry_at, .. } => self.shelf.change(message, |reply| {
                reply.next_at = *retry_at;
                reply.phase = Phase::Ready;
            }),
            SendResult::Sent { .. } | SendResult::Failed { .. } | SendResult::Uncertain { .. } => {
                self.shelf.remove(message);
            }
        }
    }

    fn owns(&self, channel: &ChannelId, epoch: u64) -> bool {
        let lane = self.shelf.lanes.get(channel);
        lane.is_some_and(|lane| lane.claim == Claim::Owned(epoch))
    }

    /// The router's answer to what this host published. What it refused is looked up: the records
    /// know why.
    fn apply_outcome(&mut self, outcome: &Outcome, now: Timestamp) {
        let Some(question) = self.questions.remove(&outcome.input) else {
            return;
        };
        let refused = matches!(outcome.kind, OutcomeKind::Rejected | OutcomeKind::Parked);
        match question {
            Question::Own(channel) => {
                let lane = self.shelf.lanes.entry(channel).or_default();
                if lane.claim == Claim::Asked {
                    lane.claim = Claim::Due(now.plus_millis(slower(lane.refusals)));
                    lane.refusals = lane.refusals.saturating_add(1);
                }
            }
            Question::Attempt(message) => {
                if refused && outcome.code.as_deref() == Some(STALE_OWNER) {
                    self.lose_lane_of(message);
                }
                self.look_up_if(message, Phase::Asked, now);
            }
            Question::Settle(message) if refused => {
                self.look_up_if(message, Phase::Running, now);
            }
            Question::Settle(_) | Question::Present => {}
        }
    }

    /// The event that gave it to another host may have been folded already.
    fn lose_lane_of(&mut self, message: MessageId) {
        let channel = self.shelf.get(message).map(|reply| reply.channel.clone());
        let lane = channel.as_ref().and_then(|channel| self.shelf.lanes.get(channel));
        if lane.is_none_or(|lane| matches!(lane.claim, Claim::Lost(_))) {
            return;
        }
        if let Some(channel) = channel {
            self.lose(&channel, None);
        }
    }

    fn look_up_if(&mut self, message: MessageId, phase: Phase, now: Timestamp) {
        let at_least = self.seq;
        self.shelf.change(message, |reply| {
            if reply.phase == phase {
                reply.phase = Phase::Lookup { at_least };
                reply.next_at = now.plus_millis(RETRY_MS);
                reply.refusals = reply.refusals.saturating_add(1);
            }
        });
    }
}
