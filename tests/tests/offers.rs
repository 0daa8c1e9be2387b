//! Offers on the real binary: asked, accepted once, declined, seen on the feed; the agent who is out
//! of sight is offline.

use postroom_tests::process::{House, config};
use serde_json::{Value, json};

/// The configuration of the other tests, with its support queue offered to two at once, and one more
/// agent in it.
fn offered() -> String {
    let plain = config("");
    let queue = "id = \"support\"\n";
    assert!(plain.contains(queue), "{plain}");
    let offered = plain.replacen(queue, &format!("{queue}hand_out = \"offer\"\noffer_to = 2\n"), 1);
    format!(
        "{offered}\n[[statuses]]\nid = \"lunch\"\nstatus = \"away\"\n\n[[agents]]\nid = \"zoe\"\n\
         name = \"Zoe\"\nqueues = [\"support\"]\n"
    )
}

#[tokio::test]
async fn offer_is_accepted_once_and_declined_to_the_next() {
    let house = House::new(&offered());
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let ada = house.token("agent", Some("ada")).await;
    let zoe = house.token("agent", Some("zoe")).await;
    let mut stream = client.stream("", &zoe, None).await;
    let online = json!({ "status": "online" });
    for token in [&ada, &zoe] {
        assert_eq!(client.put("/v1/me/status", token, &online).await.status, 200);
    }

    client.says("t1", "m1", "hello").await;
    let (_, made) = stream.next_of("offer.made").await;
    assert_eq!(made["details"]["agents"], json!(["ada", "zoe"]));
    let path = format!("/v1/offers/{}", made["id"].as_str().unwrap());
    let some = |page: &Value| page["items"].as_array().is_some_and(|items| items.len() == 1);
    let offers = client.until("/v1/offers", &ada, some).await;
    let offer = &offers["items"][0];
    assert_eq!(
        (&offer["id"], &offer["conversation"], &offer["agent"]),
        (&made["id"], &made["conversation"], &json!("ada"))
    );
    let nothing = json!({});
    let taken = client.post(&format!("{path}/accept"), &zoe, &nothing).await;
    assert_eq!((taken.status, &taken.json()["assignee"]), (200, &json!("zoe")), "{}", taken.text());
    let late = client.post(&format!("{path}/accept"), &ada, &nothing).await;
    assert_eq!((late.status, late.code()), (409, "offer_over".to_owned()));
    let detail = "the offer is over: Zoe has the conversation";
    assert_eq!(late.json()["detail"], detail, "{}", late.text());
    assert_eq!(client.get("/v1/offers", &ada).await.json()["items"], json!([]));
    let (_, closed) = stream.next_of("offer.closed").await;
    assert_eq!(closed["details"]["cause"], "accepted");

    // Both decline: it waits, with nobody to ask, and says so.
    let second = client.says("t2", "m2", "hello again").await;
    let (_, made) = stream.next_of("offer.made").await;
    let path = format!("/v1/offers/{}", made["id"].as_str().unwrap());
    for token in [&ada, &zoe] {
        let declined = client.post(&format!("{path}/decline"), token, &nothing).await;
        assert_eq!(declined.status, 200, "{}", declined.text());
    }
    let conversation = client.routed(&second, &admin).await;
    let id = conversation["id"].as_str().unwrap();
    let waits = client.get(&format!("/v1/conversations/{id}"), &admin).await.json();
    assert_eq!((&waits["assignee"], &waits["offer"]), (&Value::Null, &Value::Null));

    // A status of the team's own.
    let lunch = client.put("/v1/me/status", &ada, &json!({ "status": "lunch" })).await;
    assert_eq!(lunch.status, 200, "{}", lunch.text());
    let agent = &lunch.json()["agent"];
    assert_eq!((&agent["status"], &agent["reason"]), (&json!("away"), &json!("lunch")));
    let wrong = client.put("/v1/me/status", &ada, &json!({ "status": "siesta" })).await;
    assert_eq!((wrong.status, wrong.code()), (422, "invalid_body".to_owned()));
    server.stop().await;
    house.verify().await;
}
