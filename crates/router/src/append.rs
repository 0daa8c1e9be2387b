//! The fenced append: whatever the answer, the ledger's tail tells what happened (P4).

use std::time::Duration;

use bytes::Bytes;
use postroom_bus::{BusError, Ledger};

use crate::{RouterError, RouterLimits};

/// Appends after `expected_last`. After any answer but success the tail is read back: ours, go on;
/// another's, step down; nothing there, the very same bytes again.
pub(crate) async fn append(
    ledger: &dyn Ledger,
    limits: &RouterLimits,
    expected_last: u64,
    events: (u64, u64),
    bytes: &Bytes,
) -> Result<u64, RouterError> {
    let mut pause = limits.retry_min;
    loop {
        let error = match ledger.append(expected_last, events, bytes.clone()).await {
            Ok(seq) => return Ok(seq),
            Err(error) => error,
        };
        match ledger.tail().await {
            Ok(Some(tail)) if tail.seq == expected_last + 1 && tail.bytes == *bytes => {
                return Ok(tail.seq);
            }
            Ok(tail) => {
                let actual = tail.map_or(0, |tail| tail.seq);
                if actual > expected_last {
                    return Err(RouterError::SteppedDown);
                }
                if actual < expected_last {
                    let what = "ledger";
                    return Err(RouterError::WentBackwards {
                        what,
                        expected: expected_last,
                        actual,
                    });
                }
                match error {
                    BusError::TooLarge { .. } => return Err(RouterError::BatchTooLarge),
                    // The tail that was read may be older than the refusal: the next one tells.
                    error @ BusError::Fenced { .. } => {
                        tracing::warn!(%error, "refused, though the tail is ours; trying again");
                    }
                    error if !error.retryable() => return Err(error.into()),
                    error => tracing::warn!(code = error.code(), "append failed; trying again"),
                }
            }
            // A ledger that went backwards, say: a person has to look.
            Err(error) if !error.retryable() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(code = error.code(), "the tail could not be read; trying again");
            }
        }
        tokio::time::sleep(pause).await;
        pause = longer(pause, limits);
    }
}

/// The next pause: twice as long, up to the longest.
pub(crate) fn longer(pause: Duration, limits: &RouterLimits) -> Duration {
    pause.saturating_mul(2).min(limits.retry_max)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;
    use postroom_bus::{BusError, Entry, Ledger, MemoryLedger, ReadLimits};
    use tokio::sync::watch;

    use super::append;
    use crate::RouterLimits;

    /// A ledger that answers no append, and knows that it has lost something.
    #[derive(Debug, Default)]
    struct WentBackwards(MemoryLedger);

    #[async_trait]
    impl Ledger for WentBackwards {
        async fn append(&self, _: u64, _: (u64, u64), _: Bytes) -> Result<u64, BusError> {
            Err(BusError::Unavailable("no answer".to_owned()))
        }

        async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
            self.0.read(after, limits).await
        }

        async fn tail(&self) -> Result<Option<Entry>, BusError> {
            Err(BusError::Damaged("it ends before what was seen".to_owned()))
        }

        async fn find(&self, position: u64) -> Result<Option<u64>, BusError> {
            self.0.find(position).await
        }

        fn changes(&self) -> watch::Receiver<u64> {
            self.0.changes()
        }
    }

    #[tokio::test]
    async fn damaged_tail_ends_the_append_instead_of_asking_for_ever() {
        let (ledger, limits) = (WentBackwards::default(), RouterLimits::default());
        let ended = append(&ledger, &limits, 3, (4, 4), &Bytes::from_static(b"envelope")).await;
        assert_eq!(ended.unwrap_err().code(), "storage_damaged");
    }
}
