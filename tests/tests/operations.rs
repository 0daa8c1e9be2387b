//! The commands of docs/operations.md do what the page says: what was saved is put back, and verified.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use postroom_tests::engines::Engines;
use postroom_tests::process::{House, config};

/// The commands of one block of the page, run in `folder`.
fn run(block: &str, folder: &Path, variables: &[(&str, &Path)]) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let lines = page.lines().skip_while(|line| *line != format!("```bash {block}")).skip(1);
    let script: Vec<&str> = lines.take_while(|line| *line != "```").collect();
    assert!(!script.is_empty(), "{block}");
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &script.join("\n")]).current_dir(folder);
    let done = bash.envs(variables.iter().copied()).output().unwrap();
    assert!(done.status.success(), "{block}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Customers say something to a running house, until it is routed.
async fn says(house: &House, server: &postroom_tests::process::Server, ids: &[&str]) {
    let admin = house.token("admin", None).await;
    let client = server.client();
    for id in ids {
        let message = client.says(id, id, "I want a refund").await;
        client.routed(&message, &admin).await;
    }
}

/// The conversations there are.
async fn count(house: &House, server: &postroom_tests::process::Server) -> usize {
    let admin = house.token("admin", None).await;
    let page = server.client().get_json("/v1/conversations?view=all", &admin).await.json();
    page["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn embedded_backup_beside_a_running_server_is_put_back_and_verified() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    says(&house, &server, &["m1", "m2"]).await;
    run("backup embedded", house.path(), &[]);
    says(&house, &server, &["m3"]).await;
    server.stop().await;
    run("restore embedded", house.path(), &[]);
    let server = house.serve().await;
    assert_eq!(count(&house, &server).await, 2);
    // A provider that repeats what came after the backup is heard, and what came before is known.
    says(&house, &server, &["m3", "m1"]).await;
    assert_eq!(count(&house, &server).await, 3);
    server.stop().await;
    assert_eq!(house.verify().await["duplicate"], 0);
}

#[tokio::test]
async fn clustered_backup_is_put_back_and_its_records_are_built_anew() {
    let mut engines = Engines::start().await;
    let house = House::new(&engines.config(""));
    let (store, blobs) = (engines.nats.store(), house.data().join("blobs"));
    let places = [("NATS_STORE", store.as_path()), ("BLOBS", blobs.as_path())];
    let server = house.serve().await;
    says(&house, &server, &["m1", "m2"]).await;
    server.stop().await;
    engines.nats.kill();
    run("backup clustered", house.path(), &places);
    engines.nats.start_again().await;
    let server = house.serve().await;
    says(&house, &server, &["m3"]).await;
    server.stop().await;
    engines.nats.kill();
    run("restore clustered", house.path(), &places);
    engines.nats.start_again().await;
    // Records that know more than the ledger are not believed.
    let refused = house.run(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("[went_backwards]"));
    assert_eq!(engines.redis.tell("FLUSHALL"), "+OK");
    let server = house.serve().await;
    assert_eq!(count(&house, &server).await, 2);
    says(&house, &server, &["m3"]).await;
    server.stop().await;
    assert_eq!(house.verify().await["in_flight"], 0);
}
