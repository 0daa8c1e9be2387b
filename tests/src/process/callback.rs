//! Where answers arrive: a listener that records what is posted and answers as the test scripts it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::WAIT;

/// How one request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// This status, with an empty object.
    Status(u16),
    /// Reads the whole request and hangs up.
    HangUp,
    /// Reads the whole request and says nothing.
    Silence,
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Got {
    pub headers: HeaderMap,
    pub raw: Vec<u8>,
    pub body: Value,
}

/// Listens until it is dropped. What is not scripted is answered with 200.
#[derive(Debug)]
pub struct Callback {
    pub url: String,
    script: Arc<Mutex<VecDeque<Answer>>>,
    got: watch::Receiver<Vec<Got>>,
    _listening: AbortOnDropHandle<()>,
}

impl Callback {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/out", listener.local_addr().expect("an address"));
        let script: Arc<Mutex<VecDeque<Answer>>> = Arc::default();
        let (sender, got) = watch::channel(Vec::new());
        let scripted = Arc::clone(&script);
        let tasks = TaskTracker::new();
        let connections = tasks.clone();
        let listening = tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, scripted) = (sender.clone(), Arc::clone(&scripted));
                connections.spawn(async move {
                    answer(stream, &sender, &scripted).await;
                });
            }
        });
        Self { url, script, got, _listening: AbortOnDropHandle::new(listening) }
    }

    /// The answers to the next requests, in order.
    pub fn script(&self, answers: &[Answer]) {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
    }

    /// Waits until this many requests have arrived, and gives all of them.
    pub async fn wait_for(&self, count: usize) -> Vec<Got> {
        let mut got = self.got.clone();
        let enough = got.wait_for(|got| got.len() >= count);
        let all = tokio::time::timeout(WAIT, enough).await.expect("the requests arrive");
        all.expect("the listener runs").clone()
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.borrow().clone()
    }
}

async fn answer(
    mut stream: TcpStream,
    sender: &watch::Sender<Vec<Got>>,
    script: &Mutex<VecDeque<Answer>>,
) -> Option<()> {
    let mut request = Vec::new();
    let end = loop {
        if let Some(at) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    };
    let headers = headers(&request[..end]);
    // What only asks says nothing of a length.
    let length = headers.get("content-length").and_then(|length| length.to_str().ok());
    let length: usize = length.map_or(Ok(0), str::parse).ok()?;
    while request.len() < end + 4 + length {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let raw = request[end + 4..].to_vec();
    let body = serde_json::from_slice(&raw).unwrap_or_default();
    let next = script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    sender.send_modify(|got| got.push(Got { headers, raw, body }));
    match next.unwrap_or(Answer::Status(200)) {
        Answer::Status(status) => {
            let words = format!(
                "HTTP/1.1 {status} Scripted\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
            );
            stream.write_all(words.as_bytes()).await.ok()?;
            stream.shutdown().await.ok()
        }
        Answer::HangUp => None,
        Answer::Silence => {
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest).await);
            None
        }
    }
}

fn headers(head: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in String::from_utf8_lossy(head).split("\r\n").skip(1) {
        if let Some((name, value)) = line.split_once(':')
            && let Ok(name) = name.trim().parse::<HeaderName>()
            && let Ok(value) = HeaderValue::from_str(value.trim())
        {
            headers.append(name, value);
        }
    }
    headers
}
