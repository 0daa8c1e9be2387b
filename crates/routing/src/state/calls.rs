//! The calls that decisions depend on: those that go on, and the newest of those that are over, whose
//! further reports may still come. It folds reports; what follows from a call is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    Call, CallId, CallRecorded, CallState, ChannelId, ContactId, ConversationId, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::join::join;

/// Calls that are over and remembered. A report that comes later still makes a call of its own.
const OVER_MAX: usize = 10_000;
/// Reports that are kept apart of one call; more are joined.
const REPORTS_MAX: usize = 32;

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub channel: ChannelId,
    pub contact: Option<ContactId>,
    /// Where it stands, once it is over.
    pub conversation: Option<ConversationId>,
    /// Where the calls of its number went before it.
    pub leads_to: Option<ConversationId>,
    /// What was told of it, and when.
    pub reports: Vec<(Timestamp, Call)>,
    pub closes_at: Option<Timestamp>,
    pub presumed_end: bool,
    pub heard_at: Timestamp,
}

impl Known {
    /// The call as everything told of it so far, and `more`, says.
    pub(crate) fn call(&self, more: Option<(Timestamp, &Call)>) -> Option<Call> {
        let known = self.reports.iter().map(|(at, call)| (*at, call));
        let mut call = join(known.chain(more))?;
        if self.presumed_end && call.state != CallState::Ended {
            call = ended_by_time(call);
        }
        Some(call)
    }

    pub(crate) fn has(&self, report: &Call) -> bool {
        self.reports.iter().any(|(_, known)| known == report)
    }
}

/// A call of which nothing more is expected. When it ended nobody knows.
pub(crate) fn ended_by_time(mut call: Call) -> Call {
    call.state = CallState::Ended;
    call.disposition = call.disposition.or(Some(postroom_model::Disposition::NoAnswer));
    call
}

/// All of them, and the order in which they go.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    known: BTreeMap<CallId, Known>,
    deadlines: BTreeSet<(Timestamp, CallId)>,
    over: BTreeSet<(Timestamp, CallId)>,
}

impl Calls {
    pub(crate) fn get(&self, id: CallId) -> Option<&Known> {
        self.known.get(&id)
    }

    pub(crate) fn next_deadline(&self) -> Option<(Timestamp, CallId)> {
        self.deadlines.first().copied()
    }

    /// Folds what became known at `at`; the event stands on `conversation`.
    pub(super) fn fold(
        &mut self,
        at: Timestamp,
        conversation: Option<ConversationId>,
        recorded: &CallRecorded,
    ) {
        let mut known = self.take(recorded.id).unwrap_or_else(|| Known {
            channel: recorded.channel.clone(),
            contact: None,
            conversation: None,
            leads_to: None,
            reports: vec![],
            closes_at: None,
            presumed_end: false,
            heard_at: at,
        });
        known.contact = recorded.contact.or(known.contact);
        known.conversation = conversation.or(known.conversation);
        known.leads_to = recorded.leads_to;
        known.closes_at = recorded.closes_at;
        known.presumed_end = recorded.presumed_end;
        known.heard_at = known.heard_at.max(at);
        if recorded.report.is_some() || !recorded.presumed_end {
            let report = recorded.report.as_deref().unwrap_or(&recorded.call);
            if known.reports.len() >= REPORTS_MAX {
                known.reports = vec![(at, recorded.call.clone())];
            } else if !known.has(report) {
                known.reports.push((at, report.clone()));
            }
        }
        self.put(recorded.id, known);
        while self.over.len() > OVER_MAX {
            if let Some((_, id)) = self.over.pop_first() {
                self.known.remove(&id);
            }
        }
    }

    fn take(&mut self, id: CallId) -> Option<Known> {
        let known = self.known.remove(&id)?;
        match known.closes_at {
            Some(at) => self.deadlines.remove(&(at, id)),
            None => self.over.remove(&(known.heard_at, id)),
        };
        Some(known)
    }

    fn put(&mut self, id: CallId, known: Known) {
        match known.closes_at {
            Some(at) => self.deadlines.insert((at, id)),
            None => self.over.insert((known.heard_at, id)),
        };
        self.known.insert(id, known);
    }

    pub(super) fn parts(&self) -> Vec<(CallId, Known)> {
        self.known.iter().map(|(id, known)| (*id, known.clone())).collect()
    }

    pub(super) fn of_parts(parts: Vec<(CallId, Known)>) -> Self {
        let mut calls = Self::default();
        for (id, known) in parts {
            calls.put(id, known);
        }
        calls
    }
}
