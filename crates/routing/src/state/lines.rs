//! Lines beside those of the queues: for each step of a ladder that widens or narrows who gets what
//! waits, a queue of its own that nobody sees. So the next pair is found as in any other queue.

use std::collections::BTreeSet;

use postroom_model::{AgentId, LadderStep, Settings};

use super::{AgentIx, Open, Queue, QueueIx, State};

/// Who is found in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Whoever serves one of these queues.
    Queues(Vec<QueueIx>),
    /// These and nobody else.
    Agents(Vec<AgentId>),
}

impl State {
    /// The line in which a conversation stands.
    pub(crate) fn line_of(&self, open: &Open) -> QueueIx {
        line_at(&self.queues, open.queue, open.step)
    }

    /// Makes the lines that the ladders need. Every queue has its number by now.
    pub(super) fn make_lines(&mut self, settings: &Settings) {
        for (id, timing) in &settings.timing.queues {
            let Some(ix) = self.queue_ix.get(id).copied() else { continue };
            let mut lines = Vec::with_capacity(timing.ladder.len());
            for taken in 1..=timing.ladder.len() {
                let steps = timing.ladder.get(..taken).unwrap_or_default();
                lines.push(self.make_line(ix, steps));
            }
            if let Some(queue) = self.queues.get_mut(ix) {
                queue.ladder.clone_from(&timing.ladder);
                queue.lines = lines;
            }
        }
    }

    /// The line of a queue after these steps.
    fn make_line(&mut self, ix: QueueIx, steps: &[LadderStep]) -> QueueIx {
        let named = steps.last().map(|step| step.agents.as_slice()).unwrap_or_default();
        let wider: BTreeSet<QueueIx> = steps
            .iter()
            .flat_map(|step| &step.widen)
            .filter_map(|queue| self.queue_ix.get(queue).copied())
            .collect();
        let reach = if !named.is_empty() {
            Reach::Agents(named.to_vec())
        } else if !wider.is_empty() {
            Reach::Queues(std::iter::once(ix).chain(wider).collect())
        } else {
            return ix;
        };
        let Some(base) = self.queues.get(ix) else { return ix };
        let mut line = Queue::new(base.id.clone(), base.configured);
        line.reach = Some(reach);
        self.queues.push(line);
        self.queues.len().saturating_sub(1)
    }

    /// Puts everybody into the lines in which they are found. Every agent has their number by now.
    pub(super) fn join_lines(&mut self) {
        for line in 0..self.queues.len() {
            let Some(reach) = self.queues.get(line).and_then(|line| line.reach.clone()) else {
                continue;
            };
            let found = |agent: &super::Agent| match &reach {
                Reach::Queues(queues) => agent.queues.iter().any(|queue| queues.contains(queue)),
                Reach::Agents(named) => named.contains(&agent.id),
            };
            let configured = self.agents.iter().enumerate().filter(|(_, agent)| agent.configured);
            let members: Vec<AgentIx> =
                configured.filter(|(_, agent)| found(agent)).map(|(ix, _)| ix).collect();
            for ix in &members {
                if let Some(agent) = self.agents.get_mut(*ix) {
                    agent.queues.push(line);
                }
            }
            if let Some(line) = self.queues.get_mut(line) {
                line.members = members;
            }
        }
    }
}

/// The line in which what is in a queue stands after so many steps.
pub(super) fn line_at(queues: &[Queue], queue: QueueIx, step: u16) -> QueueIx {
    let taken = usize::from(step).checked_sub(1);
    let lines = queues.get(queue).map(|queue| queue.lines.as_slice()).unwrap_or_default();
    taken
        .and_then(|taken| lines.get(taken.min(lines.len().saturating_sub(1))))
        .copied()
        .unwrap_or(queue)
}
