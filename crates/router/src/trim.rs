//! What the inlet may forget: publishes that were decided, and so long ago that nobody looks back at
//! them any more. The ledger tells both, since every envelope names its time and the inlet's place.
//!
//! By the clock and not by what comes in: an inlet that is full takes nothing, and must still get
//! room as time goes by.

use std::sync::Arc;
use std::time::Duration;

use postroom_bus::{Inlet, Ledger, ReadLimits};
use postroom_model::{Envelope, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::run::RouterParts;
use crate::{RouterError, RouterMetrics};

/// How often it is looked for what may be forgotten.
const TRIM_EVERY: Duration = Duration::from_mins(10);
/// Publishes that one trim forgets, so that storing never waits long.
const TRIM_STEP: u64 = 2_000;
const ONE: ReadLimits = ReadLimits { entries_max: 1, bytes_max: 1 };

/// Trims beside the loop, one at a time.
#[derive(Default)]
pub(crate) struct Trimmer {
    next_at: Option<Instant>,
    running: Option<JoinHandle<()>>,
}

impl Trimmer {
    /// Looks if it is time to; the ledger ends at `tail_seq`.
    pub(crate) fn look(&mut self, parts: &RouterParts, tail_seq: u64) {
        let now = Instant::now();
        let early = self.next_at.is_some_and(|at| now < at);
        if early || self.running.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        self.next_at = Some(now + TRIM_EVERY);
        let keep_ms = i64::try_from(parts.limits.inlet_keep.as_millis()).unwrap_or(i64::MAX);
        let before = parts.clock.now().plus_millis(keep_ms.saturating_neg());
        let (inlet, ledger) = (Arc::clone(&parts.inlet), Arc::clone(&parts.ledger));
        let metrics = parts.metrics.clone();
        self.running = Some(parts.tasks.spawn(async move {
            let trimmed = async {
                let floor = floor(ledger.as_ref(), tail_seq, before).await?;
                trim(inlet.as_ref(), floor, &metrics).await
            };
            if let Err(error) = trimmed.await {
                tracing::warn!(code = error.code(), %error, "the inlet was not trimmed");
            }
        }));
    }
}

/// Up to where the inlet was decided by the envelopes of `before` and earlier; 0 if there are none.
async fn floor(ledger: &dyn Ledger, tail_seq: u64, before: Timestamp) -> Result<u64, RouterError> {
    let (mut low, mut high, mut floor) = (0, tail_seq, 0);
    while low < high {
        let middle = high - (high - low) / 2;
        let Some(entry) = ledger.read(middle - 1, ONE).await?.into_iter().next() else {
            return Ok(floor);
        };
        let (envelope, _) = Envelope::decode(&entry.bytes)
            .map_err(|error| RouterError::damaged(entry.seq, &error))?;
        if envelope.at <= before {
            (low, floor) = (middle, envelope.inlet_seq);
        } else {
            high = middle - 1;
        }
    }
    Ok(floor)
}

async fn trim(inlet: &dyn Inlet, through: u64, metrics: &RouterMetrics) -> Result<(), RouterError> {
    let entries = inlet.read(0, ONE).await?;
    let mut at = entries.first().map_or(through, |entry| entry.seq.saturating_sub(1));
    while at < through {
        at = (at + TRIM_STEP).min(through);
        inlet.trim(at).await?;
        metrics.forgot(at);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{TRIM_STEP, floor, trim};
    use crate::RouterMetrics;
    use bytes::Bytes;
    use postroom_bus::{Inlet as _, Ledger as _, MemoryInlet, MemoryLedger, ReadLimits};
    use postroom_model::digest::Digest;
    use postroom_model::envelope::ENVELOPE_VERSION;
    use postroom_model::{Bodies, Envelope, Timestamp};
    use prometheus_client::registry::Registry;

    async fn ledger(envelopes: &[(i64, u64)]) -> MemoryLedger {
        let ledger = MemoryLedger::default();
        for ((at, inlet_seq), seq) in envelopes.iter().zip(0..) {
            let mut envelope = Envelope {
                v: ENVELOPE_VERSION,
                epoch: 1,
                writer: uuid::Uuid::nil(),
                at: Timestamp::from_seconds(*at),
                prev_hash: Digest::ZERO,
                inlet_seq: *inlet_seq,
                first_event: 1,
                transitions: Vec::new(),
                bodies_hash: Digest::ZERO,
                bodies: Bodies::default(),
            };
            let bytes = Bytes::from(envelope.encode().unwrap().bytes);
            ledger.append(seq, (1, 0), bytes).await.unwrap();
        }
        ledger
    }

    #[tokio::test]
    async fn only_what_was_decided_long_ago_may_be_forgotten() {
        let of = [(10, 3), (20, 7), (20, 9), (30, 9), (40, 12)];
        for count in 0..=of.len() {
            let ledger = ledger(&of[..count]).await;
            for before in [0, 9, 10, 15, 20, 29, 30, 39, 40, 99] {
                let old = of[..count].iter().rev().find(|(at, _)| *at <= before);
                let wanted = old.map_or(0, |(_, seq)| *seq);
                let before = Timestamp::from_seconds(before);
                let found = floor(&ledger, count as u64, before).await.unwrap();
                assert_eq!(found, wanted, "{count} envelopes, before {before}");
            }
        }
    }

    #[tokio::test]
    async fn inlet_is_trimmed_to_the_floor_and_no_further() {
        let inlet = MemoryInlet::default();
        let count = TRIM_STEP + 500;
        for number in 0..count {
            inlet.publish(Bytes::from(format!("[{number}]"))).await.unwrap();
        }
        let metrics = RouterMetrics::register(&mut Registry::default());
        for (floor, first) in [(0, 1), (10, 11), (count - 5, count - 4), (10, count - 4)] {
            trim(&inlet, floor, &metrics).await.unwrap();
            let read = inlet.read(0, ReadLimits::default()).await.unwrap();
            assert_eq!(read.first().map(|entry| entry.seq), Some(first), "{floor}");
        }
        assert_eq!(inlet.last().await, Ok(count));
    }
}
