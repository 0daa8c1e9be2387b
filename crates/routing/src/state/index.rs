//! Who waits and who is free, ordered so that the next pair is found without looking at the rest.
//!
//! Within a queue, conversations stand apart by what they need (skills, cost) and agents by what they
//! have (skills, how much still fits). Of each part only the first is looked at, so the time for a
//! decision grows with the number of parts, which the configuration bounds, and with the logarithm
//! of everything else.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    AgentChoice, ChannelKind, ConversationId, LadderStep, QueueId, QueueOrder, QueueWork, Status,
    Timestamp,
};

use super::lines::Reach;
use super::{Agent, AgentIx, NeedIx, Open, ProfileIx, QueueIx, State};
use crate::Calendar;
use crate::decide::ladder::next_at;

/// Conversations that need the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bucket {
    pub need: NeedIx,
    pub cost: u16,
    pub kind: ChannelKind,
}

/// Agents who have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AvailableKey {
    pub profile: ProfileIx,
    /// How many of the distinct costs still fit.
    pub class: usize,
    /// Kinds of which they may have more, a bit for each.
    pub kinds: u8,
}

/// Whose turn it is: the lower goes first. What the first number is depends on the queue.
pub(crate) type Turn = (i64, Timestamp);

/// The order of waiting: the higher priority first, then the longer wait; the id breaks ties.
pub(crate) type WaitKey = (Reverse<u8>, Timestamp, ConversationId);

/// The place in the line of a queue: what the queue's order puts first, then the order of waiting.
pub(crate) type LineKey = (i64, WaitKey);

/// Conversations that wait for the same, in the order of waiting; never empty. The first stands by
/// itself, so that looking at the first of many lines reads little memory.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    first: LineKey,
    others: BTreeSet<LineKey>,
}

impl Line {
    fn new(first: LineKey) -> Self {
        Self { first, others: BTreeSet::new() }
    }

    pub(crate) fn first(&self) -> &LineKey {
        &self.first
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &LineKey> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn len(&self) -> usize {
        self.others.len() + 1
    }

    fn insert(&mut self, key: LineKey) {
        if key < self.first {
            self.others.insert(std::mem::replace(&mut self.first, key));
        } else {
            self.others.insert(key);
        }
    }

    /// True if nothing is left; the line then has to go.
    fn remove(&mut self, key: &LineKey) -> bool {
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
    pub available: BTreeMap<AvailableKey, BTreeSet<(Turn, AgentIx)>>,
    /// Everybody who serves it, in the order of the configuration.
    pub members: Vec<AgentIx>,
    pub work: QueueWork,
    pub ladder: Vec<LadderStep>,
    /// By which the times of the ladder are counted; none if every hour counts.
    pub calendar: Option<Calendar>,
    /// Who is found in it, if it is the line of a step and no queue that people see.
    pub reach: Option<Reach>,
}

impl Queue {
    pub(crate) fn new(id: QueueId, configured: bool, work: QueueWork) -> Self {
        Self {
            id,
            configured,
            waiting: BTreeMap::new(),
            available: BTreeMap::new(),
            members: Vec::new(),
            work,
            ladder: Vec::new(),
            calendar: None,
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

fn wait_key(id: ConversationId, open: &Open) -> WaitKey {
    (Reverse(open.priority), open.waiting_since.unwrap_or_default(), id)
}

pub(crate) fn line_key(order: QueueOrder, id: ConversationId, open: &Open) -> LineKey {
    let since = open.waiting_since.unwrap_or_default().millis();
    let rank = match order {
        QueueOrder::Priority => 0,
        QueueOrder::Newest => since.saturating_neg(),
        QueueOrder::Targets => open.due_at.map_or(i64::MAX, Timestamp::millis),
    };
    (rank, wait_key(id, open))
}

/// Where a conversation stands outside of the map of conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Places {
    waiting: Option<(QueueIx, Bucket, LineKey)>,
    deadline: Option<Timestamp>,
    climb: Option<Timestamp>,
    orphan: bool,
}

/// What decides when the next step of a ladder comes. To reckon that can mean to go through a calendar,
/// so it is done only where this is another.
fn waits_for_step(open: &Open) -> Option<(QueueIx, u16, Option<Timestamp>)> {
    open.waits().then_some((open.queue, open.step, open.waiting_since))
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
            waiting: open.stands().then(|| {
                let queue = self.queues.get(open.queue);
                let order = queue.map(|queue| queue.work.order).unwrap_or_default();
                (open.line, Bucket::of(open), line_key(order, id, open))
            }),
            deadline: open.snoozed_until.filter(|_| open.status == Status::Snoozed),
            climb: open.climbs_at,
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
        let stood = waits_for_step(open);
        open.version += 1;
        edit(open);
        if !open.holds_capacity() {
            open.idle = 0;
        }
        if waits_for_step(open) != stood {
            open.climbs_at = configured.climbs_at(open);
        }
        let after = configured.places(id, open);
        self.index(id, before, after);
    }

    /// It stands in its queue's own line again; no event of its own.
    pub(super) fn move_line(&mut self, id: ConversationId) {
        let Some(mut open) = self.conversations.remove(&id) else {
            return;
        };
        let before = self.places(id, &open);
        open.line = open.queue;
        let after = self.places(id, &open);
        self.index(id, before, after);
        self.conversations.insert(id, open);
    }

    pub(super) fn insert(&mut self, id: ConversationId, mut open: Open) {
        open.climbs_at = self.configured().climbs_at(&open);
        self.index(id, Places::default(), self.places(id, &open));
        self.conversations.insert(id, open);
    }

    pub(super) fn remove(&mut self, id: ConversationId) -> Option<Open> {
        let open = self.conversations.remove(&id)?;
        self.index(id, self.places(id, &open), Places::default());
        Some(open)
    }

    fn places(&self, id: ConversationId, open: &Open) -> Places {
        self.configured().places(id, open)
    }

    fn configured(&self) -> Configured<'_> {
        let (in_force, queues, agents) = (self.settings.is_some(), &self.queues, &self.agents);
        Configured { in_force, queues, agents }
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

    fn remove_waiting(&mut self, queue: QueueIx, bucket: Bucket, key: &LineKey) {
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
            let choose = queue.work.choose;
            if let Some((key, turns)) = before
                && let Some(agents) = queue.available.get_mut(&key)
            {
                agents.remove(&(turns.of(choose), ix));
                if agents.is_empty() {
                    queue.available.remove(&key);
                }
            }
            if let Some((key, turns)) = after {
                queue.available.entry(key).or_default().insert((turns.of(choose), ix));
            }
        }
    }

    /// Builds the index of who is free anew, after agents or costs changed as a whole.
    pub(super) fn index_agents(&mut self) {
        for queue in &mut self.queues {
            queue.available.clear();
        }
        for (ix, agent) in self.agents.iter().enumerate() {
            let Some((key, turns)) = available(&self.costs, agent) else {
                continue;
            };
            for queue in &agent.queues {
                if let Some(queue) = self.queues.get_mut(*queue) {
                    let turn = turns.of(queue.work.choose);
                    queue.available.entry(key).or_default().insert((turn, ix));
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
        Self { need: open.need, cost: open.cost, kind: open.kind }
    }
}

/// What decides whose turn it is, whatever a queue goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turns {
    idle_since: Timestamp,
    given_at: Timestamp,
    load: i64,
}

impl Turns {
    pub(crate) fn by(agent: &Agent) -> Self {
        Self::beside(agent, 0)
    }

    /// With so much more taken of their capacity.
    pub(crate) fn beside(agent: &Agent, more: u32) -> Self {
        let taken = agent.load.saturating_add(agent.work.reserved).saturating_add(more);
        let taken = u64::from(taken);
        let share = (taken * LOAD_PARTS).checked_div(u64::from(agent.capacity)).unwrap_or(0);
        Self {
            idle_since: agent.idle_since,
            given_at: agent.work.given_at,
            load: i64::try_from(share).unwrap_or(i64::MAX),
        }
    }

    pub(crate) const fn of(self, choose: AgentChoice) -> Turn {
        match choose {
            AgentChoice::LongestIdle => (0, self.idle_since),
            AgentChoice::LeastLoaded => (self.load, self.idle_since),
            AgentChoice::RoundRobin => (0, self.given_at),
        }
    }
}

/// In how many parts a capacity is told apart, to compare how much of it is taken.
const LOAD_PARTS: u64 = 1_000;

/// Where a free agent stands, and since when; none if they take nothing or nothing that occurs fits.
pub(super) fn available(costs: &[u16], agent: &Agent) -> Option<(AvailableKey, Turns)> {
    if !agent.takes_new() {
        return None;
    }
    let free = agent.free();
    let class = costs.partition_point(|cost| u32::from(*cost) <= free);
    let kinds = agent.work.open_kinds();
    let key = AvailableKey { profile: agent.profile, class, kinds };
    (class > 0 && kinds > 0).then(|| (key, Turns::by(agent)))
}
