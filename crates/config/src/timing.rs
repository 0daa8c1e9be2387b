//! Reads what time brings to conversations: `[[targets]]`, and what queues and rules say of them.

use postroom_model::{
    CalendarId, CalendarSettings, ChannelId, PolicyId, QueueId, QueueTiming, ReopenRule,
    TargetPolicy, Timing,
};
use serde_json::{Map, Value};

use crate::durations::duration;
use crate::ladders::{Known, ladder, no_circles};
use crate::names::suggestion;
use crate::reader::{Reader, Table};
use crate::routes::{Seen, own_id};
use crate::schema::keys_of;

const POLICIES_MAX: usize = 200;

/// What can be promised, and every id that was written for it, well formed or not.
#[derive(Default)]
pub(crate) struct Policies {
    all: Vec<TargetPolicy>,
    names: Vec<String>,
}

pub(crate) fn policies(
    reader: &mut Reader<'_>,
    root: &Map<String, Value>,
    calendars: &[CalendarSettings],
) -> Policies {
    let mut seen = Seen::default();
    let mut all = Vec::new();
    let tables = reader.tables(root, "targets");
    if tables.len() > POLICIES_MAX {
        reader.mistake("targets", format!("more than {POLICIES_MAX} of them"), None);
    }
    for table in &tables {
        reader.only(table, keys_of("targets"));
        let id = own_id(reader, table, &mut seen, PolicyId::new);
        let first_response_ms = time(reader, table, "first_response");
        let next_response_ms = time(reader, table, "next_response");
        let resolution_ms = time(reader, table, "resolution");
        let warn_before_ms = time(reader, table, "warn_before");
        let promised = ["first_response", "next_response", "resolution"];
        if !promised.iter().any(|key| table.map.contains_key(*key)) {
            let help = "add a line such as first_response = \"1h\"".to_owned();
            reader.mistake(&table.path, "these targets promise nothing", Some(help));
        }
        let calendar = calendar(reader, table, calendars);
        all.extend(id.map(|id| TargetPolicy {
            id,
            first_response_ms,
            next_response_ms,
            resolution_ms,
            warn_before_ms,
            calendar,
        }));
    }
    Policies { all, names: seen.into_names() }
}

/// A length of time that is not nothing.
fn time(reader: &mut Reader<'_>, table: &Table, key: &str) -> Option<i64> {
    let text = reader.text(table, key)?;
    let path = table.key(key);
    let millis = reader.checked(&path, duration(&text))?;
    if millis == 0 {
        reader.mistake(&path, "must be longer than nothing", None);
        return None;
    }
    Some(millis)
}

/// The calendar that is named, if it exists and opens at all.
pub(crate) fn calendar(
    reader: &mut Reader<'_>,
    table: &Table,
    calendars: &[CalendarSettings],
) -> Option<CalendarId> {
    let text = reader.text(table, "calendar")?;
    let path = table.key("calendar");
    let Some(found) = calendars.iter().find(|calendar| calendar.id.as_str() == text) else {
        let names: Vec<String> = calendars.iter().map(|one| one.id.to_string()).collect();
        let help = suggestion(&text, "calendars", &names);
        reader.mistake(&path, "there is no calendar with this id", help);
        return None;
    };
    let opens = found.week.iter().any(|hours| !hours.is_empty());
    if !opens {
        let help = "give it hours of the week, or count every hour: leave the calendar out";
        reader.mistake(&path, "this calendar has no hours", Some(help.to_owned()));
    }
    Some(found.id.clone())
}

/// The targets that a queue or a rule names.
pub(crate) fn targets_ref(
    reader: &mut Reader<'_>,
    table: &Table,
    policies: &Policies,
) -> Option<PolicyId> {
    let text = reader.text(table, "targets")?;
    if policies.names.contains(&text) {
        // One with a malformed id was reported where it is defined.
        return PolicyId::new(&text).ok();
    }
    let help = suggestion(&text, "targets", &policies.names)
        .or_else(|| Some("define them with [[targets]]".to_owned()));
    reader.mistake(&table.key("targets"), "there are no targets with this id", help);
    None
}

/// Whether a message on what is done opens it again, and with whom.
fn reopen_rule(reader: &mut Reader<'_>, table: &Table) -> ReopenRule {
    let text = reader.text(table, "reopen");
    let within_ms = match text.as_deref() {
        None | Some("always") => None,
        Some("never") => Some(0),
        Some(text) => {
            let help = "`always`, `never`, or for how long after it was resolved, as in \"7d\"";
            let length = duration(text).map_err(|(message, _)| (message, Some(help.to_owned())));
            reader.checked(&table.key("reopen"), length)
        }
    };
    let words = ["clear".to_owned(), "keep".to_owned()];
    let owner = reader.text(table, "reopen_owner");
    if let Some(other) = owner.as_ref().filter(|owner| !words.contains(owner)) {
        let help = suggestion(other, "possible", &words);
        let message = "this is not one of the words that it may be";
        reader.mistake(&table.key("reopen_owner"), message, help);
    }
    ReopenRule { within_ms, keep_owner: owner.as_deref() == Some("keep") }
}

/// The tables of a list; what is wrong with the list was told by whoever reads the rest of it.
fn tables_of(root: &Map<String, Value>, name: &str) -> Vec<Table> {
    let items = root.get(name).and_then(Value::as_array).into_iter().flatten().enumerate();
    let tables = items.filter_map(|(index, item)| {
        let map = item.as_object()?.clone();
        Some(Table { path: format!("{name}[{index}]"), index, map })
    });
    tables.collect()
}

/// What the queues say, with what can be promised.
pub(crate) fn timing(
    reader: &mut Reader<'_>,
    root: &Map<String, Value>,
    policies: Policies,
    known: &Known<'_>,
) -> Timing {
    let mut timing = Timing::default();
    let mut moves = Vec::new();
    for table in tables_of(root, "queues") {
        let of_queue = QueueTiming {
            targets: targets_ref(reader, &table, &policies),
            calendar: calendar(reader, &table, known.calendars),
            ladder: ladder(reader, &table, known, &mut moves),
        };
        let id = table.map.get("id").and_then(Value::as_str);
        if let Some(id) = id.and_then(|id| QueueId::new(id).ok())
            && of_queue != QueueTiming::default()
        {
            timing.queues.insert(id, of_queue);
        }
    }
    no_circles(reader, &moves);
    for table in tables_of(root, "channels") {
        let rule = reopen_rule(reader, &table);
        let join_ms = time(reader, &table, "join");
        let id = table.map.get("id").and_then(Value::as_str);
        if let Some(id) = id.and_then(|id| ChannelId::new(id).ok()) {
            timing.join.extend(join_ms.map(|join_ms| (id.clone(), join_ms)));
            if rule != ReopenRule::default() {
                timing.reopen.insert(id, rule);
            }
        }
    }
    timing.policies = policies.all;
    timing.policies.sort_by(|a, b| a.id.cmp(&b.id));
    timing
}
