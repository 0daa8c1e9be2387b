//! What waits for a time or an answer at the desk: offers, declines, pauses, presence, silent
//! customers. Held apart from conversations and agents, since few of them have any of it.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{AgentId, ConversationId, OfferId, QueueId, Timestamp};
use serde::{Deserialize, Serialize};

/// Moments at which something happens to something, each once.
#[derive(Debug, Clone)]
pub(crate) struct Timers<K> {
    due: BTreeSet<(Timestamp, K)>,
    at: BTreeMap<K, Timestamp>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { due: BTreeSet::new(), at: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Timers<K> {
    pub(crate) fn set(&mut self, key: K, at: Timestamp) {
        self.clear(&key);
        self.due.insert((at, key.clone()));
        self.at.insert(key, at);
    }

    pub(crate) fn clear(&mut self, key: &K) {
        if let Some(at) = self.at.remove(key) {
            self.due.remove(&(at, key.clone()));
        }
    }

    pub(crate) fn at(&self, key: &K) -> Option<Timestamp> {
        self.at.get(key).copied()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.at.keys()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        let gone: Vec<K> = self.at.keys().filter(|key| !keep(key)).cloned().collect();
        for key in gone {
            self.clear(&key);
        }
    }

    pub(super) fn parts(&self) -> Vec<(K, Timestamp)> {
        self.at.iter().map(|(key, at)| (key.clone(), *at)).collect()
    }

    pub(super) fn of_parts(parts: Vec<(K, Timestamp)>) -> Self {
        let mut timers = Self::default();
        for (key, at) in parts {
            timers.set(key, at);
        }
        timers
    }

    fn first(&self) -> Option<(Timestamp, &K)> {
        self.due.first().map(|(at, key)| (*at, key))
    }
}

/// An offer that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub offer: OfferId,
    pub queue: QueueId,
    pub agents: Vec<AgentId>,
    pub cost: u16,
}

/// What time brings at the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeskDue<'a> {
    /// Nobody answered an offer.
    Offer(ConversationId),
    /// A decline is forgotten.
    Decline(ConversationId, &'a AgentId),
    /// A pause is over.
    Pause(&'a AgentId),
    /// Nobody has seen the agent for too long.
    Presence(&'a AgentId),
    /// The customer has said nothing for long.
    Silence(ConversationId),
    /// It was kept for one agent for long enough.
    Keep(ConversationId),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Desk {
    pub standing: BTreeMap<ConversationId, Standing>,
    pub offers: Timers<ConversationId>,
    pub declines: Timers<(ConversationId, AgentId)>,
    pub pauses: Timers<AgentId>,
    pub presence: Timers<AgentId>,
    pub silence: Timers<ConversationId>,
    pub keeps: Timers<ConversationId>,
}

impl Desk {
    /// What comes first.
    pub(crate) fn next(&self) -> Option<(Timestamp, DeskDue<'_>)> {
        let offer = self.offers.first().map(|(at, id)| (at, DeskDue::Offer(*id)));
        let decline = self.declines.first();
        let decline = decline.map(|(at, (id, agent))| (at, DeskDue::Decline(*id, agent)));
        let pause = self.pauses.first().map(|(at, agent)| (at, DeskDue::Pause(agent)));
        let presence = self.presence.first().map(|(at, agent)| (at, DeskDue::Presence(agent)));
        let silence = self.silence.first().map(|(at, id)| (at, DeskDue::Silence(*id)));
        let keep = self.keeps.first().map(|(at, id)| (at, DeskDue::Keep(*id)));
        let all = [offer, decline, pause, presence, silence, keep];
        all.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// The agents who declined the conversation not long ago.
    pub(super) fn declined(&self, id: ConversationId) -> Vec<AgentId> {
        if self.declines.is_empty() {
            return vec![];
        }
        let all = self.declines.at.keys().filter(|(of, _)| *of == id);
        all.map(|(_, agent)| agent.clone()).collect()
    }
}
