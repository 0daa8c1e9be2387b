//! What rules are told of people and of earlier conversations, as the record itself has it. Followed only
//! where a rule of either configuration asks for it.

use std::collections::BTreeMap;

use postroom_model::{
    AgentId, Contact, ContactId, ConversationId, Event, EventBody, Opened, QueueId, Status,
    Timestamp,
};

use crate::Earlier;

#[derive(Debug, Default)]
pub(super) struct Known {
    wanted: bool,
    contacts: BTreeMap<ContactId, Contact>,
    /// Conversations of each contact that are not done.
    open: BTreeMap<ContactId, usize>,
    rows: BTreeMap<ConversationId, Row>,
    /// What was known as this conversation was opened.
    asked: Option<(ConversationId, Asked)>,
}

/// A conversation as the records would have it, as far as rules ask.
#[derive(Debug, Clone)]
struct Row {
    contact: Option<ContactId>,
    status: Status,
    queue: QueueId,
    tags: Vec<String>,
    priority: u8,
    assignee: Option<AgentId>,
    opened_at: Timestamp,
    last_message_at: Timestamp,
}

/// What the rules are told beside the message.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub contact: Option<Contact>,
    pub open: usize,
    earlier: Option<Row>,
}

impl Asked {
    pub(super) fn earlier(&self) -> Option<Earlier<'_>> {
        self.earlier.as_ref().map(|row| Earlier {
            status: row.status,
            queue: Some(&row.queue),
            tags: &row.tags,
            priority: row.priority,
            assignee: row.assignee.as_ref(),
            opened_at: row.opened_at,
            last_message_at: row.last_message_at,
        })
    }
}

impl Known {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// What was known as the conversation was opened, which was a moment ago.
    pub(super) fn asked(&self, id: ConversationId) -> Asked {
        let asked = self.asked.as_ref().filter(|(of, _)| *of == id);
        asked.map(|(_, asked)| asked.clone()).unwrap_or_default()
    }

    pub(super) fn note(&mut self, at: Timestamp, event: &Event) {
        if !self.wanted {
            return;
        }
        match event.conversation {
            Some(id) => self.on(at, id, &event.body),
            None => self.people(&event.body),
        }
    }

    fn people(&mut self, body: &EventBody) {
        match body {
            EventBody::ContactCreated { contact } => {
                self.contacts.insert(contact.id, contact.clone());
            }
            EventBody::ContactUpdated { contact, name, addresses } => {
                if let Some(row) = self.contacts.get_mut(contact) {
                    row.name = name.clone().or_else(|| row.name.take());
                    row.addresses.extend(addresses.iter().cloned());
                }
            }
            EventBody::ContactServed { contact, agent } => {
                if let Some(row) = self.contacts.get_mut(contact) {
                    row.last_agent = Some(agent.clone());
                }
            }
            EventBody::ContactMerged { contact, into, name, addresses, last_agent, .. } => {
                let gone = self.contacts.get_mut(contact).map(|row| {
                    row.merged_into = Some(*into);
                    std::mem::take(&mut row.conversations)
                });
                if let Some(row) = self.contacts.get_mut(into) {
                    row.name = row.name.take().or_else(|| name.clone());
                    row.addresses.extend(addresses.iter().cloned());
                    row.last_agent = row.last_agent.take().or_else(|| last_agent.clone());
                    row.conversations += gone.unwrap_or(0);
                }
                let theirs = self.open.remove(contact).unwrap_or(0);
                *self.open.entry(*into).or_default() += theirs;
            }
            _ => {}
        }
    }

    fn on(&mut self, at: Timestamp, id: ConversationId, body: &EventBody) {
        match body {
            EventBody::ConversationOpened(opened) => {
                let asked = self.ask(at, opened);
                self.asked = Some((id, asked));
                if let Some(row) = opened.contact.and_then(|id| self.contacts.get_mut(&id)) {
                    row.conversations += 1;
                }
                self.opened(at, id, opened);
                return;
            }
            EventBody::ConversationReopened { opened, .. } => {
                let before = self.rows.get(&id).map(|row| row.opened_at);
                self.opened(at, id, opened);
                if let Some((row, before)) = self.rows.get_mut(&id).zip(before) {
                    row.opened_at = before;
                }
                return;
            }
            _ => {}
        }
        let Some(row) = self.rows.get_mut(&id) else { return };
        match body {
            EventBody::ConversationAssigned { agent, .. } => row.assignee = Some(agent.clone()),
            EventBody::ConversationReleased { .. } => row.assignee = None,
            EventBody::ConversationTransferred { queue, .. } => row.queue = queue.clone(),
            EventBody::ConversationPrioritised { priority, .. } => row.priority = *priority,
            EventBody::LadderClimbed(climbed) => row.priority = climbed.priority,
            EventBody::ConversationTagged { added, removed, .. } => {
                row.tags.retain(|tag| !removed.contains(tag));
                row.tags.extend(added.iter().cloned());
            }
            EventBody::MessageReceived { .. } | EventBody::ReplyQueued { .. } => {
                row.last_message_at = at;
            }
            EventBody::ConversationResolved { .. } | EventBody::ConversationMerged { .. }
                if row.status != Status::Resolved =>
            {
                row.status = Status::Resolved;
                let contact = row.contact.map(|id| end_of(&self.contacts, id));
                if let Some(open) = contact.and_then(|id| self.open.get_mut(&id)) {
                    *open = open.saturating_sub(1);
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, at: Timestamp, id: ConversationId, opened: &Opened) {
        let row = Row {
            contact: opened.contact,
            status: Status::Open,
            queue: opened.queue.clone(),
            tags: opened.tags.clone(),
            priority: opened.priority,
            assignee: None,
            opened_at: at,
            last_message_at: at,
        };
        self.rows.insert(id, row);
        if let Some(contact) = opened.contact.map(|id| end_of(&self.contacts, id)) {
            *self.open.entry(contact).or_default() += 1;
        }
    }

    /// Who was made for this message was not known before it.
    fn ask(&self, at: Timestamp, opened: &Opened) -> Asked {
        let contact = opened.contact.and_then(|id| self.contacts.get(&id));
        let contact = contact.filter(|row| row.created_at < at || row.conversations > 0);
        Asked {
            contact: contact.cloned(),
            open: contact.and_then(|row| self.open.get(&row.id)).copied().unwrap_or(0),
            earlier: opened.linked.and_then(|id| self.rows.get(&id)).cloned(),
        }
    }
}

/// Merges of contacts followed to their end.
fn end_of(contacts: &BTreeMap<ContactId, Contact>, id: ContactId) -> ContactId {
    let mut end = id;
    // No chain is longer than there are contacts, and none leads in a circle.
    for _ in 0..contacts.len() {
        match contacts.get(&end).and_then(|row| row.merged_into) {
            Some(into) => end = into,
            None => break,
        }
    }
    end
}
