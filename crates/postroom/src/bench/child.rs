//! Servers as processes of their own, so that their memory and processor time are theirs alone.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use super::wire::Connection;
use crate::failure::Failure;

/// How long a server may take to come up or to end.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a server that comes up is asked whether it is ready.
const ASK_AGAIN: Duration = Duration::from_millis(2);
/// A tick of the processor clock in `/proc`; Linux has had a hundred a second for decades.
const TICK_MS: u64 = 10;

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    process: tokio::process::Child,
    pub(super) address: SocketAddr,
    /// Held open: a server must not find its standard output closed.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts this program with other arguments and waits until it names its address.
    pub(super) async fn start(args: Vec<OsString>) -> Result<Self, Failure> {
        let broken = |error: std::io::Error| Failure::failed(format!("no server: {error}"));
        let program: PathBuf = std::env::current_exe().map_err(broken)?;
        let mut command = Command::new(program);
        // Settings of the one who measures must not reach what is measured.
        command.env_clear().args(args).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(broken)?;
        let output = process.stdout.take();
        let output = output.ok_or_else(|| Failure::failed("a server without standard output"))?;
        let mut output = BufReader::new(output).lines();
        let named = tokio::time::timeout(PATIENCE, async {
            loop {
                let line = output.next_line().await.map_err(broken)?;
                let line = line.ok_or_else(|| Failure::failed("a server ended at its start"))?;
                if let Some((_, address)) = line.split_once(" listens on http://") {
                    let odd = |_| Failure::failed(format!("no address: {line}"));
                    return address.parse::<SocketAddr>().map_err(odd);
                }
            }
        });
        let address = named.await.map_err(|_| Failure::failed("a server did not come up"))??;
        Ok(Self { process, address, _output: output })
    }

    /// Until it says that it is ready.
    pub(super) async fn ready(&self) -> Result<(), Failure> {
        let asked = tokio::time::timeout(PATIENCE, async {
            let mut connection = Connection::open(self.address).await?;
            let request = b"GET /readyz HTTP/1.1\r\nhost: postroom\r\n\r\n";
            while connection.exchange(request).await? != 200 {
                tokio::time::sleep(ASK_AGAIN).await;
            }
            Ok::<(), std::io::Error>(())
        });
        match asked.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::failed(format!("a server cannot be asked: {error}"))),
            Err(_) => Err(Failure::failed("a server did not get ready")),
        }
    }

    /// Asks it to end, and waits.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        let Some(id) = self.process.id() else { return Ok(()) };
        // The shell's own `kill` is there wherever a shell is.
        let mut kill = Command::new("sh");
        kill.arg("-c").arg(format!("kill -TERM {id}"));
        let broken = |error: std::io::Error| Failure::failed(format!("no end: {error}"));
        kill.status().await.map_err(broken)?;
        let ended: Result<std::io::Result<ExitStatus>, _> =
            tokio::time::timeout(PATIENCE, self.process.wait()).await;
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(Failure::failed(format!("a server ended with {status}"))),
            Ok(Err(error)) => Err(broken(error)),
            Err(_) => Err(Failure::failed("a server did not end")),
        }
    }

    /// Memory in use, in bytes.
    pub(super) fn rss_bytes(&self) -> Result<u64, Failure> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| Failure::failed("no memory figure in /proc"))
    }

    /// Processor time used so far, in milliseconds.
    pub(super) fn cpu_ms(&self) -> Result<u64, Failure> {
        let stat = self.proc("stat")?;
        // The name of the program, which may hold anything, ends with the last bracket.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
        match (times.next(), times.next()) {
            (Some(Ok(user)), Some(Ok(system))) => Ok((user + system) * TICK_MS),
            _ => Err(Failure::failed("no processor time in /proc")),
        }
    }

    fn proc(&self, name: &str) -> Result<String, Failure> {
        let id = self.process.id().ok_or_else(|| Failure::failed("the server has ended"))?;
        std::fs::read_to_string(format!("/proc/{id}/{name}"))
            .map_err(|error| Failure::failed(format!("/proc cannot be read: {error}")))
    }
}
