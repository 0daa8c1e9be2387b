//! Customers who write mails that answer each other. They come in any order, some of them twice, and
//! some to a reply address that names the thread of an earlier one.

use std::sync::Arc;

use postroom_model::{
    Address, Inbound, Input, InputBody, InputId, Message, MessageId, MessageKind, Party,
    SeededRandom, WorkspaceId, mail_thread,
};

use super::dice::{mix, named};
use super::inlet::LineInlet;
use super::line::Line;
use super::names::channel;
use super::stage::Stage;

const LANE: u64 = 12;
/// Mails of one thread; each answers the one before it.
const TURNS: u64 = 4;
const CUSTOMERS: u64 = 5;

pub(crate) async fn mails(stage: Arc<Stage>) {
    let random = SeededRandom::new(named(stage.plan.seed, "mails"));
    let inlet = LineInlet(Line::new(&stage, LANE, 0));
    let mut left: Vec<u64> = (0..stage.plan.mails).collect();
    while !left.is_empty() {
        stage.rest(LANE, random.below(150)).await;
        let place = usize::try_from(random.below(left.len() as u64)).unwrap_or(0);
        let number = left.get(place).copied().unwrap_or_default();
        if random.chance(80) {
            left.swap_remove(place);
        }
        inlet.give(&[mail(&stage, number / TURNS, number % TURNS)]).await;
    }
}

fn id_of(thread: u64, turn: u64) -> String {
    format!("{thread}-{turn}@example.com")
}

/// The same each time that it comes.
fn mail(stage: &Stage, thread: u64, turn: u64) -> Input {
    let fate = SeededRandom::new(mix(named(stage.plan.seed, "mail"), thread * TURNS + turn));
    let customer = thread % CUSTOMERS;
    let external_id = id_of(thread, turn);
    let by_address = fate.chance(30);
    let named = if by_address { fate.below(turn + 1) } else { turn };
    let before: Vec<String> = (0..turn).map(|turn| id_of(thread, turn)).collect();
    let mut message = Message {
        kind: MessageKind::Email,
        external_id: external_id.clone(),
        thread: Some(mail_thread::of(&id_of(thread, named))),
        from: Some(Party {
            address: Address::mail(&format!("c{customer}@example.com")).ok(),
            ..Party::default()
        }),
        text: Some(format!("mail {turn}")),
        in_reply_to: before.last().cloned().into_iter().collect(),
        references: before,
        ..Message::default()
    };
    if by_address {
        message.attributes.insert("reply_token".to_owned(), "verified".into());
    }
    let channel = channel("post");
    let id = MessageId::of_external(&WorkspaceId::main(), &channel, &external_id);
    let body = InputBody::Inbound(Box::new(Inbound { channel, message }));
    Input { id: InputId(id.0), at: stage.now(), body }
}
