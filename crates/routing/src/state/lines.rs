//! Lines beside those of the queues: where a step of a ladder has said who gets what waits, it stands
//! in a queue of its own that nobody sees. So the next pair is found as in any other queue. Who is
//! found in a line is what the step said, whatever ladder is in force by now.

use std::collections::BTreeSet;

use postroom_model::{AgentId, QueueId};
use serde::{Deserialize, Serialize};

use super::index::available;
use super::{AgentIx, Open, Queue, QueueIx, State};

/// Who gets a conversation beside, or instead of, the agents of its queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) struct Reach {
    /// Only these; nobody is named if it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentId>,
    /// Whoever serves one of these as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueueId>,
}

impl Reach {
    fn is_plain(&self) -> bool {
        self.agents.is_empty() && self.queues.is_empty()
    }
}

impl State {
    /// Who gets it beside the agents of its queue.
    pub(crate) fn reach_of(&self, open: &Open) -> Reach {
        let line = self.queues.get(open.line);
        line.and_then(|line| line.reach.clone()).unwrap_or_default()
    }

    /// The agents whom a reach finds, in the order of the configuration. Where nobody of those who are
    /// named is configured any more, it is as if nobody were named.
    pub(crate) fn reached(&self, queue: QueueIx, reach: &Reach) -> Vec<AgentIx> {
        let configured = || self.agents.iter().enumerate().filter(|(_, agent)| agent.configured);
        let named: Vec<AgentIx> = configured()
            .filter(|(_, agent)| reach.agents.contains(&agent.id))
            .map(|(ix, _)| ix)
            .collect();
        if !named.is_empty() {
            return named;
        }
        let wider = reach.queues.iter().filter_map(|id| self.queue_ix.get(id).copied());
        let all: BTreeSet<QueueIx> = wider.chain([queue]).collect();
        configured()
            .filter(|(_, agent)| agent.queues.iter().any(|queue| all.contains(queue)))
            .map(|(ix, _)| ix)
            .collect()
    }

    /// The line of a queue for those whom a reach finds; it is made if there is none.
    pub(super) fn line_for(&mut self, queue: QueueIx, reach: Reach) -> QueueIx {
        if reach.is_plain() {
            return queue;
        }
        let key = (queue, reach);
        if let Some(line) = self.lines.get(&key) {
            return *line;
        }
        let Some(base) = self.queues.get(queue) else { return queue };
        let ix = self.queues.len();
        let mut line = Queue::new(base.id.clone(), base.configured, base.work.clone());
        line.members = self.reached(queue, &key.1);
        line.reach = Some(key.1.clone());
        for member in &line.members {
            let Some(agent) = self.agents.get_mut(*member) else { continue };
            agent.queues.push(ix);
            if let Some((place, turns)) = available(&self.costs, agent) {
                let turn = turns.of(line.work.choose);
                line.available.entry(place).or_default().insert((turn, *member));
            }
        }
        self.queues.push(line);
        self.lines.insert(key, ix);
        ix
    }
}
