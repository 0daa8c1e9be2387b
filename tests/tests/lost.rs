//! Credentials that are no longer good, and strangers in the streams: told with a code and what to do,
//! waited for or stopped as it fits, and nothing is deleted.

use postroom_model::digest::Digest;
use postroom_model::envelope::ENVELOPE_VERSION;
use postroom_model::{Bodies, Clock as _, Envelope, SystemClock};
use postroom_testkit::NatsSetup;
use postroom_tests::engines::Engines;
use postroom_tests::process::{House, Server, WAIT, again, config};
use serde_json::Value;

fn users(password: &str) -> String {
    format!(
        "authorization {{ users: [ {{ user: postroom, password: {password} }}, \
         {{ user: admin, password: admin }} ] }}"
    )
}

async fn engines() -> Engines {
    Engines::start_with(NatsSetup { more: users("ours"), ..NatsSetup::default() }).await
}

fn house(engines: &Engines) -> House {
    let bus = format!("nats://postroom:ours@127.0.0.1:{}", engines.nats.port());
    House::new(&engines.config_over(&bus, ""))
}

async fn until_log(server: &Server, words: &str) {
    let said = async {
        let mut again = again();
        while !server.log_text().contains(words) {
            again.tick().await;
        }
    };
    let said = tokio::time::timeout(WAIT, said).await;
    assert!(said.is_ok(), "{words} is not in the log: {}", server.log_text());
}

/// P1: what cannot be stored is not acknowledged, and everything goes on once the password is good again.
#[tokio::test]
async fn password_of_the_bus_that_is_changed_stops_accepting_until_it_is_put_right() {
    let mut engines = engines().await;
    let house = house(&engines);
    let server = house.serve().await;
    let (client, admin) = (server.client(), house.token("admin", None).await);
    let first = client.says("m1", "m1", "I want a refund").await;
    client.routed(&first, &admin).await;
    engines.nats.start_again_with(users("another")).await;
    let refused = client.event(&event("m2")).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.code(), "storage_unavailable");
    assert!(refused.header("retry-after").is_some());
    client.until("/readyz", "", |told: &Value| told["status"] != "ready").await;
    let doctor = house.run(&["doctor", "--json"]).await;
    assert_eq!(doctor.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(told["checks"][0]["code"], "nats_denied", "{told:#}");
    let started = house.run(&["serve"]).await;
    assert_eq!(started.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&started.stderr).contains("[nats_denied]"));
    engines.nats.start_again_with(users("ours")).await;
    server.ready().await;
    let second = client.says("m2", "m2", "I want a refund").await;
    client.routed(&second, &admin).await;
    server.stop().await;
    assert_eq!(house.verify().await["in_flight"], 0);
}

fn event(id: &str) -> Value {
    serde_json::json!({ "id": id, "thread": id, "from": { "id": id }, "text": "hello" })
}

#[tokio::test]
async fn password_of_redis_that_is_changed_lets_routing_wait_and_nothing_is_lost() {
    let engines = engines().await;
    let house = house(&engines);
    let server = house.serve().await;
    let (client, admin) = (server.client(), house.token("admin", None).await);
    assert_eq!(engines.redis.tell("CONFIG SET requirepass another"), "+OK");
    // Whoever is connected goes on until the connection ends.
    assert!(
        engines.redis.tell_as("another", "CLIENT KILL TYPE normal SKIPME yes").starts_with(':')
    );
    until_log(&server, "correct user and password in [records] url").await;
    let accepted = client.says("m1", "m1", "I want a refund").await;
    client.until("/readyz", "", |told: &Value| told["status"] != "ready").await;
    assert_eq!(engines.redis.tell_as("another", "CONFIG SET requirepass \"\""), "+OK");
    client.routed(&accepted, &admin).await;
    server.stop().await;
    assert_eq!(house.verify().await["in_flight"], 0);
}

/// What somebody else wrote behind the ledger is not followed and not removed.
#[tokio::test]
async fn stranger_in_the_ledger_stops_the_router_and_is_left_where_it_is() {
    let mut later = Envelope {
        v: ENVELOPE_VERSION + 1,
        epoch: 1,
        writer: uuid::Uuid::nil(),
        at: SystemClock.now(),
        prev_hash: Digest::ZERO,
        inlet_seq: 0,
        first_event: 1,
        transitions: Vec::new(),
        bodies_hash: Digest::ZERO,
        bodies: Bodies::default(),
    };
    let later = later.encode().unwrap().bytes;
    for (stranger, reason) in
        [(b"no envelope".to_vec(), "envelope"), (later, "this program reads up to")]
    {
        let engines = engines().await;
        let house = house(&engines);
        house.serve().await.stop().await;
        let admin = ("admin", "admin");
        engines.nats.publish_as(admin, "postroom.main.ledger", &[&stranger]).await;
        let started = house.run(&["serve"]).await;
        assert_eq!(started.status.code(), Some(1));
        let words = String::from_utf8_lossy(&started.stderr).into_owned();
        assert!(words.contains(reason), "{reason}: {words}");
        let verified = house.run(&["verify"]).await;
        assert_eq!(verified.status.code(), Some(1), "it is still there");
    }
}

/// P11: streams reserve what they may grow to, and a server that cannot give it is told by name.
#[tokio::test]
async fn server_without_room_for_the_streams_is_refused_with_what_to_do() {
    let setup =
        NatsSetup { jetstream_more: "max_file_store: 1GB".to_owned(), ..NatsSetup::default() };
    let engines = Engines::start_with(setup).await;
    let house = House::new(&engines.config(""));
    let refused = house.run(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("max_file_store") && words.contains("inlet_bytes_max"), "{words}");
    let sizes = "[bus]\ninlet_bytes_max = 134217728\nledger_bytes_max = 134217728\n";
    house.write_config(&engines.config("").replacen("[bus]\n", sizes, 1));
    house.serve().await.stop().await;
    // Mistakes in them are told as all others.
    house.write_config(&config("").replacen(
        "[outgoing]",
        "[bus]\ninlet_keep_days = 0\n[outgoing]",
        1,
    ));
    let checked = house.run(&["check"]).await;
    assert!(String::from_utf8_lossy(&checked.stderr).contains("inlet_keep_days"));
}
