//! The product as it is: a folder with a configuration, and `serve` on it. The desk has four queues, a
//! few rules and twenty agents who are online and soon busy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postroom_access::{CredentialKind, Principal};
use postroom_model::{AgentId, Role, SystemRandom};
use postroom_records_redis::RedisOptions;
use postroom_records_redis::raw::RawRecords;

use super::child::Server;
use super::engines::Engines;
use super::traffic::CHANNEL;
use super::wire::Connection;
use crate::cli::Shared;
use crate::commands::token;
use crate::failure::Failure;
use crate::setup;
use crate::store::{self, Store};

const AGENTS: usize = 20;
const QUEUES: [&str; 4] = ["support", "billing", "orders", "returns"];

/// Where one product lives.
#[derive(Debug, Clone)]
pub(super) struct House {
    folder: PathBuf,
    /// Of the clustered form.
    engines: Option<Arc<Engines>>,
}

impl House {
    /// Writes the configuration into a new folder.
    pub(super) fn build(
        folder: PathBuf,
        secret: &str,
        engines: Option<Arc<Engines>>,
    ) -> Result<Self, Failure> {
        let clustered = engines.as_ref().map(|engines| engines.config()).unwrap_or_default();
        let text = config(secret, &clustered);
        let written = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join("postroom.toml"), text));
        written.map_err(|error| {
            Failure::failed(format!("{} cannot be written: {error}", folder.display()))
        })?;
        Ok(Self { folder, engines })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn snapshots(&self) -> PathBuf {
        self.data().join("blobs").join("snapshots")
    }

    /// Starts `serve` and waits until it is ready.
    pub(super) async fn serve(&self) -> Result<Server, Failure> {
        let flag = |name: &str, path: &Path| [name.into(), path.as_os_str().to_owned()];
        let mut args = vec!["serve".into(), "--log".into(), "error".into()];
        args.extend(flag("--config", &self.folder.join("postroom.toml")));
        args.extend(flag("--data", &self.data()));
        let server = Server::start(args).await?;
        server.ready().await?;
        Ok(server)
    }

    /// The same store, from this process.
    pub(super) async fn store(&self) -> Result<Store, Failure> {
        if self.engines.is_some() {
            let shared = Shared {
                config: Some(self.folder.join("postroom.toml")),
                data: Some(self.data()),
                ..Shared::default()
            };
            return Store::open(&setup::preview(&shared)?).await;
        }
        store::open_in(self.data(), self.data().join("blobs")).await
    }

    /// Bytes that the engine of the records has in use, where it is one.
    pub(super) async fn records_bytes(&self) -> Result<Option<u64>, Failure> {
        let Some(engines) = &self.engines else { return Ok(None) };
        let records = RawRecords::new(&engines.records_url(), &RedisOptions::default())?;
        Ok(Some(records.used_bytes().await?))
    }

    /// Brings every agent online; gives the token of the first.
    pub(super) async fn staff(&self, server: &Server) -> Result<String, Failure> {
        let broken = |error: std::io::Error| Failure::failed(format!("no agent: {error}"));
        let store = self.store().await?;
        let random = SystemRandom::new();
        let mut connection = Connection::open(server.address).await.map_err(broken)?;
        let mut first = None;
        for number in 1..=AGENTS {
            let name = format!("agent-{number}");
            let agent = AgentId::new(&name).ok();
            let principal = Principal { role: Role::Agent, agent, name, channels: Vec::new() };
            let secret = token::create(&store, CredentialKind::Token, principal, &random).await?;
            let (bearer, body) = (secret.reveal(), r#"{"status":"online"}"#);
            let request = format!(
                "PUT /v1/me/status HTTP/1.1\r\nhost: postroom\r\nauthorization: Bearer {bearer}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let status = connection.exchange(request.as_bytes()).await.map_err(broken)?;
            if status != 200 {
                return Err(Failure::failed(format!("an agent came online with {status}")));
            }
            first.get_or_insert_with(|| bearer.to_owned());
        }
        first.ok_or_else(|| Failure::failed("there are no agents"))
    }
}

fn config(secret: &str, engines: &str) -> String {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n{engines}\n[[channels]]\nid = \"{CHANNEL}\"\nkind = \"webhook\"\n\
         dialect = \"generic\"\nsecret = \"{secret}\"\n"
    );
    for queue in QUEUES {
        text += &format!("\n[[queues]]\nid = \"{queue}\"\nname = \"{queue}\"\n");
    }
    text += RULES;
    let queues = QUEUES.map(|queue| format!("\"{queue}\"")).join(", ");
    for number in 1..=AGENTS {
        text += &format!(
            "\n[[agents]]\nid = \"agent-{number}\"\nname = \"Agent {number}\"\n\
             queues = [{queues}]\ncapacity = 100\n"
        );
    }
    text
}

const RULES: &str = r#"
[[rules]]
when = "message.text.contains('refund') || message.text.contains('invoice')"
queue = "billing"
priority = 5
tags = ["money"]

[[rules]]
when = '''message.text.matches("\\p{Han}")'''
queue = "support"
tags = ["chinese"]

[[rules]]
when = "message.text.contains('send it back')"
queue = "returns"

[[rules]]
when = "message.text.contains('parcel')"
queue = "orders"
"#;
