//! The inlet: one stream for what the intake, gateways and adapters of other processes publish.

use std::sync::Arc;

use async_nats::HeaderMap;
use async_trait::async_trait;
use bytes::Bytes;
use postroom_bus::{BusError, Entry, Filling, Inlet, ReadLimits};
use postroom_model::Clock;
use postroom_model::digest::Digest;
use tokio::sync::{Semaphore, watch};

use crate::api::Api;
use crate::guard;
use crate::hints::Hints;
use crate::limits::PUBLISHES_MAX;
use crate::names::Names;
use crate::reader::Reader;
use crate::refusal::Failure;

/// Headers of a CloudEvent in binary mode.
pub(crate) fn event_headers(
    names: &Names,
    clock: &dyn Clock,
    id: &str,
    kind: &str,
    content: &str,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", id);
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", id);
    headers.insert("ce-type", kind);
    headers.insert("ce-source", names.source());
    headers.insert("ce-time", clock.now().to_string());
    headers.insert("content-type", content);
    headers
}

#[derive(Debug)]
pub(crate) struct NatsInlet {
    pub(crate) api: Api,
    pub(crate) names: Names,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) reader: Reader,
    pub(crate) hints: Hints,
    under_way: Semaphore,
}

impl NatsInlet {
    pub(crate) fn new(api: Api, names: Names, clock: Arc<dyn Clock>, hints: Hints) -> Self {
        let reader = Reader::new(api.clone(), &names.inlet, false);
        Self { api, names, clock, reader, hints, under_way: Semaphore::new(PUBLISHES_MAX) }
    }
}

#[async_trait]
impl Inlet for NatsInlet {
    /// The id of a publish is the hash of its bytes: the same batch again is answered with the
    /// sequence that it has.
    async fn publish(&self, batch: Bytes) -> Result<u64, BusError> {
        let _under_way = self.under_way.try_acquire().map_err(|_| BusError::Busy)?;
        let id = Digest::of(&batch).to_string();
        let (kind, content) = ("postroom.inputs.v1", "application/cloudevents-batch+json");
        let headers = event_headers(&self.names, self.clock.as_ref(), &id, kind, content);
        let subject = self.names.batch_subject();
        let ack = self.api.publish(&self.names.inlet, subject, headers, batch).await?;
        self.hints.raise(ack.seq);
        Ok(ack.seq)
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        let stored = self.reader.read(after, self.hints.reached(), limits).await?;
        Ok(stored.into_iter().map(|stored| guard::hand_on(&self.names, stored)).collect())
    }

    async fn last(&self) -> Result<u64, BusError> {
        let info = self.api.stream(&self.names.inlet).await?;
        let gone = || BusError::Damaged(format!("stream {} is gone", self.names.inlet));
        Ok(info.ok_or_else(gone)?.state.last_seq)
    }

    async fn trim(&self, through: u64) -> Result<(), BusError> {
        // The server takes zero for everything.
        if through == 0 {
            return Ok(());
        }
        let last = self.last().await?;
        let first_kept = through.min(last).saturating_add(1);
        self.api.purge(&self.names.inlet, first_kept).await.map_err(|failure| match failure {
            Failure::Refused(refusal) => BusError::Unavailable(refusal.description),
            other => other.into(),
        })
    }

    async fn filling(&self) -> Result<Option<Filling>, BusError> {
        let info = self.api.stream(&self.names.inlet).await?;
        Ok(info.and_then(|info| info.filling()))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.hints.subscribe()
    }
}
