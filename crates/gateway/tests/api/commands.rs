//! Changes: their outcomes, their idempotency, and what is wrong with their bodies.

use axum::body::Body;
use http::Request;
use postroom_bus::{Inlet as _, ReadLimits, decode_batch};
use postroom_gateway::GatewayLimits;
use serde_json::{Value, json};

use crate::house::{Answer, House};

async fn keyed(house: &House, token: &str, path: &str, key: &str, body: &Value) -> Answer {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()))
        .unwrap();
    Answer::of(house.send(request).await).await
}

#[tokio::test]
async fn second_claim_is_told_the_owner() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let path = format!("/v1/conversations/{id}/claim");
    let first = house.ask("ada", "POST", &path, None).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.json()["assignee"], "ada", "one reads one's own writes");
    let second = house.ask("ada", "POST", &path, None).await;
    assert_eq!(second.problem(409), "already_claimed");
    assert!(second.text("detail").contains("ada"));
    let foreign = house.ask("bob", "POST", &path, None).await;
    assert_eq!(foreign.problem(403), "not_in_queue");
    assert_eq!(house.ask("sue", "POST", &path, None).await.problem(403), "agent_required");
    let none = house
        .ask("ada", "POST", "/v1/conversations/01890000-0000-7000-8000-000000000000/claim", None)
        .await;
    assert_eq!(none.problem(404), "conversation_not_found");
}

#[tokio::test]
async fn reply_is_queued_and_stands_in_the_timeline() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let path = format!("/v1/conversations/{id}");
    let version = house.get("ada", &path).await.json()["version"].as_u64().unwrap();
    let body = json!({
        "text": "hello back", "if_version": version,
        "attachments": [{ "name": "a.txt", "media_type": "text/plain", "content_base64": "aGk=" }],
    });
    let reply = house.post("ada", &format!("{path}/replies"), body.clone()).await;
    assert_eq!((reply.status.as_u16(), reply.text("state")), (202, "queued".to_owned()));
    let timeline = house.get("ada", &format!("{path}/timeline")).await.json();
    let item = &timeline["items"][2];
    assert_eq!((&item["type"], &item["id"]), (&json!("reply.queued"), &reply.json()["id"]));
    assert_eq!(item["message"]["text"], "hello back");
    assert_eq!(item["delivery"]["state"], "queued");
    let file = house.get("ada", item["message"]["attachments"][0]["url"].as_str().unwrap()).await;
    assert_eq!(file.body, "hi");
    let stale = house.post("ada", &format!("{path}/replies"), body).await;
    assert_eq!(stale.problem(409), "conversation_changed");
    let status = house.get("ada", &format!("/v1/commands/{}", reply.text("id"))).await.json();
    assert_eq!(status["state"], "done");
}

#[tokio::test]
async fn same_key_is_the_same_change() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let other = house.conversation("site", "2", "support").await;
    let path = format!("/v1/conversations/{id}/replies");
    let body = json!({ "text": "once" });
    let first = keyed(&house, "ada", &path, "k1", &body).await;
    let again = keyed(&house, "ada", &path, "k1", &body).await;
    assert_eq!(first.status, 202);
    assert_eq!((first.status, first.json()), (again.status, again.json()));
    let another = keyed(&house, "sue", &path, "k1", &body).await;
    assert_ne!(another.json()["id"], first.json()["id"], "a key belongs to its caller");
    let timeline = house.get("ada", &format!("/v1/conversations/{id}/timeline")).await.json();
    assert_eq!(timeline["items"].as_array().unwrap().len(), 4);

    let path_of_other = format!("/v1/conversations/{other}/replies");
    let reused = keyed(&house, "ada", &path_of_other, "k1", &body);
    assert_eq!(reused.await.problem(422), "idempotency_key_reused");
    let long = "k".repeat(256);
    assert_eq!(
        keyed(&house, "ada", &path, &long, &body).await.problem(400),
        "idempotency_key_invalid"
    );

    let claim = format!("/v1/conversations/{id}/claim");
    let first = keyed(&house, "ada", &claim, "k2", &json!({})).await;
    let again = keyed(&house, "ada", &claim, "k2", &json!({})).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (200, 200), "not 409 by itself");
    let refused = keyed(&house, "ada", &claim, "k3", &json!({})).await;
    let again = keyed(&house, "ada", &claim, "k3", &json!({})).await;
    assert_eq!(
        (refused.problem(409), again.problem(409)),
        ("already_claimed".into(), "already_claimed".into())
    );

    // What moved the conversation out of reach is still answered as it was.
    let transfer = format!("/v1/conversations/{id}/transfer");
    house.settings.send_modify(|_| {});
    let first = keyed(&house, "ada", &transfer, "k4", &json!({ "queue": "billing" })).await;
    let again = keyed(&house, "ada", &transfer, "k4", &json!({ "queue": "billing" })).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (200, 200));
}

#[tokio::test]
async fn same_key_with_another_body_or_address_is_refused_and_changes_nothing() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let path = format!("/v1/conversations/{id}");
    let file = |content: &str| json!({ "text": "see", "attachments": [{ "name": "a", "content_base64": content }] });
    for (what, first, other) in [
        ("replies", json!({ "text": "one" }), json!({ "text": "two" })),
        ("replies", json!({ "text": "one" }), json!({ "text": "one", "html": "<p>one</p>" })),
        ("replies", file("aGk="), file("aG8=")),
        ("notes", json!({ "text": "one" }), json!({ "text": "two" })),
        ("priority", json!({ "priority": 1 }), json!({ "priority": 2 })),
        ("tags", json!({ "add": ["a"] }), json!({ "remove": ["a"] })),
    ] {
        let key = format!("{what} {first} {other}");
        let path = format!("{path}/{what}");
        let done = keyed(&house, "ada", &path, &key, &first).await;
        assert!(done.status.is_success(), "{key}: {done:?}");
        let before = house.get("ada", &format!("/v1/conversations/{id}")).await.json();
        let refused = keyed(&house, "ada", &path, &key, &other).await;
        assert_eq!(refused.problem(422), "idempotency_key_reused", "{key}");
        let after = house.get("ada", &format!("/v1/conversations/{id}")).await.json();
        assert_eq!(before, after, "{key}");
        let again = keyed(&house, "ada", &path, &key, &first).await;
        assert_eq!(again.status, done.status, "the first change stands: {key}");
    }
    let claim = keyed(&house, "ada", &format!("{path}/claim"), "k", &json!({})).await;
    assert_eq!(claim.status, 200);
    let release = keyed(&house, "ada", &format!("{path}/release"), "k", &json!({})).await;
    assert_eq!(release.problem(422), "idempotency_key_reused", "another address");
}

#[tokio::test]
async fn first_request_that_the_inlet_forgot_is_told_by_its_conversation() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let other = house.conversation("site", "2", "support").await;
    let path = |id: &str| format!("/v1/conversations/{id}/notes");
    let body = json!({ "text": "one" });
    assert_eq!(keyed(&house, "ada", &path(&id), "k", &body).await.status, 200);
    house.backends.inlet.trim(house.backends.inlet.last().await.unwrap()).await.unwrap();
    assert_eq!(keyed(&house, "ada", &path(&id), "k", &body).await.status, 200);
    let reused = keyed(&house, "ada", &path(&other), "k", &body).await;
    assert_eq!(reused.problem(422), "idempotency_key_reused");
}

#[tokio::test]
async fn command_that_nobody_asked_for_is_not_found() {
    let house = House::open().await;
    house.conversation("site", "1", "support").await;
    let unknown = "/v1/commands/01890000-0000-7000-8000-000000000000";
    assert_eq!(house.get("ada", unknown).await.problem(404), "command_not_found");
    // Also while others wait in the inlet.
    house.routing.send(false).unwrap();
    let posted = house.push("site", &json!({ "id": "2", "text": "waits" })).await;
    let waiting = format!("/v1/commands/{}", posted.text("id"));
    assert_eq!(house.get("ada", &waiting).await.text("state"), "pending");
    assert_eq!(house.get("ada", unknown).await.problem(404), "command_not_found");
    assert_eq!(house.get("ada", "/v1/commands/not-an-id").await.problem(404), "command_not_found");
}

#[tokio::test]
async fn two_at_once_with_one_key_are_one_change() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let path = format!("/v1/conversations/{id}/replies");
    let body = json!({ "text": "once" });
    house.routing.send(false).unwrap();
    let first = keyed(&house, "ada", &path, "k", &body);
    let second = keyed(&house, "ada", &path, "k", &body);
    let go_on = async {
        // Both are in the inlet before anything is decided.
        let mut changes = house.backends.inlet.changes();
        loop {
            changes.mark_unchanged();
            let entries = house.backends.inlet.read(0, ReadLimits::default()).await.unwrap();
            let inputs: usize = entries.iter().map(|entry| decode_batch(&entry.bytes).len()).sum();
            if inputs == 3 {
                break;
            }
            changes.changed().await.unwrap();
        }
        house.routing.send(true).unwrap();
    };
    let (first, second, ()) = tokio::join!(first, second, go_on);
    assert_eq!((first.status.as_u16(), first.json()), (202, second.json()));
    assert_eq!(first.text("state"), "queued");
}

#[tokio::test]
async fn change_without_outcome_in_time_is_pending_and_can_be_asked_for() {
    let limits = GatewayLimits { command_wait_ms: 20, ..GatewayLimits::default() };
    let house = House::with(limits, None).await;
    let id = house.conversation("site", "1", "support").await;
    house.routing.send(false).unwrap();
    let answer = house.ask("ada", "POST", &format!("/v1/conversations/{id}/claim"), None).await;
    assert_eq!((answer.status.as_u16(), answer.text("state")), (202, "pending".to_owned()));
    let path = format!("/v1/commands/{}", answer.text("id"));
    assert_eq!(house.get("ada", &path).await.text("state"), "pending");
    let mut changes = postroom_records::Records::changes(house.backends.records.as_ref());
    changes.mark_unchanged();
    house.routing.send(true).unwrap();
    changes.changed().await.unwrap();
    let done = house.get("ada", &path).await.json();
    assert_eq!((&done["state"], &done["outcome"]["kind"]), (&json!("done"), &json!("routed")));
    assert_eq!(house.get("bob", &path).await.problem(404), "command_not_found");
}

#[tokio::test]
async fn wrong_body_is_refused_with_pointers() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let long = "a".repeat(300 * 1024);
    for (what, body, pointers) in [
        ("replies", json!({}), vec!["/text"]),
        ("replies", json!({ "text": " " }), vec!["/text"]),
        ("replies", json!({ "text": "a\u{0}b" }), vec!["/text"]),
        ("replies", json!({ "text": "a", "html": "<p>\u{0}</p>" }), vec!["/html"]),
        ("notes", json!({ "text": "a\u{0}b" }), vec!["/text"]),
        ("replies", json!({ "text": 3 }), vec!["/text"]),
        ("replies", json!({ "text": long }), vec!["/text"]),
        ("replies", json!({ "text": "a", "colour": 1 }), vec!["/colour"]),
        (
            "replies",
            json!({ "text": "a", "attachments": [{ "name": "", "content_base64": "" }] }),
            vec!["/attachments/0/name"],
        ),
        (
            "replies",
            json!({ "text": "a", "attachments": [{ "name": "x", "content_base64": "%" }] }),
            vec!["/attachments/0/content_base64"],
        ),
        (
            "replies",
            json!({ "text": "a", "attachments": [{ "name": "x" }] }),
            vec!["/attachments/0/content_base64"],
        ),
        ("notes", json!({ "text": "" }), vec!["/text"]),
        ("assign", json!({ "agent": "NO" }), vec!["/agent"]),
        ("transfer", json!({}), vec!["/queue"]),
        ("snooze", json!({ "until": "tomorrow" }), vec!["/until"]),
        ("tags", json!({}), vec![""]),
        ("tags", json!({ "add": ["ok", ""], "remove": ["\n"] }), vec!["/add/1", "/remove/0"]),
        ("priority", json!({ "priority": 100 }), vec!["/priority"]),
        ("merge", json!({ "into": "x" }), vec!["/into"]),
        ("claim", json!({ "agent": "ada" }), vec!["/agent"]),
        ("resolve", json!([]), vec![""]),
        ("notes", json!(["text"]), vec![""]),
    ] {
        let answer =
            house.post("ada", &format!("/v1/conversations/{id}/{what}"), body.clone()).await;
        assert_eq!(answer.problem(422), "invalid_body", "{what} {body}");
        let errors = answer.json()["errors"].clone();
        let found: Vec<&str> = errors
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(found, pointers, "{what}: {answer:?}");
    }
    let request = Request::post(format!("/v1/conversations/{id}/notes"))
        .header("authorization", "Bearer ada")
        .header("content-type", "text/plain")
        .body(Body::from("hello"))
        .unwrap();
    assert_eq!(Answer::of(house.send(request).await).await.problem(415), "media_type");
}

#[tokio::test]
async fn every_change_reaches_the_router() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let into = house.conversation("site", "2", "support").await;
    let until = "2030-01-01T00:00:00.000Z";
    for (what, body) in [
        ("claim", json!({})),
        ("release", json!({})),
        ("assign", json!({ "agent": "ada" })),
        ("notes", json!({ "text": "n" })),
        ("tags", json!({ "add": ["a"] })),
        ("priority", json!({ "priority": 7 })),
        ("snooze", json!({ "until": until })),
        ("reopen", json!({})),
        ("merge", json!({ "into": into })),
        ("resolve", json!({})),
    ] {
        let answer = house.post("ada", &format!("/v1/conversations/{id}/{what}"), body).await;
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
        assert_eq!(answer.text("id"), id, "{what}");
    }
    let resend = format!("/v1/conversations/{id}/replies/{into}/resend");
    assert_eq!(house.ask("ada", "POST", &resend, None).await.text("state"), "queued");
    let conversation = house.get("ada", &format!("/v1/conversations/{id}")).await.json();
    assert_eq!((&conversation["priority"], &conversation["tags"]), (&json!(7), &json!(["a"])));
    let retry = "/v1/parked/01890000-0000-7000-8000-000000000000/retry";
    assert_eq!(house.ask("root", "POST", retry, None).await.text("state"), "done");
}
