//! The engines of the clustered form, of this run's own: on free ports, in a folder of the bench, and
//! as durable as the product asks for.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use postroom_bus_nats::NatsOptions;
use postroom_model::WorkspaceId;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::cli::Bench;
use crate::failure::Failure;

/// How long an engine may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often one that comes up is tried.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// Both engines. They are killed when this is dropped.
#[derive(Debug)]
pub(super) struct Engines {
    nats: [u16; 2],
    redis: u16,
    _running: [Child; 2],
}

impl Engines {
    /// Starts both in a new folder.
    pub(super) async fn start(folder: &Path, wanted: &Bench) -> Result<Self, Failure> {
        let made = std::fs::create_dir_all(folder).and_then(|()| folder.canonicalize());
        let folder = made.map_err(|error| broken("a folder", &error))?;
        let nats = [free_port().await?, free_port().await?];
        let redis = free_port().await?;
        let nats_running = start_nats(&folder, wanted.nats_server.as_deref(), nats)?;
        let redis_running = start_redis(&folder, wanted.redis_server.as_deref(), redis)?;
        for port in [nats[0], nats[1], redis] {
            listens(port).await?;
        }
        Ok(Self { nats, redis, _running: [nats_running, redis_running] })
    }

    /// The lines of a configuration that name them.
    pub(super) fn config(&self) -> String {
        let (bus, monitor, records) = (self.bus_url(), self.monitor_url(), self.records_url());
        format!(
            "\n[bus]\nurl = \"{bus}\"\nmonitor_urls = [\"{monitor}\"]\n\n[records]\nurl = \"{records}\"\n"
        )
    }

    pub(super) fn bus_url(&self) -> String {
        let [port, _] = self.nats;
        format!("nats://127.0.0.1:{port}")
    }

    fn monitor_url(&self) -> String {
        let [_, port] = self.nats;
        format!("http://127.0.0.1:{port}")
    }

    pub(super) fn records_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.redis)
    }
}

/// For the bare parts, on any server of such an address.
pub(super) fn bus_options(url: &str) -> NatsOptions {
    NatsOptions::new(url, WorkspaceId::main())
}

fn start_nats(folder: &Path, named: Option<&Path>, ports: [u16; 2]) -> Result<Child, Failure> {
    let program = program(named, "POSTROOM_NATS_SERVER", "nats-server");
    let [port, monitor] = ports;
    let store = folder.join("nats");
    // The limit is no reservation: three streams are made with room for more than a small disk has.
    let config = format!(
        "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitor}\"\nmax_payload: 1MB\n\
         jetstream {{\n  store_dir: {:?}\n  max_file_store: 64GB\n  sync_interval: always\n}}\n",
        store.display().to_string()
    );
    let path = folder.join("nats.conf");
    std::fs::write(&path, config).map_err(|error| broken("nats.conf", &error))?;
    spawn(&program, &["-c".as_ref(), path.as_os_str()])
}

fn start_redis(folder: &Path, named: Option<&Path>, port: u16) -> Result<Child, Failure> {
    let program = program(named, "POSTROOM_REDIS_SERVER", "redis-server");
    let port = port.to_string();
    let settings = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"];
    // As in `deploy/redis/redis.conf`.
    let rewriting = ["--auto-aof-rewrite-min-size", "1gb", "--rdbcompression", "no"];
    let mut args: Vec<&OsStr> = settings.iter().chain(&rewriting).map(OsStr::new).collect();
    args.extend(["--maxmemory-policy", "noeviction", "--port", &port].map(OsStr::new));
    args.extend(["--dir".as_ref(), folder.as_os_str()]);
    spawn(&program, &args)
}

/// The one that is named, else the one of the variable, else the one on the path.
fn program(named: Option<&Path>, variable: &str, name: &str) -> PathBuf {
    let of_variable = || std::env::var_os(variable).map(PathBuf::from);
    named.map(Path::to_owned).or_else(of_variable).unwrap_or_else(|| name.into())
}

fn spawn(program: &Path, args: &[&OsStr]) -> Result<Child, Failure> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = command.kill_on_drop(true).spawn();
    started.map_err(|error| broken(&program.display().to_string(), &error))
}

/// One that was free a moment ago: engines cannot all be asked which they chose.
async fn free_port() -> Result<u16, Failure> {
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let address = held.and_then(|held| held.local_addr());
    address.map(|address| address.port()).map_err(|error| broken("a port", &error))
}

async fn listens(port: u16) -> Result<(), Failure> {
    let trying = async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            tokio::time::sleep(TRY_AGAIN).await;
        }
    };
    let tried = tokio::time::timeout(PATIENCE, trying).await;
    tried.map_err(|_| Failure::failed(format!("an engine does not listen on {port}")))
}

fn broken(what: &str, error: &std::io::Error) -> Failure {
    Failure::failed(format!("the engines cannot be started: {what}: {error}"))
}
