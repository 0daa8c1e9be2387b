//! Plays the record under one configuration: time goes from one happening to the next, and in between
//! agents do what they did, each after the time that it took them.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    Action, Actor, Address, AgentId, Command, CommandId, Contact, ContactId, Conversation,
    ConversationId, Event, EventBody, Inbound, InboundCall, Input, InputBody, InputId, Message,
    MessageId, MessageKind, OfferMade, Opened, OutcomeKind, Position, Random as _, Reason,
    ReplyDraft, SeededRandom, Status, Timestamp,
};
use uuid::Uuid;

use super::recording::{Act, Doing, Happening, Recording, Talk};
use super::report::{Began, Elsewhere, NAMED_MAX, Report, SideReport};
use super::tally::Tally;
use super::{DryRunError, Side, Sided};
use crate::decide::carries_mail;
use crate::{Lookups, State, step, step_due};

/// What came of one side.
#[derive(Debug)]
pub struct Played {
    report: SideReport,
    /// Where each conversation began and who had it first, in the order of the record.
    began: Vec<(Option<Began>, Option<AgentId>)>,
}

impl Recording {
    /// Plays one side. `progress` is told how many happenings have been played.
    pub fn play(
        &self,
        side: Side,
        seed: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Played, DryRunError> {
        let state = State::from_snapshot(&self.state.to_snapshot()?)?;
        let mut stage = Stage::new(self, side, state, seed);
        stage.install()?;
        for ((at, happening), count) in self.happenings.iter().zip(1..) {
            stage.advance((*at).max(self.since));
            stage.happen(happening);
            progress(count);
        }
        stage.advance(self.until);
        Ok(stage.finish())
    }

    /// Sets the two sides against each other.
    pub fn compare(&self, seed: u64, now: Played, new: Played) -> Report {
        let (mut elsewhere, mut other_agent) = (0, 0);
        let mut moved = Vec::new();
        let sides = now.began.into_iter().zip(new.began);
        for (talk, ((before, had), (after, has))) in self.talks.iter().zip(sides) {
            if talk.before {
                continue;
            }
            other_agent += u64::from(had != has);
            let queue = |began: &Option<Began>| began.as_ref().map(|began| began.queue.clone());
            if queue(&before) == queue(&after) {
                continue;
            }
            elsewhere += 1;
            if moved.len() < NAMED_MAX {
                let subject = talk.opened.subject.clone();
                let named = Elsewhere { conversation: talk.id, subject, now: before, new: after };
                moved.push(named);
            }
        }
        Report {
            since: self.since,
            until: self.until,
            seed,
            messages: self.messages,
            calls: self.calls,
            conversations: self.talks.iter().filter(|talk| !talk.before).count() as u64,
            now: now.report,
            new: new.report,
            elsewhere,
            other_agent,
            moved,
        }
    }
}

/// How far a conversation of the record is in this play.
#[derive(Debug, Default)]
struct Stand {
    /// Its id here, once it is opened.
    id: Option<ConversationId>,
    opened: Option<Box<Opened>>,
    owner: Option<AgentId>,
    messages: u32,
    /// How many acts are done.
    done: usize,
    /// Since when the owner could go on.
    mark: Timestamp,
    /// When the next act is.
    acts_at: Option<Timestamp>,
    /// Whose acts are repeated, if nobody did anything with it.
    like: Option<usize>,
    resolved_at: Option<Timestamp>,
    /// Until when it is settled, by a call or by somebody.
    settled_at: Option<Timestamp>,
    began: Option<Began>,
    first: Option<AgentId>,
}

struct Stage<'r> {
    recording: &'r Recording,
    side: Side,
    sided: &'r Sided,
    state: State,
    now: Timestamp,
    /// Inputs so far.
    inputs: u64,
    stands: Vec<Stand>,
    by_id: BTreeMap<ConversationId, usize>,
    next: BTreeSet<(Timestamp, usize)>,
    offers: Vec<(ConversationId, Box<OfferMade>)>,
    served: BTreeMap<ContactId, AgentId>,
    tally: Tally,
}

impl<'r> Stage<'r> {
    fn new(recording: &'r Recording, side: Side, state: State, seed: u64) -> Self {
        let likes = likes(&recording.talks, &state, seed);
        let mut by_id = BTreeMap::new();
        let mut stands = Vec::with_capacity(recording.talks.len());
        for ((talk, like), ix) in recording.talks.iter().zip(likes).zip(0..) {
            let mut stand = Stand { like, mark: recording.since, ..Stand::default() };
            if talk.before {
                by_id.insert(talk.id, ix);
                stand.id = Some(talk.id);
                stand.opened = Some(talk.opened.clone());
                let open = state.conversations.get(&talk.id);
                let holds = open.filter(|open| open.holds_capacity());
                let owner = holds.and_then(|open| state.owner_of(open));
                stand.owner = owner.map(|agent| agent.id.clone());
            }
            stands.push(stand);
        }
        let mut tally = Tally::default();
        tally.begin(&state, recording.since);
        Self {
            recording,
            side,
            sided: recording.sides.get(side),
            state,
            now: recording.since,
            inputs: 0,
            stands,
            by_id,
            next: BTreeSet::new(),
            offers: Vec::new(),
            served: recording.served.clone(),
            tally,
        }
    }

    /// The configuration comes into force as the time begins.
    fn install(&mut self) -> Result<(), DryRunError> {
        let wanted = InputBody::Settings(Box::new(self.sided.settings.clone()));
        let (kind, detail) = self.give(wanted, &Lookups::default());
        if kind == OutcomeKind::Rejected {
            return Err(DryRunError::Settings(detail.unwrap_or_default()));
        }
        for ix in 0..self.stands.len() {
            self.plan(ix);
        }
        Ok(())
    }

    /// Lets time pass, with all that it brings and all that agents do.
    fn advance(&mut self, to: Timestamp) {
        loop {
            self.accept_offers();
            let act = self.next.first().map(|(at, _)| (*at).max(self.now));
            let due = self.state.next_deadline().map(|at| at.max(self.now));
            let Some(at) = act.into_iter().chain(due).min().filter(|at| *at <= to) else {
                break;
            };
            self.now = at;
            if due == Some(at) {
                let late = self.state.late(at).next();
                let row = late.and_then(|id| self.row(*self.by_id.get(&id)?, id));
                let past = |id| row.as_ref().filter(|row| row.id == id);
                if let Some(step) = step_due(&mut self.state, at, &past) {
                    self.follow(&step.transition.events);
                    continue;
                }
            }
            match self.next.pop_first() {
                Some((_, ix)) => self.do_next(ix),
                None => break,
            }
        }
        self.now = self.now.max(to);
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Wrote { talk } => self.wrote(*talk),
            Happening::Called { talk, call } => self.called(*talk, call),
            Happening::Status { agent, status, reason } => {
                let (agent, status, reason) = (agent.clone(), *status, reason.clone());
                let action = Action::SetStatus { agent, status, reason };
                self.command(Actor::operator(), action, None);
            }
            Happening::Moved { talk, from, to } => {
                let lies = self.stands.get(*talk).and_then(|stand| {
                    let open = self.state.conversations.get(&stand.id?)?;
                    self.state.queues.get(open.queue)
                });
                // Whoever moved it would leave it where they would have put it.
                if lies.is_some_and(|queue| queue.id == *from) {
                    let queue = to.clone();
                    self.on(*talk, Actor::operator(), |conversation| Action::Transfer {
                        conversation,
                        queue,
                    });
                }
            }
        }
        self.accept_offers();
    }

    fn wrote(&mut self, ix: usize) {
        let Some(talk) = self.recording.talks.get(ix) else { return };
        let mail = self.state.channel(&talk.opened.channel).is_some_and(|it| carries_mail(it.kind));
        let message = Message {
            kind: if mail { MessageKind::Email } else { MessageKind::Text },
            external_id: format!("dry-run:{ix}:{}", self.inputs),
            thread: talk.opened.thread.clone(),
            from: talk.opened.customer.clone(),
            subject: talk.opened.subject.clone(),
            sent_at: Some(self.now),
            ..Message::default()
        };
        let channel = talk.opened.channel.clone();
        self.come(ix, InputBody::Inbound(Box::new(Inbound { channel, message })));
    }

    fn called(&mut self, ix: usize, call: &postroom_model::Call) {
        let Some(talk) = self.recording.talks.get(ix) else { return };
        let inbound = InboundCall::new(talk.opened.channel.clone(), call.clone());
        self.come(ix, InputBody::Call(Box::new(inbound)));
    }

    /// Something comes in for a conversation of the record, which may have to be opened.
    fn come(&mut self, ix: usize, body: InputBody) {
        let recording = self.recording;
        let (Some(talk), Some(stand)) = (recording.talks.get(ix), self.stands.get(ix)) else {
            return;
        };
        let addresses = addresses(talk);
        let contact = talk.opened.contact.map(|id| self.contact(id, talk, &addresses));
        let row = stand.id.and_then(|id| self.row(ix, id));
        let [now, new] = &talk.routed;
        let routed = if self.side == Side::Now { now } else { new };
        let lookups = Lookups {
            thread: stand.id,
            conversation: row.as_ref(),
            participant: talk.opened.contact,
            contact: contact.as_ref(),
            addresses: &addresses,
            routed: routed.as_deref(),
            ..Lookups::default()
        };
        let opened = stand.id.is_none();
        let events = self.decide(body, &lookups).1;
        if opened {
            let begins = |event: &&Event| matches!(event.body, EventBody::ConversationOpened(_));
            let id = events.iter().find(begins).and_then(|event| event.conversation);
            if let (Some(id), Some(stand)) = (id, self.stands.get_mut(ix)) {
                stand.id = Some(id);
                self.by_id.insert(id, ix);
            }
        }
        self.follow(&events);
    }

    /// The customer as the records would have them, as far as a decision asks.
    fn contact(&self, id: ContactId, talk: &Talk, known: &[Known]) -> Contact {
        Contact {
            id,
            name: talk.opened.customer.as_ref().and_then(|customer| customer.name.clone()),
            addresses: known.iter().map(|(address, _)| address.clone()).collect(),
            dead: vec![],
            created_at: self.recording.since,
            merged_into: None,
            last_agent: self.served.get(&id).cloned(),
            conversations: 0,
        }
    }

    /// The owner does what comes next.
    fn do_next(&mut self, ix: usize) {
        let Some(act) = self.act_of(ix) else { return };
        let Some(stand) = self.stands.get_mut(ix) else { return };
        stand.acts_at = None;
        let Some(owner) = stand.owner.clone() else { return };
        stand.done += 1;
        stand.mark = self.now;
        let (message, until) = (MessageId(self.next_id("reply")), self.now);
        self.on(ix, Actor::agent(&owner), |conversation| match act.doing {
            Doing::Reply => Action::Reply {
                conversation,
                message,
                draft: ReplyDraft::default(),
                if_version: None,
            },
            Doing::Resolve => Action::Resolve { conversation },
            Doing::Snooze(for_ms) => {
                Action::Snooze { conversation, until: until.plus_millis(for_ms.max(1)) }
            }
        });
        // Nothing leaves.
        self.state.deliveries.clear();
        self.plan(ix);
    }

    /// Whoever is asked first accepts at once.
    fn accept_offers(&mut self) {
        while let Some((conversation, made)) = self.offers.pop() {
            let Some(agent) = made.agents.first() else { continue };
            let action = Action::AcceptOffer { conversation, offer: made.offer };
            let row = self.by_id.get(&conversation).and_then(|ix| self.row(*ix, conversation));
            self.command(Actor::agent(agent), action, row.as_ref());
        }
    }

    fn on(&mut self, ix: usize, actor: Actor, action: impl FnOnce(ConversationId) -> Action) {
        let Some(id) = self.stands.get(ix).and_then(|stand| stand.id) else { return };
        let row = self.row(ix, id);
        self.command(actor, action(id), row.as_ref());
    }

    fn command(&mut self, actor: Actor, action: Action, row: Option<&Conversation>) {
        let id = CommandId(self.next_id("command"));
        let body = InputBody::Command(Box::new(Command { id, actor, action }));
        self.give(body, &Lookups { conversation: row, ..Lookups::default() });
    }

    fn give(&mut self, body: InputBody, lookups: &Lookups<'_>) -> (OutcomeKind, Option<String>) {
        let (outcome, events) = self.decide(body, lookups);
        self.follow(&events);
        outcome
    }

    fn decide(
        &mut self,
        body: InputBody,
        lookups: &Lookups<'_>,
    ) -> ((OutcomeKind, Option<String>), Vec<Event>) {
        self.inputs += 1;
        let input = Input { id: InputId(self.next_id("input")), at: self.now, body };
        let position = Position { seq: self.inputs, index: 0 };
        let transition = step(&mut self.state, position, input, lookups).transition;
        let outcome = transition.outcome.map(|outcome| (outcome.kind, outcome.detail));
        (outcome.unwrap_or((OutcomeKind::Routed, None)), transition.events)
    }

    fn next_id(&self, purpose: &'static str) -> Uuid {
        postroom_model::ids::decided(self.now, purpose, &[self.inputs])
    }

    /// Takes in what happened: who has what now, and when they go on.
    fn follow(&mut self, events: &[Event]) {
        self.tally.follow(&self.state, self.now, events);
        for event in events {
            if let EventBody::ContactServed { contact, agent } = &event.body {
                self.served.insert(*contact, agent.clone());
            }
            let Some(id) = event.conversation else { continue };
            if let EventBody::OfferMade(made) = &event.body {
                self.offers.push((id, made.clone()));
            }
            let Some(ix) = self.by_id.get(&id).copied() else { continue };
            let now = self.now;
            match &event.body {
                EventBody::ConversationOpened(opened)
                | EventBody::ConversationReopened { opened, .. } => self.change(ix, |stand| {
                    let (queue, rule) = (opened.queue.clone(), opened.route.matched);
                    stand.began.get_or_insert(Began { queue, rule });
                    stand.opened = Some(opened.clone());
                    stand.owner = None;
                }),
                EventBody::ConversationAssigned { agent, .. } => self.change(ix, |stand| {
                    stand.first.get_or_insert_with(|| agent.clone());
                    stand.owner = Some(agent.clone());
                    stand.mark = now;
                }),
                EventBody::ConversationReleased { .. } | EventBody::ConversationSnoozed { .. } => {
                    self.change(ix, |stand| stand.owner = None);
                }
                EventBody::ConversationResolved { .. } | EventBody::ConversationMerged { .. } => {
                    let by_somebody = matches!(&event.body, EventBody::ConversationResolved { reason, .. }
                        if *reason != Reason::CallAnswered);
                    self.change(ix, |stand| {
                        stand.owner = None;
                        stand.resolved_at = Some(now);
                        stand.settled_at = stand.settled_at.max(by_somebody.then_some(now));
                    });
                }
                EventBody::MessageReceived { .. } => self.change(ix, |stand| {
                    stand.messages += 1;
                    stand.mark = now;
                }),
                EventBody::CallRecorded(recorded) if recorded.waits => self.change(ix, |stand| {
                    stand.messages += 1;
                    stand.mark = now;
                }),
                EventBody::CallRecorded(recorded) => {
                    let until = recorded.settled_at(now);
                    self.change(ix, |stand| stand.settled_at = stand.settled_at.max(until));
                }
                _ => {}
            }
        }
    }

    fn change(&mut self, ix: usize, edit: impl FnOnce(&mut Stand)) {
        if let Some(stand) = self.stands.get_mut(ix) {
            edit(stand);
        }
        self.plan(ix);
    }

    /// When the owner goes on, if they can.
    fn plan(&mut self, ix: usize) {
        let act = self.act_of(ix);
        let Some(stand) = self.stands.get_mut(ix) else { return };
        if let Some(at) = stand.acts_at.take() {
            self.next.remove(&(at, ix));
        }
        let Some(act) = act.filter(|_| stand.owner.is_some()) else { return };
        if stand.like.is_none() && act.after > stand.messages && !self.talk_is_older(ix) {
            return;
        }
        let Some(stand) = self.stands.get_mut(ix) else { return };
        let at = stand.mark.plus_millis(act.delay_ms).max(self.now);
        stand.acts_at = Some(at);
        self.next.insert((at, ix));
    }

    fn talk_is_older(&self, ix: usize) -> bool {
        self.recording.talks.get(ix).is_some_and(|talk| talk.before)
    }

    fn act_of(&self, ix: usize) -> Option<Act> {
        let stand = self.stands.get(ix)?;
        let talk = self.recording.talks.get(stand.like.unwrap_or(ix))?;
        talk.acts.get(stand.done).copied()
    }

    /// The conversation as the records would have it, as far as a decision asks.
    fn row(&self, ix: usize, id: ConversationId) -> Option<Conversation> {
        let stand = self.stands.get(ix)?;
        let opened = stand.opened.as_deref()?;
        let open = self.state.conversations.get(&id);
        let queue = open.and_then(|open| self.state.queues.get(open.queue));
        let owner = open.and_then(|open| self.state.owner_of(open));
        Some(Conversation {
            id,
            status: open.map_or(Status::Resolved, |open| open.status),
            subject: opened.subject.clone(),
            channel: opened.channel.clone(),
            thread: opened.thread.clone(),
            queue: Some(queue.map_or(&opened.queue, |queue| &queue.id).clone()),
            assignee: owner.map(|agent| agent.id.clone()).or_else(|| stand.first.clone()),
            contact: opened.contact,
            customer: opened.customer.clone(),
            linked: opened.linked,
            mails: vec![],
            priority: open.map_or(opened.priority, |open| open.priority),
            skills: opened.skills.clone(),
            preferred: opened.preferred.clone(),
            cost: opened.cost,
            tags: opened.tags.clone(),
            targets: self.state.targets.list(id).to_vec(),
            policy: opened.policy.clone(),
            climbed: None,
            kept: None,
            opened_at: self.recording.since,
            last_message_at: stand.mark,
            waiting_since: open.and_then(|open| open.waiting_since),
            snoozed_until: open.and_then(|open| open.snoozed_until),
            resolved_at: stand.resolved_at,
            settled_at: open.map_or(stand.settled_at, |open| open.settled_at),
            merged_into: None,
            merged_from: vec![],
            version: open.map_or(opened.version, |open| open.version),
            message_version: open.map_or(opened.message_version, |open| open.message_version),
            route: opened.route.clone(),
            offer: None,
            declined: vec![],
            assignment: None,
        })
    }

    fn finish(self) -> Played {
        let report = self.tally.finish(self.sided.config.clone(), &self.state, self.now);
        let began = self.stands.into_iter().map(|stand| (stand.began, stand.first));
        Played { report, began: began.collect() }
    }
}

/// An address, and whose it is.
type Known = (Address, Option<ContactId>);

/// The customer's address, as the one who takes part.
fn addresses(talk: &Talk) -> Vec<Known> {
    let Some(contact) = talk.opened.contact else { return vec![] };
    let customer = talk.opened.customer.as_ref().and_then(|customer| customer.address.clone());
    let address = customer.or_else(|| Address::new("contact", &contact.to_string()).ok());
    address.map(|address| (address, Some(contact))).into_iter().collect()
}

/// For a conversation with which nobody did anything, one whose agents did: drawn from the seed.
fn likes(talks: &[Talk], state: &State, seed: u64) -> Vec<Option<usize>> {
    let random = SeededRandom::new(seed);
    let ends = |talk: &Talk| talk.acts.iter().any(|act| act.doing == Doing::Resolve);
    let whole: Vec<usize> = (0..talks.len())
        .filter(|ix| talks.get(*ix).is_some_and(|talk| !talk.before && ends(talk)))
        .collect();
    let idle = |talk: &Talk| {
        let open = state.conversations.get(&talk.id);
        talk.acts.is_empty() && open.is_none_or(|open| open.owner.is_none())
    };
    let draw = |talk: &Talk| {
        let count = whole.len() as u64;
        if !idle(talk) || count == 0 {
            return None;
        }
        whole.get(usize::try_from(random.next_u64() % count).ok()?).copied()
    };
    talks.iter().map(draw).collect()
}
