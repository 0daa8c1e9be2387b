//! Call detail records of FreeSWITCH, as `mod_json_cdr` writes and posts them: one JSON object a
//! leg, bare or as the form field `cdr`, its values percent-encoded or not.

use std::borrow::Cow;

use percent::decoded;
use postroom_channel::json::{self, Mistakes, Pointer};
use postroom_channel::{PushRequest, Refusal};
use postroom_model::legs::endpoint;
use postroom_model::{Direction, Timestamp};
use serde_json::{Map, Value};
use smol_str::SmolStr;

use crate::desk::{self, Desk, Held, Sink, short, web_address};
use crate::event::{CallEvent, Outcome, Stage};
use crate::form::{Form, Writing, writing};

/// Reads one record, or a list of them.
pub(super) fn parse(
    request: &PushRequest<'_>,
    desk: &Desk<'_>,
    sink: Sink<'_>,
) -> Result<Held, Refusal> {
    let both = [Writing::Form, Writing::Json];
    let body = match writing(request.headers, request.body, &both)? {
        Writing::Json => tree(request.body)?,
        Writing::Form => {
            let form = Form::read(request, &both)?;
            tree(form.get("cdr").ok_or_else(|| form.missing(&["cdr"]))?.as_bytes())?
        }
    };
    let records = match &body {
        Value::Array(records) => records.as_slice(),
        one => std::slice::from_ref(one),
    };
    for record in records {
        sink(event(record, desk)?);
    }
    Ok(Held { whole_bytes: request.body.len(), ..Held::default() })
}

/// Older versions name every caller of a transferred call `callflow`, in one object; the last of them
/// is the one with which the call came.
fn tree(body: &[u8]) -> Result<Value, Refusal> {
    let strict = json::parse(body);
    match &strict {
        Err(refusal) if refusal.code == "body_field_doubled" => {
            serde_json::from_slice(body).or(strict)
        }
        _ => strict,
    }
}

/// The variables of the channel, and the callers that it had, the first one last.
struct Record<'a> {
    variables: &'a Map<String, Value>,
    profiles: Vec<&'a Map<String, Value>>,
    encoded: bool,
}

impl<'a> Record<'a> {
    fn new(record: &'a Value) -> Result<Self, Refusal> {
        let Some(variables) = record.get("variables").and_then(Value::as_object) else {
            let mut mistakes = Mistakes::default();
            let pointer = Pointer::root().member("variables");
            mistakes.add("body_field_missing", pointer, "must be an object");
            return Err(mistakes.into_result().err().unwrap_or_else(|| {
                Refusal::new(422, "body_field_missing", "variables: must be an object")
            }));
        };
        let flow = record.get("callflow");
        let profiles = match flow {
            Some(Value::Array(items)) => items.iter().filter_map(profile).collect(),
            Some(one) => profile(one).into_iter().collect(),
            None => Vec::new(),
        };
        // Either all variables are encoded or none is; these always have something to encode.
        let telling = ["_stamp", "_uri", "channel_name"];
        let encoded = variables.iter().any(|(name, value)| {
            telling.iter().any(|end| name.ends_with(end))
                && value.as_str().is_some_and(|text| text.contains('%'))
        });
        Ok(Self { variables, profiles, encoded })
    }

    fn variable(&self, name: &str) -> Option<Cow<'a, str>> {
        let text = match self.variables.get(name)? {
            Value::String(text) if self.encoded => decoded(text),
            Value::String(text) => Cow::Borrowed(text.as_str()),
            Value::Number(number) => Cow::Owned(number.to_string()),
            _ => return None,
        };
        Some(text).filter(|text| !text.trim().is_empty())
    }

    fn first_of(&self, names: &[&str]) -> Option<Cow<'a, str>> {
        names.iter().find_map(|name| self.variable(name))
    }

    /// What the first profile says, the one with which the call came.
    fn first(&self, name: &str) -> Option<Cow<'a, str>> {
        self.profiles.iter().rev().find_map(|profile| of_profile(profile, name))
    }

    /// What the last profile says, where the call went in the end.
    fn last(&self, name: &str) -> Option<Cow<'a, str>> {
        self.profiles.iter().find_map(|profile| of_profile(profile, name))
    }

    /// A moment, as microseconds or seconds since 1970 or as local time.
    fn moment(&self, name: &str, desk: &Desk<'_>) -> Option<Timestamp> {
        let number = |unit: &str| -> Option<i64> {
            let text = self.variable(&format!("{name}_{unit}"))?;
            text.trim().parse().ok().filter(|count| *count > 0)
        };
        if let Some(micros) = number("uepoch") {
            return Some(Timestamp::from_millis(micros / 1_000));
        }
        if let Some(seconds) = number("epoch") {
            return Some(Timestamp::from_seconds(seconds));
        }
        desk.clockwork.read(&self.variable(&format!("{name}_stamp"))?)
    }

    fn seconds(&self, name: &str) -> Option<u64> {
        self.variable(name)?.trim().parse().ok()
    }
}

fn profile(flow: &Value) -> Option<&Map<String, Value>> {
    flow.get("caller_profile")?.as_object()
}

fn of_profile<'a>(profile: &'a Map<String, Value>, name: &str) -> Option<Cow<'a, str>> {
    let text = profile.get(name)?.as_str()?;
    Some(decoded_if_needed(text)).filter(|text| !text.trim().is_empty())
}

/// Profiles are encoded or not whatever the variables are.
fn decoded_if_needed(text: &str) -> Cow<'_, str> {
    if text.contains(' ') { Cow::Borrowed(text) } else { decoded(text) }
}

fn event(record: &Value, desk: &Desk<'_>) -> Result<CallEvent, Refusal> {
    let record = Record::new(record)?;
    let call_id = record.first_of(&["uuid", "call_uuid"]).or_else(|| record.first("uuid"));
    let Some(call_id) = desk::id(call_id.as_deref().unwrap_or_default())? else {
        let detail = "must be given";
        let refusal = Refusal::new(422, "body_field_missing", format!("variables/uuid: {detail}"));
        return Err(refusal.at("/variables/uuid", detail));
    };
    let number = |text: Option<Cow<'_, str>>| text.and_then(|text| desk.dialled(&text));
    let from = number(record.first("caller_id_number").or_else(|| {
        record.first_of(&["caller_id_number", "sip_from_user", "effective_caller_id_number"])
    }));
    let name = record.first("caller_id_name").or_else(|| {
        record.first_of(&["caller_id_name", "sip_from_display", "effective_caller_id_name"])
    });
    let reached = ["destination_number", "dialed_user", "sip_to_user", "sip_req_user"];
    let to = number(record.last("destination_number").or_else(|| record.first_of(&reached)));
    let dialled = number(record.first("destination_number")).or_else(|| to.clone());
    let started_at = record.moment("start", desk);
    let answered_at = record.moment("answer", desk);
    let cause = record.first_of(&["hangup_cause", "bridge_hangup_cause"]);
    let direction = direction(&record, desk, from.as_deref(), dialled.as_deref());
    let is_voicemail = record.variable("last_app").is_some_and(|app| app == "voicemail");
    let nobody = direction == Direction::In && !is_voicemail && reached_nobody(&record);
    let outcome = match (answered_at, is_voicemail) {
        (Some(_), true) => Some(Outcome::Voicemail),
        (Some(_), false) if nobody => Some(Outcome::NoAnswer),
        (Some(_), false) => Some(Outcome::Answered),
        (None, _) => cause.as_deref().map(outcome),
    };
    Ok(CallEvent {
        linked_id: record.variable("call_uuid").as_deref().and_then(short),
        stage: Some(Stage::Ended),
        direction: Some(direction),
        from_name: name.as_deref().and_then(short).filter(|name| Some(name) != from.as_ref()),
        dialled,
        started_at,
        answered_at: answered_at.filter(|_| !nobody),
        ended_at: record.moment("end", desk),
        duration_s: record.seconds("duration"),
        talk_s: record.seconds("billsec").filter(|_| !nobody),
        outcome,
        cause: cause.as_deref().and_then(short),
        agents: agent(&record, direction, from.as_deref()).into_iter().collect(),
        queue: record.first_of(&["cc_queue", "fifo_name"]).as_deref().and_then(short),
        recording_url: record
            .first_of(&["recording_url", "record_url"])
            .as_deref()
            .and_then(web_address),
        from,
        to,
        call_id,
        ..CallEvent::default()
    })
}

/// What the dialplan of FusionPBX says, else the context in which the call came in and the numbers.
fn direction(
    record: &Record<'_>,
    desk: &Desk<'_>,
    from: Option<&str>,
    dialled: Option<&str>,
) -> Direction {
    match record.variable("call_direction").as_deref() {
        Some("inbound") => return Direction::In,
        Some("outbound") => return Direction::Out,
        Some("local") => return Direction::Internal,
        _ => {}
    }
    let context = record.first("context").unwrap_or_default();
    desk.setting.places.direction(&context, from, dialled)
}

/// What joins two legs leaves one of these with each.
const BRIDGED: [&str; 5] =
    ["bridge_uuid", "bridge_channel", "last_bridge_to", "signal_bond", "fifo_bridge_uuid"];

/// What a dialplan answers a call with while nobody is there.
const UNATTENDED: [&str; 13] = [
    "answer",
    "callcenter",
    "endless_playback",
    "fifo",
    "hangup",
    "ivr",
    "loop_playback",
    "phrase",
    "play_and_get_digits",
    "playback",
    "read",
    "say",
    "sleep",
];

/// Whether a call that was answered was joined with nobody: its caller gave up in a queue or a menu,
/// or heard an announcement.
fn reached_nobody(record: &Record<'_>) -> bool {
    if record.first_of(&BRIDGED).is_some() {
        return false;
    }
    let is = |name, word: &str| {
        record.variable(name).is_some_and(|text| text.trim().eq_ignore_ascii_case(word))
    };
    if is("cc_side", "member") {
        return is("cc_cause", "cancel") || record.variable("cc_agent").is_none();
    }
    UNATTENDED.iter().any(|app| is("last_app", app))
}

/// The agent of a call centre, else the telephone of our side.
fn agent(record: &Record<'_>, direction: Direction, from: Option<&str>) -> Option<SmolStr> {
    if let Some(agent) = record.variable("cc_agent") {
        return short(&agent);
    }
    match direction {
        Direction::Out => from.map(SmolStr::new),
        Direction::In | Direction::Internal => {
            let user = record.variable("dialed_user").as_deref().and_then(short);
            let bridge = record.variable("bridge_channel");
            user.or_else(|| bridge.as_deref().and_then(telephone).and_then(short))
        }
    }
}

/// `201` of `sofia/internal/201@192.0.2.7:5060`.
fn telephone(channel: &str) -> Option<&str> {
    let (_, user) = channel.rsplit_once('/')?;
    endpoint(channel)?;
    user.split(['@', ':']).next().filter(|user| !user.is_empty())
}

/// How a call went that was not answered, by the cause of its end.
fn outcome(cause: &str) -> Outcome {
    match cause {
        "USER_BUSY" | "CALL_REJECTED" => Outcome::Busy,
        "NO_ANSWER" | "NO_USER_RESPONSE" | "ALLOTTED_TIMEOUT" | "PROGRESS_TIMEOUT"
        | "NORMAL_CLEARING" | "NORMAL_UNSPECIFIED" | "NONE" | "SUCCESS" => Outcome::NoAnswer,
        "ORIGINATOR_CANCEL" | "LOSE_RACE" | "PICKED_OFF" => Outcome::Cancelled,
        _ => Outcome::Failed,
    }
}

/// Percent-encoding without `+`, as the switch does it.
mod percent {
    use std::borrow::Cow;

    pub(super) fn decoded(text: &str) -> Cow<'_, str> {
        if !text.contains('%') {
            return Cow::Borrowed(text);
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((byte, after)) = rest.split_first() {
            let pair = after.split_first_chunk::<2>().filter(|_| *byte == b'%');
            match pair.and_then(|([high, low], after)| Some((hex(*high)? * 16 + hex(*low)?, after)))
            {
                Some((decoded, after)) => {
                    bytes.push(decoded);
                    rest = after;
                }
                None => {
                    bytes.push(*byte);
                    rest = after;
                }
            }
        }
        Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn hex(digit: u8) -> Option<u8> {
        char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
    }
}
