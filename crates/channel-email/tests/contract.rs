//! The mail adapter passes the contract suite: mail that a server delivers by LMTP.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "what a test starts ends with it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postroom_channel::contract::{PullFixture, run_pull};
use postroom_channel::{Adapter, AllowList, Guard};
use postroom_channel_email::{EmailAdapter, EmailOptions};
use postroom_model::ChannelId;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const MAILS: usize = 5;
const SECRET: &str = "canary-secret-of-the-tests";

/// A mail server with a queue, which it delivers until everything was taken.
#[derive(Debug)]
struct Queue {
    address: SocketAddr,
    taken: watch::Receiver<usize>,
}

impl Queue {
    async fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let (told, taken) = watch::channel(0);
        tokio::spawn(async move {
            let mut again = tokio::time::interval(Duration::from_millis(20));
            while *told.borrow() < MAILS {
                again.tick().await;
                // Whoever does not listen now may listen soon.
                drop(deliver(address, &told).await);
            }
        });
        Self { address, taken }
    }
}

/// Delivers what is left over one connection, until a mail is not taken.
async fn deliver(address: SocketAddr, told: &watch::Sender<usize>) -> std::io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    expect(&mut stream, "220").await?;
    say(&mut stream, "LHLO queue", "250").await?;
    while *told.borrow() < MAILS {
        let number = *told.borrow();
        say(&mut stream, "MAIL FROM:<ada@example.net>", "250").await?;
        say(&mut stream, "RCPT TO:<support@example.com>", "250").await?;
        say(&mut stream, "DATA", "354").await?;
        let mail = format!(
            "From: ada@example.net\r\nMessage-ID: <{number}@example.net>\r\n\r\nHello {number}\r\n."
        );
        say(&mut stream, &mail, "250").await?;
        told.send_modify(|taken| *taken += 1);
    }
    Ok(())
}

async fn say(stream: &mut BufReader<TcpStream>, text: &str, code: &str) -> std::io::Result<()> {
    stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).await?;
    expect(stream, code).await
}

async fn expect(stream: &mut BufReader<TcpStream>, code: &str) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || !line.starts_with(code) {
            return Err(std::io::Error::other(line));
        }
        if line.as_bytes().get(3) == Some(&b' ') {
            return Ok(());
        }
    }
}

#[async_trait]
impl PullFixture for Queue {
    fn adapter(&self) -> Arc<dyn Adapter> {
        let options = json!({
            "address": "support@example.com",
            "token_secret": SECRET,
            "listen": { "protocol": "lmtp", "address": self.address.to_string() },
        });
        let options = EmailOptions::parse(options.as_object().unwrap()).unwrap();
        let guard = Guard::new(AllowList::default()).unwrap();
        let channel = ChannelId::new("support").unwrap();
        let (mut adapters, mistakes) = EmailAdapter::all(vec![(channel, options)], &guard);
        assert_eq!(mistakes, []);
        Arc::new(adapters.remove(0))
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.to_owned()]
    }

    fn offered(&self) -> usize {
        MAILS
    }

    async fn acknowledged(&self) -> usize {
        *self.taken.borrow()
    }
}

#[tokio::test]
async fn mail_adapter_passes_the_contract() {
    let queue = Queue::start().await;
    if let Err(failures) = run_pull(&queue).await {
        let words: Vec<String> = failures.iter().map(ToString::to_string).collect();
        assert!(words.is_empty(), "{words:#?}");
    }
}

fn channel(id: &str, options: &serde_json::Value) -> (ChannelId, EmailOptions) {
    let options = EmailOptions::parse(options.as_object().unwrap()).unwrap();
    (ChannelId::new(id).unwrap(), options)
}

#[test]
fn channels_share_a_listener_only_with_the_same_settings_and_no_address() {
    let listen =
        |idle_s: u64| json!({ "protocol": "lmtp", "address": "127.0.0.1:2424", "idle_s": idle_s });
    let guard = Guard::new(AllowList::default()).unwrap();
    let support = json!({ "address": "support@example.com", "listen": listen(60) });
    for (other, key) in [
        (json!({ "address": "sales@example.com", "listen": listen(60) }), None),
        (json!({ "address": "sales@example.com", "listen": listen(61) }), Some("listen.address")),
        (
            json!({ "address": "sales@example.com", "aliases": ["SUPPORT@example.com"] }),
            Some("address"),
        ),
    ] {
        let channels = vec![channel("support", &support), channel("sales", &other)];
        let (adapters, mistakes) = EmailAdapter::all(channels, &guard);
        assert_eq!(adapters.len(), 2);
        let keys: Vec<_> = mistakes.iter().map(|(_, error)| error.key.as_str()).collect();
        assert_eq!(keys, key.into_iter().collect::<Vec<_>>());
        assert!(mistakes.iter().all(|(channel, _)| channel.as_str() == "sales"));
    }
}
