//! Where a mail belongs, and what a report tells: each claim beside what comes of it.

use postroom_model::{
    AutomationClass, ChannelId, Message, MessageId, Receipt, ReceiptStatus, mail_thread,
};
use serde_json::json;
use uuid::Uuid;

use super::{Envelope, Letterbox};
use crate::EmailOptions;
use crate::token::Tokens;

fn tokens() -> Tokens {
    Tokens::new(ChannelId::new("support").unwrap(), &[b"a secret of the tests".to_vec()])
}

fn letterbox() -> Letterbox {
    let options = json!({
        "address": "support@example.com",
        "aliases": ["help@example.com"],
        "authserv_id": "mx.example.com",
    });
    let options = EmailOptions::parse(options.as_object().unwrap()).unwrap();
    Letterbox::new(&options, tokens())
}

fn received(header: &str, recipients: &[&str]) -> (Message, Vec<Receipt>) {
    let mail = format!("{header}\n\nWhere is my order?\n").replace('\n', "\r\n");
    let recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    let envelope = Envelope { recipients: &recipients, sender: None, results: None };
    let mut received = letterbox().receive(mail.as_bytes(), &envelope).unwrap();
    (received.arrivals.remove(0).message, received.receipts)
}

const ADA: &str =
    "From: Ada <ada@example.net>\nTo: support@example.com\nMessage-ID: <2@example.net>";

#[test]
fn address_of_the_channel_is_known_in_any_case_and_with_any_tag() {
    let letterbox = letterbox();
    for (address, taken) in [
        ("support@example.com", true),
        ("SUPPORT@EXAMPLE.COM", true),
        ("help+anything@example.com", true),
        ("support+@example.com", true),
        ("supports@example.com", false),
        ("suppor@example.com", false),
        ("support@example.org", false),
        ("support@sub.example.com", false),
        ("support", false),
        ("", false),
        ("süpport@example.com", false),
    ] {
        assert_eq!(letterbox.takes(address), taken, "{address}");
    }
}

#[test]
fn mail_claims_the_thread_of_its_reply_address_then_of_what_it_answers_else_its_own() {
    let first = mail_thread::of("1@example.net");
    let own = mail_thread::of("2@example.net");
    let tag = tokens().tag(&first, "ada@example.net").unwrap();
    let tagged = format!("support+{tag}@example.com");
    let other = mail_thread::of("other@example.net");
    let id = tokens().message_id(Some(&other), MessageId(Uuid::from_u128(7)), "example.com");
    let answer = format!("{ADA}\nIn-Reply-To: <{id}>");
    let forged = id.replace(&other, &first);
    for (header, recipients, thread, token) in [
        (ADA.to_owned(), &["support@example.com"][..], &own, None),
        (ADA.to_owned(), &[tagged.as_str()], &first, Some("verified")),
        (
            ADA.replace("To: support@example.com", &format!("To: {tagged}")),
            &[],
            &first,
            Some("verified"),
        ),
        (ADA.replace("ada@", "eve@"), &[tagged.as_str()], &first, Some("unverified")),
        (answer.clone(), &[tagged.as_str()], &first, Some("verified")),
        (answer.clone(), &[], &other, Some("signed")),
        (format!("{ADA}\nReferences: <0@x> <{id}> <9@x>"), &[], &other, Some("signed")),
        (format!("{ADA}\nIn-Reply-To: <{forged}>"), &[], &own, None),
        (format!("{ADA}\nIn-Reply-To: <>\nReferences: <>"), &[], &own, None),
        (ADA.to_owned(), &["support+sales@example.com"], &own, None),
        (ADA.to_owned(), &["someone+{tag}@example.com"], &own, None),
    ] {
        let (message, receipts) = received(&header, recipients);
        assert_eq!(message.thread.as_ref(), Some(thread), "{header}");
        let told = message.attributes.get("reply_token").and_then(|word| word.as_str());
        assert_eq!(told, token, "{header}");
        assert_eq!(receipts, []);
    }
}

#[test]
fn bounce_of_what_we_sent_is_a_receipt_of_its_delivery_and_no_other_is() {
    let delivery = MessageId(Uuid::from_u128(7));
    let thread = mail_thread::of("1@example.net");
    let id = tokens().message_id(Some(&thread), delivery, "example.com");
    let bounce = |id: &str| {
        format!(
            "From: MAILER-DAEMON@mx.example.com\nTo: support@example.com\nMessage-ID: <b@mx>\n\
             Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\nIt came back.\n\
             --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\n\
             Final-Recipient: rfc822; ada@example.net\nAction: failed\nStatus: 5.1.1\n\
             Diagnostic-Code: smtp; 550 5.1.1 no such user\n\n\
             --b\nContent-Type: text/rfc822-headers\n\nFrom: support@example.com\nMessage-ID: <{id}>\n\n--b--"
        )
    };
    let (message, receipts) = received(&bounce(&id), &[]);
    assert_eq!(message.automation.unwrap().class, AutomationClass::Bounce);
    assert_eq!(message.thread, Some(thread));
    assert_eq!(message.attributes["reply_token"], "signed");
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].external_id, delivery.to_string());
    assert_eq!(receipts[0].status, ReceiptStatus::Failed);
    assert_eq!(receipts[0].code.as_deref(), Some("5.1.1"));
    let (message, receipts) = received(&bounce("7@elsewhere.example"), &[]);
    assert_eq!(receipts, []);
    assert!(!message.attributes.contains_key("reply_token"));
}

#[test]
fn mail_of_our_own_and_mail_from_nowhere_is_never_answered_automatically() {
    let mark = tokens().loop_mark().unwrap();
    let (message, _) = received(ADA, &[]);
    assert!(message.automation.unwrap().may_answer);
    for header in [
        format!("{ADA}\nX-Postroom-Loop: {mark}"),
        ADA.replace("ada@example.net", "help@example.com"),
    ] {
        let (message, _) = received(&header, &[]);
        assert!(!message.automation.unwrap().may_answer, "{header}");
    }
    let envelope = Envelope { recipients: &[], sender: Some(""), results: None };
    let mail = format!("{}\r\n\r\nHello\r\n", ADA.replace('\n', "\r\n"));
    let mut received = letterbox().receive(mail.as_bytes(), &envelope).unwrap();
    assert!(!received.arrivals.remove(0).message.automation.unwrap().may_answer);
}

#[test]
fn authenticity_is_told_by_the_configured_server_alone() {
    for (server, told) in [("mx.example.com", Some("fail")), ("evil.example", None)] {
        let header = format!("Authentication-Results: {server}; dmarc=fail\n{ADA}");
        let (message, _) = received(&header, &[]);
        let word = message.attributes.get("authentication").and_then(|word| word.as_str());
        assert_eq!(word, told);
    }
}

#[test]
fn mail_without_an_id_has_the_same_thread_each_time() {
    let header = "From: ada@example.net\nTo: support@example.com";
    let (first, _) = received(header, &[]);
    let (second, _) = received(header, &[]);
    assert!(first.external_id.starts_with("generated:"));
    assert_eq!((first.thread.is_some(), &first.thread), (true, &second.thread));
}
