//! Against a real Dovecot, over TLS with an authority of the test's own.

use std::time::Duration;

use postroom_channel::Adapter as _;
use postroom_testkit::{Certificates, DOVECOT_PASSWORD, Dovecot};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Reading, adapter, ids, mail, options};

fn way(server: &Dovecot, changes: Value) -> postroom_channel_imap::ImapOptions {
    let ca = std::fs::read_to_string(&server.certificates().authority).unwrap();
    let Value::Object(mut table) =
        json!({ "security": "tls", "ca": ca, "password": DOVECOT_PASSWORD })
    else {
        panic!("no table")
    };
    let Value::Object(changes) = changes else { panic!("no table") };
    table.extend(changes);
    options(server.port(), Value::Object(table))
}

#[tokio::test]
async fn mailbox_is_taken_over_tls_and_new_mail_is_seen_within_a_second() {
    let mut server = Dovecot::start().await;
    for number in 1..=300 {
        server.deliver("ada", "INBOX", &mail(number));
    }
    let reading = Reading::start(way(&server, json!({})));
    let mut found = reading.has(300).await;
    found.sort();
    let mut expected = ids(1..=300);
    expected.sort();
    assert_eq!(found, expected);
    let mut took = Vec::new();
    for number in 301..=305 {
        let sent = Instant::now();
        server.deliver("ada", "INBOX", &mail(number));
        reading.has(number as usize).await;
        took.push(sent.elapsed());
    }
    let shortest = took.iter().min().unwrap();
    assert!(*shortest < Duration::from_secs(1), "{took:?}");
    reading.stop().await;
}

#[tokio::test]
async fn server_that_dies_is_found_again_and_nothing_is_lost_or_doubled() {
    let mut server = Dovecot::start().await;
    server.deliver("ada", "INBOX", &mail(1));
    let reading = Reading::start(way(&server, json!({})));
    reading.has(1).await;
    server.kill();
    server.deliver("ada", "INBOX", &mail(2));
    server.start_again().await;
    reading.has(2).await;
    server.deliver("ada", "INBOX", &mail(3));
    assert_eq!(reading.has(3).await, ids(1..=3));
    reading.stop().await;
}

#[tokio::test]
async fn folder_with_a_foreign_name_is_read_and_its_mails_are_moved() {
    let mut server = Dovecot::start().await;
    server.deliver("ada", "&U,BTFw-", &mail(1));
    server.deliver("ada", "Done", &mail(9));
    let changes = json!({ "folders": ["台北"], "after": "move", "move_to": "Done" });
    let reading = Reading::start(way(&server, changes));
    reading.has(1).await;
    let moved = async {
        let mut again = postroom_testkit::again();
        // It stands in both for a moment.
        while server.count("ada", "Done") < 2 || server.count("ada", "&U,BTFw-") > 0 {
            again.tick().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, moved).await.unwrap();
    let inlet = reading.stop().await;
    let message = &inlet.offered()[0].arrivals[0].message;
    assert_eq!(message.attributes["folder"], "台北");
}

#[tokio::test]
async fn folder_that_dovecot_makes_anew_doubles_nothing() {
    let mut server = Dovecot::start().await;
    for number in 1..=20 {
        server.deliver("ada", "INBOX", &mail(number));
    }
    let reading = Reading::start(way(&server, json!({})));
    reading.has(20).await;
    let inlet = reading.stop().await;
    server.forget_uids("ada", "INBOX");
    server.deliver("ada", "INBOX", &mail(21));
    let reading = Reading::into(inlet, way(&server, json!({})));
    let mut found = reading.has(21).await;
    reading.stop().await;
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 21);
}

#[tokio::test]
async fn only_the_named_authority_is_believed_and_starttls_is_asked_for() {
    let mut server = Dovecot::start().await;
    server.deliver("ada", "INBOX", &mail(1));
    let good = adapter(way(&server, json!({}))).examine().await.remove(0).found;
    assert!(good.unwrap().contains("1 mails, and the server tells what is new"));
    let starttls = json!({ "security": "starttls", "port": server.plain_port() });
    adapter(way(&server, starttls)).examine().await.remove(0).found.unwrap();
    let other = Certificates::make("127.0.0.1");
    let ca = std::fs::read_to_string(&other.authority).unwrap();
    for (changes, words) in [
        (json!({ "ca": ca }), "nobody who is trusted vouches"),
        (json!({ "ca": null }), "nobody who is trusted vouches"),
        (json!({ "host": "localhost" }), "not for localhost, but for"),
        (json!({ "port": server.plain_port() }), "does not begin with TLS"),
    ] {
        let refused = adapter(way(&server, changes)).examine().await.remove(0).found.unwrap_err();
        assert_eq!(refused.0, "imap_tls_failed", "{refused:?}");
        assert!(refused.1.contains(words), "{refused:?}");
    }
    let wrong = way(&server, json!({ "password": "another" }));
    let refused = adapter(wrong).examine().await.remove(0).found.unwrap_err();
    assert_eq!(refused.0, "imap_login_refused", "{refused:?}");
    assert!(refused.1.ends_with(": [AUTHENTICATIONFAILED] Authentication failed."), "{refused:?}");
}
