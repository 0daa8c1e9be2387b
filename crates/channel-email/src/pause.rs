//! Waits between one try and the next, longer each time.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Pause {
    next: Duration,
}

impl Pause {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// False if `shutdown` came first.
    pub(crate) async fn rest(&mut self, shutdown: &CancellationToken) -> bool {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(LONGEST);
        tokio::select! {
            () = shutdown.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }
}
