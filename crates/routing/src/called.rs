//! A call as rules and conversations see it: a message of kind `call` from whoever is outside.

use postroom_model::{
    Address, Call, CallId, CallState, ChannelId, Direction, Disposition, Inbound, InboundCall,
    Message, MessageKind, Party, Timestamp, call_subject,
};
use serde_json::json;

use crate::State;
use crate::state::{ended_by_time, first};

/// The call with everything that is known of it by `at`, as a message of its channel. One that is not
/// over is told as it would be if nothing more came. Its thread is
/// the number outside, so that all calls with one number stand together; none if that is withheld or
/// there is nobody outside.
pub fn as_message(state: &State, inbound: &InboundCall, at: Timestamp) -> Inbound {
    let message = message_of(&if_nothing_comes(whole(state, inbound, at)));
    Inbound { channel: inbound.channel.clone(), message }
}

pub(crate) fn id_of(state: &State, channel: &ChannelId, call_id: &str) -> Option<CallId> {
    let settings = state.settings()?;
    Some(CallId::of_external(&settings.workspace, channel, call_id))
}

pub(crate) fn if_nothing_comes(call: Call) -> Call {
    if call.state == CallState::Ended { call } else { ended_by_time(call) }
}

/// All reports and this one.
pub(crate) fn whole(state: &State, inbound: &InboundCall, at: Timestamp) -> Call {
    let id = id_of(state, &inbound.channel, &inbound.call.call_id);
    let joined = match id.and_then(|id| state.calls.get(id)) {
        Some(known) => known.with(at, inbound),
        None => first(at, inbound),
    };
    joined.unwrap_or_else(|| inbound.call.clone())
}

/// When it counts: when it was over or, where that was not told, when it was answered or began. That is
/// not after it was heard of, whatever the clock of a telephone system says.
pub(crate) fn moment_of(call: &Call, heard_at: Timestamp) -> Timestamp {
    let told = call.ended_at.or(call.answered_at).or(call.started_at);
    told.map_or(heard_at, |told| told.min(heard_at))
}

/// Nobody of ours answered a customer.
pub(crate) fn is_missed(call: &Call) -> bool {
    let over = call.state == CallState::Ended && call.direction == Direction::In;
    over && call.disposition != Some(Disposition::Answered)
}

pub(crate) fn is_answered(call: &Call) -> bool {
    call.disposition == Some(Disposition::Answered)
}

/// Somebody of ours talks with a customer, or did.
pub(crate) fn is_taken(call: &Call) -> bool {
    is_answered(call) || call.state == CallState::Answered && call.disposition.is_none()
}

/// What a call has in common with those that belong to it: the id that they name, which is that of one
/// of them.
pub(crate) fn group_of(state: &State, id: CallId, channel: &ChannelId, call: &Call) -> CallId {
    let linked = call.linked_id.as_ref().and_then(|linked| id_of(state, channel, linked));
    linked.unwrap_or(id)
}

/// The number outside; none if it is withheld or there is nobody outside.
fn number_of(call: &Call) -> Option<&str> {
    let number = match call.direction {
        Direction::In => call.from.as_deref(),
        Direction::Out => call.to.as_deref().or(call.dialled.as_deref()),
        Direction::Internal => None,
    };
    // Where it is withheld stands a word, or zeros: strangers are not one customer.
    number.filter(|number| number.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
}

/// What all calls with one number have in common.
pub(crate) fn thread_of(call: &Call) -> Option<String> {
    number_of(call).map(|number| format!("tel:{number}"))
}

pub(crate) fn message_of(call: &Call) -> Message {
    let number = number_of(call);
    let name = match call.direction {
        Direction::In => call.from_name.clone(),
        Direction::Out => call.to_name.clone(),
        Direction::Internal => None,
    };
    // Only what is a number everywhere is an address of a person.
    let address = number.filter(|number| number.starts_with('+'));
    let address = address.and_then(|number| Address::new("tel", number).ok());
    let shown = name.as_deref().or(number).unwrap_or("a withheld number");
    let mut message = Message {
        kind: MessageKind::Call,
        external_id: call.call_id.clone(),
        thread: thread_of(call),
        sent_at: call.started_at,
        subject: Some(format!("{} {shown}", words(call))),
        ..Message::default()
    };
    if address.is_some() || name.is_some() || number.is_some() {
        let username = number.map(str::to_owned).filter(|_| address.is_none());
        message.from = Some(Party { address, name, username });
    }
    for (key, value) in [
        ("direction", json!(call.direction)),
        ("disposition", json!(call.disposition)),
        ("dialled", json!(call.dialled)),
        ("call_queue", json!(call.queue)),
        ("talk_s", json!(call.talk_s)),
        ("duration_s", json!(call.duration_s)),
    ] {
        if !value.is_null() {
            message.attributes.insert(key.to_owned(), value);
        }
    }
    message
}

fn words(call: &Call) -> &'static str {
    match (call.direction, call.disposition) {
        (Direction::Out, _) => call_subject::TO,
        (_, Some(Disposition::Answered)) => call_subject::FROM,
        (_, Some(Disposition::Voicemail)) => call_subject::VOICEMAIL,
        _ => call_subject::MISSED,
    }
}
