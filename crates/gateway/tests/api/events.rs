//! The event stream: no gap, no repeat, nothing that is not one's own, and on time.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use http_body_util::BodyExt as _;
use postroom_access::{AccessStore as _, hash_of};
use postroom_gateway::GatewayLimits;
use serde_json::{Value, json};

use crate::house::{Answer, House};

/// Reads events from an open stream.
pub(crate) struct Reader {
    body: Body,
    text: String,
}

#[derive(Debug)]
pub(crate) struct Told {
    id: u64,
    event: String,
    data: Value,
}

impl Reader {
    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { body: response.into_body(), text: String::new() }
    }

    async fn open(house: &House, token: &str, path: &str, last: Option<u64>) -> Self {
        let mut request = Request::get(path).header("authorization", format!("Bearer {token}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        Self::of(house.send(request.body(Body::empty()).unwrap()).await)
    }

    /// The next block that is not a comment; none if the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let lines: Vec<(&str, &str)> =
                    block.lines().filter_map(|line| line.split_once(": ")).collect();
                let field =
                    |name: &str| lines.iter().find(|line| line.0 == name).map(|line| line.1);
                let told = field("id").map(|id| Told {
                    id: id.parse().unwrap(),
                    event: field("event").unwrap().to_owned(),
                    data: serde_json::from_str(field("data").unwrap()).unwrap(),
                });
                self.text = rest.to_string();
                match told {
                    Some(told) => return Some(told),
                    None => continue,
                }
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame());
            let data = frame.await.expect("something within 10 s")?.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    async fn take(&mut self, count: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(self.next().await.expect("more events").id);
        }
        ids
    }
}

#[tokio::test]
async fn stream_catches_up_and_goes_on_without_gap_or_repeat() {
    // So few are held in memory that catching up has to read the ledger.
    let limits = GatewayLimits { feed_envelopes_max: 2, ..GatewayLimits::default() };
    let house = House::with(limits, None).await;
    for number in 0..5 {
        house.conversation("site", &number.to_string(), "support").await;
    }
    let mut from_start = Reader::open(&house, "root", "/v1/events?after=0", None).await;
    let mut resumed = Reader::open(&house, "root", "/v1/events?after=0", Some(3)).await;
    let mut from_now = Reader::open(&house, "root", "/v1/events", None).await;
    assert_eq!(from_start.take(10).await, (1..=10).collect::<Vec<_>>());
    for number in 5..8 {
        house.conversation("site", &number.to_string(), "support").await;
    }
    assert_eq!(from_start.take(6).await, (11..=16).collect::<Vec<_>>());
    assert_eq!(resumed.take(13).await, (4..=16).collect::<Vec<_>>());
    assert_eq!(from_now.take(6).await, (11..=16).collect::<Vec<_>>());
}

#[tokio::test]
async fn event_has_the_shape_of_a_timeline_item() {
    let house = House::open().await;
    let id = house.conversation("site", "1", "support").await;
    let mut reader = Reader::open(&house, "ada", "/v1/events?after=1", None).await;
    let told = reader.next().await.unwrap();
    assert_eq!((told.id, told.event.as_str()), (2, "message.received"));
    let timeline = house.get("ada", &format!("/v1/conversations/{id}/timeline")).await.json();
    assert_eq!(told.data, timeline["items"][1]);
}

#[tokio::test]
async fn everybody_is_told_only_what_is_within_their_reach() {
    let house = House::open().await;
    let support = house.conversation("site", "1", "support").await;
    let billing = house.conversation("other", "2", "billing").await;
    house.ask("ada", "PUT", "/v1/me/status", Some(json!({ "status": "away" }))).await;
    let moved = house.conversation("site", "3", "support").await;
    let path = format!("/v1/conversations/{moved}/transfer");
    assert_eq!(house.post("ada", &path, json!({ "queue": "billing" })).await.status, 200);
    for (token, sees) in [
        // The last one is the move itself, which who moved it is told although it is now elsewhere.
        ("ada", vec![1, 2, 5, 8]),
        ("bob", vec![3, 4, 6, 7, 8]),
        ("sue", (1..=8).collect()),
        ("root", (1..=8).collect()),
        ("shop", vec![3, 4]),
    ] {
        let mut reader = Reader::open(&house, token, "/v1/events?after=0", None).await;
        assert_eq!(reader.take(sees.len()).await, sees, "{token}");
        let request = Request::get("/v1/events?after=0")
            .header("authorization", format!("Bearer {token}"))
            .header("accept", "application/json")
            .body(Body::empty())
            .unwrap();
        let page = Answer::of(house.send(request).await).await.json();
        let items = page["items"].as_array().unwrap();
        let told: Vec<u64> = items.iter().map(|item| item["position"].as_u64().unwrap()).collect();
        assert_eq!(told, sees, "{token}");
        let known = BTreeSet::from([support.as_str(), billing.as_str(), moved.as_str()]);
        assert!(
            items
                .iter()
                .all(|item| { item["conversation"].as_str().is_none_or(|id| known.contains(id)) })
        );
    }
}

#[tokio::test]
async fn page_of_events_leads_to_the_next() {
    let house = House::open().await;
    for number in 0..3 {
        house.conversation("site", &number.to_string(), "support").await;
    }
    let mut told = Vec::new();
    let mut path = "/v1/events?after=0&limit=4".to_owned();
    loop {
        let request = Request::get(&path)
            .header("authorization", "Bearer root")
            .header("accept", "application/json")
            .body(Body::empty())
            .unwrap();
        let page = Answer::of(house.send(request).await).await.json();
        let items = page["items"].as_array().unwrap().clone();
        told.extend(items.iter().map(|item| item["position"].as_u64().unwrap()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/events?cursor={cursor}&limit=4");
    }
    assert_eq!(told, (1..=6).collect::<Vec<_>>());
}

#[tokio::test]
async fn place_that_is_not_in_the_ledger_is_refused() {
    let house = House::open().await;
    house.conversation("site", "1", "support").await;
    for (query, code) in [
        ("after=3", "position_beyond_end"),
        ("after=-1", "invalid_query"),
        ("after=x", "invalid_query"),
        ("since=1", "invalid_query"),
    ] {
        let answer = house.get("root", &format!("/v1/events?{query}")).await;
        assert_eq!(answer.problem(400), code, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn stream_of_a_revoked_token_ends_within_five_seconds() {
    let house = House::open().await;
    let mut reader = Reader::open(&house, "ada", "/v1/events", None).await;
    house.conversation("site", "1", "support").await;
    assert_eq!(reader.take(2).await, [1, 2]);
    house.access.take(hash_of("ada")).await.unwrap();
    let since = tokio::time::Instant::now();
    assert!(reader.next().await.is_none());
    assert!(since.elapsed() <= Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(house.get("ada", "/v1/me").await.problem(401), "token_invalid");
}

#[tokio::test(start_paused = true)]
async fn quiet_stream_says_that_it_is_still_there() {
    let house = House::open().await;
    let mut reader = Reader::open(&house, "ada", "/v1/events", None).await;
    let mut comments = 0;
    let since = tokio::time::Instant::now();
    while comments < 3 {
        let data = reader.body.frame().await.unwrap().unwrap().into_data().unwrap();
        comments += usize::from(data.starts_with(b": still here"));
    }
    assert_eq!(since.elapsed().as_secs(), 45);
}

#[tokio::test]
async fn streams_have_a_limit() {
    let limits = GatewayLimits { streams_max: 1, ..GatewayLimits::default() };
    let house = House::with(limits, None).await;
    let reader = Reader::open(&house, "ada", "/v1/events", None).await;
    assert_eq!(house.get("bob", "/v1/events").await.problem(503), "too_many_streams");
    drop(reader);
    let _again = Reader::open(&house, "bob", "/v1/events", None).await;
}

#[tokio::test]
async fn reader_hears_of_a_conversation_and_finds_it() {
    let house = House::open().await;
    let mut reader = Reader::open(&house, "ada", "/v1/events", None).await;
    let id = house.push("site", &json!({ "id": "1" })).await.text("id");
    let told = reader.next().await.unwrap();
    assert_eq!(told.data["conversation"], id);
    assert_eq!(house.get("ada", &format!("/v1/conversations/{id}")).await.status, 200);
}

#[tokio::test]
async fn whom_a_ladder_tells_is_told_although_the_queue_is_not_theirs() {
    let house = House::open().await;
    let told = json!({ "step": 1, "priority": 7, "notified": ["bob"] });
    let id = house.climbed("1", told).await;
    let mut reader = Reader::open(&house, "bob", "/v1/events?after=0", None).await;
    let told = reader.next().await.unwrap();
    assert_eq!((told.id, told.event.as_str()), (3, "ladder.climbed"));
    assert_eq!(told.data["conversation"], id);
    assert_eq!(told.data["details"]["notified"], json!(["bob"]));
    let opened = house.get("bob", &format!("/v1/conversations/{id}")).await;
    assert_eq!(opened.problem(404), "conversation_not_found", "to be told is not to get it");
}
