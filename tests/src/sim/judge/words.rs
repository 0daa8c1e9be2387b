//! P3: each message once, with its own words, in the conversation of its thread, in the order in
//! which the customer wrote.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    ChannelId, ConversationId, Event, EventBody, Inbound, InputBody, InputId, Message, MessageId,
    OutcomeKind,
};

use super::{Case, Complaints};

type Thread = (ChannelId, String);

/// Where each thread leads.
#[derive(Debug, Default)]
struct Threads {
    leads_to: BTreeMap<Thread, ConversationId>,
    merged_into: BTreeMap<ConversationId, ConversationId>,
}

impl Threads {
    fn take(&mut self, event: &Event, complaints: &mut Complaints) {
        let Some(id) = event.conversation else { return };
        match &event.body {
            EventBody::ConversationOpened(opened) => {
                let Some(thread) = &opened.thread else { return };
                let thread = (opened.channel.clone(), thread.clone());
                let before = self.leads_to.insert(thread.clone(), id);
                complaints.unless(before.is_none(), || {
                    format!("P3: {id} opens the thread {thread:?}, which has one already")
                });
            }
            EventBody::ConversationJoined { channel, thread: Some(thread) } => {
                self.leads_to.insert((channel.clone(), thread.clone()), id);
            }
            EventBody::ConversationReopened { .. } => {
                let merged = self.merged_into.get(&id);
                complaints
                    .unless(merged.is_none(), || format!("P3: {id} was merged and is open again"));
            }
            EventBody::ConversationMerged { into, .. } => {
                self.merged_into.insert(id, *into);
            }
            _ => {}
        }
    }

    /// The conversation of the thread, merges followed to their end.
    fn end_of(&self, thread: &Thread) -> Option<ConversationId> {
        let mut id = *self.leads_to.get(thread)?;
        for _ in 0..=self.merged_into.len() {
            match self.merged_into.get(&id) {
                Some(into) => id = *into,
                None => return Some(id),
            }
        }
        None
    }
}

pub(super) fn judge(case: &Case<'_>, complaints: &mut Complaints) {
    let written = written(case);
    let retried = retried(case);
    let mut threads = Threads::default();
    let mut received: BTreeSet<MessageId> = BTreeSet::new();
    let mut order: BTreeMap<Thread, Vec<InputId>> = BTreeMap::new();
    for (envelope, _, event) in case.events() {
        threads.take(event, complaints);
        let (EventBody::MessageReceived { id, message, mail, .. }, Some(conversation)) =
            (&event.body, event.conversation)
        else {
            continue;
        };
        complaints.unless(received.insert(*id), || format!("P3: {id} was received twice"));
        let input = InputId(id.0);
        let Some(inbound) = written.get(&input) else {
            complaints.add(format!("P3: {id} was received and never written"));
            continue;
        };
        let mut whole = Message::clone(message);
        if let Some(body) = envelope.bodies.get(&id.0) {
            body.put_into(&mut whole);
        }
        complaints.unless(whole == inbound.message, || format!("P3: {id} has other words"));
        // A mail finds its conversation in other ways, too.
        let Some(thread) = inbound.message.thread.as_ref().filter(|_| mail.is_none()) else {
            continue;
        };
        let thread = (inbound.channel.clone(), thread.clone());
        let right = threads.end_of(&thread);
        complaints.unless(right == Some(conversation), || {
            format!("P3: {id} of {thread:?} went to {conversation}, not to {right:?}")
        });
        if !retried.contains(&input) {
            order.entry(thread).or_default().push(input);
        }
    }
    in_order(case, &order, complaints);
    for (_, transition) in case.transitions() {
        let Some(outcome) = &transition.outcome else { continue };
        if outcome.kind == OutcomeKind::Routed && written.contains_key(&outcome.input) {
            let id = MessageId(outcome.input.0);
            complaints.unless(received.contains(&id), || format!("P3: {id} was lost"));
        }
    }
}

/// Every message that was accepted.
fn written<'a>(case: &'a Case<'_>) -> BTreeMap<InputId, &'a Inbound> {
    let inbound = case.inputs.iter().filter_map(|(_, input)| {
        let input = input.as_ref()?;
        match &input.body {
            InputBody::Inbound(inbound) => Some((input.id, &**inbound)),
            _ => None,
        }
    });
    inbound.collect()
}

/// Messages that were set aside first, and so may come after later ones.
fn retried(case: &Case<'_>) -> BTreeSet<InputId> {
    let parked = case.events().filter_map(|(_, _, event)| match &event.body {
        EventBody::InputParked { input, .. } => Some(input.id),
        _ => None,
    });
    parked.collect()
}

fn in_order(case: &Case<'_>, order: &BTreeMap<Thread, Vec<InputId>>, complaints: &mut Complaints) {
    for (thread, received) in order {
        let spoken = case.notes.spoken.get(thread).map_or(&[][..], Vec::as_slice);
        let mut rest = spoken.iter();
        let same = received.iter().all(|id| rest.any(|spoken| spoken == id));
        complaints.unless(same, || format!("P3: {thread:?} is not in the order of writing"));
    }
}
