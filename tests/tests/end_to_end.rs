//! The way of a message on the real binary: posted, routed, recorded, seen, answered, sent.

use std::time::Duration;

use postroom_channel::signature::{Secret, verify};
use postroom_model::{Clock as _, SystemClock};
use postroom_tests::process::{Answer, Callback, House, SECRET, again, config};
use serde_json::{Value, json};

/// The whole way, once: P1, P2, P3, P5, P6 and P7 as an outsider sees them.
#[tokio::test]
async fn message_goes_all_the_way_and_the_answer_comes_back() {
    let callback = Callback::start().await;
    let house = House::new(&config(&callback.url));
    let server = house.serve().await;
    let client = server.client();
    let (admin, bob) = (house.token("admin", None).await, house.token("agent", Some("bob")).await);
    let mut stream = client.stream("", &bob, None).await;
    let online = json!({ "status": "online" });
    assert_eq!(client.put("/v1/me/status", &bob, &online).await.status, 200);

    let message = client.says("t1", "m1", "I want a refund, please").await;
    let conversation = client.routed(&message, &admin).await;
    assert_eq!(conversation["queue"], "billing");
    assert_eq!(conversation["assignee"], "bob");
    assert_eq!(conversation["priority"], 5);
    assert_eq!(conversation["status"], "open");
    let (_, seen) = stream.next_of("message.received").await;
    assert_eq!(seen["message"]["external_id"], "m1");
    assert_eq!(seen["message"]["text"], "I want a refund, please");

    let id = conversation["id"].as_str().unwrap();
    let mine = client.get("/v1/conversations?view=mine", &bob).await.json();
    assert_eq!(mine["items"][0]["id"], conversation["id"]);
    assert_eq!(mine["next_cursor"], Value::Null);

    let path = format!("/v1/conversations/{id}");
    let version = conversation["version"].clone();
    let reply = json!({ "text": "It is on its way.", "if_version": version });
    let replied = client.post(&format!("{path}/replies"), &bob, &reply).await;
    assert_eq!(replied.status, 202, "{}", replied.text());

    let got = callback.wait_for(1).await.remove(0);
    let secret = Secret::parse(SECRET).unwrap();
    let checked = verify(&[secret], &got.headers, &got.raw, SystemClock.now());
    assert!(checked.is_ok(), "{checked:?}");
    let keys: Vec<&str> = got.body.as_object().unwrap().keys().map(String::as_str).collect();
    let mut wanted =
        vec!["id", "conversation", "thread", "to", "text", "html", "attachments", "sent_at"];
    wanted.sort_unstable();
    assert_eq!(keys, wanted);
    assert_eq!(got.body["text"], "It is on its way.");
    assert_eq!(got.body["thread"], "t1");
    assert_eq!(got.body["conversation"], id);
    assert_eq!(got.body["id"], replied.json()["id"]);

    let timeline = format!("{path}/timeline");
    let state = |wanted: &'static str| {
        move |page: &Value| {
            let items = page["items"].as_array().cloned().unwrap_or_default();
            items.iter().any(|item| item["delivery"]["state"] == wanted)
        }
    };
    client.until(&timeline, &bob, state("sent")).await;
    let receipt = json!({ "receipt": { "id": got.body["id"], "status": "delivered" } });
    assert_eq!(client.event(&receipt).await.status, 202);
    client.until(&timeline, &bob, state("delivered")).await;

    let after = client.get(&path, &bob).await.json();
    assert_eq!(after["status"], "pending");
    assert_eq!(after["waiting_since"], Value::Null);
    server.stop().await;
    house.verify().await;
}

/// P3: fifty at once and once more after a restart make one message.
#[tokio::test]
async fn same_event_many_times_makes_one_message() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let posts = (0..50).map(|_| {
        let client = client.clone();
        async move { client.says("t1", "same", "hello").await }
    });
    let mut ids: Vec<String> = futures_util::future::join_all(posts).await;
    client.routed(&ids[0], &admin).await;
    server.stop().await;
    let server = house.serve().await;
    ids.push(server.client().says("t1", "same", "other words, same id").await);
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let conversation = server.client().routed(&ids[0], &admin).await;
    let path = format!("/v1/conversations/{}/timeline", conversation["id"].as_str().unwrap());
    let page = server.client().get(&path, &admin).await.json();
    let messages = page["items"].as_array().unwrap().iter();
    assert_eq!(messages.filter(|item| item["type"] == "message.received").count(), 1);
    server.stop().await;
    house.verify().await;
}

/// P2: the gauges go on after a restart, from what the records know.
#[tokio::test]
async fn p2_nothing_is_unaccounted_before_and_after_a_restart() {
    let house = House::new(&config(""));
    let mut known = 0;
    for run in ["first", "second"] {
        let server = house.serve().await;
        let client = server.client();
        let admin = house.token("admin", None).await;
        let message = client.says(run, run, "hello").await;
        client.routed(&message, &admin).await;
        let metrics = client.get("/metrics", "").await.text();
        let inputs = |state: &str| -> i64 {
            let name = format!("postroom_inputs{{workspace=\"main\",state=\"{state}\"}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
            line.unwrap_or_else(|| panic!("no {state}: {metrics}")).parse().expect("a number")
        };
        let sum: i64 =
            ["routed", "duplicate", "parked", "rejected", "in_flight"].map(inputs).iter().sum();
        assert_eq!(inputs("accepted"), sum, "{run}: {metrics}");
        assert_eq!(inputs("unaccounted"), 0, "{run}: {metrics}");
        assert!(inputs("routed") > known, "{run}: what was before counts: {metrics}");
        known = inputs("routed");
        server.stop().await;
    }
    house.verify().await;
}

/// P6: of two claims at once one wins; the other learns whose it is.
#[tokio::test]
async fn second_of_two_claims_learns_the_owner() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let (ada, bob) =
        (house.token("agent", Some("ada")).await, house.token("agent", Some("bob")).await);
    let message = client.says("t1", "m1", "hello").await;
    let conversation = client.routed(&message, &admin).await;
    let path = format!("/v1/conversations/{}/claim", conversation["id"].as_str().unwrap());
    let body = json!({});
    let (first, second) =
        tokio::join!(client.post(&path, &ada, &body), client.post(&path, &bob, &body));
    let (won, lost) = if first.status == 200 { (first, second) } else { (second, first) };
    assert_eq!((won.status, lost.status), (200, 409), "{} {}", won.text(), lost.text());
    assert_eq!(lost.code(), "already_claimed");
    let owner = won.json()["assignee"].as_str().unwrap().to_owned();
    let name = if owner == "ada" { "Ada" } else { "Bob" };
    assert!(lost.json()["detail"].as_str().unwrap().contains(name), "{}", lost.text());
    server.stop().await;
    house.verify().await;
}

/// The stale-reply guard, idempotency, and what may not be answered.
#[tokio::test]
async fn reply_is_refused_when_the_conversation_changed_and_sent_once_for_one_key() {
    let callback = Callback::start().await;
    let house = House::new(&config(&callback.url));
    let server = house.serve().await;
    let client = server.client();
    let (admin, ada) = (house.token("admin", None).await, house.token("agent", Some("ada")).await);
    let message = client.says("t1", "m1", "hello").await;
    let conversation = client.routed(&message, &admin).await;
    let path = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap());
    let second = client.says("t1", "m2", "are you there?").await;
    client.routed(&second, &admin).await;

    let replies = format!("{path}/replies");
    let stale = json!({ "text": "hi", "if_version": conversation["version"] });
    let refused = client.post(&replies, &ada, &stale).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "conversation_changed"));

    let reply = json!({ "text": "hi" });
    let first = client.change("POST", &replies, &ada, &reply, Some("key-1")).await;
    let again = client.change("POST", &replies, &ada, &reply, Some("key-1")).await;
    assert_eq!((first.status, again.status), (202, 202), "{}", again.text());
    assert_eq!(first.json()["id"], again.json()["id"]);
    callback.wait_for(1).await;

    assert_eq!(client.post(&format!("{path}/resolve"), &ada, &json!({})).await.status, 200);
    let late = client.post(&replies, &ada, &reply).await;
    assert_eq!((late.status, late.code().as_str()), (409, "conversation_resolved"));
    let third = client.says("t1", "m3", "one more thing").await;
    let reopened = client.routed(&third, &admin).await;
    assert_eq!(reopened["id"], conversation["id"]);
    assert_eq!(reopened["status"], "open");

    let foreign = client.says("t2", "m4", "refund").await;
    let foreign = client.routed(&foreign, &admin).await;
    let replies = format!("/v1/conversations/{}/replies", foreign["id"].as_str().unwrap());
    let refused = client.post(&replies, &ada, &reply).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "not_in_queue"));
    server.stop().await;
    assert_eq!(callback.got().len(), 1, "one key, one answer");
    house.verify().await;
}

/// P7: refused is tried again with the same id; broken off is uncertain and waits for a person.
#[tokio::test]
async fn failed_sends_are_repeated_and_uncertain_ones_are_not() {
    let callback = Callback::start().await;
    callback.script(&[Answer::Status(500), Answer::Status(200), Answer::HangUp]);
    let house = House::new(&config(&callback.url));
    let server = house.serve().await;
    let client = server.client();
    let (admin, ada) = (house.token("admin", None).await, house.token("agent", Some("ada")).await);
    let message = client.says("t1", "m1", "hello").await;
    let conversation = client.routed(&message, &admin).await;
    let path = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap());
    let replies = format!("{path}/replies");
    client.post(&replies, &ada, &json!({ "text": "first" })).await;
    let got = callback.wait_for(2).await;
    assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);

    let second = client.post(&replies, &ada, &json!({ "text": "second" })).await.json();
    callback.wait_for(3).await;
    let uncertain = |page: &Value| {
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.iter().any(|item| item["delivery"]["state"] == "uncertain")
    };
    client.until(&format!("{path}/timeline"), &ada, uncertain).await;
    // The first retry would come after about a second; nothing may come of an uncertain one.
    let more = tokio::time::timeout(Duration::from_secs(3), callback.wait_for(4)).await;
    assert!(more.is_err(), "an uncertain answer was sent again");
    let resend = format!("{replies}/{}/resend", second["id"].as_str().unwrap());
    let resent = client.post(&resend, &ada, &json!({})).await;
    assert!(resent.status < 300, "{}", resent.text());
    let got = callback.wait_for(4).await;
    assert_eq!(got[2].headers["webhook-id"], got[3].headers["webhook-id"]);
    server.stop().await;
    house.verify().await;
}

/// The feed: no gap, no repeat, as pages and as a stream that was cut.
#[tokio::test]
async fn events_resume_where_the_reader_stopped() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    for n in 0..20 {
        let message = client.says(&format!("t{}", n % 4), &format!("m{n}"), "hello").await;
        client.routed(&message, &admin).await;
    }
    let mut paged = Vec::new();
    let mut after = "0".to_owned();
    loop {
        let path = format!("/v1/events?after={after}&limit=7");
        let page = client.get_json(&path, &admin).await.json();
        let items = page["items"].as_array().unwrap();
        paged.extend(items.iter().map(|item| item["position"].as_u64().unwrap()));
        match page["next_cursor"].as_str() {
            Some(cursor) if !items.is_empty() => cursor.clone_into(&mut after),
            _ => break,
        }
    }
    let expected: Vec<u64> = (1..=u64::try_from(paged.len()).unwrap()).collect();
    assert_eq!(paged, expected, "an admin sees every event");
    assert!(paged.len() >= 28, "20 messages, 4 conversations, 4 contacts");

    let mut streamed = Vec::new();
    let mut last = String::new();
    while streamed.len() < paged.len() {
        let resume = if last.is_empty() { None } else { Some(last.as_str()) };
        let mut stream = client.stream("?after=0", &admin, resume).await;
        for _ in 0..5.min(paged.len() - streamed.len()) {
            let (id, event) = stream.next().await;
            assert_eq!(event["position"].to_string(), id);
            streamed.push(event["position"].as_u64().unwrap());
            last = id;
        }
    }
    assert_eq!(streamed, expected);
    server.stop().await;
    house.verify().await;
}

/// A changed file is taken over without a restart, or refused whole.
#[tokio::test]
async fn configuration_changes_without_a_restart() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let rule = "\n[[rules]]\nwhen = \"message.text.contains('parcel')\"\nqueue = \"billing\"\n";
    house.write_config(&format!("{}{rule}", config("")));
    let new_rule = async {
        let mut n = 0;
        loop {
            n += 1;
            let message = client.says(&format!("p{n}"), &format!("p{n}"), "my parcel").await;
            if client.routed(&message, &admin).await["queue"] == "billing" {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), new_rule).await.expect("the rule takes force");

    house.write_config(&config("").replace("queue = \"billing\"", "queue = \"biling\""));
    let refused = async {
        let mut again = again();
        while !server.log_text().contains("biling") {
            again.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("the file is refused");
    let message = client.says("q1", "q1", "my parcel").await;
    assert_eq!(client.routed(&message, &admin).await["queue"], "billing", "the old one stays");
    server.stop().await;
    house.write_config(&config(""));
    house.verify().await;
}

/// Stopped and started again, rebuilt, and looked at from the command line.
#[tokio::test]
async fn everything_is_still_there_after_a_restart_and_a_rebuild() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let admin = house.token("admin", None).await;
    let message = server.client().says("t1", "m1", "hello").await;
    let conversation = server.client().routed(&message, &admin).await;
    let id = conversation["id"].as_str().unwrap().to_owned();
    let note = json!({ "text": "she called before" });
    let path = format!("/v1/conversations/{id}");
    assert!(server.client().post(&format!("{path}/notes"), &admin, &note).await.status < 300);
    house.ok(&["rebuild"]).await;
    house.verify().await;
    server.stop().await;

    let server = house.serve().await;
    let found = server.client().get(&path, &admin).await.json();
    assert_eq!(found["id"], conversation["id"]);
    let again = server.client().says("t1", "m2", "still there?").await;
    assert_eq!(server.client().routed(&again, &admin).await["id"], conversation["id"]);
    let why = house.ok(&["explain", &id]).await;
    assert!(why.contains("Support"), "{why}");
    let needed = house.ok(&["staffing", "--json"]).await;
    let needed: Value = serde_json::from_str(&needed).expect("JSON");
    assert!(needed[0]["arrivals"].as_u64() > Some(0), "{needed}");
    assert!(house.ok(&["staffing"]).await.contains("conversations in 28 days"));
    assert!(house.ok(&["parked", "list"]).await.contains("Nothing"));
    server.stop().await;
    house.verify().await;
}

/// The one-time link signs in once; secrets stay out of what is printed and served.
#[tokio::test]
async fn link_works_once_and_secrets_stay_secret() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let client = server.client();
    let link = server.link.clone().expect("a first start prints a link");
    let path = link.split_once(&server.address).expect("it leads here").1.to_owned();
    let first = client.get(&path, "").await;
    assert!((300..400).contains(&first.status), "{}", first.text());
    let cookie = first.header("set-cookie").expect("a session").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let second = client.get(&path, "").await;
    assert!(second.status >= 400, "a link works once");

    let session = cookie.split(';').next().unwrap().to_owned();
    let signed_in = vec![("cookie".to_owned(), session)];
    assert_eq!(client.send("GET", "/v1/me", &signed_in, b"").await.status, 200);
    let page = client.send("GET", "/", &signed_in, b"").await;
    assert!(page.status == 200 && page.text().contains("<html"), "{}", page.text());
    assert!(client.get("/v1/conversations", "").await.status == 401);

    let admin = house.token("admin", None).await;
    let secret = SECRET.trim_start_matches("whsec_");
    let metrics = client.get("/metrics", &admin).await.text();
    assert!(metrics.contains("postroom_router_inputs_total"), "{metrics}");
    let openapi = client.get("/openapi.json", "").await.text();
    let check = house.ok(&["check", "--json"]).await;
    for shown in [&metrics, &openapi, &check, &server.log_text()] {
        assert!(!shown.contains(secret) && !shown.contains(&admin));
    }
    server.stop().await;
}
