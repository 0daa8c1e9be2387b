//! Customers who write and read mail.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::process::{WAIT, again};

/// Gives a mail to a server, which must take it.
pub async fn submit(server: SocketAddr, from: &str, to: &str, mail: &str) {
    let stream = TcpStream::connect(server).await.expect("the server listens");
    let mut stream = BufReader::new(stream);
    let mail = mail.replace('\n', "\r\n");
    for line in [
        None,
        Some("EHLO customer.test".to_owned()),
        Some(format!("MAIL FROM:<{from}>")),
        Some(format!("RCPT TO:<{to}>")),
        Some("DATA".to_owned()),
        Some(format!("{mail}\r\n.")),
    ] {
        if let Some(line) = &line {
            let written = stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await;
            written.expect("the server reads");
        }
        let said = answer(&mut stream).await;
        assert!(said.starts_with(['2', '3']), "{line:?}: {said}");
    }
}

async fn answer(stream: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("the server answers");
        if line.as_bytes().get(3) != Some(&b'-') {
            return line;
        }
    }
}

/// A mail as it stands in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivered {
    pub text: String,
}

impl Delivered {
    /// The value of a field, unfolded.
    pub fn field(&self, name: &str) -> Option<String> {
        let unfolded = self.text.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
        let head = unfolded.split("\n\n").next()?.to_owned();
        let found = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.map(str::to_owned)
    }

    /// What stands in the brackets of a field.
    pub fn bracketed(&self, name: &str) -> String {
        let value = self.field(name).unwrap_or_default();
        let inner = value.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        inner.map_or(value.clone(), |(inner, _)| inner.to_owned())
    }

    /// The id of the answer of which it is a copy.
    pub fn delivery(&self) -> String {
        let id = self.bracketed("Message-ID");
        id.split('.').nth(1).unwrap_or_default().to_owned()
    }
}

/// A folder into which a server delivers.
#[derive(Debug, Clone)]
pub struct Mailbox {
    folder: PathBuf,
}

impl Mailbox {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// All that was delivered, in the order of their names.
    pub fn mails(&self) -> Vec<Delivered> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        let read = |path| std::fs::read(path).expect("a mail");
        paths
            .into_iter()
            .map(read)
            .map(|bytes| Delivered { text: String::from_utf8_lossy(&bytes).into_owned() })
            .collect()
    }

    /// Waits until this many mails are there.
    pub async fn wait_for(&self, count: usize) -> Vec<Delivered> {
        let wait = async {
            let mut again = again();
            loop {
                let mails = self.mails();
                if mails.len() >= count {
                    return mails;
                }
                again.tick().await;
            }
        };
        tokio::time::timeout(WAIT, wait).await.expect("the mail arrives")
    }
}
