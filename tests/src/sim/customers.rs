//! Customers who write on several channels, and programs that post what nobody can read.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use postroom_bus::{encode_batch, encode_input};
use postroom_model::{
    Address, BlobRef, Call, CallLeg, CallState, ChannelId, Disposition, Inbound, InboundCall,
    Input, InputBody, InputId, LegStep, Message, MessageId, Party, Random as _, SeededRandom, Side,
    Timestamp, Unparsed, WorkspaceId,
};

use super::dice::named;
use super::inlet::LineInlet;
use super::line::Line;
use super::names::{CHANNELS, channel};
use super::stage::{BEGIN_MS, Stage};

const LANE: u64 = 5;
const CUSTOMERS: u64 = 5;
/// Calls of which there is something to tell.
const CALLS: u64 = 8;
const WORDS: [&str; 4] = ["refund please", "hello there", "where is it?", "你好"];

/// All customers; one writes at a time, so that the order of a thread is known.
pub(crate) async fn customers(stage: Arc<Stage>) {
    let random = SeededRandom::new(named(stage.plan.seed, "customers"));
    let inlet = LineInlet(Line::new(&stage, LANE, 0));
    let mut written = 0;
    while written < stage.plan.messages {
        stage.rest(LANE, random.below(60)).await;
        match random.below(20) {
            0 => inlet.give_raw(unreadable(&random, &stage)).await,
            1 => inlet.give(&[unparsed(&random, &stage)]).await,
            2..4 => inlet.give(&told(&random, &stage)).await,
            _ => {
                let count = 1 + random.below(4) * random.below(2);
                let inputs: Vec<Input> =
                    (0..count).map(|place| message(&random, &stage, written + place)).collect();
                for input in &inputs {
                    note_spoken(&stage, input);
                }
                inlet.give(&inputs).await;
                written += count;
            }
        }
    }
}

/// What a telephone system tells at a moment: some of all that there is to tell of its calls, in any
/// order, and often once more.
fn told(random: &SeededRandom, stage: &Stage) -> Vec<Input> {
    (0..=random.below(3)).map(|_| report(random, stage)).collect()
}

/// One of the reports of one of the calls, as a whole or of one leg.
fn report(random: &SeededRandom, stage: &Stage) -> Input {
    let number = random.below(CALLS);
    // Each call is told in the same words however often it is told.
    let fate = SeededRandom::new(named(stage.plan.seed, "call").wrapping_add(number));
    let caller = format!("+4930{}", fate.below(CUSTOMERS));
    let answered = fate.chance(50);
    let step = random.below(3);
    let (workspace, channel) = (WorkspaceId::main(), channel("calls"));
    let call_id = format!("call-{number}");
    // They were in the last minutes, so that what is told of them comes late and out of order.
    let begins = BEGIN_MS / 1_000 - 300 + i64::try_from(number).unwrap_or(0) * 40;
    let at = Timestamp::from_seconds(begins + i64::try_from(step).unwrap_or(0) * 10);
    let (id, told) = if fate.chance(40) {
        let step = match step {
            0 => LegStep::Start,
            1 if answered => LegStep::Answer,
            1 => LegStep::Other,
            _ => LegStep::End,
        };
        let outside = step != LegStep::Answer;
        let leg = CallLeg {
            at,
            step,
            leg_id: if outside { call_id.clone() } else { "201".to_owned() },
            number: Some(if outside { caller } else { "201".to_owned() }),
            number_side: if outside { Side::Outside } else { Side::Inside },
            ..CallLeg::default()
        };
        let id = InputId::of_leg(&workspace, &channel, &call_id, &leg);
        (id, InboundCall::of_leg(channel, call_id, leg))
    } else {
        let mut call = Call::unknown(call_id);
        call.from = Some(caller);
        call.started_at = Some(Timestamp::from_seconds(begins));
        call.state = match step {
            0 => CallState::Ringing,
            1 if answered => CallState::Answered,
            _ => CallState::Ended,
        };
        call.answered_at = Some(at).filter(|_| call.state == CallState::Answered);
        call.ended_at = Some(at).filter(|_| call.state == CallState::Ended);
        call.disposition = match (call.state, answered) {
            (CallState::Ringing, _) => None,
            (_, true) => Some(Disposition::Answered),
            (_, false) => Some(Disposition::NoAnswer),
        };
        (InputId::of_call(&workspace, &channel, &call), InboundCall::new(channel, call))
    };
    Input { id, at: stage.now(), body: InputBody::Call(Box::new(told)) }
}

fn note_spoken(stage: &Stage, input: &Input) {
    if let InputBody::Inbound(inbound) = &input.body
        && let Some(thread) = &inbound.message.thread
    {
        let key = (inbound.channel.clone(), thread.clone());
        stage.notes().spoken.entry(key).or_default().push(input.id);
    }
}

fn message(random: &SeededRandom, stage: &Stage, number: u64) -> Input {
    let customer = random.below(CUSTOMERS);
    // The channel `late` is configured late, if at all: what comes through it is set aside.
    let name = match random.below(12) {
        0..6 => "chat",
        6..10 => "desk",
        10 => "calls",
        _ => "late",
    };
    let channel = channel(name);
    let external_id = format!("{name}-{number}");
    let thread = (!random.chance(15)).then(|| format!("{customer}-{}", random.below(2)));
    let from = Party {
        address: sender(random, customer),
        name: random.chance(50).then(|| format!("Customer {customer}")),
        ..Party::default()
    };
    let text = WORDS.get(usize::try_from(random.below(4)).unwrap_or(0)).copied();
    let message = Message {
        external_id: external_id.clone(),
        thread,
        from: random.chance(90).then_some(from),
        subject: random.chance(30).then(|| format!("about {customer}")),
        text: text.map(|text| format!("{text} {number}")),
        attributes: attributes(random, customer),
        ..Message::default()
    };
    let id = MessageId::of_external(&WorkspaceId::main(), &channel, &external_id);
    let body = InputBody::Inbound(Box::new(Inbound { channel, message }));
    Input { id: InputId(id.0), at: stage.now(), body }
}

fn sender(random: &SeededRandom, customer: u64) -> Option<Address> {
    match random.below(3) {
        0 => Address::mail(&format!("c{customer}@example.com")).ok(),
        1 => Address::new("tel", &format!("+4930{customer}")).ok(),
        _ => Address::new("chat", &customer.to_string()).ok(),
    }
}

/// Numbers of every size: what a dialect knows comes back as it came.
fn attributes(random: &SeededRandom, customer: u64) -> BTreeMap<String, serde_json::Value> {
    let mut attributes = BTreeMap::new();
    if random.chance(30) {
        let score = f64::from_bits(random.next_u64());
        attributes.insert("score".to_owned(), serde_json::json!(score));
    }
    if random.chance(30) {
        let address = format!("mailto:c{customer}@example.com");
        attributes.insert("from_addresses".to_owned(), serde_json::json!([address]));
    }
    attributes
}

/// A publish that is no batch at all, or a batch one of whose elements is not an input.
fn unreadable(random: &SeededRandom, stage: &Stage) -> Bytes {
    if random.chance(30) {
        return Bytes::from(format!("\u{fffd}not json {}", random.below(3)));
    }
    let later = format!("{{\"kind\":\"of a later version\",\"number\":{}}}", random.below(3));
    let good = encode_input(&unparsed(random, stage)).unwrap_or_default();
    encode_batch(&[Bytes::from(later), good])
}

/// What a channel host could not read and kept raw.
fn unparsed(random: &SeededRandom, stage: &Stage) -> Input {
    let place = usize::try_from(random.below(CHANNELS.len() as u64)).unwrap_or(0);
    let channel: ChannelId = channel(CHANNELS.get(place).copied().unwrap_or("chat"));
    let content = format!("garbage {}", random.below(5));
    let unparsed = Unparsed {
        channel: channel.clone(),
        raw: BlobRef::of(content.as_bytes()),
        code: "body_not_json".to_owned(),
        detail: "not JSON".to_owned(),
    };
    let id = InputId::of_report(&WorkspaceId::main(), &channel, &content);
    Input { id, at: stage.now(), body: InputBody::Unparsed(unparsed) }
}
