//! Customers and agents.

use std::collections::BTreeSet;

use postroom_model::SeededRandom;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Request, Street};

/// Posts of one message at once, where a provider is beside itself.
const AT_ONCE: usize = 8;

/// One customer: writes one message after the other, each until it is acknowledged. Some are posted
/// again afterwards, and some many times at once.
pub async fn customer(thread: String, street: Street, random: SeededRandom) {
    let mut n = 0;
    while street.open() {
        n += 1;
        let id = format!("{thread}-{n}");
        let from = json!({ "id": thread });
        let event =
            json!({ "id": id, "thread": thread, "from": from, "text": format!("message {n}") });
        let mut posts = JoinSet::new();
        for _ in 0..if random.chance(3) { AT_ONCE } else { 1 } {
            let (street, event) = (street.clone(), event.clone());
            posts.spawn(async move { street.insist(&Request::Event(&event)).await });
        }
        let mut taken = posts.join_all().await;
        if random.chance(5) {
            taken.push(street.insist(&Request::Event(&event)).await);
        }
        let mut told = street.told.lock().await;
        if let Some(refused) = taken.iter().find(|reply| reply.status != 202) {
            told.wrong.push(format!("{id}: {} {}", refused.status, refused.text()));
            return;
        }
        let ids: BTreeSet<String> = taken.iter().map(|one| one.json()["id"].to_string()).collect();
        if ids.len() != 1 {
            told.wrong.push(format!("{id}: another id at a repetition"));
        }
        told.repeated += taken.len() as u64 - 1;
        told.messages.entry(thread.clone()).or_default().push(id);
    }
}

/// An agent who answers whatever they have; each answer has a key of its own and is insisted on.
pub async fn agent(token: String, street: Street, random: SeededRandom) {
    while street.open() {
        let online = json!({ "status": "online" });
        street.client().put("/v1/me/status", &token, &online).await;
        let mine = street.client().get("/v1/conversations?view=mine", &token).await.json();
        for conversation in mine["items"].as_array().into_iter().flatten() {
            let Some(id) = conversation["id"].as_str() else { continue };
            let path = format!("/v1/conversations/{id}/replies");
            let key = format!("{id}-{}", conversation["version"]);
            let words = format!("answer {key}");
            let body = json!({ "text": words });
            let request = Request::Answer { path: &path, token: &token, key: &key, body: &body };
            let reply = street.insist(&request).await;
            if reply.status == 202 {
                let id = reply.json()["id"].as_str().unwrap_or_default().to_owned();
                street.told.lock().await.replies.insert(id, words);
            }
            if random.chance(20) {
                let path = format!("/v1/conversations/{id}/resolve");
                street.client().post(&path, &token, &json!({})).await;
            }
        }
    }
}
