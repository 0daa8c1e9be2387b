//! The ledger: a stream of one subject that only grows, each append fenced by where it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use postroom_bus::{BusError, Entry, Filling, Ledger, ReadLimits};
use postroom_model::Clock;
use postroom_model::digest::Digest;
use tokio::sync::watch;

use crate::answers::Which;
use crate::api::Api;
use crate::entry::{FIRST_EVENT, LAST_EVENT, Stored};
use crate::hints::Hints;
use crate::inlet::event_headers;
use crate::limits::{BACKWARDS_LOOKS, CLUSTER_LOOKS, CLUSTER_PAUSE, LOOK_AGAIN};
use crate::names::Names;
use crate::reader::Reader;
use crate::refusal::{Failure, Refusal};

const EXPECTED_LAST: &str = "Nats-Expected-Last-Sequence";

#[derive(Debug)]
pub(crate) struct NatsLedger {
    api: Api,
    names: Names,
    clock: Arc<dyn Clock>,
    reader: Reader,
    hints: Hints,
    /// The last sequence that this process has seen of it.
    seen: AtomicU64,
}

impl NatsLedger {
    pub(crate) fn new(api: Api, names: Names, clock: Arc<dyn Clock>, hints: Hints) -> Self {
        let reader = Reader::new(api.clone(), &names.ledger, true);
        let seen = AtomicU64::new(hints.reached());
        Self { api, names, clock, reader, hints, seen }
    }

    fn saw(&self, seq: u64) {
        self.seen.fetch_max(seq, Ordering::SeqCst);
    }

    /// The last envelope, from the leader. A ledger that ends before what was seen is not believed at
    /// once, for a leader that was just elected may lag; but if it stays so, it is damaged for good.
    async fn last(&self) -> Result<Option<Stored>, BusError> {
        let mut looks = 0;
        loop {
            let last = self.last_now().await?;
            let actual = last.as_ref().map_or(0, |stored| stored.seq);
            let seen = self.seen.load(Ordering::SeqCst);
            if actual >= seen {
                self.saw(actual);
                return Ok(last);
            }
            looks += 1;
            if looks > BACKWARDS_LOOKS {
                return Err(BusError::Damaged(format!(
                    "the ledger went backwards: it ends at {actual}, and {seen} was seen"
                )));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn last_now(&self) -> Result<Option<Stored>, BusError> {
        let subject = self.names.ledger_subject();
        let which = Which::Last { last_by_subj: &subject };
        Ok(self.api.message(&self.names.ledger, which).await?)
    }

    /// Where the ledger ends, after an append was refused because of it. A cluster refuses as soon as
    /// it has taken another's append, a moment before that one can be read.
    async fn fenced(&self, expected: u64, refusal: Option<&Refusal>) -> BusError {
        let mut last = self.last().await;
        for _ in 0..CLUSTER_LOOKS {
            let actual = last.as_ref().ok().map(|last| last.as_ref().map_or(0, |last| last.seq));
            if actual != Some(expected) {
                break;
            }
            tokio::time::sleep(CLUSTER_PAUSE).await;
            last = self.last().await;
        }
        match last {
            Ok(last) => BusError::Fenced { expected, actual: last.map_or(0, |stored| stored.seq) },
            Err(error @ BusError::Damaged(_)) => error,
            Err(error) => match refusal.and_then(Refusal::named_last) {
                Some(actual) => BusError::Fenced { expected, actual },
                None => error,
            },
        }
    }

    /// The last event up to and with the envelope at `seq`.
    async fn last_event(&self, seq: u64) -> Result<u64, BusError> {
        let stored = self.api.message(&self.names.ledger, Which::At { seq }).await?;
        let stored = stored.ok_or_else(|| BusError::Damaged(format!("envelope {seq} is gone")))?;
        let last = stored.number(LAST_EVENT);
        last.ok_or_else(|| BusError::Damaged(format!("envelope {seq} does not name its events")))
    }
}

#[async_trait]
impl Ledger for NatsLedger {
    /// An append is asked for once: whoever gets no good answer reads the tail (P4).
    async fn append(
        &self,
        expected_last: u64,
        events: (u64, u64),
        envelope: Bytes,
    ) -> Result<u64, BusError> {
        let place = expected_last.to_string();
        let id = Digest::of_fields(&[place.as_bytes(), &envelope]).to_string();
        let (kind, content) = ("postroom.envelope.v1", "application/octet-stream");
        let mut headers = event_headers(&self.names, self.clock.as_ref(), &id, kind, content);
        headers.insert(EXPECTED_LAST, place);
        headers.insert(FIRST_EVENT, events.0.to_string());
        headers.insert(LAST_EVENT, events.1.to_string());
        let subject = self.names.ledger_subject();
        match self.api.publish(&self.names.ledger, subject, headers, envelope).await {
            // Stored by an earlier try; some servers look for that before they look where it ends.
            Ok(ack) if ack.duplicate => Err(self.fenced(expected_last, None).await),
            Ok(ack) if Some(ack.seq) == expected_last.checked_add(1) => {
                self.saw(ack.seq);
                self.hints.raise(ack.seq);
                Ok(ack.seq)
            }
            // The server has forgotten what it acknowledged.
            Ok(ack) => Err(BusError::Damaged(format!(
                "an envelope for the place after {expected_last} was stored at {}",
                ack.seq
            ))),
            Err(Failure::Refused(refusal)) if refusal.is_wrong_last() => {
                Err(self.fenced(expected_last, Some(&refusal)).await)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        let known = self.hints.reached().max(self.seen.load(Ordering::SeqCst));
        let stored = self.reader.read(after, known, limits).await?;
        if let Some(last) = stored.last() {
            self.saw(last.seq);
        }
        Ok(stored.into_iter().map(Stored::entry).collect())
    }

    async fn tail(&self) -> Result<Option<Entry>, BusError> {
        Ok(self.last().await?.map(Stored::entry))
    }

    /// Envelopes name their last event, which never falls, so the first that reaches the position is
    /// found by halving. One without events does not reach more than the one before it.
    async fn find(&self, position: u64) -> Result<Option<u64>, BusError> {
        let position = position.max(1);
        let Some(last) = self.last().await? else {
            return Ok(None);
        };
        if last.number(LAST_EVENT).is_some_and(|event| event < position) {
            return Ok(None);
        }
        let (mut low, mut high) = (1, last.seq);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.last_event(middle).await? < position {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok((self.last_event(low).await? >= position).then_some(low))
    }

    async fn filling(&self) -> Result<Option<Filling>, BusError> {
        let info = self.api.stream(&self.names.ledger).await?;
        Ok(info.and_then(|info| info.filling()))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.hints.subscribe()
    }
}
