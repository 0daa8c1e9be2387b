//! What lies in `deploy/`: engines that are set up so are accepted, the configuration is understood, and
//! units and manifests pass the tools that read them, where this machine has those tools.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use postroom_testkit::find_tool;
use postroom_tests::process::{House, SECRET, WAIT, again, binary, config};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

/// Killed on drop.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Two ports that were free a moment ago.
fn free_ports() -> [String; 2] {
    let held = [0; 2].map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port().to_string())
}

/// P11: with the shipped settings, and only places and ports of the test's own, `doctor` has nothing to
/// say against the engines.
#[tokio::test]
async fn engines_set_up_as_shipped_are_accepted() {
    for shipped in ["nats/nats.conf", "compose/nats.conf"] {
        let folder = tempfile::tempdir().unwrap();
        let [port, monitor] = free_ports();
        let text = std::fs::read_to_string(deploy(shipped)).unwrap();
        let own = text.lines().map(|line| match line.split(':').next().unwrap().trim() {
            "listen" => format!("listen: \"127.0.0.1:{port}\""),
            "http" => format!("http: \"127.0.0.1:{monitor}\""),
            "store_dir" => format!("store_dir: {:?}", folder.path().display().to_string()),
            _ => line.to_owned(),
        });
        let settings = folder.path().join("nats.conf");
        std::fs::write(&settings, own.collect::<Vec<_>>().join("\n")).unwrap();
        let mut nats = Command::new(find_tool("nats-server", "POSTROOM_NATS_SERVER"));
        let _nats = Running::start(nats.arg("-c").arg(&settings));
        let socket = folder.path().join("socket");
        let mut redis = Command::new(find_tool("redis-server", "POSTROOM_REDIS_SERVER"));
        redis.arg(deploy("redis/redis.conf")).args(["--port", "0", "--unixsocket"]).arg(&socket);
        let _redis = Running::start(redis.arg("--dir").arg(folder.path()));
        let there = async {
            let mut again = again();
            while !socket.exists() {
                again.tick().await;
            }
        };
        tokio::time::timeout(WAIT, there).await.unwrap();
        let engines = format!(
            "[bus]\nurl = \"nats://127.0.0.1:{port}\"\nmonitor_urls = [\"http://127.0.0.1:{monitor}\"]\n\
             [records]\nurl = \"redis+unix://{}\"\n",
            socket.display()
        );
        let house = House::new(&(engines + &config("")));
        let said = house.ok(&["doctor", "--json"]).await;
        let told: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(told["ok"], true, "{shipped}: {told:#}");
        let accepted = told["checks"].as_array().unwrap().iter().any(|one| one["state"] != "good");
        assert!(!accepted, "{shipped}: {told:#}");
    }
}

#[tokio::test]
async fn shipped_configuration_is_understood() {
    let house = House::new("");
    let secret = house.path().join("site");
    std::fs::write(&secret, SECRET).unwrap();
    let text = std::fs::read_to_string(deploy("compose/postroom.toml")).unwrap();
    let text = text.replace("/run/secrets/site", secret.to_str().unwrap());
    std::fs::write(house.path().join("postroom.toml"), text).unwrap();
    house.ok(&["check"]).await;
}

#[test]
fn units_are_read_by_systemd() {
    for name in ["postroom.service", "postroom@.service"] {
        let text = std::fs::read_to_string(deploy("systemd").join(name)).unwrap();
        let program = "/usr/local/bin/postroom";
        assert!(text.contains(program), "{name} starts the installed program");
        let folder = tempfile::tempdir().unwrap();
        let unit = folder.path().join(name);
        std::fs::write(&unit, text.replace(program, binary().to_str().unwrap())).unwrap();
        let Some(verified) = run(Command::new("systemd-analyze").arg("verify").arg(&unit)) else {
            return;
        };
        let words = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success() && words.is_empty(), "{name}: {words}");
    }
}

#[test]
fn manifests_are_read_by_kubectl_and_start_every_role() {
    let mut kubectl = Command::new("kubectl");
    kubectl.args(["kustomize", "--load-restrictor", "LoadRestrictionsNone"]);
    let Some(made) = run(kubectl.arg(deploy("kubernetes"))) else { return };
    let words = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "{words}");
    let text = String::from_utf8(made.stdout).unwrap();
    assert_eq!(text.matches("kind: Deployment").count(), 3);
    assert!(text.contains("sync_interval: always") && text.contains("noeviction"));
    for role in ["gateway", "router", "channels"] {
        assert!(text.contains(&format!("name: postroom-{role}")), "{role}");
    }
    assert_eq!(text.matches("path: /readyz").count(), 3, "each role is asked whether it is ready");
}

#[test]
fn compose_file_is_read_by_docker_and_by_python() {
    let file = deploy("compose/compose.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    for needed in ["noeviction", "command: [gateway", "command: [router", "command: [channels"] {
        assert!(text.contains(needed), "{needed}");
    }
    let parse = "import sys, yaml; yaml.safe_load(open(sys.argv[1]))";
    let has = run(Command::new("python3").args(["-c", "import yaml"]));
    if has.is_some_and(|has| has.status.success()) {
        let read = run(Command::new("python3").args(["-c", parse]).arg(&file)).unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    }
    let has = run(Command::new("docker").args(["compose", "version"]));
    if has.is_some_and(|has| has.status.success()) {
        let mut compose = Command::new("docker");
        let read = run(compose.args(["compose", "-f"]).arg(&file).args(["config", "-q"])).unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    }
}

/// None where this machine has no such program, which is said.
#[expect(
    clippy::print_stdout,
    reason = "whoever runs the tests should know what they did not look at"
)]
fn run(command: &mut Command) -> Option<Output> {
    let output = command.output();
    if output.is_err() {
        println!("not looked at: {} is missing here", command.get_program().display());
    }
    output.ok()
}
