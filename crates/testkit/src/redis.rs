//! A real Redis server of a test's own: on a socket in a folder of its own, killed when it is dropped.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::hold_process;

/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// The snapshot that was kept aside.
const BACKUP: &str = "kept.rdb";

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
        hold_process(self.child.id(), held);
    }

    /// One command in words without spaces, and the first line of what it answers.
    pub fn tell(&self, command: &str) -> String {
        let mut stream = UnixStream::connect(socket(self.folder.path())).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The same, where a password is asked for first.
    pub fn tell_as(&self, password: &str, command: &str) -> String {
        let mut stream = UnixStream::connect(socket(self.folder.path())).unwrap();
        stream.write_all(format!("AUTH {password}\r\n{command}\r\n").as_bytes()).unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "+OK");
        lines.next().unwrap().unwrap()
    }

    /// Keeps what it holds now aside; the one before is replaced.
    pub fn back_up(&self) {
        assert_eq!(self.tell("SAVE"), "+OK");
        let folder = self.folder.path();
        std::fs::rename(folder.join("dump.rdb"), folder.join(BACKUP)).unwrap();
    }

    /// Puts back what was kept aside, as an operator would: stops it, lays the old snapshot where its
    /// log was, starts it.
    pub async fn restore(&mut self) {
        self.kill();
        let log = self.folder.path().join("appendonlydir");
        std::fs::remove_dir_all(&log).unwrap();
        std::fs::create_dir(&log).unwrap();
        let kept = self.folder.path().join(BACKUP);
        std::fs::copy(kept, log.join("appendonly.aof.1.base.rdb")).unwrap();
        let manifest = "file appendonly.aof.1.base.rdb seq 1 type b\n";
        std::fs::write(log.join("appendonly.aof.manifest"), manifest).unwrap();
        self.restart(&[]).await;
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
