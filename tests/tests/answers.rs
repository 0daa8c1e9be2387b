//! Automatic answers on the real binary: sent once, marked, told in the timeline, and changing nothing.

use postroom_tests::process::{Callback, House, config};
use serde_json::{Value, json};

#[tokio::test]
async fn customer_who_has_to_wait_is_told_so_once() {
    let callback = Callback::start().await;
    let answer = "\n[[answers]]\nid = \"line\"\non = \"waiting\"\nqueues = [\"support\"]\n\
                  text = \"Thank you. You are number {position} in line.\"\n";
    let house = House::new(&format!("{}{answer}", config(&callback.url)));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    client.says("t1", "m1", "hello").await;
    let message = client.says("t2", "m2", "你好").await;
    let row = client.routed(&message, &admin).await;
    let more = client.says("t2", "m3", "are you there?").await;
    client.routed(&more, &admin).await;
    let got = callback.wait_for(2).await;
    let texts: Vec<&str> = got.iter().filter_map(|one| one.body["text"].as_str()).collect();
    for number in [1, 2] {
        let words = format!("Thank you. You are number {number} in line.");
        assert!(texts.contains(&words.as_str()), "{texts:?}");
    }
    let path = format!("/v1/conversations/{}", row["id"].as_str().unwrap());
    let now = client.get_json(&path, &admin).await.json();
    assert_eq!((&now["status"], &now["assignee"]), (&json!("open"), &Value::Null));
    let told = |page: &Value| {
        let replies = page["items"].as_array().unwrap().iter();
        replies.filter(|item| item["type"] == "reply.queued").cloned().collect::<Vec<_>>()
    };
    let timeline = client.get_json(&format!("{path}/timeline"), &admin).await.json();
    let replies = told(&timeline);
    assert_eq!(replies.len(), 1, "{timeline:#}");
    assert_eq!(replies[0]["by"]["name"], "postroom");
    assert_eq!(replies[0]["message"]["automation"]["class"], "auto_reply");
    // It does not stand in the way of who answers.
    let ada = house.token("agent", Some("ada")).await;
    let version = now["version"].clone();
    let reply = json!({ "text": "Here I am.", "if_version": version });
    let sent = client.post(&format!("{path}/replies"), &ada, &reply).await;
    assert_eq!(sent.status, 202, "{}", sent.text());
    callback.wait_for(3).await;
    server.stop().await;
    house.verify().await;
}
