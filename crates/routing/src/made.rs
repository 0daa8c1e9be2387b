//! Ids for what a decision makes, drawn from where in the inlet it was asked for.

use postroom_model::{Position, Timestamp, ids};
use uuid::Uuid;

/// Makes version 7 ids. The same position and order of calls give the same ids, so a decision taken
/// again, after an append whose answer was lost, makes the very same bytes.
#[derive(Debug, Clone)]
pub struct Made {
    at: Timestamp,
    position: Position,
    count: u64,
}

impl Made {
    pub fn new(at: Timestamp, position: Position) -> Self {
        Self { at, position, count: 0 }
    }

    /// When it is decided.
    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    pub(crate) fn next(&mut self, purpose: &'static str) -> Uuid {
        self.count += 1;
        ids::decided(
            self.at,
            purpose,
            &[self.position.seq, u64::from(self.position.index), self.count],
        )
    }
}
