//! The guard for outgoing requests (P10): no request that Postroom makes over HTTP reaches a
//! private address unless the operator allowed it.
//!
//! Names are judged where they are resolved, on the very addresses that are then connected to, so a
//! name that answers differently the second time gains nothing. Address literals in a URL skip the
//! resolver and are judged here too. There are no redirects, no proxy from the environment, no
//! second attempts and no connection kept open between requests.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpStream;
use url::{Host, Url};

use crate::address::{AllowList, is_public};
use crate::{ConnectError, GuardError};

/// To have a connection, with name and TLS.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From the start until the answer is read.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Characters in a URL that is called.
pub const URL_CHARS_MAX: usize = 2_048;

type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
type Resolver = Arc<dyn Fn(String) -> Lookup + Send + Sync>;

/// How long a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    pub connect: Duration,
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: CONNECT_TIMEOUT, total: TOTAL_TIMEOUT }
    }
}

/// Makes every outgoing request over HTTP, and says where others may go. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    client: reqwest::Client,
    allow: Arc<AllowList>,
    lookup: Resolver,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("allow", &self.allow).finish_non_exhaustive()
    }
}

impl Guard {
    /// With the deadlines of this module.
    pub fn new(allow: AllowList) -> Result<Self, GuardError> {
        Self::with_deadlines(allow, Deadlines::default())
    }

    pub fn with_deadlines(allow: AllowList, deadlines: Deadlines) -> Result<Self, GuardError> {
        Self::build(allow, deadlines, Arc::new(system_lookup))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that builds a client for outgoing requests"
    )]
    fn build(allow: AllowList, deadlines: Deadlines, lookup: Resolver) -> Result<Self, GuardError> {
        install_crypto();
        let allow = Arc::new(allow);
        let resolver = GuardedResolver { allow: Arc::clone(&allow), lookup: Arc::clone(&lookup) };
        // A kept connection that the other side closes just now looks like a request that broke off
        // halfway, and a reply that may have left is never sent again: so none is kept.
        let client = reqwest::Client::builder()
            .user_agent(concat!("Postroom/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .connect_timeout(deadlines.connect)
            .timeout(deadlines.total)
            .dns_resolver(Arc::new(resolver))
            .build()
            .map_err(|error| GuardError::Client(innermost(&error)))?;
        Ok(Self { client, allow, lookup })
    }

    /// A request to `url`, once that was found to be one that may be called.
    pub fn request(
        &self,
        method: reqwest::Method,
        url: &str,
    ) -> Result<reqwest::RequestBuilder, GuardError> {
        let url = self.check(url)?;
        Ok(self.client.request(method, url))
    }

    /// Where `host` can be reached, for what is no HTTP: those of its addresses that may be connected
    /// to, resolved now. Whoever connects connects to these.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, GuardError> {
        let unknown = |cause: String| GuardError::UnknownHost(format!("{host}: {cause}"));
        let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let found = (self.lookup)(host.to_owned()).await;
                let found = found.map_err(|error| unknown(error.to_string()))?;
                found.into_iter().map(|one| SocketAddr::new(one.ip(), port)).collect()
            }
        };
        let private = found.iter().find(|one| !may_reach(&self.allow, one.ip())).copied();
        let good = found.into_iter().filter(|one| may_reach(&self.allow, one.ip()));
        let good: Vec<SocketAddr> = good.collect();
        match (good.is_empty(), private) {
            (false, _) => Ok(good),
            (true, Some(address)) => {
                Err(GuardError::PrivateAddress(format!("{} of {host}", address.ip())))
            }
            (true, None) => Err(unknown("the name has no address".to_owned())),
        }
    }

    /// Whether `url` may be called, as far as can be said without resolving its name.
    pub fn check(&self, url: &str) -> Result<Url, GuardError> {
        let url = check_url(url)?;
        let literal = match url.host() {
            None | Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        };
        match literal {
            Some(address) if !may_reach(&self.allow, address) => {
                Err(GuardError::PrivateAddress(address.to_string()))
            }
            _ => Ok(url),
        }
    }
}

impl Guard {
    /// A connection to a host, for what is not HTTP. Its name is judged where it is resolved, as that of a
    /// URL is. No wait of its own: whoever asks has one.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        let failed = |error: io::Error| ConnectError::Failed(error.to_string());
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => (self.lookup)(host.to_owned()).await.map_err(failed)?,
        };
        let mut last = ConnectError::Failed("the name has no address".to_owned());
        for address in found {
            if !may_reach(&self.allow, address.ip()) {
                let refused = if host.parse::<IpAddr>().is_ok() {
                    host.to_owned()
                } else {
                    format!("{} of {host}", address.ip())
                };
                last = ConnectError::Refused(GuardError::PrivateAddress(refused));
                continue;
            }
            match TcpStream::connect((address.ip(), port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = failed(error),
            }
        }
        Err(last)
    }
}

/// Whether `url` has the form of one that may be called: http or https, a host, no password.
pub fn check_url(url: &str) -> Result<Url, GuardError> {
    let bad = |cause: String| GuardError::BadUrl(cause);
    if url.len() > URL_CHARS_MAX {
        return Err(bad(format!("it is longer than {URL_CHARS_MAX} characters")));
    }
    let url = Url::parse(url).map_err(|error| bad(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("only http and https are called".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it carries a user name or password".to_owned()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("it names no host".to_owned()));
    }
    Ok(url)
}

/// Makes ring the crypto provider of this process, unless one is installed. The program does it at
/// start; a guard does it too, so that no test has to.
pub fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race means that another thread installed one: just what is wanted.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

/// The guard's own refusal inside an error of a request, if that is why it failed.
pub fn refused_by_guard(error: &reqwest::Error) -> Option<GuardError> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refusal) = cause.downcast_ref::<GuardError>() {
            return Some(refusal.clone());
        }
        source = cause.source();
    }
    None
}

/// The innermost cause of an error of a request, in words. The outer ones repeat the URL, which may
/// hold a secret.
pub fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if cause.is::<reqwest::Error>() {
        return "the request failed".to_owned();
    }
    cause.to_string()
}

/// Why the body of an answer could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the answer broke off: {0}")]
    Broken(String),
}

impl ReadError {
    /// Stable; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "answer_too_large",
            Self::Broken(_) => "answer_broken",
        }
    }

    /// Whether the same request may be answered better later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Broken(_))
    }
}

/// Reads the body of an answer of at most `bytes_max` bytes.
pub async fn read_bounded(
    mut response: reqwest::Response,
    bytes_max: usize,
) -> Result<Bytes, ReadError> {
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(body.freeze()),
            Ok(Some(chunk)) if body.len() + chunk.len() > bytes_max => {
                return Err(ReadError::TooLarge(bytes_max));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => return Err(ReadError::Broken(innermost(&error))),
        }
    }
}

fn may_reach(allow: &AllowList, address: IpAddr) -> bool {
    is_public(address) || allow.contains(address)
}

fn system_lookup(name: String) -> Lookup {
    Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
}

/// Gives only those addresses of a name that may be reached.
struct GuardedResolver {
    allow: Arc<AllowList>,
    lookup: Resolver,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let lookup = (self.lookup)(name.clone());
        let allow = Arc::clone(&self.allow);
        Box::pin(async move {
            let found = lookup.await?;
            let (good, bad): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| may_reach(&allow, address.ip()));
            match (good.is_empty(), bad.first()) {
                (true, Some(address)) => {
                    let refused = format!("{} of {name}", address.ip());
                    Err(GuardError::PrivateAddress(refused).into())
                }
                (true, None) => {
                    Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into())
                }
                (false, _) => Ok(Box::new(good.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::{Deadlines, Guard, Lookup, ReadError, read_bounded, refused_by_guard};
    use crate::{AllowList, ConnectError, GuardError};

    /// A guard whose names all have these addresses.
    fn guard(allow: &[&str], addresses: Vec<SocketAddr>) -> Guard {
        let lookup = move |_name: String| -> Lookup {
            let addresses = addresses.clone();
            Box::pin(async move { Ok(addresses) })
        };
        let allow = AllowList::parse(allow).unwrap();
        Guard::build(allow, Deadlines::default(), Arc::new(lookup)).unwrap()
    }

    #[tokio::test]
    async fn connection_to_a_private_address_is_made_only_where_it_is_allowed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let strict = guard(&[], vec![address]);
        for host in ["127.0.0.1", "mail.example.com", "::1"] {
            let refused = strict.connect(host, address.port()).await.unwrap_err();
            assert!(matches!(refused, ConnectError::Refused(_)), "{host}: {refused}");
        }
        let open = guard(&["127.0.0.1/32"], vec![address]);
        for host in ["127.0.0.1", "mail.example.com"] {
            open.connect(host, address.port()).await.unwrap();
        }
        let nowhere = guard(&[], vec![]).connect("mail.example.com", 993).await.unwrap_err();
        assert!(matches!(nowhere, ConnectError::Failed(_)), "{nowhere}");
    }

    #[test]
    fn hostile_urls_are_refused_however_they_are_spelt() {
        let guard = guard(&[], Vec::new());
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://127.0.0.1./",
            "http://0/",
            "http://\u{ff11}27.0.0.1/",
            "http://127。0。0。1/",
            "http://%31%32%37.0.0.1/",
            "http://10.1.2.3/",
            "http://172.31.255.255/",
            "http://192.168.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.64.0.1/",
            "http://198.18.0.1/",
            "http://192.0.2.1/",
            "http://198.51.100.7/",
            "http://203.0.113.9/",
            "http://192.88.99.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://240.0.0.1/",
            "http://192.0.0.8/",
            "http://[::]/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[fe80::1]/",
            "http://[fc00::1]/",
            "http://[fd12::1]/",
            "http://[ff02::1]/",
            "http://[2001:db8::1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[64:ff9b:1::1]/",
            "http://[2002:7f00:1::]/",
            "http://[100::1]/",
            "http://[2001::1]/",
            "http://[3fff::1]/",
            "http://[5f00::1]/",
            "http://[fec0::1]/",
        ] {
            let refused = guard.check(url).expect_err(url);
            assert_eq!(refused.code(), "address_not_allowed", "{url}: {refused}");
        }
        for url in [
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "data:text/html,x",
            "http://user@example.com/",
            "http://user:pass@example.com/",
            "http://:pass@example.com/",
            "http:///",
            "//example.com",
            "example.com",
            "",
            "http://[fe80::1%25eth0]/",
            "http://exa mple.com/",
            "http://256.256.256.256/",
        ] {
            let refused = guard.check(url).expect_err(url);
            assert_eq!(refused.code(), "url_not_allowed", "{url}: {refused}");
        }
        let long = format!("http://example.com/{}", "x".repeat(3_000));
        assert!(guard.check(&long).is_err());
        for url in ["https://example.com/", "http://8.8.8.8:8080/x?y", "http://[2606:4700::1111]/"]
        {
            assert!(guard.check(url).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn name_that_resolves_to_a_private_address_is_never_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("http://rebound.example.com:{port}/");
        for address in ["127.0.0.1:0", "10.0.0.1:0", "[::ffff:127.0.0.1]:0", "169.254.169.254:0"] {
            let guard = guard(&[], vec![address.parse().unwrap()]);
            let request = guard.request(reqwest::Method::GET, &url).unwrap();
            let error = request.send().await.unwrap_err();
            let refused = refused_by_guard(&error).expect("the guard refused it");
            assert!(matches!(refused, GuardError::PrivateAddress(_)), "{refused}");
        }
        let nobody = std::future::poll_fn(|context| {
            std::task::Poll::Ready(listener.poll_accept(context).is_pending())
        });
        assert!(nobody.await, "somebody connected");
    }

    #[tokio::test]
    async fn allowed_address_is_reached_and_redirects_are_not_followed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let private: SocketAddr = "10.0.0.1:0".parse().unwrap();
        let guard = guard(&["127.0.0.0/8"], vec![private, loopback]);
        let asked = AtomicUsize::new(0);
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _length = stream.read(&mut request).await.unwrap();
            asked.fetch_add(1, Ordering::SeqCst);
            let location = format!("http://127.0.0.1:{port}/again");
            let answer = format!(
                "HTTP/1.1 307 Moved\r\nlocation: {location}\r\ncontent-length: 5\r\n\r\nmoved"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let url = format!("http://site.example.com:{port}/");
        let client = async {
            let request = guard.request(reqwest::Method::POST, &url).unwrap();
            request.body("x").send().await.unwrap()
        };
        let (answer, ()) = tokio::join!(client, server);
        assert_eq!(answer.status(), 307);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert_eq!(read_bounded(answer, 4).await, Err(ReadError::TooLarge(4)));
    }

    #[tokio::test]
    async fn name_without_an_address_is_no_refusal_of_the_guard() {
        let guard = guard(&[], Vec::new());
        let request = guard.request(reqwest::Method::GET, "http://nowhere.example.com/");
        let error = request.unwrap().send().await.unwrap_err();
        assert!(error.is_connect());
        assert_eq!(refused_by_guard(&error), None);
    }
}
