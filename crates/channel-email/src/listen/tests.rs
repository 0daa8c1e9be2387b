//! Conversations with the listener, line by line, over an inlet in memory.
#![expect(clippy::disallowed_methods, reason = "what a test starts ends with it")]

use std::sync::Arc;

use postroom_channel::Inlet;
use postroom_channel::contract::TestInlet;
use postroom_model::{ChannelId, mail_thread};
use postroom_testkit::{Answer, ScriptedDns};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{House, PostBox, serve};
use crate::EmailOptions;
use crate::letterbox::Letterbox;
use crate::token::Tokens;

/// A listener with two channels over an inlet in memory.
struct Door {
    inlet: Arc<TestInlet>,
    stream: BufReader<TcpStream>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Door {
    async fn open(inlet: TestInlet, listen: Value) -> Self {
        let inlet = Arc::new(inlet);
        let mut settings = json!({ "protocol": "lmtp", "address": "127.0.0.1:0", "hostname": "mx", "verify": false });
        settings.as_object_mut().unwrap().extend(listen.as_object().unwrap().clone());
        let channel = |id: &str| {
            let options = json!({ "address": format!("{id}@example.com"), "listen": settings });
            let options = EmailOptions::parse(options.as_object().unwrap()).unwrap();
            let channel = ChannelId::new(id).unwrap();
            let tokens = Tokens::new(channel.clone(), &[]);
            let letterbox = Arc::new(Letterbox::new(&options, tokens));
            (PostBox { channel, letterbox }, options.listen.unwrap())
        };
        let ((support, options), (sales, _)) = (channel("support"), channel("sales"));
        let house = Arc::new(House::new(options, vec![support, sales]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (door, stop) = (Arc::clone(&inlet) as Arc<dyn Inlet>, CancellationToken::new());
        let until = stop.clone();
        let serving = tokio::spawn(async move {
            serve(&house, &listener, &door, &until).await.unwrap();
        });
        let stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        Self { inlet, stream, stop, serving }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).await.unwrap();
    }

    /// The next line; empty at the end.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    /// The last line of the next answer.
    async fn answer(&mut self) -> String {
        loop {
            let line = self.line().await;
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.answer().await
    }

    /// Greets and names sender and recipients.
    async fn begin(&mut self, hello: &str, recipients: &[&str]) {
        assert!(self.answer().await.starts_with("220 mx "));
        assert!(self.say(hello).await.starts_with("250 "));
        assert!(self.say("MAIL FROM:<ada@example.net>").await.starts_with("250 "));
        for recipient in recipients {
            let said = self.say(&format!("RCPT TO:<{recipient}>")).await;
            assert!(said.starts_with("250 "), "{said}");
        }
    }

    async fn data(&mut self, mail: &[u8]) {
        assert!(self.say("DATA").await.starts_with("354 "));
        self.send(mail).await;
    }

    async fn close(self) {
        self.stop.cancel();
        drop(self.stream);
        self.serving.await.unwrap();
    }
}

const MAIL: &str = "From: ada@example.net\r\nMessage-ID: <1@example.net>\r\nSubject: Hi\r\n\r\nHello\r\n..dot\r\n.\r\n";

#[tokio::test]
async fn lmtp_answers_for_each_recipient_once_its_channel_has_the_mail() {
    let mut door = Door::open(TestInlet::taking(), json!({})).await;
    door.begin(
        "LHLO client",
        &["support@example.com", "SALES+x@example.com", "support@example.com"],
    )
    .await;
    door.data(MAIL.as_bytes()).await;
    for _ in 0..3 {
        assert!(door.line().await.starts_with("250 2.0.0 stored"));
    }
    // One for each channel.
    let offered = door.inlet.offered();
    assert_eq!(offered.len(), 2);
    let message = &offered[0].arrivals[0].message;
    assert_eq!(message.text.as_deref(), Some("Hello\n.dot\n"));
    assert_eq!(message.thread, Some(mail_thread::of("1@example.net")));
    // The connection goes on with another mail.
    assert!(door.say("MAIL FROM:<>").await.starts_with("250 "));
    assert!(door.say("RSET").await.starts_with("250 "));
    assert!(door.say("DATA").await.starts_with("503 "));
    assert!(door.say("QUIT").await.starts_with("221 "));
    assert_eq!(door.line().await, "");
    door.close().await;
}

#[tokio::test]
async fn nobody_is_answered_250_for_what_the_inlet_does_not_have() {
    let mut door = Door::open(TestInlet::busy(), json!({})).await;
    door.begin("LHLO client", &["support@example.com", "sales@example.com"]).await;
    door.data(MAIL.as_bytes()).await;
    for _ in 0..2 {
        assert!(door.line().await.starts_with("451 4.3.0"));
    }
    door.close().await;
    let mut door = Door::open(TestInlet::busy(), json!({ "protocol": "smtp" })).await;
    door.begin("EHLO client", &["support@example.com"]).await;
    door.data(MAIL.as_bytes()).await;
    assert!(door.line().await.starts_with("451 4.3.0"));
    door.close().await;
}

#[tokio::test]
async fn smtp_answers_once_for_all_recipients() {
    let mut door = Door::open(TestInlet::taking(), json!({ "protocol": "smtp" })).await;
    door.begin("EHLO client", &["support@example.com", "sales@example.com"]).await;
    door.data(MAIL.as_bytes()).await;
    assert!(door.line().await.starts_with("250 2.0.0 stored"));
    assert!(door.say("NOOP").await.starts_with("250 "));
    assert_eq!(door.inlet.offered().len(), 2);
    assert!(door.say("LHLO client").await.starts_with("502 "));
    door.close().await;
}

#[tokio::test]
async fn mail_that_cannot_be_read_is_kept_raw_and_answered_250() {
    let mut door = Door::open(TestInlet::taking(), json!({})).await;
    door.begin("LHLO client", &["support@example.com"]).await;
    let header = "X-Field: 1\r\n".repeat(1_200);
    door.data(format!("{header}\r\nHello\r\n.\r\n").as_bytes()).await;
    assert!(door.line().await.starts_with("250 2.0.0 stored"));
    let kept = door.inlet.unparsed();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].starts_with(b"X-Field: 1\r\n"));
    assert_eq!(door.inlet.offered().len(), 0);
    door.close().await;
}

#[tokio::test]
async fn mail_with_cr_or_lf_alone_is_refused_and_ends_only_at_its_true_end() {
    for smuggled in [
        "one\n.\nMAIL FROM:<eve@example.net>\r\n",
        "one\n.\r\nMAIL FROM:<eve@example.net>\r\n",
        "one\r.\r\nMAIL FROM:<eve@example.net>\r\n",
        "one\r\n.\rMAIL FROM:<eve@example.net>\r\n",
        "one\r\r\n",
        "\n",
    ] {
        let mut door = Door::open(TestInlet::taking(), json!({})).await;
        door.begin("LHLO client", &["support@example.com"]).await;
        door.data(format!("Subject: x\r\n\r\n{smuggled}RCPT TO:<a@b>\r\n.\r\n").as_bytes()).await;
        let said = door.line().await;
        assert!(said.starts_with("550 5.6.11"), "{smuggled:?}: {said}");
        assert!(door.say("NOOP").await.starts_with("250 "), "{smuggled:?}");
        assert_eq!(door.inlet.offered().len() + door.inlet.unparsed().len(), 0);
        door.close().await;
    }
}

#[tokio::test]
async fn command_with_cr_or_lf_alone_ends_the_connection() {
    for line in ["NOOP\n", "NO\rOP\r\n", "NOOP\r\r\n"] {
        let mut door = Door::open(TestInlet::taking(), json!({})).await;
        door.answer().await;
        door.send(line.as_bytes()).await;
        assert!(door.line().await.starts_with("521 5.5.2"), "{line:?}");
        assert_eq!(door.line().await, "");
        door.close().await;
    }
}

#[tokio::test]
async fn what_is_over_a_limit_or_out_of_order_is_refused() {
    let limits = json!({ "mail_bytes_max": 2_000, "recipients_max": 1 });
    let mut door = Door::open(TestInlet::taking(), limits).await;
    door.answer().await;
    for (line, said) in [
        ("MAIL FROM:<ada@example.net>", "503 5.5.1"),
        ("LHLO client", "250 ENHANCEDSTATUSCODES"),
        ("EHLO client", "502 5.5.1"),
        ("HELLO", "500 5.5.1"),
        ("RCPT TO:<support@example.com>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("STARTTLS", "502 5.5.1"),
        ("BDAT 5 LAST", "502 5.5.1"),
        ("MAIL FROM:<ada@example.net> SIZE=9000", "552 5.3.4"),
        ("MAIL FROM:<ada@example.net> SIZE=900", "250 2.1.0"),
        ("MAIL FROM:<ada@example.net>", "503 5.5.1"),
        ("RCPT TO:<nobody@example.com>", "550 5.1.1"),
        ("RCPT TO:<support@example.com>", "250 2.1.5"),
        ("RCPT TO:<support+a@example.com>", "452 4.5.3"),
    ] {
        let heard = door.say(line).await;
        assert!(heard.starts_with(said), "{line}: {heard}");
    }
    let long = format!("NOOP {}", "x".repeat(5_000));
    assert!(door.say(&long).await.starts_with("500 5.5.2"));
    door.data(format!("{}\r\n.\r\n", "word \r\n".repeat(500)).as_bytes()).await;
    assert!(door.line().await.starts_with("552 5.3.4"));
    // Whoever does not stop is left.
    for line in ["MAIL FROM:<ada@example.net>", "RCPT TO:<support@example.com>"] {
        assert!(door.say(line).await.starts_with("250 "));
    }
    door.data("word \r\n".repeat(10_000).as_bytes()).await;
    assert!(door.line().await.starts_with("421 "));
    assert_eq!(door.inlet.offered().len(), 0);
    door.close().await;
}

#[tokio::test]
async fn many_mistakes_and_silence_end_the_connection() {
    let mut door = Door::open(TestInlet::taking(), json!({})).await;
    door.answer().await;
    for _ in 0..21 {
        assert!(door.say("WHAT").await.starts_with("500 "));
    }
    assert!(door.line().await.starts_with("421 4.7.0"));
    assert_eq!(door.line().await, "");
    door.close().await;
    let mut door = Door::open(TestInlet::taking(), json!({ "idle_s": 1 })).await;
    door.answer().await;
    assert!(door.line().await.starts_with("421 4.4.2"));
    door.close().await;
}

#[tokio::test]
async fn more_connections_than_may_be_are_turned_away() {
    let mut door = Door::open(TestInlet::taking(), json!({ "connections_max": 1 })).await;
    door.answer().await;
    let address = door.stream.get_ref().peer_addr().unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    let mut said = String::new();
    second.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("421 4.3.2"), "{said}");
    assert!(door.say("NOOP").await.starts_with("250 "));
    door.close().await;
}

#[tokio::test]
async fn senders_are_checked_by_the_peer_or_by_whom_the_server_names() {
    let dns = ScriptedDns::start(&[
        ("example.net", Answer::Txt("v=spf1 ip4:127.0.0.1 -all")),
        ("_dmarc.example.net", Answer::Txt("v=DMARC1; p=reject")),
    ])
    .await;
    let check =
        |protocol: &str| json!({ "protocol": protocol, "verify": true, "dns": [dns.address] });
    let judged = |door: &Door| {
        let message = door.inlet.offered()[0].arrivals[0].message.clone();
        message.attributes["authentication"].as_str().unwrap().to_owned()
    };
    let mut door = Door::open(TestInlet::taking(), check("smtp")).await;
    door.begin("EHLO client.test", &["support@example.com"]).await;
    door.data(MAIL.as_bytes()).await;
    assert!(door.line().await.starts_with("250 2.0.0 stored"));
    assert_eq!(judged(&door), "pass");
    door.close().await;
    // The server that delivers is nobody's client; whom it had before it counts, for one mail.
    for (told, verdict) in [
        ("XFORWARD NAME=a ADDR=127.0.0.1 HELO=client.test", "pass"),
        ("XFORWARD NAME=a ADDR=192.0.2.1 HELO=client.test", "fail"),
        // Half of what there is to know proves nothing.
        ("NOOP", "none"),
    ] {
        let mut door = Door::open(TestInlet::taking(), check("lmtp")).await;
        door.answer().await;
        door.send(b"LHLO mx\r\n").await;
        let mut offered = Vec::new();
        while offered.last().is_none_or(|line: &String| line.as_bytes()[3] == b'-') {
            offered.push(door.line().await);
        }
        assert!(offered.iter().any(|line| line.starts_with("250-XFORWARD NAME ADDR")));
        assert!(door.say(told).await.starts_with("250 "));
        for line in ["MAIL FROM:<ada@example.net>", "RCPT TO:<support@example.com>"] {
            assert!(door.say(line).await.starts_with("250 "));
        }
        assert!(door.say("XFORWARD ADDR=127.0.0.1").await.starts_with("503 "));
        door.data(MAIL.as_bytes()).await;
        assert!(door.line().await.starts_with("250 2.0.0 stored"));
        assert_eq!(judged(&door), verdict, "{told}");
        door.close().await;
    }
}

#[tokio::test]
async fn whoever_waits_at_the_end_is_told() {
    let mut door = Door::open(TestInlet::taking(), json!({})).await;
    door.answer().await;
    door.stop.cancel();
    assert!(door.line().await.starts_with("421 4.3.2"));
    door.close().await;
}

#[tokio::test]
async fn commands_may_come_together_and_nothing_behind_starttls() {
    let (certificate, key) = pair();
    let tls = json!({ "certificate": certificate, "key": key });
    let mut door = Door::open(TestInlet::taking(), tls.clone()).await;
    door.answer().await;
    door.send(b"LHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<support@example.com>\r\nDATA\r\n").await;
    for said in ["250 ", "250 2.1.0", "250 2.1.5", "354 "] {
        assert!(door.answer().await.starts_with(said));
    }
    door.close().await;
    let mut door = Door::open(TestInlet::taking(), tls).await;
    door.answer().await;
    door.send(b"STARTTLS\r\nMAIL FROM:<eve@example.net>\r\n").await;
    assert!(door.line().await.starts_with("503 5.5.1"));
    assert_eq!(door.line().await, "");
    door.close().await;
}

/// A certificate for `mx` and its key, made by the OpenSSL of this machine.
fn pair() -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mx"];
    let extensions = ["-extensions", "usr_cert", "-addext", "subjectAltName=DNS:mx"];
    let made = std::process::Command::new("openssl")
        .args(args)
        .args(extensions)
        .args(["-keyout", &path("key"), "-out", &path("certificate")])
        .output()
        .unwrap();
    assert!(made.status.success());
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    (read("certificate"), read("key"))
}

#[tokio::test]
async fn mail_comes_in_encrypted_after_starttls() {
    let (certificate, key) = pair();
    let mut door =
        Door::open(TestInlet::taking(), json!({ "certificate": certificate, "key": key })).await;
    door.answer().await;
    door.say("LHLO client").await;
    assert!(door.say("STARTTLS").await.starts_with("220 "));
    let mut roots = rustls::RootCertStore::empty();
    let pem = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(
        certificate.as_bytes(),
    );
    roots.add(pem.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let Door { inlet, stream, stop, serving } = door;
    let name = "mx".try_into().unwrap();
    let mut stream = BufReader::new(connector.connect(name, stream.into_inner()).await.unwrap());
    // Whatever was said before does not count.
    let talk = "MAIL FROM:<a@b>\r\nLHLO client\r\nMAIL FROM:<a@b>\r\nRCPT TO:<sales@example.com>\r\nDATA\r\n";
    stream.get_mut().write_all(talk.as_bytes()).await.unwrap();
    let mut codes = Vec::new();
    while codes.last().is_none_or(|code| code != "354") {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(!line.contains("STARTTLS"));
        if line.as_bytes()[3] == b' ' {
            codes.push(line.get(..3).unwrap().to_owned());
        }
    }
    assert_eq!(codes, ["503", "250", "250", "250", "354"]);
    stream.get_mut().write_all(MAIL.as_bytes()).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("250 2.0.0 stored"), "{line}");
    assert_eq!(inlet.offered().len(), 1);
    stop.cancel();
    drop(stream);
    serving.await.unwrap();
}
