//! Who waits and who is free, ordered so that the next pair is found without looking at the rest.
//!
//! Within a queue, conversations stand apart by what they need (skills, cost) and agents by what they
//! have (skills, how much still fits). Of each part only the first is looked at, so the time for a
//! decision grows with the number of parts, which the configuration bounds, and with the logarithm
//! of everything else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{ConversationId, QueueId, Timestamp};

use super::{Agent, AgentIx, NeedIx, Open, ProfileIx, State};

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

fn wait_key(id: ConversationId, open: &Open) -> WaitKey {
    (
        Reverse(open.priority),
        open.waiting_since.unwrap_or_default(),
        id,
    )
}

impl State {
    /// Changes a conversation and keeps the index of who waits true.
    pub(super) fn change(&mut self, id: ConversationId, edit: impl FnOnce(&mut Open)) {
        let Some(open) = self.conversations.get_mut(&id) else {
            return;
        };
        let before = open
            .waits()
            .then(|| (open.queue, Bucket::of(open), wait_key(id, open)));
        edit(open);
        let after = open
            .waits()
            .then(|| (open.queue, Bucket::of(open), wait_key(id, open)));
        if before == after {
            return;
        }
        if let Some((queue, bucket, key)) = before {
            self.remove_waiting(queue, bucket, &key);
        }
        if let Some((queue, bucket, key)) = after
            && let Some(queue) = self.queues.get_mut(queue)
        {
            queue.waiting.entry(bucket).or_default().insert(key);
        }
    }

    pub(super) fn insert(&mut self, id: ConversationId, open: Open) {
        if open.waits()
            && let Some(queue) = self.queues.get_mut(open.queue)
        {
            queue
                .waiting
                .entry(Bucket::of(&open))
                .or_default()
                .insert(wait_key(id, &open));
        }
        self.conversations.insert(id, open);
    }

    pub(super) fn remove(&mut self, id: ConversationId) -> Option<Open> {
        let open = self.conversations.remove(&id)?;
        if open.waits() {
            self.remove_waiting(open.queue, Bucket::of(&open), &wait_key(id, &open));
        }
        if let Some(until) = open.snoozed_until {
            self.deadlines.remove(&(until, id));
        }
        self.orphans.remove(&id);
        Some(open)
    }

    fn remove_waiting(&mut self, queue: usize, bucket: Bucket, key: &WaitKey) {
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
        for queue in agent.queues.clone() {
            let Some(queue) = self.queues.get_mut(queue) else {
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

    /// The lowest class of agents into which a conversation of this cost fits.
    pub(crate) fn class_of(&self, cost: u16) -> usize {
        self.costs.partition_point(|known| *known <= cost)
    }
}

impl Bucket {
    pub(crate) fn of(open: &Open) -> Self {
        Self {
            need: open.need,
            cost: open.cost,
        }
    }
}

/// Where a free agent stands, and since when; none if they take nothing or nothing fits.
fn available(costs: &[u16], agent: &Agent) -> Option<(AvailableKey, Timestamp)> {
    if !agent.takes_new() {
        return None;
    }
    let free = agent.free();
    let class = costs.partition_point(|cost| u32::from(*cost) <= free);
    (class > 0).then_some((
        AvailableKey {
            profile: agent.profile,
            class,
        },
        agent.idle_since,
    ))
}
