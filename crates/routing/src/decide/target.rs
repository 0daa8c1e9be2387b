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
use crate::state::Open;

/// The promises of conversations to which something happens, as they will be.
#[derive(Debug, Default)]
pub(crate) struct Promises(BTreeMap<ConversationId, Coming>);

/// Of one conversation.
#[derive(Debug)]
struct Coming {
    targets: Vec<Target>,
    /// When the call happened of which this comes.
    called_at: Option<Timestamp>,
}

/// How its customer waits before the event.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    since: Option<Timestamp>,
    asked_at: Timestamp,
}

impl Waiting {
    fn of(open: &Open) -> Self {
        Self { since: open.waiting_since, asked_at: open.asked_at }
    }

    /// They called or wrote after it, and not only after it.
    fn goes_on_after(self, moment: Timestamp) -> bool {
        moment < self.asked_at && self.since.is_some_and(|since| since <= moment)
    }
}

/// What an event means for what is promised.
enum Meaning<'a> {
    Opened(Option<&'a PolicyId>, &'a QueueId),
    /// Opened again; true if the customer did it.
    Reopened(Option<&'a PolicyId>, &'a QueueId, bool),
    /// The customer waits; true if that ended a snooze.
    Asked(bool),
    /// It has to go on.
    Resumed,
    /// We answered in writing: the customer has the next word now.
    Answered,
    /// We talked to them.
    Talked,
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
            EventBody::ReplyQueued { .. } => Self::Answered,
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
    is_answered(&recorded.call).then_some(Meaning::Talked)
}

/// When it happened, where that is told: a call that is heard of late was promised from when it was.
fn moment_of(body: &EventBody) -> Option<Timestamp> {
    match body {
        EventBody::ConversationOpened(opened) | EventBody::ConversationReopened { opened, .. } => {
            opened.waiting_since
        }
        EventBody::CallRecorded(recorded) => recorded.happened_at,
        _ => None,
    }
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
        let open = state.conversations.get(&id);
        let queue = open.and_then(|open| state.queues.get(open.queue)).map(|queue| &queue.id);
        let policy = match meaning {
            Meaning::Opened(named, queue) | Meaning::Reopened(named, queue, _) => {
                state.targets.policy(named, queue)
            }
            _ => queue.and_then(|queue| state.targets.policy_of(id, queue)),
        };
        let waiting = open.map(Waiting::of).unwrap_or_default();
        let held = || Coming { targets: state.targets.list(id).to_vec(), called_at: None };
        let coming = self.0.entry(id).or_insert_with(held);
        let moment = moment_of(&event.body).unwrap_or(at);
        let moment = match &event.body {
            EventBody::CallRecorded(_) => *coming.called_at.insert(moment),
            // It was done when they had talked.
            EventBody::ConversationResolved { reason: Reason::CallAnswered, .. } => {
                coming.called_at.unwrap_or(moment)
            }
            _ => moment,
        };
        Desk { state, at: moment }.take(&mut coming.targets, &meaning, policy, waiting);
    }

    /// What is promised now, where that is something else than before.
    pub(crate) fn changes(self, state: &State) -> Vec<Event> {
        let coming = self.0.into_iter().map(|(id, coming)| (id, coming.targets));
        let changed = coming.filter(|(id, targets)| {
            // One that is done is no longer held; its promises ended with it.
            let held = state.conversations.contains_key(id);
            let same = state.targets.list(*id) == targets.as_slice();
            if held { !same } else { !targets.is_empty() }
        });
        changed.map(|(id, targets)| Event::on(id, EventBody::TargetsChanged { targets })).collect()
    }
}

#[derive(Clone, Copy)]
struct Desk<'a> {
    state: &'a State,
    /// When it happened.
    at: Timestamp,
}

impl Desk<'_> {
    fn take(
        &self,
        targets: &mut Vec<Target>,
        meaning: &Meaning<'_>,
        policy: Option<&TargetPolicy>,
        waiting: Waiting,
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
                let owed = targets.iter().find(|target| is_response(target) && target.is_owed());
                let owed = owed.map(|target| (target.kind, target.runs()));
                let sooner = waiting.since.is_some_and(|since| self.at < since);
                match owed {
                    None if *woken || waiting.since.is_none() => {
                        self.promise(targets, policy, TargetKind::NextResponse);
                    }
                    // They had called before, which is heard of only now.
                    Some((kind, true)) if sooner => self.promise(targets, policy, kind),
                    _ => {}
                }
            }
            Meaning::Resumed => self.resume_all(targets),
            Meaning::Answered => {
                for target in targets {
                    if is_response(target) {
                        self.met(target);
                    } else {
                        self.pause(target);
                    }
                }
            }
            Meaning::Talked => {
                let goes_on = waiting.goes_on_after(self.at);
                if self.at < waiting.asked_at && !goes_on {
                    return;
                }
                for target in targets.iter_mut().filter(|target| is_response(target)) {
                    self.met(target);
                }
                if goes_on {
                    let asked = Self { at: waiting.asked_at, ..*self };
                    asked.promise(targets, policy, TargetKind::NextResponse);
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
