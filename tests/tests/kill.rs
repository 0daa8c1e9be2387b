//! kill -9 of the serving process at random moments under load: nothing acknowledged is lost, doubled
//! or reordered (P1, P2, P3, P7).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postroom_model::SeededRandom;
use postroom_tests::process::{Callback, Client, House, config};
use serde_json::json;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

const THREADS: usize = 6;

#[expect(clippy::disallowed_methods, reason = "how long a run is asked for by hand")]
fn wanted(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What the customers know: the ids that were acknowledged, in order, by thread.
type Acknowledged = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// One customer: writes one message after the other, each until it is acknowledged.
async fn customer(
    thread: String,
    address: watch::Receiver<String>,
    random: SeededRandom,
    done: Arc<AtomicBool>,
    acknowledged: Acknowledged,
) {
    let mut n = 0;
    while !done.load(Ordering::SeqCst) {
        n += 1;
        let id = format!("{thread}-{n}");
        let event = json!({
            "id": id, "thread": thread, "from": { "id": thread }, "text": format!("message {n}")
        });
        loop {
            let client = Client::new(&address.borrow());
            if client.event(&event).await.status == 202 {
                break;
            }
            tokio::task::yield_now().await;
        }
        acknowledged.lock().await.entry(thread.clone()).or_default().push(id.clone());
        if random.chance(5) {
            Client::new(&address.borrow()).event(&event).await;
        }
    }
}

/// An agent who answers whatever they have; each answer names what it answers.
async fn agent(
    token: String,
    address: watch::Receiver<String>,
    random: SeededRandom,
    done: Arc<AtomicBool>,
) {
    while !done.load(Ordering::SeqCst) {
        let client = Client::new(&address.borrow());
        client.put("/v1/me/status", &token, &json!({ "status": "online" })).await;
        let mine = client.get("/v1/conversations?view=mine", &token).await.json();
        for conversation in mine["items"].as_array().into_iter().flatten() {
            let Some(id) = conversation["id"].as_str() else { continue };
            let path = format!("/v1/conversations/{id}");
            let version = conversation["version"].as_u64().unwrap_or_default();
            let key = format!("{id}-{version}");
            let reply = json!({ "text": format!("answer {key}") });
            client.change("POST", &format!("{path}/replies"), &token, &reply, Some(&key)).await;
            if random.chance(20) {
                client.post(&format!("{path}/resolve"), &token, &json!({})).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_reordered_by_kill_9() {
    let (kills, seed) = (wanted("POSTROOM_KILLS", 12), wanted("POSTROOM_SEED", 1));
    println!("POSTROOM_SEED={seed} POSTROOM_KILLS={kills}");
    let random = SeededRandom::new(seed);
    let callback = Callback::start().await;
    let house = House::new(&config(&callback.url));
    let mut server = house.serve().await;
    let admin = house.token("admin", None).await;
    let tokens = [house.token("agent", Some("ada")).await, house.token("agent", Some("bob")).await];
    let (address, reader) = watch::channel(server.address.clone());
    let done = Arc::new(AtomicBool::new(false));
    let acknowledged = Acknowledged::default();
    let mut people = JoinSet::new();
    for n in 0..THREADS {
        let random = SeededRandom::new(seed ^ (n as u64 + 1));
        let (reader, done) = (reader.clone(), Arc::clone(&done));
        let thread = format!("thread-{n}");
        people.spawn(customer(thread, reader, random, done, Arc::clone(&acknowledged)));
    }
    for (n, token) in tokens.into_iter().enumerate() {
        let random = SeededRandom::new(seed ^ (n as u64 + 100));
        people.spawn(agent(token, reader.clone(), random, Arc::clone(&done)));
    }
    for _ in 0..kills {
        let moment = Duration::from_millis(200 + random.below(1_800));
        // The moment of the kill is the one thing here that is a matter of time.
        drop(tokio::time::timeout(moment, std::future::pending::<()>()).await);
        server.kill().await;
        server = house.serve().await;
        address.send_replace(server.address.clone());
    }
    done.store(true, Ordering::SeqCst);
    while people.join_next().await.is_some() {}
    let report = settle(&house, &server.client(), &admin).await;
    judge(&server.client(), &admin, &acknowledged, &callback).await;
    println!("{kills} kills, {} inputs decided", report["inputs"]);
    server.stop().await;
    house.verify().await;
}

/// Waits until nothing is in flight.
async fn settle(house: &House, client: &Client, admin: &str) -> serde_json::Value {
    let message = client.says("last", "last", "the end").await;
    client.routed(&message, admin).await;
    house.verify().await
}

async fn judge(client: &Client, admin: &str, acknowledged: &Acknowledged, callback: &Callback) {
    let acknowledged = acknowledged.lock().await;
    let total: usize = acknowledged.values().map(Vec::len).sum();
    assert!(total > 100, "there was load: {total}");
    for (thread, ids) in acknowledged.iter() {
        let found = timeline_of(client, admin, thread).await;
        let once: BTreeSet<&String> = found.iter().collect();
        assert_eq!(once.len(), found.len(), "{thread}: a message is doubled");
        assert_eq!(&found, ids, "{thread}: lost or reordered");
    }
    let mut sent = BTreeMap::new();
    for got in callback.got() {
        *sent.entry(got.body["id"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    // A reply whose attempt was granted and cut off is uncertain, never repeated by itself.
    assert!(sent.values().all(|count| *count == 1), "a reply left twice");
}

/// External ids on the timeline of a thread, in order.
async fn timeline_of(client: &Client, admin: &str, thread: &str) -> Vec<String> {
    let mut cursor = String::new();
    let conversation = loop {
        let after = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let path = format!("/v1/conversations?view=all&limit=200{after}");
        let page = client.get(&path, admin).await.json();
        let items = page["items"].as_array().cloned().unwrap_or_default();
        if let Some(found) = items.into_iter().find(|item| item["thread"] == thread) {
            break found["id"].as_str().unwrap().to_owned();
        }
        page["next_cursor"]
            .as_str()
            .expect("the thread has a conversation")
            .clone_into(&mut cursor);
    };
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let after = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let path = format!("/v1/conversations/{conversation}/timeline?limit=200{after}");
        let page = client.get(&path, admin).await.json();
        for item in page["items"].as_array().into_iter().flatten() {
            if item["type"] == "message.received" {
                ids.push(item["message"]["external_id"].as_str().unwrap().to_owned());
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return ids,
        }
    }
}
