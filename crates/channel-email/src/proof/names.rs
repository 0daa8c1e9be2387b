//! The name servers that are asked, and how much is kept of what they said.

use std::net::SocketAddr;
use std::time::Duration;

use mail_auth::MessageAuthenticator;
use mail_auth::hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use mail_auth::hickory_resolver::proto::rr::Name;
use mail_auth::hickory_resolver::system_conf::read_system_conf;

use crate::limits::{DNS_CACHE_MAX, DNS_KEPT_S_MAX, DNS_MISSING_KEPT_S_MAX};

/// Asks these servers, or those of the system where none are named.
pub(super) fn asker(
    servers: &[SocketAddr],
    limit: Duration,
) -> Result<MessageAuthenticator, String> {
    let (config, options) = if servers.is_empty() {
        read_system_conf().map_err(|error| error.to_string())?
    } else {
        let servers = servers.iter().map(|server| named(*server)).collect();
        let mut options = ResolverOpts::default();
        options.use_hosts_file = ResolveHosts::Never;
        (ResolverConfig::from_name_servers(servers), options)
    };
    MessageAuthenticator::new(config, limited(options, limit)).map_err(|error| error.to_string())
}

fn named(server: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.into())
}

fn limited(mut options: ResolverOpts, limit: Duration) -> ResolverOpts {
    options.cache_size = DNS_CACHE_MAX;
    options.positive_max_ttl = Some(Duration::from_secs(DNS_KEPT_S_MAX));
    options.negative_max_ttl = Some(Duration::from_secs(DNS_MISSING_KEPT_S_MAX));
    // So that a second server is asked before the time is over.
    options.timeout = options.timeout.min(limit / 3);
    options
}

/// Asks for the policy of a domain: what matters is that somebody answers.
pub(super) async fn ask(asker: &MessageAuthenticator, domain: &str) -> Result<String, String> {
    let name = Name::from_str_relaxed(format!("_dmarc.{domain}.")).map_err(|e| e.to_string())?;
    match asker.resolver().txt_lookup(name).await {
        Ok(_) => Ok(format!("the name servers answer, and {domain} has a policy (DMARC)")),
        Err(error) if error.is_no_records_found() => {
            Ok(format!("the name servers answer; {domain} has no policy (DMARC)"))
        }
        Err(error) => Err(format!("the name servers do not answer: {error}")),
    }
}
