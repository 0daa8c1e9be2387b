//! How long to wait before something inside the house is tried again: twice as long each time.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// How long to wait now.
    pub(crate) fn step(&mut self) -> Duration {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(LONGEST);
        wait
    }

    /// It succeeded: the next failure begins from the start.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, FIRST, LONGEST};

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new();
        assert_eq!(backoff.step(), FIRST);
        assert_eq!(backoff.step(), 2 * FIRST);
        for _ in 0..20 {
            assert!(backoff.step() <= LONGEST);
        }
        assert_eq!(backoff.step(), LONGEST);
        backoff.reset();
        assert_eq!(backoff.step(), FIRST);
    }
}
