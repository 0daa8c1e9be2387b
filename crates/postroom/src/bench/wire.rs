//! The smallest HTTP client that can post: one request at a time on a connection that stays open.
//! It costs little, so that what is measured is the server.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Bytes in the head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    received: BytesMut,
}

/// Status and length of the body, as the head of an answer tells them.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    bytes: usize,
    status: u16,
    body_bytes: usize,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: BytesMut::with_capacity(8 * 1024) })
    }

    /// Sends a whole request and reads a whole answer; gives its status.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        loop {
            if let Some(head) = head_of(&self.received)? {
                let whole = head.bytes + head.body_bytes;
                while self.received.len() < whole {
                    self.more().await?;
                }
                self.received.advance(whole);
                return Ok(head.status);
            }
            self.more().await?;
        }
    }

    /// Sends a request whose answer ends only with the connection.
    pub(super) async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await
    }

    /// Reads what has come; the bytes so far are given and forgotten up to `consumed` later.
    pub(super) async fn more(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    pub(super) fn received(&mut self) -> &mut BytesMut {
        &mut self.received
    }
}

/// The head of an answer, if it is there whole.
fn head_of(bytes: &[u8]) -> io::Result<Option<Head>> {
    let broken = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() > HEAD_BYTES_MAX { Err(broken("a long head")) } else { Ok(None) };
    };
    let head = bytes.get(..end).unwrap_or_default();
    let text = std::str::from_utf8(head).map_err(|_| broken("a head that is not text"))?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let mut body_bytes = 0;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            body_bytes = value.trim().parse().map_err(|_| broken("an odd content-length"))?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(broken("an answer in chunks"));
        }
    }
    let status = status.ok_or_else(|| broken("a head without status"))?;
    Ok(Some(Head { bytes: end + 4, status, body_bytes }))
}

#[cfg(test)]
mod tests {
    use super::{Head, head_of};

    #[test]
    fn head_is_read_once_it_is_whole() {
        let answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\nx: y\r\n\r\nhello";
        let head = Head { bytes: answer.len() - 5, status: 202, body_bytes: 5 };
        assert_eq!(head_of(answer).unwrap(), Some(head));
        assert_eq!(head_of(&answer[..30]).unwrap(), None);
        assert!(head_of(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(head_of(b"nonsense\r\n\r\n").is_err());
    }
}
