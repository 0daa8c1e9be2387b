//! One fault at a time, and what is promised for it.

use std::time::{Duration, Instant};

use postroom_testkit::{NatsSetup, hold_process};
use postroom_tests::process::{Callback, Client};
use postroom_tests::street::{Request, Street, judge, settle};
use serde_json::json;
use tokio::task::JoinSet;

use crate::estate::{Estate, pass};
use crate::ledger_is_sound;

/// By then a router that stood by decides.
const TAKEOVER_MAX: Duration = Duration::from_secs(5);

async fn estate() -> (Estate, Client, String) {
    let estate = Estate::start(NatsSetup::default(), "").await;
    let admin = estate.house.token("admin", None).await;
    let client = estate.gateways[0].client();
    (estate, client, admin)
}

/// Posts and waits until it is routed; says how long that took.
async fn routed_in(client: &Client, admin: &str, id: &str) -> Duration {
    let started = Instant::now();
    let message = client.says(id, id, "hello").await;
    client.routed(&message, admin).await;
    started.elapsed()
}

async fn ends_well(estate: Estate, messages: u64) {
    let stopped = estate.stop().await;
    assert_eq!(ledger_is_sound(&stopped.engines).await, Vec::<String>::new());
    let report = stopped.house.verify().await;
    assert_eq!(report["in_flight"], 0, "{report:#}");
    assert!(report["inputs"].as_u64() >= Some(messages), "{report:#}");
}

/// P4: a writer that is stopped, passed over and woken up again appends nothing and steps down.
#[tokio::test]
async fn stale_router_writes_nothing_and_the_other_takes_over_in_time() {
    let (estate, client, admin) = estate().await;
    let mut slowest = Duration::ZERO;
    for round in 0..2 {
        // Whichever decided before, after the first the other one does, so that it is stale at least
        // from the second on.
        for which in 0..estate.routers.len() {
            hold_process(estate.routers[which].pid(), true);
            let id = format!("m{round}-{which}");
            slowest = slowest.max(routed_in(&client, &admin, &id).await);
            hold_process(estate.routers[which].pid(), false);
            routed_in(&client, &admin, &format!("{id}-after")).await;
        }
    }
    assert!(slowest < TAKEOVER_MAX, "a takeover took {slowest:?}");
    ends_well(estate, 8).await;
}

/// A router that stands by decides soon after the one that led was killed.
#[tokio::test]
async fn router_that_stands_by_takes_over_in_time_after_kill_9() {
    let (mut estate, client, admin) = estate().await;
    // The one that is left has decided; so the other stands by as soon as it has looked.
    hold_process(estate.routers[0].pid(), true);
    routed_in(&client, &admin, "m1").await;
    hold_process(estate.routers[0].pid(), false);
    routed_in(&client, &admin, "m2").await;
    estate.routers.remove(1).kill().await;
    let took = routed_in(&client, &admin, "m3").await;
    assert!(took < TAKEOVER_MAX, "the takeover took {took:?}");
    println!("taken over in {took:?}");
    ends_well(estate, 3).await;
}

/// P4: an append whose answer never comes is found at the tail, and made once.
#[tokio::test]
async fn appends_whose_answers_are_cut_off_are_made_once() {
    let (estate, client, admin) = estate().await;
    for n in 0..10 {
        estate.line.cut_answers(1);
        routed_in(&client, &admin, &format!("m{n}")).await;
        assert_eq!(estate.line.cut(), n + 1);
    }
    ends_well(estate, 10).await;
}

/// P3: posts of one event at the same moment at all doors make one message with one id.
#[tokio::test]
async fn parallel_posts_of_one_event_make_one_message() {
    let (estate, _, admin) = estate().await;
    let street = Street::new(estate.doors());
    for n in 0..10 {
        let id = format!("m{n}");
        let event = json!({ "id": id, "thread": "t", "from": { "id": "t" }, "text": id });
        let mut posts = JoinSet::new();
        for _ in 0..50 {
            let (client, event) = (street.client(), event.clone());
            posts.spawn(async move { client.event(&event).await });
        }
        let mut ids = Vec::new();
        for reply in posts.join_all().await {
            assert_eq!(reply.status, 202, "{}", reply.text());
            ids.push(reply.json()["id"].to_string());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
        street.told.lock().await.messages.entry("t".to_owned()).or_default().push(id);
    }
    let told = street.told.lock().await.clone();
    let callback = Callback::start().await;
    let found = settle(&street, &admin, &told, &callback).await;
    assert_eq!(judge(&told, &found), Vec::<String>::new());
    // What the records know already is not even put into the inlet again.
    ends_well(estate, 10).await;
}

/// Records that do not answer hold up nobody who posts; what was taken is routed when they are back.
#[tokio::test]
async fn accepting_goes_on_while_redis_stands_still() {
    let (estate, client, admin) = estate().await;
    routed_in(&client, &admin, "before").await;
    estate.engines.redis.hold(true);
    let mut slowest = Duration::ZERO;
    let mut taken = Vec::new();
    for n in 0..20 {
        let started = Instant::now();
        taken.push(client.says("t", &format!("m{n}"), "hello").await);
        slowest = slowest.max(started.elapsed());
    }
    estate.engines.redis.hold(false);
    assert!(slowest < Duration::from_secs(2), "a post took {slowest:?}");
    for message in taken {
        client.routed(&message, &admin).await;
    }
    ends_well(estate, 21).await;
}

/// P5: records that were emptied or put back from a backup are the fold of the ledger again, soon and
/// by themselves.
#[tokio::test]
async fn emptied_and_old_records_are_brought_forward_by_themselves() {
    let (mut estate, client, admin) = estate().await;
    let message = client.says("t", "m1", "hello").await;
    let conversation = client.routed(&message, &admin).await;
    let path = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap());
    for old in [false, true] {
        if old {
            estate.engines.redis.restore().await;
        } else {
            assert_eq!(estate.engines.redis.tell("FLUSHALL"), "+OK");
        }
        let known = |found: &serde_json::Value| found["version"] == conversation["version"];
        client.until(&path, &admin, known).await;
    }
    ends_well(estate, 1).await;
}

/// What a gateway cannot store it refuses soon, and says when to come again.
#[tokio::test]
async fn posts_are_refused_soon_while_nats_is_away() {
    let (mut estate, client, admin) = estate().await;
    routed_in(&client, &admin, "before").await;
    estate.engines.nats.kill();
    let event = json!({ "id": "m1", "thread": "t", "from": { "id": "t" }, "text": "hello" });
    let started = Instant::now();
    let refused = client.event(&event).await;
    let took = started.elapsed();
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    assert!(took < Duration::from_secs(6), "it took {took:?}");
    estate.engines.nats.start_again().await;
    let street = Street::new(estate.doors());
    let taken = street.insist(&Request::Event(&event)).await.json();
    client.routed(taken["id"].as_str().unwrap(), &admin).await;
    ends_well(estate, 2).await;
}

/// A line on which nothing comes and nothing breaks is given up, and everything goes on by itself.
#[tokio::test]
async fn half_open_line_is_given_up_and_refuses_posts_meanwhile() {
    let (estate, client, admin) = estate().await;
    routed_in(&client, &admin, "before").await;
    estate.line.hold(true);
    let event = json!({ "id": "m1", "thread": "t", "from": { "id": "t" }, "text": "hello" });
    let started = Instant::now();
    let refused = client.event(&event).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(started.elapsed() < Duration::from_secs(6), "it took {:?}", started.elapsed());
    pass(Duration::from_secs(15)).await;
    estate.line.hold(false);
    let street = Street::new(estate.doors());
    let taken = street.insist(&Request::Event(&event)).await.json();
    client.routed(taken["id"].as_str().unwrap(), &admin).await;
    ends_well(estate, 2).await;
}
