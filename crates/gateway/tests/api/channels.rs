//! What providers post: durable before it is acknowledged, once however often, within limits.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use postroom_bus::{BusError, Entry, Inlet, ReadLimits, decode_batch};
use postroom_gateway::GatewayLimits;
use postroom_model::{ChannelId, Input, InputBody, MessageId, WorkspaceId};
use serde_json::json;
use tokio::sync::watch;

use crate::house::{Answer, House};

async fn inputs(house: &House) -> Vec<Input> {
    let entries = house.backends.inlet.read(0, ReadLimits::default()).await.unwrap();
    entries.iter().flat_map(|entry| decode_batch(&entry.bytes)).map(Result::unwrap).collect()
}

/// P1 and P3: the inlet has it when 202 is answered, and the same event has the same id.
#[tokio::test]
async fn accepted_event_is_in_the_inlet_and_repeated_one_is_a_duplicate() {
    let house = House::open().await;
    let first = house.push("site", &json!({ "id": "42", "text": "hello" })).await;
    assert_eq!(first.status, 202);
    assert_eq!(first.text("status"), "accepted");
    let site = ChannelId::new("site").unwrap();
    let id = MessageId::of_external(&WorkspaceId::main(), &site, "42");
    assert_eq!(first.text("id"), id.to_string());
    let accepted = inputs(&house).await;
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].id.0, id.0);

    house.routed(&id.to_string()).await;
    let again = house.push("site", &json!({ "id": "42", "text": "hello" })).await;
    assert_eq!((again.status.as_u16(), again.text("status")), (202, "duplicate".to_owned()));
    assert_eq!(again.text("id"), id.to_string());
    assert_eq!(inputs(&house).await.len(), 1, "a duplicate is not published again");
}

#[tokio::test]
async fn event_is_accepted_while_nobody_decides() {
    let house = House::open().await;
    house.routing.send(false).unwrap();
    for _ in 0..2 {
        let answer = house.push("site", &json!({ "id": "1" })).await;
        assert_eq!((answer.status.as_u16(), answer.text("status")), (202, "accepted".to_owned()));
    }
}

#[tokio::test]
async fn refused_event_gets_its_problem() {
    let house = House::open().await;
    let unsigned = Request::post("/v1/channels/site/events").body(Body::from("{}")).unwrap();
    assert_eq!(Answer::of(house.send(unsigned).await).await.problem(401), "signature_invalid");
    let none = house.push("nowhere", &json!({})).await;
    assert_eq!(none.problem(404), "channel_not_found");
    assert_eq!(house.push("NO%20SUCH", &json!({})).await.status, 404);
    assert_eq!(house.push("mail", &json!({})).await.problem(405), "method_not_allowed");
    let broken = Request::post("/v1/channels/site/events")
        .header("x-good", "yes")
        .body(Body::from("{"))
        .unwrap();
    let broken = Answer::of(house.send(broken).await).await;
    assert_eq!(broken.problem(422), "body_invalid");
    assert_eq!(broken.json()["errors"], json!([{ "pointer": "", "detail": "not JSON" }]));
    assert!(inputs(&house).await.is_empty());
}

#[tokio::test]
async fn challenge_is_answered_and_any_other_get_is_not() {
    let house = House::open().await;
    let answer = house.get("", "/v1/channels/site/events?challenge=abc").await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, Bytes::from("abc")));
    let answer = house.get("", "/v1/channels/site/events").await;
    assert_eq!(answer.problem(405), "method_not_allowed");
}

/// P12: over the limit, said or not said beforehand.
#[tokio::test]
async fn body_over_the_limit_is_refused() {
    let limits = GatewayLimits { body_bytes_max: 100, ..GatewayLimits::default() };
    let house = House::with(limits, None).await;
    let declared = Request::post("/v1/channels/site/events")
        .header("content-length", "101")
        .body(Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>()))
        .unwrap();
    assert_eq!(Answer::of(house.send(declared).await).await.problem(413), "body_too_large");
    let pieces = (0..11).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 10])));
    let chunked = Request::post("/v1/channels/site/events")
        .body(Body::from_stream(futures_util::stream::iter(pieces)))
        .unwrap();
    assert_eq!(Answer::of(house.send(chunked).await).await.problem(413), "body_too_large");
}

#[tokio::test]
async fn large_words_and_files_are_in_the_blob_store() {
    let house = House::open().await;
    let words = "a".repeat(65 * 1024);
    let body = json!({ "id": "1", "text": words, "file": "content", "queue": "support" });
    let id = house.push("site", &body).await.text("id");
    let accepted = inputs(&house).await;
    let InputBody::Inbound(inbound) = &accepted[0].body else { panic!("not a message") };
    assert!(inbound.message.text.is_none() && inbound.message.body_blob.is_some());

    house.routed(&id).await;
    let timeline = house.get("ada", &format!("/v1/conversations/{id}/timeline")).await.json();
    let message = &timeline["items"][1]["message"];
    assert_eq!(message["text"], words);
    let url = message["attachments"][0]["url"].as_str().unwrap();
    let file = house.get("ada", url).await;
    assert_eq!((file.status.as_u16(), file.body), (200, Bytes::from("content")));
    assert_eq!(file.headers["content-type"], "text/plain");
    assert!(file.headers["content-disposition"].to_str().unwrap().starts_with("attachment;"));
    assert!(file.headers["content-security-policy"].to_str().unwrap().starts_with("sandbox"));
    assert_eq!(house.get("bob", url).await.problem(404), "conversation_not_found");
    let none = url.replace("/0", "/1");
    assert_eq!(house.get("ada", &none).await.problem(404), "attachment_not_found");
}

#[tokio::test]
async fn receipt_is_an_input_and_the_provider_hears_what_it_wants() {
    let house = House::open().await;
    let answer = house.push("site", &json!({ "receipt": "out-1", "say": "<ok/>" })).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, Bytes::from("<ok/>")));
    let accepted = inputs(&house).await;
    assert!(
        matches!(&accepted[0].body, InputBody::Receipt(one) if one.receipt.external_id == "out-1")
    );
    let nothing = house.push("site", &json!({})).await;
    assert_eq!((nothing.status.as_u16(), nothing.json()), (202, json!({ "status": "accepted" })));
}

/// An inlet that takes nothing.
#[derive(Debug)]
struct Closed(BusError);

#[async_trait]
impl Inlet for Closed {
    async fn publish(&self, _: Bytes) -> Result<u64, BusError> {
        Err(self.0.clone())
    }

    async fn read(&self, _: u64, _: ReadLimits) -> Result<Vec<Entry>, BusError> {
        Ok(vec![])
    }

    async fn last(&self) -> Result<u64, BusError> {
        Ok(0)
    }

    async fn trim(&self, _: u64) -> Result<(), BusError> {
        Ok(())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }
}

#[tokio::test]
async fn what_is_not_durable_is_not_acknowledged() {
    let large = BusError::TooLarge { bytes: 2, bytes_max: 1 };
    for (error, status, code, retry_after) in [
        (BusError::Busy, 429, "busy", Some("1")),
        (BusError::Full, 503, "storage_full", Some("30")),
        (BusError::Unavailable("x".into()), 503, "storage_unavailable", Some("2")),
        (BusError::Closed, 503, "shutting_down", Some("2")),
        (large, 413, "entry_too_large", None),
        (BusError::Damaged("x".into()), 500, "storage_damaged", None),
    ] {
        let inlet: Arc<dyn Inlet> = Arc::new(Closed(error));
        let house = House::with(GatewayLimits::default(), Some(inlet)).await;
        let answer = house.push("site", &json!({ "id": "1" })).await;
        assert_eq!(answer.problem(status), code);
        let header = answer.headers.get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(header, retry_after, "{code}");
        assert_eq!(
            answer.headers.get_all("retry-after").iter().count(),
            usize::from(retry_after.is_some())
        );
    }
}
