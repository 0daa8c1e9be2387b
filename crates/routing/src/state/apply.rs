//! The fold: how each event changes the state. It never fails and never asks why.

use postroom_model::answer::is_automatic;
use postroom_model::{
    AgentId, AgentStatus, CallRecorded, ChannelId, ChannelKind, Climbed, ConversationId,
    DeliveryState, Event, EventBody, Freed, Kept, MessageId, Opened, QueueId, QueueWork,
    SendResult, Status, TargetState, Timestamp,
};

use super::work::Portion;
use super::{Delivery, Open, Owner, Queue, Reach, State};
use crate::called::group_of;
use crate::matching;

/// The customer has the last word.
fn wait(open: &mut Open, at: Timestamp) {
    open.message_version = open.version;
    open.asked_at = open.asked_at.max(at);
    if open.status == Status::Pending {
        open.status = Status::Open;
    }
    if open.status == Status::Open && open.waiting_since.is_none() {
        open.waiting_since = Some(at);
        at_the_foot(open);
    }
}

/// A call counts by when it happened, not by when it was heard of.
fn take_call(open: &mut Open, recorded: &CallRecorded, at: Timestamp) {
    open.message_version = open.version;
    if recorded.waits {
        wait(open, recorded.moment(at));
    }
    if open.waiting_since.is_some() {
        open.waiting_since = recorded.waiting_since.or(open.waiting_since);
    }
    open.settled_at = open.settled_at.max(recorded.settled_at(at));
}

/// The waiting begins anew, and with it the ladder of its queue.
fn at_the_foot(open: &mut Open) {
    open.step = 0;
    open.line = open.queue;
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
            EventBody::AgentStatusChanged { agent, status, reason, .. } => {
                let Some(ix) = self.agent_ix.get(agent).copied() else {
                    return;
                };
                self.change_agent(ix, |agent| {
                    agent.status = *status;
                    agent.status_since = at;
                    agent.work.reason.clone_from(reason);
                    if *status == AgentStatus::Online {
                        agent.work.portion = Portion::default();
                    }
                });
                if *status == AgentStatus::Offline {
                    self.desk.presence.clear(agent);
                }
            }
            EventBody::AgentPaused { agent, pause } => self.pause(agent, Some(*pause)),
            EventBody::AgentReady { agent } => self.pause(agent, None),
            EventBody::AgentsSeen { agents } => self.see(at, agents),
            EventBody::DeliveryOwned { channel, host, epoch } => {
                self.owners.insert(channel.clone(), Owner { host: *host, epoch: *epoch });
            }
            EventBody::CallRecorded(recorded) => self.take_report(at, None, recorded),
            EventBody::CallLeg(heard) => self.calls.hear(at, heard),
            EventBody::ContactMerged { contact, into, .. } => self.talks.join(*contact, *into),
            // Contacts and parked inputs are looked up, not held.
            _ => {}
        }
    }

    fn apply_on(&mut self, at: Timestamp, id: ConversationId, body: &EventBody) {
        match body {
            EventBody::ConversationOpened(opened) => {
                self.calls.lead(&opened.channel, opened.thread.as_deref(), id);
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
            EventBody::ConversationAssigned { agent, cost, reason } => {
                self.unkeep(id);
                self.assign(at, id, agent, *cost);
                if matching::is_automatic(reason) {
                    self.count_portion(at, agent);
                }
            }
            EventBody::ConversationReleased { agent, cost, .. } => {
                self.desk.silence.clear(&id);
                self.change(id, |open| open.owner = None);
                self.free(at, id, agent, *cost);
            }
            EventBody::ConversationTransferred { queue, reached, .. } => {
                self.desk.keeps.clear(&id);
                self.desk.silence.clear(&id);
                self.transfer(id, queue, reached);
            }
            EventBody::ConversationWoken { .. } => self.wake(at, id),
            EventBody::ConversationSnoozed { until, freed, .. } => {
                self.unkeep(id);
                self.desk.silence.clear(&id);
                self.snooze(at, id, *until, freed.as_ref());
            }
            EventBody::ConversationResolved { freed, .. }
            | EventBody::ConversationMerged { freed, .. } => self.close(at, id, freed.as_ref()),
            EventBody::ConversationJoined { .. } => {
                self.talks.take_in(id);
                self.change(id, |_| {});
            }
            EventBody::ConversationPrioritised { priority, .. } => {
                self.change(id, |open| open.priority = *priority);
            }
            EventBody::MessageReceived { mail: Some(mail), .. } if mail.quiet => {
                self.change(id, |open| open.message_version = open.version);
            }
            EventBody::MessageReceived { .. } => {
                self.talks.go_on(at, id);
                self.watch_silence(id, None);
                self.change(id, |open| wait(open, at));
            }
            EventBody::CallRecorded(recorded) => {
                if recorded.waits {
                    self.watch_silence(id, None);
                }
                self.take_report(at, Some(id), recorded);
                self.change(id, |open| take_call(open, recorded, at));
            }
            EventBody::ReplyQueued { id: own, channel, message, .. } if is_automatic(message) => {
                self.answers.give(at, id, message);
                self.change(id, |_| {});
                self.send(at, id, (*own, channel));
            }
            EventBody::ReplyQueued { id: message, channel, .. } => {
                self.queue_reply(at, id, (*message, channel));
            }
            _ if self.apply_desk(at, id, body) => {}
            _ => {
                self.apply_promised(id, body);
                let due_at = self.targets.due_at(id);
                self.change(id, |open| open.due_at = due_at);
                self.apply_delivery(at, id, body);
            }
        }
    }

    fn take_report(
        &mut self,
        at: Timestamp,
        conversation: Option<ConversationId>,
        recorded: &CallRecorded,
    ) {
        let group = group_of(self, recorded.id, &recorded.channel, &recorded.call);
        self.calls.fold(at, conversation, recorded, group);
    }

    /// The customer has the next word.
    fn queue_reply(
        &mut self,
        at: Timestamp,
        id: ConversationId,
        (message, channel): (MessageId, &ChannelId),
    ) {
        self.change(id, |open| {
            open.message_version = open.version;
            open.waiting_since = None;
            if open.status == Status::Open {
                open.status = Status::Pending;
            }
        });
        self.unkeep(id);
        self.talks.go_on(at, id);
        self.watch_silence(id, Some(at));
        self.send(at, id, (message, channel));
    }

    fn send(
        &mut self,
        at: Timestamp,
        id: ConversationId,
        (message, channel): (MessageId, &ChannelId),
    ) {
        let delivery = Delivery {
            channel: channel.clone(),
            conversation: id,
            state: DeliveryState::Queued,
            attempts: 0,
            next_at: at,
            epoch: 0,
            told: false,
        };
        self.deliveries.insert(message, delivery);
    }

    /// What happens at the desk. False if the event is about something else.
    fn apply_desk(&mut self, at: Timestamp, id: ConversationId, body: &EventBody) -> bool {
        match body {
            EventBody::ConversationKept(kept) => self.keep(id, kept),
            EventBody::ConversationUnkept => {
                self.unkeep(id);
                self.change(id, |_| {});
            }
            EventBody::LadderClimbed(climbed) => self.climb(id, climbed),
            EventBody::OfferMade(made) => self.offer(at, id, made),
            EventBody::OfferExtended(made) => self.extend_offer(at, id, made),
            EventBody::OfferClosed(closed) => self.close_offer(id, closed),
            EventBody::OfferForgotten { agent } => {
                self.forget_decline(id, agent);
                self.change(id, |_| {});
            }
            EventBody::ConversationIdled { agent, cost } => {
                self.desk.silence.clear(&id);
                self.change(id, |open| open.idle = *cost);
                self.change_named(agent, |agent| {
                    agent.load = agent.load.saturating_sub(u32::from(*cost));
                });
            }
            EventBody::ConversationRoused { agent, cost } => {
                self.change(id, |open| open.idle = 0);
                self.change_named(agent, |agent| {
                    agent.load = agent.load.saturating_add(u32::from(*cost));
                });
            }
            _ => return false,
        }
        true
    }

    /// It is done, and nothing of it is held.
    fn close(&mut self, at: Timestamp, id: ConversationId, freed: Option<&Freed>) {
        // Before it is gone, since the kind of what is given back counts.
        self.give_back(at, id, freed);
        self.clear_desk(id);
        self.remove(id);
        self.talks.close(id);
        self.targets.close(id);
    }

    /// It begins at the foot of the other queue's ladder, and is still found where it was before.
    fn transfer(&mut self, id: ConversationId, queue: &QueueId, reached: &[QueueId]) {
        let place = self.queue_place(queue);
        let reach = Reach { agents: vec![], queues: reached.to_vec() };
        let line = self.line_for(place, reach);
        self.change(id, |open| {
            open.queue = place;
            at_the_foot(open);
            open.line = line;
        });
    }

    /// Only one agent gets it for a while.
    fn keep(&mut self, id: ConversationId, kept: &Kept) {
        let Some(queue) = self.conversations.get(&id).map(|open| open.queue) else {
            return;
        };
        let reach = Reach { agents: vec![kept.agent.clone()], queues: vec![] };
        let line = self.line_for(queue, reach);
        self.change(id, |open| open.line = line);
        self.desk.keeps.set(id, kept.until);
    }

    /// Whoever serves its queue gets it again. The change of the event itself is counted elsewhere.
    fn unkeep(&mut self, id: ConversationId) {
        if self.desk.keeps.at(&id).is_some() {
            self.desk.keeps.clear(&id);
            self.move_line(id);
        }
    }

    fn climb(&mut self, id: ConversationId, climbed: &Climbed) {
        let Some(queue) = self.conversations.get(&id).map(|open| open.queue) else {
            return;
        };
        let need = self.skills.need(&climbed.skills);
        let (agents, queues) = (climbed.agents.clone(), climbed.queues.clone());
        let line = self.line_for(queue, Reach { agents, queues });
        self.desk.keeps.clear(&id);
        self.change(id, |open| {
            // Who has what was asked for still goes before those who have not.
            if open.need != need {
                open.want = open.want.or(Some(open.need));
            }
            open.need = need;
            open.priority = climbed.priority;
            open.step = climbed.step;
            open.line = line;
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
        self.talks.open(at, id, opened);
        self.targets.open(id, opened.policy.clone());
        let queue = self.queue_place(&opened.queue);
        let need = self.skills.need(&opened.skills);
        let want = self.skills.want(&opened.skills, &opened.preferred);
        let kind = self.channel(&opened.channel).map_or(ChannelKind::Webhook, |one| one.kind);
        self.know_cost(opened.cost);
        let since = opened.waiting_since.unwrap_or(at);
        self.insert(
            id,
            Open {
                queue,
                line: queue,
                owner: None,
                status: Status::Open,
                priority: opened.priority,
                need,
                want,
                kind,
                cost: opened.cost,
                idle: 0,
                offered: false,
                waiting_since: Some(since),
                asked_at: since,
                settled_at: opened.settled_at,
                snoozed_until: None,
                version: opened.version + 1,
                message_version: opened.message_version,
                step: 0,
                climbs_at: None,
                due_at: None,
            },
        );
    }

    fn assign(&mut self, at: Timestamp, id: ConversationId, agent: &AgentId, cost: u16) {
        let ix = self.agent_ix.get(agent).copied();
        self.change(id, |open| open.owner = ix.or(open.owner));
        let Some(ix) = ix else {
            return;
        };
        let kind = self.conversations.get(&id).map(|open| open.kind);
        self.change_agent(ix, |agent| {
            agent.load = agent.load.saturating_add(u32::from(cost));
            agent.idle_since = at;
            agent.work.given_at = at;
            if agent.owned.insert(id)
                && let Some(kind) = kind
            {
                agent.work.take_on(kind);
            }
        });
    }

    fn free(&mut self, at: Timestamp, id: ConversationId, agent: &AgentId, cost: u16) {
        let Some(ix) = self.agent_ix.get(agent).copied() else {
            return;
        };
        let kind = self.conversations.get(&id).map(|open| open.kind);
        self.change_agent(ix, |agent| {
            if agent.owned.remove(&id) {
                agent.load = agent.load.saturating_sub(u32::from(cost));
                if let Some(kind) = kind {
                    agent.work.lay_down(kind);
                }
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
            at_the_foot(open);
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
    fn queue_place(&mut self, id: &QueueId) -> usize {
        if let Some(ix) = self.queue_ix.get(id) {
            return *ix;
        }
        self.queues.push(Queue::new(id.clone(), false, QueueWork::default()));
        self.queue_ix.insert(id.clone(), self.queues.len() - 1);
        self.queues.len() - 1
    }
}
