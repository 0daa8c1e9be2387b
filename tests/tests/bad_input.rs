//! What strangers, broken programs and mistaken agents send: each gets the documented status and
//! code, nothing of it is stored, and the server goes on (P1, P9, P12).
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

use postroom_model::{Clock as _, SystemClock, Timestamp};
use postroom_tests::process::{Client, House, Reply, SECRET, again, config, sign};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

const EVENTS: &str = "/v1/channels/site/events";
const OTHER_SECRET: &str = "whsec_YW5vdGhlciBzZWNyZXQgdGhhdCBub2JvZHkgdXNlcyE=";
/// What the server of these tests takes; small, so that too much is soon sent.
const BODY_BYTES_MAX: usize = 100_000;

/// One post to the door of a channel: a good one, until something about it is changed.
#[derive(Debug, Clone)]
struct Post {
    what: &'static str,
    wanted: (u16, &'static str),
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn signed(
    what: &'static str,
    wanted: (u16, &'static str),
    body: impl Into<Vec<u8>>,
    change: impl FnOnce(&mut Post),
) -> Post {
    let body = body.into();
    let mut headers = sign(SECRET, "bad-input", SystemClock.now(), &body);
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    let mut post = Post { what, wanted, method: "POST", path: EVENTS.to_owned(), headers, body };
    change(&mut post);
    post
}

impl Post {
    fn without(&mut self, name: &str) {
        self.headers.retain(|(one, _)| one != name);
    }

    fn with(&mut self, name: &str, value: &str) {
        self.without(name);
        self.also(name, value);
    }

    fn also(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Signs anew, with another secret or at another moment.
    fn signed_as(&mut self, secret: &str, after_s: i64) {
        let at = Timestamp::from_seconds(SystemClock.now().seconds() + after_s);
        for (name, value) in sign(secret, "bad-input", at, &self.body) {
            self.with(&name, &value);
        }
    }
}

fn good() -> Value {
    json!({ "id": "bad", "thread": "bad", "from": { "id": "bad" }, "text": "hello" })
}

/// The good event with some members replaced.
fn with(members: &Value) -> String {
    let mut event = good();
    for (name, value) in members.as_object().expect("members") {
        event[name] = value.clone();
    }
    event.to_string()
}

fn bad_signatures() -> Vec<Post> {
    let body = good().to_string();
    let post = |what, code, change: &dyn Fn(&mut Post)| {
        signed(what, (401, code), body.clone(), |post| change(post))
    };
    vec![
        post("no signature at all", "signature_header_missing", &|post| {
            post.headers.retain(|(name, _)| !name.starts_with("webhook-"));
        }),
        post("no id", "signature_header_missing", &|post| post.without("webhook-id")),
        post("no time", "signature_header_missing", &|post| post.without("webhook-timestamp")),
        post("no signature", "signature_header_missing", &|post| post.without("webhook-signature")),
        post("empty signature", "signature_header_missing", &|post| {
            post.with("webhook-signature", "");
        }),
        post("another secret", "signature_mismatch", &|post| post.signed_as(OTHER_SECRET, 0)),
        post("another body", "signature_mismatch", &|post| post.body.push(b' ')),
        post("another id", "signature_mismatch", &|post| post.with("webhook-id", "other")),
        post("another version", "signature_mismatch", &|post| {
            for (name, value) in &mut post.headers {
                if name == "webhook-signature" {
                    *value = value.replace("v1,", "v2,");
                }
            }
        }),
        post("no Base64", "signature_mismatch", &|post| {
            post.with("webhook-signature", "v1,***");
        }),
        post("ten minutes old", "signature_too_old", &|post| post.signed_as(SECRET, -600)),
        post("ten minutes early", "signature_too_new", &|post| post.signed_as(SECRET, 600)),
        post("a time in words", "signature_header_invalid", &|post| {
            post.with("webhook-timestamp", "yesterday");
        }),
        post("a time beyond all times", "signature_header_invalid", &|post| {
            post.with("webhook-timestamp", "99999999999999999999999");
        }),
        post("letters beyond ASCII", "signature_header_invalid", &|post| {
            post.with("webhook-id", "é");
        }),
        post("two signatures", "signature_header_doubled", &|post| {
            post.also("webhook-signature", "v1,AAAA");
        }),
        post("two times", "signature_header_doubled", &|post| post.also("webhook-timestamp", "1")),
        post("two ids", "signature_header_doubled", &|post| post.also("webhook-id", "second")),
    ]
}

fn bad_bodies() -> Vec<Post> {
    let deep = format!("{{\"attributes\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let large = with(&json!({ "text": "x".repeat(BODY_BYTES_MAX) }));
    let mut rows: Vec<(&str, u16, &str, Vec<u8>)> = vec![
        ("nothing", 422, "body_not_json", vec![]),
        ("words", 422, "body_not_json", b"hello".to_vec()),
        ("cut off", 422, "body_not_json", b"{\"id\": \"bad\", \"te".to_vec()),
        ("two objects", 422, "body_not_json", b"{} {}".to_vec()),
        ("a list", 422, "body_wrong_type", b"[]".to_vec()),
        ("too deep", 422, "body_too_deep", deep.into_bytes()),
        ("not UTF-8", 422, "body_not_utf8", b"{\"text\": \"\xff\xfe\"}".to_vec()),
        ("half a character", 422, "body_not_json", b"{\"text\": \"\\ud83d\"}".to_vec()),
        ("a name twice", 422, "body_field_doubled", b"{\"id\": \"a\", \"id\": \"b\"}".to_vec()),
        ("a number beyond all", 422, "body_not_json", b"{\"id\": 1e999}".to_vec()),
        ("too large", 413, "body_too_large", large.into_bytes()),
    ];
    for (what, code, members) in [
        ("U+0000", "body_nul", json!({ "text": "a\u{0}b" })),
        ("nothing said", "body_empty_message", json!({ "text": "" })),
        ("an unknown member", "body_unknown_field", json!({ "txet": "hello" })),
        ("words in a list", "body_wrong_type", json!({ "text": ["hello"] })),
        ("a thread that is true", "body_wrong_type", json!({ "thread": true })),
        ("a sender in words", "body_wrong_type", json!({ "from": "ada" })),
        ("attachments in an object", "body_wrong_type", json!({ "attachments": {} })),
        ("a day that is none", "body_field_invalid", json!({ "sent_at": "2026-02-30T00:00:00Z" })),
        ("an id without end", "body_field_too_long", json!({ "id": "x".repeat(5_000) })),
    ] {
        rows.push((what, 422, code, with(&members).into_bytes()));
    }
    rows.into_iter()
        .map(|(what, status, code, body)| signed(what, (status, code), body, |_| {}))
        .collect()
}

fn bad_addresses() -> Vec<Post> {
    let body = good().to_string();
    let post = |what, wanted, change: &dyn Fn(&mut Post)| {
        signed(what, wanted, body.clone(), |post| change(post))
    };
    vec![
        post("an unknown channel", (404, "channel_not_found"), &|post| {
            "/v1/channels/sight/events".clone_into(&mut post.path);
        }),
        post("no name of a channel", (404, "channel_not_found"), &|post| {
            "/v1/channels/%00%2e%2e/events".clone_into(&mut post.path);
        }),
        post("an unknown address", (404, "not_found"), &|post| {
            "/v1/channel/site/events".clone_into(&mut post.path);
        }),
        post("another media type", (415, "media_type_not_supported"), &|post| {
            post.with("content-type", "text/plain");
        }),
        post("PUT", (405, "method_not_allowed"), &|post| post.method = "PUT"),
        post("DELETE", (405, "method_not_allowed"), &|post| post.method = "DELETE"),
        post("GET", (405, "method_not_allowed"), &|post| post.method = "GET"),
    ]
}

/// What is wrong with a refusal, if anything is; its `type` must lead to a page.
async fn fault(client: &Client, what: &str, wanted: (u16, &str), reply: &Reply) -> Option<String> {
    let (status, code) = wanted;
    let problem = reply.json();
    let link = problem["type"].as_str().unwrap_or_default();
    let page = link.rsplit('/').next().unwrap_or_default();
    let served = match link.split_once(&client.address) {
        Some((_, path)) => client.get(path, "").await.status,
        None => 0,
    };
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    let request_id = problem["request_id"].as_str().unwrap_or_default();
    let good = reply.status == status
        && reply.code() == code
        && problem["status"] == status
        && reply.header("content-type") == Some("application/problem+json")
        && !request_id.is_empty()
        && reply.header("x-request-id") == Some(request_id)
        && page == code
        && served == 200
        && docs.join(format!("{page}.md")).exists();
    (!good).then(|| {
        format!(
            "{what}: wanted {status} {code}, got {} {} (page: {served})",
            reply.status,
            reply.text()
        )
    })
}

/// Bodies over the limit that say so, that do not, and what is no HTTP at all.
async fn raw_faults(client: &Client) -> Vec<String> {
    let head = format!("POST {EVENTS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n");
    let declared = format!("{head}content-length: 99999999999\r\n\r\n");
    let reply = client.raw(declared.as_bytes()).await;
    let mut faults = Vec::new();
    faults.extend(fault(client, "declared too large", (413, "body_too_large"), &reply).await);
    let mut chunked = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    let piece = format!("{:x}\r\n{}\r\n", 10_000, "x".repeat(10_000));
    for _ in 0..=BODY_BYTES_MAX / 10_000 {
        chunked.extend_from_slice(piece.as_bytes());
    }
    let reply = client.raw(&chunked).await;
    faults
        .extend(fault(client, "too large without a length", (413, "body_too_large"), &reply).await);
    let reply = client.raw(b"this is no HTTP\r\n\r\n").await;
    if !matches!(reply.status, 0 | 400) {
        faults.push(format!("no HTTP: got {}", reply.status));
    }
    // Half a body, and then nobody is there any more.
    let half = format!("{head}content-length: 50\r\n\r\n{{\"id\"");
    let mut stream = tokio::net::TcpStream::connect(&client.address).await.expect("it listens");
    stream.write_all(half.as_bytes()).await.expect("it is written");
    drop(stream);
    faults
}

#[tokio::test]
async fn bad_posts_are_refused_by_their_code_and_nothing_of_them_is_stored() {
    let house = House::new(&format!("body_bytes_max = {BODY_BYTES_MAX}\n{}", config("")));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let message = client.says("good", "good", "before").await;
    client.routed(&message, &admin).await;
    let before = house.verify().await;

    let mut faults = Vec::new();
    for post in [bad_signatures(), bad_bodies(), bad_addresses()].concat() {
        let reply = client.send(post.method, &post.path, &post.headers, &post.body).await;
        faults.extend(fault(&client, post.what, post.wanted, &reply).await);
    }
    faults.extend(raw_faults(&client).await);
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let after = house.verify().await;
    for count in ["inputs", "routed", "duplicate", "parked", "rejected", "in_flight", "events"] {
        assert_eq!(after[count], before[count], "{count}");
    }
    let message = client.says("good", "good-2", "after").await;
    client.routed(&message, &admin).await;
    server.stop().await;
    assert_eq!(house.verify().await["inputs"], before["inputs"].as_u64().unwrap() + 1);
}

/// A request to the API: method, path, token, headers, body.
struct Ask<'a> {
    what: &'static str,
    wanted: (u16, &'static str),
    method: &'static str,
    path: String,
    token: &'a str,
    header: Option<(&'static str, &'static str)>,
    body: &'static str,
}

fn ask<'a>(
    what: &'static str,
    wanted: (u16, &'static str),
    path: impl Into<String>,
    token: &'a str,
) -> Ask<'a> {
    Ask { what, wanted, method: "GET", path: path.into(), token, header: None, body: "" }
}

impl Ask<'_> {
    fn posts(mut self, body: &'static str) -> Self {
        self.method = "POST";
        self.body = body;
        self
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    async fn send(&self, client: &Client) -> Reply {
        let mut headers = Vec::new();
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        if !self.token.is_empty() {
            add("authorization", &format!("Bearer {}", self.token));
        }
        if !self.body.is_empty() && self.header.is_none_or(|(name, _)| name != "content-type") {
            add("content-type", "application/json");
        }
        if let Some((name, value)) = self.header {
            add(name, value);
        }
        client.send(self.method, &self.path, &headers, self.body.as_bytes()).await
    }
}

/// Who asks, and about what.
struct Cast {
    admin: String,
    ada: String,
    integrator: String,
    /// Paths of conversations: Ada's and open, resolved, in a queue that Ada does not serve.
    open: String,
    resolved: String,
    foreign: String,
}

fn bad_changes(cast: &Cast) -> Vec<Ask<'_>> {
    const HELLO: &str = "{\"text\": \"hello\"}";
    let (ada, open) = (cast.ada.as_str(), &cast.open);
    let unknown = "/v1/conversations/01a20192-6914-76ae-b08d-876ea2d91204";
    let reply = |what, wanted, conversation: &str| {
        ask(what, wanted, format!("{conversation}/replies"), ada).posts(HELLO)
    };
    let invalid =
        |what, body| ask(what, (422, "invalid_body"), format!("{open}/replies"), ada).posts(body);
    vec![
        reply("reply to a resolved one", (409, "conversation_resolved"), &cast.resolved),
        reply("reply to a foreign one", (403, "not_in_queue"), &cast.foreign),
        reply("reply to none", (404, "conversation_not_found"), unknown),
        reply("reply to no id", (404, "conversation_not_found"), "/v1/conversations/nonsense"),
        invalid("no words", "{\"text\": \" \"}"),
        invalid("an unknown field", "{\"text\": \"a\", \"txet\": \"b\"}"),
        invalid("words that are a number", "{\"text\": 5}"),
        invalid("a negative version", "{\"text\": \"a\", \"if_version\": -1}"),
        invalid("not JSON", "{\"text\": "),
        invalid("a list", "[]"),
        invalid("no Base64", "{\"attachments\": [{\"name\": \"a\", \"content_base64\": \"***\"}]}"),
        reply("another media type", (415, "media_type"), open).with("content-type", "text/plain"),
        reply("an empty key", (400, "idempotency_key_invalid"), open).with("idempotency-key", ""),
        ask("a version in the way", (409, "conversation_changed"), format!("{open}/replies"), ada)
            .posts("{\"text\": \"a\", \"if_version\": 0}"),
        ask("a version to come", (422, "invalid_version"), format!("{open}/replies"), ada)
            .posts("{\"text\": \"a\", \"if_version\": 1000}"),
        ask("too high", (422, "invalid_body"), format!("{open}/priority"), ada)
            .posts("{\"priority\": 18446744073709551615}"),
        ask("no queue", (422, "queue_not_found"), format!("{open}/transfer"), ada)
            .posts("{\"queue\": \"nowhere\"}"),
        ask("no agent", (422, "agent_not_found"), format!("{open}/assign"), ada)
            .posts("{\"agent\": \"nobody\"}"),
        ask("a claim with words", (422, "invalid_body"), format!("{open}/claim"), ada)
            .posts("{\"force\": true}"),
        ask("a claim of nobody", (403, "agent_required"), format!("{open}/claim"), &cast.admin)
            .posts("{}"),
        ask("an integrator", (403, "forbidden"), format!("{open}/notes"), &cast.integrator)
            .posts(HELLO),
        ask("no token", (401, "unauthenticated"), format!("{open}/replies"), "").posts(HELLO),
        ask("a token of nobody", (401, "token_invalid"), format!("{open}/replies"), "prt_none")
            .posts(HELLO),
    ]
}

fn bad_questions(cast: &Cast) -> Vec<Ask<'_>> {
    let (admin, ada) = (cast.admin.as_str(), cast.ada.as_str());
    let page = |what, path| ask(what, (400, "invalid_query"), path, admin);
    let timeline = format!("{}/timeline", cast.open);
    vec![
        page("an unknown view", "/v1/conversations?view=hers"),
        page("an unknown parameter", "/v1/conversations?veiw=mine"),
        page("no limit", "/v1/conversations?limit=0"),
        page("too high a limit", "/v1/conversations?limit=201"),
        page("a limit in words", "/v1/conversations?limit=many"),
        page("a negative position", "/v1/events?after=-1"),
        page("a position in words", "/v1/events?after=now"),
        page("a place that is none", "/v1/events").with("last-event-id", "nonsense"),
        ask("a foreign cursor", (400, "bad_cursor"), "/v1/conversations?cursor=nonsense", admin),
        ask("a cursor of nowhere", (400, "bad_cursor"), format!("{timeline}?cursor=!"), admin),
        ask("beyond the end", (400, "position_beyond_end"), "/v1/events?after=999999999", admin),
        ask("no contact", (404, "contact_not_found"), "/v1/contacts/nonsense", admin),
        ask("no command", (404, "command_not_found"), "/v1/commands/nonsense", admin),
        ask("nothing parked", (404, "parked_not_found"), "/v1/parked/nonsense", admin),
        ask("an agent at the parked", (403, "forbidden"), "/v1/parked", ada),
        ask("a foreign conversation", (404, "conversation_not_found"), cast.foreign.clone(), ada),
        ask("no token", (401, "unauthenticated"), "/v1/conversations", ""),
        ask("a token of nobody", (401, "token_invalid"), "/v1/events", "prt_nobody"),
        ask("another scheme", (401, "token_invalid"), "/v1/me", "")
            .with("authorization", "Basic YWRhOmFkYQ=="),
    ]
}

#[tokio::test]
async fn bad_requests_to_the_api_are_refused_by_their_code_and_change_nothing() {
    let house = House::new(&config(""));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let mut paths = Vec::new();
    for (thread, text) in [("open", "hello"), ("resolved", "hello"), ("foreign", "refund")] {
        let message = client.says(thread, thread, text).await;
        let conversation = client.routed(&message, &admin).await;
        paths.push(format!("/v1/conversations/{}", conversation["id"].as_str().unwrap()));
    }
    let [open, resolved, foreign] = paths.try_into().expect("three");
    let ada = house.token("agent", Some("ada")).await;
    let integrator = ["token", "create", "--role", "integrator", "--channel", "site"];
    let integrator = house.ok(&integrator).await.trim().to_owned();
    let done = client.post(&format!("{resolved}/resolve"), &ada, &json!({})).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let cast = Cast { admin, ada, integrator, open, resolved, foreign };
    let before = (house.verify().await, conversations(&client, &cast).await);

    let mut faults = Vec::new();
    for ask in bad_changes(&cast).iter().chain(&bad_questions(&cast)) {
        let reply = ask.send(&client).await;
        faults.extend(fault(&client, ask.what, ask.wanted, &reply).await);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let after = (house.verify().await, conversations(&client, &cast).await);
    assert_eq!(after.1, before.1, "no conversation is other than before");
    for count in ["routed", "duplicate", "parked", "in_flight", "events"] {
        assert_eq!(after.0[count], before.0[count], "{count}");
    }
    let count = |report: &Value, name: &str| report[name].as_u64().unwrap();
    let decided = count(&after.0, "inputs") - count(&before.0, "inputs");
    let rejected = count(&after.0, "rejected") - count(&before.0, "rejected");
    assert_eq!(decided, rejected, "what only the router could refuse is counted as refused");
    assert!(rejected >= 2, "a resolved conversation, a version in the way");
    server.stop().await;
    house.verify().await;
}

/// All conversations, read once nothing changes any more.
async fn conversations(client: &Client, cast: &Cast) -> Value {
    let mut again = again();
    loop {
        let ask = || client.get("/v1/conversations?view=all", &cast.admin);
        let first = ask().await.json();
        again.tick().await;
        if ask().await.json() == first {
            return first["items"].clone();
        }
    }
}
