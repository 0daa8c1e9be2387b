//! Counts what happens while it is played: waits, targets, loads.

use std::collections::BTreeMap;

use postroom_model::{
    AgentId, ConversationId, Event, EventBody, Freed, QueueId, TargetKind, TargetState, Timestamp,
};

use super::report::{AgentReport, QueueReport, SideReport, Waits};
use crate::State;
use crate::state::Agent;

#[derive(Debug, Default)]
pub(super) struct Tally {
    queues: BTreeMap<QueueId, Counts>,
    agents: BTreeMap<AgentId, Share>,
    places: BTreeMap<ConversationId, Place>,
    targets: BTreeMap<(ConversationId, TargetKind), TargetState>,
    /// Inputs that were set aside, since their channel is not configured.
    pub parked: u64,
    /// Rules that failed and were skipped.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Counts {
    conversations: u64,
    waits: Vec<i64>,
    kept: u64,
    missed: u64,
}

/// Where a conversation lies, and since when it stands in line.
#[derive(Debug)]
struct Place {
    queue: QueueId,
    waits: Option<Timestamp>,
}

/// How much of an agent was taken, over the time that they were online.
#[derive(Debug, Default)]
struct Share {
    assigned: u64,
    online_ms: i64,
    taken: i128,
    had: i128,
    since: Timestamp,
    online: bool,
    load: u32,
    capacity: u32,
}

impl Share {
    fn advance(&mut self, at: Timestamp) {
        let passed = at.since(self.since).max(0);
        if self.online {
            self.online_ms += passed;
            self.taken += i128::from(passed) * i128::from(self.load);
            self.had += i128::from(passed) * i128::from(self.capacity);
        }
        self.since = at;
    }

    fn look(&mut self, at: Timestamp, agent: &Agent) {
        self.advance(at);
        self.online = agent.is_online();
        self.load = agent.load;
        self.capacity = agent.capacity;
    }
}

impl Tally {
    /// How things stand before anything happens.
    pub(super) fn begin(&mut self, state: &State, at: Timestamp) {
        for (id, open) in &state.conversations {
            let Some(queue) = state.queues.get(open.queue) else { continue };
            let waits = open.waits().then(|| open.waiting_since.unwrap_or(at));
            self.places.insert(*id, Place { queue: queue.id.clone(), waits });
            for target in state.targets.list(*id) {
                self.targets.insert((*id, target.kind), target.state);
            }
        }
        for agent in state.agents.iter().filter(|agent| agent.configured) {
            let share = self.agents.entry(agent.id.clone()).or_default();
            share.since = at;
            share.look(at, agent);
        }
    }

    /// Takes events that the state has taken in already.
    pub(super) fn follow(&mut self, state: &State, at: Timestamp, events: &[Event]) {
        for event in events {
            match event.conversation {
                Some(id) => self.on(state, at, id, &event.body),
                None => match &event.body {
                    EventBody::AgentStatusChanged { agent, .. } => self.look(state, at, agent),
                    EventBody::InputParked { .. } => self.parked += 1,
                    _ => {}
                },
            }
        }
    }

    fn on(&mut self, state: &State, at: Timestamp, id: ConversationId, body: &EventBody) {
        match body {
            EventBody::ConversationOpened(opened)
            | EventBody::ConversationReopened { opened, .. } => {
                let queue = opened.queue.clone();
                self.queues.entry(queue.clone()).or_default().conversations += 1;
                self.failed += opened.route.failed.len() as u64;
                self.places.insert(id, Place { queue, waits: Some(at) });
            }
            EventBody::ConversationTransferred { queue, .. } => {
                self.queues.entry(queue.clone()).or_default().conversations += 1;
                if let Some(place) = self.places.get_mut(&id) {
                    place.queue = queue.clone();
                }
            }
            EventBody::ConversationAssigned { agent, .. } => {
                if let Some(place) = self.places.get_mut(&id)
                    && let Some(since) = place.waits.take()
                {
                    let counts = self.queues.entry(place.queue.clone()).or_default();
                    counts.waits.push(at.since(since).max(0));
                }
                self.agents.entry(agent.clone()).or_default().assigned += 1;
                self.look(state, at, agent);
            }
            EventBody::ConversationReleased { agent, .. } => {
                self.stands(id, at);
                self.look(state, at, agent);
            }
            EventBody::ConversationWoken { .. } => self.stands(id, at),
            // It keeps its place: that its targets were met comes behind it.
            EventBody::ConversationResolved { freed, .. }
            | EventBody::ConversationMerged { freed, .. }
            | EventBody::ConversationSnoozed { freed, .. } => {
                self.leaves(state, id, at, freed.as_ref());
            }
            EventBody::ConversationIdled { agent, .. }
            | EventBody::ConversationRoused { agent, .. } => self.look(state, at, agent),
            EventBody::TargetsChanged { targets } => {
                for target in targets {
                    let before = self.targets.insert((id, target.kind), target.state);
                    if target.state == TargetState::Met && before != Some(TargetState::Met) {
                        self.count(id, |counts| counts.kept += 1);
                    }
                }
            }
            EventBody::TargetBreached { kind, .. } => {
                self.targets.insert((id, *kind), TargetState::Breached);
                self.count(id, |counts| counts.missed += 1);
            }
            _ => {}
        }
    }

    fn count(&mut self, id: ConversationId, edit: impl FnOnce(&mut Counts)) {
        if let Some(place) = self.places.get(&id) {
            edit(self.queues.entry(place.queue.clone()).or_default());
        }
    }

    fn leaves(&mut self, state: &State, id: ConversationId, at: Timestamp, freed: Option<&Freed>) {
        if let Some(place) = self.places.get_mut(&id) {
            place.waits = None;
        }
        if let Some(freed) = freed {
            self.look(state, at, &freed.agent);
        }
    }

    fn stands(&mut self, id: ConversationId, at: Timestamp) {
        if let Some(place) = self.places.get_mut(&id) {
            place.waits = Some(at);
        }
    }

    fn look(&mut self, state: &State, at: Timestamp, agent: &AgentId) {
        let share = self.agents.entry(agent.clone()).or_default();
        match state.agent(agent) {
            Some(agent) => share.look(at, agent),
            None => {
                share.advance(at);
                share.online = false;
            }
        }
    }

    /// What was counted, at the end of the time.
    pub(super) fn finish(mut self, config: String, state: &State, at: Timestamp) -> SideReport {
        for share in self.agents.values_mut() {
            share.advance(at);
        }
        let mut waiting: BTreeMap<QueueId, u64> = BTreeMap::new();
        for open in state.conversations.values().filter(|open| open.waits()) {
            if let Some(queue) = state.queues.get(open.queue) {
                *waiting.entry(queue.id.clone()).or_default() += 1;
            }
        }
        for queue in state.queues.iter().filter(|queue| queue.configured) {
            self.queues.entry(queue.id.clone()).or_default();
        }
        let queues = self.queues.into_iter().map(|(queue, counts)| QueueReport {
            conversations: counts.conversations,
            waiting: waiting.remove(&queue).unwrap_or(0),
            wait_ms: Waits::of(counts.waits),
            targets_kept: counts.kept,
            targets_missed: counts.missed,
            queue,
        });
        let agents = self.agents.into_iter().map(|(agent, share)| AgentReport {
            agent,
            assigned: share.assigned,
            online_ms: share.online_ms,
            load_percent: percent(share.taken, share.had),
        });
        SideReport {
            config,
            queues: queues.collect(),
            agents: agents.collect(),
            set_aside: self.parked,
            rules_failed: self.failed,
        }
    }
}

/// Whole percents: the same on every machine.
fn percent(part: i128, whole: i128) -> u8 {
    if whole <= 0 {
        return 0;
    }
    u8::try_from((part * 100 / whole).clamp(0, 255)).unwrap_or(u8::MAX)
}
