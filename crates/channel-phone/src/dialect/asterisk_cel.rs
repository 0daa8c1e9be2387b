//! Channel events of Asterisk (CEL), as CSV, as JSON, and as they stand in blocks of the manager
//! interface.
//!
//! Each says what happened to one leg of a call; a call is all legs with one linked id. Events that
//! a dialplan makes itself are read where the distributions Wazo and XiVO say what they mean.

use std::borrow::Cow;

use postroom_channel::{Refusal, json};
use postroom_model::legs::endpoint;
use postroom_model::{CallLeg, LegNote, LegStep};
use serde_json::{Map, Value};

use crate::desk::{self, Desk, Held, Sink, short};
use crate::dialect::asterisk_cdr::{TIME_SKIPPED, is_voicemail};
use crate::event::CallEvent;
use crate::table::{Piece, Record, TOO_LONG, Table};

/// What a column of the log, a member of an object or a line of a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Type,
    Time,
    Name,
    Number,
    Exten,
    Context,
    Channel,
    Application,
    Data,
    UniqueId,
    LinkedId,
    UserType,
    Extra,
}

const FIELDS: usize = 13;

/// The columns of the mapping that `cel_custom` comes with.
const COLUMNS: [&str; 20] = [
    "eventtype",
    "eventtime",
    "cid_name",
    "cid_num",
    "cid_ani",
    "cid_rdnis",
    "cid_dnid",
    "exten",
    "context",
    "channame",
    "appname",
    "appdata",
    "amaflags",
    "accountcode",
    "uniqueid",
    "linkedid",
    "bridgepeer",
    "userfield",
    "userdeftype",
    "eventextra",
];

/// The field of a name, in any of the ways in which the back ends write it.
pub(super) fn field(name: &str) -> Option<Field> {
    let name: String = name
        .rsplit_once('(')
        .map_or(name, |(_, inner)| inner)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    Some(match name.as_str() {
        "eventtype" | "eventname" | "type" => Field::Type,
        "eventtime" | "time" => Field::Time,
        "cidname" | "calleridname" => Field::Name,
        "cidnum" | "calleridnum" | "calleridnumber" => Field::Number,
        "exten" | "extension" => Field::Exten,
        "context" => Field::Context,
        "channame" | "channel" | "channelname" => Field::Channel,
        "appname" | "application" | "applicationname" => Field::Application,
        "appdata" | "applicationdata" => Field::Data,
        "uniqueid" => Field::UniqueId,
        "linkedid" => Field::LinkedId,
        "userdeftype" | "userdefinedtype" => Field::UserType,
        "extra" | "eventextra" => Field::Extra,
        _ => return None,
    })
}

/// The usual names of columns, to suggest one.
pub(super) fn column_names() -> impl Iterator<Item = &'static str> {
    COLUMNS.into_iter()
}

/// Whether such a log may have a column of this name.
pub(super) fn is_column(name: &str) -> bool {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    field(name).is_some() || COLUMNS.iter().any(|known| plain(known) == plain(name))
}

/// One event, as texts.
#[derive(Debug, Default)]
pub(super) struct Texts<'a>([Cow<'a, str>; FIELDS]);

impl<'a> Texts<'a> {
    pub(super) fn set(&mut self, field: Field, text: Cow<'a, str>) {
        if let Some(place) = self.0.get_mut(field as usize)
            && place.is_empty()
        {
            *place = text;
        }
    }

    pub(super) fn get(&self, field: Field) -> &str {
        self.0.get(field as usize).map_or("", |text| text.trim())
    }
}

/// Reads a log: CSV, one JSON object a line, or a JSON list.
pub(super) fn parse(log: &[u8], desk: &Desk<'_>, sink: Sink<'_>) -> Result<Held, Refusal> {
    match log.trim_ascii_start().first() {
        Some(b'{') => of_lines(log, desk, sink),
        Some(b'[') => of_list(log, desk, sink),
        _ => of_table(log, desk, sink),
    }
}

/// Fields that a line of names has at least.
const NAMES_MIN: usize = 3;

/// The fields that a record names, if it is the line of names.
fn named(record: &Record<'_>) -> Option<Vec<Option<Field>>> {
    let named: Vec<Option<Field>> = record.fields().map(field).collect();
    (named.iter().flatten().count() >= NAMES_MIN).then_some(named)
}

/// Whether a line names the columns.
pub(super) fn names_columns(line: &[u8]) -> bool {
    let Ok(mut table) = Table::new(line, 0) else {
        return false;
    };
    table.first().is_some_and(|record| named(&record).is_some())
}

fn of_table(log: &[u8], desk: &Desk<'_>, sink: Sink<'_>) -> Result<Held, Refusal> {
    let mut held = Held::default();
    let configured = &desk.setting.columns;
    let mut columns: Vec<Option<Field>> = if configured.is_empty() {
        COLUMNS.into_iter().map(field).collect()
    } else {
        configured.iter().map(|name| field(name)).collect()
    };
    let mut table = Table::new(log, columns.len())?;
    let mut first = true;
    while let Some(piece) = table.read()? {
        let record = match piece {
            Piece::Record(record) => record,
            Piece::TooLong(line, raw) => {
                held.unreadable.add(line, TOO_LONG, raw);
                continue;
            }
        };
        if std::mem::take(&mut first)
            && let Some(named) = named(&record)
        {
            columns = named;
            continue;
        }
        let mut texts = Texts::default();
        for (column, text) in columns.iter().zip(record.fields()) {
            if let Some(field) = column {
                texts.set(*field, text.into());
            }
        }
        let at = (record.line(), record.raw);
        take(&texts, at, desk, sink, &mut held)?;
    }
    held.whole_bytes = table.whole_bytes;
    Ok(held)
}

fn of_lines(log: &[u8], desk: &Desk<'_>, sink: Sink<'_>) -> Result<Held, Refusal> {
    let mut held = Held::default();
    if let Ok(Value::Object(members)) = json::parse(log) {
        take(&texts_of(&members), (1, log), desk, sink, &mut held)?;
        held.whole_bytes = log.len();
        return Ok(held);
    }
    for (number, line) in (1..).zip(log.split_inclusive(|byte| *byte == b'\n')) {
        let read = json::parse(line);
        match read {
            _ if line.trim_ascii().is_empty() => {}
            Ok(Value::Object(members)) => {
                take(&texts_of(&members), (number, line), desk, sink, &mut held)?;
            }
            // The last line may still be written.
            Err(_) if !line.ends_with(b"\n") => return Ok(held),
            Ok(_) | Err(_) => held.unreadable.add(number, "not a JSON object", line),
        }
        held.whole_bytes += line.len();
    }
    Ok(held)
}

fn of_list(log: &[u8], desk: &Desk<'_>, sink: Sink<'_>) -> Result<Held, Refusal> {
    let mut held = Held { whole_bytes: log.len(), ..Held::default() };
    if let Value::Array(items) = json::parse(log)? {
        for (number, item) in (1..).zip(&items) {
            let raw = || item.to_string().into_bytes();
            match item {
                Value::Object(members) => {
                    take(&texts_of(members), (number, &raw()), desk, sink, &mut held)?;
                }
                _ => held.unreadable.add(number, "not a JSON object", &raw()),
            }
        }
    }
    Ok(held)
}

fn texts_of(members: &Map<String, Value>) -> Texts<'_> {
    let mut texts = Texts::default();
    for (name, value) in members {
        let text = match value {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            Value::Null => continue,
            other => Cow::Owned(other.to_string()),
        };
        if let Some(field) = field(name) {
            texts.set(field, text);
        }
    }
    texts
}

fn take(
    texts: &Texts<'_>,
    (line, raw): (u64, &[u8]),
    desk: &Desk<'_>,
    sink: Sink<'_>,
    held: &mut Held,
) -> Result<(), Refusal> {
    match event(texts, desk)? {
        Ok(event) => {
            if desk.clockwork.take_skipped() {
                held.unreadable.add(line, TIME_SKIPPED, raw);
            }
            sink(event);
        }
        Err(why) => held.unreadable.add(line, why, raw),
    }
    Ok(())
}

/// One event of a leg, or why it is none.
pub(super) fn event(
    texts: &Texts<'_>,
    desk: &Desk<'_>,
) -> Result<Result<CallEvent, &'static str>, Refusal> {
    let unique_id = desk::id(texts.get(Field::UniqueId))?;
    let linked_id = desk::id(texts.get(Field::LinkedId))?;
    let Some(call_id) = linked_id.or_else(|| unique_id.clone()) else {
        return Ok(Err("neither a linked id nor a unique id"));
    };
    let Some(at) = desk.clockwork.read(texts.get(Field::Time)) else {
        return Ok(Err("the time of the event is not a time"));
    };
    let kind = match texts.get(Field::Type) {
        "USER_DEFINED" => texts.get(Field::UserType),
        kind => kind,
    };
    let step = step(kind);
    let places = &desk.setting.places;
    let number = desk.dialled(texts.get(Field::Number));
    let exten = desk.dialled(texts.get(Field::Exten));
    let side = |number: Option<&str>| number.map(|number| places.side(number)).unwrap_or_default();
    let leg = CallLeg {
        at,
        step,
        leg_id: unique_id.unwrap_or_default().into(),
        channel: short(texts.get(Field::Channel)).unwrap_or_default().into(),
        number_side: side(number.as_deref()),
        number: number.map(String::from),
        name: short(texts.get(Field::Name)).map(String::from),
        exten_side: side(exten.as_deref()),
        exten: exten.map(String::from),
        from_outside: places.comes_from_outside(texts.get(Field::Context)),
        note: note(kind, step, texts, desk),
    };
    Ok(Ok(CallEvent { call_id, leg: Some(Box::new(leg)), ..CallEvent::default() }))
}

fn step(kind: &str) -> LegStep {
    match kind {
        "CHAN_START" => LegStep::Start,
        "APP_START" => LegStep::App,
        "ANSWER" => LegStep::Answer,
        // Until version 11 a bridge was two legs, and one of them told of it.
        "BRIDGE_ENTER" | "BRIDGE_START" => LegStep::BridgeEnter,
        "BRIDGE_EXIT" | "BRIDGE_END" => LegStep::BridgeExit,
        "HANGUP" => LegStep::Hangup,
        "CHAN_END" => LegStep::End,
        "LINKEDID_END" => LegStep::CallEnd,
        _ => LegStep::Other,
    }
}

fn note(kind: &str, step: LegStep, texts: &Texts<'_>, desk: &Desk<'_>) -> Option<LegNote> {
    if step == LegStep::App {
        return of_app(texts.get(Field::Application), texts.get(Field::Data));
    }
    let extra = texts.get(Field::Extra);
    match kind {
        "HANGUP" => of_hangup(extra),
        "BLINDTRANSFER" => Some(LegNote::Transfer),
        "ATTENDEDTRANSFER" => Some(of_handing_over(extra)),
        "XIVO_INCALL" => Some(LegNote::Incoming),
        "XIVO_OUTCALL" => Some(LegNote::Outgoing),
        "XIVO_USER_FWD" => {
            let said = Said::new(extra);
            let number = said.get("NUM").and_then(|number| desk.dialled(number));
            let name = said.get("NAME").and_then(short).map(String::from);
            Some(LegNote::Target { number: number.map(String::from), name })
        }
        "WAZO_CALL_LOG_DESTINATION" => {
            let said = Said::new(extra);
            let name = said.get("name").or_else(|| said.get("label")).and_then(short);
            name.map(|name| LegNote::Target { number: None, name: Some(name.into()) })
        }
        "WAZO_CONFERENCE" => Said::new(extra)
            .get("NAME")
            .and_then(short)
            .map(|name| LegNote::Room { name: name.into() }),
        "WAZO_MEETING_NAME" => {
            short(&Said::new(extra).0).map(|name| LegNote::Room { name: name.into() })
        }
        _ => None,
    }
}

fn of_app(application: &str, data: &str) -> Option<LegNote> {
    if application.eq_ignore_ascii_case("queue") {
        let name = short(data.split([',', '|']).next().unwrap_or_default())?;
        return Some(LegNote::Queue { name: name.into() });
    }
    is_voicemail(application).then_some(LegNote::Voicemail)
}

/// `{"hangupcause":16,"hangupsource":"…","dialstatus":"ANSWER"}`
fn of_hangup(extra: &str) -> Option<LegNote> {
    let Ok(Value::Object(members)) = json::parse(extra.as_bytes()) else {
        return None;
    };
    let cause = match members.get("hangupcause") {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let cause = cause.and_then(|cause| u16::try_from(cause).ok()).unwrap_or_default();
    let dial_status = members.get("dialstatus").and_then(Value::as_str).and_then(short);
    Some(LegNote::Hangup { cause, dial_status: dial_status.unwrap_or_default().into() })
}

/// `{"transfer_target_channel_name":"PJSIP/202-00000005",…}`
fn of_handing_over(extra: &str) -> LegNote {
    let members = json::parse(extra.as_bytes());
    let target = members.as_ref().ok().and_then(|extra| extra.get("transfer_target_channel_name"));
    handed_over(None, target.and_then(Value::as_str).unwrap_or_default())
}

/// To whom: the number where that is told, else the telephone.
pub(super) fn handed_over(number: Option<&str>, channel: &str) -> LegNote {
    let to = number.or_else(|| endpoint(channel)).and_then(short);
    to.map_or(LegNote::Transfer, |to| LegNote::HandedOver { to: to.into() })
}

/// What a dialplan says of an event of its own: `{"extra":"NUM: 201,NAME: Ada"}`.
struct Said(String);

impl Said {
    fn new(extra: &str) -> Self {
        let inner = match json::parse(extra.as_bytes()) {
            Ok(Value::Object(members)) => {
                members.get("extra").and_then(Value::as_str).map(str::to_owned)
            }
            _ => None,
        };
        Self(inner.unwrap_or_else(|| extra.to_owned()))
    }

    fn get(&self, key: &str) -> Option<&str> {
        let mut pairs = self.0.split(',').filter_map(|pair| pair.split_once(':'));
        let found = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(key));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}
