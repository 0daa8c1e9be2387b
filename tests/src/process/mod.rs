//! The real `postroom`, started and ended by a test: its folder, its address, its tokens.
//!
//! Everything is on loopback and in a temporary folder; what was started is killed on drop.

mod callback;
mod client;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Interval, MissedTickBehavior};

pub use self::callback::{Answer, Callback, Got};
pub use self::client::{Client, Reply, Stream, sign};

/// A signing secret for tests: 32 bytes that everybody may know.
pub const SECRET: &str = "whsec_dGVzdHMgbWF5IGtub3cgdGhpcyBzZWNyZXQgd2VsbCE=";

/// How long a server may take to start or to do what it was asked; a test that waits longer fails.
pub const WAIT: Duration = Duration::from_secs(30);

/// Another process tells nobody when it is done, so it is asked again and again; with a pause that
/// leaves it the processor.
pub fn again() -> Interval {
    let mut interval = tokio::time::interval(Duration::from_millis(5));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// A folder with a configuration, and the program beside it.
#[derive(Debug)]
pub struct House {
    pub folder: TempDir,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub address: String,
    /// The one-time link, if it was printed.
    pub link: Option<String>,
    /// What it wrote to standard error.
    pub log: PathBuf,
}

/// A running process of one role that has no doors.
#[derive(Debug)]
pub struct Role {
    child: Child,
    /// Where it tells how it is, if it is configured to.
    health: Option<String>,
}

impl Role {
    /// Who asks how it is.
    pub fn health(&self) -> Client {
        Client::new(self.health.as_deref().expect("health_listen is configured"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// How it ended, if it did by itself.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("it can be asked")
    }

    /// SIGKILL, at once.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it is killed");
    }

    /// SIGTERM, and waits for its end.
    pub async fn stop(mut self) {
        terminate(&mut self.child).await;
    }
}

fn succeeded(args: &[&str], output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{args:?}: {said}{words}");
    said
}

async fn terminate(child: &mut Child) {
    let pid = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().await;
    assert!(sent.expect("kill runs").success());
    let ended = tokio::time::timeout(WAIT, child.wait()).await;
    assert!(ended.expect("it ends in time").expect("it ran").success());
}

/// The program that the workspace builds, next to this test's own executable.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let profile = own.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let binary = profile.join("postroom");
    assert!(binary.exists(), "build it first: cargo build -p postroom ({})", binary.display());
    binary
}

impl House {
    /// `config` is the file after `[server]`; see [`config`] for a whole one.
    pub fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let house = Self { folder };
        house.write_config(config);
        house
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.path().join("serve.log")
    }

    pub fn write_config(&self, config: &str) {
        let head = "[server]\nlisten = \"127.0.0.1:0\"\n";
        std::fs::write(self.path().join("postroom.toml"), format!("{head}{config}"))
            .expect("the configuration is written");
    }

    fn command(&self, args: &[&str]) -> Command {
        self.command_with(&self.path().join("postroom.toml"), args)
    }

    fn command_with(&self, config: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).arg("--config").arg(config);
        command.arg("--data").arg(self.data()).current_dir(self.path());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command beside the server and gives what it printed.
    pub async fn run(&self, args: &[&str]) -> Output {
        self.run_within(WAIT, args).await
    }

    async fn run_within(&self, wait: Duration, args: &[&str]) -> Output {
        let run = self.command(args).output();
        tokio::time::timeout(wait, run).await.expect("it ends in time").expect("it starts")
    }

    /// Runs a command that must succeed and gives its standard output.
    pub async fn ok(&self, args: &[&str]) -> String {
        self.ok_within(WAIT, args).await
    }

    /// The same, where it may take longer.
    pub async fn ok_within(&self, wait: Duration, args: &[&str]) -> String {
        succeeded(args, &self.run_within(wait, args).await)
    }

    /// The same with another configuration.
    pub async fn ok_with(&self, config: &Path, wait: Duration, args: &[&str]) -> String {
        let run = self.command_with(config, args).output();
        let output = tokio::time::timeout(wait, run).await.expect("it ends in time");
        succeeded(args, &output.expect("it starts"))
    }

    pub async fn token(&self, role: &str, agent: Option<&str>) -> String {
        let mut args = vec!["token", "create", "--role", role];
        if let Some(agent) = agent {
            args.extend(["--agent", agent]);
        }
        self.ok(&args).await.trim().to_owned()
    }

    /// `postroom verify` finds nothing to complain of.
    pub async fn verify(&self) -> serde_json::Value {
        self.verify_within(WAIT).await
    }

    /// The same, where there is much to fold.
    pub async fn verify_within(&self, wait: Duration) -> serde_json::Value {
        let said = self.ok_within(wait, &["verify", "--json"]).await;
        let report: serde_json::Value = serde_json::from_str(&said).expect("a report");
        assert_eq!(report["problems"], serde_json::json!([]), "{report:#}");
        assert_eq!(report["unaccounted"], 0, "{report:#}");
        report
    }

    /// Starts `serve` and waits until it is ready.
    pub async fn serve(&self) -> Server {
        let errors = File::options().create(true).append(true).open(self.log());
        let mut command = self.command(&["serve"]);
        command.stderr(errors.expect("a log file"));
        let server = self.started(command).await;
        server.ready().await;
        server
    }

    /// Starts `gateway` and waits until it reaches bus and records.
    pub async fn gateway(&self) -> Server {
        let errors = File::options().create(true).append(true).open(self.log());
        let mut command = self.command(&["gateway"]);
        command.stderr(errors.expect("a log file"));
        let server = self.started(command).await;
        server.ready().await;
        server
    }

    /// Starts a role that listens nowhere, and waits until it runs.
    pub async fn role(&self, name: &str) -> Role {
        let errors = File::options().create(true).append(true).open(self.log());
        let mut command = self.command(&[name]);
        command.stderr(errors.expect("a log file")).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let line = tokio::time::timeout(WAIT, lines.next_line()).await.expect("it says something");
        assert_eq!(line.expect("a line"), Some(format!("Postroom runs as {name}")));
        let config = std::fs::read_to_string(self.path().join("postroom.toml"));
        let mut health = None;
        if config.expect("it was written").contains("health_listen") {
            let line = tokio::time::timeout(WAIT, lines.next_line()).await.expect("it says more");
            let line = line.expect("a line").expect("where it tells how it is");
            let (_, at) = line.split_once("http://").expect("an address");
            health = Some(at.trim_end_matches("/readyz").to_owned());
        }
        Role { child, health }
    }

    /// Starts `serve` with a limit on what any of its files may hold, as on a full disk, where its log
    /// cannot be written either.
    pub async fn serve_within(&self, file_kib_max: u32) -> Server {
        let plain = self.command(&["serve"]);
        let mut limited = Command::new("bash");
        // Without the trap, the first write over the limit would end the process.
        limited.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\""]);
        limited.arg(file_kib_max.to_string()).arg(binary()).args(plain.as_std().get_args());
        limited.current_dir(self.path()).stdin(Stdio::null()).kill_on_drop(true);
        limited.stderr(File::options().write(true).open("/dev/full").expect("Linux has it"));
        let server = self.start(limited).await.expect("it prints its address");
        server.ready().await;
        server
    }

    /// The server that this command starts; what it said instead of its address, if it ended before.
    async fn started(&self, command: Command) -> Server {
        match self.start(command).await {
            Some(server) => server,
            None => panic!("it ended: {}", std::fs::read_to_string(self.log()).unwrap_or_default()),
        }
    }

    /// Reads the address that `serve` prints; none if it ended before.
    async fn start(&self, mut command: Command) -> Option<Server> {
        command.stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdout = child.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(stdout).lines();
        let mut address = None;
        let mut link = None;
        let reading = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(at) = line.strip_prefix("Postroom listens on http://") {
                    address = Some(at.to_owned());
                    // The link, if there is one, is printed at once after it.
                    if let Ok(Ok(Some(next))) =
                        tokio::time::timeout(Duration::from_millis(300), lines.next_line()).await
                    {
                        link = next.strip_prefix("Sign in once with ").map(str::to_owned);
                    }
                    break;
                }
            }
        };
        tokio::time::timeout(WAIT, reading).await.expect("it prints something or ends");
        Some(Server { child, address: address?, link, log: self.log() })
    }
}

impl Server {
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Waits until it routes.
    pub async fn ready(&self) {
        let client = self.client();
        let wait = async {
            let mut again = again();
            while client.get("/readyz", "").await.status != 200 {
                again.tick().await;
            }
        };
        tokio::time::timeout(WAIT, wait).await.expect("it becomes ready");
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// How it ended, if it did by itself.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("it can be asked")
    }

    /// SIGKILL, at once.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it is killed");
    }

    /// SIGTERM, and waits for its end.
    pub async fn stop(mut self) {
        terminate(&mut self.child).await;
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// A whole configuration with one channel, two queues, two rules and three agents. `callback` is a
/// URL, or empty.
pub fn config(callback: &str) -> String {
    let way_out = if callback.is_empty() {
        String::new()
    } else {
        format!("callback_url = \"{callback}\"\n")
    };
    format!(
        r#"
[outgoing]
allow = ["127.0.0.1/32"]

[[channels]]
id = "site"
kind = "webhook"
dialect = "generic"
secret = "{SECRET}"
{way_out}
[[queues]]
id = "support"
name = "Support"

[[queues]]
id = "billing"
name = "Billing"

[[rules]]
when = "message.text.contains('refund')"
queue = "billing"
priority = 5

[[rules]]
when = "message.text.contains('退款')"
queue = "billing"
skills = {{ chinese = 3 }}

[[agents]]
id = "ada"
name = "Ada"
queues = ["support"]
capacity = 100

[[agents]]
id = "bob"
name = "Bob"
queues = ["support", "billing"]
capacity = 100

[[agents]]
id = "chen"
name = "Chen"
queues = ["billing"]
skills = {{ chinese = 5 }}
capacity = 40
"#
    )
}
