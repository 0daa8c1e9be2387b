//! Mail on the real binary and a real mail server: customer, Postfix, LMTP, agent, SMTP, Postfix, the
//! customer's mailbox, and back.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use postroom_model::SeededRandom;
use postroom_testkit::{Answer, ScriptedDns};
use postroom_tests::mail::{
    Delivered, Postfix, config_with_checks, config_with_mail, free_port, submit,
};
use postroom_tests::process::{Client, House, Server, WAIT, again};
use postroom_tests::street::wanted;
use serde_json::{Value, json};
use tokio::sync::watch;

const SUPPORT: &str = "support@postroom.test";

/// A mail server and a program that know each other.
async fn estate(customers: &[&str]) -> (Postfix, House, Server) {
    let lmtp = free_port().await;
    let postfix = Postfix::start(lmtp, customers).await;
    let house = House::new(&config_with_mail(lmtp, postfix.address));
    let server = house.serve().await;
    (postfix, house, server)
}

fn mail(from: &str, id: &str, more: &str) -> String {
    format!(
        "From: {from}\nTo: {SUPPORT}\nMessage-ID: <{id}>\nSubject: My order\n{more}\nWhere is it? ({id})\n"
    )
}

/// The conversation to which the mail with this id went.
async fn conversation_of(client: &Client, admin: &str, id: &str) -> Value {
    let find = async {
        let mut again = again();
        loop {
            again.tick().await;
            let page = client.get("/v1/conversations?view=all&limit=200", admin).await.json();
            for conversation in page["items"].as_array().into_iter().flatten() {
                let path = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap());
                let timeline =
                    client.get(&format!("{path}/timeline?limit=200"), admin).await.json();
                let items = timeline["items"].as_array().cloned().unwrap_or_default();
                if items.iter().any(|item| item["message"]["external_id"] == id) {
                    return client.get(&path, admin).await.json();
                }
            }
        }
    };
    tokio::time::timeout(WAIT, find).await.unwrap_or_else(|_| panic!("{id} is nowhere"))
}

async fn reply(client: &Client, agent: &str, conversation: &Value, body: &Value) -> String {
    let path = format!("/v1/conversations/{}/replies", conversation["id"].as_str().unwrap());
    let taken = client.post(&path, agent, body).await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    taken.json()["id"].as_str().unwrap().to_owned()
}

/// Where an answer stands.
async fn delivery(client: &Client, admin: &str, conversation: &Value, state: &str) -> Value {
    let id = conversation["id"].as_str().unwrap();
    let path = format!("/v1/conversations/{id}/timeline?limit=200");
    let stands = |page: &Value| {
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|item| item["delivery"]["state"] == state)
    };
    let page = client.until(&path, admin, |page| stands(page).is_some()).await;
    stands(&page).unwrap()["delivery"].clone()
}

#[tokio::test]
async fn customer_and_agent_write_to_each_other_through_a_mail_server() {
    let (postfix, house, server) = estate(&["ada", "eve"]).await;
    let client = server.client();
    let (admin, bob) = (house.token("admin", None).await, house.token("agent", Some("bob")).await);
    let ada = "Ada <ada@customer.test>";
    submit(postfix.address, "ada@customer.test", SUPPORT, &mail(ada, "1@customer.test", "")).await;
    let opened = conversation_of(&client, &admin, "1@customer.test").await;
    assert_eq!(opened["channel"], "mail");
    assert_eq!(opened["subject"], "My order");
    let said = house.ok(&["doctor", "--json"]).await;
    for part in ["channel mail listen", "channel mail smtp"] {
        assert!(said.contains(part), "{said}");
    }

    let words =
        json!({ "text": "On its way.", "html": "<p>On its way.</p>", "cc": ["eve@customer.test"] });
    reply(&client, &bob, &opened, &words).await;
    let answer = postfix.mailbox("ada").wait_for(1).await.remove(0);
    assert_eq!(answer.bracketed("In-Reply-To"), "1@customer.test", "{}", answer.text);
    assert_eq!(answer.field("Subject").unwrap(), "Re: My order");
    assert_eq!(answer.bracketed("From"), SUPPORT);
    delivery(&client, &admin, &opened, "sent").await;
    postfix.mailbox("eve").wait_for(1).await;

    // By the reply address alone, by what it answers alone, and by what an earlier mail of hers was.
    let address = answer.bracketed("Reply-To");
    assert!(address.starts_with("support+") && address.ends_with("@postroom.test"), "{address}");
    let answered = format!("In-Reply-To: <{}>\n", answer.bracketed("Message-ID"));
    let earlier = "References: <1@customer.test>\n".to_owned();
    let own = [
        ("2@customer.test", address.as_str(), String::new()),
        ("3@customer.test", SUPPORT, answered.clone()),
        ("4@customer.test", SUPPORT, earlier.clone()),
    ];
    for (id, to, more) in own {
        submit(postfix.address, "ada@customer.test", to, &mail(ada, id, &more)).await;
        let found = conversation_of(&client, &admin, id).await;
        assert_eq!(found["id"], opened["id"], "{id}");
    }
    // Whoever does not take part is heard, and not taken for her.
    let eve = "Eve <eve@customer.test>";
    let mut aside = None;
    for (id, to, more) in [
        ("5@eve", address.as_str(), String::new()),
        ("6@eve", SUPPORT, answered),
        ("7@eve", SUPPORT, earlier),
    ] {
        submit(postfix.address, "eve@customer.test", to, &mail(eve, id, &more)).await;
        let found = conversation_of(&client, &admin, id).await;
        // All of it in one place.
        assert_eq!(aside.get_or_insert(found["id"].clone()), &found["id"], "{id}");
        assert_ne!(found["id"], opened["id"], "{id}");
        assert_eq!(found["linked"], opened["id"], "{id}");
        assert_ne!(found["contact"], opened["contact"]);
    }
    // A subject leads nowhere.
    submit(postfix.address, "ada@customer.test", SUPPORT, &mail(ada, "8@customer.test", "")).await;
    let other = conversation_of(&client, &admin, "8@customer.test").await;
    assert_ne!(other["id"], opened["id"]);
    assert_eq!(other["linked"], Value::Null);
    assert_eq!(other["contact"], opened["contact"]);
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn mail_that_was_answered_before_it_came_joins_the_answer() {
    let (postfix, house, server) = estate(&["ada", "eve"]).await;
    let (client, admin) = (server.client(), house.token("admin", None).await);
    let (ada, eve) = ("Ada <ada@customer.test>", "Eve <eve@customer.test>");
    let mut places = Vec::new();
    // Written as 1, 2, 3, each of which answers the one before; what Eve sends as 2 is no part of it.
    for (from, id, more) in [
        (
            ada,
            "3@customer.test",
            "In-Reply-To: <2@customer.test>\nReferences: <1@customer.test> <2@customer.test>\n",
        ),
        (eve, "2@customer.test", ""),
        (ada, "1@customer.test", ""),
        (ada, "4@customer.test", "In-Reply-To: <1@customer.test>\n"),
    ] {
        let sender = if from == ada { "ada@customer.test" } else { "eve@customer.test" };
        submit(postfix.address, sender, SUPPORT, &mail(from, id, more)).await;
        places.push(conversation_of(&client, &admin, id).await);
    }
    let [third, of_eve, first, fourth] = places.as_slice() else { panic!("{places:?}") };
    assert_eq!([&first["id"], &fourth["id"]], [&third["id"]; 2]);
    assert_ne!(of_eve["id"], third["id"]);
    assert_eq!(of_eve["linked"], Value::Null);
    server.stop().await;
    house.verify().await;
}

/// Whoever sends first under the id of a mail that is yet to come does not make that mail disappear.
#[tokio::test]
async fn mail_under_the_id_of_another_is_set_aside_and_taken_when_it_is_retried() {
    let (postfix, house, server) = estate(&["ada", "eve"]).await;
    let (client, admin) = (server.client(), house.token("admin", None).await);
    let id = "1@customer.test";
    let eve = mail("Eve <eve@customer.test>", id, "\nNothing of importance.\n");
    let ada = mail("Ada <ada@customer.test>", id, "\nMy house is on fire.\n");
    submit(postfix.address, "eve@customer.test", SUPPORT, &eve).await;
    let first = conversation_of(&client, &admin, id).await;
    // Twice, as a server does that did not hear our answer; and the one that came first once more.
    for (sender, mail) in [("ada", &ada), ("ada", &ada), ("eve", &eve)] {
        submit(postfix.address, &format!("{sender}@customer.test"), SUPPORT, mail).await;
    }
    let parked = client
        .until("/v1/parked", &admin, |page| {
            page["items"].as_array().is_some_and(|all| !all.is_empty())
        })
        .await;
    assert_eq!(parked["items"][0]["code"], "message_id_reused", "{parked:#}");
    let number = parked["items"][0]["id"].as_str().unwrap();
    house.ok(&["parked", "retry", number]).await;
    let path = "/v1/conversations?view=all&limit=200";
    let two = |page: &Value| page["items"].as_array().is_some_and(|all| all.len() == 2);
    let all = client.until(path, &admin, two).await;
    let mut items = all["items"].as_array().unwrap().iter();
    let own = items.find(|row| row["id"] != first["id"]).unwrap();
    assert_ne!(own["contact"], first["contact"]);
    let left = house.ok(&["parked", "list", "--json"]).await;
    let left: Value = serde_json::from_str(&left).unwrap();
    assert_eq!(left["items"], json!([]), "{left:#}");
    server.stop().await;
    house.verify().await;
}

#[tokio::test]
async fn answer_that_comes_back_is_shown_as_failed_and_the_conversation_waits_again() {
    let (postfix, house, server) = estate(&["ada"]).await;
    let client = server.client();
    let (admin, bob) = (house.token("admin", None).await, house.token("agent", Some("bob")).await);
    let from = "Gus <gus@gone.test>";
    submit(postfix.address, "ada@customer.test", SUPPORT, &mail(from, "1@gone.test", "")).await;
    let opened = conversation_of(&client, &admin, "1@gone.test").await;
    reply(&client, &bob, &opened, &json!({ "text": "On its way." })).await;
    let failed = delivery(&client, &admin, &opened, "failed").await;
    assert_eq!(failed["code"], "5.1.1");
    let path = format!("/v1/conversations/{}", opened["id"].as_str().unwrap());
    let back = client.until(&path, &admin, |row| row["status"] == "open").await;
    assert_eq!(back["contact"], opened["contact"]);
    let timeline = client.get(&format!("{path}/timeline?limit=200"), &admin).await.json();
    let items = timeline["items"].as_array().unwrap();
    let bounce = items.iter().find(|item| item["message"]["automation"]["class"] == "bounce");
    assert_eq!(bounce.unwrap()["message"]["bounces"][0]["hard"], true);
    assert_eq!(bounce.unwrap()["details"]["contact"], Value::Null);
    // Nothing more goes there, until the customer is heard of again.
    let replies = format!("{path}/replies");
    let refused = client.post(&replies, &bob, &json!({ "text": "Once more." })).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (409, "address_dead"),
        "{}",
        refused.text()
    );
    submit(
        postfix.address,
        "ada@customer.test",
        SUPPORT,
        &mail(from, "2@gone.test", "References: <1@gone.test>\n"),
    )
    .await;
    assert_eq!(conversation_of(&client, &admin, "2@gone.test").await["id"], opened["id"]);
    reply(&client, &bob, &opened, &json!({ "text": "Once more." })).await;
    server.stop().await;
    house.verify().await;
}

/// What a domain says of who may write in its name decides whether a sender is let in.
#[tokio::test]
async fn sender_that_its_domain_disowns_is_heard_and_not_let_in() {
    let dns = ScriptedDns::start(&[
        ("customer.test", Answer::Txt("v=spf1 ip4:127.0.0.1 -all")),
        ("_dmarc.customer.test", Answer::Txt("v=DMARC1; p=reject")),
        ("evil.test", Answer::Txt("v=spf1 ip4:127.0.0.1 -all")),
    ])
    .await;
    let lmtp = free_port().await;
    let postfix = Postfix::start(lmtp, &["ada"]).await;
    let house = House::new(&config_with_checks(lmtp, postfix.address, dns.address));
    let server = house.serve().await;
    let (client, admin) = (server.client(), house.token("admin", None).await);
    let said = house.ok(&["doctor", "--json"]).await;
    assert!(said.contains("channel mail dns"), "{said}");
    let ada = "Ada <ada@customer.test>";
    let answers = "In-Reply-To: <1@customer.test>\n";
    for (id, sender, more) in [
        ("1@customer.test", "ada@customer.test", ""),
        ("2@customer.test", "ada@customer.test", answers),
        // In her name, from another host's sender.
        ("3@evil.test", "eve@evil.test", answers),
    ] {
        submit(postfix.address, sender, SUPPORT, &mail(ada, id, more)).await;
        // Postfix hands several mails over at once, in any order.
        conversation_of(&client, &admin, id).await;
    }
    let opened = conversation_of(&client, &admin, "1@customer.test").await;
    assert_eq!(conversation_of(&client, &admin, "2@customer.test").await["id"], opened["id"]);
    let forged = conversation_of(&client, &admin, "3@evil.test").await;
    assert_ne!(forged["id"], opened["id"]);
    assert_eq!(forged["linked"], opened["id"]);
    for (row, verdict) in [(&opened, "pass"), (&forged, "fail")] {
        let path = format!("/v1/conversations/{}/timeline?limit=200", row["id"].as_str().unwrap());
        let timeline = client.get(&path, &admin).await.json();
        let items = timeline["items"].as_array().unwrap();
        let message = items.iter().find(|item| item["type"] == "message.received").unwrap();
        assert_eq!(message["message"]["attributes"]["authentication"], verdict, "{message:#}");
    }
    server.stop().await;
    house.verify().await;
}

/// The mail of the day that the demo plays: in at the listener, out to the demo, and back.
#[tokio::test]
async fn demo_writes_a_mail_sees_its_answer_arrive_and_answers_that() {
    let (lmtp, out) =
        (free_port().await, SocketAddr::from((Ipv4Addr::LOCALHOST, free_port().await)));
    let config = config_with_mail(lmtp, out);
    let house = House::new(&config);
    let server = house.serve().await;
    let listens = server.address.trim_start_matches("http://");
    let demo = house.path().join("demo.toml");
    fs::write(&demo, format!("[server]\nlisten = \"{listens}\"\n{config}")).unwrap();
    let said = house.ok_with(&demo, 3 * WAIT, &["demo", "--json"]).await;
    let played: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(played["totals"]["unaccounted"], 0);
    let day = played["day"].as_array().unwrap();
    let of_petra: Vec<&Value> =
        day.iter().filter(|line| line["customer"] == "Petra Novák").collect();
    let answers: Vec<&Value> = of_petra.iter().map(|line| &line["answer"]).collect();
    assert_eq!(answers, [&json!("arrived"), &Value::Null], "{day:#?}");
    server.stop().await;
    house.verify().await;
}

const CUSTOMERS: [&str; 3] = ["ada", "ben", "cem"];
/// Mails of each customer, each but the first an answer to an answer.
const TURNS: usize = 4;

/// What one customer wrote.
type Written = BTreeMap<String, BTreeSet<String>>;

/// Writes once, and then answers each answer until it is enough.
async fn writes(postfix: &Postfix, name: &str, written: &watch::Sender<Written>) {
    let (from, mailbox) = (format!("{name}@customer.test"), postfix.mailbox(name));
    let mut answered: BTreeSet<Delivered> = BTreeSet::new();
    let mut again = again();
    for turn in 0..TURNS {
        let id = format!("{turn}.{name}@customer.test");
        let (to, more) = if turn == 0 {
            (SUPPORT.to_owned(), String::new())
        } else {
            let answer = loop {
                again.tick().await;
                let new = mailbox.mails().into_iter().find(|mail| !answered.contains(mail));
                if let Some(new) = new {
                    break new;
                }
            };
            answered.insert(answer.clone());
            let more = format!("In-Reply-To: <{}>\n", answer.bracketed("Message-ID"));
            (answer.bracketed("Reply-To"), more)
        };
        submit(postfix.address, &from, &to, &mail(&from, &id, &more)).await;
        written.send_modify(|all| {
            all.entry(name.to_owned()).or_default().insert(id);
        });
    }
    // The last one is answered, too.
    mailbox.wait_for(TURNS).await;
}

/// Answers whoever waits, each time once.
async fn answers(door: watch::Receiver<String>, token: String) {
    let mut again = again();
    loop {
        again.tick().await;
        let client = Client::new(&door.borrow().clone());
        let page = client.get("/v1/conversations?view=all&limit=200", &token).await;
        for row in page.json()["items"].as_array().into_iter().flatten() {
            if row["waiting_since"].is_null() {
                continue;
            }
            let (id, version) =
                (row["id"].as_str().unwrap(), row["message_version"].as_u64().unwrap_or(0));
            let (path, key) =
                (format!("/v1/conversations/{id}/replies"), format!("{id}-{version}"));
            let body = json!({ "text": format!("Answer {key}") });
            // Whatever is answered, or not: it is asked again, with the same key.
            client.change("POST", &path, &token, &body, Some(&key)).await;
        }
    }
}

/// How often each mail, and each answer in each state, stands in the timelines.
async fn told(client: &Client, admin: &str) -> (BTreeMap<String, usize>, BTreeMap<String, String>) {
    let (mut mails, mut replies) = (BTreeMap::new(), BTreeMap::new());
    let page = client.get("/v1/conversations?view=all&limit=200", admin).await.json();
    for row in page["items"].as_array().into_iter().flatten() {
        let path = format!("/v1/conversations/{}/timeline?limit=200", row["id"].as_str().unwrap());
        let timeline = client.get(&path, admin).await.json();
        for item in timeline["items"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            match item["type"].as_str() {
                Some("message.received") => {
                    *mails.entry(text(&item["message"]["external_id"])).or_default() += 1;
                }
                Some("reply.queued") => {
                    replies.insert(
                        text(&item["id"]).replace('-', ""),
                        text(&item["delivery"]["state"]),
                    );
                }
                _ => {}
            }
        }
    }
    (mails, replies)
}

/// P1, P3 and P7 of mail, as its people see them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_moment_of_the_round_trip_loses_and_doubles_nothing() {
    let (kills, seed) = (wanted("POSTROOM_KILLS", 8), wanted("POSTROOM_SEED", 1));
    println!("POSTROOM_SEED={seed} POSTROOM_KILLS={kills}");
    let random = SeededRandom::new(seed);
    let (postfix, house, mut server) = estate(&CUSTOMERS).await;
    let admin = house.token("admin", None).await;
    let bob = house.token("agent", Some("bob")).await;
    let (written, _) = watch::channel(Written::new());
    let (doors, door) = watch::channel(server.address.clone());
    let agent = tokio_util::task::TaskTracker::new().spawn(answers(door, bob));
    let writing = async {
        let [ada, ben, cem] = CUSTOMERS.map(|name| writes(&postfix, name, &written));
        tokio::join!(ada, ben, cem);
    };
    let killing = async {
        for _ in 0..kills {
            let moment = Duration::from_millis(100 + random.below(1_400));
            // The moment of the kill is the one thing here that is a matter of time.
            drop(tokio::time::timeout(moment, std::future::pending::<()>()).await);
            server.kill().await;
            server = house.serve().await;
            doors.send_replace(server.address.clone());
        }
        server
    };
    // An answer that may or may not have left is not sent again, and its customer waits for it.
    let (rounds, server) = tokio::join!(tokio::time::timeout(WAIT, writing), killing);
    println!("every customer was answered: {}", rounds.is_ok());
    let client = server.client();
    let all: BTreeSet<String> = written.borrow().values().flatten().cloned().collect();
    let rest = async {
        let mut again = again();
        loop {
            again.tick().await;
            let (mails, replies) = told(&client, &admin).await;
            let ends = ["sent", "uncertain", "failed"];
            let rests = replies.values().all(|state| ends.contains(&state.as_str()));
            if rests && postfix.is_idle() && all.iter().all(|id| mails.contains_key(id)) {
                return (mails, replies);
            }
        }
    };
    let (mails, replies) = tokio::time::timeout(2 * WAIT, rest).await.unwrap();
    agent.abort();
    assert!(mails.values().all(|count| *count == 1), "each mail once: {mails:#?}");
    assert_eq!(mails.keys().cloned().collect::<BTreeSet<_>>(), all);
    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    for name in CUSTOMERS {
        for mail in postfix.mailbox(name).mails() {
            *copies.entry(mail.delivery()).or_default() += 1;
        }
    }
    for (id, state) in &replies {
        let count = copies.get(id).copied().unwrap_or(0);
        let good = if state == "sent" { count == 1 } else { count <= 1 };
        assert!(good, "{id} is {state} and arrived {count} times");
    }
    assert!(copies.keys().all(|id| replies.contains_key(id)), "nothing arrived that nobody wrote");
    let uncertain = replies.values().filter(|state| *state == "uncertain").count();
    println!(
        "{kills} kills, {} mails, {} answers ({uncertain} uncertain)",
        all.len(),
        replies.len()
    );
    assert!(all.len() + replies.len() > 2 * CUSTOMERS.len(), "there was a round trip");
    server.stop().await;
    let report = house.verify().await;
    assert_eq!(report["in_flight"], 0, "{report:#}");
}
