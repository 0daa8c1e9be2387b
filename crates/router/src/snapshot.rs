//! Snapshots of the state, so that a start does not fold the whole past.
//!
//! Made beside the router, from the last snapshot and the ledger, so that routing does not wait.

use bytes::Bytes;
use postroom_bus::{Blobs, Ledger, SnapshotName};
use postroom_routing::State;

use crate::RouterError;
use crate::recover::{Tail, fold_tail, from_snapshot};

/// Makes a snapshot at `through` from the one before it.
pub(crate) async fn make(
    ledger: &dyn Ledger,
    blobs: &Blobs,
    through: u64,
    kept: usize,
) -> Result<(), RouterError> {
    let mut recovered = from_snapshot(ledger, blobs).await?;
    fold_tail(ledger, &mut recovered, through).await?;
    let tail = recovered.tail;
    let state = recovered.state;
    let bytes = tokio::task::spawn_blocking(move || state.to_snapshot().ok()).await;
    let Ok(Some(bytes)) = bytes else { return Ok(()) };
    store(blobs, &tail, Bytes::from(bytes), kept).await
}

/// Stores the live state; at a shutdown, when nothing else is to be done.
pub(crate) async fn store_state(
    blobs: &Blobs,
    state: &State,
    tail: &Tail,
    kept: usize,
) -> Result<(), RouterError> {
    match state.to_snapshot() {
        Ok(bytes) => store(blobs, tail, Bytes::from(bytes), kept).await,
        Err(error) => {
            tracing::warn!(%error, "no snapshot was made");
            Ok(())
        }
    }
}

async fn store(blobs: &Blobs, tail: &Tail, bytes: Bytes, kept: usize) -> Result<(), RouterError> {
    if tail.seq == 0 {
        return Ok(());
    }
    let name = SnapshotName { ledger_seq: tail.seq, ledger_hash: tail.hash };
    blobs.put_snapshot(&name, bytes).await?;
    blobs.drop_snapshots_before(tail.seq, kept).await?;
    tracing::debug!(seq = tail.seq, "snapshot made");
    Ok(())
}
