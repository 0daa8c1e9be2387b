//! What the operator says about the server: where it is, who we are there, how much it may hold.
//! Files are read elsewhere; secrets come in as such and show in nothing.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use postroom_model::WorkspaceId;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::{MonitorUrl, NatsError};

/// How to reach the server, and what to ask of it.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// One server or several of a cluster, with commas between: `nats://` or `tls://`. A user and
    /// password in it are taken as [`NatsAuth::User`].
    pub url: SecretString,
    pub workspace: WorkspaceId,
    pub auth: NatsAuth,
    pub tls: NatsTls,
    /// The monitoring endpoint of each server, which alone tells whether it syncs before it
    /// acknowledges.
    pub monitor_urls: Vec<MonitorUrl>,
    /// Codes of findings with which the operator has agreed in writing; see [`crate::Finding::code`].
    pub accepted: Vec<String>,
    /// Copies of each stream in a cluster.
    pub replicas: u8,
    /// Bytes that the streams are made with. One that is there keeps what it has.
    pub inlet_bytes_max: i64,
    pub ledger_bytes_max: i64,
    pub access_bytes_max: i64,
    pub outlet_bytes_max: i64,
    /// For how long a server that does not answer is asked again at the start.
    pub connect_wait: Duration,
}

/// Who we are to the server.
#[derive(Debug, Clone, Default)]
pub enum NatsAuth {
    #[default]
    Nobody,
    Token(SecretString),
    User {
        name: String,
        password: SecretString,
    },
    /// The text of a `.creds` file.
    Credentials(SecretString),
    /// The seed of an NKey.
    Seed(SecretString),
}

/// Encryption of the connection.
#[derive(Debug, Clone, Default)]
pub struct NatsTls {
    /// Never speak unencrypted. A `tls://` address asks for the same.
    pub required: bool,
    /// Certificates of authorities, besides those of the system.
    pub authorities: Option<PathBuf>,
    /// Our own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl NatsOptions {
    /// For one server and the workspace, with nothing accepted and room for a small disk.
    pub fn new(url: impl Into<String>, workspace: WorkspaceId) -> Self {
        Self {
            url: SecretString::from(url.into()),
            workspace,
            auth: NatsAuth::Nobody,
            tls: NatsTls::default(),
            monitor_urls: Vec::new(),
            accepted: Vec::new(),
            replicas: 1,
            inlet_bytes_max: 4 << 30,
            ledger_bytes_max: 8 << 30,
            access_bytes_max: 64 << 20,
            outlet_bytes_max: 512 << 20,
            connect_wait: Duration::from_secs(30),
        }
    }

    /// The addresses without secrets, and who we are.
    pub(crate) fn servers(&self) -> Result<Servers, NatsError> {
        let mut servers =
            Servers { addresses: Vec::new(), auth: self.auth.clone(), tls: self.tls.required };
        for (at, text) in self.url.expose_secret().split(',').enumerate() {
            servers.add(at + 1, text.trim())?;
        }
        Ok(servers)
    }
}

/// Where to connect.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    pub(crate) addresses: Vec<String>,
    pub(crate) auth: NatsAuth,
    pub(crate) tls: bool,
}

impl Servers {
    /// The address is one of ours to show only once nothing secret is left in it.
    fn add(&mut self, number: usize, text: &str) -> Result<(), NatsError> {
        let wrong = |why: &str| NatsError::Options(format!("address {number} of the bus {why}"));
        let mut url = Url::parse(text).map_err(|_| wrong("is not an address"))?;
        match url.scheme() {
            "nats" => {}
            "tls" => self.tls = true,
            _ => return Err(wrong("begins neither with nats:// nor with tls://")),
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("names no host"));
        }
        if !url.username().is_empty() && matches!(self.auth, NatsAuth::Nobody) {
            self.auth = auth_of(&url).ok_or_else(|| wrong("has a user that is not readable"))?;
        }
        let cleaned = url.set_username("").and_then(|()| url.set_password(None));
        cleaned.map_err(|()| wrong("is not an address"))?;
        self.addresses.push(url.to_string());
        Ok(())
    }
}

/// The user and password of an address; a user alone is a token.
fn auth_of(url: &Url) -> Option<NatsAuth> {
    let decoded = |text: &str| {
        let pairs = format!("a={}", text.replace('+', "%2B").replace('&', "%26"));
        let mut pairs = url::form_urlencoded::parse(pairs.as_bytes());
        pairs.next().map(|(_, value)| value.into_owned())
    };
    let name = decoded(url.username())?;
    Some(match url.password() {
        Some(password) => NatsAuth::User { name, password: decoded(password)?.into() },
        None => NatsAuth::Token(name.into()),
    })
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.addresses.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{NatsAuth, NatsOptions};
    use postroom_model::WorkspaceId;
    use secrecy::ExposeSecret as _;

    fn options(url: &str) -> NatsOptions {
        NatsOptions::new(url, WorkspaceId::main())
    }

    #[test]
    fn secret_of_an_address_is_taken_out_and_shows_nowhere() {
        let options = options("nats://ann:cana%3Ary@a:4222, tls://b");
        let servers = options.servers().unwrap();
        assert_eq!(servers.addresses, ["nats://a:4222", "tls://b"]);
        assert!(servers.tls, "one of them asks for it");
        let NatsAuth::User { name, password } = &servers.auth else {
            panic!("{:?}", servers.auth);
        };
        assert_eq!((name.as_str(), password.expose_secret()), ("ann", "cana:ry"));
        for shown in [format!("{options:?}"), format!("{servers:?}"), servers.to_string()] {
            assert!(!shown.contains("cana"), "{shown}");
        }
    }

    #[test]
    fn address_that_is_none_is_refused_without_being_shown() {
        for bad in ["redis://u:canary@a", "nats://", "canary", "nats://a,", ""] {
            let error = options(bad).servers().unwrap_err();
            assert_eq!(error.code(), "nats_options_invalid", "{bad}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn user_alone_is_a_token_and_options_go_before_the_address() {
        assert!(matches!(options("nats://t@a").servers().unwrap().auth, NatsAuth::Token(_)));
        let mut options = options("nats://t@a");
        options.auth = NatsAuth::Seed("seed".into());
        assert!(matches!(options.servers().unwrap().auth, NatsAuth::Seed(_)));
    }
}
