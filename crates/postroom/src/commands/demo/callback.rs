//! Where answers arrive during the demo: a listener that takes one signed post after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use postroom_channel::signature;
use postroom_model::{Clock as _, SystemClock};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Bytes of a request that are taken.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// What has arrived: the answers by the id under which they were sent.
pub(super) type Arrived = Arc<BTreeMap<String, Value>>;

/// Listens until it is dropped.
#[derive(Debug)]
pub(super) struct Callback {
    pub(super) arrived: watch::Receiver<Arrived>,
    _listening: tokio_util::task::AbortOnDropHandle<()>,
}

impl Callback {
    /// Takes what is posted to `address`, if the port is free.
    pub(super) async fn listen(
        address: std::net::SocketAddr,
        secrets: Vec<signature::Secret>,
        tasks: &TaskTracker,
    ) -> Option<Self> {
        let listener = TcpListener::bind(address).await.ok()?;
        let (sender, arrived) = watch::channel(Arrived::default());
        let listening = tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(body) = answer(stream, &secrets).await {
                    let id = body["id"].as_str().unwrap_or_default().to_owned();
                    sender.send_modify(|all| {
                        Arc::make_mut(all).insert(id, body);
                    });
                }
            }
        });
        Some(Self { arrived, _listening: tokio_util::task::AbortOnDropHandle::new(listening) })
    }
}

/// Reads one request and answers it: 200 if its signature is right.
async fn answer(mut stream: TcpStream, secrets: &[signature::Secret]) -> Option<Value> {
    let mut request = Vec::new();
    let (head_end, length) = loop {
        if request.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        if let Some(at) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let headers = headers(request.get(..at)?);
            let length = headers.get("content-length").and_then(|value| value.to_str().ok());
            break (at + 4, length.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0));
        }
    };
    let wanted = head_end.checked_add(length).filter(|all| *all <= REQUEST_BYTES_MAX)?;
    while request.len() < wanted {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let headers = headers(request.get(..head_end)?);
    let body = request.get(head_end..wanted)?;
    let good = signature::verify(secrets, &headers, body, SystemClock.now()).is_ok();
    let status = if good { "200 OK" } else { "401 Unauthorized" };
    let reply = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
    stream.write_all(reply.as_bytes()).await.ok()?;
    drop(stream.shutdown().await);
    if good { serde_json::from_slice(body).ok() } else { None }
}

fn headers(head: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in String::from_utf8_lossy(head).split("\r\n").skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if let (Ok(name), Ok(value)) =
            (name.trim().parse::<HeaderName>(), HeaderValue::from_str(value.trim()))
        {
            headers.append(name, value);
        }
    }
    headers
}
