//! Reads how work is handed out: the keys of a queue that say so, `[[statuses]]`, `[ramp_in]` and
//! `[presence]`. Names that are wrong are told with the nearest that there is.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use postroom_model::{
    AgentChoice, AgentSettings, AgentStatus, ChannelKind, DeskSettings, HandOut, IdleShare,
    OfflineAction, QueueOrder, QueueWork, RampIn, Rule, StatusId, StatusSettings,
};
use serde_json::{Map, Value};

use crate::names::suggestion;
use crate::reader::{Reader, Table};
use crate::routes::{Seen, own_id};
use crate::schema::keys_of;
use crate::sections::kind_name;
use crate::source::Part;

/// Seconds that anything of a queue may take: up to a day.
const SECONDS: RangeInclusive<u64> = 1..=86_400;
const SECONDS_OR_NONE: RangeInclusive<u64> = 0..=86_400;
/// How long an agent may be out of sight: an inbox says three times in this time that it is open.
const GRACE_S: RangeInclusive<u64> = 15..=86_400;
/// Agents who are asked at once.
const OFFER_TO: RangeInclusive<u64> = 1..=50;
const PERCENT: RangeInclusive<u64> = 1..=100;
const COSTS: RangeInclusive<u64> = 0..=10_000;
const PORTION: RangeInclusive<u64> = 1..=10_000;

const HAND_OUT: [(&str, HandOut); 3] =
    [("push", HandOut::Push), ("offer", HandOut::Offer), ("pull", HandOut::Pull)];
const ORDER: [(&str, QueueOrder); 3] = [
    ("priority", QueueOrder::Priority),
    ("newest", QueueOrder::Newest),
    ("targets", QueueOrder::Targets),
];
const CHOOSE: [(&str, AgentChoice); 3] = [
    ("longest_idle", AgentChoice::LongestIdle),
    ("least_loaded", AgentChoice::LeastLoaded),
    ("round_robin", AgentChoice::RoundRobin),
];
const OFFLINE: [(&str, OfflineAction); 3] = [
    ("keep", OfflineAction::Keep),
    ("reassign", OfflineAction::Reassign),
    ("queue", OfflineAction::Queue),
];
const STATUSES: [(&str, AgentStatus); 4] = [
    ("online", AgentStatus::Online),
    ("away", AgentStatus::Away),
    ("away_and_reassign", AgentStatus::AwayAndReassign),
    ("offline", AgentStatus::Offline),
];

/// What a queue says of how its work is handed out.
pub(crate) fn queue_work(reader: &mut Reader<'_>, table: &Table) -> QueueWork {
    let plain = QueueWork::default();
    let offer_to = reader.number(table, "offer_to", &OFFER_TO);
    QueueWork {
        hand_out: one_of(reader, table, "hand_out", &HAND_OUT).unwrap_or_default(),
        order: one_of(reader, table, "order", &ORDER).unwrap_or_default(),
        choose: one_of(reader, table, "choose", &CHOOSE).unwrap_or_default(),
        offer_ms: seconds(reader, table, "offer_s", &SECONDS).unwrap_or(plain.offer_ms),
        offer_to: offer_to.and_then(|count| u8::try_from(count).ok()).unwrap_or(plain.offer_to),
        decline_ms: seconds(reader, table, "decline_s", &SECONDS).unwrap_or(plain.decline_ms),
        wrap_up_ms: seconds(reader, table, "wrap_up_s", &SECONDS_OR_NONE).unwrap_or(0),
        sticky_ms: seconds(reader, table, "sticky_s", &SECONDS_OR_NONE).unwrap_or(0),
        sticky_away_ms: seconds(reader, table, "sticky_away_s", &SECONDS_OR_NONE).unwrap_or(0),
        idle: idle(reader, table),
        offline: one_of(reader, table, "offline", &OFFLINE).unwrap_or_default(),
        costs: per_kind(reader, table, "costs", &COSTS)
            .into_iter()
            .filter_map(|(kind, cost)| Some((kind, u16::try_from(cost).ok()?)))
            .collect(),
    }
}

/// Both keys, or none.
fn idle(reader: &mut Reader<'_>, table: &Table) -> Option<IdleShare> {
    let after_ms = seconds(reader, table, "idle_after_s", &SECONDS);
    let frees = reader.number(table, "idle_frees_percent", &PERCENT);
    for (key, other) in
        [("idle_after_s", "idle_frees_percent"), ("idle_frees_percent", "idle_after_s")]
    {
        if table.map.contains_key(key) && !table.map.contains_key(other) {
            let help = format!("add {other}, as in idle_after_s = 600, idle_frees_percent = 50");
            reader.mistake(&table.key(key), format!("`{other}` is missing beside it"), Some(help));
        }
    }
    let frees_percent = u8::try_from(frees?).ok()?;
    Some(IdleShare { after_ms: after_ms?, frees_percent })
}

fn seconds(
    reader: &mut Reader<'_>,
    table: &Table,
    key: &str,
    range: &RangeInclusive<u64>,
) -> Option<i64> {
    let seconds = reader.number(table, key, range)?;
    i64::try_from(seconds).ok()?.checked_mul(1_000)
}

/// One of a few words.
pub(crate) fn one_of<T: Copy>(
    reader: &mut Reader<'_>,
    table: &Table,
    key: &str,
    words: &[(&str, T)],
) -> Option<T> {
    let text = reader.text(table, key)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let names: Vec<String> = words.iter().map(|(word, _)| (*word).to_owned()).collect();
    let help = suggestion(&text, "possible", &names);
    reader.mistake(&table.key(key), "this is not one of the words that it may be", help);
    None
}

/// A table of kinds of channels with numbers.
pub(crate) fn per_kind(
    reader: &mut Reader<'_>,
    table: &Table,
    key: &str,
    range: &RangeInclusive<u64>,
) -> BTreeMap<ChannelKind, u64> {
    let path = table.key(key);
    let map = match table.map.get(key) {
        None | Some(Value::Null) => return BTreeMap::new(),
        Some(Value::Object(map)) => map.clone(),
        Some(_) => {
            let help = "as in { webhook = 3, phone = 1 }".to_owned();
            reader.mistake(&path, "must be a table", Some(help));
            return BTreeMap::new();
        }
    };
    let kinds = Table { path, index: 0, map };
    let names = ChannelKind::ALL.map(kind_name);
    reader.only(&kinds, &names);
    let number = |kind| {
        let number = reader.number(&kinds, kind_name(kind), range)?;
        Some((kind, number))
    };
    ChannelKind::ALL.into_iter().filter_map(number).collect()
}

/// What holds for all agents.
pub(crate) fn desk(reader: &mut Reader<'_>, root: &Map<String, Value>) -> DeskSettings {
    let presence = reader.section(root, "presence");
    reader.only(&presence, keys_of("presence"));
    DeskSettings {
        statuses: statuses(reader, root),
        ramp_in: ramp_in(reader, root),
        grace_ms: seconds(reader, &presence, "grace_s", &GRACE_S),
    }
}

fn statuses(reader: &mut Reader<'_>, root: &Map<String, Value>) -> Vec<StatusSettings> {
    let mut seen = Seen::default();
    let mut statuses = Vec::new();
    for table in reader.tables(root, "statuses") {
        reader.only(&table, keys_of("statuses"));
        let id = own_id(reader, &table, &mut seen, StatusId::new);
        let name = reader.text(&table, "name");
        reader.require(&table, "status", "one of `online`, `away`, `away_and_reassign`, `offline`");
        let status = one_of(reader, &table, "status", &STATUSES);
        let taken = id.as_ref().is_some_and(|id| {
            id.as_str() == "not_responding" || STATUSES.iter().any(|(word, _)| *word == id.as_str())
        });
        if taken {
            let help = "give it a word of your own, such as `lunch`".to_owned();
            reader.mistake(&table.key("id"), "this status is there already", Some(help));
        }
        if let (Some(id), Some(status)) = (id, status) {
            let name = name.unwrap_or_else(|| id.to_string());
            statuses.push(StatusSettings { id, name, status });
        }
    }
    statuses
}

/// All three keys, or no such section.
fn ramp_in(reader: &mut Reader<'_>, root: &Map<String, Value>) -> Option<RampIn> {
    let table = reader.section(root, "ramp_in");
    reader.only(&table, keys_of("ramp_in"));
    if table.map.is_empty() {
        return None;
    }
    for (key, help) in [
        ("new_max", "how many at once, such as new_max = 3"),
        ("every_s", "in how many seconds, such as every_s = 60"),
        ("lasts_s", "for how long after coming online, such as lasts_s = 900"),
    ] {
        reader.require(&table, key, help);
    }
    let new_max = reader.number(&table, "new_max", &PORTION);
    let every_ms = seconds(reader, &table, "every_s", &SECONDS);
    let lasts_ms = seconds(reader, &table, "lasts_s", &SECONDS);
    let new_max = u16::try_from(new_max?).ok()?;
    Some(RampIn { new_max, every_ms: every_ms?, lasts_ms: lasts_ms? })
}

/// Skills that rules ask for and no agent has: what needs one would wait for ever. Says nothing
/// where there are no agents yet.
pub(crate) fn skills(reader: &mut Reader<'_>, rules: &[Rule], agents: &[AgentSettings]) {
    if agents.is_empty() {
        return;
    }
    let mut highest: BTreeMap<&str, u8> = BTreeMap::new();
    for (skill, level) in agents.iter().flat_map(|agent| &agent.skills) {
        let known = highest.entry(skill.as_str()).or_default();
        *known = (*known).max(*level);
    }
    let names: Vec<String> = highest.keys().map(|name| (*name).to_owned()).collect();
    for (index, rule) in rules.iter().enumerate() {
        for (key, wanted) in [("skills", &rule.skills), ("prefer", &rule.prefer)] {
            for (skill, level) in wanted {
                let path = crate::toml_text::join(&format!("rules[{index}].{key}"), skill);
                match highest.get(skill.as_str()) {
                    None => {
                        let help = suggestion(skill, "skills", &names);
                        let complaint = (format!("no agent has the skill `{skill}`"), help);
                        let mistake = reader.source.diagnose(&path, Part::Key, complaint, None);
                        reader.mistakes.push(mistake);
                    }
                    Some(has) if has < level && key == "skills" => {
                        let message = format!(
                            "no agent has `{skill}` at level {level}; the highest is {has}"
                        );
                        reader.note(&path, message);
                    }
                    Some(_) => {}
                }
            }
        }
    }
}
