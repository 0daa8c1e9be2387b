//! A router without its stores: looks up in the model, decides, folds, and holds what must be true
//! of every step.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use postroom_model::{
    Action, Address, AgentChoice, AgentId, AgentSettings, AgentStatus, Bodies, ChannelKind,
    ChannelSettings, Contact, ContactId, Conversation, ConversationId, DeliveryInput, Event,
    EventBody, HandOut, Input, InputBody, InputId, Message, MessageId, Position, QueueId,
    QueueOrder, QueueWork, Reason, Settings, Status, Target, TargetState, Timestamp, Transition,
};
use postroom_routing::{
    Earlier, Lookups, RuleFacts, Rules, State, Step, as_message, step, step_due,
};
use uuid::Uuid;

use super::model::Model;

/// 2026-01-01T00:00:00Z
pub(crate) const BEGIN: i64 = 1_767_225_600_000;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) model: Model,
    pub(crate) now: Timestamp,
    /// All that happened.
    pub(crate) log: Vec<(Timestamp, Event)>,
    pub(crate) bodies: Bodies,
    seq: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            state: State::new(),
            model: Model::default(),
            now: Timestamp::from_millis(BEGIN),
            log: vec![],
            bodies: Bodies::new(),
            seq: 0,
        }
    }

    /// A new input, with an id of its own.
    pub(crate) fn input(&self, body: InputBody) -> Input {
        let id = InputId(Uuid::from_u128(0x1000 + u128::from(self.seq)));
        Input { id, at: self.now, body }
    }

    /// Decides an input at the next position.
    pub(crate) fn decide(&mut self, input: Input) -> Transition {
        self.seq += 1;
        let position = Position { seq: self.seq, index: 0 };
        let before = State::from_snapshot(&self.bytes()).expect("a snapshot");
        let taken = step_with(&mut self.state, &self.model, position, input.clone());
        let mut again = before;
        let same = step_with(&mut again, &self.model, position, input);
        assert_eq!(taken, same, "the same input on an equal state gives the same decision");
        self.take(taken)
    }

    /// What time brings until now.
    pub(crate) fn due(&mut self) -> Vec<Transition> {
        let mut all = vec![];
        while self.state.next_deadline().is_some_and(|at| at <= self.now) {
            let model = &self.model;
            let step = step_due(&mut self.state, self.now, &|id| model.end_of_merges(id));
            all.push(self.fold(step.expect("time goes on")));
            self.check();
        }
        let targets = self.model.conversations.values().flat_map(|row| &row.targets);
        let late = targets.filter_map(postroom_model::Target::next_at).filter(|at| *at <= self.now);
        assert_eq!(late.count(), 0, "whoever must know has been told");
        all
    }

    fn take(&mut self, step: Step) -> Transition {
        let transition = self.fold(step);
        if let Some(outcome) = &transition.outcome
            && let Some(row) = outcome.conversation.and_then(|id| self.model.conversations.get(&id))
            && outcome.version.is_some()
        {
            assert_eq!(outcome.version, Some(row.version));
        }
        self.check();
        transition
    }

    fn fold(&mut self, step: Step) -> Transition {
        let transition = step.transition;
        self.bodies.extend(step.bodies);
        for event in &transition.events {
            self.check_assignment(event);
            self.model.fold_event(transition.at, event);
            self.log.push((transition.at, event.clone()));
        }
        self.model.fold_outcome(transition.outcome.as_ref());
        transition
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state.to_snapshot().expect("a snapshot")
    }

    /// P6, of an assignment or offer that nobody asked for: there is room, and it is the turn of both.
    fn check_assignment(&self, event: &Event) {
        let (agents, returned) = match &event.body {
            EventBody::ConversationAssigned { agent, reason, .. } => match reason {
                Reason::LongestIdle { .. }
                | Reason::LeastLoaded { .. }
                | Reason::RoundRobin { .. }
                | Reason::KeptFor { .. } => (vec![agent], false),
                Reason::Returned | Reason::TakenOver { .. } | Reason::OwnerKept => {
                    (vec![agent], true)
                }
                _ => return,
            },
            EventBody::OfferMade(made) => (made.agents.iter().collect(), false),
            EventBody::OfferExtended(made) => {
                let row = &self.model.conversations[&event.conversation.expect("a conversation")];
                let before = &row.offer.as_ref().expect("an offer").agents;
                (made.agents.iter().filter(|agent| !before.contains(agent)).collect(), true)
            }
            _ => return,
        };
        let row = &self.model.conversations[&event.conversation.expect("a conversation")];
        for agent in &agents {
            assert!(self.can_take(agent, row), "{agent} cannot take {}", row.id);
        }
        if returned {
            return;
        }
        let agent = agents[0];
        let could: Vec<_> = self.lines().filter(|other| self.can_take(agent, other)).collect();
        // The order of its queue holds; between queues that of waiting, where each has that order.
        let same: Vec<_> = could.iter().copied().filter(|one| one.queue == row.queue).collect();
        assert_eq!(self.first_of(&same), Some(row.id), "the turn of {} in its queue", row.id);
        let plain = |one: &&Conversation| {
            self.work(one.queue.as_ref().expect("a queue")).order == QueueOrder::Priority
        };
        if could.iter().all(plain) {
            assert_eq!(self.first_of(&could), Some(row.id), "the turn of {}", row.id);
        }
        let settings = self.model.settings.as_ref().expect("settings");
        let rivals = settings.agents.iter().filter(|rival| self.can_take(&rival.id, row));
        let first = rivals.min_by_key(|rival| self.turn_of(&rival.id, row));
        assert_eq!(first.map(|first| &first.id), Some(agent), "the one whose turn it is");
    }

    /// Which of them is the first: the order of each queue, and between queues that of waiting.
    fn first_of(&self, rows: &[&Conversation]) -> Option<ConversationId> {
        let mut firsts: BTreeMap<&QueueId, &Conversation> = BTreeMap::new();
        for row in rows {
            let queue = row.queue.as_ref().expect("a queue");
            let order = self.work(queue).order;
            let place = |row: &Conversation| {
                let since = row.waiting_since.map_or(0, Timestamp::millis);
                let rank = match order {
                    QueueOrder::Priority => 0,
                    QueueOrder::Newest => -since,
                    QueueOrder::Targets => due(row),
                };
                (rank, turn(row))
            };
            match firsts.get(queue) {
                Some(first) if place(first) <= place(row) => {}
                _ => drop(firsts.insert(queue, row)),
            }
        }
        firsts.into_values().min_by_key(|row| turn(row)).map(|row| row.id)
    }

    /// Whose turn it is: who has what would be better, then by the choice of the queue.
    fn turn_of(&self, agent: &AgentId, row: &Conversation) -> (bool, u32, Option<Timestamp>) {
        let settings = self.model.settings.as_ref().and_then(|all| all.agent(agent));
        let settings = settings.expect("an agent");
        let known = self.model.agents.get(agent).cloned().unwrap_or_default();
        let lacks =
            !row.preferred.iter().all(|(name, level)| settings.skills.get(name) >= Some(level));
        match self.work(row.queue.as_ref().expect("a queue")).choose {
            AgentChoice::LongestIdle => (lacks, 0, known.idle_since),
            AgentChoice::LeastLoaded => {
                let share = (known.taken() * 1_000).checked_div(settings.capacity).unwrap_or(0);
                (lacks, share, known.idle_since)
            }
            AgentChoice::RoundRobin => (lacks, 0, known.given_at),
        }
    }

    fn work(&self, queue: &QueueId) -> QueueWork {
        let settings = self.model.settings.as_ref().and_then(|all| all.queue(queue));
        settings.map(|queue| queue.work.clone()).unwrap_or_default()
    }

    /// Conversations that stand in a line from which somebody is given them.
    fn lines(&self) -> impl Iterator<Item = &Conversation> {
        self.waiting().into_iter().filter(|row| {
            let queue = row.queue.as_ref().expect("a queue");
            row.offer.is_none() && self.work(queue).hand_out != HandOut::Pull
        })
    }

    /// What must be true after every step.
    fn check(&self) {
        let model = &self.model;
        let nobody = vec![];
        let agents = model.settings.as_ref().map_or(&nobody, |settings| &settings.agents);
        for row in self.lines() {
            let taker = agents.iter().find(|agent| self.can_take(&agent.id, row));
            assert_eq!(taker, None, "{} and an agent wait for each other", row.id);
        }
        for (id, agent) in &model.agents {
            let owned = model.conversations.values().filter(|row| {
                matches!(row.status, Status::Open | Status::Pending)
                    && row.assignee.as_ref() == Some(id)
            });
            let charge = |row: &Conversation| {
                u32::from(row.cost - self.model.idle.get(&row.id).copied().unwrap_or(0))
            };
            let costs: u32 = owned.map(charge).sum();
            assert_eq!(agent.load, costs, "load of {id}");
        }
        assert_eq!(self.state.waiting_count(), self.waiting().len());
        self.check_agrees();
    }

    /// The state holds what the model holds, field by field.
    fn check_agrees(&self) {
        let snapshot: serde_json::Value = serde_json::from_slice(&self.bytes()).expect("JSON");
        let live = self.model.conversations.values().filter(|row| row.status != Status::Resolved);
        let rows: Vec<serde_json::Value> = live
            .map(|row| {
                serde_json::json!({
                    "id": row.id, "queue": row.queue, "owner": row.assignee, "status": row.status,
                    "priority": row.priority, "skills": row.skills, "cost": row.cost,
                    "waiting_since": row.waiting_since.map(Timestamp::millis),
                    "snoozed_until": row.snoozed_until.map(Timestamp::millis),
                    "version": row.version, "message_version": row.message_version,
                })
            })
            .collect();
        let held = snapshot["conversations"].as_array().expect("a list");
        let held: Vec<serde_json::Value> = held
            .iter()
            .map(|part| {
                let (place, times) = (&part[1], &part[2]);
                let at = |list: &str, ix: &serde_json::Value| match ix.as_u64() {
                    Some(ix) => snapshot[list][usize::try_from(ix).expect("small")].clone(),
                    None => serde_json::Value::Null,
                };
                serde_json::json!({
                    "id": part[0], "queue": at("queues", &place[0])[0],
                    "owner": at("agents", &place[1])["id"], "status": place[2],
                    "priority": place[3], "skills": at("needs", &place[4]), "cost": place[5],
                    "waiting_since": times[0], "snoozed_until": times[1],
                    "version": times[2], "message_version": times[3],
                })
            })
            .collect();
        assert_eq!(held, rows, "the state and the records agree");
        let promised = self.model.conversations.values().filter(|row| {
            row.status != Status::Resolved && (row.policy.is_some() || !row.targets.is_empty())
        });
        let promised: Vec<serde_json::Value> = promised
            .map(|row| {
                let mut part = serde_json::json!({"targets": row.targets});
                if let Some(policy) = &row.policy {
                    part["policy"] = serde_json::json!(policy);
                }
                serde_json::json!([row.id, part])
            })
            .collect();
        let held = snapshot.get("targets").and_then(|list| list.as_array());
        assert_eq!(held.cloned().unwrap_or_default(), promised, "what is promised");
        let climbed =
            self.model.conversations.values().filter(|row| row.status != Status::Resolved);
        let climbed: Vec<serde_json::Value> = climbed
            .filter(|row| row.climbed.is_some() || row.kept.is_some())
            .map(|row| {
                let mut climbed = row.climbed.clone().unwrap_or_default();
                climbed.agents.extend(row.kept.as_ref().map(|kept| kept.agent.clone()));
                let mut reach = serde_json::json!({});
                if !climbed.agents.is_empty() {
                    reach["agents"] = serde_json::json!(climbed.agents);
                }
                if !climbed.queues.is_empty() {
                    reach["queues"] = serde_json::json!(climbed.queues);
                }
                serde_json::json!([row.id, climbed.step, reach])
            })
            .collect();
        let held = snapshot.get("climbed").and_then(|list| list.as_array());
        assert_eq!(held.cloned().unwrap_or_default(), climbed, "steps of ladders");
        for agent in snapshot["agents"].as_array().expect("a list") {
            let id: AgentId = agent["id"].as_str().expect("a text").parse().expect("an id");
            let known = self.model.agents.get(&id).cloned().unwrap_or_default();
            assert_eq!(agent["load"], known.load, "load of {id}");
            assert_eq!(agent["status"], serde_json::json!(known.status), "status of {id}");
        }
    }

    fn waiting(&self) -> Vec<&Conversation> {
        let waits = |row: &&Conversation| row.status == Status::Open && row.assignee.is_none();
        self.model.conversations.values().filter(waits).collect()
    }

    /// The kind of its channel when it was opened.
    fn kind_of(&self, row: &Conversation) -> ChannelKind {
        self.model.kinds.get(&row.id).copied().unwrap_or(ChannelKind::Webhook)
    }

    fn can_take(&self, id: &AgentId, row: &Conversation) -> bool {
        let settings = self.model.settings.as_ref().expect("settings");
        let Some(agent) = settings.agent(id) else {
            return false;
        };
        let known = self.model.agents.get(id).cloned().unwrap_or_default();
        let queue = row.queue.as_ref().expect("a queue");
        let kind = self.kind_of(row);
        let held = model_held(&self.model, id, |row| self.kind_of(row) == kind);
        known.status == AgentStatus::Online
            && !known.paused
            && !known.declined.contains(&row.id)
            && agent.limits.get(&kind).is_none_or(|most| held < *most)
            && settings.queue(queue).is_some()
            && reaches(settings, row, agent)
            && row.skills.iter().all(|(name, level)| agent.skills.get(name) >= Some(level))
            && agent.capacity.saturating_sub(known.taken()) >= u32::from(row.cost)
    }
}

/// How many of a kind an agent holds or is asked to take.
fn model_held(model: &Model, id: &AgentId, of_kind: impl Fn(&Conversation) -> bool) -> u32 {
    let theirs = model.conversations.values().filter(|row| {
        let held = matches!(row.status, Status::Open | Status::Pending);
        let asked = row.offer.as_ref().is_some_and(|offer| offer.agents.contains(id));
        held && (row.assignee.as_ref() == Some(id) || asked) && of_kind(row)
    });
    u32::try_from(theirs.count()).expect("few")
}

/// The agent is found where the conversation stands.
fn reaches(settings: &Settings, row: &Conversation, agent: &AgentSettings) -> bool {
    let mut climbed = row.climbed.clone().unwrap_or_default();
    if let Some(kept) = &row.kept {
        climbed.agents = vec![kept.agent.clone()];
    }
    if climbed.agents.iter().any(|id| settings.agent(id).is_some()) {
        return climbed.agents.contains(&agent.id);
    }
    let known = climbed.queues.iter().filter(|queue| settings.queue(queue).is_some());
    known.chain(&row.queue).any(|queue| agent.queues.contains(queue))
}

/// When the first promise that runs is due.
fn due(row: &Conversation) -> i64 {
    let runs = |target: &&Target| target.is_owed() && target.state != TargetState::Paused;
    let first = row.targets.iter().filter(runs).map(|target| target.due_at.millis()).min();
    first.unwrap_or(i64::MAX)
}

/// The order of waiting.
pub(crate) fn turn(row: &Conversation) -> (Reverse<u8>, Option<Timestamp>, Uuid) {
    (Reverse(row.priority), row.waiting_since, row.id.0)
}

fn step_with(state: &mut State, model: &Model, position: Position, input: Input) -> Step {
    let seen = model.seen.get(&input.id);
    let mut lookups = Lookups { seen, ..Lookups::default() };
    let parked = match &input.body {
        InputBody::Command(command) => match &command.action {
            Action::RetryParked { parked } | Action::DropParked { parked } => {
                model.parked.get(parked)
            }
            _ => None,
        },
        _ => None,
    };
    lookups.parked = parked;
    let body = parked.map_or(&input.body, |input| &input.body).clone();
    let mut addresses: Vec<(Address, Option<ContactId>)> = vec![];
    let mut routed = None;
    let mut others_of: Vec<Contact> = vec![];
    let called = match &body {
        InputBody::Call(call) => InputBody::Inbound(Box::new(as_message(state, call, input.at))),
        _ => body,
    };
    match &called {
        InputBody::Inbound(inbound) => {
            addresses = addresses_of(&inbound.message)
                .map(|address| (address.clone(), model.addresses.get(&address).copied()))
                .collect();
            let known = addresses.iter().find_map(|(_, contact)| *contact);
            lookups.contact = known.and_then(|id| model.contacts.get(&id));
            let others = addresses.iter().filter_map(|(_, contact)| *contact);
            let mut ids: Vec<ContactId> = others.filter(|id| Some(*id) != known).collect();
            ids.dedup();
            others_of = ids.iter().filter_map(|id| model.contacts.get(id).cloned()).collect();
            let thread = inbound.message.thread.clone();
            let place = thread.map(|thread| (inbound.channel.clone(), thread));
            lookups.thread = place.and_then(|place| model.threads.get(&place).copied());
            let row = lookups.thread.and_then(|id| model.conversations.get(&id));
            lookups.conversation = row;
            let into = row.and_then(|row| row.merged_into);
            lookups.into = into.and_then(|id| model.conversations.get(&id));
            let contact = lookups.contact;
            let facts = |message, channel| RuleFacts {
                contact,
                open: contact.map_or(0, |contact| state.open_of(contact.id)),
                earlier: lookups.conversation.map(Earlier::from),
                ..RuleFacts::new(message, channel, input.at)
            };
            routed = route(model.settings.as_ref(), inbound, facts);
        }
        InputBody::Command(command) => {
            let row = command.action.conversation();
            lookups.conversation = row.and_then(|id| model.conversations.get(&id));
            match &command.action {
                Action::Merge { into, .. } => lookups.into = model.conversations.get(into),
                Action::Resend { message, .. } => lookups.outbound = model.outbound.get(message),
                Action::MergeContact { contact, into } => {
                    lookups.contact = model.contacts.get(contact);
                    lookups.into_contact = model.contacts.get(into);
                    while let Some(into) = lookups.into_contact.and_then(|row| row.merged_into) {
                        lookups.into_contact = model.contacts.get(&into);
                    }
                }
                _ => {}
            }
        }
        InputBody::Receipt(receipt) => {
            let external = &receipt.receipt.external_id;
            let message = model.sent.get(&(receipt.channel.clone(), external.clone())).copied();
            let message = message.or(external.parse::<MessageId>().ok());
            lookups.outbound = message.and_then(|id| model.outbound.get(&id));
        }
        InputBody::Delivery(
            DeliveryInput::Attempt { message, .. } | DeliveryInput::Settle { message, .. },
        ) => lookups.outbound = model.outbound.get(message),
        _ => {}
    }
    lookups.addresses = &addresses;
    lookups.others = &others_of;
    lookups.routed = routed.as_ref();
    step(state, position, input, &lookups)
}

fn addresses_of(message: &Message) -> impl Iterator<Item = Address> {
    let first = message.from.as_ref().and_then(|from| from.address.clone());
    let more = message.attributes.get("from_addresses").and_then(|list| list.as_array());
    let more = more.into_iter().flatten().filter_map(|text| text.as_str()?.parse().ok());
    first.into_iter().chain(more)
}

fn route<'a>(
    settings: Option<&'a Settings>,
    inbound: &'a postroom_model::Inbound,
    facts: impl FnOnce(&'a Message, &'a ChannelSettings) -> RuleFacts<'a>,
) -> Option<postroom_routing::Routed> {
    let settings = settings?;
    let channel = settings.channel(&inbound.channel)?;
    let rules = Rules::compile(settings).expect("settings in force have good rules");
    Some(rules.route(facts(&inbound.message, channel)))
}
