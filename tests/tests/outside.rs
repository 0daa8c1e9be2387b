//! An adapter outside of the process: the example of the documents, as a process of its own that has the
//! rights which the documents name, over a real nats-server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use postroom_testkit::{NatsServer, NatsSetup};
use postroom_tests::engines::Engines;
use postroom_tests::process::{Client, House, WAIT, again, config};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

/// The users of docs/adapters.md, as they stand there.
fn users() -> String {
    let page = std::fs::read_to_string(document("adapters.md")).unwrap();
    let from = page.find("    authorization {").unwrap();
    let lines = page
        .get(from..)
        .unwrap_or_default()
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.collect::<Vec<_>>().join("\n")
}

const CHANNEL: &str = "\n[[channels]]\nid = \"fax\"\nkind = \"external\"\n";

async fn engines() -> Engines {
    Engines::start_with(NatsSetup { more: users(), ..NatsSetup::default() }).await
}

fn house(engines: &Engines) -> House {
    let bus = format!("nats://postroom:ours@127.0.0.1:{}", engines.nats.port());
    House::new(&(engines.config_over(&bus, "") + CHANNEL))
}

/// Killed on drop.
fn adapter(nats: &NatsServer, folder: &Path) -> Child {
    let mut command = Command::new("python3");
    command.arg(document("examples/outside_adapter.py"));
    command.arg(format!("127.0.0.1:{}", nats.port())).args(["fax", "theirs", "main", "fax"]);
    command.arg(folder).kill_on_drop(true).spawn().unwrap()
}

fn comes(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder.join("in")).unwrap();
    let part = folder.join(name);
    std::fs::write(&part, format!("+49301234567\n{text}")).unwrap();
    std::fs::rename(part, folder.join("in").join(name)).unwrap();
}

async fn until_there(path: &Path) {
    let there = async {
        let mut again = again();
        while !path.exists() {
            again.tick().await;
        }
    };
    let there = tokio::time::timeout(WAIT, there).await;
    assert!(there.is_ok(), "{} does not come", path.display());
}

/// The one conversation, once Bob has it.
async fn held_by_bob(client: &Client, bob: &str) -> Value {
    let one = |page: &Value| page["items"].as_array().is_some_and(|items| items.len() == 1);
    let page = client.until("/v1/conversations?view=mine", bob, one).await;
    page["items"][0].clone()
}

async fn answer(client: &Client, bob: &str, conversation: &str, text: &str) -> String {
    let path = format!("/v1/conversations/{conversation}/replies");
    let replied = client.post(&path, bob, &json!({ "text": text })).await;
    assert_eq!(replied.status, 202, "{}", replied.text());
    replied.json()["id"].as_str().unwrap().to_owned()
}

/// The reply's place in the timeline, once its delivery stands so.
async fn until_delivery(
    client: &Client,
    bob: &str,
    conversation: &str,
    id: &str,
    state: &str,
) -> Value {
    let of = |page: &Value| {
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|item| item["id"] == id && item["delivery"]["state"] == state)
    };
    let path = format!("/v1/conversations/{conversation}/timeline");
    let page = client.until(&path, bob, |page| of(page).is_some()).await;
    of(&page).unwrap()
}

/// P1, P3, P7 over the published subjects: a message in, a reply out, and what became of it.
#[tokio::test]
async fn adapter_of_the_documents_takes_in_and_sends_with_no_other_right() {
    let engines = engines().await;
    let house = house(&engines);
    house.ok(&["check"]).await;
    let server = house.serve().await;
    let client = server.client();
    let bob = house.token("agent", Some("bob")).await;
    let online = json!({ "status": "online" });
    assert_eq!(client.put("/v1/me/status", &bob, &online).await.status, 200);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    comes(folder, "fax-1", "I want a refund, please");
    let running = adapter(&engines.nats, folder);
    until_there(&folder.join("taken/fax-1")).await;
    let conversation = held_by_bob(&client, &bob).await;
    assert_eq!(conversation["channel"], "fax");
    let conversation = conversation["id"].as_str().unwrap();

    let reply = answer(&client, &bob, conversation, "It is on its way.").await;
    let out = folder.join(format!("out/{reply}.json"));
    until_there(&out).await;
    let sent: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(sent["text"], "It is on its way.");
    assert_eq!(sent["to"][0]["address"], "tel:+49301234567");
    assert_eq!((&sent["thread"], &sent["attempt"]), (&json!("+49301234567"), &json!(1)));
    until_delivery(&client, &bob, conversation, &reply, "sent").await;

    // What the other process tells later counts, and what it could not send can be sent again.
    let busy = answer(&client, &bob, conversation, "The line is busy.").await;
    let failed = until_delivery(&client, &bob, conversation, &busy, "failed").await;
    assert_eq!(failed["delivery"]["code"], "line_busy", "{failed:#}");

    // The same fax once more, and a reply that waits while nobody fetches it.
    drop(running);
    comes(folder, "fax-1", "I want a refund, please");
    std::fs::remove_file(folder.join("taken/fax-1")).unwrap();
    let late = answer(&client, &bob, conversation, "And here is the form.").await;
    until_delivery(&client, &bob, conversation, &late, "sent").await;
    assert!(!folder.join(format!("out/{late}.json")).exists());
    let _running = adapter(&engines.nats, folder);
    until_there(&folder.join("taken/fax-1")).await;
    until_there(&folder.join(format!("out/{late}.json"))).await;
    let path = format!("/v1/conversations/{conversation}/timeline");
    let timeline = client.get(&path, &bob).await.json();
    let items = timeline["items"].as_array().unwrap();
    let received = items.iter().filter(|item| item["type"] == "message.received");
    assert_eq!(received.count(), 1, "the same fax makes one message");
    server.stop().await;
    assert_eq!(house.verify().await["in_flight"], 0);
}

/// P9: what an adapter outside may not ask for, or nobody can read, is set aside with the reason.
#[tokio::test]
async fn what_is_wrong_on_its_subject_is_parked_with_the_reason() {
    let engines = engines().await;
    let house = house(&engines);
    let server = house.serve().await;
    let inbound = |channel: &str, id: &str| {
        let message = json!({ "kind": "text", "external_id": id, "text": "hello" });
        json!({ "kind": "inbound", "body": { "channel": channel, "message": message } }).to_string()
    };
    let cases = [
        ("no json".to_owned(), "expected ident"),
        (inbound("site", "1"), "names the channel site"),
        (inbound("fax", ""), "message.external_id"),
        (r#"{"kind":"delivery","body":{"report":"own","channel":"fax","host":"00000000-0000-7000-8000-000000000000"}}"#.to_owned(), "may not ask"),
        (r#"{"kind":"of_tomorrow","body":{}}"#.to_owned(), "docs/schema/input.json"),
    ];
    let good = inbound("fax", "good");
    let words = cases.iter().map(|(words, _)| words.as_bytes());
    let all: Vec<&[u8]> = words.chain([good.as_bytes()]).collect();
    engines.nats.publish_as(("fax", "theirs"), "postroom.main.in.fax", &all).await;
    let admin = house.token("admin", None).await;
    let one = |page: &Value| page["items"].as_array().is_some_and(|items| items.len() == 1);
    server.client().until("/v1/conversations?view=all", &admin, one).await;
    let parked: Value =
        serde_json::from_str(&house.ok(&["parked", "list", "--json"]).await).unwrap();
    let parked = parked["items"].as_array().unwrap();
    assert_eq!(parked.len(), cases.len(), "{parked:#?}");
    for (words, reason) in &cases {
        let told = |one: &Value| one["detail"].as_str().is_some_and(|why| why.contains(reason));
        assert!(parked.iter().any(told), "{words}: {parked:#?}");
    }
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn channel_of_another_process_needs_the_clustered_form() {
    let house = House::new(&(config("") + CHANNEL + "secret = \"x\"\n"));
    let refused = house.run(&["check"]).await;
    assert_eq!(refused.status.code(), Some(2));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("needs the clustered form"), "{words}");
    assert!(words.contains("no such option"), "{words}");
}
