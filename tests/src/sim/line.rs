//! The line between an actor and a store: calls are slow, fail, land late or lose their answer.

use std::sync::Arc;

use super::dice::{Draw, mix};
use super::stage::Stage;

/// The longest that a call is held up: longer than it takes another router to take over.
const HOLD_MS: u64 = 900;

/// What a call does to its store: a late one may still land after the caller has given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Asks,
    Changes,
}

/// One actor's line. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) stage: Arc<Stage>,
    pub(crate) lane: u64,
    /// Which life of the actor this is.
    life: u64,
}

impl Line {
    pub(crate) fn new(stage: &Arc<Stage>, lane: u64, life: u64) -> Self {
        Self { stage: Arc::clone(stage), lane, life }
    }

    /// Makes the call; none if the caller gets no answer, whether the call was carried out or not.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        what: &str,
        kind: Call,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let stage = &self.stage;
        let plan = &stage.plan;
        let mut draw = self.draw(what);
        if stage.is_calm() {
            stage.rest(self.lane, 1).await;
            return Some(work.await);
        }
        let held = draw.per_mille(plan.hold);
        let hold_ms = 100 + draw.below(HOLD_MS);
        if held {
            stage.count("held up");
        }
        let first = draw.below(2) == 0;
        stage.rest(self.lane, if held && first { hold_ms } else { draw.below(12) }).await;
        if draw.per_mille(plan.fail) {
            stage.count("failed");
            return None;
        }
        if kind == Call::Changes && draw.per_mille(plan.late) {
            stage.count("landed late");
            let (stage, lane, later_ms) = (Arc::clone(stage), self.lane, draw.below(300));
            let tasks = stage.tasks.clone();
            stage.notes().under_way += 1;
            tasks.spawn(async move {
                stage.rest(lane, later_ms).await;
                drop(work.await);
                stage.notes().under_way -= 1;
            });
            return None;
        }
        let done = work.await;
        if held && !first {
            stage.rest(self.lane, hold_ms).await;
        }
        if draw.per_mille(plan.lose) {
            stage.count("answer lost");
            stage.rest(self.lane, 1).await;
            return None;
        }
        Some(done)
    }

    fn draw(&self, what: &str) -> Draw {
        let stage = &self.stage;
        let at = mix(self.life * 64 + self.lane, stage.clock.elapsed_ms());
        Draw::new(stage.plan.seed, what, at)
    }
}
