//! Pushed call events in the words of sipgate.io, which Zammad took over for its generic CTI
//! interface: `newCall`, `answer`, `hangup`. And the answer that each of the two waits for.
//!
//! Reference: "Push API" of sipgate.io, "Generic CTI" of Zammad.

use postroom_channel::{PushRequest, PushResponse, Refusal};
use postroom_model::Direction;
use serde_json::json;

use crate::desk::{self, Desk, Held, Sink, short, web_address};
use crate::event::{Agents, CallEvent, Outcome, Stage};
use crate::form::{Form, Writing};

/// Whose interface it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum House {
    Zammad,
    Sipgate,
}

const CALL_ID: [&str; 3] = ["callId", "call_id", "callid"];

pub(super) fn parse(
    house: House,
    request: &PushRequest<'_>,
    desk: &Desk<'_>,
    sink: Sink<'_>,
) -> Result<Held, Refusal> {
    let form = Form::read(request, &[Writing::Form, Writing::Json])?;
    let found = event(house, &form, desk)?;
    let begins = found.as_ref().is_some_and(|event| event.stage == Some(Stage::Ringing));
    if let Some(event) = found {
        sink(event);
    }
    let response = match house {
        House::Zammad => PushResponse {
            status: 200,
            media_type: "application/json",
            body: json!({}).to_string(),
        },
        House::Sipgate => PushResponse {
            status: 200,
            media_type: "application/xml",
            body: subscription(request.uri, begins),
        },
    };
    Ok(Held { response: Some(response), whole_bytes: request.body.len(), ..Held::default() })
}

/// Nothing for events that are about a call but do not move it on, such as keys that are pressed.
fn event(house: House, form: &Form, desk: &Desk<'_>) -> Result<Option<CallEvent>, Refusal> {
    let call_id = form.call_id(&CALL_ID)?;
    let word = form.get("event").ok_or_else(|| form.missing(&["event"]))?;
    let stage = match word {
        "newCall" => Stage::Ringing,
        "answer" => Stage::Answered,
        "hangup" => Stage::Ended,
        "dtmf" | "hold" | "resume" => return Ok(None),
        _ => return Err(form.invalid("event", "must be newCall, answer or hangup")),
    };
    let direction = match form.get("direction") {
        Some("in") => Some(Direction::In),
        Some("out") => Some(Direction::Out),
        Some("internal") => Some(Direction::Internal),
        Some(_) => return Err(form.invalid("direction", "must be in or out")),
        None => None,
    };
    let number = |name: &str| form.get(name).and_then(|text| desk.international(text));
    let users: Vec<&str> = form.all("user").flat_map(names).collect();
    let mut agents: Agents = users.iter().filter_map(|name| short(name)).collect();
    if agents.is_empty() && stage != Stage::Ringing {
        agents = form.get("answeringNumber").and_then(short).into_iter().collect();
    }
    let cause = form.get("cause");
    let to_voicemail =
        stage == Stage::Answered && users.iter().any(|name| name.eq_ignore_ascii_case("voicemail"));
    let outcome = match stage {
        Stage::Ringing => None,
        Stage::Answered if to_voicemail => Some(Outcome::Voicemail),
        Stage::Answered => Some(Outcome::Answered),
        Stage::Ended => cause.and_then(|cause| outcome(house, cause)),
    };
    let (from, to) = (number("from"), number("to"));
    Ok(Some(CallEvent {
        linked_id: desk::id(form.any(&["origCallId", "originalCallId"]).unwrap_or_default())?,
        stage: Some(stage),
        arrived_at: desk.arrived_at,
        direction,
        dialled: number("diversion").or_else(|| to.clone()),
        from,
        to,
        outcome,
        cause: cause.and_then(short),
        agents,
        queue: form.get("queue").and_then(short),
        recording_url: form.any(&["recordingUrl", "recording_url"]).and_then(web_address),
        call_id,
        ..CallEvent::default()
    }))
}

/// One text may hold several names. A name can have a comma with a space after it.
fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(comma) = rest.get(from..).and_then(|tail| tail.find(',')) {
        let at = from + comma;
        let spaced = rest.get(at + 1..).is_some_and(|tail| tail.starts_with(char::is_whitespace));
        if spaced {
            from = at + 1;
            continue;
        }
        names.push(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        from = 0;
    }
    names.push(rest);
    names.retain(|name| !name.trim().is_empty());
    names
}

/// At sipgate a call that ends normally had been answered, even if the answer was not heard. Other
/// telephone systems that speak to the generic interface end every call so.
fn outcome(house: House, cause: &str) -> Option<Outcome> {
    match cause {
        "normalClearing" if house == House::Sipgate => Some(Outcome::TalkEnded),
        "busy" | "rejected" => Some(Outcome::Busy),
        "cancel" => Some(Outcome::Cancelled),
        "noAnswer" | "forwarded" => Some(Outcome::NoAnswer),
        "congestion" | "notFound" => Some(Outcome::Failed),
        _ => None,
    }
}

/// sipgate tells of the answer and of the end only if the answer to `newCall` asks for it.
fn subscription(uri: &str, begins: bool) -> String {
    const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    let reachable = uri.starts_with("https://") || uri.starts_with("http://");
    if !begins || !reachable {
        return format!("{HEAD}<Response/>");
    }
    let uri = escaped(uri);
    format!(r#"{HEAD}<Response onAnswer="{uri}" onHangup="{uri}"/>"#)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{names, subscription};

    #[test]
    fn names_are_parted_at_commas_that_no_space_follows() {
        for (text, parts) in [
            ("Ada", vec!["Ada"]),
            ("Ada,Lin Yu", vec!["Ada", "Lin Yu"]),
            ("Lovelace, Ada", vec!["Lovelace, Ada"]),
            ("Lovelace, Ada,Lin Yu", vec!["Lovelace, Ada", "Lin Yu"]),
            (",", vec![]),
        ] {
            assert_eq!(names(text), parts, "{text}");
        }
    }

    #[test]
    fn answer_to_a_new_call_asks_for_what_follows() {
        let xml = subscription("https://example.com/e?a=1&b=\"", true);
        assert!(xml.contains(r#"onAnswer="https://example.com/e?a=1&amp;b=&quot;""#), "{xml}");
        assert!(subscription("https://example.com/", false).ends_with("<Response/>"));
        assert!(subscription("/v1/channels/x/events", true).ends_with("<Response/>"));
    }
}
