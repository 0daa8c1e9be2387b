//! A configuration without mistakes, and the way back from a setting to its place in the file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postroom_model::digest::Digest;
use postroom_model::{
    AgentSettings, AnswerSettings, CalendarSettings, ChannelKind, ChannelSettings, ContactSettings,
    DeskSettings, QueueSettings, Rule, Settings, Timing, WorkspaceId,
};
use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::names::suggestion;
use crate::source::{Part, Source};
use crate::types::{BlobsConfig, Bus, BusLogin, ChannelConfig, Outgoing, RecordsConfig, Server};
use crate::watcher::Watcher;

/// Everything that is configured. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    pub workspace: WorkspaceId,
    pub server: Server,
    pub bus: Bus,
    pub records: RecordsConfig,
    pub blobs: BlobsConfig,
    pub outgoing: Outgoing,
    /// In the order of the file.
    pub channels: Vec<ChannelConfig>,
    /// At least one; the first is the default.
    pub queues: Vec<QueueSettings>,
    /// In the order of the file; the first that matches wins.
    pub rules: Vec<Rule>,
    pub agents: Vec<AgentSettings>,
    /// What a conversation takes of an agent's capacity.
    pub costs: BTreeMap<ChannelKind, u16>,
    pub calendars: Vec<CalendarSettings>,
    /// What holds for all agents.
    pub desk: DeskSettings,
    pub contacts: ContactSettings,
    /// What time alone brings.
    pub timing: Timing,
    /// In the order of the file; the first that applies is given.
    pub answers: Vec<AnswerSettings>,
    pub(crate) source: Arc<Source>,
    pub(crate) notes: Vec<Diagnostic>,
    pub(crate) secret_files: Vec<(PathBuf, Digest)>,
    pub(crate) creatable: Vec<PathBuf>,
}

impl Config {
    /// What decisions depend on, in its normalised form: the same settings in another order of
    /// channels or agents have the same hash. `sends` says whether replies can leave through a
    /// channel; only its adapter knows.
    pub fn settings(&self, sends: impl Fn(&ChannelConfig) -> bool) -> Settings {
        let mut channels: Vec<ChannelSettings> = self
            .channels
            .iter()
            .map(|channel| ChannelSettings {
                id: channel.id.clone(),
                kind: channel.kind,
                dialect: channel.dialect.clone(),
                queue: channel.queue.clone(),
                sends: sends(channel),
                // Only the adapter knows its own options.
                calls: None,
            })
            .collect();
        channels.sort_by(|a, b| a.id.cmp(&b.id));
        let mut calendars = self.calendars.clone();
        calendars.sort_by(|a, b| a.id.cmp(&b.id));
        let mut agents = self.agents.clone();
        agents.sort_by(|a, b| a.id.cmp(&b.id));
        for agent in &mut agents {
            agent.queues.sort();
        }
        Settings {
            workspace: self.workspace.clone(),
            timing: self.timing.clone(),
            channels,
            queues: self.queues.clone(),
            rules: self.rules.clone(),
            agents,
            costs: self.costs.clone(),
            calendars,
            desk: self.desk.clone(),
            contacts: self.contacts.clone(),
            answers: self.answers.clone(),
        }
    }

    /// The file that was read.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// What is worth knowing and no mistake: secrets that are still to be made.
    pub fn notes(&self) -> &[Diagnostic] {
        &self.notes
    }

    /// Watches the file and every secret file, from what was read of them.
    pub fn watcher(&self) -> Watcher {
        let mut files = self.secret_files.clone();
        files.push((self.path().to_owned(), self.source.digest()));
        Watcher::since(files)
    }

    /// A mistake that another room found in the setting at `key`, such as `rules[3].when` or
    /// `channels[0].secret`, at its place in the file: that of the value, or of the table around
    /// it if the setting is absent. `nested` is a range of bytes in the value, if that is text.
    pub fn diagnose(
        &self,
        key: &str,
        message: impl Into<String>,
        help: Option<String>,
        nested: Option<Range<usize>>,
    ) -> Diagnostic {
        self.source.diagnose(key, Part::Value, (message.into(), help), nested)
    }

    /// A key that another room does not know, at the place of its name, with the nearest of those
    /// it knows.
    pub fn unknown_key(&self, key: &str, known: &[&str]) -> Diagnostic {
        let name = key.rsplit('.').next().unwrap_or(key);
        let known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
        let complaint = ("unknown key".to_owned(), suggestion(name, "known keys", &known));
        self.source.diagnose(key, Part::Key, complaint, None)
    }

    /// Puts mistakes that other rooms found together, to be shown with the lines of the file.
    pub fn diagnostics(&self, items: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics::new(&self.source, items)
    }

    /// Whether bus and records are servers of their own. Either both are or neither is.
    pub fn is_clustered(&self) -> bool {
        !self.bus.url.is_embedded()
    }

    /// Everything for a log or for people, without secrets (P10).
    pub fn public_dump(&self) -> Value {
        let channels: Vec<Value> = self.channels.iter().map(public_channel).collect();
        json!({
            "file": self.path().display().to_string(),
            "workspace": self.workspace,
            "server": {
                "listen": self.server.listen.to_string(),
                "health_listen": self.server.health_listen.map(|listen| listen.to_string()),
                "public_url": self.server.public_url,
                "data_dir": self.server.data_dir.display().to_string(),
                "command_wait_ms": self.server.command_wait_ms,
                "body_bytes_max": self.server.body_bytes_max,
            },
            "bus": public_bus(&self.bus),
            "records": { "url": self.records.url.to_string(), "accept": self.records.accept },
            "blobs": { "url": self.blobs.url.to_string() },
            "outgoing": { "allow": self.outgoing.allow },
            "capacity": self.costs,
            "channels": channels,
            "queues": self.queues,
            "rules": self.rules,
            "calendars": self.calendars,
            "timing": self.timing,
            "agents": self.agents,
        })
    }
}

/// How somebody logs in is told, with what is not.
fn public_bus(bus: &Bus) -> Value {
    let login = match &bus.login {
        BusLogin::InUrl => "in_url",
        BusLogin::Token(_) => "token",
        BusLogin::User { .. } => "user",
        BusLogin::Credentials(_) => "credentials",
        BusLogin::Seed(_) => "seed",
    };
    let monitors: Vec<String> = bus.monitor_urls.iter().map(ToString::to_string).collect();
    json!({
        "url": bus.url.to_string(),
        "login": login,
        "monitor_urls": monitors,
        "replicas": bus.replicas,
        "inlet_keep_days": bus.inlet_keep_days,
        "inlet_bytes_max": bus.inlet_bytes_max,
        "ledger_bytes_max": bus.ledger_bytes_max,
        "accept": bus.accept,
    })
}

fn public_channel(channel: &ChannelConfig) -> Value {
    let mut shown = channel.public_options();
    shown.insert("id".to_owned(), json!(channel.id));
    shown.insert("kind".to_owned(), json!(channel.kind));
    shown.insert("dialect".to_owned(), json!(channel.dialect));
    shown.insert("queue".to_owned(), json!(channel.queue));
    Value::Object(shown)
}
