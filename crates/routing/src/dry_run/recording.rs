//! What was recorded, read out of the events of the ledger in their order: who wrote and called, who was
//! there, and how long each answer took. No bodies are kept: the rules are asked as they are read.

use std::collections::BTreeMap;

use postroom_model::{
    Actor, AgentId, AgentStatus, Bodies, Call, CallRecorded, CallState, ContactId, ConversationId,
    Event, EventBody, Message, MessageId, Opened, QueueId, Reason, Settings, StatusId, Timestamp,
};

use super::known::Known;
use super::{DryRunError, Side, Sides};
use crate::called::message_of;
use crate::{Routed, RuleFacts, State};

/// A conversation as it went.
#[derive(Debug)]
pub(super) struct Talk {
    pub id: ConversationId,
    /// As it was opened; for an older one, as it stood.
    pub opened: Box<Opened>,
    /// It was there before the time that is played.
    pub before: bool,
    /// What the rules of each side say of how it began.
    pub routed: [Option<Box<Routed>>; 2],
    /// What agents did with it, in order.
    pub acts: Vec<Act>,
    /// What customers sent so far.
    messages: u32,
    /// When somebody last did something that an agent would go on from.
    mark: Timestamp,
    /// Where it lies.
    queue: QueueId,
}

/// Something that an agent did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Act {
    pub doing: Doing,
    /// How long after what came before.
    pub delay_ms: i64,
    /// How many times the customer had written by then.
    pub after: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Reply,
    Resolve,
    /// Sets it aside for so long.
    Snooze(i64),
}

/// Something that happened whatever the configuration says.
#[derive(Debug)]
pub(super) enum Happening {
    Wrote {
        talk: usize,
    },
    Called {
        talk: usize,
        call: Box<Call>,
    },
    Status {
        agent: AgentId,
        status: AgentStatus,
        reason: Option<StatusId>,
    },
    /// Somebody moved it by hand.
    Moved {
        talk: usize,
        from: QueueId,
        to: QueueId,
    },
}

/// The record of some time, ready to be played.
#[derive(Debug)]
pub struct Recording {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    pub(super) sides: Sides,
    /// As it was when the time begins.
    pub(super) state: State,
    pub(super) talks: Vec<Talk>,
    pub(super) happenings: Vec<(Timestamp, Happening)>,
    pub(super) messages: u64,
    pub(super) calls: u64,
    /// Who had each customer last by then.
    pub(super) served: BTreeMap<ContactId, AgentId>,
    known: Known,
    begun: bool,
    /// Conversations that are not done and have not occurred yet, as they were opened.
    open: BTreeMap<ConversationId, Box<Opened>>,
    by_id: BTreeMap<ConversationId, usize>,
}

impl Recording {
    /// To be fed with every event of the ledger from its first; what came before `since` only says how
    /// things stood by then.
    pub fn new(since: Timestamp, now: &Settings, new: &Settings) -> Result<Self, DryRunError> {
        let sides = Sides::new(now, new)?;
        let asks = [Side::Now, Side::New].iter().any(|side| sides.get(*side).rules.ask_of_people());
        Ok(Self {
            since,
            until: since,
            sides,
            known: Known::new(asks),
            state: State::new(),
            talks: Vec::new(),
            happenings: Vec::new(),
            messages: 0,
            calls: 0,
            served: BTreeMap::new(),
            begun: false,
            open: BTreeMap::new(),
            by_id: BTreeMap::new(),
        })
    }

    /// What happens whatever the configuration says: the length of the play.
    pub fn len(&self) -> u64 {
        self.happenings.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.happenings.is_empty()
    }

    /// Takes the next event, of a transition at `at`.
    pub fn note(&mut self, at: Timestamp, event: &Event, bodies: &Bodies) {
        self.known.note(at, event);
        if at < self.since && !self.begun {
            return self.before(at, event);
        }
        if !self.begun {
            self.begin();
        }
        self.until = self.until.max(at);
        match event.conversation {
            Some(id) => self.on(at, id, &event.body, bodies),
            None => self.global(at, &event.body),
        }
    }

    fn before(&mut self, at: Timestamp, event: &Event) {
        self.state.apply(at, event);
        if let EventBody::ContactServed { contact, agent } = &event.body {
            self.served.insert(*contact, agent.clone());
        }
        let Some(id) = event.conversation else { return };
        match &event.body {
            EventBody::ConversationOpened(opened)
            | EventBody::ConversationReopened { opened, .. } => {
                self.open.insert(id, opened.clone());
            }
            EventBody::ConversationResolved { .. } | EventBody::ConversationMerged { .. } => {
                self.open.remove(&id);
            }
            EventBody::ConversationTransferred { queue, .. } => {
                if let Some(opened) = self.open.get_mut(&id) {
                    opened.queue = queue.clone();
                }
            }
            _ => {}
        }
    }

    /// Whatever is not done takes part.
    fn begin(&mut self) {
        self.begun = true;
        for (id, opened) in std::mem::take(&mut self.open) {
            self.add(id, self.since, opened, true);
        }
    }

    fn add(&mut self, id: ConversationId, at: Timestamp, opened: Box<Opened>, before: bool) {
        let queue = opened.queue.clone();
        self.by_id.insert(id, self.talks.len());
        self.talks.push(Talk {
            id,
            opened,
            before,
            routed: [None, None],
            acts: Vec::new(),
            messages: 0,
            mark: at,
            queue,
        });
    }

    fn global(&mut self, at: Timestamp, body: &EventBody) {
        if let EventBody::AgentStatusChanged { agent, status, reason, .. } = body
            // What an offer found out is found out anew.
            && *status != AgentStatus::NotResponding
        {
            let (agent, status, reason) = (agent.clone(), *status, reason.clone());
            self.happenings.push((at, Happening::Status { agent, status, reason }));
        }
    }

    fn on(&mut self, at: Timestamp, id: ConversationId, body: &EventBody, bodies: &Bodies) {
        match body {
            EventBody::ConversationOpened(opened) => self.add(id, at, opened.clone(), false),
            EventBody::ConversationReopened { opened, .. } if !self.by_id.contains_key(&id) => {
                self.add(id, at, opened.clone(), true);
            }
            _ => {}
        }
        let Some(ix) = self.by_id.get(&id).copied() else { return };
        match body {
            // One that changes nothing where it lies, changes nothing here.
            EventBody::MessageReceived { mail: Some(mail), .. } if mail.quiet => {}
            EventBody::MessageReceived { id, message, .. } => {
                self.messages += 1;
                self.wrote(ix, at, *id, message, bodies);
            }
            EventBody::CallRecorded(recorded) => self.called(ix, at, recorded),
            EventBody::ConversationAssigned { .. } => self.with(ix, |talk| talk.mark = at),
            EventBody::ReplyQueued { by, .. } if *by != Actor::postroom() => {
                self.act(ix, at, Doing::Reply);
            }
            EventBody::ConversationResolved { reason: Reason::Asked { .. }, .. }
            | EventBody::ConversationMerged { .. } => self.act(ix, at, Doing::Resolve),
            EventBody::ConversationSnoozed { until, reason: Reason::Asked { .. }, .. } => {
                self.act(ix, at, Doing::Snooze(until.since(at)));
            }
            EventBody::ConversationTransferred { queue, reason, .. } => {
                let by_hand = matches!(reason, Reason::Transferred { .. });
                self.moved(ix, at, queue, by_hand);
            }
            _ => {}
        }
    }

    fn with(&mut self, ix: usize, edit: impl FnOnce(&mut Talk)) {
        if let Some(talk) = self.talks.get_mut(ix) {
            edit(talk);
        }
    }

    fn wrote(
        &mut self,
        ix: usize,
        at: Timestamp,
        id: MessageId,
        message: &Message,
        bodies: &Bodies,
    ) {
        if self.begins(ix) {
            let mut whole = message.clone();
            if let Some(body) = bodies.get(&id.0) {
                body.put_into(&mut whole);
            }
            self.route(ix, at, &whole);
        }
        self.came(ix, at);
        self.happenings.push((at, Happening::Wrote { talk: ix }));
    }

    /// Only what is over counts; what agents logged by hand is theirs.
    fn called(&mut self, ix: usize, at: Timestamp, recorded: &CallRecorded) {
        if recorded.by.is_some() || recorded.call.state != CallState::Ended {
            return;
        }
        self.calls += 1;
        if self.begins(ix) {
            self.route(ix, at, &message_of(&recorded.call));
        }
        if recorded.waits {
            self.came(ix, at);
        }
        let call = Box::new(recorded.call.clone());
        self.happenings.push((at, Happening::Called { talk: ix, call }));
    }

    /// It is what the conversation begins with.
    fn begins(&self, ix: usize) -> bool {
        let talk = self.talks.get(ix);
        talk.is_some_and(|talk| !talk.before && talk.messages == 0 && talk.routed[0].is_none())
    }

    fn route(&mut self, ix: usize, at: Timestamp, message: &Message) {
        let Some(talk) = self.talks.get_mut(ix) else { return };
        let sides = self.sides.clone();
        let asked = self.known.asked(talk.id);
        let routed = |side| {
            let sided = sides.get(side);
            let channel = sided.settings.channel(&talk.opened.channel)?;
            Some(Box::new(sided.rules.route(RuleFacts {
                contact: asked.contact.as_ref(),
                open: asked.open,
                earlier: asked.earlier(),
                ..RuleFacts::new(message, channel, at)
            })))
        };
        talk.routed = [routed(Side::Now), routed(Side::New)];
    }

    fn came(&mut self, ix: usize, at: Timestamp) {
        self.with(ix, |talk| {
            talk.messages += 1;
            talk.mark = at;
        });
    }

    fn act(&mut self, ix: usize, at: Timestamp, doing: Doing) {
        self.with(ix, |talk| {
            let delay_ms = at.since(talk.mark).max(0);
            talk.acts.push(Act { doing, delay_ms, after: talk.messages });
            talk.mark = at;
        });
    }

    fn moved(&mut self, ix: usize, at: Timestamp, queue: &QueueId, by_hand: bool) {
        let Some(talk) = self.talks.get_mut(ix) else { return };
        let from = std::mem::replace(&mut talk.queue, queue.clone());
        if by_hand {
            let to = queue.clone();
            self.happenings.push((at, Happening::Moved { talk: ix, from, to }));
        }
    }
}
