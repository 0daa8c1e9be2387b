//! The contract suite: what every adapter must do, whatever it talks to.
//!
//! An adapter gives a small [`Fixture`] (a good request, how it is signed, its secrets) and gets
//! all of it: the same event twice, events out of order, bodies that are too large, not UTF-8, too
//! deep, of the wrong types, without ids, changed at random; requests that are not signed; work
//! that is cancelled halfway; and a search for secrets in everything that was said meanwhile.
//! Adapters that fetch give a [`PullFixture`]. The suite uses only the public traits, and makes no
//! connection.

mod bodies;
mod door;
mod judge;
mod pull;
mod push;
mod send;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use postroom_model::{Outbound, Timestamp};

use crate::{Adapter, PushRequest, Reached};
use judge::Judge;

pub use door::{NoFiles, TestInlet};

/// Bodies changed at random in one run.
pub const MUTATIONS: u64 = 400;
/// The randomness of one run is always the same.
pub const SEED: u64 = 0x706f_7374_726f_6f6d;
/// What takes longer is taken to hang.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A request that is posted.
#[derive(Debug, Clone)]
pub struct Post {
    pub method: Method,
    /// Path and query.
    pub uri: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Post {
    /// A POST of JSON to `/`.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        let mut headers = HeaderMap::new();
        let media_type = http::HeaderValue::from_static("application/json");
        headers.insert(http::header::CONTENT_TYPE, media_type);
        Self { method: Method::POST, uri: "/".to_owned(), headers, body: body.into() }
    }

    pub fn request(&self) -> PushRequest<'_> {
        PushRequest {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            body: &self.body,
        }
    }

    #[must_use]
    fn with_body(&self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.clone() }
    }
}

/// What an adapter that is posted to gives to be put through the suite.
pub trait Fixture: Send + Sync {
    /// Made anew at each call. If it sends, then to an address where nobody listens.
    fn adapter(&self) -> Arc<dyn Adapter>;

    /// Every text that may appear nowhere: secrets, tokens, addresses that hold one.
    fn secrets(&self) -> Vec<String>;

    /// The moment at which the requests are checked.
    fn now(&self) -> Timestamp;

    /// The good request that brings event `number`, not yet signed. Each number is another event,
    /// and the same number always the same one.
    fn post(&self, number: u64) -> Post;

    /// Signs a request as its sender would, over what its body is now.
    fn sign(&self, post: &mut Post);

    /// The headers without which, or with two of which, a request is refused.
    fn signature_headers(&self) -> &[&'static str];

    /// Event `number` without any id of the message; none if the format cannot leave it out.
    fn post_without_id(&self, number: u64) -> Option<Post>;

    /// Whether the body is JSON.
    fn is_json(&self) -> bool {
        true
    }

    /// A reply; none if the adapter cannot send.
    fn outbound(&self) -> Option<Outbound>;
}

/// What an adapter that fetches gives to be put through the suite.
#[async_trait]
pub trait PullFixture: Send + Sync {
    /// Made anew at each call, over the same source.
    fn adapter(&self) -> Arc<dyn Adapter>;

    fn secrets(&self) -> Vec<String>;

    /// How many items the source holds, each of which makes one message.
    fn offered(&self) -> usize;

    /// How many items the source was told are taken (message deleted, flag set), or stand before one of
    /// these places, which the inlet took in their order.
    async fn acknowledged(&self, places: &[Reached]) -> usize;
}

/// Something that an adapter does not do as every adapter must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Name of the check.
    pub check: &'static str,
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.detail)
    }
}

/// Puts an adapter that is posted to through the whole suite.
pub async fn run(fixture: &dyn Fixture) -> Result<(), Vec<Failure>> {
    let mut judge = Judge::new(fixture.secrets());
    push::run(fixture, &mut judge).await;
    send::run(fixture, &mut judge).await;
    judge.verdict()
}

/// Puts an adapter that fetches through the suite.
pub async fn run_pull(fixture: &dyn PullFixture) -> Result<(), Vec<Failure>> {
    let mut judge = Judge::new(fixture.secrets());
    pull::run(fixture, &mut judge).await;
    judge.verdict()
}
