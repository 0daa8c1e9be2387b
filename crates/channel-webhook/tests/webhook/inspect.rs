//! What becomes of each file in `fixtures`, and of requests that are wrong around the body.

use std::fs;
use std::path::Path;

use postroom_channel::contract::Post;
use postroom_channel::{Adapter, Deadlines, Inspection, InspectionOutcome, Push};
use postroom_channel_webhook::{Dialect, inspect};
use serde_json::json;

use crate::support;

fn inspected(post: &Post, secret: Option<&str>) -> Inspection {
    inspect(Dialect::Generic, &post.request(), secret, support::now()).unwrap()
}

fn bodies(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut bodies: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
        })
        .collect();
    bodies.sort();
    assert!(!bodies.is_empty());
    bodies
}

/// Each file has a snapshot of what is made of it.
fn check(folder: &str, outcome: InspectionOutcome) {
    for (name, body) in bodies(folder) {
        let mut post = Post::json(body);
        post.headers.clear();
        let inspection = inspected(&post, None);
        assert_eq!(inspection.outcome, outcome, "{name}: {inspection:?}");
        insta::assert_json_snapshot!(format!("{folder}_{name}"), inspection);
    }
}

#[test]
fn plain_bodies_become_messages_and_receipts() {
    check("plain", InspectionOutcome::Accepted);
}

#[test]
fn bodies_as_integrators_send_them_become_messages() {
    check("provider", InspectionOutcome::Accepted);
}

#[test]
fn malformed_bodies_are_refused_with_pointers_to_all_mistakes() {
    check("malformed", InspectionOutcome::Refused);
}

#[test]
fn id_of_the_message_is_that_of_the_body_else_of_the_header_else_generated() {
    let with = Post::json(r#"{"id":" evt-1 ","from":{"id":"u"},"text":"hello"}"#);
    let without = Post::json(r#"{"from":{"id":"u"},"text":"hello"}"#);
    for (post, header, id) in [
        (&with, Some("delivery-9"), "evt-1"),
        (&without, Some("delivery-9"), "delivery-9"),
        (&without, None, "generated:"),
    ] {
        let mut post = post.clone();
        if let Some(header) = header {
            support::sign(&mut post, header);
        }
        let inspection = inspected(&post, None);
        let found = &inspection.messages[0].external_id;
        assert!(found.starts_with(id), "{found}");
        assert_eq!(inspected(&post, None), inspection);
    }
}

#[test]
fn one_sender_without_a_thread_stays_in_one_thread() {
    let thread = |from: &str| {
        let post = Post::json(format!(r#"{{"from":{from},"text":"hello"}}"#));
        inspected(&post, None).messages[0].thread.clone().unwrap()
    };
    assert_eq!(thread(r#"{"email":"ada@EXAMPLE.com"}"#), "from:mailto:ada@example.com");
    assert_eq!(thread(r#"{"phone":"+44 20 7946 0000"}"#), thread(r#"{"phone":"+442079460000"}"#));
    assert_ne!(thread(r#"{"id":"1"}"#), thread(r#"{"id":"2"}"#));
}

#[test]
fn phone_that_cannot_be_dialled_is_refused_with_its_pointer() {
    let adapter = support::adapter(None, Deadlines::default());
    let push: &dyn Push = adapter.push().unwrap();
    for phone in ["abc", "+", "0800-FLOWERS", "sip:ada", "123456789012345678901"] {
        let post = Post::json(format!(r#"{{"id":"1","from":{{"phone":"{phone}"}},"text":"x"}}"#));
        let refusal = push.parse(&post.request()).unwrap_err();
        assert_eq!(refusal.status, 422, "{phone}");
        let pointers: Vec<&str> = refusal.pointers.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(pointers, ["/from/phone"], "{phone}");
    }
}

#[test]
fn signature_is_checked_only_with_a_secret() {
    let mut post = Post::json(r#"{"id":"evt-1","from":{"id":"u"},"text":"hello"}"#);
    assert_eq!(inspected(&post, None).exit_code(), 0);
    let refused = inspected(&post, Some(&support::secret()));
    assert_eq!(refused.exit_code(), 4);
    assert_eq!(refused.problem.unwrap().code, "signature_header_missing");
    assert_eq!(refused.response.unwrap().status, 401);
    support::sign(&mut post, "delivery-1");
    assert_eq!(inspected(&post, Some(&support::secret())).exit_code(), 0);
    let later = support::now().plus_millis(301_000);
    let late = inspect(Dialect::Generic, &post.request(), Some(&support::secret()), later);
    assert_eq!(late.unwrap().problem.unwrap().code, "signature_too_old");
    let bad = inspect(Dialect::Generic, &post.request(), Some("whsec_canary"), support::now());
    assert!(!bad.unwrap_err().to_string().contains("canary"));
}

#[test]
fn only_json_is_taken() {
    let adapter = support::adapter(None, Deadlines::default());
    let push: &dyn Push = adapter.push().unwrap();
    let good = r#"{"id":"evt-1","from":{"id":"u"},"text":"hello"}"#;
    for (media_type, taken) in [
        ("application/json", true),
        ("Application/JSON; Charset=\"UTF-8\"", true),
        ("application/vnd.example+json", true),
        ("application/json; charset=latin1", false),
        ("text/plain", false),
        ("application/x-www-form-urlencoded", false),
        ("+json", false),
        ("", false),
    ] {
        let mut post = Post::json(good);
        post.headers.insert("content-type", media_type.parse().unwrap());
        let parsed = push.parse(&post.request());
        let status = parsed.map_err(|refusal| refusal.status).map(drop);
        assert_eq!(status, if taken { Ok(()) } else { Err(415) }, "{media_type}");
    }
    let mut post = Post::json(good);
    post.headers.append("content-type", "text/plain".parse().unwrap());
    assert_eq!(push.parse(&post.request()).unwrap_err().status, 415);
    post.headers.clear();
    assert_eq!(push.parse(&post.request()).unwrap_err().code, "media_type_not_supported");
}

#[test]
fn what_is_over_a_limit_is_refused_by_name() {
    let body = |field: &str, value: serde_json::Value| {
        let mut body = json!({ "from": { "id": "u" }, "text": "hello" });
        body[field] = value;
        body
    };
    let attributes = |count: usize| -> serde_json::Value {
        (0..count).map(|number| (format!("a{number}"), json!(1))).collect()
    };
    let attachment = json!({ "url": "https://example.com/a" });
    for (field, good, bad, code) in [
        ("id", json!("茶".repeat(512)), json!("茶".repeat(513)), "body_field_too_long"),
        ("thread", json!("x".repeat(512)), json!("x".repeat(513)), "body_field_too_long"),
        (
            "attachments",
            json!(vec![&attachment; 100]),
            json!(vec![&attachment; 101]),
            "body_field_too_long",
        ),
        ("attributes", attributes(50), attributes(51), "body_field_too_long"),
        (
            "attributes",
            json!({ "a": "x".repeat(4_096) }),
            json!({ "a": "x".repeat(4_097) }),
            "body_field_too_long",
        ),
        (
            "attributes",
            json!({ "x".repeat(64): 1 }),
            json!({ "x".repeat(65): 1 }),
            "body_field_too_long",
        ),
        (
            "html",
            json!("x".repeat(512 * 1024)),
            json!("x".repeat(512 * 1024 + 1)),
            "html_too_large",
        ),
        ("html", json!("<div>".repeat(512)), json!("<div>".repeat(513)), "html_too_deep"),
        ("kind", json!("image"), json!("call"), "body_field_invalid"),
    ] {
        let accepted = inspected(&Post::json(body(field, good).to_string()), None);
        assert_eq!(
            accepted.outcome,
            InspectionOutcome::Accepted,
            "{field}: {:?}",
            accepted.problem
        );
        let refused = inspected(&Post::json(body(field, bad).to_string()), None);
        let problem = refused.problem.expect(field);
        assert_eq!(problem.code, code, "{field}");
        assert!(problem.pointers[0].pointer.starts_with(&format!("/{field}")), "{problem:?}");
    }
    let subject = body("subject", json!("主题".repeat(1_000)));
    let subject = inspected(&Post::json(subject.to_string()), None).messages[0].subject.clone();
    assert_eq!(subject.unwrap().chars().count(), 1_000);
}

#[test]
fn large_text_is_no_mistake() {
    let text = "很长的文字。".repeat(50_000);
    let body = json!({ "id": "evt-1", "from": { "id": "u" }, "text": text });
    let inspection = inspected(&Post::json(body.to_string()), None);
    assert_eq!(inspection.messages[0].text.as_deref(), Some(text.as_str()));
}

#[test]
fn html_of_which_nothing_is_left_is_an_empty_message() {
    let body = json!({ "from": { "id": "u" }, "html": "<script>alert(1)</script>" });
    let refused = inspected(&Post::json(body.to_string()), None);
    assert_eq!(refused.problem.unwrap().code, "body_empty_message");
}
