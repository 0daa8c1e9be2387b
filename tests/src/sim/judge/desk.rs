//! P6: one owner, never over capacity, and nobody waits for an agent who is free. Counted again from
//! the events alone.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    AgentId, AgentStatus, ChannelKind, ConversationId, Event, EventBody, Freed, HandOut, OfferEnd,
    OfferMade, Opened, QueueId, Reason, Settings, Status,
};

use super::{Case, Complaints};

#[derive(Debug)]
struct Conversation {
    status: Status,
    owner: Option<AgentId>,
    queue: QueueId,
    cost: u16,
    /// What its owner has back of the cost.
    idle: u16,
    skills: BTreeMap<String, u8>,
    kind: ChannelKind,
    /// Who is asked whether they take it.
    asked: BTreeSet<AgentId>,
    /// Who declined it not long ago.
    declined: BTreeSet<AgentId>,
}

impl Conversation {
    fn opened(opened: &Opened, kind: ChannelKind) -> Self {
        Self {
            idle: 0,
            kind,
            asked: BTreeSet::new(),
            declined: BTreeSet::new(),
            status: Status::Open,
            owner: None,
            queue: opened.queue.clone(),
            cost: opened.cost,
            skills: opened.skills.clone(),
        }
    }

    fn charge(&self) -> u16 {
        self.cost - self.idle
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
    paused: BTreeSet<AgentId>,
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
                self.paused.retain(|agent| settings.agent(agent).is_some());
                for row in self.conversations.values_mut() {
                    row.declined.retain(|agent| settings.agent(agent).is_some());
                }
                self.settings = Some((**settings).clone());
            }
            (EventBody::AgentStatusChanged { agent, status, .. }, _) => {
                self.statuses.insert(agent.clone(), *status);
            }
            (EventBody::AgentPaused { agent, .. }, _) => {
                self.paused.insert(agent.clone());
            }
            (EventBody::AgentReady { agent }, _) => {
                self.paused.remove(agent);
            }
            (
                EventBody::ConversationOpened(opened)
                | EventBody::ConversationReopened { opened, .. },
                Some(id),
            ) => {
                let settings = self.settings.as_ref();
                let channel = settings.and_then(|all| all.channel(&opened.channel));
                let kind = channel.map_or(ChannelKind::Webhook, |channel| channel.kind);
                let before = self.conversations.insert(id, Conversation::opened(opened, kind));
                complaints.unless(before.is_none(), || format!("P6: {id} was open already"));
            }
            (body, Some(id)) => self.take_on(id, body, complaints),
            _ => {}
        }
    }

    fn take_on(&mut self, id: ConversationId, body: &EventBody, complaints: &mut Complaints) {
        match body {
            EventBody::ConversationAssigned { agent, reason, .. } => {
                self.check_assignment(id, agent, reason, complaints);
            }
            EventBody::OfferMade(made) => self.check_offer(id, made, complaints),
            EventBody::OfferExtended(made) => self.check_further_offer(id, made, complaints),
            _ => {}
        }
        let Some(row) = self.conversations.get_mut(&id) else { return };
        let holder = row.holder().cloned();
        match body {
            EventBody::ConversationAssigned { agent, cost, .. } => {
                complaints.unless(*cost == row.cost, || format!("P6: {id} has another cost"));
                complaints.unless(row.asked.is_empty(), || format!("P6: {id} is still offered"));
                row.owner = Some(agent.clone());
            }
            EventBody::OfferMade(made) | EventBody::OfferExtended(made) => {
                row.asked.extend(made.agents.iter().cloned());
            }
            EventBody::OfferClosed(closed) => {
                for agent in &closed.agents {
                    let asked = row.asked.remove(agent);
                    complaints.unless(asked, || format!("P6: {agent} was not asked for {id}"));
                    if closed.cause == OfferEnd::Declined {
                        row.declined.insert(agent.clone());
                    }
                }
            }
            EventBody::OfferForgotten { agent } => {
                row.declined.remove(agent);
            }
            EventBody::ConversationIdled { agent, cost } => {
                let right = holder.as_ref() == Some(agent) && row.status == Status::Pending;
                complaints.unless(right, || format!("P6: {id} is not idle with {agent}"));
                row.idle = *cost;
            }
            EventBody::ConversationRoused { .. } => row.idle = 0,
            EventBody::ConversationReleased { agent, cost, .. } => {
                let right = holder.as_ref() == Some(agent) && *cost == row.charge();
                row.idle = 0;
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
                row.idle = 0;
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
            // What the program says by itself is no answer.
            EventBody::ReplyQueued { message, .. }
                if row.status == Status::Open && message.automation.is_none() =>
            {
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
        let automatic = matches!(
            reason,
            Reason::LongestIdle { .. }
                | Reason::LeastLoaded { .. }
                | Reason::RoundRobin { .. }
                | Reason::KeptFor { .. }
                | Reason::TakenOver { .. }
                | Reason::Returned
        );
        if automatic {
            complaints.unless(self.can_take(agent, row), || {
                format!("P6: {agent} cannot take {id}, load {}", self.load(agent))
            });
        }
    }

    /// Who is asked has room for it, and it is nobody's.
    fn check_offer(&self, id: ConversationId, made: &OfferMade, complaints: &mut Complaints) {
        let Some(row) = self.conversations.get(&id) else {
            complaints.add(format!("P6: {id} is offered and not open"));
            return;
        };
        let free = row.owner.is_none() && row.asked.is_empty() && row.status == Status::Open;
        complaints.unless(free, || format!("P6: {id} is offered and not free"));
        for agent in &made.agents {
            complaints.unless(self.can_take(agent, row), || {
                format!("P6: {agent} is offered {id} and cannot take it")
            });
        }
    }

    /// Some are asked already, and whoever is asked beside them has room for it.
    fn check_further_offer(
        &self,
        id: ConversationId,
        made: &OfferMade,
        complaints: &mut Complaints,
    ) {
        let Some(row) = self.conversations.get(&id) else {
            complaints.add(format!("P6: {id} is offered and not open"));
            return;
        };
        let stands = row.owner.is_none() && row.asked.iter().all(|one| made.agents.contains(one));
        complaints.unless(stands && !row.asked.is_empty(), || format!("P6: {id} is not offered"));
        for agent in made.agents.iter().filter(|agent| !row.asked.contains(*agent)) {
            complaints.unless(self.can_take(agent, row), || {
                format!("P6: {agent} is offered {id} and cannot take it")
            });
        }
    }

    fn load(&self, agent: &AgentId) -> u32 {
        let rows = self.conversations.values();
        rows.map(|row| match row.holder() {
            Some(holder) if holder == agent => u32::from(row.charge()),
            _ if row.asked.contains(agent) => u32::from(row.cost),
            _ => 0,
        })
        .sum()
    }

    fn can_take(&self, agent: &AgentId, row: &Conversation) -> bool {
        let settings = self.settings.as_ref();
        let Some(agent) = settings.and_then(|settings| settings.agent(agent)) else {
            return false;
        };
        let has = |skill: &String| agent.skills.get(skill).copied().unwrap_or(0);
        // What costs nothing takes nobody over capacity, also who is over it by their own doing.
        let theirs = |other: &&Conversation| {
            other.kind == row.kind
                && (other.holder() == Some(&agent.id) || other.asked.contains(&agent.id))
        };
        let held = self.conversations.values().filter(theirs).count();
        let most = agent.limits.get(&row.kind).copied();
        let within = most.is_none_or(|most| u32::try_from(held).is_ok_and(|held| held < most));
        let room = agent.capacity.saturating_sub(self.load(&agent.id));
        self.statuses.get(&agent.id) == Some(&AgentStatus::Online)
            && !self.paused.contains(&agent.id)
            && !row.declined.contains(&agent.id)
            && within
            && agent.queues.contains(&row.queue)
            && row.skills.iter().all(|(skill, level)| has(skill) >= *level)
            && u32::from(row.cost) <= room
    }

    fn nobody_waits(&self, seq: u64, complaints: &mut Complaints) {
        let Some(settings) = &self.settings else { return };
        for (id, row) in &self.conversations {
            let waits = row.status == Status::Open && row.owner.is_none();
            let queue = settings.queue(&row.queue);
            let handed = queue.is_some_and(|queue| queue.work.hand_out != HandOut::Pull);
            if !waits || !handed || !row.asked.is_empty() {
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
    let holder = row.holder().map(|agent| (agent, row.charge()));
    complaints.unless(holder == freed.map(|freed| (&freed.agent, freed.cost)), || {
        format!("P6: {id} gives back {freed:?}, held by {holder:?}")
    });
}
