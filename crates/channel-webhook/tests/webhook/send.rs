//! What becomes of a reply at the callback URL, against a server that does as the script says.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use postroom_channel::contract::NoFiles;
use postroom_channel::signature::{self, Secret};
use postroom_channel::{Adapter, Deadlines, Files, SendError, SendErrorKind, SendReceipt};
use postroom_channel_webhook::{WebhookAdapter, WebhookOptions};
use postroom_model::{Attachment, BlobRef, Outbound};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support;

/// What the server does with the one connection that it takes.
#[derive(Debug, Clone, Copy)]
enum Script {
    /// Reads the request and writes this.
    Answer(&'static str),
    /// Reads the request and writes this status with this header line and no body.
    Status(&'static str, &'static str),
    /// Reads the request and closes without a word.
    CloseAfterRequest,
    /// Closes at once.
    CloseAtOnce,
    /// Reads the request and says nothing until the client gives up.
    Silent,
    /// Answers with the status and then breaks off in the body.
    BreakInBody,
}

/// Runs one attempt against a server; what the server read comes back too.
async fn attempt(script: Script, outbound: &Outbound) -> (Result<SendReceipt, SendError>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/out", listener.local_addr().unwrap());
    let deadlines = Deadlines {
        connect: Duration::from_secs(5),
        total: match script {
            Script::Silent => Duration::from_millis(300),
            _ => Duration::from_secs(10),
        },
    };
    let adapter = support::adapter(Some(&url), deadlines);
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        serve(&mut stream, script).await
    };
    let (sent, read) = tokio::join!(adapter.send(outbound, &NoFiles), server);
    (sent, read)
}

async fn serve(stream: &mut TcpStream, script: Script) -> Vec<u8> {
    if matches!(script, Script::CloseAtOnce) {
        return Vec::new();
    }
    let read = read_request(stream).await;
    match script {
        Script::Answer(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
        Script::Status(status, header) => {
            let answer = format!("HTTP/1.1 {status}\r\n{header}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        Script::BreakInBody => {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":";
            stream.write_all(answer).await.unwrap();
        }
        Script::Silent => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
        }
        Script::CloseAfterRequest | Script::CloseAtOnce => {}
    }
    read
}

async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).await.unwrap();
        read.extend_from_slice(&chunk[..count]);
        if let Some(request) = Request::parse(&read)
            && request.body.len() >= request.length()
        {
            return read;
        }
        assert_ne!(count, 0, "the request broke off");
    }
}

struct Request {
    line: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let line = lines.next()?.to_owned();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap())
        });
        Some(Self { line, headers: headers.collect(), body: bytes[end + 4..].to_vec() })
    }

    fn length(&self) -> usize {
        let length = self.headers.get("content-length").unwrap();
        length.to_str().unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn outcome_of_an_attempt_says_whether_it_may_be_tried_again() {
    use Script::{Answer, BreakInBody, CloseAfterRequest, CloseAtOnce, Silent, Status};
    use SendErrorKind::{Permanent, Retryable, Uncertain};

    // The clock of the tests stands at 09:30:00.
    const SOON: &str = "retry-after: Sun, 01 Mar 2026 09:31:30 GMT";
    const PAST: &str = "retry-after: Sun, 01 Mar 2026 09:00:00 GMT";
    const TO: &str = "location: http://127.0.0.1:9/";

    for (script, kind, code, wait_s) in [
        (Status("400 Bad Request", "a: b"), Permanent, "callback_refused", None),
        (Status("401 Unauthorized", "a: b"), Permanent, "callback_refused", None),
        (Status("404 Not Found", "retry-after: 7"), Permanent, "callback_refused", None),
        (Status("410 Gone", "a: b"), Permanent, "callback_gone", None),
        (Status("302 Found", TO), Permanent, "callback_redirected", None),
        (Status("408 Request Timeout", "a: b"), Retryable, "callback_failed", None),
        (Status("425 Too Early", "a: b"), Retryable, "callback_failed", None),
        (Status("429 Too Many Requests", "retry-after: 7"), Retryable, "callback_failed", Some(7)),
        (Status("500 Oops", "a: b"), Retryable, "callback_failed", None),
        (Status("503 Busy", SOON), Retryable, "callback_failed", Some(90)),
        (Status("503 Busy", PAST), Retryable, "callback_failed", Some(0)),
        (Status("503 Busy", "retry-after: 99999999"), Retryable, "callback_failed", Some(86_400)),
        (Status("503 Busy", "retry-after: soon"), Retryable, "callback_failed", None),
        (Answer("not HTTP at all\r\n\r\n"), Uncertain, "callback_uncertain", None),
        (CloseAfterRequest, Uncertain, "callback_uncertain", None),
        (CloseAtOnce, Uncertain, "callback_uncertain", None),
        (Silent, Uncertain, "callback_uncertain", None),
    ] {
        let (sent, _) = attempt(script, &support::outbound()).await;
        let error = sent.expect_err("it was not taken");
        assert_eq!((error.kind, error.code), (kind, code), "{script:?}: {error}");
        assert_eq!(error.retry_after.map(|wait| wait.as_secs()), wait_s, "{script:?}");
    }
    let (sent, _) = attempt(BreakInBody, &support::outbound()).await;
    assert_eq!(sent.unwrap().external_id, None, "the status said that it was taken");
}

#[tokio::test]
async fn reply_is_taken_with_the_receivers_own_id_where_it_gives_one() {
    for (answer, id) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"id\":\"out-77\"}", Some("out-77")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"id\":77}", None),
        ("HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok", None),
    ] {
        let (sent, _) = attempt(Script::Answer(answer), &support::outbound()).await;
        assert_eq!(sent.unwrap().external_id.as_deref(), id, "{answer}");
    }
}

#[tokio::test]
async fn reply_is_signed_and_has_the_fields_of_the_contract() {
    let ok = Script::Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let outbound = support::outbound();
    let (sent, read) = attempt(ok, &outbound).await;
    sent.unwrap();
    let request = Request::parse(&read).unwrap();
    assert_eq!(request.line, "POST /out HTTP/1.1");
    assert_eq!(request.headers["content-type"], "application/json");
    let secrets = [Secret::parse(&support::secret()).unwrap()];
    let verified = signature::verify(&secrets, &request.headers, &request.body, support::now());
    assert_eq!(verified.unwrap().id, outbound.id.to_string());
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    insta::assert_json_snapshot!("callback", body);

    let (_, again) = attempt(ok, &outbound).await;
    let again = Request::parse(&again).unwrap();
    assert_eq!(again.headers["webhook-id"], request.headers["webhook-id"]);
    assert_eq!(again.body, request.body, "a second attempt is the same request");
}

#[tokio::test]
async fn nobody_at_the_callback_url_is_a_retry_and_a_private_address_is_none() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    for (url, kind, code) in [
        (closed.as_str(), SendErrorKind::Retryable, "callback_unreachable"),
        ("http://no-such-name.invalid/", SendErrorKind::Retryable, "callback_unreachable"),
        ("http://10.0.0.1/", SendErrorKind::Permanent, "address_not_allowed"),
        ("http://[::1]/", SendErrorKind::Permanent, "address_not_allowed"),
        ("http://2852039166/", SendErrorKind::Permanent, "address_not_allowed"),
    ] {
        let adapter = support::adapter(Some(url), Deadlines::default());
        let error = adapter.send(&support::outbound(), &NoFiles).await.unwrap_err();
        assert_eq!((error.kind, error.code), (kind, code), "{url}: {error}");
    }
    let adapter = support::adapter(None, Deadlines::default());
    assert!(!adapter.sends());
    let error = adapter.send(&support::outbound(), &NoFiles).await.unwrap_err();
    assert_eq!((error.kind, error.code), (SendErrorKind::Permanent, "callback_missing"));
}

#[tokio::test]
async fn server_that_speaks_no_tls_is_a_retry() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let adapter = support::adapter(Some(&url), Deadlines::default());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    };
    let outbound = support::outbound();
    let (sent, ()) = tokio::join!(adapter.send(&outbound, &NoFiles), server);
    let error = sent.unwrap_err();
    assert_eq!((error.kind, error.code), (SendErrorKind::Retryable, "callback_unreachable"));
}

/// Holds one file.
#[derive(Debug)]
struct OneFile(Bytes);

#[async_trait]
impl Files for OneFile {
    async fn read(&self, blob: &BlobRef) -> Result<Bytes, SendError> {
        if BlobRef::of(&self.0) == *blob {
            Ok(self.0.clone())
        } else {
            Err(SendError::permanent("blob_missing", "no such file"))
        }
    }
}

#[tokio::test]
async fn attachments_go_along_in_base64_up_to_a_limit() {
    let content = Bytes::from_static("发票 🧾".as_bytes());
    let blob = BlobRef::of(&content);
    let mut outbound = support::outbound();
    outbound.message.attachments = vec![Attachment {
        name: Some("发票.txt".to_owned()),
        media_type: Some("text/plain".to_owned()),
        size_bytes: Some(blob.size_bytes),
        sha256: Some(blob.sha256),
        ..Attachment::default()
    }];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/out", listener.local_addr().unwrap());
    let adapter: WebhookAdapter = support::adapter(Some(&url), Deadlines::default());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        serve(&mut stream, Script::Answer(answer)).await
    };
    let files = OneFile(content);
    let (sent, read) = tokio::join!(adapter.send(&outbound, &files), server);
    sent.unwrap();
    let body = Request::parse(&read).unwrap().body;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["attachments"][0]["content_base64"], "5Y+R56WoIPCfp74=");
    assert_eq!(body["attachments"][0]["name"], "发票.txt");

    let error = adapter.send(&outbound, &NoFiles).await.unwrap_err();
    assert_eq!(error.code, "blob_missing");
    outbound.message.attachments[0].size_bytes = Some(21 * 1024 * 1024);
    let error = adapter.send(&outbound, &files).await.unwrap_err();
    assert_eq!((error.kind, error.code), (SendErrorKind::Permanent, "attachments_too_large"));
}

#[test]
fn options_name_a_secret_of_their_own_for_the_callback() {
    let table = serde_json::json!({
        "secret": support::secret(),
        "callback_url": "https://example.com/out",
        "callback_secret": "whsec_b3RoZXItc2VjcmV0LW9mLXRoZS1jYWxsYmFjay1vbmx5",
    });
    let options = WebhookOptions::parse("generic", table.as_object().unwrap()).unwrap();
    let signed = options.callback.unwrap().secret.sign("a", support::now(), b"{}");
    assert_ne!(signed, options.secrets[0].sign("a", support::now(), b"{}"));
}
