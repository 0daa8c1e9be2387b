//! Mailboxes on the real binary and a real Dovecot: read over TLS, audited, fetched again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use postroom_model::SeededRandom;
use postroom_testkit::{DOVECOT_PASSWORD, Dovecot};
use postroom_tests::process::{Client, House, WAIT, again, config};
use serde_json::Value;
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
    let house = House::new(&with_mailbox(&dovecot, "start = \"new\""));
    let told: Value = serde_json::from_str(&house.ok(&["doctor", "--json"]).await).unwrap();
    let line =
        told["checks"].as_array().unwrap().iter().find(|line| line["part"] == "channel mail INBOX");
    assert_eq!(line.unwrap()["state"], "good", "{told:#}");

    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let mut stream = client.stream("", &admin, None).await;
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
