//! Who waits and who is free, ordered so that the next pair is found without looking at the rest.
//!
//! Within a queue, conversations stand apart by what they need (skills, cost) and agents by what they
//! have (skills, how much still fits). Of each part only the first is looked at, so the time for a
//! decision grows with the number of parts, which the configuration bounds, and with the logarithm
//! of everything else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{ConversationId, QueueId, Status, Timestamp};

use super::{Agent, AgentIx, NeedIx, Open, ProfileIx, QueueIx, State};

/// Conversations that need the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bucket {
    pub need: NeedIx,
    pub cost: u16,
}

/// Agents who have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AvailableKey {
    pub profile: ProfileIx,
    /// How many of the distinct costs still fit.
    pub class: usize,
}

/// The order of waiting: the higher priority first, then the longer wait; the id breaks ties.
pub(crate) type WaitKey = (Reverse<u8>, Timestamp, ConversationId);

#[derive(Debug, Clone)]
pub(crate) struct Queue {
    pub id: QueueId,
    /// False once the configuration no longer names it.
    pub configured: bool,
    pub waiting: BTreeMap<Bucket, BTreeSet<WaitKey>>,
    pub available: BTreeMap<AvailableKey, BTreeSet<(Timestamp, AgentIx)>>,
    /// Everybody who serves it, in the order of the configuration.
    pub members: Vec<AgentIx>,
}

impl Queue {
    pub(crate) fn new(id: QueueId, configured: bool) -> Self {
        Self {
            id,
            configured,
            waiting: BTreeMap::new(),
            available: BTreeMap::new(),
            members: Vec::new(),
        }
    }

    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting.values().map(BTreeSet::len).sum()
    }
}

pub(crate) fn wait_key(id: ConversationId, open: &Open) -> WaitKey {
    (Reverse(open.priority), open.waiting_since.unwrap_or_default(), id)
}

/// Where a conversation stands outside of the map of conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Places {
    waiting: Option<(QueueIx, Bucket, WaitKey)>,
    deadline: Option<Timestamp>,
    orphan: bool,
}

impl State {
    /// Changes a conversation and keeps every index true.
    pub(super) fn change(&mut self, id: ConversationId, edit: impl FnOnce(&mut Open)) {
        let Some(open) = self.conversations.get_mut(&id) else {
            return;
        };
        let was = open.clone();
        edit(open);
        let open = open.clone();
        self.index(id, self.places(id, &was), self.places(id, &open));
    }

    pub(super) fn insert(&mut self, id: ConversationId, open: Open) {
        self.index(id, Places::default(), self.places(id, &open));
        self.conversations.insert(id, open);
    }

    pub(super) fn remove(&mut self, id: ConversationId) -> Option<Open> {
        let open = self.conversations.remove(&id)?;
        self.index(id, self.places(id, &open), Places::default());
        Some(open)
    }

    fn places(&self, id: ConversationId, open: &Open) -> Places {
        Places {
            waiting: open.waits().then(|| (open.queue, Bucket::of(open), wait_key(id, open))),
            deadline: open.snoozed_until.filter(|_| open.status == Status::Snoozed),
            orphan: self.is_orphan(open),
        }
    }

    /// Its queue is no longer configured, or the owner who holds it. Before there are settings
    /// nothing can be done about it.
    fn is_orphan(&self, open: &Open) -> bool {
        let queue = self.queues.get(open.queue);
        let owner = self.owner_of(open).filter(|_| open.holds_capacity());
        self.settings.is_some()
            && (queue.is_none_or(|queue| !queue.configured)
                || owner.is_some_and(|owner| !owner.configured))
    }

    fn index(&mut self, id: ConversationId, before: Places, after: Places) {
        if before.waiting != after.waiting {
            if let Some((queue, bucket, key)) = before.waiting {
                self.remove_waiting(queue, bucket, &key);
            }
            if let Some((queue, bucket, key)) = after.waiting
                && let Some(queue) = self.queues.get_mut(queue)
            {
                queue.waiting.entry(bucket).or_default().insert(key);
            }
        }
        if before.deadline != after.deadline {
            if let Some(at) = before.deadline {
                self.deadlines.remove(&(at, id));
            }
            self.deadlines.extend(after.deadline.map(|at| (at, id)));
        }
        if before.orphan != after.orphan {
            if after.orphan {
                self.orphans.insert(id);
            } else {
                self.orphans.remove(&id);
            }
        }
    }

    fn remove_waiting(&mut self, queue: QueueIx, bucket: Bucket, key: &WaitKey) {
        let Some(queue) = self.queues.get_mut(queue) else {
            return;
        };
        if let Some(waiting) = queue.waiting.get_mut(&bucket) {
            waiting.remove(key);
            if waiting.is_empty() {
                queue.waiting.remove(&bucket);
            }
        }
    }

    /// Changes an agent and keeps the index of who is free true.
    pub(super) fn change_agent(&mut self, ix: AgentIx, edit: impl FnOnce(&mut Agent)) {
        let Some(agent) = self.agents.get_mut(ix) else {
            return;
        };
        let before = available(&self.costs, agent);
        edit(agent);
        let after = available(&self.costs, agent);
        if before == after {
            return;
        }
        for queue in &agent.queues {
            let Some(queue) = self.queues.get_mut(*queue) else {
                continue;
            };
            if let Some((key, since)) = before
                && let Some(agents) = queue.available.get_mut(&key)
            {
                agents.remove(&(since, ix));
                if agents.is_empty() {
                    queue.available.remove(&key);
                }
            }
            if let Some((key, since)) = after {
                queue.available.entry(key).or_default().insert((since, ix));
            }
        }
    }

    /// Builds the index of who is free anew, after agents or costs changed as a whole.
    pub(super) fn index_agents(&mut self) {
        for queue in &mut self.queues {
            queue.available.clear();
        }
        for (ix, agent) in self.agents.iter().enumerate() {
            let Some((key, since)) = available(&self.costs, agent) else {
                continue;
            };
            for queue in &agent.queues {
                if let Some(queue) = self.queues.get_mut(*queue) {
                    queue.available.entry(key).or_default().insert((since, ix));
                }
            }
        }
    }

    /// Takes a cost into the classes; one that no channel has (any more) can come back with a
    /// conversation.
    pub(super) fn know_cost(&mut self, cost: u16) {
        if let Err(at) = self.costs.binary_search(&cost) {
            self.costs.insert(at, cost);
            self.index_agents();
        }
    }

    /// The lowest class of agents into which a conversation of this cost fits.
    pub(crate) fn class_of(&self, cost: u16) -> usize {
        self.costs.partition_point(|known| *known <= cost)
    }
}

impl Bucket {
    pub(crate) fn of(open: &Open) -> Self {
        Self { need: open.need, cost: open.cost }
    }
}

/// Where a free agent stands, and since when; none if they take nothing or nothing that occurs fits.
fn available(costs: &[u16], agent: &Agent) -> Option<(AvailableKey, Timestamp)> {
    if !agent.takes_new() {
        return None;
    }
    let free = agent.free();
    let class = costs.partition_point(|cost| u32::from(*cost) <= free);
    (class > 0).then_some((AvailableKey { profile: agent.profile, class }, agent.idle_since))
}
