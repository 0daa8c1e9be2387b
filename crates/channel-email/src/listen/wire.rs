//! Lines and mails on a connection. A line ends with CR and LF together and in no other way: whoever
//! sends one of them alone may mean the next server to see an end where this one sees none.

use std::fmt;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use smtp_proto::request::receiver::DataReceiver;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits::{COMMAND_BYTES_MAX, DATA_LINE_BYTES_MAX, DATA_S_MAX};

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// What bytes go through.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the other side is gone")]
    Gone,
    #[error("it was silent for too long")]
    Silent,
    #[error("the program ends")]
    Shutdown,
    #[error("the limit {0}")]
    Limit(&'static str),
    #[error("{0}")]
    Broken(#[from] std::io::Error),
}

/// A line of a command.
#[derive(Debug)]
pub(super) enum Line {
    /// With its end.
    Whole(Vec<u8>),
    TooLong,
    /// CR or LF alone.
    Broken,
}

/// What came between DATA and the dot.
#[derive(Debug)]
pub(super) enum Data {
    Whole(Vec<u8>),
    TooLarge,
    LineTooLong,
    /// CR or LF alone.
    Broken,
}

pub(super) struct Wire {
    io: Box<dyn Io>,
    read: BytesMut,
    idle: Duration,
    shutdown: CancellationToken,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn new(io: Box<dyn Io>, idle: Duration, shutdown: CancellationToken) -> Self {
        Self { io, read: BytesMut::new(), idle, shutdown }
    }

    /// The same connection, encrypted. What had been read before is not part of it.
    pub(super) fn into_io(self) -> (Box<dyn Io>, Duration, CancellationToken) {
        (self.io, self.idle, self.shutdown)
    }

    /// Whether something was sent that has not been asked for yet.
    pub(super) fn has_more(&self) -> bool {
        !self.read.is_empty()
    }

    /// One or several lines, without their last end.
    pub(super) async fn say(&mut self, text: &str) -> Result<(), End> {
        let text = format!("{text}\r\n");
        let writing = async {
            self.io.write_all(text.as_bytes()).await?;
            self.io.flush().await
        };
        match tokio::time::timeout(self.idle, writing).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(End::Silent),
        }
    }

    /// The next command.
    pub(super) async fn line(&mut self) -> Result<Line, End> {
        let mut skipping = false;
        loop {
            if let Some(at) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(at + 1);
                let before = line.strip_suffix(b"\r\n");
                return Ok(match before {
                    _ if skipping => Line::TooLong,
                    Some(before) if !before.contains(&b'\r') => {
                        if line.len() > COMMAND_BYTES_MAX {
                            Line::TooLong
                        } else {
                            Line::Whole(line.to_vec())
                        }
                    }
                    _ => Line::Broken,
                });
            }
            if self.read.len() > COMMAND_BYTES_MAX {
                skipping = true;
                self.read.clear();
            }
            self.more().await?;
        }
    }

    /// The mail up to the line with nothing but a dot, which is read whatever stands before it: what
    /// follows the true end are commands, and nothing before it is.
    pub(super) async fn data(&mut self, bytes_max: usize) -> Result<Data, End> {
        let deadline = Instant::now() + Duration::from_secs(DATA_S_MAX);
        let mut receiver = DataReceiver::new();
        let (mut mail, mut watch) = (Vec::new(), LineWatch::default());
        let (mut too_large, mut seen) = (false, 0_usize);
        loop {
            let mut rest = self.read.iter();
            let ended = receiver.ingest(&mut rest, &mut mail);
            let taken = self.read.len() - rest.as_slice().len();
            watch.look(self.read.get(..taken).unwrap_or_default());
            self.read.advance(taken);
            seen += taken;
            if mail.len() > bytes_max {
                too_large = true;
                mail.clear();
            }
            if ended {
                return Ok(match watch.found {
                    Some(Trouble::Broken) => Data::Broken,
                    _ if too_large => Data::TooLarge,
                    Some(Trouble::TooLong) => Data::LineTooLong,
                    None => Data::Whole(mail),
                });
            }
            // Somebody who does not stop is not waited for.
            if seen > bytes_max.saturating_mul(4) {
                return Err(End::Limit("mail_bytes_max"));
            }
            if Instant::now() >= deadline {
                return Err(End::Limit("DATA_S_MAX"));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), End> {
        self.read.reserve(READ_BYTES);
        let read = tokio::select! {
            () = self.shutdown.cancelled() => return Err(End::Shutdown),
            read = tokio::time::timeout(self.idle, self.io.read_buf(&mut self.read)) => read,
        };
        match read {
            Err(_) => Err(End::Silent),
            Ok(Ok(0)) => Err(End::Gone),
            Ok(read) => Ok(read.map(drop)?),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    TooLong,
    Broken,
}

/// Looks whether all lines of a mail end as they must, and whether they end.
#[derive(Debug, Default)]
struct LineWatch {
    after_cr: bool,
    length: usize,
    found: Option<Trouble>,
}

impl LineWatch {
    fn look(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let ends = *byte == b'\n';
            if self.after_cr != ends {
                self.found = Some(Trouble::Broken);
                return;
            }
            self.after_cr = *byte == b'\r';
            self.length = if ends { 0 } else { self.length + 1 };
            if self.length > DATA_LINE_BYTES_MAX {
                self.found.get_or_insert(Trouble::TooLong);
            }
        }
    }
}
