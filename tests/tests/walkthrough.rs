//! The page that walks one message through: its commands work as they stand.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Stdio;

use postroom_tests::engines::Engines;
use postroom_tests::process::{WAIT, again, binary};
use tokio::process::{Child, Command};

/// The page's code blocks: whether each starts something that stays, and its text.
fn blocks(page: &str) -> Vec<(bool, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let stays = line == "```bash server";
        if line == "```bash" || stays {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((stays, block.join("\n")));
        }
    }
    blocks
}

fn bash(script: &str, folder: &Path) -> Command {
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", binary().parent().unwrap().display());
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).current_dir(folder).env("PATH", path);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Another port than the page's, so that a server that already runs does not matter.
fn free_ports(page: &str) -> String {
    let free = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port().to_string()
    };
    let (server, callback) = (free(), free());
    let page = page.replace("127.0.0.1:8080", &format!("127.0.0.1:{server}"));
    page.replace("127.0.0.1:9000", &format!("127.0.0.1:{callback}"))
        .replace("(\"127.0.0.1\", 9000)", &format!("(\"127.0.0.1\", {callback})"))
}

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/walkthrough.md");
    free_ports(&std::fs::read_to_string(page).unwrap())
}

/// The blocks that begin so, such as what the clustered form has in place of `postroom serve`.
fn blocks_of(page: &str, head: &str) -> Vec<String> {
    let mut lines = page.lines();
    let mut blocks = Vec::new();
    while lines.by_ref().any(|line| line == head) {
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(block.join("\n"));
    }
    blocks
}

#[tokio::test]
async fn commands_of_the_walkthrough_work_as_they_stand() {
    let page = page();
    walk(&page, blocks(&page)).await;
}

/// The same words, with a process for each role over real engines.
#[tokio::test]
async fn commands_of_the_walkthrough_work_on_the_clustered_form() {
    let engines = Engines::start().await;
    let page = page()
        .replace("nats://127.0.0.1:4222", &engines.nats.url())
        .replace("http://127.0.0.1:8222", &engines.nats.monitor_url())
        .replace("redis://127.0.0.1:6379", &engines.redis.url());
    let [settings] = <[String; 1]>::try_from(blocks_of(&page, "```toml clustered")).unwrap();
    let roles = blocks_of(&page, "```bash clustered");
    assert_eq!(roles.len(), 3);
    let mut clustered = Vec::new();
    for (stays, block) in blocks(&page) {
        if !block.starts_with("postroom serve") {
            clustered.push((stays, block));
            continue;
        }
        let add = format!("cat >> walk/postroom.toml <<'TOML'\n\n{settings}\nTOML");
        clustered.push((false, add));
        clustered.extend(roles.iter().map(|role| (true, role.clone())));
    }
    walk(&page, clustered).await;
}

async fn walk(page: &str, blocks: Vec<(bool, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let mut running: Vec<Child> = Vec::new();
    let mut script = String::new();
    for (stays, block) in blocks {
        if !stays {
            script.push_str(&block);
            script.push('\n');
            continue;
        }
        // What came before it must have run before it starts.
        run(&script, folder.path()).await;
        script.clear();
        let block = format!("exec {block}");
        running.push(bash(&block, folder.path()).spawn().unwrap());
    }
    wait_for(page).await;
    let said = run(&script, folder.path()).await;
    assert!(said.contains("accepted"), "{said}");
    assert!(said.contains("Billing"), "{said}");
    assert!(said.contains("0 unaccounted"), "{said}");
    let arrived = async {
        let mut again = again();
        while !folder.path().join("walk/answer.json").exists() {
            again.tick().await;
        }
    };
    tokio::time::timeout(WAIT, arrived).await.expect("the answer arrives");
    drop(running);
}

async fn run(script: &str, folder: &Path) -> String {
    let output = tokio::time::timeout(WAIT, bash(script, folder).output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}\n{said}\n{words}");
    said
}

/// Until both programs listen.
async fn wait_for(page: &str) {
    // The last section is about another form.
    let page = page.split("## 8.").next().unwrap();
    let mut ports: Vec<&str> = page.split("http://127.0.0.1:").skip(1).collect();
    for port in &mut ports {
        *port = port.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    }
    ports.sort_unstable();
    ports.dedup();
    let wait = async {
        let mut again = again();
        for port in ports {
            while tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.is_err() {
                again.tick().await;
            }
        }
    };
    tokio::time::timeout(WAIT, wait).await.expect("server and listener start");
}
