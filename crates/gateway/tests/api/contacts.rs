//! Contacts, what was merged into them, and what was merged into conversations.

use postroom_model::{Contact, ContactId, Conversation};
use postroom_records::{Change, Key, Records as _, Row};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{House, now};

fn contact(number: u128) -> ContactId {
    ContactId(Uuid::from_u128(0x0189_0000_0000_7000_8000_0000_0000_0000 | number))
}

async fn put(house: &House, rows: Vec<(Key, Row)>) {
    let records = &house.backends.records;
    let standing = records.standing().await.unwrap();
    let changes = rows.into_iter().map(|(key, row)| Change::Put(key, row)).collect();
    records.write(standing.seq, standing, changes).await.unwrap();
}

/// Contacts 1 to 3, each with an address.
async fn house_with_contacts() -> House {
    let house = House::open().await;
    let rows = (1..=3).map(|number| {
        let id = contact(number);
        let addresses = vec![format!("tel:+{number}").parse().unwrap()];
        let row = Contact {
            id,
            name: None,
            addresses,
            dead: vec![],
            created_at: now(),
            last_agent: None,
            conversations: 0,
            merged_into: None,
        };
        (Key::Contact(id), Row::Contact(row))
    });
    put(&house, rows.collect()).await;
    house
}

async fn merge(house: &House, token: &str, from: u128, into: u128) -> crate::house::Answer {
    let path = format!("/v1/contacts/{}/merge", contact(from));
    house.post(token, &path, json!({ "into": contact(into) })).await
}

#[tokio::test]
async fn merged_contact_is_answered_with_the_one_that_goes_on() {
    let house = house_with_contacts().await;
    let answer = merge(&house, "ada", 1, 2).await;
    assert_eq!(answer.status, 200);
    let survivor = json!({
        "id": contact(2), "addresses": ["tel:+2", "tel:+1"], "created_at": now(),
    });
    assert_eq!(answer.json(), survivor);
    assert_eq!(merge(&house, "sue", 2, 3).await.status, 200);
    for number in 1..=3 {
        let answer = house.get("ada", &format!("/v1/contacts/{}", contact(number))).await.json();
        assert_eq!(answer["id"], json!(contact(3)), "contact {number}");
        assert_eq!(answer["addresses"], json!(["tel:+3", "tel:+2", "tel:+1"]));
    }
}

#[tokio::test]
async fn merge_that_cannot_be_is_a_problem() {
    let house = house_with_contacts().await;
    assert_eq!(merge(&house, "ada", 9, 1).await.problem(404), "contact_not_found");
    assert_eq!(merge(&house, "shop", 1, 2).await.problem(403), "forbidden");
    let path = format!("/v1/contacts/{}/merge", contact(1));
    for body in [json!({}), json!({ "into": "nobody" }), json!({ "into": contact(2), "and": 1 })] {
        assert_eq!(house.post("ada", &path, body).await.status, 422);
    }
    let none = house.post("ada", "/v1/contacts/nobody/merge", json!({ "into": contact(2) })).await;
    assert_eq!(none.problem(404), "contact_not_found");
}

#[tokio::test]
async fn key_of_another_change_merges_nothing() {
    let house = house_with_contacts().await;
    let keyed = |method: &str, path: String, body: Value| {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", "Bearer ada")
            .header("content-type", "application/json")
            .header("idempotency-key", "k")
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        async { crate::house::Answer::of(house.send(request).await).await }
    };
    let status = keyed("PUT", "/v1/me/status".to_owned(), json!({ "status": "online" })).await;
    assert_eq!(status.status, 200);
    let path = format!("/v1/contacts/{}/merge", contact(1));
    let reused = keyed("POST", path, json!({ "into": contact(2) })).await;
    assert_eq!(reused.problem(422), "idempotency_key_reused");
    let first = house.get("ada", &format!("/v1/contacts/{}", contact(1))).await.json();
    assert_eq!(first["id"], json!(contact(1)));
}

/// One conversation was merged into a second, and that into a third, which alone ada may see.
#[tokio::test]
async fn what_was_merged_is_shown_by_way_of_others() {
    let house = House::open().await;
    let mut ids = Vec::new();
    let mut rows: Vec<Conversation> = Vec::new();
    for (external, queue) in [("1", "billing"), ("2", "billing"), ("3", "support")] {
        ids.push(house.conversation("site", external, queue).await);
        let key = Key::Conversation(ids.last().unwrap().parse().unwrap());
        match house.backends.records.load(&[key]).await.unwrap().pop().flatten() {
            Some(Row::Conversation(row)) => rows.push(*row),
            other => panic!("{other:?}"),
        }
    }
    let [first, second, third] = [rows[0].id, rows[1].id, rows[2].id];
    rows[0].merged_into = Some(second);
    rows[1].merged_into = Some(third);
    rows[2].merged_from = vec![first, second];
    let keyed = |row: Conversation| (Key::Conversation(row.id), Row::Conversation(Box::new(row)));
    put(&house, rows.into_iter().map(keyed).collect()).await;
    for id in &ids {
        let answer = house.get("ada", &format!("/v1/conversations/{id}")).await;
        assert_eq!(answer.status, 200, "{id}");
    }
    let timeline = house.get("ada", &format!("/v1/conversations/{third}/timeline")).await.json();
    let items = timeline["items"].as_array().unwrap();
    let messages = items.iter().filter_map(|item| item["message"]["external_id"].as_str());
    assert_eq!(messages.collect::<Vec<_>>(), ["1", "2", "3"]);
}
