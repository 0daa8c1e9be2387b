//! Customers who come back, on the real binary: they wait for who had them last, what was done is opened
//! again or goes on elsewhere, two contacts become one, and rules know all of it. A rule that fails is counted.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use postroom_tests::process::{Client, House, config};
use serde_json::{Value, json};

/// The configuration of the other tests, with lines for its channel and its support queue, and rules.
fn returning(channel: &str, queue: &str, rules: &str) -> String {
    let plain = config("");
    let (site, support) = ("dialect = \"generic\"\n", "id = \"support\"\n");
    assert!(plain.contains(site) && plain.contains(support), "{plain}");
    let plain = plain.replacen(site, &format!("{site}{channel}\n"), 1);
    let plain = plain.replacen(support, &format!("{support}{queue}\n"), 1);
    let first = plain.find("[[rules]]").unwrap_or(plain.len());
    let (head, tail) = plain.split_at(first);
    format!("{head}{rules}\n{tail}")
}

/// A message of a customer on a thread; gives its id.
async fn writes(client: &Client, from: &Value, thread: &str, id: &str, text: &str) -> String {
    let event = json!({ "id": id, "thread": thread, "from": from, "text": text });
    let reply = client.event(&event).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    reply.json()["id"].as_str().expect("an id").to_owned()
}

async fn sets(client: &Client, token: &str, status: &str) {
    let reply = client.put("/v1/me/status", token, &json!({ "status": status })).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

async fn resolves(client: &Client, token: &str, conversation: &Value) {
    let path = format!("/v1/conversations/{}/resolve", conversation["id"].as_str().expect("an id"));
    let reply = client.post(&path, token, &json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn customer_who_returns_waits_for_the_last_agent_and_explain_says_so() {
    let house = House::new(&returning("", "sticky_s = 600", ""));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let (ada, bob) =
        (house.token("agent", Some("ada")).await, house.token("agent", Some("bob")).await);
    let customer = json!({ "id": "7", "name": "Carla" });
    sets(&client, &ada, "online").await;
    let first = writes(&client, &customer, "t1", "m1", "hello").await;
    let first = client.routed(&first, &admin).await;
    assert_eq!(first["assignee"], "ada");
    resolves(&client, &ada, &first).await;

    // Bob has been idle for longer, and yet she gets what her customer begins.
    sets(&client, &bob, "online").await;
    let second = writes(&client, &customer, "t2", "m2", "hello again").await;
    let second = client.routed(&second, &admin).await;
    assert_eq!(second["assignee"], "ada");
    let path = format!("/v1/conversations/{}/explanation", second["id"].as_str().unwrap());
    let told = client.get(&path, &admin).await.json();
    assert_eq!(told["assignment"]["code"], "kept_for");
    let words = "Its customer came back, so it waited in support for who had them last.";
    assert!(told["summary"].to_string().contains(words), "{}", told["summary"]);
    resolves(&client, &ada, &second).await;

    // Nobody waits for her while she is away.
    sets(&client, &ada, "away").await;
    let third = writes(&client, &customer, "t3", "m3", "and again").await;
    assert_eq!(client.routed(&third, &admin).await["assignee"], "bob");
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn what_is_done_is_opened_again_with_its_owner_or_another_is_opened() {
    let house = House::new(&returning("reopen = \"always\"\nreopen_owner = \"keep\"", "", ""));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let (ada, bob) =
        (house.token("agent", Some("ada")).await, house.token("agent", Some("bob")).await);
    sets(&client, &ada, "online").await;
    let first = client.says("t1", "m1", "hello").await;
    let first = client.routed(&first, &admin).await;
    resolves(&client, &ada, &first).await;
    sets(&client, &bob, "online").await;
    let again = client.says("t1", "m2", "one more thing").await;
    let again = client.routed(&again, &admin).await;
    assert_eq!((&again["id"], &again["assignee"]), (&first["id"], &json!("ada")));
    assert_eq!(again["status"], "open");
    resolves(&client, &ada, &again).await;
    server.stop().await;

    // The changed configuration opens nothing again, and a rule knows what the message follows.
    let rule = "[[rules]]\nwhen = \"conversation.follow_up && conversation.queue == 'support' && \
                contact.conversations == 1\"\nqueue = \"billing\"\ntags = [\"again\"]\n";
    house.write_config(&returning("reopen = \"never\"", "", rule));
    let server = house.serve().await;
    let client = server.client();
    let other = client.says("t1", "m3", "and another").await;
    let other = client.routed(&other, &admin).await;
    assert_ne!(other["id"], first["id"]);
    assert_eq!((&other["linked"], &other["queue"]), (&first["id"], &json!("billing")));
    assert_eq!(other["tags"], json!(["again"]));
    let path = format!("/v1/conversations/{}/explanation", other["id"].as_str().unwrap());
    let told = client.get(&path, &admin).await.json();
    assert_eq!(told["route"]["told"]["conversation.queue"], "support");
    assert_eq!(told["route"]["told"]["contact.conversations"], "1");
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn conversations_and_contacts_become_one_by_rule() {
    let channel = "join = \"1h\"";
    let contacts = "[contacts]\nmerge_by = [\"mailto\"]\n";
    let house = House::new(&format!("{}\n{contacts}", returning(channel, "", "")));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let mut stream = client.stream("", &admin, None).await;
    let customer = json!({ "id": "7", "name": "Carla", "email": "carla@example.com" });
    let first = writes(&client, &customer, "t1", "m1", "hello").await;
    let first = client.routed(&first, &admin).await;

    // Another thread of hers goes on there, and so does what comes on it later.
    for (id, thread) in [("m2", "t2"), ("m3", "t2")] {
        let next = writes(&client, &customer, thread, id, "hello again").await;
        assert_eq!(client.routed(&next, &admin).await["id"], first["id"], "{id}");
    }
    let (_, joined) = stream.next_of("conversation.joined").await;
    assert_eq!(joined["conversation"], first["id"]);

    // A visitor who turns out to be her is her from then on, and keeps the conversation of before.
    let stranger = json!({ "id": "8" });
    let other = writes(&client, &stranger, "t3", "m4", "who am I").await;
    let other = client.routed(&other, &admin).await;
    assert_ne!(other["contact"], first["contact"]);
    let known = json!({ "id": "8", "email": "carla@example.com" });
    let same = writes(&client, &known, "t3", "m5", "it is me").await;
    assert_eq!(client.routed(&same, &admin).await["id"], other["id"]);
    let (_, merged) = stream.next_of("contact.merged").await;
    let ids = [&merged["details"]["contact"], &merged["details"]["into"]];
    assert!(ids.contains(&&first["contact"]) && ids.contains(&&other["contact"]), "{merged}");
    let contacts =
        ["contact", "into"].map(|key| merged["details"][key].as_str().unwrap().to_owned());
    for id in contacts {
        let contact = client.get(&format!("/v1/contacts/{id}"), &admin).await.json();
        assert_eq!(contact["conversations"], 2, "{contact}");
    }
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn rule_that_fails_on_a_message_is_skipped_told_and_counted() {
    let rule = "[[rules]]\nwhen = \"message.attributes.tier == 'gold'\"\nqueue = \"billing\"\n";
    let house = House::new(&returning("", "", rule));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let first = client.says("t1", "m1", "a refund, please").await;
    let first = client.routed(&first, &admin).await;
    // The next rule that matches counts.
    assert_eq!((&first["queue"], &first["priority"]), (&json!("billing"), &json!(5)));
    let path = format!("/v1/conversations/{}/explanation", first["id"].as_str().unwrap());
    let told = client.get(&path, &admin).await.json();
    assert_eq!(told["rules"][0]["result"], "failed", "{}", told["rules"]);
    client.until_text("/metrics", "postroom_router_rule_failures_total 1\n").await;
    let second = client.says("t2", "m2", "hello").await;
    client.routed(&second, &admin).await;
    client.until_text("/metrics", "postroom_router_rule_failures_total 2\n").await;
    server.stop().await;
    house.verify().await;
}
