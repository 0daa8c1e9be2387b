//! What a real server cannot be made to do.

use std::sync::Arc;

use postroom_channel::contract::TestInlet;
use postroom_channel::{Adapter as _, Inlet};
use postroom_model::Timestamp;
use postroom_testkit::{ImapMailbox, ScriptedImap, Trick};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{PATIENCE, Reading, adapter, ids, mail, options};

fn mailbox(mails: u32) -> ImapMailbox {
    let mut mailbox = ImapMailbox::default();
    for number in 1..=mails {
        mailbox.add(mail(number));
    }
    mailbox
}

#[tokio::test]
async fn all_mails_are_taken_in_order_whatever_order_they_are_told_in_and_then_what_comes() {
    for backwards in [false, true] {
        let server = ScriptedImap::start(ImapMailbox { backwards, ..mailbox(700) }).await;
        let reading = Reading::start(options(server.port(), json!({})));
        assert_eq!(reading.has(700).await, ids(1..=700));
        server.change(|mailbox| mailbox.add(mail(701)));
        assert_eq!(reading.has(701).await.last(), ids([701]).last());
        let inlet = reading.stop().await;
        let place = inlet.offered().last().unwrap().reached.clone().unwrap();
        assert_eq!(place.name, "INBOX of ada at 127.0.0.1");
        assert!(place.value.contains("\"top\":701"), "{place:?}");
    }
}

#[tokio::test]
async fn next_mails_are_asked_for_before_the_ones_before_have_come() {
    // Nobody who waits for one answer before the next question hears anything from this server.
    let server = ScriptedImap::start(ImapMailbox { overtakes: true, ..mailbox(1_200) }).await;
    let reading = Reading::start(options(server.port(), json!({})));
    assert_eq!(reading.has(1_200).await, ids(1..=1_200));
    reading.stop().await;
    let asked = server.mailbox().asked;
    assert_eq!(asked.iter().filter(|asked| asked.contains("BODY.PEEK[]")).count(), 3, "{asked:?}");
}

#[tokio::test]
async fn bad_mail_behind_what_was_asked_for_before_it_is_suspected_alone() {
    let tricks = [(700, Trick::BreaksOff)].into();
    let server = ScriptedImap::start(ImapMailbox { tricks, ..mailbox(1_200) }).await;
    let reading = Reading::start(options(server.port(), json!({})));
    let others = (1..=1_200).filter(|number| *number != 700);
    assert_eq!(reading.has(1_199).await, ids(others));
    assert!(String::from_utf8_lossy(&reading.has_set_aside(1).await[0]).contains("UID 700"));
    reading.stop().await;
    let first = |asked: &&String| asked.starts_with("UID FETCH 1 ");
    assert_eq!(server.mailbox().asked.iter().filter(first).count(), 0);
}

#[tokio::test]
async fn reading_goes_on_where_it_ended_and_mails_without_news_are_found_by_looking() {
    let server = ScriptedImap::start(ImapMailbox { mute: true, ..mailbox(3) }).await;
    let way = |port| options(port, json!({ "poll_s": 1 }));
    let reading = Reading::start(way(server.port()));
    reading.has(3).await;
    server.change(|mailbox| mailbox.add(mail(4)));
    reading.has(4).await;
    let inlet = reading.crash().await;
    server.change(|mailbox| mailbox.add(mail(5)));
    let reading = Reading::into(inlet, way(server.port()));
    assert_eq!(reading.has(5).await, ids(1..=5));
    reading.stop().await;
}

#[tokio::test]
async fn server_without_any_skill_is_read_too() {
    let plain = ImapMailbox { capabilities: "IMAP4rev1".to_owned(), epoch: None, ..mailbox(3) };
    let server = ScriptedImap::start(plain).await;
    let reading = Reading::start(options(server.port(), json!({ "poll_s": 1 })));
    reading.has(3).await;
    server.change(|mailbox| mailbox.add(mail(4)));
    assert_eq!(reading.has(4).await, ids(1..=4));
    reading.stop().await;
}

#[tokio::test]
async fn folder_of_another_epoch_is_taken_anew_and_doubles_nothing() {
    let server = ScriptedImap::start(mailbox(50)).await;
    let reading = Reading::start(options(server.port(), json!({})));
    reading.has(50).await;
    let inlet = reading.stop().await;
    // The folder was restored: other numbers, in another order, and two mails that nobody saw.
    server.change(|mailbox| {
        let mails: Vec<Vec<u8>> = std::mem::take(&mut mailbox.mails).into_values().rev().collect();
        (mailbox.epoch, mailbox.next) = (Some(8), 1);
        mailbox.add(mail(51));
        for mail in mails {
            mailbox.add(mail);
        }
        mailbox.add(mail(52));
    });
    let reading = Reading::into(inlet, options(server.port(), json!({})));
    assert_eq!(reading.has(52).await, ids(1..=52));
    let inlet = reading.stop().await;
    let place = inlet.offered().last().unwrap().reached.clone().unwrap().value;
    assert!(place.contains("\"epoch\":8,\"top\":52"), "{place}");
}

#[tokio::test]
async fn folder_that_was_set_back_without_a_word_loses_nothing() {
    let server = ScriptedImap::start(mailbox(20)).await;
    let reading = Reading::start(options(server.port(), json!({})));
    reading.has(20).await;
    let inlet = reading.stop().await;
    // The same UIDVALIDITY, but UIDs 11 to 13 are other mails now.
    server.change(|mailbox| {
        mailbox.mails.retain(|uid, _| *uid <= 10);
        mailbox.next = 11;
        for number in 21..=23 {
            mailbox.add(mail(number));
        }
    });
    let reading = Reading::into(inlet, options(server.port(), json!({})));
    assert_eq!(reading.has(23).await, ids(1..=23));
    reading.stop().await;
}

#[tokio::test]
async fn mail_that_shows_up_below_others_is_taken() {
    let mut late = mailbox(10);
    let hidden = late.mails.remove(&7).unwrap();
    let server = ScriptedImap::start(late).await;
    let reading = Reading::start(options(server.port(), json!({})));
    reading.has(9).await;
    server.change(|mailbox| mailbox.mails.insert(7, hidden));
    assert_eq!(reading.has(10).await.last(), ids([7]).last());
    reading.stop().await;
}

#[tokio::test]
async fn one_bad_mail_is_set_aside_and_the_others_go_on() {
    for (trick, code) in [
        (Trick::Endless, "asked for"),
        (Trick::BreaksOff, "UID 5"),
        (Trick::Nonsense, "UID 5"),
        (Trick::Refused, "UID 5"),
        (Trick::Claims(80_000_000), "Message-ID: <5@example.com>"),
    ] {
        let tricky = ImapMailbox { tricks: [(5, trick)].into(), ..mailbox(9) };
        let server = ScriptedImap::start(tricky).await;
        let reading = Reading::start(options(server.port(), json!({})));
        assert_eq!(reading.has(8).await, ids([1, 2, 3, 4, 6, 7, 8, 9]), "{trick:?}");
        let raw = reading.has_set_aside(1).await;
        let said = String::from_utf8_lossy(&raw[0]).into_owned();
        assert!(said.contains(code) || said.contains("UID 5"), "{trick:?}: {said}");
        let inlet = reading.stop().await;
        assert_eq!(inlet.unparsed().len(), 1, "{trick:?}");
    }
}

#[tokio::test]
async fn mail_that_cannot_be_read_is_set_aside_as_it_came() {
    let mut odd = mailbox(2);
    odd.add(b"\r\n \r\n".to_vec());
    odd.add(mail(4));
    let server = ScriptedImap::start(odd).await;
    let reading = Reading::start(options(server.port(), json!({})));
    assert_eq!(reading.has(3).await, ids([1, 2, 4]));
    assert_eq!(reading.stop().await.unparsed(), [&b"\r\n \r\n"[..]]);
}

#[tokio::test]
async fn folder_that_begins_now_takes_only_what_comes_even_after_a_crash() {
    let server = ScriptedImap::start(mailbox(5)).await;
    let way = |port| options(port, json!({ "start": "new" }));
    let reading = Reading::start(way(server.port()));
    server.wait_until(|mailbox| mailbox.asked.iter().any(|asked| asked == "IDLE")).await;
    let inlet = reading.crash().await;
    server.change(|mailbox| mailbox.add(mail(6)));
    let reading = Reading::into(inlet, way(server.port()));
    assert_eq!(reading.has(1).await, ids([6]));
    reading.stop().await;
}

#[tokio::test]
async fn stored_mails_are_marked_or_moved_and_those_of_before_a_crash_too() {
    for (changes, asked) in [
        (json!({ "after": "seen" }), "+FLAGS.SILENT (\\Seen)"),
        (json!({ "after": "keyword", "keyword": "Postroom" }), "+FLAGS.SILENT (Postroom)"),
    ] {
        let server = ScriptedImap::start(mailbox(3)).await;
        let reading = Reading::start(options(server.port(), changes));
        let marked = server.wait_until(|mailbox| mailbox.flags.len() == 3);
        tokio::time::timeout(PATIENCE, marked).await.unwrap();
        assert!(server.mailbox().flags.values().all(|flag| flag == asked));
        reading.stop().await;
    }
    let server = ScriptedImap::start(mailbox(3)).await;
    let reading = Reading::start(options(server.port(), json!({})));
    reading.has(3).await;
    let inlet = reading.stop().await;
    let moves = json!({ "after": "move", "move_to": "Done" });
    let reading = Reading::into(inlet, options(server.port(), moves));
    let moved = server.wait_until(|mailbox| mailbox.moved.len() == 3 && mailbox.mails.is_empty());
    tokio::time::timeout(PATIENCE, moved).await.unwrap();
    assert_eq!(reading.stop().await.external_ids().len(), 3);
}

/// Gives one token after the other, and then none.
async fn token_endpoint(tokens: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for token in tokens {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"scope=mail") {
                stream.read_buf(&mut asked).await.unwrap();
            }
            let asked = String::from_utf8(asked).unwrap();
            assert!(asked.contains("grant_type=refresh_token&refresh_token=refresh-me"), "{asked}");
            let body = json!({ "access_token": token, "expires_in": 3_600 }).to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn token_that_has_expired_is_asked_for_anew() {
    let url = token_endpoint(&["expired-token", "good-token"]).await;
    let server = ScriptedImap::start(mailbox(2)).await;
    let oauth = json!({ "token_url": url, "client_id": "id", "refresh_token": "refresh-me", "scope": "mail" });
    let reading =
        Reading::start(options(server.port(), json!({ "password": null, "oauth": oauth })));
    assert_eq!(reading.has(2).await, ids(1..=2));
    reading.stop().await;
    assert_eq!(server.mailbox().connections, 2);
}

#[tokio::test]
async fn what_is_wrong_with_a_mailbox_is_told_with_its_code() {
    let server = ScriptedImap::start(mailbox(2)).await;
    let port = server.port();
    let url = token_endpoint(&[]).await;
    let oauth = json!({ "token_url": url, "client_id": "id", "refresh_token": "canary" });
    for (port, changes, code) in [
        (port, json!({ "password": "canary" }), "imap_login_refused"),
        (port, json!({ "folders": ["Nowhere"] }), "imap_folder_refused"),
        (port, json!({ "security": "tls" }), "imap_tls_failed"),
        (1, json!({}), "imap_unreachable"),
        (port, json!({ "host": "127.0.0.2" }), "address_not_allowed"),
        (port, json!({ "password": null, "oauth": oauth }), "imap_token_unavailable"),
    ] {
        let examined = adapter(options(port, changes)).examine().await;
        let found = examined[0].found.clone().unwrap_err();
        assert_eq!(found.0, code, "{found:?}");
        assert!(!found.1.contains("canary"), "{found:?}");
    }
    let good = adapter(options(port, json!({}))).examine().await.remove(0).found.unwrap();
    assert!(good.contains("2 mails"), "{good}");
}

#[tokio::test]
async fn audit_names_what_is_missing_and_backfill_brings_it_once() {
    let server = ScriptedImap::start(mailbox(6)).await;
    let reading = Reading::start(options(server.port(), json!({ "start": "new" })));
    server.wait_until(|mailbox| mailbox.asked.iter().any(|asked| asked == "IDLE")).await;
    server.change(|mailbox| mailbox.add(mail(7)));
    reading.has(1).await;
    let inlet: Arc<TestInlet> = reading.stop().await;
    let adapter = adapter(options(server.port(), json!({})));
    let door = || Arc::clone(&inlet) as Arc<dyn Inlet>;
    let audit = adapter.audit(door()).await.unwrap().unwrap().remove(0);
    assert_eq!((audit.there, audit.stored, audit.missing.len()), (7, 1, 6), "{audit:?}");
    assert_eq!(audit.missing[0], "UID 1 (UIDVALIDITY 7), 1@example.com");
    for _ in 0..2 {
        let fetched = adapter.backfill(door(), Timestamp::from_millis(0)).await.unwrap();
        assert_eq!(fetched, Some(7));
    }
    let audit = adapter.audit(door()).await.unwrap().unwrap().remove(0);
    assert_eq!((audit.there, audit.stored), (7, 7), "{audit:?}");
    assert_eq!(inlet.external_ids(), ids([7, 1, 2, 3, 4, 5, 6]));
    let later = Timestamp::from_millis(4_000_000_000_000);
    assert_eq!(adapter.backfill(door(), later).await.unwrap(), Some(0));
}
