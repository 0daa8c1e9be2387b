//! The write of the records that is under way while the next batch is decided.
//!
//! At most one is: the next one waits for it. The ledger holds the envelope already, so a write that
//! fails is made good from there.

use std::sync::Arc;

use postroom_records::{Above, Change, Records, RecordsError, Standing};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// A write under way.
#[derive(Debug)]
pub(crate) struct Behind {
    /// Where the records stood before it.
    from: u64,
    changes: Arc<[Change]>,
    task: JoinHandle<Result<(), RecordsError>>,
}

impl Behind {
    /// Begins to write the changes, which are in the order of their keys.
    pub(crate) fn begin(
        tasks: &TaskTracker,
        records: &Arc<dyn Records>,
        (from, to): (u64, Standing),
        changes: Arc<[Change]>,
    ) -> Self {
        let (records, written) = (Arc::clone(records), Arc::clone(&changes));
        let task = tasks.spawn(async move { records.write(from, to, written).await });
        Self { from, changes, task }
    }

    /// What the next batch is decided on.
    pub(crate) fn above(&self) -> Above<'_> {
        Above { from: self.from, changes: &self.changes }
    }

    /// Waits until it is written or has failed.
    pub(crate) async fn ended(self) -> Result<(), RecordsError> {
        match self.task.await {
            Ok(ended) => ended,
            Err(error) => Err(RecordsError::Unavailable(error.to_string())),
        }
    }
}
