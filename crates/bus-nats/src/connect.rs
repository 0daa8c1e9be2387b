//! The connection: how fast a dead one is noticed, how it comes back, and who we are on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::options::Servers;
use crate::{NatsAuth, NatsError, NatsOptions};

/// Two of these without an answer, and the connection counts as dead.
const PING_EVERY: Duration = Duration::from_secs(5);
const CONNECT_WAIT: Duration = Duration::from_secs(2);
const REQUEST_WAIT: Duration = Duration::from_secs(5);
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Messages that one subscription holds; a pull is far smaller.
const SUBSCRIPTION_CAPACITY: usize = 16_384;

/// A connection, and how often it was made.
#[derive(Debug, Clone)]
pub(crate) struct Connected {
    pub(crate) client: Client,
    /// Grows with each connect, so that who keeps something on the server looks after it.
    pub(crate) times: watch::Receiver<u64>,
    /// Grows with each loss, so that nobody waits for an answer that was lost with it.
    pub(crate) losses: watch::Receiver<u64>,
}

/// Connects, and asks again for as long as the options say where nobody answers.
pub(crate) async fn connect(options: &NatsOptions) -> Result<Connected, NatsError> {
    let servers = options.servers()?;
    let deadline = Instant::now() + options.connect_wait;
    let mut attempt = 0_usize;
    loop {
        let error = match connect_once(options, &servers).await {
            Ok(connected) => return Ok(connected),
            Err(error) => error,
        };
        let pause = pause_after(attempt, 0);
        if !error.retryable() || Instant::now() + pause > deadline {
            return Err(error);
        }
        tracing::warn!(code = error.code(), %error, "cannot connect; trying again");
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}

async fn connect_once(options: &NatsOptions, servers: &Servers) -> Result<Connected, NatsError> {
    let (made, times) = watch::channel(0_u64);
    let (lost, losses) = watch::channel(0_u64);
    let connecting = client_options(options, servers)?
        .event_callback(move |event| {
            note(&event, &made, &lost);
            std::future::ready(())
        })
        .connect(servers.addresses.clone());
    match connecting.await {
        Ok(client) => Ok(Connected { client, times, losses }),
        Err(error) => {
            let servers = servers.to_string();
            // The words of the library name addresses, which hold no secret any more.
            let detail = error.to_string();
            Err(match error.kind() {
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    NatsError::Denied { servers, detail }
                }
                _ if is_about_certificates(&error) => NatsError::Untrusted { servers, detail },
                ConnectErrorKind::ServerParse => NatsError::Options(detail),
                _ => NatsError::Unreachable { servers, detail },
            })
        }
    }
}

/// The library hands the words of TLS on as those of a broken connection.
fn is_about_certificates(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).any(|words| words.contains("certificate"))
}

fn client_options(options: &NatsOptions, servers: &Servers) -> Result<ConnectOptions, NatsError> {
    let mut client = ConnectOptions::new()
        .name(format!("postroom {}", options.workspace))
        .ping_interval(PING_EVERY)
        .connection_timeout(CONNECT_WAIT)
        .request_timeout(Some(REQUEST_WAIT))
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .max_reconnects(None)
        .reconnect_delay_callback(spread());
    client = match &servers.auth {
        NatsAuth::Nobody => client,
        NatsAuth::Token(token) => client.token(token.expose_secret().to_owned()),
        NatsAuth::User { name, password } => {
            client.user_and_password(name.clone(), password.expose_secret().to_owned())
        }
        NatsAuth::Seed(seed) => client.nkey(seed.expose_secret().to_owned()),
        NatsAuth::Credentials(text) => {
            // The library's words about it could show a part of it.
            let wrong = |_| NatsError::Options("the credentials of the bus cannot be read".into());
            client.credentials(text.expose_secret()).map_err(wrong)?
        }
    };
    if servers.tls || options.tls.required {
        client = client.require_tls(true);
    }
    if let Some(authorities) = &options.tls.authorities {
        client = client.add_root_certificates(authorities.clone());
    }
    if let Some((certificate, key)) = &options.tls.identity {
        client = client.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(client)
}

/// How long to wait before the next try: longer each time, up to a limit.
fn pause_after(attempt: usize, spread_ms: u64) -> Duration {
    let exponent = u32::try_from(attempt.min(8)).unwrap_or(8);
    let pause = Duration::from_millis(20_u64.saturating_mul(2_u64.saturating_pow(exponent)));
    (pause + Duration::from_millis(spread_ms)).min(RECONNECT_PAUSE_MAX)
}

/// Pauses that differ a little from time to time, so that many processes do not come at once.
fn spread() -> impl Fn(usize) -> Duration + Send + Sync + 'static {
    let own = u64::from(std::process::id());
    let turn = AtomicU64::new(own);
    move |attempt| {
        let turn = turn.fetch_add(own | 1, Ordering::Relaxed);
        pause_after(attempt, turn.wrapping_mul(2_654_435_761) % 97)
    }
}

fn note(event: &Event, made: &watch::Sender<u64>, lost: &watch::Sender<u64>) {
    match event {
        Event::Connected => {
            tracing::info!("connected to NATS");
            made.send_modify(|times| *times += 1);
        }
        Event::Disconnected => {
            tracing::warn!("disconnected from NATS");
            lost.send_modify(|times| *times += 1);
        }
        // A reader sees the gap in what was delivered and begins anew.
        Event::SlowConsumer(id) => tracing::warn!(id, "messages were dropped before a reader"),
        other => tracing::info!(event = %other, "NATS"),
    }
}

#[cfg(test)]
mod tests {
    use super::{RECONNECT_PAUSE_MAX, pause_after, spread};
    use std::time::Duration;

    #[test]
    fn pauses_grow_to_a_limit_and_are_spread() {
        assert_eq!(pause_after(0, 0), Duration::from_millis(20));
        assert!(pause_after(3, 0) > pause_after(2, 0));
        assert_eq!(pause_after(usize::MAX, u64::MAX / 2), RECONNECT_PAUSE_MAX);
        let spread = spread();
        let pauses: std::collections::BTreeSet<Duration> = (0..20).map(|_| spread(3)).collect();
        assert!(pauses.len() > 5, "{pauses:?}");
    }
}
