//! Mailboxes on the real binary and a real Dovecot: read over TLS, audited, fetched again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use postroom_model::SeededRandom;
use postroom_testkit::{DOVECOT_PASSWORD, Dovecot};
use postroom_tests::mail::{Postfix, free_port};
use postroom_tests::process::{Client, House, WAIT, again, config};
use serde_json::{Value, json};
use tokio::time::Instant;

fn with_mailbox(dovecot: &Dovecot, more: &str) -> String {
    let ca = &dovecot.certificates().authority;
    let channel = format!(
        r#"
[[channels]]
id = "mail"
kind = "imap"
host = "127.0.0.1"
port = {}
ca_file = "{}"
username = "ada"
password = "{DOVECOT_PASSWORD}"
{more}
"#,
        dovecot.port(),
        ca.display()
    );
    format!("{}{channel}", config(""))
}

fn mail(number: usize) -> Vec<u8> {
    format!(
        "From: Ada {number} <ada{number}@example.com>\r\nTo: support@example.org\r\nSubject: Number {number}\r\n\
         Message-ID: <{number}@example.com>\r\nDate: Mon, 2 Mar 2026 10:30:00 +0000\r\n\r\nHello {number}.\r\n"
    )
    .into_bytes()
}

/// How often each mail was received, by its id, over the whole feed.
async fn received(client: &Client, admin: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut after = "0".to_owned();
    loop {
        let path = format!("/v1/events?after={after}&limit=200");
        let page = client.get_json(&path, admin).await.json();
        for item in page["items"].as_array().unwrap() {
            if item["type"] == "message.received" {
                let id = item["message"]["external_id"].as_str().unwrap().to_owned();
                *found.entry(id).or_default() += 1;
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) if next != after => next.clone_into(&mut after),
            _ => return found,
        }
    }
}

async fn all(client: &Client, admin: &str, mails: usize) -> BTreeMap<String, usize> {
    let waiting = async {
        let mut again = again();
        loop {
            again.tick().await;
            let found = received(client, admin).await;
            if found.len() >= mails {
                return found;
            }
        }
    };
    tokio::time::timeout(WAIT, waiting).await.unwrap()
}

/// The conversation in which the mail with this id stands.
async fn conversation_of(client: &Client, admin: &str, id: &str) -> Value {
    let find = async {
        let mut again = again();
        loop {
            again.tick().await;
            let page = client.get("/v1/conversations?view=all&limit=200", admin).await.json();
            for row in page["items"].as_array().into_iter().flatten() {
                let path = format!("/v1/conversations/{}/timeline", row["id"].as_str().unwrap());
                let timeline = client.get(&path, admin).await.json();
                let mut items = timeline["items"].as_array().into_iter().flatten();
                if items.any(|item| item["message"]["external_id"] == id) {
                    return row.clone();
                }
            }
        }
    };
    tokio::time::timeout(WAIT, find).await.unwrap()
}

/// Out of the mailbox, answered through another server, and back into the same conversation.
#[tokio::test]
async fn mail_of_a_mailbox_is_answered_and_the_answer_to_that_comes_back() {
    let mut dovecot = Dovecot::start().await;
    let postfix = Postfix::start(free_port().await, &["ada", "eve"]).await;
    let (host, port) = (postfix.address.ip(), postfix.address.port());
    let sending = format!(
        "address = \"support@postroom.test\"\nauthserv_id = \"mx.test\"\nsent_folder = \"Sent\"\n\
         token_secret = \"a secret that the tests may know\"\n\
         [channels.smtp]\nhost = \"{host}\"\nport = {port}\ntls = \"none\"\n"
    );
    let house = House::new(&with_mailbox(&dovecot, &sending));
    let doctor = house.ok(&["doctor", "--json"]).await;
    assert!(doctor.contains("channel mail smtp"), "{doctor}");
    let server = house.serve().await;
    let client = server.client();
    let (admin, bob) = (house.token("admin", None).await, house.token("agent", Some("bob")).await);
    let write = |from: &str, to: &str, id: &str, more: &str| {
        format!(
            "{more}From: {from}@customer.test\r\nTo: {to}\r\nSubject: My order\r\n\
             Message-ID: <{id}>\r\n\r\nWhere is it?\r\n"
        )
    };
    let passed = "Authentication-Results: mx.test; dmarc=pass header.from=customer.test\r\n";
    let first = write("ada", "support@postroom.test", "1@customer.test", passed);
    dovecot.deliver("ada", "INBOX", first.as_bytes());
    let opened = conversation_of(&client, &admin, "1@customer.test").await;
    let path = format!("/v1/conversations/{}", opened["id"].as_str().unwrap());
    let replies = format!("{path}/replies");
    let taken = client.post(&replies, &bob, &json!({ "text": "On its way." })).await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    let answer = postfix.mailbox("ada").wait_for(1).await.remove(0);
    assert_eq!(answer.bracketed("In-Reply-To"), "1@customer.test", "{}", answer.text);
    assert_eq!(answer.bracketed("From"), "support@postroom.test");
    let address = answer.bracketed("Reply-To");
    assert!(address.starts_with("support+"), "{address}");
    // A copy of it stands in the mailbox, once.
    let kept = async {
        let mut again = again();
        while dovecot.count("ada", "Sent") == 0 {
            again.tick().await;
        }
    };
    tokio::time::timeout(WAIT, kept).await.unwrap();

    // She answers, by the address alone; somebody else who has it is heard and not let in; and who is not
    // from whom they say is not, either.
    let failed = "Authentication-Results: mx.test; dmarc=fail (p=reject)\r\n";
    for (from, id, more) in [
        ("ada", "2@customer.test", passed),
        ("eve", "3@customer.test", ""),
        ("ada", "4@customer.test", failed),
    ] {
        dovecot.deliver("ada", "INBOX", write(from, &address, id, more).as_bytes());
        let found = conversation_of(&client, &admin, id).await;
        assert_eq!(found["id"] == opened["id"], id == "2@customer.test", "{id}");
        let path = format!("/v1/conversations/{}", found["id"].as_str().unwrap());
        let linked = client.get(&path, &admin).await.json()["linked"].clone();
        assert_eq!(linked == opened["id"], id != "2@customer.test", "{id}");
    }
    let taken = client.post(&replies, &bob, &json!({ "text": "It is there." })).await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    let answers = postfix.mailbox("ada").wait_for(2).await;
    assert!(answers.iter().any(|answer| answer.bracketed("In-Reply-To") == "2@customer.test"));
    server.stop().await;
    house.verify().await;
    assert_eq!(dovecot.count("ada", "Sent"), 2);
}

/// kill -9 while a mailbox is taken over, mails come in and are moved away (P1, P3).
#[tokio::test]
async fn mailbox_that_is_taken_over_loses_and_doubles_nothing_while_the_server_is_killed() {
    const ROUNDS: usize = 5;
    const MAILS: usize = 300;
    let mut dovecot = Dovecot::start().await;
    dovecot.deliver("ada", "Done", &mail(0));
    let house = House::new(&with_mailbox(&dovecot, "after = \"move\"\nmove_to = \"Done\""));
    let random = SeededRandom::new(7);
    let mut sent = 0;
    for round in 0..ROUNDS {
        let server = house.serve().await;
        let admin = house.token("admin", None).await;
        let mut stream = server.client().stream("", &admin, None).await;
        for _ in 0..MAILS {
            sent += 1;
            dovecot.deliver("ada", "INBOX", &mail(sent));
        }
        // It is somewhere in the middle of them, at another place each time.
        stream.next_of("message.received").await;
        for _ in 0..random.below(40) {
            stream.next_of("message.received").await;
        }
        server.kill().await;
        dovecot.left_alone().await;
        if round == ROUNDS / 2 {
            // What was read stands under other numbers now.
            dovecot.forget_uids("ada", "INBOX");
        }
    }
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let found = all(&client, &admin, sent).await;
    let doubled: Vec<&String> =
        found.iter().filter(|(_, times)| **times != 1).map(|(id, _)| id).collect();
    assert_eq!((found.len(), doubled), (sent, vec![]));
    let moved = async {
        let mut again = again();
        while dovecot.count("ada", "INBOX") > 0 {
            again.tick().await;
        }
    };
    tokio::time::timeout(WAIT, moved).await.unwrap();
    assert_eq!(dovecot.count("ada", "Done"), sent + 1);
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn mailbox_is_doctored_watched_audited_and_fetched_again() {
    let mut dovecot = Dovecot::start().await;
    for number in 1..=5 {
        dovecot.deliver("ada", "INBOX", &mail(number));
    }
    let wrong = House::new(&with_mailbox(&dovecot, "folders = [\"Orders\"]"));
    let told = wrong.run(&["doctor", "--json"]).await;
    assert_eq!(told.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let mut lines = told["checks"].as_array().unwrap().iter();
    let line = lines.find(|line| line["part"] == "channel mail Orders").unwrap();
    assert_eq!(line["code"], "imap_folder_refused", "{told:#}");
    assert!(line["help"].as_str().unwrap().starts_with("Check `folders`"), "{told:#}");

    let house = House::new(&with_mailbox(&dovecot, "start = \"new\""));
    let told: Value = serde_json::from_str(&house.ok(&["doctor", "--json"]).await).unwrap();
    let line =
        told["checks"].as_array().unwrap().iter().find(|line| line["part"] == "channel mail INBOX");
    assert_eq!(line.unwrap()["state"], "good", "{told:#}");

    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    // It may have looked before anybody listened.
    let mut stream = client.stream("?after=0", &admin, None).await;
    stream.next_of("cursor.moved").await;
    let mut took = Vec::new();
    for number in 6..=10 {
        let sent = Instant::now();
        dovecot.deliver("ada", "INBOX", &mail(number));
        let (_, seen) = stream.next_of("message.received").await;
        assert_eq!(seen["message"]["external_id"], format!("{number}@example.com"));
        took.push(sent.elapsed());
    }
    let shortest = took.iter().min().unwrap();
    assert!(*shortest < Duration::from_secs(1), "{took:?}");

    let audit = house.run(&["backfill", "mail", "--audit", "--json"]).await;
    assert_eq!(audit.status.code(), Some(1));
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    let part = &audit["parts"][0];
    assert_eq!((part["there"].as_u64(), part["stored"].as_u64()), (Some(10), Some(5)), "{audit:#}");
    for fetched in [10, 10] {
        let said = house.ok(&["backfill", "mail", "--since", "2026-01-01", "--json"]).await;
        let told: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(told["fetched"], fetched);
    }
    let found = all(&client, &admin, 10).await;
    assert!(found.values().all(|times| *times == 1), "{found:?}");
    house.ok(&["backfill", "mail", "--audit"]).await;
    server.stop().await;
    house.verify().await;
}
