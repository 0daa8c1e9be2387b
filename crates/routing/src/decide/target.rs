//! Targets: what is promised as a conversation goes on, and what time makes of it.
//!
//! What happens to a conversation is followed event by event, and the promises that came of all of it
//! are one further event, so that no decision has to think of them.

use std::collections::BTreeMap;

use postroom_model::answer::is_automatic;
use postroom_model::{
    CallRecorded, ConversationId, Event, EventBody, PolicyId, QueueId, Reason, Target, TargetKind,
    TargetPolicy, TargetState, Timestamp,
};

use crate::State;
use crate::called::is_answered;

/// The promises of conversations to which something happens, as they will be.
#[derive(Debug, Default)]
pub(crate) struct Promises(BTreeMap<ConversationId, Vec<Target>>);

/// What an event means for what is promised.
enum Meaning<'a> {
    Opened(Option<&'a PolicyId>, &'a QueueId),
    /// Opened again; true if the customer did it.
    Reopened(Option<&'a PolicyId>, &'a QueueId, bool),
    /// The customer waits; true if that ended a snooze.
    Asked(bool),
    /// It has to go on.
    Resumed,
    /// We answered; true if the customer has the next word now.
    Answered(bool),
    Done,
    Merged,
}

impl<'a> Meaning<'a> {
    fn of(body: &'a EventBody) -> Option<Self> {
        Some(match body {
            EventBody::ConversationOpened(opened) => {
                Self::Opened(opened.policy.as_ref(), &opened.queue)
            }
            EventBody::ConversationReopened { opened, reason } => {
                Self::Reopened(opened.policy.as_ref(), &opened.queue, is_customer(reason))
            }
            EventBody::MessageReceived { .. } => Self::Asked(false),
            EventBody::ConversationWoken { reason } if is_customer(reason) => Self::Asked(true),
            EventBody::ConversationWoken { .. } => Self::Resumed,
            EventBody::CallRecorded(recorded) => return of_call(recorded),
            EventBody::ReplyQueued { message, .. } if is_automatic(message) => return None,
            EventBody::ReplyQueued { .. } => Self::Answered(true),
            EventBody::ConversationResolved { .. } => Self::Done,
            EventBody::ConversationMerged { .. } => Self::Merged,
            _ => return None,
        })
    }
}

fn of_call(recorded: &CallRecorded) -> Option<Meaning<'static>> {
    if recorded.waits {
        return Some(Meaning::Asked(false));
    }
    is_answered(&recorded.call).then_some(Meaning::Answered(false))
}

fn is_customer(reason: &Reason) -> bool {
    matches!(reason, Reason::CustomerWrote | Reason::CustomerCalled)
}

impl Promises {
    /// Follows an event that is about to be folded.
    pub(crate) fn follow(&mut self, state: &State, at: Timestamp, event: &Event) {
        if state.targets.is_empty() {
            return;
        }
        let (Some(id), Some(meaning)) = (event.conversation, Meaning::of(&event.body)) else {
            return;
        };
        let desk = Desk { state, at };
        let open = state.conversations.get(&id);
        let queue = open.and_then(|open| state.queues.get(open.queue)).map(|queue| &queue.id);
        let policy = match meaning {
            Meaning::Opened(named, queue) | Meaning::Reopened(named, queue, _) => {
                state.targets.policy(named, queue)
            }
            _ => queue.and_then(|queue| state.targets.policy_of(id, queue)),
        };
        let waited = open.is_some_and(|open| open.waiting_since.is_some());
        let targets = self.0.entry(id).or_insert_with(|| state.targets.list(id).to_vec());
        desk.take(targets, &meaning, policy, waited);
    }

    /// What is promised now, where that is something else than before.
    pub(crate) fn changes(self, state: &State) -> Vec<Event> {
        let changed = self.0.into_iter().filter(|(id, targets)| {
            // One that is done is no longer held; its promises ended with it.
            let held = state.conversations.contains_key(id);
            let same = state.targets.list(*id) == targets.as_slice();
            if held { !same } else { !targets.is_empty() }
        });
        changed.map(|(id, targets)| Event::on(id, EventBody::TargetsChanged { targets })).collect()
    }
}

struct Desk<'a> {
    state: &'a State,
    at: Timestamp,
}

impl Desk<'_> {
    fn take(
        &self,
        targets: &mut Vec<Target>,
        meaning: &Meaning<'_>,
        policy: Option<&TargetPolicy>,
        waited: bool,
    ) {
        match meaning {
            Meaning::Opened(..) => {
                targets.clear();
                self.promise(targets, policy, TargetKind::FirstResponse);
                self.promise(targets, policy, TargetKind::Resolution);
            }
            Meaning::Reopened(_, _, asked) => {
                if *asked {
                    self.promise(targets, policy, TargetKind::NextResponse);
                }
                self.promise(targets, policy, TargetKind::Resolution);
            }
            Meaning::Asked(woken) => {
                self.resume_all(targets);
                let owed = targets.iter().any(|target| is_response(target) && target.is_owed());
                if !owed && (*woken || !waited) {
                    self.promise(targets, policy, TargetKind::NextResponse);
                }
            }
            Meaning::Resumed => self.resume_all(targets),
            Meaning::Answered(customers_turn) => {
                for target in targets {
                    if is_response(target) {
                        self.met(target);
                    } else if *customers_turn {
                        self.pause(target);
                    }
                }
            }
            Meaning::Done => {
                for target in targets {
                    self.met(target);
                }
            }
            Meaning::Merged => {
                for target in targets.iter_mut().filter(|target| target.is_owed()) {
                    if target.state != TargetState::Breached {
                        target.state = TargetState::Dropped;
                    }
                }
            }
        }
    }

    /// Promises anew, in place of an earlier promise of this kind.
    fn promise(&self, targets: &mut Vec<Target>, policy: Option<&TargetPolicy>, kind: TargetKind) {
        let made = policy.and_then(|policy| self.made(policy, kind));
        if let Some(made) = made {
            targets.retain(|target| target.kind != kind);
            targets.push(made);
            targets.sort_by_key(|target| target.kind);
        }
    }

    /// None if the policy does not promise it, or only for times that never come.
    fn made(&self, policy: &TargetPolicy, kind: TargetKind) -> Option<Target> {
        let mut target = Target {
            kind,
            due_at: self.at,
            state: TargetState::Running,
            policy: policy.id.clone(),
            version: self.state.config.clone(),
            calendar: policy.calendar.clone(),
            warn_at: None,
            warn_before_ms: policy.warn_before_ms,
            left_ms: None,
            met_at: None,
        };
        self.run(&mut target, policy.time_ms(kind)?).then_some(target)
    }

    /// Lets it run for so long. False if that never ends.
    fn run(&self, target: &mut Target, left_ms: i64) -> bool {
        let Some(due_at) = self.after(target, left_ms) else {
            return false;
        };
        target.due_at = due_at;
        let early = target.warn_before_ms.map(|before| left_ms.saturating_sub(before));
        let early = early.filter(|early| *early > 0);
        target.warn_at = early.and_then(|early| self.after(target, early));
        target.state = TargetState::Running;
        true
    }

    fn after(&self, target: &Target, open_ms: i64) -> Option<Timestamp> {
        match self.state.targets.calendar(target.calendar.as_ref()) {
            Some(calendar) => calendar.open_after(self.at, open_ms),
            None => Some(self.at.plus_millis(open_ms)),
        }
    }

    fn pause(&self, target: &mut Target) {
        if !target.runs() {
            return;
        }
        let left = match self.state.targets.calendar(target.calendar.as_ref()) {
            Some(calendar) => calendar.open_between(self.at, target.due_at),
            None => target.due_at.since(self.at),
        };
        target.left_ms = Some(left.max(0));
        target.state = TargetState::Paused;
    }

    fn resume_all(&self, targets: &mut [Target]) {
        for target in targets {
            self.resume(target);
        }
    }

    /// Goes on with what was left of it. Who was warned is not warned again.
    fn resume(&self, target: &mut Target) {
        if target.state != TargetState::Paused {
            return;
        }
        let left = target.left_ms.take().unwrap_or(0);
        let ran = self.run(target, left);
        if ran && target.warn_at.is_none() && target.warn_before_ms.is_some() {
            target.state = TargetState::Warned;
        }
    }

    fn met(&self, target: &mut Target) {
        if !target.is_owed() {
            return;
        }
        // An answer can be decided after the breach and yet have come before it.
        if target.state != TargetState::Breached || self.at <= target.due_at {
            target.state = TargetState::Met;
        }
        target.left_ms = None;
        target.met_at = Some(self.at);
    }
}

fn is_response(target: &Target) -> bool {
    target.kind != TargetKind::Resolution
}

/// What time makes of the promises of a conversation whose turn it is.
pub(crate) fn come(state: &State, id: ConversationId, now: Timestamp) -> Vec<Event> {
    let come = state.targets.list(id).iter().filter_map(|target| {
        target.next_at().filter(|at| *at <= now)?;
        let (kind, due_at) = (target.kind, target.due_at);
        let body = if due_at <= now {
            EventBody::TargetBreached { kind, due_at }
        } else {
            EventBody::TargetWarned { kind, due_at }
        };
        Some(Event::on(id, body))
    });
    come.collect()
}
