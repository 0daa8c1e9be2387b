//! The configuration as the program uses it. Whatever holds a secret keeps it out of `Debug`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use postroom_model::{ChannelId, ChannelKind, QueueId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use crate::redact::{redact_table, redact_urls};

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    pub listen: SocketAddr,
    /// Where the roles without a gateway tell how they are, if anywhere.
    pub health_listen: Option<SocketAddr>,
    /// Where people and providers reach the server; without a slash at its end.
    pub public_url: String,
    /// Whether `public_url` was configured. Otherwise it follows `listen`, whose port may be 0.
    pub public_url_given: bool,
    /// Relative to the folder in which the program was started.
    pub data_dir: PathBuf,
    /// How long a change waits for its outcome before it is answered as pending.
    pub command_wait_ms: u64,
    /// The largest body that is taken from outside.
    pub body_bytes_max: u64,
}

/// `[bus]`: `embedded`, or the URL of a NATS server.
#[derive(Debug, Clone)]
pub struct Bus {
    pub url: ServiceUrl,
    pub login: BusLogin,
    pub tls: BusTls,
    /// The monitoring endpoint of each server.
    pub monitor_urls: Vec<ServiceUrl>,
    /// Copies of each stream in a cluster.
    pub replicas: u8,
    /// For how long the inlet keeps what was decided.
    pub inlet_keep_days: u64,
    /// What the streams may hold, where they are made.
    pub inlet_bytes_max: u64,
    pub ledger_bytes_max: u64,
    /// Codes of findings that the operator accepts.
    pub accept: Vec<String>,
}

/// Who we are to the bus. Users and tokens may stand in its URL as well.
#[derive(Debug, Clone, Default)]
pub enum BusLogin {
    #[default]
    InUrl,
    Token(SecretString),
    User {
        name: String,
        password: SecretString,
    },
    /// The text of a `.creds` file.
    Credentials(SecretString),
    /// The seed of an `NKey`.
    Seed(SecretString),
}

/// Files for an encrypted connection; a `tls://` URL asks for one.
#[derive(Debug, Clone, Default)]
pub struct BusTls {
    pub authorities: Option<PathBuf>,
    /// A certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// `[records]`: `embedded`, or the URL of a Redis server.
#[derive(Debug, Clone)]
pub struct RecordsConfig {
    pub url: ServiceUrl,
    /// Certificates of authorities, in place of those of the system.
    pub authorities: Option<PathBuf>,
    /// Codes of findings that the operator accepts.
    pub accept: Vec<String>,
}

/// `[blobs]`: `file:` and a folder, or `s3://` and a bucket.
#[derive(Debug, Clone)]
pub struct BlobsConfig {
    pub url: ServiceUrl,
}

/// `[outgoing]`.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Private networks that webhooks and media may reach (P10), such as `127.0.0.1/32`; each was
    /// checked.
    pub allow: Vec<String>,
}

/// `embedded`, or a URL that may hold a user and a password. Both `Debug` and `Display` leave them
/// out.
#[derive(Clone)]
pub struct ServiceUrl(SecretString);

impl ServiceUrl {
    pub fn new(url: String) -> Self {
        Self(url.into())
    }

    /// The whole URL, to connect with; not for a log or a message.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    pub fn is_embedded(&self) -> bool {
        self.reveal() == "embedded"
    }

    /// The folder of a `file:` URL.
    pub fn folder(&self) -> Option<PathBuf> {
        let path = self.reveal().strip_prefix("file:")?;
        // `file:///a` and `file:/a` both name /a; `file:a` is relative.
        Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact_urls(self.reveal()))
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One of `[[channels]]`.
#[derive(Clone)]
pub struct ChannelConfig {
    pub id: ChannelId,
    pub kind: ChannelKind,
    pub dialect: Option<String>,
    /// Where its conversations go when no rule says otherwise.
    pub queue: Option<QueueId>,
    /// Everything else of the table, for the adapter. Secrets stand here in the clear, those of a
    /// `*_file` under their own name; `Debug` leaves them out.
    pub options: Map<String, Value>,
    /// Which of `[[channels]]` it is, counted from 0.
    pub(crate) index: usize,
}

impl ChannelConfig {
    /// The path of one of its keys, for [`crate::Config::diagnose`]: `secret` is
    /// `channels[0].secret`.
    pub fn key(&self, key: &str) -> String {
        format!("channels[{}].{key}", self.index)
    }

    /// The options with every secret replaced.
    pub fn public_options(&self) -> Map<String, Value> {
        redact_table(&self.options)
    }
}

impl fmt::Debug for ChannelConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelConfig")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("dialect", &self.dialect)
            .field("queue", &self.queue)
            .field("options", &self.public_options())
            .finish_non_exhaustive()
    }
}
