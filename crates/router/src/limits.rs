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
    /// While the doors of this process are crowded, they are left this many times the time that a
    /// batch took, before the next one.
    pub give_way: u32,
    /// Inputs in a batch from which on the doors are left any time.
    pub give_way_from: usize,
    /// The longest that is left to them at once.
    pub give_way_max: Duration,
    /// Events between two snapshots.
    pub snapshot_events: u64,
    /// Snapshots that are kept.
    pub snapshots_kept: usize,
    /// For how long the inlet keeps what was decided.
    pub inlet_keep: Duration,
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
            give_way: 3,
            give_way_from: 64,
            give_way_max: Duration::from_millis(100),
            snapshot_events: 50_000,
            snapshots_kept: 2,
            inlet_keep: Duration::from_hours(14 * 24),
            retry_min: Duration::from_millis(20),
            retry_max: Duration::from_secs(2),
            takeover_after: Duration::from_secs(3),
        }
    }
}

impl RouterLimits {
    /// What crowded doors are left after a batch that took so long.
    pub(crate) fn left_to_doors(&self, took: Duration) -> Duration {
        took.saturating_mul(self.give_way).min(self.give_way_max)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RouterLimits;

    #[test]
    fn doors_are_left_a_multiple_of_the_batch_and_never_more_than_the_limit() {
        let limits = RouterLimits::default();
        for (took, left) in [(0, 0), (5, 15), (33, 99), (40, 100), (u64::MAX, 100)] {
            let left = Duration::from_millis(left);
            assert_eq!(limits.left_to_doors(Duration::from_millis(took)), left, "{took}");
        }
    }
}
