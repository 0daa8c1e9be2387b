//! What a batch needs to know, asked for in as few round trips as it takes.
//!
//! Which rows an input needs can depend on rows that were loaded for it (a thread leads to a
//! conversation), so keys are asked for until nothing new is wanted.

use std::collections::BTreeSet;

use postroom_model::{
    Action, Address, Contact, ContactId, ConversationId, DeliveryInput, Inbound, InboundCall,
    Input, InputBody, MessageId, MessageKind, Timestamp, mail_thread,
};
use postroom_records::{Ground, Key, Sheet};
use postroom_routing::{DUE_MAX, Lookups, State, as_message, aside_key, awaited_key};

use crate::RouterError;

/// Rows lead to rows: a parked input to its thread, that to a conversation, that to the one it was
/// merged into, and so on. The limits of the model let no chain of merges come near.
const ROUNDS_MAX: usize = 64;

/// Mails that one answers which are looked for, the nearest first.
const ANSWERED_MAX: usize = 20;

/// The addresses of the sender: the one it wrote from, then others that the adapter knows. A user of a
/// webhook channel is one within that channel only: two programs may both have a user 42.
pub(crate) fn addresses_of(inbound: &Inbound) -> Vec<Address> {
    let message = &inbound.message;
    let first = message.from.as_ref().and_then(|from| from.address.clone());
    let further = message.attributes.get("from_addresses").and_then(|list| list.as_array());
    let further = further.into_iter().flatten().filter_map(|text| text.as_str()?.parse().ok());
    let mut addresses: Vec<Address> = Vec::new();
    for address in first.into_iter().chain(further) {
        let within = format!("{}/{}", inbound.channel, address.name());
        let address = match address.scheme() {
            "webhook" => Address::new("webhook", &within).unwrap_or(address),
            _ => address,
        };
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// Loads all that the inputs need into the sheet, and what time may ask for at `now`.
pub(crate) async fn preload(
    ground: Ground<'_>,
    state: &State,
    sheet: &mut Sheet,
    inputs: impl Iterator<Item = &Input> + Clone,
    now: Timestamp,
) -> Result<(), RouterError> {
    for _ in 0..ROUNDS_MAX {
        let mut wanted = BTreeSet::from([Key::Totals]);
        let late = state.late(now).take(DUE_MAX);
        wanted.extend(late.map(|id| Key::Conversation(end_of_merges(id, sheet))));
        for input in inputs.clone() {
            wanted_by(input, state, sheet, &mut wanted);
        }
        let keys: Vec<Key> = wanted.into_iter().filter(|key| !sheet.is_loaded(key)).collect();
        if keys.is_empty() {
            break;
        }
        ground.load(sheet, keys).await?;
    }
    Ok(())
}

fn wanted_by(input: &Input, state: &State, sheet: &Sheet, wanted: &mut BTreeSet<Key>) {
    wanted.insert(Key::Seen(input.id));
    match &input.body {
        InputBody::Inbound(inbound) => wanted_by_message(inbound, sheet, wanted),
        // An earlier report may have named the number: by the state, or as another input of the batch.
        InputBody::Call(call) => {
            wanted_by_message(&as_message(state, call, input.at), sheet, wanted);
        }
        InputBody::Receipt(inbound) => {
            let external = &inbound.receipt.external_id;
            if let Ok(message) = external.parse() {
                wanted.insert(Key::Outbound(message));
            }
            wanted.insert(Key::Sent(inbound.channel.clone(), external.clone()));
            if let Some(message) = sheet.sent(&inbound.channel, external) {
                wanted.insert(Key::Outbound(message));
            }
            if let Some(dead) = &inbound.receipt.dead {
                wanted.insert(Key::Address(dead.clone()));
                wanted.extend(sheet.address(dead).map(Key::Contact));
            }
        }
        InputBody::Command(command) => {
            wanted.extend(command.action.conversation().map(Key::Conversation));
            match &command.action {
                Action::Merge { into, .. } => {
                    wanted.insert(Key::Conversation(*into));
                }
                Action::Resend { message, .. } => {
                    wanted.insert(Key::Outbound(*message));
                }
                Action::Reply { conversation, .. } => {
                    let row = sheet.conversation(*conversation);
                    let contact = row.and_then(|row| row.contact);
                    wanted.extend(contact.map(|id| Key::Contact(end_of_contact(id, sheet))));
                }
                Action::MergeContact { contact, into } => {
                    wanted.insert(Key::Contact(*contact));
                    wanted.insert(Key::Contact(end_of_contact(*into, sheet)));
                }
                Action::RetryParked { parked } | Action::DropParked { parked } => {
                    wanted.insert(Key::Parked(*parked));
                    match sheet.parked(*parked).map(|parked| &parked.input.body) {
                        Some(InputBody::Inbound(inbound)) => {
                            wanted_by_message(inbound, sheet, wanted);
                        }
                        Some(InputBody::Call(call)) => {
                            let message = as_message(state, call, input.at);
                            wanted_by_message(&message, sheet, wanted);
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        InputBody::Delivery(
            DeliveryInput::Attempt { message, .. } | DeliveryInput::Settle { message, .. },
        ) => {
            wanted.insert(Key::Outbound(*message));
            if let Some(row) = sheet.outbound(*message) {
                wanted.insert(Key::Conversation(row.outbound.conversation));
                wanted.insert(Key::Timeline(row.outbound.conversation, row.position));
            }
        }
        InputBody::Delivery(DeliveryInput::Own { .. } | DeliveryInput::Present { .. })
        | InputBody::Settings(_)
        | InputBody::Cursor(_)
        | InputBody::Unparsed(_) => {}
    }
}

fn wanted_by_message(inbound: &Inbound, sheet: &Sheet, wanted: &mut BTreeSet<Key>) {
    for thread in threads_of(inbound).into_iter().chain(awaited_of(inbound)) {
        let channel = &inbound.channel;
        if let Some(id) = sheet.thread(channel, &thread).map(|id| end_of_merges(id, sheet)) {
            wanted.insert(Key::Conversation(id));
            let contact = sheet.conversation(id).and_then(|row| row.contact);
            wanted.extend(contact.map(|id| Key::Contact(end_of_contact(id, sheet))));
            if let Some(aside) = aside_of(inbound, id) {
                let before = sheet.thread(channel, &aside).map(|id| end_of_merges(id, sheet));
                wanted.extend(before.map(Key::Conversation));
                wanted.insert(Key::Thread(channel.clone(), aside));
            }
        }
        wanted.insert(Key::Thread(channel.clone(), thread));
    }
    for address in addresses_of(inbound) {
        wanted.extend(sheet.address(&address).map(Key::Contact));
        wanted.insert(Key::Address(address));
    }
}

/// The threads to which the message may belong, the likeliest first: the one that it names and, for a
/// mail, those of the mails that it answers.
fn threads_of(inbound: &Inbound) -> Vec<String> {
    let message = &inbound.message;
    let mut threads: Vec<String> = message.thread.iter().cloned().collect();
    if message.kind == MessageKind::Email {
        let nearest = message.in_reply_to.iter().chain(message.references.iter().rev());
        let named = nearest.filter(|id| !id.is_empty()).take(ANSWERED_MAX);
        for thread in named.map(|id| mail_thread::of(id)) {
            if !threads.contains(&thread) {
                threads.push(thread);
            }
        }
    }
    threads
}

/// The key of what the sender of a mail wrote about a conversation without taking part in it.
fn aside_of(inbound: &Inbound, id: ConversationId) -> Option<String> {
    let mail = inbound.message.kind == MessageKind::Email;
    mail.then(|| aside_key(&inbound.message, id)).flatten()
}

/// The key under which a mail is awaited that was answered before it came.
fn awaited_of(inbound: &Inbound) -> Option<String> {
    let mail = inbound.message.kind == MessageKind::Email;
    mail.then(|| awaited_key(&inbound.message)).flatten()
}

/// The conversation that waits for this mail.
fn awaits(inbound: &Inbound, sheet: &Sheet) -> Option<ConversationId> {
    let id = sheet.thread(&inbound.channel, &awaited_of(inbound)?)?;
    Some(end_of_merges(id, sheet))
}

/// Where the message's threads lead, merges followed as far as they are loaded: to the first
/// conversation in which its sender takes part, else to the first.
fn end_of_thread(inbound: &Inbound, sheet: &Sheet) -> Option<ConversationId> {
    let threads = threads_of(inbound);
    let found = threads.iter().filter_map(|thread| sheet.thread(&inbound.channel, thread));
    let found: Vec<ConversationId> = found.map(|id| end_of_merges(id, sheet)).collect();
    if let [_, _, ..] = found.as_slice() {
        let addresses = addresses_of(inbound);
        let sender = addresses.first().and_then(|address| sheet.address(address));
        let own = found.iter().find(|id| sender.is_some() && participant(**id, sheet) == sender);
        return own.or(found.first()).copied();
    }
    found.first().copied()
}

/// The contact whose conversation it is.
fn participant(id: ConversationId, sheet: &Sheet) -> Option<ContactId> {
    let contact = sheet.conversation(id)?.contact?;
    Some(end_of_contact(contact, sheet))
}

/// Where a conversation was merged into, as far as that is loaded.
pub(crate) fn end_of_merges(mut id: ConversationId, sheet: &Sheet) -> ConversationId {
    for _ in 0..ROUNDS_MAX {
        match sheet.conversation(id).and_then(|row| row.merged_into) {
            Some(into) => id = into,
            None => break,
        }
    }
    id
}

/// The contact that has the addresses now, merges followed as far as they are loaded.
fn end_of_contact(mut id: ContactId, sheet: &Sheet) -> ContactId {
    for _ in 0..ROUNDS_MAX {
        match sheet.contact(id).and_then(|row| row.merged_into) {
            Some(into) => id = into,
            None => break,
        }
    }
    id
}

/// What was looked up for one input, as the core wants it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) addresses: Vec<(Address, Option<ContactId>)>,
    /// The contacts of all addresses but the first that is known.
    others: Vec<Contact>,
    /// The call that the input tells of, as a message.
    called: Option<Inbound>,
}

impl Found {
    /// The addresses with their contacts, as state and sheet stand now.
    pub(crate) fn of(input: &Input, state: &State, sheet: &Sheet) -> Self {
        let called = call_of(input, sheet).map(|call| as_message(state, call, input.at));
        let addresses = match called.as_ref().or(message_of(input, sheet)) {
            Some(inbound) => addresses_of(inbound)
                .into_iter()
                .map(|address| {
                    let contact = sheet.address(&address);
                    (address, contact)
                })
                .collect(),
            None => Vec::new(),
        };
        let others = others_of(&addresses, sheet);
        Self { addresses, others, called }
    }

    /// What came in, a call as a message.
    pub(crate) fn message<'a>(&'a self, input: &'a Input, sheet: &'a Sheet) -> Option<&'a Inbound> {
        self.called.as_ref().or(message_of(input, sheet))
    }
}

/// Contacts beside the first, each once.
fn others_of(addresses: &[(Address, Option<ContactId>)], sheet: &Sheet) -> Vec<Contact> {
    let mut known = addresses.iter().filter_map(|(_, contact)| *contact);
    let Some(first) = known.next() else { return Vec::new() };
    let mut others: Vec<Contact> = Vec::new();
    for id in known {
        if id != first && others.iter().all(|other| other.id != id) {
            others.extend(sheet.contact(id).cloned());
        }
    }
    others
}

/// The call that the input, or the parked input that a command wants retried, tells of.
fn call_of<'a>(input: &'a Input, sheet: &'a Sheet) -> Option<&'a InboundCall> {
    match &input.body {
        InputBody::Call(call) => Some(call),
        InputBody::Command(command) => match command.action {
            Action::RetryParked { parked } => match &sheet.parked(parked)?.input.body {
                InputBody::Call(call) => Some(call),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The message of the input, or of the parked input that a command wants retried.
fn message_of<'a>(input: &'a Input, sheet: &'a Sheet) -> Option<&'a Inbound> {
    match &input.body {
        InputBody::Inbound(inbound) => Some(inbound),
        InputBody::Command(command) => match command.action {
            Action::RetryParked { parked } => match &sheet.parked(parked)?.input.body {
                InputBody::Inbound(inbound) => Some(inbound),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Whether the message may open a conversation, so that the rules are to be asked: its thread is new, or
/// what it leads to is done. A mail may open one whatever it claims, and of a call the rules say too
/// whether it joins another conversation.
pub(crate) fn may_open(inbound: &Inbound, state: &State, sheet: &Sheet) -> bool {
    if matches!(inbound.message.kind, MessageKind::Email | MessageKind::Call) {
        return true;
    }
    let thread = inbound.message.thread.as_ref();
    let leads_to = thread.and_then(|thread| sheet.thread(&inbound.channel, thread));
    leads_to.is_none_or(|id| !state.is_open(end_of_merges(id, sheet)))
}

/// Puts together what the core asks for.
pub(crate) fn lookups<'a>(input: &Input, sheet: &'a Sheet, found: &'a Found) -> Lookups<'a> {
    let mut lookups = Lookups {
        seen: sheet.seen(input.id).map(|seen| &seen.outcome),
        addresses: &found.addresses,
        others: &found.others,
        ..Lookups::default()
    };
    if let Some(inbound) = found.message(input, sheet) {
        let claimed = end_of_thread(inbound, sheet);
        lookups.thread = claimed.or_else(|| awaits(inbound, sheet));
        lookups.awaited = claimed.is_none() && lookups.thread.is_some();
        lookups.conversation = lookups.thread.and_then(|id| sheet.conversation(id));
        lookups.participant = lookups.thread.and_then(|id| participant(id, sheet));
        let aside = lookups.thread.and_then(|id| aside_of(inbound, id));
        let aside = aside.and_then(|key| sheet.thread(&inbound.channel, &key));
        lookups.aside = aside.map(|id| end_of_merges(id, sheet));
        lookups.aside_row = lookups.aside.and_then(|id| sheet.conversation(id));
        let known = found.addresses.iter().find_map(|(_, contact)| *contact);
        lookups.contact = known.and_then(|id| sheet.contact(id));
    }
    match &input.body {
        InputBody::Receipt(inbound) => {
            let external = &inbound.receipt.external_id;
            let own = external.parse::<MessageId>().ok();
            let message = sheet.sent(&inbound.channel, external).or(own);
            lookups.outbound = message.and_then(|id| sheet.outbound(id)).map(|row| &row.outbound);
            let dead = inbound.receipt.dead.as_ref().and_then(|address| sheet.address(address));
            lookups.contact = dead.and_then(|id| sheet.contact(id));
        }
        InputBody::Command(command) => match &command.action {
            Action::RetryParked { parked } | Action::DropParked { parked } => {
                lookups.parked = sheet.parked(*parked).map(|parked| &parked.input);
            }
            action => {
                lookups.conversation = action.conversation().and_then(|id| sheet.conversation(id));
                match action {
                    Action::Reply { conversation, .. } => {
                        let contact = participant(*conversation, sheet);
                        lookups.contact = contact.and_then(|id| sheet.contact(id));
                    }
                    Action::Merge { into, .. } => lookups.into = sheet.conversation(*into),
                    Action::Resend { message, .. } => {
                        lookups.outbound = sheet.outbound(*message).map(|row| &row.outbound);
                    }
                    Action::MergeContact { contact, into } => {
                        lookups.contact = sheet.contact(*contact);
                        lookups.into_contact = sheet.contact(end_of_contact(*into, sheet));
                    }
                    _ => {}
                }
            }
        },
        InputBody::Delivery(
            DeliveryInput::Attempt { message, .. } | DeliveryInput::Settle { message, .. },
        ) => lookups.outbound = sheet.outbound(*message).map(|row| &row.outbound),
        _ => {}
    }
    lookups
}
