//! A real nats-server, on ports that it chose itself and keeps when it is started again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::{again, find_tool, hold_process};

/// How long a server may take to start.
const START_WAIT: Duration = Duration::from_secs(30);

/// Streams reserve what they may grow to; a test fills little of it, and this disk may be small.
pub(crate) const ROOM: &str = "max_file_store: 64GB";

/// How the server is set up; the default is what Postroom asks for.
#[derive(Debug, Clone)]
pub struct NatsSetup {
    /// Sync before every acknowledgement.
    pub sync_always: bool,
    pub jetstream: bool,
    pub max_payload_bytes: usize,
    /// Where it stores; a folder of its own if none is named.
    pub store: Option<PathBuf>,
    /// More settings of JetStream.
    pub jetstream_more: String,
    /// More lines of its configuration.
    pub more: String,
}

impl Default for NatsSetup {
    fn default() -> Self {
        Self {
            sync_always: true,
            jetstream: true,
            max_payload_bytes: 1024 * 1024,
            store: None,
            jetstream_more: ROOM.to_owned(),
            more: String::new(),
        }
    }
}

/// A running server and its folder.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    setup: NatsSetup,
    folder: TempDir,
    child: Option<Child>,
    /// For clients and for monitoring; zero until the server has chosen.
    ports: (u16, u16),
}

/// What the server writes about itself.
#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
    monitoring: Vec<String>,
}

impl NatsServer {
    /// Started, with what Postroom asks for.
    pub async fn start() -> Self {
        Self::start_with(NatsSetup::default()).await
    }

    pub async fn start_with(setup: NatsSetup) -> Self {
        let program = find_tool("nats-server", "POSTROOM_NATS_SERVER");
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { program, setup, folder, child: None, ports: (0, 0) };
        server.run().await;
        server
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.ports.0)
    }

    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.1)
    }

    /// For clients.
    pub fn port(&self) -> u16 {
        self.ports.0
    }

    /// Where it stores.
    pub fn store(&self) -> PathBuf {
        self.setup.store.clone().unwrap_or_else(|| self.folder.path().join("store"))
    }

    /// Publishes as somebody who has a user here, and returns when the server has read all of it.
    pub async fn publish_as(
        &self,
        (user, password): (&str, &str),
        subject: &str,
        bodies: &[&[u8]],
    ) {
        let mut connection = TcpStream::connect(("127.0.0.1", self.ports.0)).await.unwrap();
        let login = serde_json::json!({ "verbose": false, "user": user, "pass": password });
        let mut words = format!("CONNECT {login}\r\n").into_bytes();
        for body in bodies {
            let head = format!("PUB {subject} {}\r\n", body.len());
            words.extend([head.as_bytes(), body, b"\r\n"].concat());
        }
        words.extend(b"PING\r\n");
        connection.write_all(&words).await.unwrap();
        let mut lines = BufReader::new(connection).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            assert!(!line.starts_with("-ERR"), "{line}");
            if line == "PONG" {
                return;
            }
        }
        panic!("the server hung up");
    }

    /// Starts it again where it was, with other lines in its configuration.
    pub async fn start_again_with(&mut self, more: String) {
        self.setup.more = more;
        self.start_again().await;
    }

    /// Stops it where it is, or lets it go on.
    pub fn hold(&self, held: bool) {
        hold_process(self.child.as_ref().expect("it runs").id(), held);
    }

    /// Ends it as a crash would, at once and without a word.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; what matters is that it is gone.
            drop(child.kill());
            child.wait().unwrap();
        }
    }

    /// Starts it again where it was, on the same ports.
    pub async fn start_again(&mut self) {
        self.kill();
        self.run().await;
    }

    async fn run(&mut self) {
        let config = self.write_config();
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let child = Command::new(&self.program)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        self.child = Some(child);
        let started = tokio::time::timeout(START_WAIT, self.ready()).await;
        assert!(started.is_ok(), "nats-server does not start: {}", self.log());
    }

    fn write_config(&self) -> PathBuf {
        let port = |port: u16| if port == 0 { "-1".to_owned() } else { port.to_string() };
        let folder = self.folder.path();
        let jetstream = match (self.setup.jetstream, self.setup.sync_always) {
            (false, _) => String::new(),
            (true, always) => format!(
                "jetstream {{ store_dir: \"{}\", sync_interval: {}\n{} }}",
                self.store().display(),
                if always { "always" } else { "\"2m\"" },
                self.setup.jetstream_more
            ),
        };
        let lines = [
            format!("listen: \"127.0.0.1:{}\"", port(self.ports.0)),
            format!("http: \"127.0.0.1:{}\"", port(self.ports.1)),
            format!("ports_file_dir: \"{}\"", folder.display()),
            format!("max_payload: {}", self.setup.max_payload_bytes),
            jetstream,
            self.setup.more.clone(),
            String::new(),
        ];
        let path = folder.join("nats.conf");
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    }

    /// Waits until it greets.
    async fn ready(&mut self) {
        let mut again = again();
        loop {
            again.tick().await;
            let child = self.child.as_mut().expect("it was just started");
            if let Some(status) = child.try_wait().unwrap() {
                panic!("nats-server ended with {status}: {}", self.log());
            }
            let id = child.id();
            if let Some(ports) = read_ports(self.folder.path(), id) {
                self.ports = ports;
                if greets(ports.0).await {
                    return;
                }
            }
        }
    }

    /// The end of what it wrote.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_ports(folder: &Path, id: u32) -> Option<(u16, u16)> {
    let written = std::fs::read(folder.join(format!("nats-server_{id}.ports"))).ok()?;
    let ports: Ports = serde_json::from_slice(&written).ok()?;
    let port = |urls: &[String]| urls.first()?.rsplit(':').next()?.parse().ok();
    Some((port(&ports.nats)?, port(&ports.monitoring)?))
}

async fn greets(port: u16) -> bool {
    let Ok(connection) = TcpStream::connect(("127.0.0.1", port)).await else {
        return false;
    };
    let mut greeting = String::new();
    let read = BufReader::new(connection).read_line(&mut greeting).await;
    read.is_ok() && greeting.starts_with("INFO ")
}
