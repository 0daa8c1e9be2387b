//! The records can be thrown away, and never show what another ledger says (P5).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use postroom_tests::process::{House, config};

/// A house in which customers have said so much, closed; gives the subject-less conversations' ids.
async fn lived_in(threads: usize) -> (House, Vec<String>) {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let admin = house.token("admin", None).await;
    let client = server.client();
    let mut conversations = Vec::new();
    for n in 0..threads {
        let message = client.says(&format!("t{n}"), &format!("m{n}"), "hello").await;
        let conversation = client.routed(&message, &admin).await;
        conversations.push(conversation["id"].as_str().unwrap().to_owned());
    }
    server.stop().await;
    (house, conversations)
}

fn records(house: &House) -> std::path::PathBuf {
    house.data().join("records.db")
}

/// Removes the records with what a process that was killed may leave beside them.
fn remove(records: &Path) {
    for beside in ["", "-wal", "-shm"] {
        let path = format!("{}{beside}", records.display());
        assert!(!beside.is_empty() || fs::metadata(&path).is_ok());
        drop(fs::remove_file(path));
    }
}

/// Serves, and finds exactly these conversations.
async fn shows(house: &House, conversations: &[String]) {
    let server = house.serve().await;
    server.ready().await;
    let admin = house.token("admin", None).await;
    let listed = server.client().get_json("/v1/conversations?view=all&limit=200", &admin).await;
    let mut found: Vec<String> = listed.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    let mut expected = conversations.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn p5_records_that_were_deleted_are_built_anew() {
    let (house, conversations) = lived_in(5).await;
    remove(&records(&house));
    let output = house.run(&["verify"]).await;
    assert_eq!(output.status.code(), Some(1), "records that lag are a difference");
    shows(&house, &conversations).await;
}

#[tokio::test]
async fn records_that_are_removed_under_a_server_are_noticed_and_mended_by_a_restart() {
    let (house, mut conversations) = lived_in(2).await;
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    remove(&records(&house));
    let unready = client.get("/readyz", "").await;
    assert_eq!((unready.status, unready.code().as_str()), (503, "records_misplaced"));
    let metrics = client.get("/metrics", "").await.text();
    assert!(metrics.contains("postroom_records_in_place 0"), "{metrics}");
    // What comes in meanwhile is not lost.
    let message = client.says("later", "later", "still there?").await;
    let conversation = client.routed(&message, &admin).await;
    conversations.push(conversation["id"].as_str().unwrap().to_owned());
    server.stop().await;
    shows(&house, &conversations).await;
}

#[tokio::test]
async fn p5_records_of_another_ledger_are_built_anew() {
    let (house, conversations) = lived_in(5).await;
    let (other, _) = lived_in(2).await;
    remove(&records(&house));
    fs::copy(records(&other), records(&house)).unwrap();
    shows(&house, &conversations).await;
}
