//! Who waits after a call: calls count in the order in which they happened, whatever is heard of first.
//! Counted again from the events alone.

use std::collections::BTreeMap;

use postroom_model::{
    CallRecorded, CallState, ConversationId, Disposition, Event, EventBody, Opened, Reason,
    Timestamp,
};

use super::{Case, Complaints};

/// What is known of one conversation.
#[derive(Debug, Default)]
struct Standing {
    /// When its customer last wrote, or called and was not answered.
    asked_at: Option<Timestamp>,
    /// Until when it was settled, by a call or by somebody.
    settled_at: Option<Timestamp>,
    /// The call that was last noted, and when it happened.
    call: Option<(bool, Timestamp)>,
    open: bool,
}

pub(super) fn judge(case: &Case<'_>, complaints: &mut Complaints) {
    let mut all: BTreeMap<ConversationId, Standing> = BTreeMap::new();
    for (_, transition, event) in case.events() {
        if let Some(id) = event.conversation {
            all.entry(id).or_default().take(id, transition.at, event, complaints);
        }
    }
}

impl Standing {
    fn take(
        &mut self,
        id: ConversationId,
        at: Timestamp,
        event: &Event,
        complaints: &mut Complaints,
    ) {
        match &event.body {
            EventBody::ConversationOpened(opened)
            | EventBody::ConversationReopened { opened, .. } => {
                self.opened(id, at, opened, complaints);
            }
            EventBody::MessageReceived { mail, .. }
                if self.open && mail.as_ref().is_none_or(|mail| !mail.quiet) =>
            {
                self.asked_at = self.asked_at.max(Some(at));
            }
            EventBody::CallRecorded(recorded) => self.called(id, at, recorded, complaints),
            EventBody::ConversationResolved { reason: Reason::CallAnswered, .. } => {
                let (answered, moment) = self.call.unwrap_or_default();
                let right = !answered || self.asked_at <= Some(moment);
                complaints.unless(right, || {
                    format!("P3: a call of {moment} ends {id}, which waits since later")
                });
                self.open = false;
            }
            EventBody::ConversationResolved { .. } => {
                self.settled_at = self.settled_at.max(Some(at));
                self.open = false;
            }
            EventBody::ConversationMerged { .. } => self.open = false,
            _ => {}
        }
    }

    fn opened(
        &mut self,
        id: ConversationId,
        at: Timestamp,
        opened: &Opened,
        complaints: &mut Complaints,
    ) {
        let since = opened.waiting_since.unwrap_or(at);
        complaints.unless(since <= at, || format!("P3: {id} waits from {since}, after {at}"));
        complaints.unless(opened.settled_at == self.settled_at, || {
            format!("P5: {id} was settled at {:?}", self.settled_at)
        });
        self.asked_at = Some(since);
        self.open = true;
    }

    fn called(
        &mut self,
        id: ConversationId,
        at: Timestamp,
        recorded: &CallRecorded,
        complaints: &mut Complaints,
    ) {
        let moment = recorded.happened_at.unwrap_or(at);
        complaints.unless(moment <= at, || format!("P3: a call of {moment} is known at {at}"));
        if recorded.waits {
            complaints.unless(self.settled_at < Some(moment), || {
                format!("P3: {id} waits for a call of {moment} and was settled since")
            });
            self.asked_at = self.asked_at.max(Some(moment));
        }
        let call = &recorded.call;
        let answered = call.disposition == Some(Disposition::Answered);
        if answered && call.state == CallState::Ended {
            self.settled_at = self.settled_at.max(Some(moment));
        }
        self.call = Some((answered, moment));
    }
}
