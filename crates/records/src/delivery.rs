//! What each event means for a reply on its way out, and for the note beside it in the timeline.
//!
//! A reply never moves in a way that would let it leave twice (P7): what a receipt has told is not
//! taken back by a late report of the host.

use postroom_model::{DeliveryState, EventBody, MessageId, Outbound, SendResult, Timestamp};

use crate::fold::{Effect, Fact};
use crate::{DeliveryNote, Key, Row};

/// What follows from a reply having moved on.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Its entry in the timeline.
    pub(crate) entry: Key,
    /// What the entry shall say; none if it stays as it is.
    pub(crate) note: Option<DeliveryNote>,
    /// The id by which receipts will name it, if it has just been given one.
    pub(crate) sent: Option<(Key, MessageId)>,
}

/// Edits the row of the reply that the event names; nothing if there is none.
pub(crate) fn edit(row: &mut Option<Row>, fact: Fact<'_>) -> Effect {
    let Some(Row::Outbound(row)) = row else {
        return Effect::Nothing;
    };
    let outbound = &mut row.outbound;
    let mut why = Some(Why::default());
    let mut sent = None;
    let mut updated_at = fact.at;
    match &fact.event.body {
        EventBody::DeliveryAttempted { epoch, attempt, .. } => {
            outbound.state = DeliveryState::Sending;
            outbound.attempts = *attempt;
            outbound.epoch = Some(*epoch);
        }
        EventBody::DeliverySettled { result, .. } => {
            if let SendResult::Sent { external_id: Some(external_id) } = result {
                let key = Key::Sent(outbound.channel.clone(), external_id.clone());
                sent = Some((key, outbound.id));
            }
            why = settle(outbound, result);
        }
        EventBody::DeliveryRequeued { attempts, .. } => {
            outbound.state = DeliveryState::Queued;
            outbound.attempts = *attempts;
            outbound.next_at = fact.at;
            outbound.queued_at = fact.at;
            outbound.epoch = None;
        }
        EventBody::ReceiptRecorded { status, at, code, .. } => {
            let Some(state) = outbound.state.told(*status) else {
                return Effect::Nothing;
            };
            outbound.state = state;
            outbound.epoch = None;
            why = Some(Why { code: code.clone(), ..Why::default() });
            updated_at = *at;
        }
        _ => return Effect::Nothing,
    }
    let note = why.map(|why| DeliveryNote {
        state: outbound.state,
        attempts: outbound.attempts,
        updated_at,
        code: why.code,
        detail: why.detail,
        next_at: why.next_at,
    });
    let entry = Key::Timeline(outbound.conversation, row.position);
    Effect::Moved(Box::new(Progress { entry, note, sent }))
}

#[derive(Default)]
struct Why {
    code: Option<String>,
    detail: Option<String>,
    next_at: Option<Timestamp>,
}

/// What the host reports of its attempt. A receipt that came first stands.
fn settle(outbound: &mut Outbound, result: &SendResult) -> Option<Why> {
    // A lost owner may report late what became of its attempt, so that an uncertain one keeps its epoch.
    if !matches!(result, SendResult::Uncertain { .. }) {
        outbound.epoch = None;
    }
    if outbound.state.is_known() {
        return None;
    }
    let (state, code, detail, next_at) = match result {
        SendResult::Sent { .. } => (DeliveryState::Sent, None, None, None),
        SendResult::Retry { retry_at, code, detail } => {
            outbound.next_at = *retry_at;
            (DeliveryState::Waiting, Some(code), Some(detail), Some(*retry_at))
        }
        SendResult::Failed { code, detail } => {
            (DeliveryState::Failed, Some(code), Some(detail), None)
        }
        SendResult::Uncertain { code, detail } => {
            (DeliveryState::Uncertain, Some(code), Some(detail), None)
        }
    };
    outbound.state = state;
    Some(Why { code: code.cloned(), detail: detail.cloned(), next_at })
}
