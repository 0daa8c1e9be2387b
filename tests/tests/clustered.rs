//! The clustered form on the real binary, over a real nats-server and a real Redis: everything in one
//! process, and each role in one of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use postroom_channel::signature::{Secret, verify};
use postroom_model::{Clock as _, SystemClock};
use postroom_testkit::{NatsSetup, find_tool};
use postroom_tests::engines::Engines;
use postroom_tests::process::{Callback, Client, House, SECRET, WAIT, again, config};
use serde_json::{Value, json};

/// A customer writes; gives the conversation once Bob has it.
async fn written(client: &Client, id: &str, admin: &str) -> Value {
    let message = client.says(id, id, "I want a refund, please").await;
    let conversation = client.routed(&message, admin).await;
    assert_eq!(conversation["queue"], "billing");
    assert_eq!(conversation["assignee"], "bob");
    conversation
}

/// Bob answers, and the customer's side gets it as the `count`th, signed.
async fn answered(
    client: &Client,
    bob: &str,
    conversation: &Value,
    callback: &Callback,
    count: usize,
) {
    let path = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap());
    let reply = json!({ "text": "It is on its way.", "if_version": conversation["version"] });
    let replied = client.post(&format!("{path}/replies"), bob, &reply).await;
    assert_eq!(replied.status, 202, "{}", replied.text());
    let got = callback.wait_for(count).await.pop().unwrap();
    let secret = Secret::parse(SECRET).unwrap();
    let checked = verify(&[secret], &got.headers, &got.raw, SystemClock.now());
    assert!(checked.is_ok(), "{checked:?}");
    assert_eq!(got.body["text"], "It is on its way.");
    assert_eq!(got.body["id"], replied.json()["id"]);
    let sent = |page: &Value| {
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.iter().any(|item| item["delivery"]["state"] == "sent")
    };
    client.until(&format!("{path}/timeline"), bob, sent).await;
}

async fn bob_is_online(client: &Client, bob: &str) {
    let online = json!({ "status": "online" });
    assert_eq!(client.put("/v1/me/status", bob, &online).await.status, 200);
}

#[tokio::test]
async fn message_goes_all_the_way_over_nats_and_redis() {
    let (engines, callback) = (Engines::start().await, Callback::start().await);
    let house = House::new(&engines.config(&callback.url));
    house.ok(&["doctor"]).await;
    let server = house.serve().await;
    let client = server.client();
    let (admin, bob) = (house.token("admin", None).await, house.token("agent", Some("bob")).await);
    let mut stream = client.stream("", &bob, None).await;
    bob_is_online(&client, &bob).await;
    let conversation = written(&client, "m1", &admin).await;
    let (_, seen) = stream.next_of("message.received").await;
    assert_eq!(seen["message"]["external_id"], "m1");
    answered(&client, &bob, &conversation, &callback, 1).await;
    let id = conversation["id"].as_str().unwrap();
    assert!(house.ok(&["explain", id]).await.contains("billing"));
    // A token is ended beside the server, in the store that all processes share.
    let tokens: Value =
        serde_json::from_str(&house.ok(&["token", "list", "--json"]).await).unwrap();
    let of_bob = tokens.as_array().unwrap().iter().find(|one| one["agent"] == "bob").unwrap();
    assert_eq!(client.get("/v1/me", &bob).await.status, 200);
    house.ok(&["token", "revoke", of_bob["id"].as_str().unwrap()]).await;
    assert_eq!(client.get("/v1/me", &bob).await.status, 401);
    assert_eq!(client.get("/v1/me", &admin).await.status, 200);
    server.stop().await;
    let before = house.verify().await;
    house.ok(&["rebuild"]).await;
    assert_eq!(house.verify().await["rows"], before["rows"]);
    assert!(!house.data().join("postroom.db").exists(), "nothing of the embedded form is made");
}

/// P1, P4, P7 with a process for each role, of which the router dies.
#[tokio::test]
async fn second_router_takes_over_after_the_first_is_killed() {
    let (engines, callback) = (Engines::start().await, Callback::start().await);
    let house = House::new(&engines.config(&callback.url));
    let gateway = house.gateway().await;
    let (first, channels) = (house.role("router").await, house.role("channels").await);
    let client = gateway.client();
    let (admin, bob) = (house.token("admin", None).await, house.token("agent", Some("bob")).await);
    let mut stream = client.stream("", &bob, None).await;
    bob_is_online(&client, &bob).await;
    let conversation = written(&client, "m1", &admin).await;
    answered(&client, &bob, &conversation, &callback, 1).await;

    first.kill().await;
    let accepted = client.says("m2", "m2", "I want a refund, too").await;
    gateway.ready().await;
    let second = house.role("router").await;
    let conversation = client.routed(&accepted, &admin).await;
    assert_eq!(conversation["assignee"], "bob");
    while stream.next_of("message.received").await.1["message"]["external_id"] != "m2" {}
    answered(&client, &bob, &conversation, &callback, 2).await;

    gateway.stop().await;
    channels.stop().await;
    second.stop().await;
    let report = house.verify().await;
    assert_eq!(report["in_flight"], 0, "{report:#}");
    assert_eq!(callback.got().len(), 2, "each answer left once");
}

/// P11: what cannot be trusted is told with its code, and nothing starts until it is accepted.
#[tokio::test]
async fn p11_engine_that_cannot_be_trusted_stops_the_start_until_it_is_accepted() {
    let setup = NatsSetup { sync_always: false, ..NatsSetup::default() };
    let engines = Engines::start_with(setup).await;
    let house = House::new(&engines.config(""));
    let refused = house.run(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("sync_interval") && words.contains("[nats_unfit]"), "{words}");
    let doctor = house.run(&["doctor", "--json"]).await;
    assert_eq!(doctor.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(told["checks"][0]["code"], "nats_sync_not_always", "{told:#}");
    let accepting =
        engines.config("").replace("[bus]", "[bus]\naccept = [\"nats_sync_not_always\"]");
    house.write_config(&accepting);
    house.ok(&["doctor"]).await;
    house.serve().await.stop().await;
}

#[tokio::test]
async fn forms_are_not_mixed_and_roles_need_the_clustered_one() {
    let house = House::new(&config(""));
    for role in ["channels", "router", "gateway"] {
        let refused = house.run(&[role]).await;
        assert_eq!(refused.status.code(), Some(2));
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(words.contains("needs the clustered form"), "{words}");
    }
    house.ok(&["doctor"]).await;
    house.write_config(&("[bus]\nurl = \"nats://127.0.0.1:1\"\n".to_owned() + &config("")));
    for command in ["check", "verify", "doctor"] {
        let refused = house.run(&[command]).await;
        assert_eq!(refused.status.code(), Some(2), "{command}");
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(words.contains("not of one form"), "{words}");
    }
}

/// The comparison runs over engines of its own, and says what it promises to say.
#[tokio::test]
async fn bench_measures_the_clustered_form_beside_its_raw_parts() {
    let house = House::new(&config(""));
    let nats = find_tool("nats-server", "POSTROOM_NATS_SERVER");
    let arguments =
        ["bench", "--form", "clustered", "--json", "--rounds", "1", "--messages", "1000"];
    let more = ["--open", "1000", "--nats-server", nats.to_str().unwrap()];
    let said = house.ok_within(4 * WAIT, &[&arguments[..], &more[..]].concat()).await;
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["form"], "clustered");
    for figure in [
        "/raw/http_per_s",
        "/raw/bus_publish_per_s",
        "/raw/http_to_bus_per_s",
        "/raw/records_per_s",
        "/raw/fsync_per_s",
        "/ingest/per_s",
        "/routed/per_s",
        "/seen_by_agent/p99_ms",
        "/decide/per_s",
        "/decide_growth/2/per_s",
        "/decide_with_ladders/per_s",
        "/come_online/p50_ms",
        "/rules/us_for_ten",
        "/rules/ms_for_thousand",
        "/memory/records_bytes_per_conversation",
        "/rebuild/events_per_s",
        "/ratio/ingest_of_http_to_bus",
        "/ratio/routed_of_records",
    ] {
        let value = told.pointer(figure).and_then(Value::as_f64);
        assert!(value > Some(0.0), "{figure}: {value:?}");
    }
    let left = std::fs::read_dir(house.data()).unwrap().count();
    assert_eq!(left, 0, "the folder of the bench is deleted");
}

/// A router and a channel host tell how they are, on an address of their own, and which router decides.
#[tokio::test]
async fn roles_without_a_gateway_tell_how_they_are() {
    let (mut engines, callback) = (Engines::start().await, Callback::start().await);
    let listens = "health_listen = \"127.0.0.1:0\"\n".to_owned();
    let house = House::new(&(listens + &engines.config(&callback.url)));
    let (router, channels) = (house.role("router").await, house.role("channels").await);
    let (of_router, of_channels) = (router.health(), channels.health());
    let is = |wanted: &'static str| move |told: &Value| told["status"] == wanted;
    of_router.until("/readyz", "", is("active")).await;
    of_channels.until("/readyz", "", is("ready")).await;
    for (client, metric) in
        [(&of_router, "postroom_router_active 1"), (&of_channels, "postroom_delivery_queue_length")]
    {
        assert_eq!(client.get("/healthz", "").await.status, 200);
        client.until_text("/metrics", metric).await;
        let metrics = client.get("/metrics", "").await;
        assert!(metrics.header("content-type").unwrap().contains("openmetrics"));
        assert_eq!(client.get("/v1/events", "").await.status, 404);
        assert_eq!(client.post("/readyz", "", &json!({})).await.status, 405);
    }
    // Another router that decides leaves this one standing by.
    let second = house.role("router").await;
    let of_second = second.health();
    let gateway = house.gateway().await;
    gateway.client().says("m1", "m1", "I want a refund").await;
    let both = async {
        let mut again = again();
        loop {
            let told = [&of_router, &of_second].map(async |client| client.get("/readyz", "").await);
            let [one, other] = told;
            let (one, other) = (one.await.json(), other.await.json());
            let mut states = [one["status"].clone(), other["status"].clone()];
            states.sort_by_key(ToString::to_string);
            if states == ["active", "standby"] {
                return;
            }
            again.tick().await;
        }
    };
    tokio::time::timeout(WAIT, both).await.unwrap();
    gateway.stop().await;
    engines.nats.kill();
    let away = |told: &Value| told["code"] == "not_ready";
    of_channels.until("/readyz", "", away).await;
}
