//! What is sent, against a server that plays one part after the other.
#![expect(clippy::disallowed_methods, reason = "what a test starts ends with it")]

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_channel::{AllowList, Files, Guard, SendError, SendErrorKind};
use postroom_model::{
    Attachment, BlobRef, ChannelId, ConversationId, DeliveryState, Message, MessageId, Outbound,
    Party, Timestamp, mail_thread,
};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Outgoing, Passes};
use crate::options::{Login, Pass};
use crate::token::Tokens;
use crate::{EmailOptions, Letterbox};

/// Where a server of the tests breaks off, or what it answers instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Good,
    /// The answer to what begins so.
    Says(&'static str, &'static str),
    /// Wants a token, and answers this to one.
    Wants(&'static str),
    /// Closes when it comes to this.
    Leaves(&'static str),
}

/// Each connection plays the next part; the last one again and again.
struct Server {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    async fn start(parts: Vec<Part>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let (kept, count) = (Arc::clone(&mails), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = {
                    let mut count = count.lock().await;
                    *count += 1;
                    *count
                };
                let part = parts[(number - 1).min(parts.len() - 1)];
                tokio::spawn(play(stream, part, Arc::clone(&kept)));
            }
        });
        Self { port, mails, connections }
    }
}

/// `.` stands for the end of the mail, `text` for what comes before it.
async fn play(stream: TcpStream, part: Part, mails: Arc<Mutex<Vec<String>>>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 test ESMTP\r\n").await.unwrap();
    let mut mail: Option<String> = None;
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match &mut mail {
            Some(text) if line == "." => {
                let answer = said(part, ".", "250 2.0.0 queued");
                if answer.is_some_and(|answer| answer.starts_with('2')) {
                    mails.lock().await.push(std::mem::take(text));
                }
                mail = None;
                answer
            }
            Some(_) if part == Part::Leaves("text") => None,
            Some(text) => {
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                text.push('\n');
                continue;
            }
            None if line == "DATA" => {
                mail = Some(String::new());
                said(part, "DATA", "354 go ahead")
            }
            None => said(part, &line, "250 test"),
        };
        let Some(answer) = answer else { return };
        if writer.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn said(part: Part, line: &str, good: &'static str) -> Option<&'static str> {
    match part {
        Part::Leaves(at) if line.starts_with(at) => None,
        Part::Wants(_) if line.starts_with("EHLO") => Some("250-test\r\n250 AUTH XOAUTH2"),
        Part::Wants(answer) if line.starts_with("AUTH ") => Some(answer),
        Part::Says(at, answer) if line.starts_with(at) => Some(answer),
        _ => Some(good),
    }
}

fn guard(allow: &[&str]) -> Guard {
    Guard::new(AllowList::parse(allow).unwrap()).unwrap()
}

fn options(port: u16, more: serde_json::Value) -> EmailOptions {
    let mut options = json!({
        "address": "support@example.com",
        "name": "Example Support",
        "token_secret": "a secret of the tests",
        "smtp": { "host": "127.0.0.1", "port": port, "tls": "none", "timeout_s": 5 },
    });
    let more: serde_json::Map<_, _> = serde_json::from_value(more).unwrap();
    options.as_object_mut().unwrap().extend(more);
    EmailOptions::parse(options.as_object().unwrap()).unwrap()
}

fn tokens() -> Tokens {
    Tokens::new(ChannelId::new("support").unwrap(), &[b"a secret of the tests".to_vec()])
}

fn outgoing(port: u16, more: serde_json::Value) -> Outgoing {
    Outgoing::new(&options(port, more), tokens(), guard(&["127.0.0.1/32"])).unwrap()
}

/// Every file holds this.
#[derive(Debug)]
struct OneFile(&'static [u8]);

#[async_trait]
impl Files for OneFile {
    async fn read(&self, _: &BlobRef) -> Result<Bytes, SendError> {
        Ok(Bytes::from_static(self.0))
    }
}

fn outbound() -> Outbound {
    let customer = Party {
        address: Some("mailto:ada@example.net".parse().unwrap()),
        name: Some("Ada \"L\"\r\nBcc: eve@example.net".to_owned()),
        ..Party::default()
    };
    let thread = mail_thread::of("1@example.net");
    Outbound {
        id: MessageId(Uuid::from_u128(7)),
        channel: ChannelId::new("support").unwrap(),
        conversation: ConversationId(Uuid::from_u128(8)),
        thread: Some(thread.clone()),
        to: vec![customer],
        message: Message {
            thread: Some(thread),
            subject: Some("Order 7\r\nX-Evil: 1".to_owned()),
            text: Some("On its way.\n.\nBob\n".to_owned()),
            in_reply_to: vec!["1@example.net".to_owned()],
            references: vec![
                "0@example.net".to_owned(),
                "1@example.net".to_owned(),
                "bad id>".to_owned(),
            ],
            sent_at: Some(Timestamp::from_seconds(1_767_225_600)),
            ..Message::default()
        },
        state: DeliveryState::Sending,
        attempts: 1,
        next_at: Timestamp::EPOCH,
        queued_at: Timestamp::EPOCH,
        epoch: Some(1),
    }
}

fn field<'a>(mail: &'a str, name: &str) -> Vec<&'a str> {
    let head = mail.split("\n\n").next().unwrap();
    let lines = head.lines().filter_map(|line| line.strip_prefix(name));
    lines.filter_map(|rest| rest.strip_prefix(": ")).collect()
}

#[tokio::test]
async fn answer_has_the_fields_by_which_it_and_what_comes_back_are_known() {
    let server = Server::start(vec![Part::Good]).await;
    let sender = outgoing(server.port, json!({}));
    let receipt = sender.send(&outbound(), &OneFile(b"")).await.unwrap();
    sender.send(&outbound(), &OneFile(b"")).await.unwrap();
    let mails = server.mails.lock().await;
    assert_eq!(mails[0], mails[1], "each attempt is the same mail");
    assert_eq!(*server.connections.lock().await, 1, "the connection was kept");
    let mail = &mails[0];
    let id = receipt.receipt.external_id.unwrap();
    let thread = mail_thread::of("1@example.net");
    assert_eq!(
        id,
        tokens().message_id(Some(&thread), MessageId(Uuid::from_u128(7)), "example.com")
    );
    assert_eq!(field(mail, "Message-ID"), [format!("<{id}>")]);
    assert_eq!(field(mail, "In-Reply-To"), ["<1@example.net>"]);
    assert_eq!(field(mail, "References"), ["<0@example.net> <1@example.net>"]);
    assert_eq!(field(mail, "Subject"), ["Re: Order 7  X-Evil: 1"]);
    assert_eq!(field(mail, "From"), ["\"Example Support\" <support@example.com>"]);
    assert_eq!(field(mail, "Bcc"), Vec::<&str>::new());
    assert_eq!(field(mail, "X-Evil"), Vec::<&str>::new());
    assert_eq!(field(mail, "Auto-Submitted"), Vec::<&str>::new());
    let tag = tokens().tag(&thread, "ada@example.net").unwrap();
    let answers = format!("\"Example Support\" <support+{tag}@example.com>");
    // The library may fold it.
    let unfolded = mail.replace("\n ", " ");
    assert_eq!(field(&unfolded, "Reply-To"), [answers]);
    // What the channel makes of it, should it come back.
    let letterbox = Letterbox::new(&options(server.port, json!({})), tokens());
    let back = letterbox.receive(mail.as_bytes(), &crate::Envelope::default()).unwrap();
    let message = &back.arrivals[0].message;
    assert_eq!(message.text.as_deref(), Some("On its way.\n.\nBob\n"));
    assert!(!message.automation.unwrap().may_answer);
}

#[tokio::test]
async fn answer_carries_html_pictures_files_and_further_recipients() {
    let server = Server::start(vec![Part::Good]).await;
    let mut outbound = outbound();
    let blob = BlobRef::of(b"content");
    let file = |name: &str, disposition: &str| Attachment {
        name: Some(name.to_owned()),
        media_type: Some("image/png".to_owned()),
        disposition: Some(disposition.to_owned()),
        content_id: Some("logo@example.com".to_owned()).filter(|_| disposition == "inline"),
        size_bytes: Some(blob.size_bytes),
        sha256: Some(blob.sha256),
        ..Attachment::default()
    };
    outbound.message.html = Some("<p>On its way <img src=\"cid:logo@example.com\"></p>".to_owned());
    outbound.message.attachments = vec![file("logo.png", "inline"), file("合同.png", "attachment")];
    let attributes = &mut outbound.message.attributes;
    attributes.insert("cc".to_owned(), json!(["bob@example.net"]));
    attributes.insert("bcc".to_owned(), json!(["carol@example.net"]));
    outgoing(server.port, json!({})).send(&outbound, &OneFile(b"content")).await.unwrap();
    let mails = server.mails.lock().await;
    let mail = &mails[0];
    assert_eq!(field(mail, "Cc"), ["bob@example.net"]);
    assert!(!mail.contains("carol"), "{mail}");
    let received = crate::parse(mail.as_bytes()).unwrap();
    let message = &received.arrivals[0].message;
    assert_eq!(message.text.as_deref(), Some("On its way.\n.\nBob\n"));
    assert!(message.html.as_deref().unwrap().contains("cid:logo@example.com"));
    let files: Vec<_> = message
        .attachments
        .iter()
        .map(|one| (one.name.as_deref().unwrap(), one.disposition.as_deref().unwrap(), one.sha256))
        .collect();
    let sha256 = Some(blob.sha256);
    assert_eq!(files, [("logo.png", "inline", sha256), ("合同.png", "attachment", sha256)]);
}

#[tokio::test]
async fn automatic_answer_says_so_and_comes_from_nowhere() {
    let server = Server::start(vec![Part::Says("MAIL FROM:<>", "250 from nowhere")]).await;
    let mut outbound = outbound();
    outbound.message.attributes.insert("automatic".to_owned(), true.into());
    outgoing(server.port, json!({})).send(&outbound, &OneFile(b"")).await.unwrap();
    let mails = server.mails.lock().await;
    assert_eq!(field(&mails[0], "Auto-Submitted"), ["auto-replied"]);
    assert_eq!(field(&mails[0], "X-Auto-Response-Suppress"), ["All"]);
    let read = crate::parse(mails[0].as_bytes()).unwrap();
    assert!(!read.arrivals[0].message.automation.unwrap().may_answer);
}

#[tokio::test]
async fn what_went_wrong_says_whether_it_may_be_tried_again() {
    use SendErrorKind::{Permanent, Retryable, Uncertain};
    for (part, kind, code) in [
        (Part::Says("EHLO", "421 later"), Retryable, "smtp_unreachable"),
        (Part::Says("EHLO", "554 go away"), Retryable, "smtp_unreachable"),
        (Part::Says("MAIL", "451 4.7.1 grey"), Retryable, "smtp_deferred"),
        (Part::Says("MAIL", "530 5.7.0 log in"), Retryable, "smtp_login_refused"),
        (Part::Says("RCPT", "450 4.2.2 full"), Retryable, "smtp_deferred"),
        (Part::Says("RCPT", "550 5.1.1 nobody"), Permanent, "smtp_refused"),
        (Part::Says("DATA", "554 5.7.1 no"), Permanent, "smtp_refused"),
        (Part::Says(".", "451 4.3.0 later"), Retryable, "smtp_deferred"),
        (Part::Says(".", "552 5.3.4 too large"), Permanent, "smtp_refused"),
        (Part::Leaves("EHLO"), Retryable, "smtp_unreachable"),
        (Part::Leaves("RCPT"), Retryable, "smtp_unreachable"),
        (Part::Leaves("DATA"), Retryable, "smtp_unreachable"),
        (Part::Leaves("."), Uncertain, "smtp_uncertain"),
    ] {
        let server = Server::start(vec![part]).await;
        let error = outgoing(server.port, json!({})).send(&outbound(), &OneFile(b"")).await;
        let error = error.unwrap_err();
        assert_eq!((error.kind, error.code), (kind, code), "{part:?}: {error:?}");
        assert!(server.mails.lock().await.is_empty());
    }
}

#[tokio::test]
async fn mail_that_breaks_off_before_its_end_is_no_mail() {
    // More than the machine takes from us before somebody reads it.
    static CONTENT: [u8; 12_000_000] = [7; 12_000_000];
    let server = Server::start(vec![Part::Leaves("text")]).await;
    let mut outbound = outbound();
    let blob = BlobRef { size_bytes: CONTENT.len() as u64, ..BlobRef::of(b"large") };
    outbound.message.attachments = vec![Attachment {
        size_bytes: Some(blob.size_bytes),
        sha256: Some(blob.sha256),
        ..Attachment::default()
    }];
    let files = OneFile(&CONTENT);
    let error = outgoing(server.port, json!({})).send(&outbound, &files).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (SendErrorKind::Retryable, "smtp_unreachable"),
        "{error:?}"
    );
}

#[tokio::test]
async fn connection_that_was_closed_meanwhile_is_replaced() {
    let server = Server::start(vec![Part::Leaves("NOOP"), Part::Good]).await;
    let sender = outgoing(server.port, json!({}));
    for _ in 0..2 {
        sender.send(&outbound(), &OneFile(b"")).await.unwrap();
    }
    assert_eq!(server.mails.lock().await.len(), 2);
    assert_eq!(*server.connections.lock().await, 2);
}

#[tokio::test]
async fn private_server_is_reached_only_where_that_is_allowed() {
    let server = Server::start(vec![Part::Good]).await;
    let sender = Outgoing::new(&options(server.port, json!({})), tokens(), guard(&[])).unwrap();
    let error = sender.send(&outbound(), &OneFile(b"")).await.unwrap_err();
    assert_eq!((error.code, error.kind), ("address_not_allowed", SendErrorKind::Retryable));
    assert_eq!(*server.connections.lock().await, 0);
    assert_eq!(sender.examine().await.unwrap_err().code, "address_not_allowed");
    outgoing(server.port, json!({})).examine().await.unwrap();
}

#[tokio::test]
async fn nobody_to_send_to_is_told_before_anything_is_sent() {
    let server = Server::start(vec![Part::Good]).await;
    let sender = outgoing(server.port, json!({}));
    let mut nobody = outbound();
    nobody.to = vec![Party { address: Some("tel:+1".parse().unwrap()), ..Party::default() }];
    let mut odd = outbound();
    odd.message.attributes.insert("cc".to_owned(), json!(["no address"]));
    for (outbound, code) in [(nobody, "mail_address_missing"), (odd, "mail_address_invalid")] {
        let error = sender.send(&outbound, &OneFile(b"")).await.unwrap_err();
        assert_eq!((error.kind, error.code), (SendErrorKind::Permanent, code));
    }
    assert_eq!(*server.connections.lock().await, 0);
}

/// Keys made by the OpenSSL of this machine.
fn key(algorithm: &[&str]) -> String {
    let made =
        std::process::Command::new("openssl").arg("genpkey").args(algorithm).output().unwrap();
    assert!(made.status.success());
    String::from_utf8(made.stdout).unwrap()
}

#[tokio::test]
async fn token_that_the_server_refuses_is_given_back_and_the_next_one_is_used() {
    let server = Server::start(vec![Part::Wants("235 2.7.0 good")]).await;
    let mut options = options(server.port, json!({}));
    let login = Login { user: "ada@example.com".to_owned(), pass: Pass::Token };
    options.smtp.as_mut().unwrap().login = Some(login);
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let passes = Passes::new(move |refused| {
        let heard = Arc::clone(&heard);
        async move {
            let mut heard = heard.lock().unwrap();
            heard.push(refused);
            Ok(format!("token-{}", heard.len()))
        }
    });
    let out = Outgoing::new(&options, tokens(), guard(&["127.0.0.1/32"])).unwrap();
    // Nobody gives one.
    let error = out.send(&outbound(), &OneFile(b"")).await.unwrap_err();
    assert_eq!((error.kind, error.code), (SendErrorKind::Retryable, "smtp_login_refused"));
    let server =
        Server::start(vec![Part::Wants("535 5.7.8 it is old"), Part::Wants("235 2.7.0 good")])
            .await;
    options.smtp.as_mut().unwrap().port = server.port;
    let out = Outgoing::new(&options, tokens(), guard(&["127.0.0.1/32"])).unwrap();
    let out = out.with_passes(passes);
    let error = out.send(&outbound(), &OneFile(b"")).await.unwrap_err();
    assert_eq!((error.kind, error.code), (SendErrorKind::Retryable, "smtp_login_refused"));
    assert!(!format!("{error:?}").contains("token-"));
    out.send(&outbound(), &OneFile(b"")).await.unwrap();
    assert_eq!(server.mails.lock().await.len(), 1);
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked, [None, Some("token-1".to_owned()), None]);
}

#[tokio::test]
async fn signed_answer_names_selector_and_fields() {
    for (algorithm, name) in [
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..], "rsa-sha256"),
        (&["-algorithm", "ED25519"], "ed25519-sha256"),
    ] {
        let server = Server::start(vec![Part::Good]).await;
        let dkim = json!({ "dkim": { "selector": "postroom", "key": key(algorithm) } });
        outgoing(server.port, dkim).send(&outbound(), &OneFile(b"")).await.unwrap();
        let mails = server.mails.lock().await;
        let mail = mails[0].replace("\n\t", "").replace("\n ", "");
        assert!(mail.starts_with("DKIM-Signature: "), "{mail}");
        let signature = mail.lines().next().unwrap().replace(' ', "");
        for part in [&format!("a={name};"), "s=postroom;", "d=example.com;", "Message-ID"] {
            assert!(signature.contains(part), "{part}: {signature}");
        }
    }
}
