//! The outlet: one stream of the replies that adapters of other processes send.
//!
//! A reply is handed over when the server has acknowledged it. An answer that did not come is asked
//! for again with the very same id, which the server takes once in its window, so what was cut off is
//! soon known. Who fetches the replies needs no right but to read on, and to acknowledge, on the
//! consumer that is kept here for each channel.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroom_bus::BusError;
use postroom_model::{ChannelId, Clock};
use tokio::time::Instant;

use crate::answers::{ConsumerConfig, CreateConsumer};
use crate::api::Api;
use crate::inlet::event_headers;
use crate::limits::{HANDED_OUT_MAX, HANDED_OUT_WAIT, HANDOVER_WAIT, LOOK_AGAIN};
use crate::names::Names;
use crate::refusal::{Failure, numbers};

/// One reply to hand over.
#[derive(Debug, Clone)]
pub struct Handover {
    pub channel: ChannelId,
    /// The same for the same attempt at the same reply.
    pub id: String,
    pub payload: Bytes,
}

/// Why a reply was not handed over, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutletError {
    #[error("the outlet did not take the reply: {0}")]
    NotTaken(BusError),
    #[error("whether the outlet took the reply is not known: {0}")]
    Uncertain(String),
}

impl OutletError {
    /// Stable; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTaken(cause) => cause.code(),
            Self::Uncertain(_) => "outlet_uncertain",
        }
    }

    /// Whether the same may be handed over later without asking anybody.
    pub fn retryable(&self) -> bool {
        match self {
            Self::NotTaken(cause) => cause.retryable(),
            Self::Uncertain(_) => false,
        }
    }
}

/// Hands replies over. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outlet {
    api: Api,
    names: Names,
    clock: Arc<dyn Clock>,
}

impl Outlet {
    pub(crate) fn new(api: Api, names: Names, clock: Arc<dyn Clock>) -> Self {
        Self { api, names, clock }
    }

    /// Keeps a place for the adapter of the channel from which it fetches. One that is there stays as
    /// it is: it knows what was fetched.
    pub async fn offer(&self, channel: &ChannelId) -> Result<(), BusError> {
        let (stream, subject) = (&self.names.outlet, self.names.outlet_subject(channel));
        let verb = format!("CONSUMER.CREATE.{stream}.{channel}.{subject}");
        let create = CreateConsumer {
            stream_name: stream,
            action: "create",
            config: ConsumerConfig::of_channel(channel.as_str(), &subject),
        };
        let made: Result<serde_json::Value, Failure> = self.api.ask(&verb, &create).await;
        match made {
            Err(failure) if failure.is_refusal(numbers::CONSUMER_EXISTS) => Ok(()),
            other => other.map(drop).map_err(BusError::from),
        }
    }

    /// Returns when the server has it on its disk.
    pub async fn hand_over(&self, handover: &Handover) -> Result<(), OutletError> {
        let deadline = Instant::now() + HANDOVER_WAIT;
        let mut uncertain = None;
        loop {
            let failure = match self.publish(handover).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let words = failure.to_string();
            let may_have = matches!(failure, Failure::TimedOut | Failure::Lost);
            // What is refused now was not taken now; what went before is another matter.
            match (&uncertain, may_have) {
                (None, false) => return Err(OutletError::NotTaken(failure.into())),
                (_, true) => uncertain = Some(words),
                (Some(_), false) => {}
            }
            if Instant::now() + LOOK_AGAIN >= deadline {
                return Err(OutletError::Uncertain(uncertain.unwrap_or_default()));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn publish(&self, handover: &Handover) -> Result<(), Failure> {
        let Handover { channel, id, payload } = handover;
        let (kind, content) = ("postroom.reply.v1", "application/json");
        let headers = event_headers(&self.names, self.clock.as_ref(), id, kind, content);
        let subject = self.names.outlet_subject(channel);
        self.api.publish(&self.names.outlet, subject, headers, payload.clone()).await?;
        Ok(())
    }
}

impl<'a> ConsumerConfig<'a> {
    /// A consumer that the server keeps, of one subject, whose messages are acknowledged one by one.
    fn of_channel(name: &'a str, subject: &'a str) -> Self {
        let nanos = |wait: Duration| u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        Self {
            durable_name: Some(name),
            filter_subject: Some(subject),
            deliver_policy: "all",
            ack_policy: "explicit",
            ack_wait: Some(nanos(HANDED_OUT_WAIT)),
            max_ack_pending: Some(HANDED_OUT_MAX),
            inactive_threshold: 0,
            mem_storage: false,
            num_replicas: 0,
            name,
            ..Self::in_memory()
        }
    }
}
