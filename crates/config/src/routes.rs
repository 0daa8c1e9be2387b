//! Reads what decides where a message goes: `[[channels]]`, `[[queues]]`, `[[rules]]`,
//! `[[agents]]`. The options of a channel and the text of a rule are handed on as they are.

use std::collections::BTreeMap;

use postroom_model::limits::{PRIORITY_MAX, TAG_CHARS_MAX, TAGS_MAX};
use postroom_model::{
    AgentId, AgentSettings, ChannelId, ChannelKind, QueueId, QueueSettings, Rule,
};
use serde_json::{Map, Value};

use crate::checks;
use crate::names::suggestion;
use crate::reader::{Reader, Table};
use crate::schema::{AGENT_CAPACITY, keys_of};
use crate::secret_files::SecretFiles;
use crate::sections::kind_name;
use crate::timing::{Policies, targets_ref};
use crate::types::ChannelConfig;
use crate::work;

const KINDS: [ChannelKind; 5] = [
    ChannelKind::Email,
    ChannelKind::Imap,
    ChannelKind::Webhook,
    ChannelKind::Phone,
    ChannelKind::External,
];
/// The level of a skill.
const LEVELS: std::ops::RangeInclusive<u64> = 1..=100;
const AGENT_CAPACITY_MAX: u64 = 1_000_000;
/// Conversations of a kind that an agent may hold.
const AGENT_LIMIT_MAX: u64 = 10_000;

/// What was seen once and must not come again: its text, and the path where it stands.
#[derive(Default)]
pub(crate) struct Seen(BTreeMap<String, String>);

impl Seen {
    /// All that was seen.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.0.into_keys().collect()
    }

    pub(crate) fn once(&mut self, reader: &mut Reader<'_>, path: &str, text: &str, what: &str) {
        match self.0.get(text) {
            Some(first) => {
                let line = reader.source.line(first);
                let help = line.map(|line| format!("it was given first in line {line}"));
                reader.mistake(path, format!("this {what} is taken by {first}"), help);
            }
            None => {
                self.0.insert(text.to_owned(), path.to_owned());
            }
        }
    }
}

/// The id of a table in a list: present, well formed, and given once.
pub(crate) fn own_id<T>(
    reader: &mut Reader<'_>,
    table: &Table,
    seen: &mut Seen,
    new: impl Fn(&str) -> Result<T, postroom_model::ids::NotASlug>,
) -> Option<T> {
    reader.require(table, "id", "add a line such as id = \"support\"");
    let text = reader.text(table, "id")?;
    let path = table.key("id");
    seen.once(reader, &path, &text, "id");
    reader.id(&path, &text, new)
}

/// The queues, and every id that was written for one, well formed or not.
pub(crate) fn queues(
    reader: &mut Reader<'_>,
    root: &Map<String, Value>,
) -> (Vec<QueueSettings>, Vec<String>) {
    let mut seen = Seen::default();
    let mut queues = Vec::new();
    let tables = reader.tables(root, "queues");
    if tables.is_empty() && !reader.mistakes.iter().any(|mistake| mistake.key == "queues") {
        let help = "add [[queues]] with id = \"support\" and name = \"Support\"".to_owned();
        reader.mistake("queues", "there must be at least one queue", Some(help));
    }
    for table in &tables {
        reader.only(table, keys_of("queues"));
        let id = own_id(reader, table, &mut seen, QueueId::new);
        let name = reader.text(table, "name");
        let work = work::queue_work(reader, table);
        if let Some(id) = id {
            let name = name.unwrap_or_else(|| id.to_string());
            queues.push(QueueSettings { id, name, work });
        }
    }
    (queues, seen.0.into_keys().collect())
}

/// The queue that is named at `path`, if it exists.
pub(crate) fn queue_ref(
    reader: &mut Reader<'_>,
    path: &str,
    text: &str,
    known: &[String],
) -> Option<QueueId> {
    if known.iter().any(|name| name == text) {
        // One with a malformed id was reported where it is defined.
        return QueueId::new(text).ok();
    }
    reader.mistake(path, "there is no queue with this id", suggestion(text, "queues", known));
    None
}

fn optional_queue(reader: &mut Reader<'_>, table: &Table, known: &[String]) -> Option<QueueId> {
    let text = reader.text(table, "queue")?;
    queue_ref(reader, &table.key("queue"), &text, known)
}

pub(crate) fn channels(
    reader: &mut Reader<'_>,
    files: &mut SecretFiles<'_>,
    root: &Map<String, Value>,
    queues: &[String],
) -> Vec<ChannelConfig> {
    let mut seen = Seen::default();
    let mut channels = Vec::new();
    for mut table in reader.tables(root, "channels") {
        let index = table.index;
        let id = own_id(reader, &table, &mut seen, ChannelId::new);
        let kind = kind(reader, &table);
        let dialect = reader.text(&table, "dialect");
        let queue = optional_queue(reader, &table, queues);
        for key in ["id", "kind", "dialect", "queue", "reopen", "reopen_owner", "join"] {
            table.map.remove(key);
        }
        // Certificates are no secrets, but long, and stand in files of their own as well.
        files.resolve(reader, &table.path, &mut table.map, &["certificate", "ca"]);
        if let (Some(id), Some(kind)) = (id, kind) {
            channels.push(ChannelConfig { id, kind, dialect, queue, options: table.map, index });
        }
    }
    channels
}

fn kind(reader: &mut Reader<'_>, table: &Table) -> Option<ChannelKind> {
    let names = KINDS.map(|kind| kind_name(kind).to_owned());
    reader.require(table, "kind", "one of `email`, `imap`, `webhook`, `phone`, `external`");
    let text = reader.text(table, "kind")?;
    let kind = KINDS.into_iter().find(|kind| kind_name(*kind) == text);
    if kind.is_none() {
        let help = suggestion(&text, "kinds", &names);
        reader.mistake(&table.key("kind"), "there is no such kind of channel", help);
    }
    kind
}

pub(crate) fn rules(
    reader: &mut Reader<'_>,
    root: &Map<String, Value>,
    queues: &[String],
    policies: &Policies,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for table in reader.tables(root, "rules") {
        reader.only(&table, keys_of("rules"));
        reader.require(&table, "when", "the condition, such as when = \"true\"");
        let priority = reader.number(&table, "priority", &(0..=u64::from(PRIORITY_MAX)));
        // One that is no table leaves its place empty, so that the others are found by number.
        rules.resize(table.index, Rule::default());
        rules.push(Rule {
            when: reader.text(&table, "when").unwrap_or_default(),
            queue: optional_queue(reader, &table, queues),
            priority: priority.and_then(|priority| u8::try_from(priority).ok()),
            skills: reader.levels(&table, "skills", &LEVELS),
            prefer: reader.levels(&table, "prefer", &LEVELS),
            tags: tags(reader, &table),
            targets: targets_ref(reader, &table, policies),
            attach: reader.flag(&table, "attach"),
        });
    }
    rules
}

fn tags(reader: &mut Reader<'_>, table: &Table) -> Vec<String> {
    let mut seen = Seen::default();
    let mut tags = Vec::new();
    for (path, text) in reader.texts(table, "tags") {
        if text.chars().count() > TAG_CHARS_MAX {
            reader.mistake(&path, format!("longer than {TAG_CHARS_MAX} characters"), None);
        }
        seen.once(reader, &path, &text, "tag");
        tags.push(text);
    }
    if tags.len() > TAGS_MAX {
        reader.mistake(&table.key("tags"), format!("more than {TAGS_MAX} tags"), None);
    }
    tags
}

pub(crate) fn agents(
    reader: &mut Reader<'_>,
    root: &Map<String, Value>,
    queues: &[String],
) -> Vec<AgentSettings> {
    let mut seen = Seen::default();
    let mut seen_mail = Seen::default();
    let mut agents = Vec::new();
    for table in reader.tables(root, "agents") {
        reader.only(&table, keys_of("agents"));
        let id = own_id(reader, &table, &mut seen, AgentId::new);
        let name = reader.text(&table, "name");
        let email = reader.text(&table, "email");
        if let Some(email) = &email {
            let path = table.key("email");
            reader.checked(&path, checks::mail(email));
            seen_mail.once(reader, &path, &email.to_lowercase(), "mail address");
        }
        let served = served(reader, &table, queues);
        let skills = reader.levels(&table, "skills", &LEVELS);
        let capacity = reader.number(&table, "capacity", &(0..=AGENT_CAPACITY_MAX));
        let capacity = capacity.and_then(|capacity| u32::try_from(capacity).ok());
        let limits = work::per_kind(reader, &table, "limits", &(0..=AGENT_LIMIT_MAX));
        if let Some(id) = id {
            agents.push(AgentSettings {
                name: name.unwrap_or_else(|| id.to_string()),
                id,
                email,
                queues: served,
                skills,
                capacity: capacity.unwrap_or(AGENT_CAPACITY),
                limits: limits
                    .into_iter()
                    .filter_map(|(kind, most)| Some((kind, u32::try_from(most).ok()?)))
                    .collect(),
            });
        }
    }
    agents
}

fn served(reader: &mut Reader<'_>, table: &Table, queues: &[String]) -> Vec<QueueId> {
    let mut seen = Seen::default();
    let mut served = Vec::new();
    for (path, text) in reader.texts(table, "queues") {
        seen.once(reader, &path, &text, "queue");
        served.extend(queue_ref(reader, &path, &text, queues));
    }
    served
}
