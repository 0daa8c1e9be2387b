//! The calls that decisions depend on: those that go on, and the newest of those that are over, whose
//! further reports may still come. It folds reports; what follows from a call is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    Call, CallId, CallRecorded, CallState, ChannelId, ContactId, ConversationId, Direction,
    Disposition, InboundCall, LegHeard, Legs, Opened, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::join::join;
use super::talked::{Talked, TalkedPart};
use crate::called::{is_taken, thread_of};

/// Calls that are over and remembered. A report that comes later still makes a call of its own.
const OVER_MAX: usize = 10_000;
/// Reports that are kept apart of one call; more are joined.
const REPORTS_MAX: usize = 32;
/// Calls that are over and whose legs are kept apart; of older ones the call that they tell is.
const OVER_WITH_LEGS_MAX: usize = 1_000;

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    #[serde(default)]
    pub call_id: String,
    pub channel: ChannelId,
    pub contact: Option<ContactId>,
    /// Where it stands, once it is over.
    pub conversation: Option<ConversationId>,
    /// Where the calls of its number went before it.
    pub leads_to: Option<ConversationId>,
    /// What it opens if nothing more comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Box<Opened>>,
    /// What a rule said of joining another conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<bool>,
    /// What was told of it, and when.
    pub reports: Vec<(Timestamp, Call)>,
    #[serde(default, skip_serializing_if = "Legs::is_empty")]
    pub legs: Legs,
    /// Its legs are no longer kept apart, so that one more of them says nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub legs_gone: bool,
    pub closes_at: Option<Timestamp>,
    pub presumed_end: bool,
    pub heard_at: Timestamp,
    /// From when on its customer waited for it, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_from: Option<Timestamp>,
    /// What it has in common with the calls that belong to it, such as other legs of a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<CallId>,
    /// Somebody talks, or talked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken: bool,
    /// It is from somebody who would wait if nobody answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inward: bool,
}

impl Known {
    /// The call as everything told of it so far, and what comes now, says.
    pub(crate) fn with(&self, at: Timestamp, inbound: &InboundCall) -> Option<Call> {
        let Some(leg) = &inbound.leg else {
            return self.joined(&inbound.call.call_id, &self.legs, Some((at, &inbound.call)));
        };
        let mut legs = self.legs.clone();
        legs.apply((**leg).clone());
        self.joined(&inbound.call.call_id, &legs, None)
    }

    /// The call as everything told of it so far says.
    pub(crate) fn call(&self) -> Option<Call> {
        self.joined(&self.call_id, &self.legs, None)
    }

    fn joined(&self, call_id: &str, legs: &Legs, more: Option<(Timestamp, &Call)>) -> Option<Call> {
        let told = legs.read(call_id).map(|call| (self.heard_at, left_open(call)));
        let told = told.iter().map(|(at, call)| (*at, call));
        let known = self.reports.iter().map(|(at, call)| (*at, call));
        let mut call = join(known.chain(told).chain(more))?;
        if self.presumed_end && call.state != CallState::Ended {
            call = ended_by_time(call);
        }
        Some(call)
    }

    /// Whether that was told before.
    pub(crate) fn has(&self, inbound: &InboundCall) -> bool {
        match &inbound.leg {
            Some(leg) => self.legs_gone || self.legs.contains(leg),
            None => self.has_report(&inbound.call),
        }
    }

    fn has_report(&self, report: &Call) -> bool {
        self.reports.iter().any(|(_, known)| known == report)
    }

    /// From now on the call stands for its legs.
    fn let_legs_go(&mut self) {
        self.reports.extend(self.call().map(|call| (self.heard_at, call)));
        self.legs = Legs::default();
        self.legs_gone = true;
    }
}

/// The call that a first report, or a first leg, tells of.
pub(crate) fn first(at: Timestamp, inbound: &InboundCall) -> Option<Call> {
    let Some(leg) = &inbound.leg else {
        return join(std::iter::once((at, &inbound.call)));
    };
    let mut legs = Legs::default();
    legs.apply((**leg).clone());
    let told = left_open(legs.read(&inbound.call.call_id)?);
    join(std::iter::once((at, &told)))
}

/// Legs that are gone without a word of how it went say that nobody answered.
fn left_open(mut call: Call) -> Call {
    if call.state == CallState::Ended {
        call.disposition = call.disposition.or(Some(Disposition::NoAnswer));
    }
    call
}

/// A call of which nothing more is expected. When it ended nobody knows.
pub(crate) fn ended_by_time(mut call: Call) -> Call {
    call.state = CallState::Ended;
    call.disposition = call.disposition.or(Some(Disposition::NoAnswer));
    call
}

/// All of them, and the order in which they go.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    known: BTreeMap<CallId, Known>,
    deadlines: BTreeSet<(Timestamp, CallId)>,
    over: BTreeSet<(Timestamp, CallId)>,
    /// Those of them whose legs are kept apart.
    over_with_legs: BTreeSet<(Timestamp, CallId)>,
    talked: Talked,
    /// Calls by what they have in common.
    groups: BTreeSet<(CallId, CallId)>,
}

impl Calls {
    pub(crate) fn get(&self, id: CallId) -> Option<&Known> {
        self.known.get(&id)
    }

    /// The other calls that belong together with this one.
    pub(crate) fn kin(&self, group: CallId, own: CallId) -> impl Iterator<Item = &Known> {
        let (nil, max) = (CallId(uuid::Uuid::nil()), CallId(uuid::Uuid::max()));
        let kin = self.groups.range((group, nil)..=(group, max)).filter(move |(_, id)| *id != own);
        kin.filter_map(|(_, id)| self.known.get(id))
    }

    pub(crate) fn next_deadline(&self) -> Option<(Timestamp, CallId)> {
        self.deadlines.first().copied()
    }

    /// Where those lead whose end did not come by `now`, the earliest first.
    pub(crate) fn late(&self, now: Timestamp) -> impl Iterator<Item = ConversationId> {
        let late = self.deadlines.iter().take_while(move |(at, _)| *at <= now);
        late.filter_map(|(_, id)| self.known.get(id)?.leads_to)
    }

    /// Folds what became known at `at`; the event stands on `conversation`, and the call belongs to
    /// `group`.
    pub(super) fn fold(
        &mut self,
        at: Timestamp,
        conversation: Option<ConversationId>,
        recorded: &CallRecorded,
        group: CallId,
    ) {
        let mut known =
            self.take_or_new(at, recorded.id, &recorded.channel, &recorded.call.call_id);
        known.contact = recorded.contact.or(known.contact);
        known.conversation = conversation.or(known.conversation);
        known.leads_to = recorded.leads_to;
        known.opens.clone_from(&recorded.opens);
        known.attach = recorded.attach;
        known.closes_at = recorded.closes_at;
        known.presumed_end = recorded.presumed_end;
        known.heard_at = known.heard_at.max(at);
        known.group = Some(group);
        known.taken = is_taken(&recorded.call);
        known.inward =
            recorded.call.direction == Direction::In && thread_of(&recorded.call).is_some();
        if recorded.waits {
            known.waits_from = Some(recorded.moment(at));
        }
        if let Some(leg) = &recorded.leg {
            known.legs.apply((**leg).clone());
        } else if recorded.report.is_some() || !recorded.presumed_end {
            let report = recorded.report.as_deref().unwrap_or(&recorded.call);
            if known.reports.len() >= REPORTS_MAX {
                known.reports = vec![(at, recorded.call.clone())];
            } else if !known.has_report(report) {
                known.reports.push((at, report.clone()));
            }
        }
        self.put(recorded.id, known);
        self.forget();
        if let Some(until) = recorded.settled_at(at)
            && let Some(thread) = thread_of(&recorded.call)
        {
            self.talked.note(&recorded.channel, &thread, until);
        }
    }

    /// Until when somebody talked to the number of this thread, in whatever conversation that stands.
    pub(crate) fn talked_until(&self, channel: &ChannelId, thread: &str) -> Option<Timestamp> {
        self.talked.until(channel, thread)
    }

    /// A conversation was opened for a thread: calls with that number that go on lead to it.
    pub(super) fn lead(
        &mut self,
        channel: &ChannelId,
        thread: Option<&str>,
        conversation: ConversationId,
    ) {
        let Some(thread) = thread else {
            return;
        };
        for (_, id) in &self.deadlines {
            let known = self.known.get_mut(id).filter(|known| known.channel == *channel);
            let Some(known) = known else {
                continue;
            };
            if known.opens.as_ref().and_then(|opens| opens.thread.as_deref()) == Some(thread) {
                known.leads_to = Some(conversation);
            }
        }
    }

    /// Folds a leg that says nothing new.
    pub(super) fn hear(&mut self, at: Timestamp, heard: &LegHeard) {
        let mut known = self.take_or_new(at, heard.id, &heard.channel, &heard.call_id);
        known.closes_at = heard.closes_at;
        known.heard_at = known.heard_at.max(at);
        known.legs.apply(heard.leg.clone());
        self.put(heard.id, known);
        self.forget();
    }

    fn forget(&mut self) {
        while self.over_with_legs.len() > OVER_WITH_LEGS_MAX {
            let Some((_, id)) = self.over_with_legs.pop_first() else {
                break;
            };
            if let Some(known) = self.known.get_mut(&id) {
                known.let_legs_go();
            }
        }
        while self.over.len() > OVER_MAX {
            if let Some((_, id)) = self.over.pop_first()
                && let Some(known) = self.known.remove(&id)
            {
                self.leave(id, &known);
            }
        }
    }

    fn take_or_new(
        &mut self,
        at: Timestamp,
        id: CallId,
        channel: &ChannelId,
        call_id: &str,
    ) -> Known {
        self.take(id).unwrap_or_else(|| Known {
            call_id: call_id.to_owned(),
            channel: channel.clone(),
            contact: None,
            conversation: None,
            leads_to: None,
            opens: None,
            attach: None,
            reports: vec![],
            legs: Legs::default(),
            legs_gone: false,
            closes_at: None,
            presumed_end: false,
            heard_at: at,
            waits_from: None,
            group: None,
            taken: false,
            inward: false,
        })
    }

    fn leave(&mut self, id: CallId, known: &Known) {
        if let Some(group) = known.group {
            self.groups.remove(&(group, id));
        }
    }

    fn take(&mut self, id: CallId) -> Option<Known> {
        let known = self.known.remove(&id)?;
        self.leave(id, &known);
        match known.closes_at {
            Some(at) => self.deadlines.remove(&(at, id)),
            None => {
                self.over_with_legs.remove(&(known.heard_at, id));
                self.over.remove(&(known.heard_at, id))
            }
        };
        Some(known)
    }

    fn put(&mut self, id: CallId, known: Known) {
        self.groups.extend(known.group.map(|group| (group, id)));
        match known.closes_at {
            Some(at) => self.deadlines.insert((at, id)),
            None => {
                if !known.legs.is_empty() {
                    self.over_with_legs.insert((known.heard_at, id));
                }
                self.over.insert((known.heard_at, id))
            }
        };
        self.known.insert(id, known);
    }

    pub(super) fn parts(&self) -> Vec<(CallId, Known)> {
        self.known.iter().map(|(id, known)| (*id, known.clone())).collect()
    }

    pub(super) fn talked_parts(&self) -> Vec<TalkedPart> {
        self.talked.parts()
    }

    pub(super) fn of_parts(parts: Vec<(CallId, Known)>, talked: Vec<TalkedPart>) -> Self {
        let mut calls = Self { talked: Talked::of_parts(talked), ..Self::default() };
        for (id, known) in parts {
            calls.put(id, known);
        }
        calls
    }
}
