//! The manager interface of Asterisk over TCP: logs in, listens to the events of calls, and connects
//! again whenever the connection ends.
//!
//! The interface keeps nothing: calls that began while nobody listened are known from what comes of
//! them later. What is accepted are reports of a call as it stands at that moment.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use postroom_channel::{AcceptError, Inlet, PushRequest, Received};
use postroom_model::{Call, CallState, ChannelId};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::sync::CancellationToken;

use super::{PAUSE, give, rest};
use crate::Dialect;
use crate::desk::{Desk, Setting};
use crate::fold::Progress;
use crate::limits::{CALLS_REMEMBERED_MAX, RECORD_BYTES_MAX};

/// How long connecting, and logging in, may take.
const WAIT: Duration = Duration::from_secs(10);
/// After this long without a word it is asked whether it is still there; after twice as long, it is
/// not.
const SILENCE: Duration = Duration::from_secs(30);

/// Who logs in, and where.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) address: &'a str,
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
}

pub(crate) struct Manager<'a> {
    channel: ChannelId,
    setting: &'a Setting,
    login: Login<'a>,
}

/// Why a connection ended.
enum End {
    Shutdown,
    Accept(AcceptError),
    /// What went wrong, without a secret, and whether it had logged in.
    Lost(String, bool),
}

/// Calls that are known on this connection and before, and what was last told of each.
#[derive(Default)]
struct Heard {
    calls: BTreeMap<String, (Progress, Option<Call>)>,
    order: VecDeque<String>,
}

impl<'a> Manager<'a> {
    pub(crate) fn new(channel: ChannelId, setting: &'a Setting, login: Login<'a>) -> Self {
        Self { channel, setting, login }
    }

    /// Until `shutdown`.
    pub(crate) async fn run(
        &self,
        inlet: &dyn Inlet,
        shutdown: &CancellationToken,
    ) -> Result<(), AcceptError> {
        let mut heard = Heard::default();
        let mut pause = PAUSE;
        loop {
            let ended = tokio::select! {
                () = shutdown.cancelled() => End::Shutdown,
                ended = self.connection(&mut heard, inlet, shutdown) => ended,
            };
            match ended {
                End::Shutdown => return Ok(()),
                End::Accept(error) => return Err(error),
                End::Lost(why, logged_in) => {
                    tracing::warn!(channel = %self.channel, why, "the manager interface is away");
                    if logged_in {
                        pause = PAUSE;
                    }
                }
            }
            if !rest(&mut pause, shutdown).await {
                return Ok(());
            }
        }
    }

    async fn connection(
        &self,
        heard: &mut Heard,
        inlet: &dyn Inlet,
        shutdown: &CancellationToken,
    ) -> End {
        let lost = |error: std::io::Error, logged_in| End::Lost(error.to_string(), logged_in);
        let connecting = tokio::time::timeout(WAIT, log_in(self.login));
        let (mut lines, mut writer) = match connecting.await {
            Ok(Ok(halves)) => halves,
            Ok(Err(error)) => return lost(error, false),
            Err(_) => return End::Lost("it does not answer".to_owned(), false),
        };
        let mut asked = false;
        loop {
            let block = match tokio::time::timeout(SILENCE, block(&mut lines)).await {
                Ok(Ok(Some(block))) => block,
                Ok(Ok(None)) => return End::Lost("it closed the connection".to_owned(), true),
                Ok(Err(error)) => return lost(error, true),
                Err(_) if asked => return End::Lost("it went silent".to_owned(), true),
                Err(_) => {
                    asked = true;
                    if let Err(error) = writer.write_all(b"Action: Ping\r\n\r\n").await {
                        return lost(error, true);
                    }
                    continue;
                }
            };
            asked = false;
            let calls = self.news(heard, &block);
            if calls.is_empty() {
                continue;
            }
            let received = Received { calls, ..Received::default() };
            match give(inlet, &self.channel, &received, shutdown).await {
                Ok(true) => {}
                Ok(false) => return End::Shutdown,
                Err(error) => return End::Accept(error),
            }
        }
    }

    /// What a block makes known of calls.
    fn news(&self, heard: &mut Heard, block: &[u8]) -> Vec<Call> {
        let headers = http::HeaderMap::new();
        let request =
            PushRequest { method: &http::Method::POST, uri: "", headers: &headers, body: block };
        let desk = Desk::new(self.setting, None);
        let mut told = Vec::new();
        let read = Dialect::AsteriskAmi.parse(&request, &desk, &mut |event| {
            let id = event.call_id.clone();
            heard.know(&id);
            if let Some((progress, last)) = heard.calls.get_mut(id.as_str()) {
                progress.apply(event);
                let call = progress.call(&self.setting.places);
                if is_news(last.as_ref(), &call) {
                    *last = Some(call.clone());
                    told.push(call);
                }
            }
        });
        if let Err(refusal) = read {
            tracing::warn!(channel = %self.channel, code = refusal.code, "a block is passed over");
        }
        told
    }
}

/// Logs in, and off again.
pub(super) async fn try_login(login: Login<'_>) -> std::io::Result<()> {
    let gone = || std::io::Error::other("it does not answer");
    let connecting = tokio::time::timeout(WAIT, log_in(login)).await;
    let (_lines, mut writer) = connecting.map_err(|_| gone())??;
    writer.write_all(b"Action: Logoff\r\n\r\n").await
}

async fn log_in(login: Login<'_>) -> std::io::Result<(BufReader<OwnedReadHalf>, OwnedWriteHalf)> {
    let Login { address, username, password } = login;
    let (reader, mut writer) = TcpStream::connect(address).await?.into_split();
    let mut lines = BufReader::new(reader);
    let mut greeting = String::new();
    (&mut lines).take(RECORD_BYTES_MAX as u64).read_line(&mut greeting).await?;
    if !greeting.starts_with("Asterisk Call Manager") {
        return Err(std::io::Error::other("whoever answers is no manager interface"));
    }
    let login = format!(
        "Action: Login\r\nUsername: {username}\r\nSecret: {password}\r\nEvents: call,cdr\r\n\r\n"
    );
    writer.write_all(login.as_bytes()).await?;
    // Events may come before the answer.
    while let Some(block) = block(&mut lines).await? {
        let text = String::from_utf8_lossy(&block);
        let mut answers = text.lines().filter_map(|line| line.strip_prefix("Response:"));
        match answers.next().map(str::trim) {
            Some("Success") => return Ok((lines, writer)),
            Some(_) => {
                let kind = std::io::ErrorKind::PermissionDenied;
                return Err(std::io::Error::new(kind, "it refuses the login"));
            }
            None => {}
        }
    }
    Err(std::io::Error::other("it closed the connection at the login"))
}

impl Heard {
    fn know(&mut self, id: &str) {
        if self.calls.contains_key(id) {
            return;
        }
        self.calls.insert(id.to_owned(), (Progress::new(id.into()), None));
        self.order.push_back(id.to_owned());
        if self.order.len() > CALLS_REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.calls.remove(&oldest);
        }
    }
}

/// A call has many events; what counts is how far it has come and, in the end, all of it.
fn is_news(last: Option<&Call>, call: &Call) -> bool {
    let Some(last) = last else {
        return call.from.is_some() || call.state == CallState::Ended;
    };
    last.state != call.state || (call.state == CallState::Ended && last != call)
}

/// The next block with the empty line that ends it; none at the end.
async fn block(lines: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Option<Vec<u8>>> {
    let mut block = Vec::new();
    loop {
        let before = block.len();
        let room = (RECORD_BYTES_MAX + 1).saturating_sub(before) as u64;
        let read = (&mut *lines).take(room).read_until(b'\n', &mut block).await?;
        if read == 0 {
            return Ok(None);
        }
        if block.len() > RECORD_BYTES_MAX {
            return Err(std::io::Error::other("a block has no end"));
        }
        let line = block.get(before..).unwrap_or_default();
        if line.trim_ascii().is_empty() && line.ends_with(b"\n") {
            if before == 0 {
                block.clear();
                continue;
            }
            return Ok(Some(block));
        }
    }
}
