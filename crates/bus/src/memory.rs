//! Inlet and ledger in memory, for tests and simulations: the same calls give the same entries.
//! Nothing here survives the process, so no product may run on it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::{BusError, Entry, Inlet, Ledger, ReadLimits};

/// An inlet that lives as long as the value.
#[derive(Debug)]
pub struct MemoryInlet {
    kept: Mutex<Kept>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: BTreeMap<u64, Bytes>,
    last: u64,
}

impl Default for MemoryInlet {
    fn default() -> Self {
        Self { kept: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

#[async_trait]
impl Inlet for MemoryInlet {
    async fn publish(&self, batch: Bytes) -> Result<u64, BusError> {
        let mut kept = lock(&self.kept);
        kept.last += 1;
        let seq = kept.last;
        kept.entries.insert(seq, batch);
        self.changes.send_replace(seq);
        Ok(seq)
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        let kept = lock(&self.kept);
        let later = kept.entries.range(after.saturating_add(1)..);
        Ok(limited(later.map(|(seq, bytes)| Entry { seq: *seq, bytes: bytes.clone() }), limits))
    }

    async fn last(&self) -> Result<u64, BusError> {
        Ok(lock(&self.kept).last)
    }

    async fn trim(&self, through: u64) -> Result<(), BusError> {
        let mut kept = lock(&self.kept);
        kept.entries = kept.entries.split_off(&through.saturating_add(1));
        Ok(())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// A ledger that lives as long as the value.
#[derive(Debug)]
pub struct MemoryLedger {
    /// The envelope with sequence n stands at n - 1.
    envelopes: Mutex<Vec<Appended>>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Appended {
    events: (u64, u64),
    bytes: Bytes,
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self { envelopes: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn append(
        &self,
        expected_last: u64,
        events: (u64, u64),
        envelope: Bytes,
    ) -> Result<u64, BusError> {
        let mut envelopes = lock(&self.envelopes);
        let actual = envelopes.len() as u64;
        if actual != expected_last {
            return Err(BusError::Fenced { expected: expected_last, actual });
        }
        envelopes.push(Appended { events, bytes: envelope });
        self.changes.send_replace(actual + 1);
        Ok(actual + 1)
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        let envelopes = lock(&self.envelopes);
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        let later = envelopes.iter().zip(1..).skip(skipped);
        let entries = later.map(|(appended, seq)| Entry { seq, bytes: appended.bytes.clone() });
        Ok(limited(entries, limits))
    }

    async fn tail(&self) -> Result<Option<Entry>, BusError> {
        let envelopes = lock(&self.envelopes);
        let seq = envelopes.len() as u64;
        Ok(envelopes.last().map(|appended| Entry { seq, bytes: appended.bytes.clone() }))
    }

    async fn find(&self, position: u64) -> Result<Option<u64>, BusError> {
        let envelopes = lock(&self.envelopes);
        let mut numbered = envelopes.iter().zip(1..);
        let found = numbered.find(|(appended, _)| {
            let (first, last) = appended.events;
            first <= last && position <= last
        });
        Ok(found.map(|(_, seq)| seq))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first entries, as many as the limits let through, but one at least.
fn limited(entries: impl Iterator<Item = Entry>, limits: ReadLimits) -> Vec<Entry> {
    let mut taken: Vec<Entry> = Vec::new();
    let mut bytes = 0_usize;
    for entry in entries {
        bytes = bytes.saturating_add(entry.bytes.len());
        let over = taken.len() >= limits.entries_max || bytes > limits.bytes_max;
        if over && !taken.is_empty() {
            break;
        }
        taken.push(entry);
    }
    taken
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MemoryInlet, MemoryLedger};

    #[tokio::test]
    async fn memory_inlet_conforms() {
        crate::conformance::inlet(&MemoryInlet::default()).await;
        crate::conformance::intake(Arc::new(MemoryInlet::default())).await;
    }

    #[tokio::test]
    async fn memory_ledger_conforms() {
        crate::conformance::ledger(&MemoryLedger::default()).await;
    }
}
