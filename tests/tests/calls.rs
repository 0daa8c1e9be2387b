//! Calls on the real binary: posted by a telephone system, read from a log that is followed, called
//! back by an agent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use postroom_tests::process::{Client, House, Reply, WAIT, again, config};
use serde_json::{Value, json};
use tokio::time::Instant;

const WORD: &str = "a-word-of-the-tests";

fn with_phones(log: &Path) -> String {
    let channels = format!(
        r#"
[[channels]]
id = "cti"
kind = "phone"
dialect = "zammad-cti"
secret = "{WORD}"
queue = "billing"

[[channels]]
id = "pbx"
kind = "phone"
dialect = "asterisk-cdr"
file = "{}"
region = "DE"
"#,
        log.display()
    );
    format!("{}{channels}", config(""))
}

async fn cti(client: &Client, body: &str) -> Reply {
    let headers = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    let path = format!("/v1/channels/cti/events?token={WORD}");
    client.send("POST", &path, &headers, body.as_bytes()).await
}

fn line(number: usize, disposition: &str) -> String {
    format!(
        "\"\",\"030{:06}\",\"200\",\"from-trunk\",\"\",\"PJSIP/trunk-1\",\"PJSIP/200-1\",\"Dial\",\"\",\
         \"2026-03-01 10:30:00\",,\"2026-03-01 10:30:20\",20,0,\"{disposition}\",\"DOCUMENTATION\",\
         \"1772357400.{number}\",\"\"\n",
        901_000 + number
    )
}

fn append(path: &Path, text: &str) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// How often each call was recorded, by its id, over the whole feed.
async fn recorded(client: &Client, admin: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut after = "0".to_owned();
    loop {
        let path = format!("/v1/events?after={after}&limit=200");
        let page = client.get_json(&path, admin).await.json();
        for item in page["items"].as_array().unwrap() {
            if item["type"] == "call.recorded" {
                let id = item["call"]["call_id"].as_str().unwrap().to_owned();
                *found.entry(id).or_default() += 1;
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) if next != after => next.clone_into(&mut after),
            _ => return found,
        }
    }
}

/// P1 to P3 and P6 of a call, as an outsider sees them.
#[tokio::test]
async fn missed_call_waits_in_its_queue_and_a_logged_call_back_resolves_it() {
    let log = tempfile::tempdir().unwrap();
    let house = House::new(&with_phones(&log.path().join("Master.csv")));
    let server = house.serve().await;
    let client = server.client();
    let (admin, bob) = (house.token("admin", None).await, house.token("agent", Some("bob")).await);
    let mut stream = client.stream("", &admin, None).await;

    let rings = "event=newCall&callId=c-1&from=4930901820&to=4930901821&direction=in&user=Bob";
    for _ in 0..2 {
        let answer = cti(&client, rings).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    }
    let (_, ringing) = stream.next_of("call.recorded").await;
    assert_eq!(ringing["call"]["state"], "ringing");
    assert_eq!(ringing["call"]["from"], "+4930901820");
    assert!(ringing["details"]["contact"].is_string(), "{ringing:#}");
    let hangs_up =
        "event=hangup&callId=c-1&cause=cancel&direction=in&from=4930901820&to=4930901821";
    assert_eq!(cti(&client, hangs_up).await.status, 200);
    let (_, ended) = stream.next_of("call.recorded").await;
    assert_eq!(ended["call"]["disposition"], "cancelled");
    assert_eq!(ended["details"]["waits"], true);

    let path = format!("/v1/conversations/{}", ended["conversation"].as_str().unwrap());
    let waiting = client.get(&path, &bob).await.json();
    assert_eq!((&waiting["queue"], &waiting["status"]), (&json!("billing"), &json!("open")));
    assert_eq!(waiting["subject"], "Missed call from +4930901820");
    let why = client.get(&format!("{path}/explanation"), &bob).await.json();
    assert!(why["summary"][0].as_str().unwrap().contains("A call opened it"), "{why:#}");
    assert_eq!(client.post(&format!("{path}/claim"), &bob, &json!({})).await.status, 200);
    let nobody = json!({ "disposition": "no_answer" });
    let tried = client.post(&format!("{path}/calls"), &bob, &nobody).await;
    assert_eq!((tried.status, &tried.json()["status"]), (200, &json!("open")), "{}", tried.text());
    let wrong = json!({ "disposition": "answered", "direction": "internal", "talk_s": 100_000 });
    assert_eq!(client.post(&format!("{path}/calls"), &bob, &wrong).await.status, 422);
    let talked = json!({ "disposition": "answered", "talk_s": 95 });
    let done = client.post(&format!("{path}/calls"), &bob, &talked).await;
    assert_eq!((done.status, &done.json()["status"]), (200, &json!("resolved")), "{}", done.text());
    let timeline = client.get(&format!("{path}/timeline"), &bob).await.json();
    let calls: Vec<&Value> = timeline["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["type"] == "call.recorded")
        .collect();
    assert_eq!(calls.len(), 3, "{timeline:#}");
    assert_eq!(calls[2]["call"]["to"], "+4930901820");
    assert_eq!(calls[2]["call"]["agents"], json!(["bob"]));
    assert_eq!(calls[2]["by"]["agent"], "bob");

    assert_eq!(cti(&client, "event=newCall").await.status, 422);
    let stranger = client.send("POST", "/v1/channels/cti/events?token=x", &[], b"").await;
    assert_eq!(stranger.status, 401);
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn line_of_a_followed_log_is_seen_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("Master.csv");
    append(&log, &line(0, "ANSWERED"));
    let house = House::new(&with_phones(&log));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let mut stream = client.stream("?after=0", &admin, None).await;
    stream.next_of("call.recorded").await;
    let mut took = Vec::new();
    for number in 1..=5 {
        let written = Instant::now();
        append(&log, &line(number, "NO ANSWER"));
        let (_, seen) = stream.next_of("call.recorded").await;
        assert_eq!(seen["call"]["call_id"], format!("1772357400.{number}"));
        took.push(written.elapsed());
    }
    // A line is written just after a look, so that the shortest of these is the pause between two
    // looks, however busy the machine is with other things now and then.
    let shortest = took[1..].iter().min().unwrap();
    assert!(*shortest < Duration::from_secs(1), "{took:?}");
    server.stop().await;
}

/// kill -9 while a log is followed that grows and is rotated in both ways (P1, P3).
#[tokio::test]
async fn followed_log_loses_and_doubles_nothing_while_the_server_is_killed() {
    const ROUNDS: usize = 6;
    const LINES: usize = 400;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("Master.csv");
    let house = House::new(&with_phones(&log));
    let mut written = 0;
    for round in 0..ROUNDS {
        let server = house.serve().await;
        let admin = house.token("admin", None).await;
        let mut stream = server.client().stream("", &admin, None).await;
        for _ in 0..4 {
            let lines: String =
                (0..LINES / 4).map(|number| line(written + number, "NO ANSWER")).collect();
            written += LINES / 4;
            append(&log, &lines);
        }
        // It is somewhere in the middle of them.
        stream.next_of("call.recorded").await;
        server.kill().await;
        let old = folder.path().join(format!("Master.csv.{round}"));
        if round % 2 == 0 {
            fs::rename(&log, &old).unwrap();
        } else {
            fs::copy(&log, &old).unwrap();
            File::options().write(true).truncate(true).open(&log).unwrap();
        }
    }
    append(&log, &line(written, "NO ANSWER"));
    written += 1;
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let waiting = async {
        let mut again = again();
        loop {
            again.tick().await;
            let found = recorded(&client, &admin).await;
            if found.len() >= written {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(WAIT, waiting).await.unwrap();
    let doubled: Vec<&String> =
        found.iter().filter(|(_, times)| **times != 1).map(|(id, _)| id).collect();
    assert_eq!((found.len(), doubled), (written, vec![]));

    // Fetching it all again changes nothing.
    let said = house.ok(&["backfill", "pbx", "--since", "2026-01-01", "--json"]).await;
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["fetched"], written);
    server.stop().await;
    let server = house.serve().await;
    assert_eq!(recorded(&server.client(), &admin).await, found);
    server.stop().await;
    house.verify().await;
}
