//! The contract suite passes a good adapter and catches each kind of bad one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use postroom_channel::contract::{self, Fixture, Post, PullFixture};
use postroom_channel::{
    AcceptError, Adapter, Arrival, Files, Inlet, Push, PushRequest, Reached, Received, Refusal,
    SendError, SendReceipt, json, limits,
};
use postroom_model::digest::Digest;
use postroom_model::{
    ChannelId, ConversationId, DeliveryState, Message, MessageId, Outbound, Timestamp,
};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "toy-canary";
const HEADER: &str = "x-toy";

/// What is wrong with a toy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    ShowsSecret,
    TellsSecret,
    CountsIds,
    OneId,
    NoSizeLimit,
    BelievesAnybody,
    TakesFirstSignature,
    KeepsNul,
    GuessesCharacters,
    Panics,
    NoPointers,
    SendsBlindly,
    NeverSurelyFails,
}

struct Toy {
    channel: ChannelId,
    flaw: Flaw,
    seen: AtomicUsize,
}

impl fmt::Debug for Toy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.flaw == Flaw::ShowsSecret { SECRET } else { "…" };
        write!(f, "Toy({shown})")
    }
}

fn tag(body: &[u8]) -> String {
    Digest::of_fields(&[SECRET.as_bytes(), body]).to_string()
}

impl Push for Toy {
    fn verify(&self, request: &PushRequest<'_>, _now: Timestamp) -> Result<(), Refusal> {
        let wrong = |detail: &str| Err(Refusal::new(401, "signature_mismatch", detail));
        if self.flaw == Flaw::BelievesAnybody {
            return Ok(());
        }
        let values: Vec<&HeaderValue> = request.headers.get_all(HEADER).iter().collect();
        let good = tag(request.body);
        match values.as_slice() {
            [one] if **one == good => Ok(()),
            [one, _] if **one == good && self.flaw == Flaw::TakesFirstSignature => Ok(()),
            _ if self.flaw == Flaw::TellsSecret => wrong(&format!("not signed with {SECRET}")),
            _ => wrong("not signed"),
        }
    }

    fn parse(&self, request: &PushRequest<'_>) -> Result<Received, Refusal> {
        if self.flaw != Flaw::NoSizeLimit {
            limits::check_body(request.body)?;
        }
        let guessed = String::from_utf8_lossy(request.body);
        let body = match self.flaw {
            Flaw::GuessesCharacters => guessed.as_bytes(),
            _ => request.body,
        };
        let value = json::parse(body)?;
        let text = value.get("text");
        if self.flaw == Flaw::Panics {
            // Once in a while: each panic writes a trace.
            assert!(text != Some(&serde_json::Value::Bool(true)), "text is text");
        }
        let text = text.and_then(serde_json::Value::as_str).unwrap_or_default();
        let nul = text.contains('\0') && self.flaw != Flaw::KeepsNul;
        if text.is_empty() || nul || text.len() > 500 {
            let refusal = Refusal::new(422, "body_field_invalid", "no text");
            return Err(match self.flaw {
                Flaw::NoPointers => refusal,
                _ => refusal.at("/text", "no text"),
            });
        }
        let id = value.get("id").and_then(serde_json::Value::as_str);
        let id = id.filter(|id| !id.trim().is_empty() && id.len() < 500 && !id.contains('\0'));
        let external_id = match (self.flaw, id) {
            (Flaw::CountsIds, _) => self.seen.fetch_add(1, Ordering::SeqCst).to_string(),
            (Flaw::OneId, None) => "generated:0".to_owned(),
            (_, Some(id)) => id.to_owned(),
            (_, None) => format!("generated:{}", Digest::of(request.body)),
        };
        let message = Message { external_id, text: Some(text.to_owned()), ..Message::default() };
        let contents = Vec::new();
        Ok(Received { arrivals: vec![Arrival { message, contents }], ..Received::default() })
    }
}

#[async_trait]
impl Adapter for Toy {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn push(&self) -> Option<&dyn Push> {
        Some(self)
    }

    fn sends(&self) -> bool {
        true
    }

    async fn send(&self, _: &Outbound, _: &dyn Files) -> Result<SendReceipt, SendError> {
        match self.flaw {
            Flaw::SendsBlindly => Ok(SendReceipt::default()),
            Flaw::NeverSurelyFails => Err(SendError::uncertain("toy_uncertain", "who knows")),
            _ => Err(SendError::retryable("toy_unreachable", "nobody there")),
        }
    }
}

struct ToyFixture(Flaw);

impl Fixture for ToyFixture {
    fn adapter(&self) -> Arc<dyn Adapter> {
        Arc::new(Toy {
            channel: ChannelId::new("toy").unwrap(),
            flaw: self.0,
            seen: AtomicUsize::new(0),
        })
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.to_owned()]
    }

    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn post(&self, number: u64) -> Post {
        Post::json(format!(r#"{{"id":"toy-{number}","text":"hello"}}"#))
    }

    fn sign(&self, post: &mut Post) {
        let value = HeaderValue::try_from(tag(&post.body)).unwrap();
        post.headers.insert(HEADER, value);
    }

    fn signature_headers(&self) -> &[&'static str] {
        &[HEADER]
    }

    fn post_without_id(&self, number: u64) -> Option<Post> {
        Some(Post::json(format!(r#"{{"text":"hello {number}"}}"#)))
    }

    fn outbound(&self) -> Option<Outbound> {
        let id: MessageId = "0197c0de-0000-7000-8000-000000000001".parse().unwrap();
        Some(Outbound {
            id,
            channel: ChannelId::new("toy").unwrap(),
            conversation: ConversationId(id.0),
            thread: None,
            to: Vec::new(),
            message: Message::default(),
            state: DeliveryState::Sending,
            attempts: 1,
            next_at: Timestamp::EPOCH,
            queued_at: Timestamp::EPOCH,
            epoch: None,
        })
    }
}

#[tokio::test]
async fn suite_passes_a_good_adapter() {
    assert_eq!(contract::run(&ToyFixture(Flaw::None)).await, Ok(()));
}

#[tokio::test]
async fn suite_catches_each_flaw_with_the_check_that_is_about_it() {
    for (flaw, check) in [
        (Flaw::ShowsSecret, "start"),
        (Flaw::TellsSecret, "signature"),
        (Flaw::CountsIds, "order"),
        (Flaw::OneId, "missing_id"),
        (Flaw::NoSizeLimit, "oversize"),
        (Flaw::BelievesAnybody, "signature"),
        (Flaw::TakesFirstSignature, "signature"),
        (Flaw::KeepsNul, "wrong_type"),
        (Flaw::GuessesCharacters, "not_utf8"),
        (Flaw::Panics, "wrong_type"),
        (Flaw::NoPointers, "wrong_type"),
        (Flaw::SendsBlindly, "send_unreachable"),
        (Flaw::NeverSurelyFails, "send_unreachable"),
    ] {
        let failures = contract::run(&ToyFixture(flaw)).await.unwrap_err();
        let caught = failures.iter().any(|failure| failure.check == check);
        assert!(caught, "{flaw:?}: {failures:#?}");
    }
}

/// A source of numbered items, and an adapter over it.
#[derive(Debug)]
struct Source {
    channel: ChannelId,
    items: usize,
    acknowledged: AtomicUsize,
    /// Acknowledges before the inlet has answered.
    hasty: bool,
}

#[derive(Debug)]
struct Fetcher(Arc<Source>);

#[async_trait]
impl Adapter for Fetcher {
    fn channel(&self) -> &ChannelId {
        &self.0.channel
    }

    async fn run(
        &self,
        inlet: Arc<dyn Inlet>,
        shutdown: CancellationToken,
    ) -> Result<(), AcceptError> {
        let source = &self.0;
        for item in source.acknowledged.load(Ordering::SeqCst)..source.items {
            if source.hasty {
                source.acknowledged.store(item + 1, Ordering::SeqCst);
            }
            if item % 3 == 2 {
                let raw = Bytes::from_static(b"unreadable");
                inlet.accept_unparsed(&source.channel, raw, "toy_unreadable", "no sense").await?;
            } else {
                let message = Message { external_id: format!("item-{item}"), ..Message::default() };
                let arrival = Arrival { message, contents: Vec::new() };
                let received = Received { arrivals: vec![arrival], ..Received::default() };
                inlet.accept(&source.channel, received).await?;
            }
            source.acknowledged.store(item + 1, Ordering::SeqCst);
        }
        shutdown.cancelled().await;
        Ok(())
    }

    fn sends(&self) -> bool {
        false
    }

    async fn send(&self, _: &Outbound, _: &dyn Files) -> Result<SendReceipt, SendError> {
        Err(SendError::permanent("toy_receives_only", "it only fetches"))
    }
}

struct FetcherFixture(Arc<Source>);

#[async_trait]
impl PullFixture for FetcherFixture {
    fn adapter(&self) -> Arc<dyn Adapter> {
        Arc::new(Fetcher(Arc::clone(&self.0)))
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.to_owned()]
    }

    fn offered(&self) -> usize {
        self.0.items
    }

    async fn acknowledged(&self, _: &[Reached]) -> usize {
        self.0.acknowledged.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn suite_tells_who_acknowledges_too_early() {
    for (hasty, checks) in [(false, vec![]), (true, vec!["inlet_busy", "cancelled"])] {
        let source = Source {
            channel: ChannelId::new("toy").unwrap(),
            items: 5,
            acknowledged: AtomicUsize::new(0),
            hasty,
        };
        let verdict = contract::run_pull(&FetcherFixture(Arc::new(source))).await;
        let failures = verdict.err().unwrap_or_default();
        let mut caught: Vec<&str> = failures.iter().map(|failure| failure.check).collect();
        caught.retain(|check| *check == "inlet_busy" || *check == "cancelled");
        assert_eq!(caught, checks, "{failures:#?}");
        assert_eq!(failures.is_empty(), !hasty, "{failures:#?}");
    }
}
