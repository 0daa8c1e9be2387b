//! Reads the ladder of a queue: `[[queues.ladder]]`, and finds ladders that lead in a circle.

use std::collections::BTreeMap;

use postroom_model::limits::{LADDER_STEPS_MAX, PRIORITY_MAX};
use postroom_model::{AgentId, AgentSettings, CalendarSettings, LadderClock, LadderStep, QueueId};
use serde_json::Value;

use crate::durations::duration;
use crate::names::suggestion;
use crate::reader::{Reader, Table};
use crate::routes::queue_ref;
use crate::source::Part;
use crate::work::one_of;

const KEYS: [&str; 9] = [
    "after",
    "clock",
    "agents",
    "relax",
    "widen",
    "priority",
    "notify",
    "queue",
    "skip_if_nobody_available",
];
const CLOCK: [(&str, LadderClock); 2] =
    [("calendar", LadderClock::Calendar), ("wall", LadderClock::Wall)];
/// Levels to which a skill is relaxed; 0 asks for it no more.
const LEVELS: std::ops::RangeInclusive<u64> = 0..=100;

/// What a ladder can name.
pub(crate) struct Known<'k> {
    pub(crate) queues: &'k [String],
    pub(crate) agents: &'k [AgentSettings],
    /// Skills that rules ask for or agents have.
    pub(crate) skills: &'k [String],
    pub(crate) calendars: &'k [CalendarSettings],
}

/// A step that moves on to another queue, with the place where that is written.
pub(crate) struct Move {
    from: QueueId,
    to: QueueId,
    path: String,
}

pub(crate) fn ladder(
    reader: &mut Reader<'_>,
    queue: &Table,
    known: &Known<'_>,
    moves: &mut Vec<Move>,
) -> Vec<LadderStep> {
    let path = queue.key("ladder");
    let steps = match queue.map.get("ladder") {
        None => return vec![],
        Some(Value::Array(steps)) => steps,
        Some(other) => {
            let help = "write [[queues.ladder]] on a line of its own for each step";
            reader.wrong_type(&path, "a list of tables", other, Some(help.to_owned()));
            return vec![];
        }
    };
    if steps.len() > LADDER_STEPS_MAX {
        reader.mistake(&path, format!("more than {LADDER_STEPS_MAX} steps"), None);
    }
    let own = queue.map.get("id").and_then(Value::as_str).and_then(|id| QueueId::new(id).ok());
    let mut ladder: Vec<LadderStep> = Vec::with_capacity(steps.len());
    for (index, value) in steps.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Some(map) = value.as_object() else {
            reader.wrong_type(&path, "a table", value, None);
            continue;
        };
        let table = Table { path, index, map: map.clone() };
        let step = step(reader, &table, known);
        let by_calendar = table.map.get("clock").and_then(Value::as_str) == Some("calendar");
        if by_calendar && !queue.map.contains_key("calendar") {
            let help = "add calendar = \"office\" to the queue".to_owned();
            reader.mistake(&table.key("clock"), "the queue has no calendar", Some(help));
        }
        if ladder.last().is_some_and(|before| before.after_ms > step.after_ms) {
            let help = "times are counted from when the waiting began, for every step";
            let message = "this step comes before the one above it";
            reader.mistake(&table.key("after"), message, Some(help.to_owned()));
        }
        if let (Some(from), Some(to)) = (&own, &step.queue) {
            let (from, to) = (from.clone(), to.clone());
            moves.push(Move { from, to, path: table.key("queue") });
        }
        ladder.push(step);
    }
    ladder
}

fn step(reader: &mut Reader<'_>, table: &Table, known: &Known<'_>) -> LadderStep {
    reader.only(table, &KEYS);
    reader.require(table, "after", "how long it has waited by then, as in after = \"5m\"");
    let after = reader.text(table, "after");
    let after = after.and_then(|text| reader.checked(&table.key("after"), duration(&text)));
    let widen = reader.texts(table, "widen");
    let widen = widen
        .into_iter()
        .filter_map(|(path, text)| queue_ref(reader, &path, &text, known.queues))
        .collect();
    let to = reader.text(table, "queue");
    let queue = to.and_then(|text| queue_ref(reader, &table.key("queue"), &text, known.queues));
    let priority = reader.number(table, "priority", &(0..=u64::from(PRIORITY_MAX)));
    LadderStep {
        after_ms: after.unwrap_or(0),
        clock: one_of(reader, table, "clock", &CLOCK).unwrap_or_default(),
        agents: agents(reader, table, "agents", known.agents),
        relax: relax(reader, table, known.skills),
        widen,
        priority: priority.and_then(|priority| u8::try_from(priority).ok()),
        notify: agents(reader, table, "notify", known.agents),
        queue,
        skip_if_nobody_available: truth(reader, table, "skip_if_nobody_available"),
    }
}

fn agents(
    reader: &mut Reader<'_>,
    table: &Table,
    key: &str,
    known: &[AgentSettings],
) -> Vec<AgentId> {
    let mut found = Vec::new();
    for (path, text) in reader.texts(table, key) {
        match known.iter().find(|agent| agent.id.as_str() == text) {
            Some(agent) => found.push(agent.id.clone()),
            None => {
                let names: Vec<String> = known.iter().map(|agent| agent.id.to_string()).collect();
                let help = suggestion(&text, "agents", &names);
                reader.mistake(&path, "there is no agent with this id", help);
            }
        }
    }
    found
}

fn relax(reader: &mut Reader<'_>, table: &Table, known: &[String]) -> BTreeMap<String, u8> {
    let levels = reader.levels(table, "relax", &LEVELS);
    for name in levels.keys().filter(|name| !known.contains(name)) {
        let path = crate::toml_text::join(&table.key("relax"), name);
        let message = "no rule asks for this skill and no agent has it".to_owned();
        let complaint = (message, suggestion(name, "skills", known));
        let mistake = reader.source.diagnose(&path, Part::Key, complaint, None);
        reader.mistakes.push(mistake);
    }
    levels
}

fn truth(reader: &mut Reader<'_>, table: &Table, key: &str) -> bool {
    match table.map.get(key) {
        None => false,
        Some(Value::Bool(value)) => *value,
        Some(other) => {
            reader.wrong_type(&table.key(key), "true or false", other, None);
            false
        }
    }
}

/// Complains of each step that leads back to a queue from which it came.
pub(crate) fn no_circles(reader: &mut Reader<'_>, moves: &[Move]) {
    for one in moves {
        let Some(way) = way_back(moves, one) else { continue };
        let names: Vec<&str> = way.iter().map(QueueId::as_str).collect();
        let message = format!("this ladder leads in a circle: {}", names.join(", then "));
        let help = "let the last of them stay where it is".to_owned();
        reader.mistake(&one.path, message, Some(help));
    }
}

/// From the queue of a step over others back to it, if that is where it leads.
fn way_back(moves: &[Move], first: &Move) -> Option<Vec<QueueId>> {
    let mut ways = vec![vec![first.from.clone(), first.to.clone()]];
    let mut reached = vec![first.to.clone()];
    while let Some(way) = ways.pop() {
        let last = way.last()?;
        if *last == first.from {
            return Some(way);
        }
        for next in moves.iter().filter(|next| next.from == *last) {
            if next.to == first.from || !reached.contains(&next.to) {
                reached.push(next.to.clone());
                ways.push(way.iter().cloned().chain([next.to.clone()]).collect());
            }
        }
    }
    None
}
