//! How fast a mailbox is taken over beside a plain fetch of the same bytes, in turns in one run, and what
//! a thousand mailboxes that wait for news take of memory.
//!
//!     cargo run --release -p postroom-channel-imap --example mailbox_speed -- [MAILS] [BYTES] [MAILBOXES]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "an example for the terminal"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use postroom_channel::{
    AcceptError, Accepted, Adapter as _, AllowList, Guard, Inlet, Known, Received,
};
use postroom_channel_imap::{ImapAdapter, ImapCommons, ImapOptions};
use postroom_model::{ChannelId, SystemClock, WorkspaceId};
use postroom_testkit::{DOVECOT_PASSWORD, Dovecot, ImapMailbox, ScriptedImap};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 3;

/// Counts what it is given and keeps none of it.
#[derive(Debug, Default)]
struct Counter {
    mails: AtomicUsize,
    told: Notify,
}

#[async_trait]
impl Inlet for Counter {
    async fn accept(&self, _: &ChannelId, received: Received) -> Result<Accepted, AcceptError> {
        self.mails.fetch_add(received.arrivals.len(), Ordering::SeqCst);
        self.told.notify_one();
        Ok(Accepted::default())
    }

    async fn reached(&self, _: &ChannelId, _: &str) -> Result<Option<String>, AcceptError> {
        Ok(None)
    }

    async fn known(&self) -> Result<Arc<Known>, AcceptError> {
        Ok(Arc::new(Known::new(WorkspaceId::main(), Vec::new())))
    }

    async fn accept_unparsed(
        &self,
        _: &ChannelId,
        _: Bytes,
        _: &str,
        _: &str,
    ) -> Result<(), AcceptError> {
        Ok(())
    }
}

impl Counter {
    async fn reaches(&self, mails: usize) {
        while self.mails.load(Ordering::SeqCst) < mails {
            self.told.notified().await;
        }
    }
}

fn commons() -> ImapCommons {
    let guard = Guard::new(AllowList::parse(&["127.0.0.1/32"]).unwrap()).unwrap();
    ImapCommons::new(guard, Arc::new(SystemClock))
}

fn adapter(name: &str, table: Value, commons: &ImapCommons) -> ImapAdapter {
    let options = ImapOptions::parse(&serde_json::from_value(table).unwrap()).unwrap();
    ImapAdapter::new(ChannelId::new(name).unwrap(), options, commons).unwrap()
}

fn mail(number: usize, bytes: usize) -> Vec<u8> {
    let words =
        "Good morning, my parcel with the number below has not come yet. ".repeat(bytes / 64);
    format!(
        "Received: from mx.example.com by imap.example.org; Mon, 2 Mar 2026 10:30:00 +0000\r\n\
         From: Ada {number} <ada{number}@example.com>\r\nTo: support@example.org\r\n\
         Subject: Parcel {number}\r\nMessage-ID: <{number}@example.com>\r\n\
         Date: Mon, 2 Mar 2026 10:30:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{words}\r\n"
    )
    .into_bytes()
}

/// All mails in one command, over the same TLS, and thrown away.
async fn plain(server: &Dovecot, ca: &str) -> f64 {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let begun = Instant::now();
    let stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let commands = format!(
        "A1 LOGIN ada {DOVECOT_PASSWORD}\r\nA2 SELECT INBOX\r\nA3 UID FETCH 1:* (UID BODY.PEEK[])\r\n"
    );
    stream.write_all(commands.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let mut tail: Vec<u8> = Vec::new();
    while !tail.windows(6).any(|six| six == b"A3 OK ") {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the server ended it");
        let kept = tail.len().min(64);
        tail.drain(..tail.len() - kept);
        tail.extend_from_slice(&buffer[read.saturating_sub(256)..read]);
    }
    begun.elapsed().as_secs_f64()
}

async fn taken(server: &Dovecot, ca: &str, mails: usize) -> f64 {
    let table = json!({ "host": "127.0.0.1", "port": server.port(), "username": "ada",
        "password": DOVECOT_PASSWORD, "ca": ca });
    let commons = commons();
    let (adapter, counter) = (adapter("mail", table, &commons), Arc::new(Counter::default()));
    let stop = CancellationToken::new();
    let begun = Instant::now();
    let running = adapter.run(Arc::clone(&counter) as Arc<dyn Inlet>, stop.clone());
    let reached = async {
        counter.reaches(mails).await;
        let took = begun.elapsed().as_secs_f64();
        stop.cancel();
        took
    };
    let (ended, took) = tokio::join!(running, reached);
    ended.unwrap();
    took
}

/// In MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib / 1_024.0
}

/// Mailboxes in this process, which wait for news; their server is in it, too, and is counted with them.
async fn waiting(mailboxes: usize) {
    let mut one = ImapMailbox::default();
    one.add(mail(1, 2_000));
    let server = ScriptedImap::start(one).await;
    let before = resident();
    let commons = commons();
    let counter = Arc::new(Counter::default());
    let stop = CancellationToken::new();
    for number in 0..mailboxes {
        let table = json!({ "host": "127.0.0.1", "port": server.port(), "username": "ada",
            "password": "known-to-the-tests", "security": "none" });
        let adapter = adapter(&format!("mail-{number}"), table, &commons);
        let (inlet, stop) = (Arc::clone(&counter) as Arc<dyn Inlet>, stop.clone());
        tokio::spawn(async move { adapter.run(inlet, stop).await });
    }
    let idle = |mailbox: &ImapMailbox| {
        mailbox.asked.iter().filter(|asked| *asked == "IDLE").count() >= mailboxes
    };
    server.wait_until(idle).await;
    let after = resident();
    println!(
        "{mailboxes} mailboxes wait: {before:.0} MiB before, {after:.0} MiB then, server included"
    );
    let begun = Instant::now();
    let reached = counter.mails.load(Ordering::SeqCst) + mailboxes;
    server.change(|mailbox| mailbox.add(mail(2, 2_000)));
    counter.reaches(reached).await;
    println!(
        "one new mail in each: all taken after {:.2} s, {:.0} MiB",
        begun.elapsed().as_secs_f64(),
        resident()
    );
    stop.cancel();
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut wanted = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let mails: usize = wanted.next().unwrap_or(20_000);
    let bytes: usize = wanted.next().unwrap_or(8_000);
    let mailboxes: usize = wanted.next().unwrap_or(1_000);
    postroom_channel::install_crypto();
    waiting(mailboxes).await;
    let mut server = Dovecot::start().await;
    for number in 0..mails {
        server.deliver("ada", "INBOX", &mail(number, bytes));
    }
    let ca = std::fs::read_to_string(&server.certificates().authority).unwrap();
    // The server numbers the mails when they are first looked at.
    plain(&server, &ca).await;
    for _ in 0..ROUNDS {
        let (plain, taken) = (plain(&server, &ca).await, taken(&server, &ca, mails).await);
        let rate = |seconds: f64| mails as f64 / seconds;
        println!(
            "{mails} mails: plain fetch {:.0}/s, taken over {:.0}/s, ratio {:.2}",
            rate(plain),
            rate(taken),
            plain / taken
        );
    }
}
