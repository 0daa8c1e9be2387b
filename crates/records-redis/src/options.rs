//! What may be set, and the limits that hold for every connection.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use postroom_model::{Random, SystemRandom};
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo as _, TlsCertificates};

use crate::RedisError;

/// How long a silent connection is trusted before the system asks the other side.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// What may be set; the defaults are for a server.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// For how long an answer is waited for. What was not answered may have been carried out.
    pub response_wait: Duration,
    /// For how long a connection is waited for.
    pub connect_wait: Duration,
    /// How often it is looked where the records stand, in case a hint was missed. This is the ping
    /// of the connections too.
    pub look_every: Duration,
    /// Codes of findings with which the operator has agreed in writing; see [`crate::Finding::code`].
    pub accepted: Vec<String>,
    /// A file of certificates of authorities, in place of those of the system.
    pub authorities: Option<PathBuf>,
    /// Names the generations of the records.
    pub random: Arc<dyn Random>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            response_wait: Duration::from_secs(2),
            connect_wait: Duration::from_secs(1),
            look_every: Duration::from_secs(2),
            accepted: Vec::new(),
            authorities: None,
            random: Arc::new(SystemRandom::new()),
        }
    }
}

impl RedisOptions {
    pub(crate) fn connection(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_response_timeout(Some(self.response_wait))
            .set_connection_timeout(Some(self.connect_wait))
    }
}

/// The server that `url` names; nothing is connected yet.
pub(crate) fn client(url: &str, options: &RedisOptions) -> Result<Client, RedisError> {
    // The library's words name what is wrong and leave the password out.
    let invalid = |error: redis::RedisError| RedisError::Url(error.to_string());
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    let info = url.into_connection_info().map_err(invalid)?.set_tcp_settings(tcp);
    let Some(file) = &options.authorities else {
        return Client::open(info).map_err(invalid);
    };
    let root_cert = std::fs::read(file).map_err(|error| {
        RedisError::Url(format!("the authorities in {} cannot be read: {error}", file.display()))
    })?;
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
    Client::build_with_tls(info, certificates).map_err(invalid)
}
