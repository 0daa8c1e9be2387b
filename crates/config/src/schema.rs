//! The sections and keys that exist, and their defaults: one list for the checks, the variables
//! and the documentation. What a value may be stands with the code that reads it.

use postroom_model::Settings;
use serde_json::{Value, json};

/// One section of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// Empty for what stands above all sections.
    pub name: &'static str,
    pub(crate) shape: Shape,
    pub keys: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Keys above all sections.
    Root,
    /// `[name]`.
    Table,
    /// `[[name]]`, each named by its `id`.
    Named,
    /// `[[name]]`, each named by its number from 0.
    Numbered,
}

const SECTIONS: &[Section] = &[
    section("", Shape::Root, &["workspace"]),
    section(
        "server",
        Shape::Table,
        &["listen", "health_listen", "public_url", "data_dir", "command_wait_ms", "body_bytes_max"],
    ),
    section(
        "bus",
        Shape::Table,
        &[
            "url",
            "url_file",
            "user",
            "password",
            "password_file",
            "token",
            "token_file",
            "credentials",
            "credentials_file",
            "seed",
            "seed_file",
            "authorities_path",
            "certificate_path",
            "private_key_path",
            "monitor_urls",
            "replicas",
            "inlet_keep_days",
            "inlet_bytes_max",
            "ledger_bytes_max",
            "accept",
        ],
    ),
    section("records", Shape::Table, &["url", "url_file", "authorities_path", "accept"]),
    section("blobs", Shape::Table, &["url", "url_file"]),
    section("outgoing", Shape::Table, &["allow"]),
    section("capacity", Shape::Table, &["email", "imap", "webhook", "phone", "external"]),
    // A channel has the options of its adapter beside these.
    section(
        "channels",
        Shape::Named,
        &[
            "id",
            "kind",
            "dialect",
            "queue",
            "reopen",
            "reopen_owner",
            "join",
            "secret_file",
            "secret_file_create",
        ],
    ),
    section(
        "calendars",
        Shape::Named,
        &["id", "time_zone", "hours", "holidays", "holiday_files", "overrides"],
    ),
    section(
        "targets",
        Shape::Named,
        &["id", "first_response", "next_response", "resolution", "warn_before", "calendar"],
    ),
    section(
        "queues",
        Shape::Named,
        &[
            "id",
            "name",
            "hand_out",
            "order",
            "choose",
            "offer_s",
            "offer_to",
            "decline_s",
            "wrap_up_s",
            "sticky_s",
            "sticky_away_s",
            "idle_after_s",
            "idle_frees_percent",
            "offline",
            "costs",
            "targets",
            "calendar",
            "ladder",
        ],
    ),
    section(
        "rules",
        Shape::Numbered,
        &["when", "queue", "priority", "skills", "prefer", "tags", "targets", "attach"],
    ),
    section(
        "agents",
        Shape::Named,
        &["id", "name", "email", "queues", "skills", "capacity", "limits"],
    ),
    section("statuses", Shape::Named, &["id", "name", "status"]),
    section("answers", Shape::Named, &["id", "on", "queues", "calendar", "text"]),
    section("ramp_in", Shape::Table, &["new_max", "every_s", "lasts_s"]),
    section("presence", Shape::Table, &["grace_s"]),
    section("contacts", Shape::Table, &["merge_by"]),
];

const fn section(name: &'static str, shape: Shape, keys: &'static [&'static str]) -> Section {
    Section { name, shape, keys }
}

/// Every section and key.
pub fn sections() -> &'static [Section] {
    SECTIONS
}

/// The keys of a section.
pub(crate) fn keys_of(name: &str) -> &'static [&'static str] {
    let section = SECTIONS.iter().find(|section| section.name == name);
    section.map_or(&[], |section| section.keys)
}

/// Everything that may stand at the top of the file.
pub(crate) fn top_level() -> impl Iterator<Item = &'static str> {
    let names = SECTIONS.iter().map(|section| section.name).filter(|name| !name.is_empty());
    names.chain(keys_of("").iter().copied())
}

/// What an agent can hold where nothing is said.
pub(crate) const AGENT_CAPACITY: u32 = 100;

/// The lowest layer, by path. `server.public_url` and `blobs.url` follow from other settings.
pub fn defaults() -> Vec<(String, Value)> {
    let fixed = [
        ("workspace", json!("main")),
        ("server.listen", json!("127.0.0.1:8080")),
        ("server.data_dir", json!("data")),
        ("server.command_wait_ms", json!(5_000)),
        ("server.body_bytes_max", json!(10 * 1024 * 1024)),
        ("bus.url", json!("embedded")),
        ("bus.monitor_urls", json!([])),
        ("bus.replicas", json!(1)),
        ("bus.inlet_keep_days", json!(14)),
        ("bus.inlet_bytes_max", json!(4_u64 << 30)),
        ("bus.ledger_bytes_max", json!(8_u64 << 30)),
        ("bus.accept", json!([])),
        ("records.url", json!("embedded")),
        ("records.accept", json!([])),
        ("outgoing.allow", json!([])),
    ];
    let mut defaults: Vec<(String, Value)> =
        fixed.into_iter().map(|(path, value)| (path.to_owned(), value)).collect();
    for (kind, cost) in Settings::default_costs() {
        if let Ok(Value::String(kind)) = serde_json::to_value(kind) {
            defaults.push((format!("capacity.{kind}"), json!(cost)));
        }
    }
    defaults
}
