//! Which conversations of a contact are not done, for calls that join one, for queues that keep customers
//! for their agents, and for rules that ask how many there are. Held only while a channel, a rule or a
//! queue asks for it: those that were opened before are not known.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{ContactId, ConversationId, Rule, Settings};

#[derive(Debug, Default)]
pub(crate) struct Talks {
    wanted: bool,
    all: BTreeSet<(ContactId, ConversationId)>,
    contacts: BTreeMap<ConversationId, ContactId>,
}

impl Talks {
    /// The newest of the contact.
    pub(crate) fn of(&self, contact: ContactId) -> Option<ConversationId> {
        self.all_of(contact).next_back()
    }

    /// How many there are of the contact.
    pub(crate) fn count(&self, contact: ContactId) -> usize {
        self.all_of(contact).count()
    }

    fn all_of(
        &self,
        contact: ContactId,
    ) -> impl DoubleEndedIterator<Item = ConversationId> + use<'_> {
        let nil = ConversationId(uuid::Uuid::nil());
        let max = ConversationId(uuid::Uuid::max());
        self.all.range((contact, nil)..=(contact, max)).map(|(_, id)| *id)
    }

    pub(crate) fn contact_of(&self, id: ConversationId) -> Option<ContactId> {
        self.contacts.get(&id).copied()
    }

    pub(super) fn install(&mut self, settings: &Settings) {
        let mut calls = settings.channels.iter().filter_map(|channel| channel.calls);
        let asks = |rule: &Rule| rule.attach == Some(true) || rule.when.contains("contact");
        let by_rule = settings.rules.iter().any(asks);
        let sticky = settings.queues.iter().any(|queue| queue.work.is_sticky());
        self.wanted = by_rule || sticky || calls.any(|calls| calls.attach);
        if !self.wanted {
            self.all.clear();
            self.contacts.clear();
        }
    }

    pub(super) fn open(&mut self, id: ConversationId, contact: Option<ContactId>) {
        self.close(id);
        if let Some(contact) = contact.filter(|_| self.wanted) {
            self.all.insert((contact, id));
            self.contacts.insert(id, contact);
        }
    }

    pub(super) fn close(&mut self, id: ConversationId) {
        if let Some(contact) = self.contacts.remove(&id) {
            self.all.remove(&(contact, id));
        }
    }

    /// Two contacts are one.
    pub(super) fn join(&mut self, contact: ContactId, into: ContactId) {
        let theirs: Vec<_> = self.all.iter().filter(|(of, _)| *of == contact).copied().collect();
        for (_, id) in theirs {
            self.open(id, Some(into));
        }
    }

    pub(super) fn parts(&self) -> Vec<(ContactId, ConversationId)> {
        self.all.iter().copied().collect()
    }

    pub(super) fn restore(&mut self, parts: Vec<(ContactId, ConversationId)>) {
        for (contact, id) in parts {
            self.open(id, Some(contact));
        }
    }
}
