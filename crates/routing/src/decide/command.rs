//! Commands of agents, programs and operators. Rights that depend on state are checked here, where
//! nothing can come in between.

use postroom_model::{
    Action, Actor, AgentId, CallId, Command, Conversation, ConversationId, Event, EventBody, Freed,
    InputBody, QueueId, Reason, Role, Status, Timestamp, limits,
};

use super::{Decision, Lookups, call, contact, inbound, offer, reply, status};
use crate::state::Open;
use crate::{Made, State, codes, matching};

pub(super) fn decide(
    state: &State,
    at: Timestamp,
    command: Command,
    lookups: &Lookups<'_>,
    made: &mut Made,
) -> Decision {
    let Command { id: command, actor, action } = command;
    if let Some(id) = action.conversation() {
        let Some(row) = lookups.conversation.filter(|row| row.id == id) else {
            return Decision::rejected(codes::CONVERSATION_NOT_FOUND, "no such conversation")
                .about(id);
        };
        if let Some(into) = row.merged_into {
            let detail = format!("the conversation was merged into {into}");
            return Decision::rejected(codes::CONVERSATION_MERGED, detail).about(id);
        }
        if let Some(refusal) = forbidden(state, &actor, row) {
            return refusal.about(id);
        }
        if let Action::LogCall { call, resolve, .. } = action {
            let id = CallId(command.0);
            return call::logged(state, (&actor, at), row, id, *call, resolve).about(row.id);
        }
        let desk = Desk { state, at, actor: &actor, row, open: state.conversations.get(&id) };
        return desk.decide(action, lookups).about(id);
    }
    match action {
        Action::SetStatus { agent, status, reason } => {
            status::set(state, &actor, &agent, (status, reason))
        }
        Action::Present { agents } => status::present(state, agents),
        Action::MergeContact { contact, into } => {
            contact::merge(state, &actor, contact, into, lookups)
        }
        Action::RetryParked { parked } => retry_parked(state, at, parked, &actor, lookups, made),
        Action::DropParked { parked } => {
            if actor.role != Role::Admin {
                return Decision::rejected(codes::ROLE_NOT_ALLOWED, "only an admin may drop it");
            }
            if lookups.parked.is_none() {
                return parked_not_found();
            }
            let dropped = EventBody::InputUnparked { id: parked, dropped: true, by: actor };
            Decision::routed(None, vec![Event::global(dropped)])
        }
        // Every other action names a conversation.
        _ => Decision::rejected(codes::INVALID_COMMAND, "the command names no conversation"),
    }
}

/// Agents act on conversations of their queues, on their own and on those that a ladder has brought to
/// them; supervisors and admins on all.
fn forbidden(state: &State, actor: &Actor, row: &Conversation) -> Option<Decision> {
    match actor.role {
        Role::Supervisor | Role::Admin => None,
        Role::Integrator => Some(Decision::rejected(
            codes::ROLE_NOT_ALLOWED,
            "an integrator does not act on conversations",
        )),
        Role::Agent => {
            let agent = actor.agent.as_ref().and_then(|agent| state.agent(agent));
            let Some(agent) = agent else {
                return Some(Decision::rejected(
                    codes::AGENT_NOT_FOUND,
                    "the agent is not configured",
                ));
            };
            if row.is_within_reach_of(&agent.id, |queue| state.serves(agent, queue)) {
                return None;
            }
            Some(Decision::rejected(
                codes::NOT_IN_QUEUE,
                "the conversation is in a queue that you do not serve",
            ))
        }
    }
}

fn parked_not_found() -> Decision {
    Decision::rejected(codes::PARKED_NOT_FOUND, "no input is set aside under this id")
}

/// Decides an input that was set aside as if it had just come.
fn retry_parked(
    state: &State,
    at: Timestamp,
    parked: postroom_model::ParkedId,
    actor: &Actor,
    lookups: &Lookups<'_>,
    made: &mut Made,
) -> Decision {
    if actor.role != Role::Admin {
        return Decision::rejected(codes::ROLE_NOT_ALLOWED, "only an admin may retry it");
    }
    let Some(input) = lookups.parked else {
        return parked_not_found();
    };
    let channel = match &input.body {
        InputBody::Inbound(message) => &message.channel,
        InputBody::Call(call) => &call.channel,
        _ => {
            return Decision::rejected(
                codes::PARKED_UNREADABLE,
                "it could not be read, and reading it again needs its channel",
            );
        }
    };
    if state.channel(channel).is_none() {
        let detail = format!("the channel {channel} is still not configured");
        return Decision::rejected(codes::STILL_PARKED, detail);
    }
    let mut decision = match &input.body {
        InputBody::Call(call) => call::accept(state, input.at, (**call).clone(), lookups, made),
        InputBody::Inbound(message) => {
            let id = postroom_model::MessageId(input.id.0);
            inbound::accept(state, id, at, (**message).clone(), lookups, made)
        }
        _ => Decision::default(),
    };
    let unparked = EventBody::InputUnparked { id: parked, dropped: false, by: actor.clone() };
    decision.events.push(Event::global(unparked));
    decision
}

/// One command on one conversation that exists and that the actor may touch.
struct Desk<'a> {
    state: &'a State,
    at: Timestamp,
    actor: &'a Actor,
    row: &'a Conversation,
    /// None if it is resolved.
    open: Option<&'a Open>,
}

impl Desk<'_> {
    fn decide(&self, action: Action, lookups: &Lookups<'_>) -> Decision {
        match action {
            Action::Reply { conversation, message, draft, if_version } => {
                let wanted = reply::Reply { conversation, message, draft, if_version };
                reply::reply(self.state, self.at, self.actor, &wanted, lookups)
            }
            Action::Resend { conversation, message } => {
                reply::resend(self.state, conversation, message, self.actor, lookups)
            }
            Action::Note { conversation, note, text } => {
                reply::note(conversation, note, text, self.actor)
            }
            Action::Claim { .. } => self.claim(),
            Action::Release { .. } => self.release(),
            Action::Assign { agent, .. } => self.assign(&agent),
            Action::Transfer { queue, .. } => self.transfer(queue),
            Action::Resolve { .. } => self.resolve(),
            Action::Reopen { .. } => self.reopen(),
            Action::Snooze { until, .. } => self.snooze(until),
            Action::Tag { add, remove, .. } => self.tag(add, remove),
            Action::Prioritise { priority, .. } => self.prioritise(priority),
            Action::Merge { into, .. } => self.merge(into, lookups),
            Action::AcceptOffer { offer, .. } => {
                offer::accept(self.state, self.actor, self.id(), offer)
            }
            Action::DeclineOffer { offer, .. } => {
                offer::decline(self.state, self.at, self.actor, self.id(), offer)
            }
            // Not about a conversation, or no matter of its state; decided before.
            Action::LogCall { .. }
            | Action::SetStatus { .. }
            | Action::Present { .. }
            | Action::MergeContact { .. }
            | Action::RetryParked { .. }
            | Action::DropParked { .. } => {
                Decision::rejected(codes::INVALID_COMMAND, "the command names no conversation")
            }
        }
    }

    fn id(&self) -> ConversationId {
        self.row.id
    }

    fn routed(&self, bodies: Vec<EventBody>) -> Decision {
        let events = bodies.into_iter().map(|body| Event::on(self.id(), body)).collect();
        Decision::routed(Some(self.id()), events)
    }

    fn asked(&self) -> Reason {
        Reason::Asked { by: self.actor.clone() }
    }

    fn resolved() -> Decision {
        Decision::rejected(codes::CONVERSATION_RESOLVED, "the conversation is resolved")
    }

    /// The owner who holds capacity for it now.
    fn held_by(&self) -> Option<Freed> {
        let open = self.open.filter(|open| open.holds_capacity())?;
        let agent = self.state.owner_of(open)?.id.clone();
        Some(Freed { agent, cost: open.charge() })
    }

    fn released(&self, reason: Reason) -> Option<EventBody> {
        let Freed { agent, cost } = self.held_by()?;
        Some(EventBody::ConversationReleased { agent, cost, reason })
    }

    /// The second of two claims learns who was first.
    fn claim(&self) -> Decision {
        let Some(open) = self.open else {
            return Self::resolved();
        };
        let Some(agent) = &self.actor.agent else {
            return Decision::rejected(codes::AGENT_REQUIRED, "only an agent can claim");
        };
        if self.state.agent(agent).is_none() {
            return Decision::rejected(codes::AGENT_NOT_FOUND, format!("no agent {agent}"));
        }
        let mut events = self.woken(open);
        if let Some(held) = self.held_by() {
            if held.agent == *agent {
                return self.routed(vec![]);
            }
            if let Some(settings) = self.state.agent_settings(&held.agent) {
                let detail = format!("{} has it already", settings.name);
                return Decision::rejected(codes::ALREADY_CLAIMED, detail);
            }
            // Time has not yet taken it from an agent who is no longer configured.
            let agent = held.agent;
            events.extend(self.released(Reason::OwnerGone { agent }));
        }
        let reason = Reason::Claimed { by: self.actor.clone() };
        let agent = agent.clone();
        events.push(EventBody::ConversationAssigned { agent, cost: open.cost, reason });
        self.routed(events)
    }

    fn woken(&self, open: &Open) -> Vec<EventBody> {
        if open.status == Status::Snoozed {
            vec![EventBody::ConversationWoken { reason: self.asked() }]
        } else {
            vec![]
        }
    }

    fn release(&self) -> Decision {
        if self.open.is_none() {
            return Self::resolved();
        }
        match self.released(Reason::Released { by: self.actor.clone() }) {
            Some(released) => self.routed(vec![released]),
            None => Decision::rejected(codes::NOT_OWNED, "nobody has the conversation"),
        }
    }

    fn assign(&self, agent: &AgentId) -> Decision {
        let Some(open) = self.open else {
            return Self::resolved();
        };
        if self.state.agent(agent).is_none() {
            return Decision::rejected(codes::AGENT_NOT_FOUND, format!("no agent {agent}"));
        }
        if self.held_by().is_some_and(|held| held.agent == *agent) {
            return self.routed(vec![]);
        }
        let reason = Reason::Assigned { by: self.actor.clone() };
        let mut events = self.woken(open);
        events.extend(self.released(reason.clone()));
        let agent = agent.clone();
        events.push(EventBody::ConversationAssigned { agent, cost: open.cost, reason });
        self.routed(events)
    }

    /// Into another queue, where it waits with the age it has; the owner stays behind.
    fn transfer(&self, queue: QueueId) -> Decision {
        if self.open.is_none() {
            return Self::resolved();
        }
        if !self.state.has_queue(&queue) {
            return Decision::rejected(codes::QUEUE_NOT_FOUND, format!("no queue {queue}"));
        }
        // Asked again, it must not take it from whoever has it there by now.
        if self.row.queue.as_ref() == Some(&queue) {
            return self.routed(vec![]);
        }
        let reason = Reason::Transferred { by: self.actor.clone() };
        let mut events: Vec<EventBody> = self.released(reason.clone()).into_iter().collect();
        let moved = EventBody::ConversationTransferred { queue, reached: vec![], reason };
        events.insert(0, moved);
        self.routed(events)
    }

    fn resolve(&self) -> Decision {
        if self.open.is_none() {
            return self.routed(vec![]);
        }
        let resolved =
            EventBody::ConversationResolved { freed: self.held_by(), reason: self.asked() };
        self.routed(vec![resolved])
    }

    fn reopen(&self) -> Decision {
        match self.open {
            Some(open) if open.status == Status::Snoozed => {
                let mut woken = self.routed(self.woken(open));
                woken.events.extend(matching::returned(self.state, self.id(), open));
                woken
            }
            Some(_) => self.routed(vec![]),
            None => {
                let opened = Box::new(inbound::reopened(self.state, self.row));
                let reason = self.asked();
                self.routed(vec![EventBody::ConversationReopened { opened, reason }])
            }
        }
    }

    fn snooze(&self, until: Timestamp) -> Decision {
        if self.open.is_none() {
            return Self::resolved();
        }
        if until <= self.at {
            return Decision::rejected(codes::INVALID_COMMAND, "the time to wake has passed");
        }
        let freed = self.held_by();
        self.routed(vec![EventBody::ConversationSnoozed { until, freed, reason: self.asked() }])
    }

    fn tag(&self, add: Vec<String>, remove: Vec<String>) -> Decision {
        let has = |tag: &String| self.row.tags.contains(tag);
        let mut added: Vec<String> = Vec::new();
        for tag in add {
            if !has(&tag) && !added.contains(&tag) {
                added.push(tag);
            }
        }
        let mut removed: Vec<String> = Vec::new();
        for tag in remove {
            if has(&tag) && !removed.contains(&tag) {
                removed.push(tag);
            }
        }
        let bad =
            |tag: &String| tag.trim().is_empty() || tag.chars().count() > limits::TAG_CHARS_MAX;
        if added.iter().any(bad) {
            let detail = format!("a tag has 1 to {} characters", limits::TAG_CHARS_MAX);
            return Decision::rejected(codes::INVALID_COMMAND, detail);
        }
        if self.row.tags.len() + added.len() > limits::TAGS_MAX + removed.len() {
            let detail = format!("a conversation has at most {} tags", limits::TAGS_MAX);
            return Decision::rejected(codes::INVALID_COMMAND, detail);
        }
        if added.is_empty() && removed.is_empty() {
            return self.routed(vec![]);
        }
        let by = self.actor.clone();
        self.routed(vec![EventBody::ConversationTagged { added, removed, by }])
    }

    fn prioritise(&self, priority: u8) -> Decision {
        if priority > limits::PRIORITY_MAX {
            let detail = format!("a priority is 0 to {}", limits::PRIORITY_MAX);
            return Decision::rejected(codes::INVALID_COMMAND, detail);
        }
        if self.row.priority == priority {
            return self.routed(vec![]);
        }
        let by = self.actor.clone();
        self.routed(vec![EventBody::ConversationPrioritised { priority, by }])
    }

    /// Ends this conversation in the other one.
    fn merge(&self, into: ConversationId, lookups: &Lookups<'_>) -> Decision {
        if into == self.id() {
            return Decision::rejected(
                codes::INVALID_COMMAND,
                "a conversation cannot be merged into itself",
            );
        }
        let Some(other) = lookups.into.filter(|other| other.id == into) else {
            return Decision::rejected(codes::CONVERSATION_NOT_FOUND, "no such conversation");
        };
        if let Some(further) = other.merged_into {
            let detail = format!("the other conversation was merged into {further}");
            return Decision::rejected(codes::CONVERSATION_MERGED, detail);
        }
        if let Some(refusal) = forbidden(self.state, self.actor, other) {
            return refusal;
        }
        let merged_max = limits::MERGED_MAX;
        if self.row.merged_from.len() + other.merged_from.len() >= merged_max {
            let detail = format!("at most {merged_max} conversations can be merged into one");
            return Decision::rejected(codes::INVALID_COMMAND, detail);
        }
        let merged = EventBody::ConversationMerged {
            into,
            channel: self.row.channel.clone(),
            thread: self.row.thread.clone(),
            freed: self.held_by(),
            by: self.actor.clone(),
        };
        let mut events = vec![Event::on(self.id(), merged)];
        events.extend(self.brought_back(other).map(|body| Event::on(into, body)));
        // Of a call that was missed and a letter about it, the letter says what it is about.
        let renamed = other.is_named_by_a_call() && !self.row.is_named_by_a_call();
        let absorbed = EventBody::ConversationAbsorbed {
            from: self.id(),
            further: self.row.merged_from.clone(),
            renamed,
            subject: self.row.subject.clone().filter(|_| renamed),
            by: self.actor.clone(),
        };
        events.push(Event::on(into, absorbed));
        Decision::routed(Some(self.id()), events)
    }

    /// A customer who waits here would be forgotten in a conversation that is done or set aside.
    fn brought_back(&self, other: &Conversation) -> Option<EventBody> {
        let reason = self.asked();
        self.open.filter(|open| open.status == Status::Open)?;
        match self.state.conversations.get(&other.id) {
            None => {
                let opened = Box::new(inbound::reopened(self.state, other));
                Some(EventBody::ConversationReopened { opened, reason })
            }
            Some(open) if open.status == Status::Snoozed => {
                Some(EventBody::ConversationWoken { reason })
            }
            Some(_) => None,
        }
    }
}
