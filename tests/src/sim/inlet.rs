//! The inlet as one actor reaches it, and how actors publish through it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_bus::{BusError, Entry, Inlet, MemoryInlet, ReadLimits, encode_batch, encode_input};
use postroom_model::{Input, InputId};
use tokio::sync::watch;

use super::ledger::no_answer;
use super::line::{Call, Line};
use super::plan::Sabotage;

/// [`MemoryInlet`] at the end of a line.
#[derive(Debug)]
pub(crate) struct LineInlet(pub(crate) Line);

impl LineInlet {
    fn store(&self) -> Arc<MemoryInlet> {
        Arc::clone(&self.0.stage.inlet)
    }

    /// Publishes until it is acknowledged, as every door does.
    pub(crate) async fn give(&self, inputs: &[Input]) {
        let encoded: Vec<Bytes> = inputs.iter().filter_map(|one| encode_input(one).ok()).collect();
        self.give_raw(encode_batch(&encoded)).await;
        let ids = inputs.iter().map(|input| input.id);
        self.0.stage.notes().acknowledged.extend(ids.collect::<Vec<InputId>>());
    }

    pub(crate) async fn give_raw(&self, batch: Bytes) {
        self.0.stage.notes().under_way += 1;
        while self.publish(batch.clone()).await.is_err() {
            self.0.stage.rest(self.0.lane, 5).await;
        }
        let mut notes = self.0.stage.notes();
        notes.under_way -= 1;
        notes.published.push(batch);
    }
}

#[async_trait]
impl Inlet for LineInlet {
    async fn publish(&self, batch: Bytes) -> Result<u64, BusError> {
        let (store, sabotage) = (self.store(), self.0.stage.plan.sabotage);
        let published = async move {
            if sabotage == Sabotage::InletForgetsPublish && batch.len() % 8 == 3 {
                return store.last().await;
            }
            store.publish(batch).await
        };
        self.0.call("publish", Call::Changes, published).await.unwrap_or_else(no_answer)
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        let (store, sabotage) = (self.store(), self.0.stage.plan.sabotage);
        let read = async move {
            let mut entries = store.read(after, limits).await?;
            if sabotage == Sabotage::InletSkipsEntry && entries.len() > 1 {
                entries.remove(0);
            }
            Ok(entries)
        };
        self.0.call("inlet.read", Call::Asks, read).await.unwrap_or_else(no_answer)
    }

    async fn last(&self) -> Result<u64, BusError> {
        let store = self.store();
        let last = async move { store.last().await };
        self.0.call("inlet.last", Call::Asks, last).await.unwrap_or_else(no_answer)
    }

    async fn trim(&self, through: u64) -> Result<(), BusError> {
        let store = self.store();
        let trimmed = async move { store.trim(through).await };
        self.0.call("trim", Call::Changes, trimmed).await.unwrap_or_else(no_answer)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.stage.inlet.changes()
    }
}
