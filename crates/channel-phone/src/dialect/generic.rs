//! The generic dialect: what happened to a call, as a JSON object with the names that Postroom
//! itself shows a call by. Strict: a field that is not known is refused, and all mistakes are told.

use postroom_channel::json::{self, Mistakes, Pointer};
use postroom_channel::{PushRequest, Refusal, limits};
use postroom_model::{Direction, Timestamp};
use serde_json::{Map, Value};
use smol_str::SmolStr;

use crate::desk::{Desk, Held, Sink, short, web_address};
use crate::event::{CallEvent, Outcome, Stage};
use crate::form::{Writing, writing};
use crate::limits::{AGENTS_MAX, ID_CHARS_MAX, POST_CALLS_MAX, TEXT_CHARS_MAX, URL_CHARS_MAX};
use crate::options::nearest;

const FIELDS: [&str; 22] = [
    "id",
    "call_id",
    "linked_id",
    "event",
    "state",
    "at",
    "direction",
    "from",
    "from_name",
    "to",
    "to_name",
    "dialled",
    "started_at",
    "answered_at",
    "ended_at",
    "duration_s",
    "talk_s",
    "disposition",
    "cause",
    "agents",
    "queue",
    "recording_url",
];

/// Reads one event, or a list of them.
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
    match &body {
        Value::Array(items) if items.len() > POST_CALLS_MAX => {
            let detail = format!("more than {POST_CALLS_MAX} calls");
            return Err(Refusal::new(422, "body_too_many_values", detail.clone()).at("", detail));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let pointer = Pointer::root().item(index);
                events.extend(event(item, pointer, desk, &mut mistakes));
            }
        }
        one => events.extend(event(one, Pointer::root(), desk, &mut mistakes)),
    }
    mistakes.into_result()?;
    events.into_iter().for_each(sink);
    Ok(Held { whole_bytes: request.body.len(), ..Held::default() })
}

/// Reads the members of one object and notes what is wrong with each.
struct Object<'a, 'm> {
    members: &'a Map<String, Value>,
    pointer: Pointer,
    mistakes: &'m mut Mistakes,
}

impl<'a> Object<'a, '_> {
    fn wrong(&mut self, code: &'static str, name: &str, detail: impl Into<String>) {
        self.mistakes.add(code, self.pointer.member(name), detail);
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str, chars_max: usize) -> Option<&'a str> {
        let Value::String(text) = self.get(name)? else {
            self.wrong("body_wrong_type", name, "must be text");
            return None;
        };
        if text.contains('\0') {
            self.wrong("body_nul", name, "holds the character U+0000");
            return None;
        }
        if text.chars().count() > chars_max {
            let detail = format!("longer than {chars_max} characters");
            self.wrong("body_field_too_long", name, detail);
            return None;
        }
        Some(text.trim()).filter(|text| !text.is_empty())
    }

    fn short(&mut self, name: &str) -> Option<SmolStr> {
        self.text(name, TEXT_CHARS_MAX).and_then(short)
    }

    fn id(&mut self, name: &str) -> Option<SmolStr> {
        let text = self.text(name, ID_CHARS_MAX)?;
        if text.chars().any(char::is_control) {
            self.wrong("body_field_invalid", name, "holds control characters");
            return None;
        }
        Some(SmolStr::new(text))
    }

    fn one_of<T: Copy>(&mut self, name: &str, known: &[(&str, T)]) -> Option<T> {
        let text = self.text(name, TEXT_CHARS_MAX)?;
        let found = known.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            self.wrong("body_field_invalid", name, format!("must be one of {}", words.join(", ")));
        }
        found
    }

    fn time(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.text(name, TEXT_CHARS_MAX)?;
        let time = text.parse().ok();
        if time.is_none() {
            let detail = "not an RFC 3339 time such as 2026-01-31T09:30:00Z";
            self.wrong("body_field_invalid", name, detail);
        }
        time
    }

    fn seconds(&mut self, name: &str) -> Option<u64> {
        let seconds = self.get(name)?.as_u64();
        if seconds.is_none() {
            self.wrong("body_wrong_type", name, "must be a whole number of seconds");
        }
        seconds
    }

    fn names(&mut self, name: &str) -> Vec<SmolStr> {
        let Some(value) = self.get(name) else {
            return Vec::new();
        };
        let Value::Array(items) = value else {
            self.wrong("body_wrong_type", name, "must be a list of texts");
            return Vec::new();
        };
        if items.len() > AGENTS_MAX {
            self.wrong("body_field_too_long", name, format!("more than {AGENTS_MAX} names"));
            return Vec::new();
        }
        let mut names = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item {
                Value::String(text) => names.extend(short(text)),
                _ => {
                    let pointer = self.pointer.member(name).item(index);
                    self.mistakes.add("body_wrong_type", pointer, "must be text");
                }
            }
        }
        names
    }

    fn url(&mut self, name: &str) -> Option<SmolStr> {
        let text = self.text(name, URL_CHARS_MAX)?;
        let url = web_address(text);
        if url.is_none() {
            self.wrong("body_field_invalid", name, "not an address such as https://example.com/1");
        }
        url
    }

    fn unknown_fields(&mut self) {
        for name in self.members.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            let near = if self.mistakes.is_full() { None } else { nearest(name, FIELDS) };
            let detail = match near {
                Some(near) => format!("no such field here; did you mean `{near}`?"),
                None => "no such field here".to_owned(),
            };
            self.mistakes.add("body_unknown_field", self.pointer.member(name), detail);
        }
    }
}

fn event(
    value: &Value,
    pointer: Pointer,
    desk: &Desk<'_>,
    mistakes: &mut Mistakes,
) -> Option<CallEvent> {
    const STAGES: [(&str, Stage); 3] =
        [("ringing", Stage::Ringing), ("answered", Stage::Answered), ("ended", Stage::Ended)];
    const DIRECTIONS: [(&str, Direction); 3] =
        [("in", Direction::In), ("out", Direction::Out), ("internal", Direction::Internal)];
    const DISPOSITIONS: [(&str, Outcome); 6] = [
        ("answered", Outcome::Answered),
        ("no_answer", Outcome::NoAnswer),
        ("busy", Outcome::Busy),
        ("failed", Outcome::Failed),
        ("cancelled", Outcome::Cancelled),
        ("voicemail", Outcome::Voicemail),
    ];
    let Value::Object(members) = value else {
        mistakes.add("body_wrong_type", pointer, "must be an object");
        return None;
    };
    let mut object = Object { members, pointer, mistakes };
    object.unknown_fields();
    let own_id = object.id("id");
    let call_id = object.id("call_id").or(own_id);
    if call_id.is_none() && object.get("call_id").or(object.get("id")).is_none() {
        object.wrong("body_field_missing", "call_id", "must be given");
    }
    let event_word = object.one_of("event", &STAGES);
    let stage = object.one_of("state", &STAGES).or(event_word);
    let told = ["event", "state", "recording_url"].iter().any(|name| object.get(name).is_some());
    if !told {
        object.wrong("body_field_missing", "state", "must be given");
    }
    let number = |text: Option<SmolStr>| text.and_then(|text| desk.dialled(&text));
    let at = object.time("at");
    let (from, to) = (number(object.short("from")), number(object.short("to")));
    let dialled = number(object.short("dialled")).or_else(|| to.clone());
    // Numbers say it where the sender does not; what the sender says of another event holds before.
    let told = object.one_of("direction", &DIRECTIONS);
    let reached = to.as_deref().or(dialled.as_deref());
    let derived = || desk.setting.places.direction_of(from.as_deref(), reached);
    let direction = told.or_else(derived);
    let event = CallEvent {
        call_id: call_id.clone().unwrap_or_default(),
        linked_id: object.id("linked_id"),
        stage,
        at,
        arrived_at: desk.arrived_at.filter(|_| at.is_none()),
        direction,
        from,
        from_name: object.short("from_name"),
        dialled,
        to,
        to_name: object.short("to_name"),
        started_at: object.time("started_at"),
        answered_at: object.time("answered_at"),
        ended_at: object.time("ended_at"),
        duration_s: object.seconds("duration_s"),
        talk_s: object.seconds("talk_s"),
        outcome: object.one_of("disposition", &DISPOSITIONS),
        cause: object.short("cause"),
        agents: object.names("agents").into(),
        queue: object.short("queue"),
        recording_url: object.url("recording_url"),
        leg: None,
    };
    call_id.map(|_| event)
}
