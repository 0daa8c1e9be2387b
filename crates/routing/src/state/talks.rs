//! Which conversations of a contact are not done, for calls and messages that join one, for queues that keep
//! customers for their agents, and for rules that ask how many there are. Held only while a channel, a rule
//! or a queue asks for it: those that were opened before are not known.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{ChannelId, ContactId, ConversationId, Opened, Rule, Settings, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default)]
pub(crate) struct Talks {
    wanted: bool,
    all: BTreeSet<(ContactId, ConversationId)>,
    not_done: BTreeMap<ConversationId, Talk>,
}

/// A conversation of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Talk {
    contact: ContactId,
    pub channel: ChannelId,
    /// When somebody last wrote.
    pub last_at: Timestamp,
    /// Messages that would have opened another one.
    pub joined: usize,
}

impl Talks {
    /// The newest of the contact.
    pub(crate) fn of(&self, contact: ContactId) -> Option<ConversationId> {
        self.all_of(contact).next_back()
    }

    /// The newest of the contact that fits.
    pub(crate) fn newest(
        &self,
        contact: ContactId,
        fits: impl Fn(ConversationId, &Talk) -> bool,
    ) -> Option<ConversationId> {
        let found = |id: &ConversationId| self.not_done.get(id).is_some_and(|talk| fits(*id, talk));
        self.all_of(contact).rev().find(found)
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
        self.not_done.get(&id).map(|talk| talk.contact)
    }

    pub(super) fn install(&mut self, settings: &Settings) {
        let mut calls = settings.channels.iter().filter_map(|channel| channel.calls);
        let asks = |rule: &Rule| rule.attach == Some(true) || rule.when.contains("contact");
        let by_rule = settings.rules.iter().any(asks);
        let sticky = settings.queues.iter().any(|queue| queue.work.is_sticky());
        let joins = !settings.timing.join.is_empty();
        self.wanted = by_rule || sticky || joins || calls.any(|calls| calls.attach);
        if !self.wanted {
            self.all.clear();
            self.not_done.clear();
        }
    }

    pub(super) fn open(&mut self, at: Timestamp, id: ConversationId, opened: &Opened) {
        self.close(id);
        if let Some(contact) = opened.contact.filter(|_| self.wanted) {
            let channel = opened.channel.clone();
            self.insert(id, Talk { contact, channel, last_at: at, joined: 0 });
        }
    }

    fn insert(&mut self, id: ConversationId, talk: Talk) {
        self.all.insert((talk.contact, id));
        self.not_done.insert(id, talk);
    }

    /// Somebody wrote.
    pub(super) fn go_on(&mut self, at: Timestamp, id: ConversationId) {
        if let Some(talk) = self.not_done.get_mut(&id) {
            talk.last_at = at;
        }
    }

    /// A message that would have opened another one.
    pub(super) fn take_in(&mut self, id: ConversationId) {
        if let Some(talk) = self.not_done.get_mut(&id) {
            talk.joined += 1;
        }
    }

    pub(super) fn close(&mut self, id: ConversationId) {
        if let Some(talk) = self.not_done.remove(&id) {
            self.all.remove(&(talk.contact, id));
        }
    }

    /// Two contacts are one.
    pub(super) fn join(&mut self, contact: ContactId, into: ContactId) {
        let theirs: Vec<ConversationId> = self.all_of(contact).collect();
        for id in theirs {
            self.all.remove(&(contact, id));
            if let Some(talk) = self.not_done.remove(&id) {
                self.insert(id, Talk { contact: into, ..talk });
            }
        }
    }

    pub(super) fn parts(&self) -> Vec<(ConversationId, Talk)> {
        self.not_done.iter().map(|(id, talk)| (*id, talk.clone())).collect()
    }

    pub(super) fn restore(&mut self, parts: Vec<(ConversationId, Talk)>) {
        for (id, talk) in parts {
            self.insert(id, talk);
        }
    }
}
