//! How much the router takes at once, and how long it waits.

use std::time::Duration;

/// Bounds of a batch and of the waits between tries (P12).
#[derive(Debug, Clone, Copy)]
pub struct RouterLimits {
    /// Publishes of the inlet in one batch. Each holds up to the intake's number of inputs.
    pub batch_entries_max: usize,
    /// Bytes of the inlet in one batch.
    pub batch_bytes_max: usize,
    /// How long a small batch waits for more to come.
    pub linger: Duration,
    /// Inputs below which a batch lingers.
    pub linger_below: usize,
    /// Events between two snapshots.
    pub snapshot_events: u64,
    /// Snapshots that are kept.
    pub snapshots_kept: usize,
    /// The first and the longest pause after a failure.
    pub retry_min: Duration,
    pub retry_max: Duration,
    /// For how long the ledger must stand still, with inputs waiting, before a router that had
    /// stepped down takes over again.
    pub takeover_after: Duration,
}

impl Default for RouterLimits {
    fn default() -> Self {
        Self {
            batch_entries_max: 256,
            batch_bytes_max: 1024 * 1024,
            linger: Duration::from_millis(1),
            linger_below: 32,
            snapshot_events: 50_000,
            snapshots_kept: 2,
            retry_min: Duration::from_millis(20),
            retry_max: Duration::from_secs(2),
            takeover_after: Duration::from_secs(3),
        }
    }
}
