//! What `serve` does not start on, and what it does when the disk is full: it says what is wrong, and
//! harms nothing (P1, P11).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use postroom_tests::process::{Client, House, config};
use rusqlite::Connection;
use serde_json::json;

/// `serve` ends with this status and says this; a database that is there stays as it is, byte for byte.
async fn refused(house: &House, status: i32, words: &[&str]) {
    let database = house.data().join("postroom.db");
    let before = fs::read(&database).ok();
    let output = house.run(&["serve"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{said}");
    for word in words {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
    if before.is_some() {
        assert!(fs::read(&database).ok() == before, "the file was changed: {said}");
    }
    assert!(output.stdout.is_empty(), "it did not listen");
}

/// A house whose server has run and ended, and its database.
async fn lived_in() -> (House, std::path::PathBuf) {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let admin = house.token("admin", None).await;
    let client = server.client();
    for n in 0..30 {
        client.says("t1", &format!("m{n}"), &"words ".repeat(1_000)).await;
    }
    let last = client.says("t1", "last", "the last one").await;
    client.routed(&last, &admin).await;
    server.stop().await;
    let database = house.data().join("postroom.db");
    let log = house.data().join("postroom.db-wal");
    assert!(!log.exists(), "who copies the file alone after an orderly end has everything");
    (house, database)
}

#[tokio::test]
async fn file_that_is_not_ours_is_refused() {
    for garbage in [b"this is not a database ".repeat(2_000), vec![0; 8_192]] {
        let house = House::new(&config(""));
        fs::create_dir(house.data()).unwrap();
        fs::write(house.data().join("postroom.db"), garbage).unwrap();
        refused(&house, 1, &["[database_foreign]", "postroom.db"]).await;
    }
    let house = House::new(&config(""));
    fs::create_dir(house.data()).unwrap();
    let theirs = Connection::open(house.data().join("postroom.db")).unwrap();
    theirs.execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1);").unwrap();
    drop(theirs);
    refused(&house, 1, &["[database_foreign]"]).await;
}

#[tokio::test]
async fn newer_and_damaged_files_are_refused() {
    let (house, database) = lived_in().await;
    let whole = fs::read(&database).unwrap();
    Connection::open(&database).unwrap().pragma_update(None, "user_version", 99).unwrap();
    refused(&house, 1, &["[database_newer]", "99"]).await;

    for keep in [0, 100, whole.len() / 2, whole.len() - 4_096] {
        fs::write(&database, &whole[..keep]).unwrap();
        refused(&house, 1, &["[database_damaged]"]).await;
    }
    fs::write(&database, &whole).unwrap();
    let server = house.serve().await;
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn ledger_that_ends_before_the_records_is_refused_before_the_doors_open() {
    let (house, database) = lived_in().await;
    let aside = house.data().join("aside");
    fs::create_dir(&aside).unwrap();
    let files = ["postroom.db", "postroom.db-wal", "postroom.db-shm"];
    for file in files {
        // Those of the log are there or not.
        drop(fs::rename(database.with_file_name(file), aside.join(file)));
    }
    for _ in 0..2 {
        refused(&house, 1, &["[went_backwards]", "the ledger ends at 0"]).await;
    }
    for file in files {
        drop(fs::remove_file(database.with_file_name(file)));
        drop(fs::rename(aside.join(file), database.with_file_name(file)));
    }
    house.serve().await.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn address_in_use_is_named() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let house = House::new(&config(""));
    write_whole(house.path(), &format!("[server]\nlisten = \"{address}\"\n{}", config("")));
    refused(&house, 1, &["[listen_failed]", &address]).await;
}

fn write_whole(folder: &Path, text: &str) {
    fs::write(folder.join("postroom.toml"), text).unwrap();
}

#[tokio::test]
async fn mistakes_in_the_configuration_are_told_with_their_place() {
    let good = format!("[server]\nlisten = \"127.0.0.1:0\"\n{}", config(""));
    for (from, to, words) in [
        ("listen =", "lisetn =", ["2:1", "listen"]),
        ("queue = \"billing\"", "queue = \"biling\"", ["23:9", "billing"]),
        ("contains('refund')", "contains('refund'", ["22:", "missing ')'"]),
        ("capacity = 100", "capacity = \"much\"", ["35:12", "capacity"]),
        ("[[queues]]\nid = \"support\"", "[[queues]]\nid = support", ["14:6", "support"]),
        ("kind = \"webhook\"", "kind = \"webhok\"", ["9:8", "webhook"]),
    ] {
        let house = House::new(&config(""));
        write_whole(house.path(), &good.replacen(from, to, 1));
        let place = format!("postroom.toml:{}", words[0]);
        refused(&house, 2, &[&place, words[1]]).await;
        assert!(!house.data().exists(), "nothing is made for a configuration that is refused");
        let output = house.run(&["check"]).await;
        assert_eq!(output.status.code(), Some(2), "{to}");
    }
    let house = House::new(&config(""));
    fs::remove_file(house.path().join("postroom.toml")).unwrap();
    refused(&house, 2, &["postroom.toml"]).await;
}

/// What the file, the adapters and the rules find wrong, in one answer, in the order of the file.
#[tokio::test]
async fn check_tells_the_mistakes_of_every_room_at_once() {
    let good = config("");
    let house = House::new(&good);
    let wrong = good
        .replacen("[[channels]]", "[[channels]]\ncolour = \"red\"", 1)
        .replacen("message.text.contains('refund')", "message.txt.contain('refund')", 1)
        .replacen("queue = \"billing\"", "queue = \"biling\"", 1);
    write_whole(house.path(), &wrong);
    let output = house.run(&["check", "--json"]).await;
    assert_eq!(output.status.code(), Some(2));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let items = told["diagnostics"].as_array().unwrap();
    let found: Vec<(&str, &str)> = items
        .iter()
        .map(|item| (item["key"].as_str().unwrap(), item["help"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(found[0].0, "channels[0].colour");
    assert_eq!(
        &found[1..],
        [("rules[0].when", "did you mean `text`?"), ("rules[0].queue", "did you mean `billing`?"),]
    );
    let line = |item: &serde_json::Value| item["line"].as_u64().unwrap();
    assert!(items.is_sorted_by_key(line), "{items:?}");
    let column = 1 + "when = \"message.".len() as u64;
    assert_eq!(items[1]["column"].as_u64(), Some(column));
}

/// Posts until the disk has been full for a while; gives the external ids that were acknowledged.
async fn fill(client: &Client) -> Vec<String> {
    let text = "x".repeat(30_000);
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    for n in 0..2_000 {
        let id = format!("m{n}");
        let event = json!({ "id": id, "thread": "t", "from": { "id": "t" }, "text": text });
        let reply = client.event(&event).await;
        if reply.status == 202 {
            acknowledged.push(id);
            continue;
        }
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert!(reply.code().starts_with("storage_"), "{}", reply.text());
        assert!(reply.header("retry-after").is_some(), "{}", reply.text());
        refused += 1;
        if refused == 20 {
            return acknowledged;
        }
    }
    panic!("the limit does not hold: {} are stored", acknowledged.len());
}

/// P1 on a full disk: what was acknowledged is there later, what was not is refused, reads go on.
#[tokio::test]
async fn full_disk_refuses_posts_keeps_what_was_acknowledged_and_answers_reads() {
    let house = House::new(&config(""));
    let server = house.serve_within(3_000).await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let first = client.says("t", "first", "hello").await;
    let conversation = client.routed(&first, &admin).await;
    let path = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap());
    let mut acknowledged = vec!["first".to_owned()];
    acknowledged.extend(fill(&client).await);
    assert!(acknowledged.len() > 10, "{}", acknowledged.len());
    assert_eq!(client.get("/healthz", "").await.status, 200);
    for path in [path.clone(), format!("{path}/timeline"), "/v1/conversations".to_owned()] {
        let read = client.get(&path, &admin).await;
        assert_eq!(read.status, 200, "{path}: {}", read.text());
    }
    server.stop().await;

    let server = house.serve().await;
    let client = server.client();
    let last = client.says("t", "last", "there is room again").await;
    client.routed(&last, &admin).await;
    acknowledged.push("last".to_owned());
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("{path}/timeline?limit=200{cursor}"), &admin).await.json();
        for item in page["items"].as_array().unwrap() {
            if item["type"] == "message.received" {
                found.push(item["message"]["external_id"].as_str().unwrap().to_owned());
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    // A post that was refused may be there all the same; one that was acknowledged must be, in order.
    found.retain(|id| acknowledged.contains(id));
    assert_eq!(found, acknowledged);
    server.stop().await;
    house.verify().await;
}
