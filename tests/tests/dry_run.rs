//! `postroom dry-run` on the real binary: beside a running server, another configuration, nothing written.

use postroom_tests::process::{House, WAIT, config};
use serde_json::{Value, json};

#[tokio::test]
async fn recorded_traffic_is_played_through_another_configuration() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let ada = house.token("agent", Some("ada")).await;
    let online = json!({ "status": "online" });
    assert_eq!(client.put("/v1/me/status", &ada, &online).await.status, 200);
    let plain = client.says("t1", "m1", "hello").await;
    let parcel = client.says("t2", "m2", "Where is my parcel?").await;
    client.says("t2", "m3", "It is late.").await;
    let mut ids = Vec::new();
    for message in [&plain, &parcel] {
        let row = client.routed(message, &admin).await;
        let id = row["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/conversations/{id}");
        let done = client.post(&format!("{path}/resolve"), &ada, &json!({})).await;
        assert_eq!(done.status, 200, "{}", done.text());
        ids.push(id);
    }
    let before = client.get_json("/v1/events?after=0&limit=200", &admin).await.json();

    let new = house.path().join("new.toml");
    let rule = "\n[[rules]]\nwhen = \"message.text.contains('parcel')\"\nqueue = \"billing\"\n";
    std::fs::write(&new, format!("{}{rule}", config(""))).unwrap();
    let told = |said: String| serde_json::from_str::<Value>(&said).unwrap();
    let said = told(house.ok_with(&new, WAIT, &["dry-run", "--since", "1h", "--json"]).await);
    assert_eq!((&said["messages"], &said["conversations"]), (&json!(3), &json!(2)), "{said:#}");
    assert_eq!(said["elsewhere"], 1, "{said:#}");
    let moved = &said["moved"][0];
    assert_eq!(moved["conversation"], ids[1].as_str());
    assert_eq!(moved["now"]["queue"], "support");
    assert_eq!(moved["new"]["queue"], "billing");
    let again = told(house.ok_with(&new, WAIT, &["dry-run", "--since", "1h", "--json"]).await);
    let (mut once, mut twice) = (said.clone(), again);
    // `1h` is counted from now.
    for one in [&mut once, &mut twice] {
        one["since"] = Value::Null;
        for side in ["now", "new"] {
            for agent in one[side]["agents"].as_array_mut().unwrap() {
                agent["online_ms"] = Value::Null;
            }
        }
    }
    assert_eq!(once, twice);

    let table = house.ok_with(&new, WAIT, &["dry-run"]).await;
    for words in ["billing", "0 -> 1", "2 -> 1", ids[1].as_str()] {
        assert!(table.contains(words), "{words}: {table}");
    }
    // The configuration in force, played against itself, differs in nothing; nothing was written.
    let same = told(house.ok(&["dry-run", "--since", "1h", "--json"]).await);
    assert_eq!((&same["elsewhere"], &same["other_agent"]), (&json!(0), &json!(0)));
    assert_eq!(same["now"], same["new"]);
    let after = client.get_json("/v1/events?after=0&limit=200", &admin).await.json();
    assert_eq!(before["items"], after["items"]);
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn what_cannot_be_played_is_told() {
    let house = House::new(&config(""));
    let none = house.run(&["dry-run"]).await;
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("there is no data"));
    let server = house.serve().await;
    server.stop().await;
    for (args, code) in [
        (&["dry-run", "--since", "yesterday"][..], 2),
        (&["dry-run", "--since", "1h", "--seed", "x"][..], 2),
        (&["dry-run", "--since", "2999-01-01"][..], 0),
    ] {
        let said = house.run(args).await;
        assert_eq!(said.status.code(), Some(code), "{args:?}");
    }
    let wrong = "\n[[rules]]\nwhen = \"message.txt == 'x'\"\nqueue = \"billing\"\n";
    house.write_config(&format!("{}{wrong}", config("")));
    let said = house.run(&["dry-run"]).await;
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&said.stderr).contains("txt"));
}
