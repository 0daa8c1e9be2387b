//! An inlet and a ledger whose next calls fail, as many as one likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use postroom_bus::{BusError, Entry, Inlet, Ledger, MemoryInlet, MemoryLedger, ReadLimits};
use tokio::sync::watch;

#[derive(Debug, Default)]
pub(crate) struct FlakyInlet {
    inner: MemoryInlet,
    /// So many publishes are stored, but the answer is lost.
    pub(crate) unanswered: AtomicU32,
    /// So many publishes are refused.
    pub(crate) refused: AtomicU32,
}

#[async_trait]
impl Inlet for FlakyInlet {
    async fn publish(&self, batch: Bytes) -> Result<u64, BusError> {
        if take(&self.refused) {
            return Err(BusError::Full);
        }
        let seq = self.inner.publish(batch).await?;
        if take(&self.unanswered) {
            return Err(BusError::Unavailable("no answer".to_owned()));
        }
        Ok(seq)
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        self.inner.read(after, limits).await
    }

    async fn last(&self) -> Result<u64, BusError> {
        self.inner.last().await
    }

    async fn trim(&self, through: u64) -> Result<(), BusError> {
        self.inner.trim(through).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }
}

#[derive(Debug, Default)]
pub(crate) struct FlakyLedger {
    inner: Arc<MemoryLedger>,
    /// So many reads fail.
    pub(crate) unread: AtomicU32,
}

#[async_trait]
impl Ledger for FlakyLedger {
    async fn append(
        &self,
        expected_last: u64,
        events: (u64, u64),
        envelope: Bytes,
    ) -> Result<u64, BusError> {
        self.inner.append(expected_last, events, envelope).await
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        if take(&self.unread) {
            return Err(BusError::Unavailable("no answer".to_owned()));
        }
        self.inner.read(after, limits).await
    }

    async fn tail(&self) -> Result<Option<Entry>, BusError> {
        self.inner.tail().await
    }

    async fn find(&self, position: u64) -> Result<Option<u64>, BusError> {
        self.inner.find(position).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }
}

fn take(left: &AtomicU32) -> bool {
    let less = |left: u32| left.checked_sub(1);
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
}
