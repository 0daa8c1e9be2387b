//! P6: one owner, never over capacity, and nobody waits for an agent who is free. Counted again from
//! the events alone.

use std::collections::BTreeMap;

use postroom_model::{
    AgentId, AgentStatus, ConversationId, Event, EventBody, Freed, Opened, QueueId, Reason,
    Settings, Status,
};

use super::{Case, Complaints};

#[derive(Debug)]
struct Conversation {
    status: Status,
    owner: Option<AgentId>,
    queue: QueueId,
    cost: u16,
    skills: BTreeMap<String, u8>,
}

impl Conversation {
    fn opened(opened: &Opened) -> Self {
        Self {
            status: Status::Open,
            owner: None,
            queue: opened.queue.clone(),
            cost: opened.cost,
            skills: opened.skills.clone(),
        }
    }

    fn holder(&self) -> Option<&AgentId> {
        self.owner.as_ref().filter(|_| matches!(self.status, Status::Open | Status::Pending))
    }
}

#[derive(Debug, Default)]
struct Desk {
    settings: Option<Settings>,
    conversations: BTreeMap<ConversationId, Conversation>,
    statuses: BTreeMap<AgentId, AgentStatus>,
}

pub(super) fn judge(case: &Case<'_>, complaints: &mut Complaints) {
    let mut desk = Desk::default();
    for (seq, envelope) in &case.envelopes {
        for transition in &envelope.transitions {
            for event in &transition.events {
                desk.take(event, complaints);
            }
            desk.nobody_waits(*seq, complaints);
        }
    }
}

impl Desk {
    fn take(&mut self, event: &Event, complaints: &mut Complaints) {
        match (&event.body, event.conversation) {
            (EventBody::ConfigInstalled { settings }, _) => {
                self.settings = Some((**settings).clone());
            }
            (EventBody::AgentStatusChanged { agent, status, .. }, _) => {
                self.statuses.insert(agent.clone(), *status);
            }
            (
                EventBody::ConversationOpened(opened)
                | EventBody::ConversationReopened { opened, .. },
                Some(id),
            ) => {
                let before = self.conversations.insert(id, Conversation::opened(opened));
                complaints.unless(before.is_none(), || format!("P6: {id} was open already"));
            }
            (body, Some(id)) => self.take_on(id, body, complaints),
            _ => {}
        }
    }

    fn take_on(&mut self, id: ConversationId, body: &EventBody, complaints: &mut Complaints) {
        if let EventBody::ConversationAssigned { agent, reason, .. } = body {
            self.check_assignment(id, agent, reason, complaints);
        }
        let Some(row) = self.conversations.get_mut(&id) else { return };
        let holder = row.holder().cloned();
        match body {
            EventBody::ConversationAssigned { agent, cost, .. } => {
                complaints.unless(*cost == row.cost, || format!("P6: {id} has another cost"));
                row.owner = Some(agent.clone());
            }
            EventBody::ConversationReleased { agent, cost, .. } => {
                let right = holder.as_ref() == Some(agent) && *cost == row.cost;
                complaints.unless(right, || format!("P6: {agent} releases {id} without having it"));
                row.owner = None;
            }
            EventBody::ConversationTransferred { queue, .. } => row.queue = queue.clone(),
            EventBody::ConversationWoken { .. } => {
                row.status = Status::Open;
                row.owner = None;
            }
            EventBody::ConversationSnoozed { freed, .. } => {
                check_freed(id, row, freed.as_ref(), complaints);
                row.status = Status::Snoozed;
            }
            EventBody::ConversationResolved { freed, .. }
            | EventBody::ConversationMerged { freed, .. } => {
                check_freed(id, row, freed.as_ref(), complaints);
                self.conversations.remove(&id);
            }
            EventBody::MessageReceived { .. } if row.status == Status::Pending => {
                row.status = Status::Open;
            }
            EventBody::ReplyQueued { .. } if row.status == Status::Open => {
                row.status = Status::Pending;
            }
            _ => {}
        }
    }

    fn check_assignment(
        &self,
        id: ConversationId,
        agent: &AgentId,
        reason: &Reason,
        complaints: &mut Complaints,
    ) {
        let Some(row) = self.conversations.get(&id) else {
            complaints.add(format!("P6: {id} is assigned and not open"));
            return;
        };
        complaints.unless(row.holder().is_none(), || format!("P6: {id} has an owner already"));
        complaints.unless(row.status != Status::Snoozed, || format!("P6: {id} is snoozed"));
        if matches!(reason, Reason::LongestIdle { .. } | Reason::Returned) {
            complaints.unless(self.can_take(agent, row), || {
                format!("P6: {agent} cannot take {id}, load {}", self.load(agent))
            });
        }
    }

    fn load(&self, agent: &AgentId) -> u32 {
        let held = self.conversations.values().filter(|row| row.holder() == Some(agent));
        held.map(|row| u32::from(row.cost)).sum()
    }

    fn can_take(&self, agent: &AgentId, row: &Conversation) -> bool {
        let settings = self.settings.as_ref();
        let Some(agent) = settings.and_then(|settings| settings.agent(agent)) else {
            return false;
        };
        let has = |skill: &String| agent.skills.get(skill).copied().unwrap_or(0);
        // What costs nothing takes nobody over capacity, also who is over it by their own doing.
        let room = agent.capacity.saturating_sub(self.load(&agent.id));
        self.statuses.get(&agent.id) == Some(&AgentStatus::Online)
            && agent.queues.contains(&row.queue)
            && row.skills.iter().all(|(skill, level)| has(skill) >= *level)
            && u32::from(row.cost) <= room
    }

    fn nobody_waits(&self, seq: u64, complaints: &mut Complaints) {
        let Some(settings) = &self.settings else { return };
        for (id, row) in &self.conversations {
            let waits = row.status == Status::Open && row.owner.is_none();
            if !waits || settings.queue(&row.queue).is_none() {
                continue;
            }
            let taker = settings.agents.iter().find(|agent| self.can_take(&agent.id, row));
            if let Some(agent) = taker {
                let agent = &agent.id;
                complaints.add(format!("P6: after {seq}, {id} and {agent} wait for each other"));
            }
        }
    }
}

fn check_freed(
    id: ConversationId,
    row: &Conversation,
    freed: Option<&Freed>,
    complaints: &mut Complaints,
) {
    let holder = row.holder().map(|agent| (agent, row.cost));
    complaints.unless(holder == freed.map(|freed| (&freed.agent, freed.cost)), || {
        format!("P6: {id} gives back {freed:?}, held by {holder:?}")
    });
}
