//! Replies on their way out: who may send, each attempt, and what became of it (P7).

use postroom_model::{
    DeliveryInput, DeliveryState, Event, EventBody, InboundReceipt, MessageId, SendResult,
    Timestamp,
};

use super::{Decision, Lookups};
use crate::{State, codes};

pub(super) fn decide(
    state: &State,
    at: Timestamp,
    report: &DeliveryInput,
    lookups: &Lookups<'_>,
) -> Decision {
    match report {
        DeliveryInput::Own { channel, host } => own(state, channel, *host),
        // Hosts tell each other by the ledger; nothing is decided by it.
        DeliveryInput::Present { host, asks } => {
            let present = EventBody::DeliveryPresent { host: *host, asks: *asks };
            Decision::routed(None, vec![Event::global(present)])
        }
        DeliveryInput::Attempt { message, epoch } => attempt(state, at, *message, *epoch),
        DeliveryInput::Settle { message, epoch, attempt, result } => {
            settle(state, *message, (*epoch, *attempt), result, lookups)
        }
    }
}

/// A new owner. What the last one had begun may or may not have left.
fn own(
    state: &State,
    channel: &postroom_model::ChannelId,
    host: postroom_model::HostId,
) -> Decision {
    if state.channel(channel).is_none() {
        return Decision::rejected(
            codes::CHANNEL_NOT_FOUND,
            format!("no channel {channel} is configured"),
        );
    }
    let before = state.owners.get(channel);
    if before.is_some_and(|owner| owner.host == host) {
        return Decision::routed(None, vec![]);
    }
    let epoch = before.map_or(0, |owner| owner.epoch) + 1;
    let mut events =
        vec![Event::global(EventBody::DeliveryOwned { channel: channel.clone(), host, epoch })];
    for (message, delivery) in &state.deliveries {
        if delivery.channel == *channel && delivery.state == DeliveryState::Sending {
            let result = SendResult::Uncertain {
                code: "owner_lost".to_owned(),
                detail: "the process that was sending ended before it reported".to_owned(),
            };
            let settled = EventBody::DeliverySettled { message: *message, result };
            events.push(Event::on(delivery.conversation, settled));
        }
    }
    Decision::routed(None, events)
}

fn attempt(state: &State, at: Timestamp, message: MessageId, epoch: u64) -> Decision {
    let Some(delivery) = state.deliveries.get(&message) else {
        return Decision::rejected(codes::DELIVERY_NOT_WAITING, "the reply does not wait to leave");
    };
    if state.owners.get(&delivery.channel).is_none_or(|owner| owner.epoch != epoch) {
        return stale().about(delivery.conversation);
    }
    let due = match delivery.state {
        DeliveryState::Queued | DeliveryState::Waiting => delivery.next_at <= at,
        _ => false,
    };
    if !due {
        return Decision::rejected(codes::DELIVERY_NOT_WAITING, "the reply is not due")
            .about(delivery.conversation);
    }
    let attempted = EventBody::DeliveryAttempted { message, epoch, attempt: delivery.attempts + 1 };
    let mut decision = Decision::routed(
        Some(delivery.conversation),
        vec![Event::on(delivery.conversation, attempted)],
    );
    decision.message = Some(message);
    decision
}

fn stale() -> Decision {
    Decision::rejected(codes::STALE_OWNER, "another process sends for the channel now")
}

fn settle(
    state: &State,
    message: MessageId,
    (epoch, attempt): (u64, u32),
    result: &SendResult,
    lookups: &Lookups<'_>,
) -> Decision {
    let conversation = match state.deliveries.get(&message) {
        Some(delivery)
            if delivery.state == DeliveryState::Sending
                && delivery.epoch == epoch
                && delivery.attempts == attempt =>
        {
            delivery.conversation
        }
        Some(_) => return stale(),
        // A lost owner that reports late knows better than "uncertain".
        None => match lookups.outbound {
            Some(row)
                if row.state == DeliveryState::Uncertain
                    && row.attempts == attempt
                    && row.epoch.is_none_or(|known| known == epoch)
                    && matches!(result, SendResult::Sent { .. } | SendResult::Failed { .. }) =>
            {
                row.conversation
            }
            _ => return stale(),
        },
    };
    let settled = EventBody::DeliverySettled { message, result: result.clone() };
    let mut decision = Decision::routed(Some(conversation), vec![Event::on(conversation, settled)]);
    decision.message = Some(message);
    decision
}

/// A receipt counts if it tells more than is known; see [`DeliveryState::told`]. What is not known to
/// have left yet can be told by a receipt too.
pub(super) fn receipt(inbound: &InboundReceipt, at: Timestamp, lookups: &Lookups<'_>) -> Decision {
    let Some(row) = lookups.outbound.filter(|row| row.channel == inbound.channel) else {
        return Decision::rejected(
            codes::RECEIPT_UNKNOWN,
            "no reply with this id has left through the channel",
        );
    };
    let receipt = &inbound.receipt;
    let recorded = EventBody::ReceiptRecorded {
        message: row.id,
        status: receipt.status,
        at: receipt.at.unwrap_or(at),
        code: receipt.code.clone(),
    };
    let news = row.state.told(receipt.status).is_some();
    let events = if news { vec![Event::on(row.conversation, recorded)] } else { vec![] };
    let mut decision = Decision::routed(Some(row.conversation), events);
    decision.message = Some(row.id);
    decision
}
