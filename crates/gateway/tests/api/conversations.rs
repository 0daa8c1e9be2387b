//! Lists, single conversations and timelines, and who sees which of them.

use serde_json::{Value, json};

use crate::house::House;

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn everybody_sees_what_is_within_their_reach() {
    let house = House::open().await;
    let support = house.conversation("site", "1", "support").await;
    let billing = house.conversation("other", "2", "billing").await;
    for (token, sees) in [
        ("ada", vec![&support]),
        ("bob", vec![&billing]),
        ("sue", vec![&billing, &support]),
        ("root", vec![&billing, &support]),
        ("shop", vec![&billing]),
    ] {
        let mut listed = ids(&house.get(token, "/v1/conversations").await.json());
        let mut expected: Vec<String> = sees.into_iter().cloned().collect();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected, "{token}");
        for id in [&support, &billing] {
            for path in ["", "/timeline"] {
                let answer = house.get(token, &format!("/v1/conversations/{id}{path}")).await;
                if listed.contains(id) {
                    assert_eq!(answer.status, 200, "{token} {path}");
                } else {
                    assert_eq!(answer.problem(404), "conversation_not_found", "{token} {path}");
                }
            }
        }
    }
    let filtered = house.get("ada", "/v1/conversations?queue=billing").await;
    assert!(ids(&filtered.json()).is_empty(), "a filter does not widen the reach");
    let filtered = house.get("shop", "/v1/conversations?channel=site").await;
    assert!(ids(&filtered.json()).is_empty());
    let explained = house.get("ada", &format!("/v1/conversations/{support}/explanation")).await;
    assert_eq!(explained.text("conversation"), support);
}

#[tokio::test]
async fn views_filters_and_pages_of_the_list() {
    let house = House::open().await;
    let first = house.conversation("site", "1", "support").await;
    let second = house.conversation("site", "2", "support").await;
    let claimed = house.ask("ada", "POST", &format!("/v1/conversations/{first}/claim"), None).await;
    assert_eq!(claimed.status, 200);
    let path = format!("/v1/conversations/{second}/tags");
    assert_eq!(house.post("ada", &path, json!({ "add": ["vip"] })).await.status, 200);
    for (query, sees) in [
        ("view=mine", vec![&first]),
        ("view=unassigned", vec![&second]),
        ("tag=vip", vec![&second]),
        ("q=ABOUT%201", vec![&first]),
        ("view=snoozed", vec![]),
        ("view=resolved", vec![]),
        ("channel=other", vec![]),
    ] {
        let listed = ids(&house.get("ada", &format!("/v1/conversations?{query}")).await.json());
        assert_eq!(listed.iter().collect::<Vec<_>>(), sees, "{query}");
    }
    let page = house.get("ada", "/v1/conversations?limit=1").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = house.get("ada", &format!("/v1/conversations?limit=1&cursor={cursor}")).await.json();
    let mut all = [ids(&page), ids(&rest)].concat();
    all.sort();
    let mut expected = vec![first, second];
    expected.sort();
    assert_eq!(all, expected);
    assert!(ids(&house.get("sue", "/v1/conversations?view=mine").await.json()).is_empty());
}

#[tokio::test]
async fn agents_of_a_queue_that_a_ladder_has_added_see_it_and_take_it() {
    let house = House::open().await;
    let plain = house.conversation("site", "1", "support").await;
    let widened = json!({ "step": 1, "priority": 0, "queues": ["billing"] });
    let id = house.climbed("2", widened).await;
    for view in ["unassigned", "all"] {
        let seen = listed(&house, "bob", &format!("view={view}")).await;
        assert_eq!(seen, std::slice::from_ref(&id), "{view}");
    }
    assert!(listed(&house, "bob", "queue=support").await.is_empty(), "that queue is not his");
    let of_queue = listed(&house, "sue", "queue=billing").await;
    assert!(of_queue.is_empty(), "it is in its own queue still");
    let path = format!("/v1/conversations/{id}");
    for path in [path.clone(), format!("{path}/timeline"), format!("{path}/explanation")] {
        assert_eq!(house.get("bob", &path).await.status, 200, "{path}");
    }
    let note = house.post("bob", &format!("{path}/notes"), json!({ "text": "a" })).await;
    assert_eq!(note.status, 200, "{note:?}");
    let claimed = house.ask("bob", "POST", &format!("{path}/claim"), None).await;
    assert_eq!(claimed.text("assignee"), "bob");
    let reply = house.post("bob", &format!("{path}/replies"), json!({ "text": "a" })).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let foreign = house.get("bob", &format!("/v1/conversations/{plain}")).await;
    assert_eq!(foreign.problem(404), "conversation_not_found");
}

#[tokio::test]
async fn who_moves_a_widened_conversation_by_hand_ends_its_wider_reach() {
    let house = House::open().await;
    let id = house.climbed("1", json!({ "step": 1, "priority": 0, "queues": ["billing"] })).await;
    let path = format!("/v1/conversations/{id}");
    assert_eq!(house.get("bob", &path).await.status, 200);
    let moved = house.post("ada", &format!("{path}/transfer"), json!({ "queue": "support" })).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert_eq!(house.get("bob", &path).await.problem(404), "conversation_not_found");
    assert!(listed(&house, "bob", "view=all").await.is_empty());
}

async fn listed(house: &House, token: &str, query: &str) -> Vec<String> {
    ids(&house.get(token, &format!("/v1/conversations?{query}")).await.json())
}

#[tokio::test]
async fn search_finds_words_of_subject_and_of_the_newest_message() {
    let house = House::open().await;
    let first = house.conversation("site", "1", "support").await;
    let second = house.conversation("site", "2", "support").await;
    let billing = house.conversation("site", "3", "billing").await;
    for (token, query, sees) in [
        ("ada", "q=words%20OF%201", vec![&first]),
        ("ada", "q=about%202", vec![&second]),
        ("ada", "q=words", vec![&first, &second]),
        ("ada", "q=words%20of%203", vec![]),
        ("sue", "q=words%20of%203", vec![&billing]),
        ("ada", "q=nowhere", vec![]),
        ("ada", "q=%20%20", vec![&first, &second]),
    ] {
        let mut found = listed(&house, token, query).await;
        let mut expected: Vec<String> = sees.into_iter().cloned().collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{token} {query}");
    }
    let reply = json!({ "text": "Grüße from the desk" });
    let path = format!("/v1/conversations/{first}/replies");
    assert_eq!(house.post("ada", &path, reply).await.status, 202);
    assert_eq!(listed(&house, "ada", "q=GR%C3%9CSSE").await, Vec::<String>::new());
    assert_eq!(listed(&house, "ada", "q=GR%C3%9C%C3%9Fe").await, std::slice::from_ref(&first));
    assert!(listed(&house, "ada", "q=words%20of%201").await.is_empty(), "it is not the newest");
    let long = format!("q={}", "a".repeat(201));
    let refused = house.get("ada", &format!("/v1/conversations?{long}")).await;
    assert_eq!(refused.problem(400), "invalid_query");
}

#[tokio::test]
async fn search_goes_on_from_page_to_page() {
    let house = House::open().await;
    let mut wanted = Vec::new();
    for n in 0..7 {
        wanted.push(house.conversation("site", &format!("w{n}"), "support").await);
        house.conversation("site", &format!("o{n}"), "support").await;
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for page in 0.. {
        let query = format!("q=words%20of%20w&limit=3{cursor}");
        let answer = house.get("ada", &format!("/v1/conversations?{query}")).await.json();
        found.extend(ids(&answer));
        assert!(page < 5, "it comes to its end");
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn integrator_without_a_channel_sees_nothing() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let principal = postroom_access::Principal {
        role: postroom_model::Role::Integrator,
        agent: None,
        name: "old".to_owned(),
        channels: vec![],
    };
    let kind = postroom_access::CredentialKind::Token;
    house.grant("old", kind, principal, None).await;
    assert!(listed(&house, "old", "view=all").await.is_empty());
    let one = house.get("old", &format!("/v1/conversations/{id}")).await;
    assert_eq!(one.problem(404), "conversation_not_found");
    let request = http::Request::get("/v1/events?after=0")
        .header("authorization", "Bearer old")
        .header("accept", "application/json")
        .body(axum::body::Body::empty())
        .unwrap();
    let page = crate::house::Answer::of(house.send(request).await).await.json();
    assert_eq!(page["items"], json!([]));
}

#[tokio::test]
async fn wrong_query_is_refused_with_what_is_wrong() {
    let house = House::open().await;
    for (query, code, word) in [
        ("view=everything", "invalid_query", "everything"),
        ("colour=red", "invalid_query", "colour"),
        ("limit=0", "invalid_query", "limit"),
        ("limit=201", "invalid_query", "limit"),
        ("limit=many", "invalid_query", "invalid digit"),
        ("queue=NO", "invalid_query", "an id is"),
        ("cursor=zzz", "bad_cursor", "cursor"),
    ] {
        let answer = house.get("ada", &format!("/v1/conversations?{query}")).await;
        assert_eq!(answer.problem(400), code, "{query}");
        assert!(answer.text("detail").contains(word), "{query}: {answer:?}");
    }
    let id = house.conversation("site", "1", "support").await;
    let answer = house.get("ada", &format!("/v1/conversations/{id}/timeline?cursor=x")).await;
    assert_eq!(answer.problem(400), "bad_cursor");
    assert_eq!(house.get("ada", "/v1/conversations/not-an-id").await.status, 404);
}

#[tokio::test]
async fn timeline_has_pages_in_ledger_order() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let note = json!({ "text": "careful" });
    assert_eq!(house.post("ada", &format!("/v1/conversations/{id}/notes"), note).await.status, 200);
    let path = format!("/v1/conversations/{id}/timeline?limit=2");
    let page = house.get("ada", &path).await.json();
    let kinds: Vec<&str> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["conversation.opened", "message.received"]);
    assert_eq!(page["items"][1]["message"]["external_id"], "1");
    assert_eq!(page["items"][1]["message"]["text"], "words of 1");
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = house.get("ada", &format!("{path}&cursor={cursor}")).await.json();
    assert_eq!(rest["items"][0]["type"], "note.added");
    assert_eq!(rest["items"][0]["text"], "careful");
    assert_eq!(rest["next_cursor"], Value::Null);
}

#[tokio::test]
async fn queues_agents_and_oneself() {
    let house = House::open().await;
    house.conversation("site", "1", "support").await;
    let queues = house.get("ada", "/v1/queues").await.json();
    assert_eq!(queues["items"][0]["id"], "support");
    assert_eq!(queues["items"][0]["waiting"], 1);
    let agents = house.get("ada", "/v1/agents").await.json();
    assert_eq!(agents["items"][0]["id"], "ada");
    assert_eq!(agents["items"][0]["status"], "offline");
    let me = house.get("ada", "/v1/me").await.json();
    assert_eq!((&me["role"], &me["agent"]["id"]), (&json!("agent"), &json!("ada")));
    let status =
        house.ask("ada", "PUT", "/v1/me/status", Some(json!({ "status": "online" }))).await;
    assert_eq!(status.status, 200);
    assert_eq!(status.json()["agent"]["status"], "online");
    assert_eq!(house.get("sue", "/v1/me").await.json()["agent"], Value::Null);
    let contact = house.get("ada", "/v1/contacts/01890000-0000-7000-8000-000000000000").await;
    assert_eq!(contact.problem(404), "contact_not_found");
}
