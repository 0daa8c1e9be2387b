//! What befalls the records and the clock: cleared, set back to an old copy, hours that jump.

use std::sync::Arc;

use postroom_model::SeededRandom;
use postroom_records::{Change, Records as _, Standing};

use super::dice::named;
use super::stage::Stage;

const LANE: u64 = 2;
/// For longer than this no input needs to be known.
const SEEN_MS: i64 = 8 * 24 * 60 * 60 * 1_000;

/// A copy of all records.
struct Copy {
    standing: Standing,
    rows: Vec<Change>,
}

/// Until the house is calm.
pub(crate) async fn chaos(stage: Arc<Stage>) {
    let random = SeededRandom::new(named(stage.plan.seed, "chaos"));
    let every_ms = stage.plan.records_fault_ms;
    let mut copy: Option<Copy> = None;
    let mut jump_ms = stage.plan.jump_ms;
    let jump_at_ms = random.below(1_500);
    loop {
        stage.rest(LANE, 1 + random.below(2 * every_ms.unwrap_or(100))).await;
        if stage.is_calm() {
            return;
        }
        if jump_ms > 0 && stage.clock.elapsed_ms() > jump_at_ms && jump(&stage, jump_ms) {
            jump_ms = 0;
        }
        if every_ms.is_none() {
            continue;
        }
        match random.below(3) {
            0 => {
                stage.count("records cleared");
                drop(stage.records.clear().await);
            }
            1 => copy = copy_of(&stage).await.or(copy),
            _ => {
                if let Some(old) = copy.take() {
                    stage.count("records set back");
                    drop(stage.records.clear().await);
                    drop(stage.records.write(0, old.standing, old.rows.into()).await);
                }
            }
        }
    }
}

async fn copy_of(stage: &Stage) -> Option<Copy> {
    let standing = stage.records.standing().await.ok()?;
    let rows = stage.records.scan(None, usize::MAX).await.ok()?;
    let rows = rows.into_iter().map(|(key, row)| Change::Put(key, row)).collect();
    Some(Copy { standing, rows })
}

/// Jumps only while no publish is under way: whoever tries for that long may be forgotten.
fn jump(stage: &Stage, ms: i64) -> bool {
    let mut notes = stage.notes();
    if ms > SEEN_MS {
        if notes.under_way > 0 {
            return false;
        }
        notes.published.clear();
    }
    drop(notes);
    stage.clock.jump(ms);
    stage.count("clock jumped");
    true
}
