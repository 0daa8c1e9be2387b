//! The ledger as one router reaches it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_bus::{BusError, Entry, Ledger, MemoryLedger, ReadLimits};
use postroom_model::{Envelope, Event, EventBody};
use tokio::sync::watch;

use super::line::{Call, Line};
use super::plan::Sabotage;

/// [`MemoryLedger`] at the end of a line.
#[derive(Debug)]
pub(crate) struct LineLedger(pub(crate) Line);

impl LineLedger {
    fn store(&self) -> Arc<MemoryLedger> {
        Arc::clone(&self.0.stage.ledger)
    }
}

/// The envelope without its first assignment, if it holds one.
fn unassigned(bytes: &Bytes) -> Option<Bytes> {
    let (mut envelope, _) = Envelope::decode(bytes).ok()?;
    let assigned = |event: &Event| matches!(event.body, EventBody::ConversationAssigned { .. });
    let (events, place) = envelope.transitions.iter_mut().find_map(|transition| {
        let place = transition.events.iter().position(assigned)?;
        Some((&mut transition.events, place))
    })?;
    events.remove(place);
    Some(Bytes::from(envelope.encode().ok()?.bytes))
}

pub(crate) fn no_answer<T>() -> Result<T, BusError> {
    Err(BusError::Unavailable("no answer".to_owned()))
}

#[async_trait]
impl Ledger for LineLedger {
    async fn append(
        &self,
        expected_last: u64,
        events: (u64, u64),
        envelope: Bytes,
    ) -> Result<u64, BusError> {
        let (store, stage) = (self.store(), Arc::clone(&self.0.stage));
        let appended = async move {
            let (mut expected, mut envelope) = (expected_last, envelope);
            match stage.plan.sabotage {
                Sabotage::LedgerWithoutFence => {
                    expected = store.tail().await?.map_or(0, |tail| tail.seq);
                }
                Sabotage::LedgerLosesAssignment if expected_last % 4 == 3 => {
                    envelope = unassigned(&envelope).unwrap_or(envelope);
                }
                Sabotage::LedgerForgetsAppend if expected_last % 8 == 7 => {
                    return Ok(expected_last + 1);
                }
                _ => {}
            }
            let appended = store.append(expected, events, envelope).await;
            if matches!(appended, Err(BusError::Fenced { .. })) {
                stage.count("stale append refused");
            }
            appended
        };
        self.0.call("append", Call::Changes, appended).await.unwrap_or_else(no_answer)
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        let store = self.store();
        // Nobody else asks for one envelope alone.
        if limits.entries_max == 1 {
            self.0.stage.count("snapshot looked up");
        }
        let read = async move { store.read(after, limits).await };
        self.0.call("ledger.read", Call::Asks, read).await.unwrap_or_else(no_answer)
    }

    async fn tail(&self) -> Result<Option<Entry>, BusError> {
        let store = self.store();
        let tail = async move { store.tail().await };
        self.0.call("ledger.tail", Call::Asks, tail).await.unwrap_or_else(no_answer)
    }

    async fn find(&self, position: u64) -> Result<Option<u64>, BusError> {
        let store = self.store();
        let found = async move { store.find(position).await };
        self.0.call("ledger.find", Call::Asks, found).await.unwrap_or_else(no_answer)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.stage.ledger.changes()
    }
}
