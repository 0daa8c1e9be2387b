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
