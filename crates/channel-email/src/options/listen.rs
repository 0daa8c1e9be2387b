//! Where mail is taken by LMTP or SMTP.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::proof::ProofOptions;
use super::table::Table;
use crate::limits::{
    CONNECTIONS_DEFAULT, CONNECTIONS_MAX, IDLE_S_DEFAULT, LISTEN_BYTES_DEFAULT, MAIL_BYTES_MAX,
    RECIPIENTS_DEFAULT, RECIPIENTS_MAX,
};

const KEYS: [&str; 13] = [
    "address",
    "certificate",
    "connections_max",
    "dns",
    "dns_timeout_s",
    "hostname",
    "idle_s",
    "key",
    "mail_bytes_max",
    "protocol",
    "received_by",
    "recipients_max",
    "verify",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A server of one's own delivers; each recipient is answered (RFC 2033).
    Lmtp,
    Smtp,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Self::Lmtp => "LMTP",
            Self::Smtp => "SMTP",
        }
    }
}

/// Certificate and key in PEM, for STARTTLS.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFiles {
    certificate: String,
    key: String,
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsFiles")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenOptions {
    pub protocol: Protocol,
    pub address: SocketAddr,
    /// By which it greets.
    pub hostname: String,
    pub tls: Option<TlsFiles>,
    /// Set if senders are checked here.
    pub proof: Option<ProofOptions>,
    pub mail_bytes_max: usize,
    pub recipients_max: usize,
    pub connections_max: usize,
    /// How long the other side may be silent.
    pub idle: Duration,
}

impl ListenOptions {
    pub(super) fn parse(mut table: Table<'_>) -> Option<Self> {
        table.only(&KEYS);
        let protocol = protocol(&mut table);
        let address = address(&mut table);
        let tls = tls(&mut table);
        let proof = ProofOptions::parse(&mut table, protocol);
        let hostname = table.line("hostname").unwrap_or("localhost").to_owned();
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let most = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let mail_bytes_max = table.number(
            "mail_bytes_max",
            1_024..=most(MAIL_BYTES_MAX),
            most(LISTEN_BYTES_DEFAULT),
        );
        let recipients_max =
            table.number("recipients_max", 1..=most(RECIPIENTS_MAX), most(RECIPIENTS_DEFAULT));
        let connections_max =
            table.number("connections_max", 1..=most(CONNECTIONS_MAX), most(CONNECTIONS_DEFAULT));
        let idle_s = table.number("idle_s", 1..=3_600, IDLE_S_DEFAULT);
        Some(Self {
            protocol: protocol?,
            address: address?,
            hostname,
            tls,
            proof,
            mail_bytes_max: size(mail_bytes_max),
            recipients_max: size(recipients_max),
            connections_max: size(connections_max),
            idle: Duration::from_secs(idle_s),
        })
    }
}

fn protocol(table: &mut Table<'_>) -> Option<Protocol> {
    let help = "write `lmtp` where a mail server of yours delivers, else `smtp`";
    match table.line("protocol") {
        Some("lmtp") => Some(Protocol::Lmtp),
        Some("smtp") => Some(Protocol::Smtp),
        Some(_) => {
            table.mistake("protocol", "there is no such protocol", help);
            None
        }
        None => {
            if !table.has("protocol") {
                table.mistake("protocol", "must be set", help);
            }
            None
        }
    }
}

fn address(table: &mut Table<'_>) -> Option<SocketAddr> {
    let help = "write address and port, such as `127.0.0.1:2424`";
    let text = table.line("address");
    let address = text.and_then(|text| text.parse().ok());
    if address.is_none() && (text.is_some() || !table.has("address")) {
        table.mistake("address", "is no address to listen on", help);
    }
    address
}

fn tls(table: &mut Table<'_>) -> Option<TlsFiles> {
    let (certificate, key) = (table.text("certificate"), table.text("key"));
    let (Some(certificate), Some(key)) = (certificate, key) else {
        if table.has("certificate") != table.has("key") {
            let help = "name both files: `certificate_file` and `key_file`";
            table.mistake("certificate", "a certificate and its key go together", help);
        }
        return None;
    };
    let files = TlsFiles { certificate: certificate.to_owned(), key: key.to_owned() };
    if let Err(cause) = files.server_config() {
        let help = "both files are PEM, the certificate with those that it hangs on";
        table.mistake("certificate", format!("cannot be used: {cause}"), help);
        return None;
    }
    Some(files)
}

impl TlsFiles {
    pub(crate) fn server_config(&self) -> Result<Arc<ServerConfig>, String> {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| "the certificate is not PEM".to_owned())?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|_| "the key is not PEM".to_owned())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let config = builder.with_no_client_auth().with_single_cert(chain, key);
        config.map(Arc::new).map_err(|error| error.to_string())
    }
}
