//! Over a real socket: streams end with the shutdown, and slow or endless requests are cut off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postroom_gateway::GatewayLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::house::House;

async fn serve(house: &House) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let (gateway, until) = (Arc::clone(&house.gateway), shutdown.clone());
    house.tasks.spawn(async move { gateway.serve(listener, until).await });
    (address, shutdown)
}

/// Reads until `end` stands in what came, or the other side closes.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let reading = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer));
        let count = reading.await.expect("something within 10 s").unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if count == 0 || (!end.is_empty() && text.contains(end)) {
            return text;
        }
    }
}

#[tokio::test]
async fn shutdown_ends_open_streams() {
    let house = House::open().await;
    let (address, shutdown) = serve(&house).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ada\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "welcome").await;
    house.conversation("site", "1", "support").await;
    assert!(read_until(&mut stream, "message.received").await.contains("id: 1"));
    shutdown.cancel();
    let rest = read_until(&mut stream, "").await;
    assert!(rest.ends_with("0\r\n\r\n"), "the stream ends as it should: {rest:?}");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn request_that_never_ends_is_cut_off() {
    let limits = GatewayLimits { header_read_ms: 50, body_idle_ms: 50, ..GatewayLimits::default() };
    let house = House::with(limits, None).await;
    let (address, _shutdown) = serve(&house).await;
    let mut half_a_head = TcpStream::connect(address).await.unwrap();
    half_a_head.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
    let answer = read_until(&mut half_a_head, "").await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let mut half_a_body = TcpStream::connect(address).await.unwrap();
    let head = "POST /v1/channels/site/events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    half_a_body.write_all(head.as_bytes()).await.unwrap();
    let answer = read_until(&mut half_a_body, "body_timeout").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// A client that writes all of its body before it reads anything, as most do.
async fn writes_then_reads(address: SocketAddr, body_bytes: usize, chunked: bool) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (head, body) = if chunked {
        let mut body = format!("{body_bytes:x}\r\n").into_bytes();
        body.resize(body.len() + body_bytes, b'a');
        body.extend_from_slice(b"\r\n0\r\n\r\n");
        ("transfer-encoding: chunked".to_owned(), body)
    } else {
        (format!("content-length: {body_bytes}"), vec![b'a'; body_bytes])
    };
    let head = format!("POST /v1/channels/site/events HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.expect("all of it is taken from the connection");
    read_until(&mut stream, "request_id").await
}

#[tokio::test]
async fn body_that_is_too_large_is_drained_so_that_its_writer_sees_the_answer() {
    let limits = GatewayLimits { body_bytes_max: 64 * 1024, ..GatewayLimits::default() };
    let house = House::with(limits, None).await;
    let (address, _shutdown) = serve(&house).await;
    for chunked in [false, true] {
        // More than the buffers of both ends of a connection hold.
        let answer = writes_then_reads(address, 32 * 1024 * 1024, chunked).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("\"code\":\"body_too_large\""), "{answer}");
    }
}

#[tokio::test]
async fn body_that_waits_to_be_asked_or_is_endless_is_refused_at_once() {
    let limits = GatewayLimits {
        body_bytes_max: 64 * 1024,
        drain_bytes_max: 128 * 1024,
        ..GatewayLimits::default()
    };
    let house = House::with(limits, None).await;
    let (address, _shutdown) = serve(&house).await;
    for headers in ["content-length: 100000\r\nexpect: 100-continue", "content-length: 9000000"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head =
            format!("POST /v1/channels/site/events HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "request_id").await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{headers}: {answer}");
    }
    // Chunks come on after what is drained; the connection ends.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        "POST /v1/channels/site/events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"1000\r\n".as_slice(), &[b'a'; 0x1000], b"\r\n"].concat();
    let ended = tokio::time::timeout(Duration::from_secs(10), async {
        while stream.write_all(&chunk).await.is_ok() {}
    });
    ended.await.expect("it is cut off, not read for ever");
}

#[tokio::test]
async fn connection_that_does_not_end_is_cut_off_at_the_last_moment() {
    let limits =
        GatewayLimits { shutdown_grace_ms: 50, body_idle_ms: 60_000, ..GatewayLimits::default() };
    let house = House::with(limits, None).await;
    let (address, shutdown) = serve(&house).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /v1/channels/site/events HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut stream, "100 Continue").await;
    shutdown.cancel();
    assert_eq!(read_until(&mut stream, "").await, "");
}
