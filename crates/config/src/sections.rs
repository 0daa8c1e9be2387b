//! Reads the sections that say where and how the program runs: `[server]`, `[blobs]`,
//! `[outgoing]`, `[capacity]` and the workspace.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use postroom_model::{ChannelKind, Settings, WorkspaceId};
use serde_json::{Map, Value};

use crate::checks;
use crate::reader::{Reader, Table};
use crate::schema::keys_of;
use crate::secret_files::SecretFiles;
use crate::types::{BlobsConfig, Outgoing, Server, ServiceUrl};

/// Milliseconds that a change may wait for its outcome.
const COMMAND_WAIT_MS_MAX: u64 = 60_000;
/// Bytes that a body may be limited to: at least 1 KiB, at most 1 GiB.
const BODY_BYTES: std::ops::RangeInclusive<u64> = 1024..=1024 * 1024 * 1024;
/// What a conversation may take of an agent's capacity.
const COST_MAX: u64 = 10_000;

pub(crate) fn workspace(reader: &mut Reader<'_>, root: &Map<String, Value>) -> WorkspaceId {
    let top = Table { path: String::new(), index: 0, map: root.clone() };
    let text = reader.text(&top, "workspace");
    let id = text.and_then(|text| reader.id("workspace", &text, WorkspaceId::new));
    id.unwrap_or_else(WorkspaceId::main)
}

/// `data_dir` of the command line wins over every layer.
pub(crate) fn server(
    reader: &mut Reader<'_>,
    root: &Map<String, Value>,
    data_dir: Option<&Path>,
) -> Server {
    let table = reader.section(root, "server");
    reader.only(&table, keys_of("server"));
    let listen = reader.text(&table, "listen");
    let listen = listen.and_then(|text| reader.checked("server.listen", checks::listen(&text)));
    let listen = listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
    let health = reader.text(&table, "health_listen");
    let health_listen =
        health.and_then(|text| reader.checked("server.health_listen", checks::listen(&text)));
    if health_listen.is_some_and(|health| health == listen && health.port() != 0) {
        let help = "take another port: `postroom gateway` listens on this one".to_owned();
        reader.mistake("server.health_listen", "this is the address of `listen`", Some(help));
    }
    let given = reader.text(&table, "public_url");
    let public_url_given = given.is_some();
    let public_url = given
        .and_then(|text| reader.checked("server.public_url", checks::public_url(&text)))
        .unwrap_or_else(|| format!("http://{listen}"));
    let configured = reader.text(&table, "data_dir").map(PathBuf::from);
    let wait = reader.number(&table, "command_wait_ms", &(0..=COMMAND_WAIT_MS_MAX));
    let body = reader.number(&table, "body_bytes_max", &BODY_BYTES);
    Server {
        listen,
        health_listen,
        public_url,
        public_url_given,
        data_dir: data_dir.map(Path::to_owned).or(configured).unwrap_or_default(),
        command_wait_ms: wait.unwrap_or_default(),
        body_bytes_max: body.unwrap_or_default(),
    }
}

/// The text of `url` in a section, from a file of its own if there is a `url_file`.
fn url(
    reader: &mut Reader<'_>,
    files: &mut SecretFiles<'_>,
    root: &Map<String, Value>,
    name: &str,
) -> Option<String> {
    let mut table = reader.section(root, name);
    reader.only(&table, keys_of(name));
    files.resolve(reader, name, &mut table.map, &["url"]);
    reader.text(&table, "url")
}

/// Without a URL, blobs stand in the data folder.
pub(crate) fn blobs(
    reader: &mut Reader<'_>,
    files: &mut SecretFiles<'_>,
    root: &Map<String, Value>,
    data_dir: &Path,
) -> BlobsConfig {
    let url = match url(reader, files, root, "blobs") {
        Some(url) => {
            reader.checked("blobs.url", checks::blobs_url(&url));
            url
        }
        None => format!("file:{}", data_dir.join("blobs").display()),
    };
    BlobsConfig { url: ServiceUrl::new(url) }
}

pub(crate) fn outgoing(reader: &mut Reader<'_>, root: &Map<String, Value>) -> Outgoing {
    let table = reader.section(root, "outgoing");
    reader.only(&table, keys_of("outgoing"));
    let mut allow = Vec::new();
    for (path, text) in reader.texts(&table, "allow") {
        reader.checked(&path, checks::network(&text));
        allow.push(text);
    }
    Outgoing { allow }
}

pub(crate) fn costs(
    reader: &mut Reader<'_>,
    root: &Map<String, Value>,
) -> BTreeMap<ChannelKind, u16> {
    let table = reader.section(root, "capacity");
    reader.only(&table, keys_of("capacity"));
    let mut costs = Settings::default_costs();
    for (kind, cost) in &mut costs {
        let number = reader.number(&table, kind_name(*kind), &(0..=COST_MAX));
        if let Some(number) = number.and_then(|number| u16::try_from(number).ok()) {
            *cost = number;
        }
    }
    costs
}

/// As it is written in the file.
pub(crate) const fn kind_name(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Email => "email",
        ChannelKind::Imap => "imap",
        ChannelKind::Webhook => "webhook",
        ChannelKind::Phone => "phone",
        ChannelKind::External => "external",
    }
}
