//! TLS: who may vouch for a server, and the two ways to begin it.

use std::sync::{Arc, OnceLock};

use postroom_channel::{OptionError, install_crypto};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::ImapError;
use crate::names::words;

/// Bytes of one line while STARTTLS is asked for.
const PLAIN_LINE_BYTES_MAX: usize = 8 * 1024;
/// Lines before the answer to STARTTLS.
const PLAIN_LINES_MAX: usize = 20;

/// The certificates of the system are read once: every mailbox shares them.
static OF_SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();

/// What TLS with a server is begun with.
pub(crate) fn config(ca: Option<&str>) -> Result<Arc<ClientConfig>, OptionError> {
    install_crypto();
    let Some(pem) = ca else {
        return Ok(Arc::clone(OF_SYSTEM.get_or_init(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            build(roots)
        })));
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        if added.is_none() {
            return Err(bad_ca());
        }
    }
    if roots.is_empty() { Err(bad_ca()) } else { Ok(build(roots)) }
}

fn bad_ca() -> OptionError {
    let help = "name a file in PEM, with the certificate of the authority, by `ca_file`";
    OptionError::new("ca", "holds no certificates, or one that cannot be read", help)
}

fn build(roots: RootCertStore) -> Arc<ClientConfig> {
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// Begins TLS. `stream` has nothing of the server in it that was not read.
pub(crate) async fn begin(
    config: &Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, ImapError> {
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| ImapError::Tls(format!("{host} is no name of a server")))?;
    let begun = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
    begun.map_err(|error| ImapError::Tls(words(&why(host, &error))))
}

/// What is wrong, for whoever set the server or the certificate up.
fn why(host: &str, error: &std::io::Error) -> String {
    let of_tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    let bad = match of_tls {
        Some(rustls::Error::InvalidMessage(_)) => {
            return "it does not begin with TLS on this port".to_owned();
        }
        Some(rustls::Error::InvalidCertificate(bad)) => bad,
        _ => return error.to_string(),
    };
    match bad {
        // Another authority may have the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "nobody who is trusted vouches for its certificate".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired, by the clock of this machine".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not good yet, by the clock of this machine".to_owned()
        }
        CertificateError::NotValidForName => format!("its certificate is not for {host}"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("its certificate is not for {host}, but for {}", presented.join(", "))
        }
        // The library has no other word for it.
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority, which may vouch for servers and be none"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// Asks for TLS in the clear. Nothing that was said before counts afterwards, and what came early with
/// the answer, where anybody may have put it, is refused.
pub(crate) async fn ask(stream: &mut TcpStream) -> Result<(), ImapError> {
    let broken = |error: std::io::Error| ImapError::Closed(error.kind().to_string());
    let greeting = line(stream).await.map_err(broken)?;
    if !greeting.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("* OK ")) {
        return Err(ImapError::Greeting(words(&greeting)));
    }
    stream.write_all(b"S1 STARTTLS\r\n").await.map_err(broken)?;
    for _ in 0..PLAIN_LINES_MAX {
        let answer = line(stream).await.map_err(broken)?;
        let Some(status) = answer.strip_prefix("S1 ") else { continue };
        if !status.get(..2).is_some_and(|status| status.eq_ignore_ascii_case("OK")) {
            return Err(ImapError::Tls(format!("it refuses STARTTLS: {}", words(status))));
        }
        return Ok(());
    }
    Err(ImapError::Tls("it does not answer to STARTTLS".to_owned()))
}

/// Read byte by byte, so that nothing behind the line is taken.
async fn line(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        if line.len() >= PLAIN_LINE_BYTES_MAX {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        line.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::config;

    #[test]
    fn what_is_no_certificate_is_refused() {
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            assert_eq!(config(Some(text)).unwrap_err().key, "ca", "{text}");
        }
        assert!(config(None).is_ok());
    }
}
