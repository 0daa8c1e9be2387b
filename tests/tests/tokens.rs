//! Tokens on the real binary: made, listed and ended beside a running server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use postroom_tests::process::{House, config};
use serde_json::Value;

async fn listed(house: &House) -> Vec<Value> {
    let said = house.ok(&["token", "list", "--json"]).await;
    serde_json::from_str::<Value>(&said).unwrap().as_array().unwrap().clone()
}

#[tokio::test]
async fn revoked_token_is_refused_at_once_and_the_others_are_not() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let client = server.client();
    let (admin, ada) = (house.token("admin", None).await, house.token("agent", Some("ada")).await);
    for token in [&admin, &ada] {
        assert_eq!(client.get("/v1/me", token).await.status, 200);
    }
    let tokens = listed(&house).await;
    let found = |name: &str| tokens.iter().find(|one| one["role"] == name).unwrap().clone();
    assert_eq!((tokens.len(), &found("agent")["agent"]), (2, &Value::from("ada")));
    let shown = house.ok(&["token", "list"]).await;
    assert!(!shown.contains(&ada) && !shown.contains("prt_"), "no secret is shown: {shown}");

    let id = found("agent")["id"].as_str().unwrap().to_owned();
    assert!(shown.contains(&id), "{shown}");
    let said = house.ok(&["token", "revoke", &id]).await;
    assert!(said.contains(&id) && said.contains("agent"), "{said}");
    let refused = client.get("/v1/me", &ada).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "token_invalid"));
    assert_eq!(client.get("/v1/me", &admin).await.status, 200);
    assert_eq!(listed(&house).await.len(), 1);
    let again = house.run(&["token", "revoke", &id]).await;
    assert_eq!(again.status.code(), Some(1), "there is none any more");
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn integrator_needs_a_channel() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    for what in ["token", "link"] {
        let refused = house.run(&[what, "create", "--role", "integrator"]).await;
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{what}: {words}");
        assert!(words.contains("--channel"), "{words}");
    }
    let made = house.ok(&["token", "create", "--role", "integrator", "--channel", "site"]).await;
    let me = server.client().get("/v1/me", made.trim()).await;
    assert_eq!(me.json()["channels"][0], "site");
    server.stop().await;
}
