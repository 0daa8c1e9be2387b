//! Whether a mail that we take ourselves is from whom it says: SPF, DKIM and DMARC, asked of the DNS.
//!
//! What was found is written as a server writes it into `Authentication-Results` (RFC 8601), and judged
//! like the field of one. Nothing is refused for it. Name servers that are silent, late or broken prove
//! nothing and refute nothing.

mod names;
mod received;
mod results;

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{AuthenticatedMessage, MessageAuthenticator, SpfOutput};

use crate::limits::{
    HEADER_BYTES_MAX, HEADER_FIELDS_MAX, SIGNATURES_CHECKED_MAX, SIGNED_FIELDS_MAX,
};
use crate::options::ProofOptions;

/// What is said where the name servers did not say it in time.
const TOO_LATE: &str = "dmarc=temperror";
/// What is said of a mail that is no mail.
const NOTHING: &str = "none";

/// The way of a mail to us, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// Who handed it to the first server that belongs to us; SPF has nothing to say without.
    pub(crate) client: Option<IpAddr>,
    /// The name by which that one greeted.
    pub(crate) hello: String,
    /// The sender in the envelope; empty for a bounce.
    pub(crate) sender: String,
    /// Our own name.
    pub(crate) host: String,
}

/// Asks the name servers of one listener.
pub(crate) struct Prover {
    servers: Vec<SocketAddr>,
    limit: Duration,
    /// The server whose `Received` field tells the client, where nobody else does.
    received_by: Option<String>,
    /// Made at the first question: where the system has no name servers, there is none.
    asker: OnceLock<Option<MessageAuthenticator>>,
}

impl std::fmt::Debug for Prover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prover").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Prover {
    pub(crate) fn new(options: &ProofOptions) -> Self {
        let ProofOptions { servers, limit, received_by } = options.clone();
        Self { servers, limit, received_by, asker: OnceLock::new() }
    }

    /// What the DNS says of this mail.
    pub(crate) async fn results(&self, mail: &Bytes, way: Way) -> String {
        let Some(asker) = self.asker() else { return TOO_LATE.to_owned() };
        let (mail, limit, named) = (mail.clone(), self.limit, self.received_by.clone());
        let runtime = tokio::runtime::Handle::current();
        // Hashing a large mail keeps a processor for a while, and whatever breaks there breaks alone.
        let finding = tokio::task::spawn_blocking(move || {
            let way = told(&mail, way, named.as_deref());
            runtime
                .block_on(async { tokio::time::timeout(limit, found(&asker, &mail, &way)).await })
        });
        match finding.await {
            Ok(Ok(results)) => results,
            Ok(Err(_)) => TOO_LATE.to_owned(),
            Err(_) => NOTHING.to_owned(),
        }
    }

    /// Whether the name servers answer, for `doctor`.
    pub(crate) async fn examine(&self, domain: &str) -> Result<String, String> {
        let Some(asker) = self.asker() else {
            return Err("the system names no servers".to_owned());
        };
        let asked = tokio::time::timeout(self.limit, names::ask(&asker, domain));
        asked.await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    fn asker(&self) -> Option<MessageAuthenticator> {
        let made = || match names::asker(&self.servers, self.limit) {
            Ok(asker) => Some(asker),
            Err(error) => {
                tracing::error!(code = "dns_failed", %error, "senders cannot be checked");
                None
            }
        };
        self.asker.get_or_init(made).clone()
    }
}

/// The way, with the client that the named server met.
fn told(mail: &[u8], mut way: Way, server: Option<&str>) -> Way {
    let is_open = way.client.is_none() && has_small_header(mail);
    let server = server.filter(|_| is_open);
    if let Some((client, hello)) = server.and_then(|server| received::client(mail, server)) {
        (way.client, way.hello) = (Some(client), hello);
    }
    way
}

async fn found(asker: &MessageAuthenticator, mail: &[u8], way: &Way) -> String {
    let read = has_small_header(mail).then(|| AuthenticatedMessage::parse(mail)).flatten();
    let Some(mut message) = read else { return NOTHING.to_owned() };
    message.dkim_headers.retain(|one| one.header.h.len() <= SIGNED_FIELDS_MAX);
    message.dkim_headers.truncate(SIGNATURES_CHECKED_MAX);
    let dkim = asker.verify_dkim(&message).await;
    let spf = match way.client {
        Some(ip) => {
            let way = SpfParameters::verify(ip, &way.hello, &way.host, &way.sender);
            asker.verify_spf(way).await
        }
        None => SpfOutput::default(),
    };
    let domain = way.sender.rsplit_once('@').map_or(way.hello.as_str(), |(_, domain)| domain);
    let dmarc = asker
        .verify_dmarc(DmarcParameters {
            message: &message,
            dkim_output: &dkim,
            dkim2_output: None,
            rfc5321_mail_from_domain: domain,
            spf_output: &spf,
        })
        .await;
    let spf = way.client.is_some().then_some((&spf, way.sender.as_str()));
    results::written(spf, &dkim, &dmarc)
}

/// Whether its header is one that is read at all; a larger one is set aside.
fn has_small_header(mail: &[u8]) -> bool {
    let head = mail.get(..HEADER_BYTES_MAX.min(mail.len())).unwrap_or_default();
    let end = head.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.or_else(|| (head.len() == mail.len()).then_some(head.len()));
    let lines = |end| head.get(..end).unwrap_or_default().split(|byte| *byte == b'\n').count();
    // A field has several lines.
    end.is_some_and(|end| lines(end) <= 4 * HEADER_FIELDS_MAX)
}

#[cfg(test)]
mod tests;
