//! Calls on the real binary: posted by a telephone system, read from a log that is followed, called
//! back by an agent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use postroom_model::{Clock as _, SystemClock, Timestamp};
use postroom_tests::process::{
    Answer, Callback, Client, House, Reply, SECRET, WAIT, again, config,
};
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
start = "all"
region = "DE"
recording_hosts = ["127.0.0.1"]
recording_username = "postroom"
recording_password = "canary-of-the-store"

[[channels]]
id = "line"
kind = "phone"
dialect = "generic"
secret = "{SECRET}"
queue = "billing"

[[channels]]
id = "legs"
kind = "phone"
dialect = "asterisk-cel"
secret = "{WORD}"
queue = "billing"
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
    let mut of_bob = client.stream("", &bob, None).await;

    let rings = "event=newCall&callId=c-1&from=4930901820&to=4930901821&direction=in&user=Bob";
    for _ in 0..2 {
        let answer = cti(&client, rings).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    }
    let (_, ringing) = stream.next_of("call.recorded").await;
    assert_eq!(ringing["call"]["state"], "ringing");
    assert_eq!(ringing["call"]["from"], "+4930901820");
    assert!(ringing["details"]["contact"].is_string(), "{ringing:#}");
    // Whoever serves the queue of the channel hears it ring.
    assert_eq!(of_bob.next_of("call.recorded").await.1["call"], ringing["call"]);
    // Who loads the page while it rings sees it too, if they serve the queue.
    let live = "/v1/calls?state=live";
    let rings_now = client.get_json(live, &bob).await.json();
    assert_eq!(rings_now["items"], json!([ringing]), "{rings_now:#}");
    let ada = house.token("agent", Some("ada")).await;
    assert_eq!(client.get_json(live, &ada).await.json()["items"], json!([]));
    assert_eq!(client.get("/v1/calls?state=past", &bob).await.status, 400);
    let hangs_up =
        "event=hangup&callId=c-1&cause=cancel&direction=in&from=4930901820&to=4930901821";
    assert_eq!(cti(&client, hangs_up).await.status, 200);
    let (_, ended) = stream.next_of("call.recorded").await;
    assert_eq!(ended["call"]["disposition"], "cancelled");
    assert_eq!(ended["details"]["waits"], true);
    assert_eq!(client.get_json(live, &bob).await.json()["items"], json!([]));

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
    let future = json!({ "disposition": "answered", "started_at": "2999-01-01T00:00:00Z" });
    let refused = client.post(&format!("{path}/calls"), &bob, &future).await;
    assert_eq!(
        (refused.status, &refused.json()["errors"][0]["pointer"]),
        (422, &json!("/started_at"))
    );
    let talked = json!({ "disposition": "answered", "talk_s": 95 });
    let log = format!("{path}/calls");
    let done = client.change("POST", &log, &bob, &talked, Some("one")).await;
    let again = client.change("POST", &log, &bob, &talked, Some("one")).await;
    assert_eq!((again.status, again.json()), (200, done.json()), "{}", again.text());
    let other = json!({ "disposition": "answered", "talk_s": 5 });
    assert_eq!(client.change("POST", &log, &bob, &other, Some("one")).await.status, 422);
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

/// P10 of recordings: nobody is asked whom the operator did not name.
#[tokio::test]
async fn recording_is_fetched_once_and_only_from_hosts_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("Master.csv");
    let store = Callback::start().await;
    let elsewhere = store.url.replace("127.0.0.1", "localhost");
    append(&log, "calldate,src,dst,dcontext,duration,billsec,disposition,uniqueid,recordingfile\n");
    for (call, url) in [("1.1", store.url.as_str()), ("1.2", &elsewhere), ("1.3", "")] {
        let line = "2026-03-01 10:30:00,030901820,200,from-trunk,20,15,ANSWERED";
        append(&log, &format!("{line},{call},{url}\n"));
    }
    let house = House::new(&with_phones(&log));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let mut stream = client.stream("?after=0", &admin, None).await;
    let mut recordings = Vec::new();
    for _ in 0..3 {
        let (_, told) = stream.next_of("call.recorded").await;
        let (conversation, position) = (told["conversation"].as_str().unwrap(), &told["position"]);
        recordings.push(format!("/v1/conversations/{conversation}/recordings/{position}"));
    }
    store.script(&[Answer::Status(503)]);
    let away = client.get(&recordings[0], &admin).await;
    assert_eq!((away.status, &away.json()["code"]), (502, &json!("recording_not_fetched")));
    let first = client.get(&recordings[0], &admin).await;
    assert_eq!((first.status, first.text().as_str()), (200, "{}"), "{}", first.text());
    let proof = store.got().last().map(|got| got.headers["authorization"].clone()).unwrap();
    assert_eq!(proof, "Basic cG9zdHJvb206Y2FuYXJ5LW9mLXRoZS1zdG9yZQ==");
    // Once it is kept, nobody is asked again.
    let kept = async {
        let mut again = again();
        loop {
            again.tick().await;
            let asked = store.got().len();
            let reply = client.get(&recordings[0], &admin).await;
            assert_eq!((reply.status, reply.text().as_str()), (200, "{}"));
            if store.got().len() == asked {
                return;
            }
        }
    };
    tokio::time::timeout(WAIT, kept).await.unwrap();
    let asked = store.got().len();
    for (path, status, code) in [
        (&recordings[1], 403, "recording_not_allowed"),
        (&recordings[2], 404, "recording_not_found"),
    ] {
        let reply = client.get(path, &admin).await;
        assert_eq!((reply.status, &reply.json()["code"]), (status, &json!(code)));
    }
    assert_eq!(store.got().len(), asked);
    let ada = house.token("agent", Some("ada")).await;
    assert_eq!(client.get(&recordings[0], &ada).await.status, 200);
    server.stop().await;
    house.verify().await;
}

/// A moment so many seconds ago, without a part of a second.
fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(SystemClock.now().seconds() - seconds)
}

/// Events of channels as they are posted one by one: a call that rings a telephone and is answered,
/// or not, a minute ago.
fn legs(call: u32, answered: bool) -> Vec<Value> {
    let begins = ago(60).seconds();
    let event = |kind: &str, second: u32, leg: u32, number: &str| {
        json!({
            "EventName": kind, "EventTime": (begins + i64::from(second)).to_string(),
            "CallerIDnum": number, "Exten": if leg == 1 { "200" } else { "" },
            "Context": "from-trunk", "Channel": format!("PJSIP/{leg}-0000"),
            "UniqueID": format!("{call}.{leg}"), "LinkedID": format!("{call}.1"),
        })
    };
    let caller = format!("03090182{call}");
    let mut told = vec![event("CHAN_START", 0, 1, &caller), event("CHAN_START", 1, 2, "201")];
    if answered {
        told.push(event("ANSWER", 5, 2, "201"));
        told.push(event("BRIDGE_ENTER", 5, 2, "201"));
        told.push(event("BRIDGE_ENTER", 5, 1, &caller));
    }
    told.push(event("CHAN_END", 30, 2, "201"));
    told.push(event("CHAN_END", 30, 1, &caller));
    told.push(event("LINKEDID_END", 30, 1, &caller));
    told
}

/// Legs of two calls, posted by themselves, doubled and against their order.
#[tokio::test]
async fn legs_that_are_posted_one_by_one_become_calls() {
    let log = tempfile::tempdir().unwrap();
    let house = House::new(&with_phones(&log.path().join("Master.csv")));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let path = format!("/v1/channels/legs/events?token={WORD}");
    let (mut told, missed) = (legs(1, true), legs(2, false));
    told.reverse();
    for leg in told.iter().chain(&missed).chain(&missed) {
        let answer = client.send("POST", &path, &headers, leg.to_string().as_bytes()).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    let waiting = async {
        let mut again = again();
        loop {
            again.tick().await;
            let found = client.get_json("/v1/conversations?limit=50", &admin).await.json();
            let items = found["items"].as_array().unwrap().clone();
            if items.iter().any(|item| item["status"] == "open") && items.len() > 1 {
                return items;
            }
        }
    };
    let found = tokio::time::timeout(WAIT, waiting).await.unwrap();
    let shown = |status: &str| {
        let mut those = found.iter().filter(|item| item["status"] == status);
        let subject = those.next().unwrap()["subject"].as_str().unwrap().to_owned();
        (subject, those.count())
    };
    assert_eq!(shown("open"), ("Missed call from +4930901822".to_owned(), 0));
    // Its end was told first, so it waited until its answer was.
    assert_eq!(shown("resolved"), ("Missed call from +4930901821".to_owned(), 0));
    server.stop().await;
    house.verify().await;
}

/// A call of whoever has a chat open, from a log of which a line is damaged.
#[tokio::test]
async fn posted_log_goes_where_a_rule_says_and_its_damaged_line_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let rule = r#"
[[rules]]
when = "message.kind == 'call' && message.attributes.disposition == 'answered'"
attach = true

[[channels]]
id = "posted"
kind = "phone"
dialect = "asterisk-cdr"
secret = "a-word-of-the-tests"
region = "DE"
"#;
    let phones = with_phones(&folder.path().join("Master.csv"));
    let house = House::new(&format!("{phones}{rule}"));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let mut stream = client.stream("?after=0", &admin, None).await;
    let chat =
        json!({ "id": "m1", "thread": "t1", "from": { "phone": "+4930901000" }, "text": "Hello" });
    assert_eq!(client.event(&chat).await.status, 202);
    let (_, opened) = stream.next_of("conversation.opened").await;
    let log = format!("{}damaged\n", line(0, "ANSWERED"));
    let path = format!("/v1/channels/posted/events?token={WORD}");
    assert_eq!(client.send("POST", &path, &[], log.as_bytes()).await.status, 202);
    let (_, told) = stream.next_of("call.recorded").await;
    assert_eq!(told["conversation"], opened["conversation"], "{told:#}");
    let (_, parked) = stream.next_of("input.parked").await;
    assert_eq!(parked["details"]["code"], "log_records_unreadable", "{parked:#}");
    let all = client.get_json("/v1/conversations?view=all", &admin).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    server.stop().await;
    house.verify().await;
}

/// A call that was over then, as Asterisk writes it: from `number`, to the extension 200.
fn past(call: u32, number: &str, how: &str, over: Timestamp) -> String {
    let stamp =
        |at: Timestamp| at.to_string().replace('T', " ").split('.').next().unwrap().to_owned();
    let (start, end) = (stamp(over.plus_millis(-20_000)), stamp(over));
    let answer = if how == "ANSWERED" { start.as_str() } else { "" };
    format!(
        "\"\",\"{number}\",\"200\",\"from-trunk\",\"\",\"PJSIP/trunk-1\",\"PJSIP/200-1\",\"Dial\",\"\",\
         \"{start}\",\"{answer}\",\"{end}\",20,20,\"{how}\",\"DOCUMENTATION\",\"past.{call}\",\"\"\n"
    )
}

/// The log of a telephone system that has been there for long, and calls that are heard of late.
#[tokio::test]
async fn calls_count_in_the_order_in_which_they_happened() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("Master.csv");
    let (before, missed) = (ago(3_600), ago(120));
    append(&log, &past(1, "030901000", "NO ANSWER", before));
    let house = House::new(&with_phones(&log).replace("start = \"all\"\n", ""));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let mut stream = client.stream("?after=0", &admin, None).await;
    stream.next_of("cursor.moved").await;

    // Whoever called before the log was followed is nobody who waits.
    append(&log, &past(2, "030901820", "NO ANSWER", missed));
    let (_, told) = stream.next_of("call.recorded").await;
    assert_eq!(
        (&told["call"]["call_id"], &told["details"]["waits"]),
        (&json!("past.2"), &json!(true))
    );
    let path = format!("/v1/conversations/{}", told["conversation"].as_str().unwrap());
    let shown = client.get(&path, &admin).await.json();
    assert_eq!(shown["waiting_since"], json!(missed), "{shown:#}");
    for (call, how, over, status) in [
        // It was answered before they called again.
        (3, "ANSWERED", ago(600), "open"),
        (4, "ANSWERED", ago(60), "resolved"),
        // And was missed before it was answered.
        (5, "NO ANSWER", ago(90), "resolved"),
        (6, "BUSY", ago(1), "open"),
    ] {
        append(&log, &past(call, "030901820", how, over));
        let (_, told) = stream.next_of("call.recorded").await;
        assert_eq!(told["call"]["call_id"], format!("past.{call}"));
        let shown = client.get(&path, &admin).await.json();
        assert_eq!(shown["status"], status, "{call} {shown:#}");
    }
    // What is fetched again waits since then.
    let since = before.to_string();
    house.ok(&["backfill", "pbx", "--since", since.get(..10).unwrap(), "--json"]).await;
    let (_, told) = stream.next_of("call.recorded").await;
    assert_eq!(told["call"]["call_id"], "past.1");
    let path = format!("/v1/conversations/{}", told["conversation"].as_str().unwrap());
    let shown = client.get(&path, &admin).await.json();
    assert_eq!((&shown["waiting_since"], &shown["status"]), (&json!(before), &json!("open")));
    server.stop().await;
    house.verify().await;
}

/// What the configuration names of this machine.
#[tokio::test]
async fn missing_folder_is_told_by_check_and_missing_log_by_doctor() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let house = House::new(&with_phones(&gone.join("Master.csv")));
    let said = house.ok(&["check"]).await;
    let named = format!("there is no folder {}", gone.display());
    assert!(said.contains("note: ") && said.contains(&named), "{said}");
    let noted: Value = serde_json::from_str(&house.ok(&["check", "--json"]).await).unwrap();
    let notes = noted["notes"].as_array().unwrap();
    assert!(
        notes.iter().any(|note| note["message"] == named && note["severity"] == "note"),
        "{noted}"
    );
    let examined = house.run(&["doctor", "--json"]).await;
    let told: Value = serde_json::from_slice(&examined.stdout).unwrap();
    let of_pbx =
        told["checks"].as_array().unwrap().iter().find(|line| line["part"] == "channel pbx");
    assert_eq!(of_pbx.unwrap()["code"], "log_not_found", "{told:#}");
    fs::create_dir(&gone).unwrap();
    fs::write(gone.join("Master.csv"), "").unwrap();
    assert!(!house.ok(&["check"]).await.contains("no folder"));
    assert!(house.ok(&["doctor"]).await.contains("Master.csv can be read, 0 bytes"));
}

/// The missed call of the day that the demo plays, as the records show it afterwards.
#[tokio::test]
async fn demo_takes_a_missed_call_from_the_queue_and_closes_it_by_a_logged_call_back() {
    let log = tempfile::tempdir().unwrap();
    let phones = with_phones(&log.path().join("Master.csv"));
    let house = House::new(&phones);
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    // The demo goes to where the configuration says that the server listens.
    let listens = server.address.trim_start_matches("http://");
    let config = format!("[server]\nlisten = \"{listens}\"\n{phones}");
    let demo = house.path().join("demo.toml");
    fs::write(&demo, config).unwrap();
    let said = house.ok_with(&demo, 3 * WAIT, &["demo", "--json"]).await;
    let played: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(played["totals"]["unaccounted"], 0);
    let mut day = played["day"].as_array().unwrap().iter();
    let missed = day.find(|line| line["said"] == "(a missed call)").unwrap();
    assert_eq!((&missed["queue"], &missed["answer"]), (&json!("billing"), &json!("called back")));
    assert_eq!(missed["agent"], "bob");

    let done = client.get_json("/v1/conversations?view=resolved&channel=line", &admin).await.json();
    let done = &done["items"][0];
    assert_eq!(done["status"], "resolved");
    let path = format!("/v1/conversations/{}/timeline", done["id"].as_str().unwrap());
    let timeline = client.get_json(&path, &admin).await.json();
    let items = timeline["items"].as_array().unwrap();
    let at = |found: &dyn Fn(&Value) -> bool| {
        items.iter().position(found).unwrap_or_else(|| panic!("{timeline:#}"))
    };
    let waits = at(&|item| item["details"]["waits"] == true);
    let taken = at(&|item| item["type"] == "conversation.assigned");
    let back = at(&|item| item["call"]["direction"] == "out" && item["by"]["agent"] == "bob");
    let closed = at(&|item| item["type"] == "conversation.resolved");
    assert!(waits < taken && taken < back && back < closed, "{timeline:#}");
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
