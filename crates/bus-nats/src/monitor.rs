//! Reads a server's monitoring endpoint: the only place that tells whether it syncs before it
//! acknowledges.

use std::fmt;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

use crate::limits::{MONITOR_BYTES_MAX, MONITOR_WAIT};

/// The address of a monitoring endpoint, such as `http://127.0.0.1:8222`. It shows without what
/// stands before an `@`.
#[derive(Clone, PartialEq, Eq)]
pub struct MonitorUrl(String);

impl<T: Into<String>> From<T> for MonitorUrl {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for MonitorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Url::parse(&self.0) {
            Ok(url) => {
                let port = url.port_or_known_default().unwrap_or_default();
                write!(f, "{}://{}:{port}", url.scheme(), url.host_str().unwrap_or_default())
            }
            Err(_) => f.write_str("a monitoring address that cannot be read"),
        }
    }
}

impl fmt::Debug for MonitorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The answer of `/varz`, or why there is none.
pub(crate) async fn varz(monitor: &MonitorUrl) -> Result<Bytes, String> {
    match tokio::time::timeout(MONITOR_WAIT, read(monitor)).await {
        Ok(answer) => answer.map_err(|detail| format!("{monitor}: {detail}")),
        Err(_) => Err(format!("{monitor}: no answer in time")),
    }
}

async fn read(monitor: &MonitorUrl) -> Result<Bytes, String> {
    let url = Url::parse(&monitor.0).map_err(|error| error.to_string())?;
    if url.scheme() != "http" {
        return Err("only http:// is read; let the endpoint listen on a private address".into());
    }
    let host = url.host_str().ok_or("it names no host")?;
    let port = url.port_or_known_default().ok_or("it names no port")?;
    let path = format!("{}/varz", url.path().trim_end_matches('/'));
    let tcp = TcpStream::connect((host.trim_matches(['[', ']']), port)).await;
    let tcp = tcp.map_err(|error| error.to_string())?;
    let handshake = http1::handshake(TokioIo::new(tcp)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let request = http::Request::get(path)
        .header(http::header::HOST, format!("{host}:{port}"))
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = async move {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        if !answer.status().is_success() {
            return Err(format!("it answered {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), MONITOR_BYTES_MAX).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| error.to_string())
    };
    // The connection ends when the sender is dropped, after the answer.
    let (answer, _closed) = tokio::join!(answer, connection);
    answer
}

#[cfg(test)]
mod tests {
    use super::{MonitorUrl, varz};

    #[test]
    fn address_is_shown_without_its_user() {
        assert_eq!(MonitorUrl::from("http://u:canary@a:8222/x").to_string(), "http://a:8222");
        for secret in ["http://u:canary@a:8222", "canary"] {
            let shown = format!("{:?}", MonitorUrl::from(secret));
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[tokio::test]
    async fn address_that_cannot_be_read_says_why() {
        for (monitor, words) in
            [("https://a", "only http"), ("http://127.0.0.1:1", "127.0.0.1:1"), ("x", "address")]
        {
            let detail = varz(&MonitorUrl::from(monitor)).await.unwrap_err();
            assert!(detail.contains(words), "{detail}");
        }
    }
}
