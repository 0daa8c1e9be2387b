//! What a channel would make of a log or of requests, for `postroom inspect`. Touches nothing.

use postroom_channel::{Inspection, InspectionOutcome, OptionError, PushRequest};
use postroom_model::Timestamp;

use crate::Dialect;
use crate::desk::{Desk, Held, Setting};
use crate::fold::Calls;
use crate::verify::{self, Secret};

/// Reads one body after the other: together they are one sequence of events.
#[derive(Debug)]
pub struct Inspector {
    dialect: Dialect,
    setting: Setting,
    secret: Option<Secret>,
    now: Timestamp,
    calls: Calls,
    whole: Option<Inspection>,
    after: Vec<Option<postroom_model::Call>>,
}

impl Inspector {
    /// With a secret, signatures are checked as of `now`, which is also when what has no time of its
    /// own is taken to have happened. The error is about the secret.
    pub fn new(
        dialect: Dialect,
        setting: Setting,
        secret: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, OptionError> {
        let secret = secret.map(|text| Secret::parse(dialect, text)).transpose()?;
        let calls = Calls::default();
        Ok(Self { dialect, setting, secret, now, calls, whole: None, after: Vec::new() })
    }

    /// Takes the next body.
    pub fn take(&mut self, request: &PushRequest<'_>) {
        let (one, last) = self.read(request);
        let places = &self.setting.places;
        self.after.push(last.and_then(|index| self.calls.call(index, places)));
        self.whole = Some(match self.whole.take() {
            // What went wrong first is what is told.
            Some(before) if before.problem.is_some() => before,
            Some(before) if one.outcome == InspectionOutcome::Nothing => before,
            _ => one,
        });
    }

    /// The state of each call after all of it; none if nothing was taken.
    pub fn finish(self) -> Option<Inspection> {
        let mut whole = self.whole?;
        whole.calls = self.calls.all(&self.setting.places);
        if self.after.len() > 1 {
            whole.after = self.after;
        }
        Some(whole)
    }

    /// What one body comes to, and the call that its last event is about.
    fn read(&mut self, request: &PushRequest<'_>) -> (Inspection, Option<usize>) {
        let secrets: Vec<Secret> = self.secret.iter().cloned().collect();
        if let Some(answer) = verify::challenge(self.dialect, &secrets, request) {
            return (Inspection::of_challenge(answer), None);
        }
        if !secrets.is_empty()
            && let Err(refusal) = verify::verify(self.dialect, &secrets, request, self.now)
        {
            return (Inspection::of_refusal(refusal), None);
        }
        let Self { dialect, setting, now, calls, .. } = self;
        let desk = Desk::new(setting, Some(*now));
        let mut last = None;
        let read = dialect.parse(request, &desk, &mut |event| last = Some(calls.apply(event)));
        let inspection = match read {
            Ok(held) => of_held(held, last.is_some()),
            Err(refusal) if dialect.is_log() => Inspection::parked(refusal.code, refusal.detail),
            Err(refusal) => Inspection::of_refusal(refusal),
        };
        (inspection, last)
    }
}

/// Records that cannot be read are set aside; as long as there are others, these are taken.
fn of_held(held: Held, any: bool) -> Inspection {
    let received = postroom_channel::Received { response: held.response, ..Default::default() };
    let mut inspection = Inspection::of_received(received);
    let unreadable = (held.unreadable.count > 0)
        .then(|| Inspection::parked("log_records_unreadable", held.unreadable.detail()));
    if any {
        inspection.outcome = InspectionOutcome::Accepted;
        inspection.problem = unreadable.and_then(|parked| parked.problem);
        return inspection;
    }
    unreadable.unwrap_or(inspection)
}
