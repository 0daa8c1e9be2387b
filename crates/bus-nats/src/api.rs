//! Questions to the JetStream API and publishes with an answer. Each is asked once: who asks decides
//! whether to ask again.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, HeaderMap, RequestErrorKind};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::answers::{Ack, MessageAnswer, Purge, Refused, StreamInfo, Which};
use crate::connect::Connected;
use crate::entry::Stored;
use crate::limits::{ANSWER_WAIT, ENTRY_BYTES_MAX, HEADERS_BYTES_MAX};
use crate::refusal::{Failure, numbers};

/// A connection that is asked. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) client: Client,
    losses: watch::Receiver<u64>,
    wait: Duration,
}

impl Api {
    pub(crate) fn new(connected: &Connected) -> Self {
        let (client, losses) = (connected.client.clone(), connected.losses.clone());
        Self { client, losses, wait: ANSWER_WAIT }
    }

    /// Bytes that one entry may have on this server.
    pub(crate) fn entry_bytes_max(&self) -> usize {
        self.client.max_payload().saturating_sub(HEADERS_BYTES_MAX).min(ENTRY_BYTES_MAX)
    }

    /// Stores a message in the stream of the subject. What fails with [`Failure::TimedOut`] or
    /// [`Failure::Lost`] may be stored, then or later: the client sends what waits when it is
    /// connected again.
    pub(crate) async fn publish(
        &self,
        stream: &str,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Ack, Failure> {
        let (bytes, bytes_max) = (payload.len(), self.entry_bytes_max());
        if bytes > bytes_max {
            return Err(Failure::TooLarge { bytes, bytes_max });
        }
        let answer = self.request(subject, Some(headers), payload).await;
        let ack: Ack = match answer.and_then(|answer| read(&answer)) {
            Err(failure) if is_too_large(&failure) => {
                return Err(Failure::TooLarge { bytes, bytes_max: bytes.saturating_sub(1) });
            }
            other => other?,
        };
        if ack.stream != stream {
            let other = ack.stream;
            return Err(Failure::Unreadable(format!("{other} answered in place of {stream}")));
        }
        Ok(ack)
    }

    /// One question of the API.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        verb: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::Other(error.to_string()))?;
        let answer = self.request(format!("$JS.API.{verb}"), None, body.into()).await?;
        read(&answer)
    }

    /// What the stream is and where it stands, none if there is no such stream. Its leader answers.
    pub(crate) async fn stream(&self, stream: &str) -> Result<Option<StreamInfo>, Failure> {
        let info = self.ask(&format!("STREAM.INFO.{stream}"), &serde_json::json!({})).await;
        absent(info, numbers::NO_STREAM)
    }

    /// One message, from the leader.
    pub(crate) async fn message(
        &self,
        stream: &str,
        which: Which<'_>,
    ) -> Result<Option<Stored>, Failure> {
        let answer: Result<MessageAnswer, Failure> =
            self.ask(&format!("STREAM.MSG.GET.{stream}"), &which).await;
        let answer = absent(answer, numbers::NO_MESSAGE)?;
        answer.map(|answer| Stored::asked_for(answer.message)).transpose()
    }

    /// Forgets what stands before `first_kept`.
    pub(crate) async fn purge(&self, stream: &str, first_kept: u64) -> Result<(), Failure> {
        let verb = format!("STREAM.PURGE.{stream}");
        let _done: serde_json::Value = self.ask(&verb, &Purge { seq: first_kept }).await?;
        Ok(())
    }

    async fn request(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        let mut losses = self.losses.clone();
        losses.mark_unchanged();
        if self.client.connection_state() != State::Connected {
            return Err(Failure::NotConnected);
        }
        let mut request = async_nats::Request::new().payload(payload).timeout(Some(self.wait));
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        let asked = self.client.send_request(subject.clone(), request);
        let answer = tokio::select! {
            answer = tokio::time::timeout(self.wait, asked) => answer,
            Ok(()) = losses.changed() => return Err(Failure::Lost),
        };
        match answer {
            Err(_) => Err(Failure::TimedOut),
            Ok(Ok(answer)) => Ok(answer.payload),
            Ok(Err(error)) => Err(match error.kind() {
                RequestErrorKind::TimedOut => Failure::TimedOut,
                RequestErrorKind::NoResponders => Failure::NobodyAnswers(subject),
                RequestErrorKind::InvalidSubject
                | RequestErrorKind::MaxPayloadExceeded
                | RequestErrorKind::Other => Failure::Other(error.to_string()),
            }),
        }
    }
}

fn is_too_large(failure: &Failure) -> bool {
    failure.is_refusal(numbers::MESSAGE_TOO_LARGE) || failure.is_refusal(numbers::HEADERS_TOO_LARGE)
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Failure> {
    let unreadable = |error: serde_json::Error| Failure::Unreadable(error.to_string());
    let refused: Refused = serde_json::from_slice(answer).map_err(unreadable)?;
    match refused.error {
        Some(refusal) => Err(Failure::Refused(refusal)),
        None => serde_json::from_slice(answer).map_err(unreadable),
    }
}

/// Turns the refusal that says "there is none" into none.
fn absent<T>(answer: Result<T, Failure>, err_code: u32) -> Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.is_refusal(err_code) => Ok(None),
        Err(failure) => Err(failure),
    }
}
