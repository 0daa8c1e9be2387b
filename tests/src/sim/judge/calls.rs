//! Calls: what is known of one only grows, nothing is recorded twice, and it stays where it stands.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{CallId, CallState, ConversationId, Event, EventBody};

use super::{Case, Complaints};

/// What was recorded of one call so far.
#[derive(Debug, Default)]
struct Line {
    stage: u8,
    place: Option<ConversationId>,
    reports: BTreeSet<String>,
}

fn stage(state: CallState) -> u8 {
    match state {
        CallState::Ringing => 0,
        CallState::Answered => 1,
        CallState::Ended => 2,
    }
}

pub(super) fn judge(case: &Case<'_>, complaints: &mut Complaints) {
    let mut lines: BTreeMap<CallId, Line> = BTreeMap::new();
    for (_, _, event) in case.events() {
        match &event.body {
            EventBody::CallRecorded(recorded) => {
                let line = lines.entry(recorded.id).or_default();
                line.take(event, complaints);
                if recorded.presumed_end && recorded.report.is_none() && recorded.leg.is_none() {
                    continue;
                }
                let report = recorded.report.as_deref().unwrap_or(&recorded.call);
                let told = match &recorded.leg {
                    Some(leg) => serde_json::to_string(leg),
                    None => serde_json::to_string(report),
                };
                line.tell(recorded.id, told.unwrap_or_default(), complaints);
            }
            EventBody::CallLeg(heard) => {
                let told = serde_json::to_string(&heard.leg).unwrap_or_default();
                lines.entry(heard.id).or_default().tell(heard.id, told, complaints);
            }
            _ => {}
        }
    }
}

impl Line {
    fn take(&mut self, event: &Event, complaints: &mut Complaints) {
        let EventBody::CallRecorded(recorded) = &event.body else { return };
        let now = stage(recorded.call.state);
        let id = recorded.id;
        complaints.unless(now >= self.stage, || format!("P3: the call {id} goes back"));
        self.stage = self.stage.max(now);
        complaints.unless(self.place.is_none() || event.conversation == self.place, || {
            format!("P3: the call {id} moves from {:?} to {:?}", self.place, event.conversation)
        });
        self.place = self.place.or(event.conversation);
        let missing = recorded.waits && event.conversation.is_none();
        complaints.unless(!missing, || format!("P3: the call {id} waits nowhere"));
    }

    fn tell(&mut self, id: CallId, told: String, complaints: &mut Complaints) {
        complaints.unless(self.reports.insert(told), || {
            format!("P3: the same is recorded twice of the call {id}")
        });
    }
}
