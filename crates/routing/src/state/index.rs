//! Who waits and who is free, ordered so that the next pair is found without looking at the rest.
//!
//! Within a queue, conversations stand apart by what they need (skills, cost) and agents by what they
//! have (skills, how much still fits). Of each part only the first is looked at, so the time for a
//! decision grows with the number of parts, which the configuration bounds, and with the logarithm
//! of everything else.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{ConversationId, LadderStep, QueueId, Status, Timestamp};

use super::lines::{Reach, line_at};
use super::{Agent, AgentIx, NeedIx, Open, ProfileIx, QueueIx, State};
use crate::decide::ladder::next_at;

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

/// Conversations that wait for the same, in the order of waiting; never empty. The first stands by
/// itself, so that looking at the first of many lines reads little memory.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    first: WaitKey,
    others: BTreeSet<WaitKey>,
}

impl Line {
    fn new(first: WaitKey) -> Self {
        Self { first, others: BTreeSet::new() }
    }

    pub(crate) fn first(&self) -> &WaitKey {
        &self.first
    }

    fn len(&self) -> usize {
        self.others.len() + 1
    }

    fn insert(&mut self, key: WaitKey) {
        if key < self.first {
            self.others.insert(std::mem::replace(&mut self.first, key));
        } else {
            self.others.insert(key);
        }
    }

    /// True if nothing is left; the line then has to go.
    fn remove(&mut self, key: &WaitKey) -> bool {
        if *key != self.first {
            self.others.remove(key);
            return false;
        }
        match self.others.pop_first() {
            Some(next) => self.first = next,
            None => return true,
        }
        false
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Queue {
    pub id: QueueId,
    /// False once the configuration no longer names it.
    pub configured: bool,
    pub waiting: BTreeMap<Bucket, Line>,
    pub available: BTreeMap<AvailableKey, BTreeSet<(Timestamp, AgentIx)>>,
    /// Everybody who serves it, in the order of the configuration.
    pub members: Vec<AgentIx>,
    pub ladder: Vec<LadderStep>,
    /// Where what waits stands after each step of the ladder.
    pub lines: Vec<QueueIx>,
    /// Who is found in it, if it is the line of a step and no queue that people see.
    pub reach: Option<Reach>,
}

impl Queue {
    pub(crate) fn new(id: QueueId, configured: bool) -> Self {
        Self {
            id,
            configured,
            waiting: BTreeMap::new(),
            available: BTreeMap::new(),
            members: Vec::new(),
            ladder: Vec::new(),
            lines: Vec::new(),
            reach: None,
        }
    }

    /// A queue that people see.
    pub(crate) fn is_seen(&self) -> bool {
        self.reach.is_none()
    }

    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting.values().map(Line::len).sum()
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
    climb: Option<Timestamp>,
    orphan: bool,
}

/// What decides whether a conversation is an orphan.
#[derive(Clone, Copy)]
struct Configured<'a> {
    in_force: bool,
    queues: &'a [Queue],
    agents: &'a [Agent],
}

impl Configured<'_> {
    /// Its queue is no longer configured, or the owner who holds it. Before there are settings
    /// nothing can be done about it.
    fn left_behind(self, open: &Open) -> bool {
        let queue = self.queues.get(open.queue);
        let owner = open.owner.filter(|_| open.holds_capacity());
        let owner = owner.and_then(|ix| self.agents.get(ix));
        self.in_force
            && (queue.is_none_or(|queue| !queue.configured)
                || owner.is_some_and(|owner| !owner.configured))
    }

    fn climbs_at(self, open: &Open) -> Option<Timestamp> {
        let queue = self.queues.get(open.queue).filter(|queue| queue.configured)?;
        next_at(queue, open).filter(|_| open.waits())
    }

    fn places(self, id: ConversationId, open: &Open) -> Places {
        Places {
            waiting: open.waits().then(|| {
                let line = line_at(self.queues, open.queue, open.step);
                (line, Bucket::of(open), wait_key(id, open))
            }),
            deadline: open.snoozed_until.filter(|_| open.status == Status::Snoozed),
            climb: self.climbs_at(open),
            orphan: self.left_behind(open),
        }
    }
}

impl State {
    /// Changes a conversation by one event and keeps every index true.
    pub(super) fn change(&mut self, id: ConversationId, edit: impl FnOnce(&mut Open)) {
        let Some(open) = self.conversations.get_mut(&id) else {
            return;
        };
        let (in_force, queues, agents) = (self.settings.is_some(), &self.queues, &self.agents);
        let configured = Configured { in_force, queues, agents };
        let before = configured.places(id, open);
        open.version += 1;
        edit(open);
        let after = configured.places(id, open);
        self.index(id, before, after);
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
        let (in_force, queues, agents) = (self.settings.is_some(), &self.queues, &self.agents);
        Configured { in_force, queues, agents }.places(id, open)
    }

    fn index(&mut self, id: ConversationId, before: Places, after: Places) {
        if before.waiting != after.waiting {
            if let Some((queue, bucket, key)) = before.waiting {
                self.remove_waiting(queue, bucket, &key);
            }
            if let Some((queue, bucket, key)) = after.waiting
                && let Some(queue) = self.queues.get_mut(queue)
            {
                match queue.waiting.entry(bucket) {
                    Entry::Vacant(entry) => drop(entry.insert(Line::new(key))),
                    Entry::Occupied(mut entry) => entry.get_mut().insert(key),
                }
            }
        }
        if before.deadline != after.deadline {
            if let Some(at) = before.deadline {
                self.deadlines.remove(&(at, id));
            }
            self.deadlines.extend(after.deadline.map(|at| (at, id)));
        }
        if before.climb != after.climb {
            if let Some(at) = before.climb {
                self.climbs.remove(&(at, id));
            }
            self.climbs.extend(after.climb.map(|at| (at, id)));
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
        if let Some(line) = queue.waiting.get_mut(&bucket)
            && line.remove(key)
        {
            queue.waiting.remove(&bucket);
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
