//! Whether a listener finds out by itself who sent a mail, and whom it asks.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::listen::Protocol;
use super::table::Table;
use crate::limits::{DNS_S_DEFAULT, DNS_S_MAX, DNS_SERVERS_MAX};

/// The port of a name server.
const DNS_PORT: u16 = 53;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofOptions {
    /// Name servers; those of the system, if none are named.
    pub servers: Vec<SocketAddr>,
    /// The server whose `Received` field tells who handed a mail in, where it does not tell otherwise.
    pub received_by: Option<String>,
    /// How long all questions about one mail may take.
    pub limit: Duration,
}

impl ProofOptions {
    /// None if senders are not checked: a server that delivers by LMTP has met the sender, and we have
    /// not.
    pub(super) fn parse(table: &mut Table<'_>, protocol: Option<Protocol>) -> Option<Self> {
        let wanted = table.flag("verify", protocol == Some(Protocol::Smtp));
        let texts = table.lines("dns", DNS_SERVERS_MAX);
        let servers: Vec<_> = texts.iter().filter_map(|text| server(text)).collect();
        if servers.len() != texts.len() {
            let help = "write them as [\"10.0.0.1\", \"[2001:db8::1]:53\"]";
            table.mistake("dns", "one of them is no address of a name server", help);
        }
        let limit_s = table.number("dns_timeout_s", 1..=DNS_S_MAX, DNS_S_DEFAULT);
        let received_by = table.line("received_by").map(str::to_owned);
        if received_by.is_some() && (!wanted || protocol == Some(Protocol::Smtp)) {
            let help = "it belongs to `protocol = \"lmtp\"` with `verify = true`";
            table.mistake("received_by", "nobody would look at it", help);
        }
        wanted.then(|| Self { servers, limit: Duration::from_secs(limit_s), received_by })
    }
}

/// An address, with or without port.
fn server(text: &str) -> Option<SocketAddr> {
    let alone = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::from((ip, DNS_PORT)));
    text.parse().ok().or_else(alone)
}
