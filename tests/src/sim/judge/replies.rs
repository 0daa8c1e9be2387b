//! P7: a reply leaves once. An attempt is granted to the owner of its channel alone, never while
//! another runs, and never after it may have left, unless somebody asks for it.

use std::collections::BTreeMap;

use postroom_model::{
    ChannelId, Event, EventBody, MessageId, ReceiptStatus, SendResult, Timestamp,
};

use super::{Case, Complaints};

/// What the events say of a reply.
#[derive(Debug)]
struct Reply {
    channel: ChannelId,
    stands: Stands,
    attempts: u32,
    requeued: u64,
    /// A receipt came while it was not yet known to have left.
    told: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// May leave from this moment on.
    Waits(Timestamp),
    Sending(u64),
    Uncertain(u64),
    Over,
}

#[derive(Debug, Default)]
struct Replies {
    owners: BTreeMap<ChannelId, u64>,
    all: BTreeMap<MessageId, Reply>,
}

pub(super) fn judge(case: &Case<'_>, complaints: &mut Complaints) {
    let mut replies = Replies::default();
    for (_, transition, event) in case.events() {
        replies.take(transition.at, event, complaints);
    }
    for (message, left) in &case.notes.left {
        let allowed = replies.all.get(message).map_or(0, |reply| reply.requeued + 1);
        complaints.unless(*left <= allowed, || {
            format!("P7: {message} left {left} times, asked for {allowed} times")
        });
    }
}

impl Replies {
    fn take(&mut self, at: Timestamp, event: &Event, complaints: &mut Complaints) {
        match &event.body {
            EventBody::DeliveryOwned { channel, epoch, .. } => {
                let before = self.owners.insert(channel.clone(), *epoch).unwrap_or(0);
                complaints.unless(*epoch > before, || {
                    format!("P7: the epoch of {channel} goes from {before} to {epoch}")
                });
            }
            EventBody::ReplyQueued { id, channel, .. } => {
                let reply = Reply {
                    channel: channel.clone(),
                    stands: Stands::Waits(at),
                    attempts: 0,
                    requeued: 0,
                    told: false,
                };
                let before = self.all.insert(*id, reply);
                complaints.unless(before.is_none(), || format!("P7: {id} was queued twice"));
            }
            EventBody::DeliveryAttempted { message, epoch, attempt } => {
                self.attempted(*message, *epoch, *attempt, at, complaints);
            }
            EventBody::DeliverySettled { message, result } => {
                self.settled(*message, result, complaints);
            }
            EventBody::DeliveryRequeued { message, .. } => {
                let Some(reply) = self.all.get_mut(message) else { return };
                let running = matches!(reply.stands, Stands::Sending(_)) && !reply.told;
                let waits = matches!(reply.stands, Stands::Waits(_));
                complaints.unless(!running && !waits, || {
                    format!("P7: {message} is queued again while it is {:?}", reply.stands)
                });
                reply.stands = Stands::Waits(at);
                reply.requeued += 1;
                reply.told = false;
            }
            EventBody::ReceiptRecorded { message, status, .. } => {
                let Some(reply) = self.all.get_mut(message) else { return };
                reply.told = true;
                let gone = *status != ReceiptStatus::Failed;
                match reply.stands {
                    Stands::Waits(_) if gone => reply.stands = Stands::Over,
                    Stands::Uncertain(_) => reply.stands = Stands::Over,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn attempted(
        &mut self,
        message: MessageId,
        epoch: u64,
        attempt: u32,
        at: Timestamp,
        complaints: &mut Complaints,
    ) {
        let Some(reply) = self.all.get_mut(&message) else {
            complaints.add(format!("P7: {message} is sent and was never queued"));
            return;
        };
        let due = matches!(reply.stands, Stands::Waits(from) if from <= at);
        complaints
            .unless(due, || format!("P7: {message} is granted while it is {:?}", reply.stands));
        let owner = self.owners.get(&reply.channel);
        complaints.unless(owner == Some(&epoch), || {
            format!("P7: {message} is granted to epoch {epoch}, the owner's is {owner:?}")
        });
        reply.attempts += 1;
        let expected = reply.attempts;
        complaints.unless(attempt == expected, || {
            format!("P7: attempt {attempt} of {message} is number {expected}")
        });
        reply.stands = Stands::Sending(epoch);
    }

    fn settled(&mut self, message: MessageId, result: &SendResult, complaints: &mut Complaints) {
        let Some(reply) = self.all.get_mut(&message) else { return };
        let late = matches!(reply.stands, Stands::Uncertain(_))
            && matches!(result, SendResult::Sent { .. } | SendResult::Failed { .. });
        let runs = matches!(reply.stands, Stands::Sending(_));
        complaints.unless(runs || late, || {
            format!("P7: {message} is settled while it is {:?}", reply.stands)
        });
        let epoch = match reply.stands {
            Stands::Sending(epoch) | Stands::Uncertain(epoch) => epoch,
            Stands::Waits(_) | Stands::Over => 0,
        };
        reply.stands = match result {
            SendResult::Retry { retry_at, .. } if !reply.told => Stands::Waits(*retry_at),
            SendResult::Uncertain { .. } if !reply.told => Stands::Uncertain(epoch),
            _ => Stands::Over,
        };
    }
}
