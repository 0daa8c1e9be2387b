//! The traits of an adapter, and what goes in and out of it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use postroom_model::{BlobRef, Call, CallLeg, ChannelId, Message, Outbound, Receipt, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::{AcceptError, Inlet, OptionError, Refusal, SendError};

/// One configured channel.
#[async_trait]
pub trait Adapter: Send + Sync + std::fmt::Debug {
    fn channel(&self) -> &ChannelId;

    /// How it takes what is posted to it; none if nothing can be.
    fn push(&self) -> Option<&dyn Push> {
        None
    }

    /// Fetches until `shutdown`. An adapter that fetches nothing returns at once.
    async fn run(
        &self,
        _inlet: Arc<dyn Inlet>,
        _shutdown: CancellationToken,
    ) -> Result<(), AcceptError> {
        Ok(())
    }

    /// Fetches again what is still there from `since` on, and gives how many items that were; none
    /// if nothing can be fetched again. Cursors stay where they are, and repeating it is safe.
    async fn backfill(
        &self,
        _inlet: Arc<dyn Inlet>,
        _since: Timestamp,
    ) -> Result<Option<u64>, AcceptError> {
        Ok(None)
    }

    /// Whether [`Self::run`] fetches from a source, which has one owner among several hosts. What listens
    /// runs on each of them.
    fn fetches(&self) -> bool {
        false
    }

    /// Compares what is still at the source with what was ever accepted, one report for each part of it;
    /// none if there is nothing to compare.
    async fn audit(&self, _inlet: Arc<dyn Inlet>) -> Result<Option<Vec<Audit>>, AcceptError> {
        Ok(None)
    }

    /// Tries whatever the channel talks to, and changes nothing there; for `postroom doctor`.
    async fn examine(&self) -> Vec<Examined> {
        Vec::new()
    }

    /// What the options name of this machine and is not there, such as a folder; for `postroom check`,
    /// which asks nothing outside of it.
    fn missing(&self) -> Vec<OptionError> {
        Vec::new()
    }

    /// Fetches the recording of a call from where its report says that it lies.
    async fn recording(&self, _url: &str) -> Result<Fetched, SendError> {
        Err(SendError::permanent("recording_not_allowed", "the channel has no recordings"))
    }

    /// Whether replies can leave through it.
    fn sends(&self) -> bool;

    /// How long attempts are worth it.
    fn patience(&self) -> Patience {
        Patience::Day
    }

    /// Makes one attempt to send. `outbound.id` is the delivery id, the same at every attempt.
    async fn send(&self, outbound: &Outbound, files: &dyn Files) -> Result<SendReceipt, SendError>;
}

/// How long a reply that is put off is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// More than a day: an outage of a provider.
    Day,
    /// Four to five days, as mail is (RFC 5321, 4.5.4.1).
    Days,
}

/// What an audit found in one part of a source, such as a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Audit {
    pub part: String,
    /// Items that are there.
    pub there: u64,
    /// Those of them that were accepted once.
    pub stored: u64,
    /// Some of those that were not, as the source names them.
    pub missing: Vec<String>,
    /// Why this part could not be looked at: a code and words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<(&'static str, String)>,
}

/// What one part of a source is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    pub part: String,
    /// What is the matter: a code and words, without secrets; else words for what is good.
    pub found: Result<String, (&'static str, String)>,
}

/// Takes what is posted. Both functions are pure: the same request, the same answer.
pub trait Push: Send + Sync {
    /// Refuses what is not provably from the sender; over the raw bytes, before they are parsed.
    fn verify(&self, request: &PushRequest<'_>, now: Timestamp) -> Result<(), Refusal>;

    /// Reads the body of a request that was verified.
    fn parse(&self, request: &PushRequest<'_>) -> Result<Received, Refusal>;

    /// The answer to a GET that a provider makes to prove who listens; none if it has no such thing.
    fn challenge(&self, _request: &PushRequest<'_>) -> Option<Result<PushResponse, Refusal>> {
        None
    }
}

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct PushRequest<'a> {
    pub method: &'a http::Method,
    /// Path and query; providers that sign the URL get the configured public address before it.
    pub uri: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// What one post or one fetched item holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Received {
    pub arrivals: Vec<Arrival>,
    pub receipts: Vec<Receipt>,
    pub calls: Vec<Call>,
    /// What happened to legs, each with the id of its call, where a system tells leg by leg.
    pub legs: Vec<(String, CallLeg)>,
    /// What came along and could not be read; it is set aside, so that it harms nothing else.
    pub unread: Option<Unread>,
    /// How far what is fetched has been read with this, if it is.
    pub reached: Option<Reached>,
    /// What the provider wants to hear; the gateway has its own answer otherwise.
    pub response: Option<PushResponse>,
}

/// Bytes that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub raw: Bytes,
    pub code: &'static str,
    pub detail: String,
}

/// A place up to which something was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Of what: a file, a folder of a mailbox.
    pub name: String,
    /// Only the adapter understands it.
    pub value: String,
}

/// A message and the content of those of its attachments that came with it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arrival {
    pub message: Message,
    pub contents: Vec<Content>,
}

/// The bytes of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Index in `message.attachments`; its hash and size stand there already.
    pub attachment: usize,
    pub bytes: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushResponse {
    pub status: u16,
    pub media_type: &'static str,
    pub body: String,
}

/// Something that was fetched from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub bytes: Bytes,
    /// As the other side calls it.
    pub media_type: Option<String>,
}

/// What the channel said when it took a reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SendReceipt {
    /// The provider's id of the message, where it gives one; receipts name it later.
    pub external_id: Option<String>,
}

/// Reads stored attachments for an adapter that sends them.
#[async_trait]
pub trait Files: Send + Sync + std::fmt::Debug {
    async fn read(&self, blob: &BlobRef) -> Result<Bytes, SendError>;
}
