//! What was promised for each conversation, and what can be promised. Holds; decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    CalendarId, ConversationId, PolicyId, QueueId, Settings, Target, TargetKind, TargetPolicy,
    TargetState, Timestamp, note_target,
};
use serde::{Deserialize, Serialize};

use crate::Calendar;

#[derive(Debug, Default)]
pub(crate) struct Targets {
    policies: BTreeMap<PolicyId, TargetPolicy>,
    queues: BTreeMap<QueueId, PolicyId>,
    calendars: BTreeMap<CalendarId, Calendar>,
    all: BTreeMap<ConversationId, Promised>,
    /// The next warning or breach of each conversation.
    timers: BTreeSet<(Timestamp, ConversationId)>,
}

/// Of one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Promised {
    /// What a rule said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<PolicyId>,
    targets: Vec<Target>,
}

impl Targets {
    /// Nothing is promised and nothing can be.
    pub(crate) fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.all.is_empty()
    }

    pub(crate) fn list(&self, id: ConversationId) -> &[Target] {
        self.all.get(&id).map_or(&[], |promised| &promised.targets)
    }

    /// When the first of what is owed is due; what stands still is not.
    pub(crate) fn due_at(&self, id: ConversationId) -> Option<Timestamp> {
        let owed = self
            .list(id)
            .iter()
            .filter(|target| target.is_owed() && target.state != TargetState::Paused);
        owed.map(|target| target.due_at).min()
    }

    /// The policy of a conversation: what a rule said, else that of its queue.
    pub(crate) fn policy_of(&self, id: ConversationId, queue: &QueueId) -> Option<&TargetPolicy> {
        let named = self.all.get(&id).and_then(|promised| promised.policy.as_ref());
        self.policy(named, queue)
    }

    pub(crate) fn policy(
        &self,
        named: Option<&PolicyId>,
        queue: &QueueId,
    ) -> Option<&TargetPolicy> {
        let named = named.and_then(|named| self.policies.get(named));
        named.or_else(|| self.policies.get(self.queues.get(queue)?))
    }

    /// The calendar by which a target is counted; none if every hour counts.
    pub(crate) fn calendar(&self, id: Option<&CalendarId>) -> Option<&Calendar> {
        self.calendars.get(id?)
    }

    pub(crate) fn next(&self) -> Option<(Timestamp, ConversationId)> {
        self.timers.first().copied()
    }

    /// Takes policies into force. What was promised before stays as it is.
    pub(super) fn install(&mut self, settings: &Settings) {
        let timing = &settings.timing;
        self.policies = timing.policies.iter().map(|one| (one.id.clone(), one.clone())).collect();
        let queues = timing.queues.iter();
        self.queues = queues
            .filter_map(|(queue, timing)| Some((queue.clone(), timing.targets.clone()?)))
            .collect();
        let calendars = settings.calendars.iter();
        self.calendars =
            calendars.filter_map(|one| Some((one.id.clone(), Calendar::new(one).ok()?))).collect();
    }

    pub(super) fn open(&mut self, id: ConversationId, policy: Option<PolicyId>) {
        self.close(id);
        if policy.is_some() {
            self.all.insert(id, Promised { policy, targets: vec![] });
        }
    }

    pub(super) fn close(&mut self, id: ConversationId) {
        if let Some(promised) = self.all.remove(&id) {
            self.unset(id, &promised);
        }
    }

    /// What is promised from now on.
    pub(super) fn change(&mut self, id: ConversationId, targets: Vec<Target>) {
        self.edit(id, |held| *held = targets);
    }

    pub(super) fn note(&mut self, id: ConversationId, kind: TargetKind, state: TargetState) {
        self.edit(id, |targets| note_target(targets, kind, state));
    }

    fn edit(&mut self, id: ConversationId, edit: impl FnOnce(&mut Vec<Target>)) {
        let before = self.all.remove(&id);
        if let Some(before) = &before {
            self.unset(id, before);
        }
        let mut promised = before.unwrap_or(Promised { policy: None, targets: vec![] });
        edit(&mut promised.targets);
        self.restore_one(id, promised);
    }

    fn unset(&mut self, id: ConversationId, promised: &Promised) {
        if let Some(at) = next_of(promised) {
            self.timers.remove(&(at, id));
        }
    }

    pub(super) fn parts(&self) -> Vec<(ConversationId, Promised)> {
        self.all.iter().map(|(id, promised)| (*id, promised.clone())).collect()
    }

    pub(super) fn restore(&mut self, parts: Vec<(ConversationId, Promised)>) {
        for (id, promised) in parts {
            self.restore_one(id, promised);
        }
    }

    fn restore_one(&mut self, id: ConversationId, promised: Promised) {
        if promised.policy.is_none() && promised.targets.is_empty() {
            return;
        }
        self.timers.extend(next_of(&promised).map(|at| (at, id)));
        self.all.insert(id, promised);
    }
}

fn next_of(promised: &Promised) -> Option<Timestamp> {
    promised.targets.iter().filter_map(Target::next_at).min()
}
