//! kill -9 of the serving process at random moments under load: nothing acknowledged is lost, doubled
//! or reordered (P1, P2, P3, P7).
//!
//! Customers and agents note what they were told; afterwards a judge compares their notes with the
//! timelines, with what arrived at the callback, and with what `verify` counts. The judge only
//! reads; it has a test of its own that shows what it complains of.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postroom_model::SeededRandom;
use postroom_tests::process::{Callback, Client, House, Reply, again, config};
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

const THREADS: usize = 6;

#[expect(clippy::disallowed_methods, reason = "how long a run is asked for by hand")]
fn wanted(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What the people outside know.
#[derive(Debug, Clone, Default)]
struct Told {
    /// External ids that were acknowledged, in order, by thread.
    messages: BTreeMap<String, Vec<String>>,
    /// Words of the replies that were acknowledged, by the id that they were given.
    replies: BTreeMap<String, String>,
    /// What was already wrong while it happened.
    wrong: Vec<String>,
}

/// What is stored and what left.
#[derive(Debug, Clone, Default)]
struct Found {
    /// External ids on the timeline, in order, by thread.
    messages: BTreeMap<String, Vec<String>>,
    /// Id, words and state of delivery, of every reply.
    replies: Vec<(String, String, String)>,
    /// Ids that arrived at the callback, as often as they did.
    arrived: Vec<String>,
    /// What became of commands that are on no timeline: refused ones.
    refused: Vec<String>,
}

/// What is repeated until it is answered.
#[derive(Debug)]
enum Request<'a> {
    Event(&'a Value),
    Answer { path: &'a str, token: &'a str, key: &'a str, body: &'a Value },
}

/// Where the server is, and what everybody was told.
#[derive(Debug, Clone)]
struct Street {
    address: watch::Receiver<String>,
    done: Arc<AtomicBool>,
    told: Arc<Mutex<Told>>,
}

impl Street {
    fn open(&self) -> bool {
        !self.done.load(Ordering::SeqCst)
    }

    fn client(&self) -> Client {
        Client::new(&self.address.borrow())
    }

    /// Repeats until the server acknowledges or refuses, over as many deaths as it takes.
    async fn insist(&self, request: &Request<'_>) -> Reply {
        let mut again = again();
        loop {
            let client = self.client();
            let reply = match request {
                Request::Event(event) => client.event(event).await,
                Request::Answer { path, token, key, body } => {
                    client.change("POST", path, token, body, Some(key)).await
                }
            };
            if reply.status != 0 && reply.status != 429 && reply.status < 500 {
                return reply;
            }
            again.tick().await;
        }
    }
}

/// One customer: writes one message after the other, each until it is acknowledged.
async fn customer(thread: String, street: Street, random: SeededRandom) {
    let mut n = 0;
    while street.open() {
        n += 1;
        let id = format!("{thread}-{n}");
        let from = json!({ "id": thread });
        let event =
            json!({ "id": id, "thread": thread, "from": from, "text": format!("message {n}") });
        let taken = street.insist(&Request::Event(&event)).await;
        let mut told = street.told.lock().await;
        if taken.status != 202 {
            told.wrong.push(format!("{id}: {} {}", taken.status, taken.text()));
            return;
        }
        told.messages.entry(thread.clone()).or_default().push(id.clone());
        drop(told);
        if random.chance(5) {
            let repeated = street.insist(&Request::Event(&event)).await;
            if repeated.json()["id"] != taken.json()["id"] {
                street.told.lock().await.wrong.push(format!("{id}: another id at a repetition"));
            }
        }
    }
}

/// An agent who answers whatever they have; each answer has a key of its own and is insisted on.
async fn agent(token: String, street: Street, random: SeededRandom) {
    while street.open() {
        let online = json!({ "status": "online" });
        street.client().put("/v1/me/status", &token, &online).await;
        let mine = street.client().get("/v1/conversations?view=mine", &token).await.json();
        for conversation in mine["items"].as_array().into_iter().flatten() {
            let Some(id) = conversation["id"].as_str() else { continue };
            let path = format!("/v1/conversations/{id}/replies");
            let key = format!("{id}-{}", conversation["version"]);
            let words = format!("answer {key}");
            let body = json!({ "text": words });
            let request = Request::Answer { path: &path, token: &token, key: &key, body: &body };
            let reply = street.insist(&request).await;
            if reply.status == 202 {
                let id = reply.json()["id"].as_str().unwrap_or_default().to_owned();
                street.told.lock().await.replies.insert(id, words);
            }
            if random.chance(20) {
                let path = format!("/v1/conversations/{id}/resolve");
                street.client().post(&path, &token, &json!({})).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_reordered_by_kill_9() {
    let (kills, seed) = (wanted("POSTROOM_KILLS", 20), wanted("POSTROOM_SEED", 1));
    println!("POSTROOM_SEED={seed} POSTROOM_KILLS={kills}");
    let random = SeededRandom::new(seed);
    let callback = Callback::start().await;
    let house = House::new(&config(&callback.url));
    let mut server = house.serve().await;
    let admin = house.token("admin", None).await;
    let tokens = [house.token("agent", Some("ada")).await, house.token("agent", Some("bob")).await];
    let (address, reader) = watch::channel(server.address.clone());
    let street = Street { address: reader, done: Arc::default(), told: Arc::default() };
    let mut people = JoinSet::new();
    for n in 0..THREADS {
        let random = SeededRandom::new(seed ^ (n as u64 + 1));
        people.spawn(customer(format!("thread-{n}"), street.clone(), random));
    }
    for (n, token) in tokens.into_iter().enumerate() {
        let random = SeededRandom::new(seed ^ (n as u64 + 100));
        people.spawn(agent(token, street.clone(), random));
    }
    for _ in 0..kills {
        let moment = Duration::from_millis(100 + random.below(1_400));
        // The moment of the kill is the one thing here that is a matter of time.
        drop(tokio::time::timeout(moment, std::future::pending::<()>()).await);
        server.kill().await;
        server = house.serve().await;
        address.send_replace(server.address.clone());
    }
    street.done.store(true, Ordering::SeqCst);
    while let Some(ended) = people.join_next().await {
        ended.expect("nobody gives up");
    }
    let told = street.told.lock().await.clone();
    let total: usize = told.messages.values().map(Vec::len).sum();
    assert!(total > 100 && told.replies.len() > 10, "there was load: {total}");
    let mut told = told;
    told.messages.get_mut("thread-0").expect("it wrote").remove(3);
    let found = settle(&server.client(), &admin, &told, &callback).await;
    let complaints = judge(&told, &found);
    assert!(complaints.is_empty(), "{complaints:#?}");
    server.stop().await;
    let report = house.verify().await;
    assert_eq!(report["in_flight"], 0, "{report:#}");
    let uncertain = found.replies.iter().filter(|(_, _, state)| state == "uncertain").count();
    assert!(uncertain * 2 < found.replies.len(), "uncertain is the exception: {uncertain}");
    println!(
        "{kills} kills, {total} messages, {} replies ({uncertain} uncertain), {} inputs",
        told.replies.len(),
        report["inputs"]
    );
}

/// Waits until nothing is under way, and reads everything.
async fn settle(client: &Client, admin: &str, told: &Told, callback: &Callback) -> Found {
    let last = client.says("last", "last", "the end").await;
    client.routed(&last, admin).await;
    let mut found = Found::default();
    let conversations = items(client, admin, "/v1/conversations?view=all&limit=200").await;
    for conversation in conversations {
        let thread = conversation["thread"].as_str().unwrap_or_default().to_owned();
        if thread == "last" {
            continue;
        }
        let id = conversation["id"].as_str().unwrap_or_default();
        let path = format!("/v1/conversations/{id}/timeline?limit=200");
        let timeline = resting(client, admin, &path).await;
        let messages = found.messages.entry(thread).or_default();
        for item in timeline {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            match item["type"].as_str() {
                Some("message.received") => messages.push(text(&item["message"]["external_id"])),
                Some("reply.queued") => found.replies.push((
                    text(&item["id"]),
                    text(&item["message"]["text"]),
                    text(&item["delivery"]["state"]),
                )),
                _ => {}
            }
        }
    }
    for id in told.replies.keys() {
        let command = client.get(&format!("/v1/commands/{id}"), admin).await.json();
        if command["state"] == "rejected" {
            found.refused.push(id.clone());
        }
    }
    let arrived = callback.got().into_iter();
    found.arrived =
        arrived.map(|got| got.body["id"].as_str().unwrap_or_default().to_owned()).collect();
    found
}

/// The timeline once none of its replies waits for anything that comes by itself.
async fn resting(client: &Client, admin: &str, path: &str) -> Vec<Value> {
    let under_way = |item: &Value| {
        let state = item["delivery"]["state"].as_str().unwrap_or("none");
        item["type"] == "reply.queued" && matches!(state, "queued" | "sending" | "waiting")
    };
    let rest = async {
        let mut again = again();
        loop {
            again.tick().await;
            let timeline = items(client, admin, path).await;
            if !timeline.iter().any(under_way) {
                return timeline;
            }
        }
    };
    tokio::time::timeout(2 * postroom_tests::process::WAIT, rest).await.expect("replies settle")
}

/// Everything that a list gives, page by page.
async fn items(client: &Client, admin: &str, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut next = path.to_owned();
    loop {
        let page = client.get(&next, admin).await.json();
        items.extend(page["items"].as_array().expect("a page").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => return items,
        }
    }
}

/// What is not as promised.
fn judge(told: &Told, found: &Found) -> Vec<String> {
    let mut complaints = told.wrong.clone();
    for (thread, ids) in &told.messages {
        if found.messages.get(thread) != Some(ids) {
            complaints.push(difference(thread, ids, found.messages.get(thread)));
        }
    }
    let strangers = found.messages.keys().filter(|thread| !told.messages.contains_key(*thread));
    complaints.extend(strangers.map(|thread| format!("{thread}: nobody wrote there")));
    let mut known: BTreeMap<&String, (&String, &String)> = BTreeMap::new();
    for (id, words, state) in &found.replies {
        if known.insert(id, (words, state)).is_some() {
            complaints.push(format!("reply {id} stands twice on a timeline"));
        }
    }
    for (id, words) in &told.replies {
        match known.get(id) {
            Some((stored, _)) if *stored == words => {}
            Some((stored, _)) => complaints.push(format!("reply {id}: {words} became {stored}")),
            None if found.refused.contains(id) => {}
            None => complaints.push(format!("reply {id} was acknowledged and is lost")),
        }
    }
    let mut arrived: BTreeMap<&String, usize> = BTreeMap::new();
    for id in &found.arrived {
        *arrived.entry(id).or_default() += 1;
    }
    for (id, times) in &arrived {
        if *times > 1 {
            complaints.push(format!("reply {id} left {times} times"));
        }
        if !known.contains_key(id) {
            complaints.push(format!("reply {id} left and is on no timeline"));
        }
    }
    for (id, (_, state)) in known {
        match state.as_str() {
            // It may or may not have left.
            "uncertain" => {}
            "sent" if arrived.contains_key(id) => {}
            _ => complaints.push(format!("reply {id} is {state}, and left {:?}", arrived.get(id))),
        }
    }
    complaints
}

/// Where two timelines part.
fn difference(thread: &str, told: &[String], found: Option<&Vec<String>>) -> String {
    let found = found.map(Vec::as_slice).unwrap_or_default();
    let at = told.iter().zip(found).take_while(|(told, found)| told == found).count();
    format!(
        "{thread}: {} were acknowledged and {} are there; from {at} on {:?} and {:?}",
        told.len(),
        found.len(),
        told.iter().skip(at).take(4).collect::<Vec<_>>(),
        found.iter().skip(at).take(4).collect::<Vec<_>>(),
    )
}

#[test]
fn other_judge_complains_of_what_is_lost_doubled_or_reordered() {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let reply = |id: &str, state: &str| (id.to_owned(), format!("words {id}"), state.to_owned());
    let told = Told {
        messages: BTreeMap::from([("t".to_owned(), ids(&["1", "2", "3"]))]),
        replies: ["a", "b", "c"].map(|id| (id.to_owned(), format!("words {id}"))).into(),
        wrong: vec![],
    };
    let good = Found {
        messages: told.messages.clone(),
        replies: vec![reply("a", "sent"), reply("b", "uncertain")],
        arrived: ids(&["a", "b"]),
        refused: ids(&["c"]),
    };
    assert_eq!(judge(&told, &good), Vec::<String>::new());
    let messages = |list: &[&str]| BTreeMap::from([("t".to_owned(), ids(list))]);
    for (what, found) in [
        ("lost", Found { messages: messages(&["1", "3"]), ..good.clone() }),
        ("doubled", Found { messages: messages(&["1", "2", "2", "3"]), ..good.clone() }),
        ("reordered", Found { messages: messages(&["2", "1", "3"]), ..good.clone() }),
        ("a thread is gone", Found { messages: BTreeMap::new(), ..good.clone() }),
        ("reply lost", Found { refused: vec![], ..good.clone() }),
        ("left twice", Found { arrived: ids(&["a", "a", "b"]), ..good.clone() }),
        ("not sent", Found { arrived: ids(&["b"]), ..good.clone() }),
        ("left unknown", Found { arrived: ids(&["a", "b", "x"]), ..good.clone() }),
        (
            "hangs",
            Found { replies: vec![reply("a", "sent"), reply("b", "waiting")], ..good.clone() },
        ),
        (
            "twice there",
            Found {
                replies: [good.replies.clone(), vec![reply("a", "sent")]].concat(),
                ..good.clone()
            },
        ),
    ] {
        assert_eq!(judge(&told, &found).len(), 1, "{what}: {:?}", judge(&told, &found));
    }
    let wrong = Told { wrong: ids(&["1: another id"]), ..told };
    assert_eq!(judge(&wrong, &good).len(), 1);
}
