//! Waits until nothing is under way, and reads what is stored and what left.

use serde_json::{Value, json};

use super::{Found, Request, Street, Told};
use crate::process::{Callback, Client, WAIT, again};

/// Waits until nothing is under way, and reads everything.
pub async fn settle(street: &Street, admin: &str, told: &Told, callback: &Callback) -> Found {
    let event = json!({ "id": "last", "thread": "last", "from": { "id": "last" }, "text": "end" });
    let last = street.insist(&Request::Event(&event)).await.json();
    let client = &street.client();
    client.routed(last["id"].as_str().unwrap_or_default(), admin).await;
    let mut found = Found::default();
    let conversations = items(client, admin, "/v1/conversations?view=all&limit=200").await;
    for conversation in conversations {
        let thread = conversation["thread"].as_str().unwrap_or_default().to_owned();
        if thread == "last" {
            continue;
        }
        let id = conversation["id"].as_str().unwrap_or_default();
        let path = format!("/v1/conversations/{id}/timeline?limit=200");
        let timeline = resting(client, admin, &path).await;
        let messages = found.messages.entry(thread).or_default();
        for item in timeline {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            match item["type"].as_str() {
                Some("message.received") => messages.push(text(&item["message"]["external_id"])),
                Some("reply.queued") => found.replies.push((
                    text(&item["id"]),
                    text(&item["message"]["text"]),
                    text(&item["delivery"]["state"]),
                )),
                _ => {}
            }
        }
    }
    for id in told.replies.keys() {
        let command = client.get(&format!("/v1/commands/{id}"), admin).await.json();
        if command["state"] == "rejected" {
            found.refused.push(id.clone());
        }
    }
    let arrived = callback.got().into_iter();
    found.arrived =
        arrived.map(|got| got.body["id"].as_str().unwrap_or_default().to_owned()).collect();
    found
}

/// The timeline once none of its replies waits for anything that comes by itself.
async fn resting(client: &Client, admin: &str, path: &str) -> Vec<Value> {
    let under_way = |item: &Value| {
        let state = item["delivery"]["state"].as_str().unwrap_or("none");
        item["type"] == "reply.queued" && matches!(state, "queued" | "sending" | "waiting")
    };
    let rest = async {
        let mut again = again();
        loop {
            again.tick().await;
            let timeline = items(client, admin, path).await;
            if !timeline.iter().any(under_way) {
                return timeline;
            }
        }
    };
    tokio::time::timeout(2 * WAIT, rest).await.expect("replies settle")
}

/// Everything that a list gives, page by page.
async fn items(client: &Client, admin: &str, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut next = path.to_owned();
    loop {
        let page = client.get(&next, admin).await.json();
        items.extend(page["items"].as_array().expect("a page").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => return items,
        }
    }
}
