//! Reads `[[answers]]`: what customers are told before anybody has read their message.

use postroom_model::answer::{ANSWER_CHARS_MAX, ANSWER_PLACES};
use postroom_model::{AnswerId, AnswerOn, AnswerSettings, CalendarSettings};
use serde_json::{Map, Value};

use crate::names::suggestion;
use crate::reader::{Reader, Table};
use crate::routes::{Seen, own_id, queue_ref};
use crate::schema::keys_of;
use crate::timing::calendar;
use crate::work::one_of;

const ANSWERS_MAX: usize = 200;

const ON: [(&str, AnswerOn); 3] = [
    ("received", AnswerOn::Received),
    ("closed", AnswerOn::Closed),
    ("waiting", AnswerOn::Waiting),
];

pub(crate) fn answers(
    reader: &mut Reader<'_>,
    root: &Map<String, Value>,
    (calendars, queue_names): (&[CalendarSettings], &[String]),
) -> Vec<AnswerSettings> {
    let mut seen = Seen::default();
    let mut answers = Vec::new();
    let tables = reader.tables(root, "answers");
    if tables.len() > ANSWERS_MAX {
        reader.mistake("answers", format!("more than {ANSWERS_MAX} of them"), None);
    }
    for table in &tables {
        reader.only(table, keys_of("answers"));
        let id = own_id(reader, table, &mut seen, AnswerId::new);
        reader.require(table, "on", "one of `received`, `closed`, `waiting`");
        let on = one_of(reader, table, "on", &ON);
        let mut queues = Vec::new();
        for (path, text) in reader.texts(table, "queues") {
            queues.extend(queue_ref(reader, &path, &text, queue_names));
        }
        if on == Some(AnswerOn::Closed) {
            reader.require(table, "calendar", "the calendar outside of whose hours it is given");
        }
        let named = calendar(reader, table, calendars);
        reader.require(table, "text", "as in text = \"Thank you, we have your message.\"");
        let text = text(reader, table);
        if let (Some(id), Some(on), Some(text)) = (id, on, text) {
            answers.push(AnswerSettings { id, on, queues, calendar: named, text });
        }
    }
    answers
}

/// Not too long, and with nothing in braces that there is not.
fn text(reader: &mut Reader<'_>, table: &Table) -> Option<String> {
    let text = reader.text(table, "text")?;
    let path = table.key("text");
    if text.chars().count() > ANSWER_CHARS_MAX {
        reader.mistake(&path, format!("longer than {ANSWER_CHARS_MAX} characters"), None);
    }
    let places: Vec<String> = ANSWER_PLACES.map(str::to_owned).to_vec();
    for (place, known) in text.split('{').skip(1).filter_map(|rest| {
        let place = rest.split('}').next()?;
        Some((place, ANSWER_PLACES.contains(&place) && rest.len() > place.len()))
    }) {
        if !known {
            let help = suggestion(place, "possible", &places);
            reader.mistake(&path, format!("`{{{place}}}` stands for nothing"), help);
        }
    }
    if text.contains("{opens_at}") && !table.map.contains_key("calendar") {
        let help = "add calendar = \"office\"".to_owned();
        reader.mistake(&path, "`{opens_at}` needs a calendar", Some(help));
    }
    Some(text)
}
