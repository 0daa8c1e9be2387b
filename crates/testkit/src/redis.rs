//! A real Redis server of a test's own: on a socket in a folder of its own, killed when it is dropped.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;

/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// Settings that a test does not name.
const SETTINGS: [(&str, &str); 6] = [
    ("port", "0"),
    ("save", ""),
    ("appendonly", "yes"),
    ("maxmemory-policy", "noeviction"),
    ("logfile", ""),
    ("enable-debug-command", "no"),
];

/// A running server and its folder.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    folder: TempDir,
}

impl RedisServer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = begin(folder.path(), settings).await;
        Self { child, folder }
    }

    pub fn url(&self) -> String {
        format!("redis+unix://{}", socket(self.folder.path()))
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// As the machine would: without a word.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Begins again on what the one before left.
    pub async fn restart(&mut self, settings: &[(&str, &str)]) {
        self.child = begin(self.folder.path(), settings).await;
    }

    /// Stops it where it is, or lets it go on.
    pub fn hold(&self, held: bool) {
        let signal = if held { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have been killed already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn socket(folder: &Path) -> String {
    folder.join("socket").to_str().unwrap().to_owned()
}

/// The program that `POSTROOM_REDIS_SERVER` names, else the one on the path.
fn program() -> OsString {
    std::env::var_os("POSTROOM_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}

async fn begin(folder: &Path, settings: &[(&str, &str)]) -> Child {
    let mut command = Command::new(program());
    let fixed = SETTINGS.iter().filter(|(name, _)| settings.iter().all(|(other, _)| name != other));
    for (name, value) in fixed.chain(settings) {
        command.arg(format!("--{name}")).arg(value);
    }
    command.arg("--unixsocket").arg(socket(folder)).arg("--dir").arg(folder);
    let begun = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = begun.unwrap_or_else(|error| {
        let program = program().to_string_lossy().into_owned();
        panic!("these tests need redis-server 7.0 or newer; {program} cannot be started: {error}")
    });
    let ready = ready(child.stdout.take().unwrap());
    match tokio::time::timeout(PATIENCE, ready).await {
        Ok(Ok(())) => child,
        _ => {
            child.kill().ok();
            panic!("redis-server did not begin")
        }
    }
}

/// Told when the server says that it is ready. Reads on, so that it can go on speaking.
fn ready(spoken: ChildStdout) -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut tell = Some(tell);
        for line in BufReader::new(spoken).lines().map_while(Result::ok) {
            let ready = line.contains("Ready to accept connections")
                || line.contains("ready to accept connections");
            if let Some(tell) = tell.take_if(|_| ready) {
                // Whoever waited may have given up.
                tell.send(()).ok();
            }
        }
    });
    told
}
