//! Calls in WhatsApp, as the Cloud API tells of them: one post may hold several, and messages
//! beside them, which are the business of another channel.
//!
//! Reference: "WhatsApp Business Calling API, webhooks" in Meta's documentation.

use std::collections::BTreeMap;

use postroom_channel::json::{self, Mistakes, Pointer};
use postroom_channel::{PushRequest, PushResponse, Refusal, limits};
use postroom_model::{Direction, Timestamp};
use serde_json::Value;
use smol_str::SmolStr;

use crate::desk::{self, Desk, Held, Sink, short};
use crate::event::{CallEvent, Outcome, Stage};
use crate::form::{Writing, writing};
use crate::limits::POST_CALLS_MAX;

pub(super) fn parse(
    request: &PushRequest<'_>,
    desk: &Desk<'_>,
    sink: Sink<'_>,
) -> Result<Held, Refusal> {
    limits::check_body(request.body)?;
    writing(request.headers, request.body, &[Writing::Json])?;
    let body = json::parse(request.body)?;
    let mut mistakes = Mistakes::default();
    let mut events = Vec::new();
    let root = Place { value: &body, pointer: Pointer::root() };
    if root.value.get("entry").and_then(Value::as_array).is_none() {
        mistakes.add("body_field_missing", root.pointer.member("entry"), "must be a list");
    }
    for entry in root.list("entry") {
        for change in entry.list("changes") {
            if let Some(value) = change.member("value") {
                of_change(&value, desk, &mut events, &mut mistakes);
            }
        }
    }
    if events.len() > POST_CALLS_MAX {
        let detail = format!("more than {POST_CALLS_MAX} calls");
        return Err(Refusal::new(422, "body_too_many_values", detail.clone()).at("", detail));
    }
    mistakes.into_result()?;
    events.into_iter().for_each(sink);
    let response = PushResponse { status: 200, media_type: "text/plain", body: String::new() };
    Ok(Held { response: Some(response), whole_bytes: request.body.len(), ..Held::default() })
}

/// A value and where it stands.
struct Place<'a> {
    value: &'a Value,
    pointer: Pointer,
}

impl<'a> Place<'a> {
    fn member(&self, name: &str) -> Option<Place<'a>> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Place { value, pointer: self.pointer.member(name) })
    }

    fn list(&self, name: &str) -> Vec<Place<'a>> {
        let pointer = self.pointer.member(name);
        let items = self.value.get(name).and_then(Value::as_array);
        let items = items.into_iter().flatten().enumerate();
        items.map(|(index, value)| Place { value, pointer: pointer.item(index) }).collect()
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.value.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// Seconds since 1970, as text or as a number.
    fn seconds(&self, name: &str) -> Option<i64> {
        match self.value.get(name)? {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    fn moment(&self, name: &str) -> Option<Timestamp> {
        self.seconds(name).filter(|seconds| *seconds > 0).map(Timestamp::from_seconds)
    }

    fn call_id(&self, mistakes: &mut Mistakes) -> Option<SmolStr> {
        let pointer = self.pointer.member("id");
        match self.text("id").map(desk::id) {
            Some(Ok(Some(id))) => Some(id),
            Some(Err(refusal)) => {
                mistakes.add("body_field_invalid", pointer, refusal.detail);
                None
            }
            Some(Ok(None)) | None => {
                mistakes.add("body_field_missing", pointer, "must be given");
                None
            }
        }
    }
}

fn of_change(
    value: &Place<'_>,
    desk: &Desk<'_>,
    events: &mut Vec<CallEvent>,
    mistakes: &mut Mistakes,
) {
    let names: BTreeMap<&str, &str> = value
        .list("contacts")
        .iter()
        .filter_map(|contact| {
            let name = contact.value.get("profile")?.get("name")?.as_str()?;
            Some((contact.value.get("wa_id")?.as_str()?, name))
        })
        .collect();
    let ours = value.member("metadata");
    let ours = ours.as_ref().and_then(|metadata| metadata.text("display_phone_number"));
    for call in value.list("calls") {
        events.extend(of_call(&call, &names, desk, mistakes));
    }
    let statuses = value.list("statuses").into_iter();
    for status in statuses.filter(|status| status.text("type") == Some("call")) {
        events.extend(of_status(&status, ours, desk, mistakes));
    }
}

fn of_call(
    call: &Place<'_>,
    names: &BTreeMap<&str, &str>,
    desk: &Desk<'_>,
    mistakes: &mut Mistakes,
) -> Option<CallEvent> {
    let call_id = call.call_id(mistakes)?;
    let stage = match call.text("event") {
        Some("connect") => Stage::Ringing,
        Some("accept" | "accepted") => Stage::Answered,
        Some("terminate") => Stage::Ended,
        _ => {
            let pointer = call.pointer.member("event");
            mistakes.add("body_field_invalid", pointer, "must be connect or terminate");
            return None;
        }
    };
    let direction = match call.text("direction") {
        Some("USER_INITIATED") => Some(Direction::In),
        Some("BUSINESS_INITIATED") => Some(Direction::Out),
        _ => None,
    };
    let (from, to) = (call.text("from"), call.text("to"));
    let name = |number: Option<&str>| names.get(number?).copied().and_then(short);
    // The length and the start are there only if somebody picked up.
    let talk_s = call.seconds("duration").and_then(|seconds| u64::try_from(seconds).ok());
    let talk_s = talk_s.filter(|_| stage == Stage::Ended);
    let picked_up = talk_s.is_some_and(|seconds| seconds > 0);
    let status = call.text("status");
    let outcome = match (stage, status) {
        (Stage::Ringing, _) => None,
        (Stage::Answered, _) => Some(Outcome::Answered),
        (Stage::Ended, _) if picked_up => Some(Outcome::Answered),
        (Stage::Ended, Some("FAILED")) => Some(Outcome::Failed),
        (Stage::Ended, Some("REJECTED")) => Some(Outcome::Busy),
        (Stage::Ended, _) => Some(Outcome::NoAnswer),
    };
    let number = |text: Option<&str>| text.and_then(|text| desk.international(text));
    let to_number = number(to);
    let at = call.moment("timestamp");
    Some(CallEvent {
        call_id,
        stage: Some(stage),
        at,
        arrived_at: desk.arrived_at.filter(|_| at.is_none()),
        direction,
        from: number(from),
        from_name: name(from),
        dialled: to_number.clone(),
        to: to_number,
        to_name: name(to),
        // It is the time of the answer; the call began no later.
        started_at: call.moment("start_time").filter(|_| picked_up),
        answered_at: call.moment("start_time").filter(|_| picked_up),
        ended_at: call.moment("end_time").filter(|_| stage == Stage::Ended),
        talk_s,
        outcome,
        cause: status.and_then(short),
        ..CallEvent::default()
    })
}

/// What became of a call that we began.
fn of_status(
    status: &Place<'_>,
    ours: Option<&str>,
    desk: &Desk<'_>,
    mistakes: &mut Mistakes,
) -> Option<CallEvent> {
    let call_id = status.call_id(mistakes)?;
    let word = status.text("status");
    let (stage, outcome) = match word.map(str::to_ascii_uppercase).as_deref() {
        Some("RINGING") => (Stage::Ringing, None),
        Some("ACCEPTED") => (Stage::Answered, Some(Outcome::Answered)),
        Some("REJECTED") => (Stage::Ended, Some(Outcome::Busy)),
        _ => {
            let pointer = status.pointer.member("status");
            mistakes.add("body_field_invalid", pointer, "must be RINGING, ACCEPTED or REJECTED");
            return None;
        }
    };
    let to = status.text("recipient_id").and_then(|number| desk.international(number));
    let at = status.moment("timestamp");
    Some(CallEvent {
        call_id,
        stage: Some(stage),
        at,
        arrived_at: desk.arrived_at.filter(|_| at.is_none()),
        direction: Some(Direction::Out),
        from: ours.and_then(|number| desk.international(number)),
        dialled: to.clone(),
        to,
        outcome,
        cause: word.filter(|_| stage == Stage::Ended).and_then(short),
        ..CallEvent::default()
    })
}
