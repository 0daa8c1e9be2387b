//! Notifications of Placetel: a form for each thing that happens to a call.
//!
//! Reference: "Call Control/Notify API" of Placetel.

use postroom_channel::{PushRequest, PushResponse, Refusal};
use postroom_model::Direction;

use crate::desk::{Desk, Held, Sink, short, web_address};
use crate::event::{Agents, CallEvent, Outcome, Stage};
use crate::form::{Form, Writing};

/// Placetel is at home here, and writes numbers as they are dialled here.
const HOME: &str = "DE";

pub(super) fn parse(
    request: &PushRequest<'_>,
    desk: &Desk<'_>,
    sink: Sink<'_>,
) -> Result<Held, Refusal> {
    let form = Form::read(request, &[Writing::Form, Writing::Json])?;
    sink(event(&form, desk)?);
    let body = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#.to_owned();
    let response = PushResponse { status: 200, media_type: "application/xml", body };
    Ok(Held { response: Some(response), whole_bytes: request.body.len(), ..Held::default() })
}

fn event(form: &Form, desk: &Desk<'_>) -> Result<CallEvent, Refusal> {
    let call_id = form.call_id(&["call_id", "callId"])?;
    let word = form.get("event").ok_or_else(|| form.missing(&["event"]))?;
    let (stage, direction) = match word {
        "IncomingCall" => (Stage::Ringing, Some(Direction::In)),
        "OutgoingCall" => (Stage::Ringing, Some(Direction::Out)),
        "CallAccepted" => (Stage::Answered, None),
        "HungUp" => (Stage::Ended, None),
        _ => {
            let known = "must be IncomingCall, OutgoingCall, CallAccepted or HungUp";
            return Err(form.invalid("event", known));
        }
    };
    let direction = direction.or_else(|| match form.get("direction") {
        Some("in") => Some(Direction::In),
        Some("out") => Some(Direction::Out),
        _ => None,
    });
    let number = |name: &str| form.get(name).and_then(|text| desk.dialled_in(text, HOME));
    let cause = form.get("type").filter(|_| stage == Stage::Ended);
    // The telephone that answered, as the user of a SIP address.
    let peer = form.get("peer").map(|peer| peer.split('@').next().unwrap_or(peer));
    let agents: Agents = form.all("user").chain(peer).filter_map(short).collect();
    let to_voicemail = form.all("user").any(|name| name.eq_ignore_ascii_case("voicemail"));
    let outcome = match (stage, cause) {
        (Stage::Answered, _) if to_voicemail => Some(Outcome::Voicemail),
        (Stage::Answered, _) => Some(Outcome::Answered),
        (Stage::Ended, Some(cause)) => outcome(cause),
        (Stage::Ended, None) | (Stage::Ringing, _) => None,
    };
    let to = number("to");
    Ok(CallEvent {
        stage: Some(stage),
        arrived_at: desk.arrived_at,
        direction,
        from: number("from"),
        dialled: to.clone(),
        to,
        duration_s: form.get("duration").and_then(|text| text.parse().ok()),
        outcome,
        cause: cause.and_then(short),
        agents,
        recording_url: form.any(&["recording_url", "recording"]).and_then(web_address),
        call_id,
        ..CallEvent::default()
    })
}

fn outcome(kind: &str) -> Option<Outcome> {
    match kind {
        "accepted" => Some(Outcome::TalkEnded),
        "voicemail" => Some(Outcome::Voicemail),
        "missed" => Some(Outcome::NoAnswer),
        "busy" => Some(Outcome::Busy),
        "canceled" | "cancelled" => Some(Outcome::Cancelled),
        "blocked" | "unavailable" | "congestion" => Some(Outcome::Failed),
        _ => None,
    }
}
