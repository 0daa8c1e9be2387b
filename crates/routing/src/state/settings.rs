//! Taking settings into force: queues and agents get their numbers anew, what is held stays held.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use postroom_model::{AgentStatus, QueueId, QueueWork, Settings, Timestamp};

use super::{Agent, AgentIx, Queue, QueueIx, Reach, State, Work};
use crate::Calendar;

impl State {
    /// Queues and agents that the new settings do not name are kept as long as conversations hold
    /// them; those conversations are orphans, which time moves on.
    pub(super) fn install(&mut self, settings: Settings) {
        let settings = Arc::new(settings);
        let lines = self.queues.iter().enumerate();
        let reaches: BTreeMap<QueueIx, Reach> =
            lines.filter_map(|(ix, line)| Some((ix, line.reach.clone()?))).collect();
        let queue_map = self.renumber_queues(&settings);
        self.place_ladders(&settings);
        let agent_map = self.renumber_agents(&settings);
        self.costs = self.costs_in_use(&settings);
        self.take(settings);
        let conversations = std::mem::take(&mut self.conversations);
        self.deadlines.clear();
        self.orphans.clear();
        self.climbs.clear();
        for (id, mut open) in conversations {
            open.queue = queue_map.get(&open.queue).copied().unwrap_or(0);
            let reach = reaches.get(&open.line).cloned().unwrap_or_default();
            open.line = self.line_for(open.queue, reach);
            open.owner = open.owner.and_then(|owner| agent_map.get(&owner).copied());
            self.insert(id, open);
        }
        self.prune_desk();
        self.index_agents();
    }

    /// Holds the settings and what is found in them often.
    pub(super) fn take(&mut self, settings: Arc<Settings>) {
        self.config = settings.short_hash();
        self.talks.install(&settings);
        self.targets.install(&settings);
        let channels = settings.channels.iter().enumerate();
        self.channel_ix = channels.map(|(ix, channel)| (channel.id.clone(), ix)).collect();
        self.settings = Some(settings);
    }

    /// Gives the queues their ladders.
    pub(super) fn place_ladders(&mut self, settings: &Settings) {
        for (id, timing) in &settings.timing.queues {
            let ix = self.queue_ix.get(id).copied();
            if let Some(queue) = ix.and_then(|ix| self.queues.get_mut(ix)) {
                queue.ladder.clone_from(&timing.ladder);
                let calendar = settings.calendars.iter();
                let mut calendar = calendar.filter(|one| timing.calendar.as_ref() == Some(&one.id));
                queue.calendar = calendar.next().and_then(|one| Calendar::new(one).ok());
            }
        }
    }

    fn renumber_queues(&mut self, settings: &Settings) -> BTreeMap<QueueIx, QueueIx> {
        let held: BTreeSet<QueueIx> = self.conversations.values().map(|open| open.queue).collect();
        let old: Vec<QueueId> = self.queues.iter().map(|queue| queue.id.clone()).collect();
        self.lines.clear();
        self.queues = settings
            .queues
            .iter()
            .map(|queue| Queue::new(queue.id.clone(), true, queue.work.clone()))
            .collect();
        for ix in held {
            if let Some(id) = old.get(ix)
                && settings.queue(id).is_none()
            {
                self.queues.push(Queue::new(id.clone(), false, QueueWork::default()));
            }
        }
        self.queue_ix =
            self.queues.iter().enumerate().map(|(ix, queue)| (queue.id.clone(), ix)).collect();
        let place = |id: &QueueId| self.queue_ix.get(id).copied();
        old.iter().enumerate().filter_map(|(ix, id)| Some((ix, place(id)?))).collect()
    }

    fn renumber_agents(&mut self, settings: &Settings) -> BTreeMap<AgentIx, AgentIx> {
        let old = std::mem::take(&mut self.agents);
        let named: BTreeSet<AgentIx> =
            self.conversations.values().filter_map(|open| open.owner).collect();
        // Who was gone and holds nothing is forgotten, as a snapshot forgets them.
        let mut before: BTreeMap<_, _> = old
            .iter()
            .enumerate()
            .filter(|(ix, agent)| agent.configured || named.contains(ix))
            .map(|(ix, agent)| (agent.id.clone(), ix))
            .collect();
        let mut map = BTreeMap::new();
        for wanted in &settings.agents {
            let was = before.remove(&wanted.id).and_then(|ix| Some((ix, old.get(ix)?)));
            if let Some((ix, _)) = was {
                map.insert(ix, self.agents.len());
            }
            let queues = self.join(self.agents.len(), &wanted.queues);
            let profile = self.skills.profile(&wanted.skills);
            let was = was.map(|(_, agent)| agent);
            self.agents.push(Agent {
                id: wanted.id.clone(),
                configured: true,
                queues,
                profile,
                capacity: wanted.capacity,
                load: was.map_or(0, |agent| agent.load),
                status: was.map_or(AgentStatus::Offline, |agent| agent.status),
                status_since: was.map_or(Timestamp::EPOCH, |agent| agent.status_since),
                idle_since: was.map_or(Timestamp::EPOCH, |agent| agent.idle_since),
                owned: was.map(|agent| agent.owned.clone()).unwrap_or_default(),
                work: Work {
                    limits: wanted.limits.clone(),
                    ..was.map(|agent| agent.work.clone()).unwrap_or_default()
                },
            });
        }
        for ix in before.into_values().filter(|ix| named.contains(ix)) {
            if let Some(agent) = old.get(ix) {
                map.insert(ix, self.agents.len());
                let mut gone = Agent { configured: false, queues: vec![], ..agent.clone() };
                gone.work.pause = None;
                gone.work.declined.clear();
                self.agents.push(gone);
            }
        }
        self.agent_ix =
            self.agents.iter().enumerate().map(|(ix, agent)| (agent.id.clone(), ix)).collect();
        map
    }

    /// Makes the agent a member of the queues and gives their places, each once. A ghost of a queue
    /// has no members.
    pub(super) fn join(&mut self, agent: AgentIx, queues: &[QueueId]) -> Vec<QueueIx> {
        let mut places: Vec<QueueIx> = Vec::with_capacity(queues.len());
        for id in queues {
            let Some(ix) = self.queue_ix.get(id).copied() else {
                continue;
            };
            if let Some(queue) = self.queues.get_mut(ix)
                && queue.configured
                && !places.contains(&ix)
            {
                queue.members.push(agent);
                places.push(ix);
            }
        }
        places
    }

    fn costs_in_use(&self, settings: &Settings) -> Vec<u16> {
        let mut costs: BTreeSet<u16> = settings.costs.values().copied().collect();
        costs.extend(settings.queues.iter().flat_map(|queue| queue.work.costs.values()));
        costs.extend(self.conversations.values().map(|open| open.cost));
        costs.into_iter().collect()
    }
}
