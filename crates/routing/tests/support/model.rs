//! What the records would hold: a small fold of the events, apart from the core's own, so that the
//! two can be compared.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    Address, AgentId, AgentStatus, CallState, ChannelId, ChannelKind, Climbed, Contact, ContactId,
    Conversation, ConversationId, DeliveryState, Disposition, Event, EventBody, Freed, Input,
    InputId, Message, MessageId, OfferEnd, Offered, Opened, Outbound, Outcome, OutcomeKind,
    ParkedId, Reason, ReceiptStatus, SendResult, Settings, Status, TargetState, Timestamp,
};

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Agent {
    pub(crate) status: AgentStatus,
    pub(crate) load: u32,
    /// None before they ever had a conversation.
    pub(crate) idle_since: Option<Timestamp>,
    /// When they were last given one.
    pub(crate) given_at: Option<Timestamp>,
    pub(crate) paused: bool,
    /// What they are asked to take, with its cost.
    pub(crate) asked: BTreeMap<ConversationId, u16>,
    pub(crate) declined: BTreeSet<ConversationId>,
}

impl Agent {
    /// What is not free: held, or kept for what they are asked to take.
    pub(crate) fn taken(&self) -> u32 {
        self.load + self.asked.values().map(|cost| u32::from(*cost)).sum::<u32>()
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) settings: Option<Settings>,
    pub(crate) conversations: BTreeMap<ConversationId, Conversation>,
    pub(crate) agents: BTreeMap<AgentId, Agent>,
    pub(crate) threads: BTreeMap<(ChannelId, String), ConversationId>,
    pub(crate) addresses: BTreeMap<Address, ContactId>,
    pub(crate) contacts: BTreeMap<ContactId, Contact>,
    pub(crate) outbound: BTreeMap<MessageId, Outbound>,
    pub(crate) sent: BTreeMap<(ChannelId, String), MessageId>,
    pub(crate) parked: BTreeMap<ParkedId, Input>,
    pub(crate) seen: BTreeMap<InputId, Outcome>,
    /// Shares of costs that owners have back.
    pub(crate) idle: BTreeMap<ConversationId, u16>,
    /// The kinds of their channels when they were opened.
    pub(crate) kinds: BTreeMap<ConversationId, ChannelKind>,
}

impl Model {
    /// The conversation, or what it was merged into.
    pub(crate) fn end_of_merges(&self, id: ConversationId) -> Option<&Conversation> {
        let row = self.conversations.get(&id)?;
        row.merged_into.map_or(Some(row), |into| self.end_of_merges(into))
    }

    pub(crate) fn fold_outcome(&mut self, outcome: Option<&Outcome>) {
        if let Some(outcome) = outcome
            && outcome.kind != OutcomeKind::Duplicate
        {
            self.seen.insert(outcome.input, outcome.clone());
        }
    }

    pub(crate) fn fold_event(&mut self, at: Timestamp, event: &Event) {
        match event.conversation {
            Some(id) => self.fold_on(at, id, &event.body),
            None => self.fold_global(&event.body),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each of what there is")]
    fn fold_global(&mut self, body: &EventBody) {
        match body {
            EventBody::ConfigInstalled { settings } => {
                let settings = (**settings).clone();
                // Who is named for the first time, or again after holding nothing, begins anew.
                let owners: Vec<AgentId> = self
                    .conversations
                    .values()
                    .filter(|row| row.status != Status::Resolved)
                    .filter_map(|row| row.assignee.clone())
                    .collect();
                let before = self.settings.take();
                let was =
                    |id: &AgentId| before.as_ref().is_some_and(|before| before.agent(id).is_some());
                self.agents.retain(|id, _| was(id) || owners.contains(id));
                for (id, agent) in &mut self.agents {
                    if settings.agent(id).is_none() {
                        assert!(agent.asked.is_empty(), "nobody who is gone is asked");
                        agent.paused = false;
                        agent.declined.clear();
                    }
                }
                self.settings = Some(settings);
            }
            EventBody::AgentStatusChanged { agent, status, .. } => {
                self.agents.entry(agent.clone()).or_default().status = *status;
            }
            EventBody::AgentPaused { agent, .. } => {
                self.agents.entry(agent.clone()).or_default().paused = true;
            }
            EventBody::AgentReady { agent } => {
                self.agents.entry(agent.clone()).or_default().paused = false;
            }
            EventBody::ContactCreated { contact } => {
                for address in &contact.addresses {
                    self.addresses.insert(address.clone(), contact.id);
                }
                self.contacts.insert(contact.id, contact.clone());
            }
            EventBody::ContactUpdated { contact, name, addresses } => {
                for address in addresses {
                    self.addresses.insert(address.clone(), *contact);
                }
                let row = self.contacts.get_mut(contact).expect("a contact that is known");
                row.addresses.extend(addresses.iter().cloned());
                if name.is_some() {
                    row.name.clone_from(name);
                }
            }
            EventBody::ContactServed { contact, agent } => {
                let row = self.contacts.get_mut(contact).expect("a contact that is known");
                row.last_agent = Some(agent.clone());
            }
            EventBody::ContactMerged {
                contact,
                into,
                name,
                addresses,
                last_agent,
                conversations,
                ..
            } => {
                let row = self.contacts.get_mut(contact).expect("a contact that is known");
                assert_eq!((row.merged_into, &row.addresses), (None, addresses), "all that it has");
                assert_eq!(std::mem::take(&mut row.conversations), *conversations);
                row.merged_into = Some(*into);
                row.addresses.clear();
                for address in addresses {
                    self.addresses.insert(address.clone(), *into);
                }
                let row = self.contacts.get_mut(into).expect("a contact that is known");
                assert_eq!(row.merged_into, None, "no chain grows");
                row.addresses.extend(addresses.iter().cloned());
                row.name = row.name.take().or_else(|| name.clone());
                row.last_agent = row.last_agent.take().or_else(|| last_agent.clone());
                row.conversations += conversations;
            }
            EventBody::InputParked { id, input, .. } => {
                self.parked.insert(*id, (**input).clone());
            }
            EventBody::InputUnparked { id, .. } => {
                self.parked.remove(id).expect("an input that is set aside");
            }
            _ => {}
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each of what there is")]
    fn fold_on(&mut self, at: Timestamp, id: ConversationId, body: &EventBody) {
        if let EventBody::ConversationOpened(opened)
        | EventBody::ConversationReopened { opened, .. } = body
        {
            self.open(at, id, opened);
            let new = matches!(body, EventBody::ConversationOpened(_));
            if let Some(contact) = opened.contact.filter(|_| new) {
                let row = self.contacts.get_mut(&contact).expect("a contact that is known");
                row.conversations += 1;
            }
            return;
        }
        self.fold_freed(at, id, body);
        let row = self.conversations.get_mut(&id).expect("a conversation that was opened");
        row.version += 1;
        match body {
            EventBody::ConversationAssigned { agent, cost, .. } => {
                row.kept = None;
                assert_eq!(row.assignee, None, "{id} has one owner at most");
                assert_eq!(row.cost, *cost);
                row.assignee = Some(agent.clone());
                let agent = self.agents.entry(agent.clone()).or_default();
                agent.load += u32::from(*cost);
                agent.idle_since = Some(at);
                agent.given_at = Some(at);
                assert_eq!(row.offer, None, "whose {id} is nobody is asked any more");
            }
            EventBody::ConversationReleased { .. } => row.assignee = None,
            EventBody::ConversationTransferred { queue, reached, reason } => {
                let ladder =
                    row.climbed.take().filter(|_| matches!(reason, Reason::Escalated { .. }));
                let before = ladder.map(|climbed| climbed.queues).unwrap_or_default();
                for one in before.iter().filter(|one| *one != queue) {
                    assert!(reached.contains(one), "a ladder is monotone: {one} is lost");
                }
                row.queue = Some(queue.clone());
                row.climbed = Climbed::at_the_foot(row, reached);
                row.kept = None;
            }
            EventBody::ConversationWoken { .. } => {
                row.status = Status::Open;
                row.assignee = None;
                row.snoozed_until = None;
                row.waiting_since = Some(at);
                row.climbed = None;
            }
            EventBody::ConversationSnoozed { until, .. } => {
                row.kept = None;
                row.status = Status::Snoozed;
                row.snoozed_until = Some(*until);
                row.waiting_since = None;
            }
            EventBody::ConversationResolved { reason, .. } => {
                if *reason != Reason::CallAnswered {
                    row.settled_at = row.settled_at.max(Some(at));
                }
                self.agents.values_mut().for_each(|agent| {
                    agent.declined.remove(&id);
                });
                row.status = Status::Resolved;
                row.resolved_at = Some(at);
                row.kept = None;
                row.snoozed_until = None;
                row.waiting_since = None;
            }
            EventBody::ConversationMerged { into, channel, thread, .. } => {
                self.agents.values_mut().for_each(|agent| {
                    agent.declined.remove(&id);
                });
                row.status = Status::Resolved;
                row.resolved_at = Some(at);
                row.kept = None;
                row.snoozed_until = None;
                row.waiting_since = None;
                row.merged_into = Some(*into);
                if let Some(thread) = thread {
                    self.threads.insert((channel.clone(), thread.clone()), *into);
                }
            }
            EventBody::ConversationAbsorbed { from, further, renamed, subject, .. } => {
                if *renamed {
                    row.subject.clone_from(subject);
                }
                row.merged_from.extend(further.iter().chain([from]));
            }
            EventBody::ConversationTagged { added, removed, .. } => {
                row.tags.retain(|tag| !removed.contains(tag));
                row.tags.extend(added.iter().cloned());
            }
            EventBody::LadderClimbed(climbed) => {
                assert!(climbed.step > row.climbed.as_ref().map_or(0, |before| before.step));
                assert!(climbed.priority >= row.priority, "a ladder is monotone");
                let before = row.climbed.iter().flat_map(|before| &before.queues);
                before.for_each(|queue| assert!(climbed.queues.contains(queue), "as are queues"));
                for (skill, level) in &climbed.skills {
                    assert!(row.skills.get(skill).is_some_and(|needed| needed >= level));
                }
                row.priority = climbed.priority;
                for (skill, level) in std::mem::take(&mut row.skills) {
                    if climbed.skills.get(&skill) != Some(&level) {
                        let liked = row.preferred.entry(skill).or_default();
                        *liked = level.max(*liked);
                    }
                }
                row.skills.clone_from(&climbed.skills);
                row.climbed = Some(climbed.on_row(row.climbed.take()));
                row.kept = None;
            }
            EventBody::ConversationJoined { channel, thread } => {
                assert_ne!(row.status, Status::Resolved, "{id} is done");
                if let Some(thread) = thread {
                    self.threads.insert((channel.clone(), thread.clone()), id);
                }
            }
            EventBody::ConversationKept(kept) => row.kept = Some(kept.clone()),
            EventBody::ConversationUnkept => assert!(row.kept.take().is_some()),
            EventBody::TargetsChanged { targets } => row.targets.clone_from(targets),
            EventBody::TargetWarned { kind, due_at } => {
                let target = row.targets.iter_mut().find(|one| one.kind == *kind);
                let target = target.expect("a target of this kind");
                assert_eq!((target.state, target.due_at), (TargetState::Running, *due_at));
                assert!(target.warn_at.is_some_and(|warn_at| warn_at <= at) && at < *due_at);
                target.state = TargetState::Warned;
            }
            EventBody::TargetBreached { kind, due_at } => {
                let target = row.targets.iter_mut().find(|one| one.kind == *kind);
                let target = target.expect("a target of this kind");
                assert!(target.runs() && target.due_at == *due_at && *due_at <= at);
                target.state = TargetState::Breached;
            }
            EventBody::ConversationPrioritised { priority, .. } => row.priority = *priority,
            EventBody::MessageReceived { mail: Some(mail), .. } if mail.quiet => {
                row.message_version = row.version;
            }
            EventBody::MessageReceived { message, .. } => {
                if row.is_named_by_a_call() {
                    row.subject.clone_from(&message.subject);
                }
                row.message_version = row.version;
                if row.status == Status::Pending {
                    row.status = Status::Open;
                }
                wait(row, at);
            }
            EventBody::CallRecorded(recorded) => {
                row.message_version = row.version;
                let happened_at = recorded.happened_at.unwrap_or(at);
                assert!(happened_at <= at, "what comes is not known before");
                if recorded.waits {
                    assert!(row.settled_at < Some(happened_at), "{id} was settled since");
                    if row.status == Status::Pending {
                        row.status = Status::Open;
                    }
                    wait(row, happened_at);
                }
                if let (Some(since), Some(_)) = (recorded.waiting_since, row.waiting_since) {
                    assert!(since <= at);
                    row.waiting_since = Some(since);
                }
                let call = &recorded.call;
                let answered = call.disposition == Some(Disposition::Answered);
                if answered && call.state == CallState::Ended {
                    row.settled_at = row.settled_at.max(Some(happened_at));
                }
            }
            EventBody::ReplyQueued { id: message, channel, message: words, .. } => {
                // What the program says by itself is no answer (P8).
                if words.automation.is_none() {
                    row.message_version = row.version;
                    row.waiting_since = None;
                    row.kept = None;
                    if row.status == Status::Open {
                        row.status = Status::Pending;
                    }
                }
                let outbound = outbound(at, id, (*message, channel.clone()), words);
                self.outbound.insert(*message, outbound);
            }
            _ => {
                self.fold_desk(at, id, body);
                self.fold_delivery(body);
            }
        }
    }

    fn fold_desk(&mut self, at: Timestamp, id: ConversationId, body: &EventBody) {
        let row = self.conversations.get_mut(&id).expect("a conversation that was opened");
        match body {
            EventBody::OfferMade(made) => {
                assert_eq!((&row.assignee, &row.offer), (&None, &None), "{id} is offered once");
                assert_eq!(row.status, Status::Open);
                assert_eq!(row.cost, made.cost);
                for agent in &made.agents {
                    let agent = self.agents.entry(agent.clone()).or_default();
                    agent.asked.insert(id, made.cost);
                    agent.idle_since = Some(at);
                    agent.given_at = Some(at);
                }
                row.offer = Some(Offered {
                    offer: made.offer,
                    agents: made.agents.clone(),
                    expires_at: made.expires_at,
                });
            }
            EventBody::OfferExtended(made) => {
                let offer = row.offer.as_mut().expect("an offer");
                assert_eq!((offer.offer, row.cost), (made.offer, made.cost));
                assert!(
                    offer.agents.iter().all(|agent| made.agents.contains(agent)),
                    "all of them"
                );
                for agent in made.agents.iter().filter(|agent| !offer.agents.contains(agent)) {
                    let agent = self.agents.entry(agent.clone()).or_default();
                    agent.asked.insert(id, made.cost);
                    agent.idle_since = Some(at);
                    agent.given_at = Some(at);
                }
                offer.agents.clone_from(&made.agents);
                offer.expires_at = made.expires_at;
            }
            EventBody::OfferClosed(closed) => {
                let offer = row.offer.as_mut().expect("an offer");
                assert_eq!(offer.offer, closed.offer);
                for agent in &closed.agents {
                    assert!(offer.agents.contains(agent), "{agent} was asked");
                    offer.agents.retain(|asked| asked != agent);
                    let agent = self.agents.get_mut(agent).expect("an agent who was asked");
                    assert_eq!(agent.asked.remove(&id), Some(closed.cost));
                    if closed.cause == OfferEnd::Declined {
                        agent.declined.insert(id);
                    }
                }
                if offer.agents.is_empty() {
                    row.offer = None;
                }
            }
            EventBody::OfferForgotten { agent } => {
                self.agents.entry(agent.clone()).or_default().declined.remove(&id);
            }
            EventBody::ConversationIdled { agent, cost } => {
                assert_eq!((row.assignee.as_ref(), row.status), (Some(agent), Status::Pending));
                assert_eq!(self.idle.insert(id, *cost), None, "once");
                self.agents.get_mut(agent).expect("an owner").load -= u32::from(*cost);
            }
            EventBody::ConversationRoused { agent, cost } => {
                assert_eq!(self.idle.remove(&id), Some(*cost), "as much as was given back");
                self.agents.get_mut(agent).expect("an owner").load += u32::from(*cost);
            }
            _ => {}
        }
    }

    /// Capacity that somebody has back.
    fn fold_freed(&mut self, at: Timestamp, id: ConversationId, body: &EventBody) {
        let row = &self.conversations[&id];
        let freed = match body {
            EventBody::ConversationReleased { agent, cost, .. } => {
                Some(Freed { agent: agent.clone(), cost: *cost })
            }
            EventBody::ConversationSnoozed { freed, .. }
            | EventBody::ConversationResolved { freed, .. }
            | EventBody::ConversationMerged { freed, .. } => freed.clone(),
            _ => None,
        };
        if let Some(Freed { agent, cost }) = freed {
            assert_eq!(row.assignee.as_ref(), Some(&agent), "only an owner is freed of {id}");
            let idle = self.idle.remove(&id).unwrap_or(0);
            assert_eq!(row.cost - idle, cost);
            let agent = self.agents.get_mut(&agent).expect("an agent who held it");
            agent.load -= u32::from(cost);
            agent.idle_since = Some(at);
        }
    }

    fn fold_delivery(&mut self, body: &EventBody) {
        match body {
            EventBody::DeliveryAttempted { message, epoch, attempt } => {
                let row = self.outbound.get_mut(message).expect("a reply");
                row.state = DeliveryState::Sending;
                row.attempts = *attempt;
                row.epoch = Some(*epoch);
            }
            EventBody::DeliverySettled { message, result } => {
                let row = self.outbound.get_mut(message).expect("a reply");
                row.epoch = None;
                if let SendResult::Sent { external_id: Some(external) } = result {
                    self.sent.insert((row.channel.clone(), external.clone()), *message);
                }
                if told(row.state) == 0 {
                    row.state = match result {
                        SendResult::Sent { .. } => DeliveryState::Sent,
                        SendResult::Retry { .. } => DeliveryState::Waiting,
                        SendResult::Failed { .. } => DeliveryState::Failed,
                        SendResult::Uncertain { .. } => DeliveryState::Uncertain,
                    };
                }
            }
            EventBody::DeliveryRequeued { message, .. } => {
                self.outbound.get_mut(message).expect("a reply").state = DeliveryState::Queued;
            }
            EventBody::ReceiptRecorded { message, status, .. } => {
                let row = self.outbound.get_mut(message).expect("a reply");
                let state = match status {
                    ReceiptStatus::Sent => DeliveryState::Sent,
                    ReceiptStatus::Delivered => DeliveryState::Delivered,
                    ReceiptStatus::Read => DeliveryState::Read,
                    ReceiptStatus::Failed => DeliveryState::Failed,
                };
                assert!(
                    told(state) > told(row.state),
                    "a receipt that says nothing new is no event"
                );
                row.state = state;
            }
            _ => {}
        }
    }

    fn open(&mut self, at: Timestamp, id: ConversationId, opened: &Opened) {
        let before = self.conversations.get(&id);
        assert_eq!(before.map_or(0, |row| row.version), opened.version);
        assert!(before.is_none_or(|row| row.status == Status::Resolved));
        let merged_from = before.map(|row| row.merged_from.clone()).unwrap_or_default();
        let mails = before.map(|row| row.mails.clone()).unwrap_or_default();
        if let Some(thread) = &opened.thread {
            self.threads.insert((opened.channel.clone(), thread.clone()), id);
        }
        let settled_at = before.and_then(|row| row.settled_at);
        assert_eq!(settled_at, opened.settled_at);
        // What is written now opens it, even where the clock was set back since.
        if let Some(since) = opened.waiting_since {
            assert!(since <= at && settled_at <= Some(since), "{id} was settled since");
        }
        let since = opened.waiting_since.unwrap_or(at);
        let channel = self.settings.as_ref().and_then(|all| all.channel(&opened.channel));
        self.kinds.insert(id, channel.map_or(ChannelKind::Webhook, |channel| channel.kind));
        self.conversations.insert(
            id,
            Conversation {
                id,
                status: Status::Open,
                subject: opened.subject.clone(),
                channel: opened.channel.clone(),
                thread: opened.thread.clone(),
                queue: Some(opened.queue.clone()),
                assignee: None,
                contact: opened.contact,
                customer: opened.customer.clone(),
                linked: opened.linked,
                mails,
                priority: opened.priority,
                skills: opened.skills.clone(),
                preferred: opened.preferred.clone(),
                cost: opened.cost,
                tags: opened.tags.clone(),
                targets: vec![],
                policy: opened.policy.clone(),
                climbed: None,
                kept: None,
                resolved_at: None,
                opened_at: at,
                last_message_at: at,
                waiting_since: Some(since),
                snoozed_until: None,
                settled_at,
                merged_into: None,
                merged_from,
                version: opened.version + 1,
                message_version: opened.message_version,
                route: opened.route.clone(),
                offer: None,
                declined: vec![],
                assignment: None,
            },
        );
    }
}

fn outbound(
    at: Timestamp,
    conversation: ConversationId,
    (id, channel): (MessageId, ChannelId),
    message: &Message,
) -> Outbound {
    Outbound {
        id,
        channel,
        conversation,
        thread: message.thread.clone(),
        to: message.to.clone(),
        message: message.clone(),
        state: DeliveryState::Queued,
        attempts: 0,
        next_at: at,
        queued_at: at,
        epoch: None,
    }
}

/// How far the outside is known to have come.
fn told(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Sent => 1,
        DeliveryState::Failed => 2,
        DeliveryState::Delivered => 3,
        DeliveryState::Read => 4,
        _ => 0,
    }
}

/// The customer waits; if they did not before, the ladder of the queue begins anew.
fn wait(row: &mut Conversation, at: Timestamp) {
    if row.waiting_since.is_none() {
        row.climbed = None;
    }
    row.waiting_since.get_or_insert(at);
}
