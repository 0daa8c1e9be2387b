//! The fold: how each event changes the state. It never fails and never asks why.

use postroom_model::{
    AgentId, Climbed, ConversationId, DeliveryState, Event, EventBody, Freed, MessageId, Opened, SendResult,
    Status, TargetState, Timestamp,
};

use super::{Delivery, Open, Owner, Queue, State};

/// The customer has the last word.
fn wait(open: &mut Open, at: Timestamp) {
    open.message_version = open.version;
    if open.status == Status::Pending {
        open.status = Status::Open;
    }
    if open.status == Status::Open && open.waiting_since.is_none() {
        open.waiting_since = Some(at);
    }
}

impl State {
    /// Folds one event that happened at `at`.
    pub fn apply(&mut self, at: Timestamp, event: &Event) {
        match event.conversation {
            Some(id) => self.apply_on(at, id, &event.body),
            None => self.apply_global(at, &event.body),
        }
    }

    fn apply_global(&mut self, at: Timestamp, body: &EventBody) {
        match body {
            EventBody::ConfigInstalled { settings } => self.install((**settings).clone()),
            EventBody::AgentStatusChanged { agent, status, .. } => {
                let Some(ix) = self.agent_ix.get(agent).copied() else {
                    return;
                };
                self.change_agent(ix, |agent| {
                    agent.status = *status;
                    agent.status_since = at;
                });
            }
            EventBody::DeliveryOwned { channel, host, epoch } => {
                self.owners.insert(channel.clone(), Owner { host: *host, epoch: *epoch });
            }
            EventBody::CallRecorded(recorded) => self.calls.fold(at, None, recorded),
            EventBody::ContactMerged { contact, into, .. } => self.talks.join(*contact, *into),
            // Contacts and parked inputs are looked up, not held.
            _ => {}
        }
    }

    fn apply_on(&mut self, at: Timestamp, id: ConversationId, body: &EventBody) {
        match body {
            EventBody::ConversationOpened(opened) => {
                self.open(at, id, opened);
                return;
            }
            EventBody::ConversationReopened { opened, .. } => {
                self.open(at, id, opened);
                return;
            }
            _ => {}
        }
        match body {
            EventBody::ConversationAssigned { agent, cost, .. } => {
                self.assign(at, id, agent, *cost);
            }
            EventBody::ConversationReleased { agent, cost, .. } => {
                self.change(id, |open| open.owner = None);
                self.free(at, id, agent, *cost);
            }
            EventBody::ConversationTransferred { queue, .. } => {
                let place = self.queue_place(queue);
                self.change(id, |open| {
                    open.queue = place;
                    open.step = 0;
                });
            }
            EventBody::ConversationWoken { .. } => self.wake(at, id),
            EventBody::LadderClimbed(climbed) => self.climb(id, climbed),
            EventBody::ConversationSnoozed { until, freed, .. } => {
                self.snooze(at, id, *until, freed.as_ref());
            }
            EventBody::ConversationResolved { freed, .. }
            | EventBody::ConversationMerged { freed, .. } => {
                self.remove(id);
                self.talks.close(id);
                self.targets.close(id);
                self.give_back(at, id, freed.as_ref());
            }
            EventBody::ConversationPrioritised { priority, .. } => {
                self.change(id, |open| open.priority = *priority);
            }
            EventBody::MessageReceived { .. } => self.change(id, |open| wait(open, at)),
            EventBody::CallRecorded(recorded) => {
                self.calls.fold(at, Some(id), recorded);
                self.change(id, |open| {
                    open.message_version = open.version;
                    if recorded.waits {
                        wait(open, at);
                    }
                });
            }
            EventBody::ReplyQueued { id: message, channel, .. } => {
                self.change(id, |open| {
                    open.message_version = open.version;
                    open.waiting_since = None;
                    if open.status == Status::Open {
                        open.status = Status::Pending;
                    }
                });
                let state = DeliveryState::Queued;
                let channel = channel.clone();
                let delivery = Delivery {
                    channel,
                    conversation: id,
                    state,
                    attempts: 0,
                    next_at: at,
                    epoch: 0,
                    told: false,
                };
                self.deliveries.insert(*message, delivery);
            }
            _ => {
                self.change(id, |_| {});
                self.apply_promised(id, body);
                self.apply_delivery(at, id, body);
            }
        }
    }

    fn climb(&mut self, id: ConversationId, climbed: &Climbed) {
        let need = self.skills.need(&climbed.skills);
        self.change(id, |open| {
            open.need = need;
            open.priority = climbed.priority;
            open.step = climbed.step;
        });
    }

    fn apply_promised(&mut self, id: ConversationId, body: &EventBody) {
        match body {
            // Of one that is done nothing is held.
            EventBody::TargetsChanged { targets } if self.conversations.contains_key(&id) => {
                self.targets.change(id, targets.clone());
            }
            EventBody::TargetWarned { kind, .. } => {
                self.targets.note(id, *kind, TargetState::Warned);
            }
            EventBody::TargetBreached { kind, .. } => {
                self.targets.note(id, *kind, TargetState::Breached);
            }
            _ => {}
        }
    }

    fn apply_delivery(&mut self, at: Timestamp, id: ConversationId, body: &EventBody) {
        match body {
            EventBody::DeliveryAttempted { message, epoch, attempt } => {
                if let Some(delivery) = self.deliveries.get_mut(message) {
                    delivery.state = DeliveryState::Sending;
                    delivery.epoch = *epoch;
                    delivery.attempts = *attempt;
                }
            }
            EventBody::DeliverySettled { message, result } => self.settle(*message, result),
            EventBody::DeliveryRequeued { message, channel, attempts, .. } => {
                let delivery = Delivery {
                    channel: channel.clone(),
                    conversation: id,
                    state: DeliveryState::Queued,
                    attempts: *attempts,
                    next_at: at,
                    epoch: 0,
                    told: false,
                };
                self.deliveries.insert(*message, delivery);
            }
            EventBody::ReceiptRecorded { message, .. } => self.told(*message),
            _ => {}
        }
    }

    /// The outside knows what became of it, so it must not leave (again): at once if no attempt
    /// runs, else once the host has reported.
    fn told(&mut self, message: MessageId) {
        match self.deliveries.get_mut(&message) {
            Some(delivery) if delivery.state == DeliveryState::Sending => delivery.told = true,
            _ => {
                self.deliveries.remove(&message);
            }
        }
    }

    fn settle(&mut self, message: MessageId, result: &SendResult) {
        let told = self.deliveries.get(&message).is_some_and(|delivery| delivery.told);
        match result {
            SendResult::Retry { retry_at, .. } if !told => {
                if let Some(delivery) = self.deliveries.get_mut(&message) {
                    delivery.state = DeliveryState::Waiting;
                    delivery.next_at = *retry_at;
                }
            }
            SendResult::Retry { .. }
            | SendResult::Sent { .. }
            | SendResult::Failed { .. }
            | SendResult::Uncertain { .. } => {
                self.deliveries.remove(&message);
            }
        }
    }

    fn open(&mut self, at: Timestamp, id: ConversationId, opened: &Opened) {
        self.remove(id);
        self.talks.open(id, opened.contact);
        self.targets.open(id, opened.policy.clone());
        let queue = self.queue_place(&opened.queue);
        let need = self.skills.need(&opened.skills);
        self.know_cost(opened.cost);
        self.insert(
            id,
            Open {
                queue,
                owner: None,
                status: Status::Open,
                priority: opened.priority,
                need,
                cost: opened.cost,
                waiting_since: Some(at),
                snoozed_until: None,
                version: opened.version + 1,
                message_version: opened.message_version,
                step: 0,
            },
        );
    }

    fn assign(&mut self, at: Timestamp, id: ConversationId, agent: &AgentId, cost: u16) {
        let ix = self.agent_ix.get(agent).copied();
        self.change(id, |open| open.owner = ix.or(open.owner));
        let Some(ix) = ix else {
            return;
        };
        self.change_agent(ix, |agent| {
            agent.load = agent.load.saturating_add(u32::from(cost));
            agent.idle_since = at;
            agent.owned.insert(id);
        });
    }

    fn free(&mut self, at: Timestamp, id: ConversationId, agent: &AgentId, cost: u16) {
        let Some(ix) = self.agent_ix.get(agent).copied() else {
            return;
        };
        self.change_agent(ix, |agent| {
            if agent.owned.remove(&id) {
                agent.load = agent.load.saturating_sub(u32::from(cost));
            }
            agent.idle_since = at;
        });
    }

    fn give_back(&mut self, at: Timestamp, id: ConversationId, freed: Option<&Freed>) {
        if let Some(freed) = freed {
            self.free(at, id, &freed.agent, freed.cost);
        }
    }

    fn wake(&mut self, at: Timestamp, id: ConversationId) {
        self.change(id, |open| {
            open.status = Status::Open;
            open.owner = None;
            open.snoozed_until = None;
            open.waiting_since = Some(at);
            open.step = 0;
        });
    }

    fn snooze(
        &mut self,
        at: Timestamp,
        id: ConversationId,
        until: Timestamp,
        freed: Option<&Freed>,
    ) {
        self.change(id, |open| {
            open.status = Status::Snoozed;
            open.snoozed_until = Some(until);
            open.waiting_since = None;
        });
        self.give_back(at, id, freed);
    }

    /// The number of a queue. One that is not configured (any more) gets a place of its own, where
    /// nobody serves it until time moves its conversations on.
    fn queue_place(&mut self, id: &postroom_model::QueueId) -> usize {
        if let Some(ix) = self.queue_ix.get(id) {
            return *ix;
        }
        self.queues.push(Queue::new(id.clone(), false));
        self.queue_ix.insert(id.clone(), self.queues.len() - 1);
        self.queues.len() - 1
    }
}
