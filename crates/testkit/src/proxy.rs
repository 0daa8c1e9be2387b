//! A line between a program and a server that a test can spoil: answers get lost, or nothing gets
//! through.
//!
//! It reads as little as it can: a request is known by the words that it holds, and so is its answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Bytes that are passed on at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A line; it breaks down when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    rule: Arc<Rule>,
    held: watch::Sender<bool>,
    _listening: AbortOnDropHandle<()>,
}

/// Which answers get lost.
#[derive(Debug)]
struct Rule {
    request: String,
    answer: String,
    /// Requests whose answers will still be cut off.
    wanted: AtomicU64,
    /// Answers that were cut off.
    cut: AtomicU64,
}

impl Proxy {
    /// A line to a server on loopback. `request` are words that stand in the requests whose answers
    /// can be cut off, `answer` are words of such an answer.
    pub async fn start(port: u16, request: &str, answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let rule = Arc::new(Rule {
            request: request.to_owned(),
            answer: answer.to_owned(),
            wanted: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        });
        let (held, is_held) = watch::channel(false);
        let ours = Arc::clone(&rule);
        let tasks = TaskTracker::new();
        let lines = tasks.clone();
        let listening = tasks.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // A server that is down hangs up on whoever comes.
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                lines.spawn(Line::new(&ours, &is_held).join(near, far));
            }
        });
        Self { address, rule, held, _listening: AbortOnDropHandle::new(listening) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next so many requests reach the server and their answers reach nobody: the connection
    /// breaks instead.
    pub fn cut_answers(&self, count: u64) {
        self.rule.wanted.fetch_add(count, Ordering::SeqCst);
    }

    /// Answers that were cut off so far.
    pub fn cut(&self) -> u64 {
        self.rule.cut.load(Ordering::SeqCst)
    }

    /// While it is held nothing gets through and nothing breaks, as where a machine has gone away.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }
}

/// What both directions of a connection share.
#[derive(Debug, Clone)]
struct Line {
    rule: Arc<Rule>,
    held: watch::Receiver<bool>,
    /// From now on answers are swallowed, until the one that is meant has come.
    deaf: Arc<AtomicBool>,
}

impl Line {
    fn new(rule: &Arc<Rule>, held: &watch::Receiver<bool>) -> Self {
        Self { rule: Arc::clone(rule), held: held.clone(), deaf: Arc::default() }
    }

    /// Until either side hangs up or the line breaks.
    async fn join(self, near: TcpStream, far: TcpStream) {
        // Both ends are on loopback; a delay would be the proxy's own.
        drop((near.set_nodelay(true), far.set_nodelay(true)));
        let ((near_read, near_write), (far_read, far_write)) =
            (near.into_split(), far.into_split());
        tokio::select! {
            _ = self.clone().ask(near_read, far_write) => {}
            _ = self.answer(far_read, near_write) => {}
        }
    }

    async fn ask(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Option<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = self.read(&mut from, &mut chunk).await?;
            if holds(read, &self.rule.request) && self.take() {
                self.deaf.store(true, Ordering::SeqCst);
            }
            to.write_all(read).await.ok()?;
        }
    }

    async fn answer(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Option<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut swallowed = Vec::new();
        loop {
            let read = self.read(&mut from, &mut chunk).await?;
            if !self.deaf.load(Ordering::SeqCst) {
                to.write_all(read).await.ok()?;
                continue;
            }
            swallowed.extend_from_slice(read);
            if holds(&swallowed, &self.rule.answer) {
                self.rule.cut.fetch_add(1, Ordering::SeqCst);
                return None;
            }
            // Its words may be torn apart between two reads.
            let rest = swallowed.len().saturating_sub(self.rule.answer.len());
            swallowed.drain(..rest);
        }
    }

    async fn read<'c>(
        &mut self,
        from: &mut OwnedReadHalf,
        chunk: &'c mut [u8],
    ) -> Option<&'c [u8]> {
        let count = from.read(chunk).await.ok()?;
        self.held.wait_for(|held| !held).await.ok()?;
        chunk.get(..count).filter(|read| !read.is_empty())
    }

    /// Whether this one's answer is to be cut off.
    fn take(&self) -> bool {
        let less = |wanted: u64| wanted.checked_sub(1);
        self.rule.wanted.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }
}

fn holds(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::task::TaskTracker;

    use super::Proxy;

    /// Answers each line with `did` and the line.
    async fn server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tasks = TaskTracker::new();
        let lines = tasks.clone();
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                lines.spawn(async move {
                    let mut chunk = [0; 64];
                    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                        stream.write_all(b"did ").await.unwrap();
                        stream.write_all(&chunk[..count]).await.unwrap();
                    }
                });
            }
        });
        port
    }

    async fn asked(stream: &mut TcpStream, words: &[u8]) -> Option<String> {
        stream.write_all(words).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\n") {
            if stream.read_buf(&mut answer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
        Some(String::from_utf8(answer).unwrap())
    }

    #[tokio::test]
    async fn only_answers_that_are_meant_are_cut_off_and_only_so_many() {
        let proxy = Proxy::start(server().await, "append", "did append").await;
        let connect = || TcpStream::connect(proxy.address());
        let mut first = connect().await.unwrap();
        proxy.cut_answers(1);
        assert_eq!(asked(&mut first, b"read\n").await.as_deref(), Some("did read\n"));
        assert_eq!(asked(&mut first, b"append\n").await, None);
        assert_eq!(proxy.cut(), 1);
        let mut second = connect().await.unwrap();
        assert_eq!(asked(&mut second, b"append\n").await.as_deref(), Some("did append\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn held_line_passes_nothing_on_and_keeps_it() {
        let proxy = Proxy::start(server().await, "append", "did append").await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(asked(&mut stream, b"one\n").await.is_some());
        proxy.hold(true);
        let wait = std::time::Duration::from_mins(1);
        let held = tokio::time::timeout(wait, asked(&mut stream, b"two\n")).await;
        assert!(held.is_err());
        proxy.hold(false);
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"did two\n");
    }
}
