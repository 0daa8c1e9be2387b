//! What an input brings about: one file for each kind of input.

pub(crate) mod answer;
pub(crate) mod call;
mod command;
mod contact;
mod delivery;
pub(crate) mod desk;
mod inbound;
pub(crate) mod ladder;
mod mail;
pub(crate) mod offer;
mod reply;
mod settings;
pub(crate) mod status;
pub(crate) mod sticky;
pub(crate) mod target;
mod timing;

pub(crate) use inbound::default_queue;
pub(crate) use mail::carries as carries_mail;
use std::borrow::Cow;

use postroom_model::{
    Address, Body, Contact, ContactId, Conversation, ConversationId, Event, Input, InputBody,
    InputId, MessageId, Outbound, Outcome, OutcomeKind, ParkedId, Position,
};
use uuid::Uuid;

pub use self::mail::{aside_key, awaited_key};
use crate::{Made, Routed, State};

/// What was looked up for an input, since the state does not hold it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lookups<'a> {
    /// The outcome of the same input, if it was decided before (P3).
    pub seen: Option<&'a Outcome>,
    /// Where the message's thread leads, merges followed to their end.
    pub thread: Option<ConversationId>,
    /// The thread is that of a mail which answered this one before it came.
    pub awaited: bool,
    /// The conversation that the thread or the command names.
    pub conversation: Option<&'a Conversation>,
    /// Whose that conversation is, merges of contacts followed to their end.
    pub participant: Option<ContactId>,
    /// What the sender of a mail wrote before about that conversation, without taking part in it.
    pub aside: Option<ConversationId>,
    pub aside_row: Option<&'a Conversation>,
    /// The other conversation of a merge; for a message, the one that `conversation` was merged
    /// into, if merges were not followed.
    pub into: Option<&'a Conversation>,
    /// Whose the sender's addresses are, in their order.
    pub addresses: &'a [(Address, Option<ContactId>)],
    /// The first known of those contacts, or the contact that a command names, whose conversation a
    /// reply is for, or to whom mail came back.
    pub contact: Option<&'a Contact>,
    /// The contacts of the sender's other addresses.
    pub others: &'a [Contact],
    /// The contact into which that one is to be merged, earlier merges followed to their end.
    pub into_contact: Option<&'a Contact>,
    /// The reply that a receipt, a report or a resend names.
    pub outbound: Option<&'a Outbound>,
    /// The input that was set aside under the id that the command names.
    pub parked: Option<&'a Input>,
    /// What the rules say; needed only where a conversation may be opened.
    pub routed: Option<&'a Routed>,
}

/// What the records hold of a conversation, merges followed to their end. Time asks it, of those that
/// [`State::late`] names.
pub type Past<'f, 'a> = &'f dyn Fn(ConversationId) -> Option<&'a Conversation>;

/// What is decided, before anything follows from it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    pub kind: Option<OutcomeKind>,
    pub code: Option<Cow<'static, str>>,
    pub detail: Option<String>,
    pub conversation: Option<ConversationId>,
    pub message: Option<MessageId>,
    pub events: Vec<Event>,
    /// Words of messages and notes, apart from the events.
    pub bodies: Vec<(Uuid, Body)>,
    /// Of a mail: what its copies are known by.
    pub prints: Vec<String>,
}

impl Decision {
    fn routed(conversation: Option<ConversationId>, events: Vec<Event>) -> Self {
        Self { kind: Some(OutcomeKind::Routed), conversation, events, ..Self::default() }
    }

    fn rejected(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: Some(OutcomeKind::Rejected),
            code: Some(Cow::Borrowed(code)),
            detail: Some(detail.into()),
            ..Self::default()
        }
    }

    fn about(mut self, conversation: ConversationId) -> Self {
        self.conversation = Some(conversation);
        self
    }

    /// The answer as it goes into the ledger.
    pub fn outcome(&self, position: Position, input: InputId, version: Option<u64>) -> Outcome {
        Outcome {
            position,
            input,
            kind: self.kind.unwrap_or(OutcomeKind::Routed),
            code: self.code.as_deref().map(str::to_owned),
            detail: self.detail.clone(),
            conversation: self.conversation,
            message: self.message,
            version,
            prints: self.prints.clone(),
        }
    }
}

/// Decides one input. Bad input from outside is never an error: it is rejected or parked, with the
/// reason.
pub fn decide(state: &State, input: Input, lookups: &Lookups<'_>, made: &mut Made) -> Decision {
    if let Some(seen) = lookups.seen {
        return mail::reused(&input, seen, made).unwrap_or_else(|| Decision {
            kind: Some(OutcomeKind::Duplicate),
            conversation: seen.conversation,
            message: seen.message,
            ..Decision::default()
        });
    }
    let Input { id, at, body } = input;
    match body {
        InputBody::Inbound(inbound) => inbound::decide(state, id, at, *inbound, lookups, made),
        InputBody::Call(call) => call::decide(state, id, at, *call, lookups, made),
        InputBody::Cursor(cursor) => {
            let moved = postroom_model::EventBody::CursorMoved(cursor);
            Decision::routed(None, vec![Event::global(moved)])
        }
        InputBody::Receipt(receipt) => {
            let mut decision = delivery::receipt(&receipt, at, lookups);
            decision.events.extend(mail::died(&receipt.receipt, lookups));
            decision
        }
        InputBody::Unparsed(unparsed) => {
            let (code, detail) = (unparsed.code.clone(), unparsed.detail.clone());
            park(Input { id, at, body: InputBody::Unparsed(unparsed) }, code, detail, made)
        }
        InputBody::Command(command) => command::decide(state, at, *command, lookups, made),
        InputBody::Settings(wanted) => settings::decide(state, *wanted),
        InputBody::Delivery(report) => delivery::decide(state, at, &report, lookups),
    }
}

/// Sets an input aside, whole, so that an operator can retry it.
fn park(input: Input, code: String, detail: String, made: &mut Made) -> Decision {
    Decision {
        kind: Some(OutcomeKind::Parked),
        code: Some(Cow::Owned(code.clone())),
        detail: Some(detail.clone()),
        events: vec![Event::global(postroom_model::EventBody::InputParked {
            id: ParkedId(made.next("parked")),
            code,
            detail,
            input: Box::new(input),
        })],
        ..Decision::default()
    }
}
