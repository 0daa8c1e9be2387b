//! Status callbacks of Twilio Voice: a form for each state that a call reaches.
//!
//! Reference: "Making calls with the REST API, StatusCallback" and "TwiML Voice, request parameters"
//! in Twilio's documentation.

use jiff::fmt::rfc2822::DateTimeParser;
use postroom_channel::{PushRequest, PushResponse, Refusal};
use postroom_model::{Direction, Timestamp};
use smol_str::SmolStr;

use crate::desk::{self, Desk, Held, Sink, short, web_address};
use crate::event::{CallEvent, Outcome, Stage};
use crate::form::{Form, Writing};

/// Numbers that stand for a caller who withholds his own: the words on a keypad.
const WITHHELD: [&str; 5] = ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"];

pub(super) fn parse(
    request: &PushRequest<'_>,
    desk: &Desk<'_>,
    sink: Sink<'_>,
) -> Result<Held, Refusal> {
    let form = Form::read(request, &[Writing::Form])?;
    sink(event(&form, desk)?);
    // A callback wants to hear nothing, and a body would be read as instructions.
    let response = PushResponse { status: 204, media_type: "text/xml", body: String::new() };
    Ok(Held { response: Some(response), whole_bytes: request.body.len(), ..Held::default() })
}

fn event(form: &Form, desk: &Desk<'_>) -> Result<CallEvent, Refusal> {
    let call_id = form.call_id(&["CallSid"])?;
    let recording = form.get("RecordingUrl").and_then(web_address);
    let (stage, outcome) = match form.get("CallStatus") {
        Some(status) => {
            let (stage, outcome) = status_of(status)
                .ok_or_else(|| form.invalid("CallStatus", "not a status of a call"))?;
            (Some(stage), outcome)
        }
        None if recording.is_some() => (None, None),
        None => return Err(form.missing(&["CallStatus"])),
    };
    let by_machine = form.get("AnsweredBy").is_some_and(|by| by.starts_with("machine"));
    let outcome = match outcome {
        Some(Outcome::Answered) if by_machine => Some(Outcome::Voicemail),
        other => other,
    };
    let seconds = form.get("CallDuration").and_then(|text| text.parse().ok());
    let talked = outcome.is_some_and(Outcome::is_answered);
    let at = form.get("Timestamp").and_then(|text| timestamp(text, desk));
    let direction = form.get("Direction").map(direction);
    let (from, to) = (form.any(&["From", "Caller"]), form.any(&["To", "Called"]));
    let to = to.and_then(|number| party(number, desk));
    let agents = match direction {
        // The leg to a client of our own is named by that client.
        Some(Direction::Out) => Vec::new(),
        _ => form
            .get("To")
            .and_then(|to| to.strip_prefix("client:"))
            .and_then(short)
            .into_iter()
            .collect(),
    };
    Ok(CallEvent {
        linked_id: desk::id(form.get("ParentCallSid").unwrap_or_default())?,
        stage,
        at,
        arrived_at: desk.arrived_at.filter(|_| at.is_none()),
        direction,
        from: from.and_then(|number| party(number, desk)),
        from_name: form.get("CallerName").and_then(short),
        dialled: form
            .get("ForwardedFrom")
            .and_then(|number| party(number, desk))
            .or_else(|| to.clone()),
        to,
        // Twilio counts from the answer; what was never answered has only its whole length.
        duration_s: seconds.filter(|_| !talked),
        talk_s: seconds.filter(|_| talked),
        outcome,
        cause: form.any(&["SipResponseCode", "ErrorCode"]).and_then(short),
        agents: agents.into(),
        queue: form.get("QueueName").and_then(short),
        recording_url: recording,
        call_id,
        ..CallEvent::default()
    })
}

fn status_of(status: &str) -> Option<(Stage, Option<Outcome>)> {
    Some(match status {
        "queued" | "initiated" | "ringing" => (Stage::Ringing, None),
        "in-progress" | "answered" => (Stage::Answered, Some(Outcome::Answered)),
        "completed" => (Stage::Ended, Some(Outcome::Answered)),
        "busy" => (Stage::Ended, Some(Outcome::Busy)),
        "no-answer" => (Stage::Ended, Some(Outcome::NoAnswer)),
        "canceled" => (Stage::Ended, Some(Outcome::Cancelled)),
        "failed" => (Stage::Ended, Some(Outcome::Failed)),
        _ => return None,
    })
}

fn direction(word: &str) -> Direction {
    if word.starts_with("outbound") || word.starts_with("trunking-originating") {
        Direction::Out
    } else {
        Direction::In
    }
}

fn party(number: &str, desk: &Desk<'_>) -> Option<SmolStr> {
    if WITHHELD.contains(&number) {
        return Some(SmolStr::new_static("anonymous"));
    }
    desk.international(number)
}

/// RFC 2822 as documented; other ways to write a time are taken as well. What is none is not worth
/// losing a call for.
fn timestamp(text: &str, desk: &Desk<'_>) -> Option<Timestamp> {
    let parser = DateTimeParser::new().relaxed_weekday(true);
    let read = parser.parse_timestamp(text.trim()).ok();
    let read = read.map(|at| Timestamp::from_millis(at.as_millisecond()));
    read.or_else(|| desk.clockwork.read(text))
}
