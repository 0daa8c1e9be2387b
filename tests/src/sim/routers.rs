//! Routers that crash at any await and come back.

use std::sync::Arc;

use postroom_bus::Blobs;
use postroom_model::{Clock, IdSource, SeededRandom};
use postroom_router::{Router, RouterMetrics, RouterParts};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::dice::{Draw, mix, named};
use super::inlet::LineInlet;
use super::ledger::LineLedger;
use super::line::Line;
use super::records::LineRecords;
use super::stage::Stage;

/// The lane of the first router; the one beside is the next.
const LANE: u64 = 0;
/// The lanes from which they are crashed.
const CRASH_LANE: u64 = 3;

/// Runs the router of `slot` until shutdown, life after life.
pub(crate) async fn keep_running(
    stage: Arc<Stage>,
    blobs: Blobs,
    metrics: RouterMetrics,
    slot: u64,
    shutdown: CancellationToken,
) {
    for life in 0.. {
        let router = Router::new(parts(&stage, &blobs, &metrics, slot, life));
        let mut running = stage.tasks.spawn(router.run(shutdown.clone()));
        tokio::select! {
            biased;
            ended = &mut running => {
                match ended {
                    Ok(Ok(())) if shutdown.is_cancelled() => {}
                    Ok(Ok(())) => stage.complain("a router ended before the shutdown".to_owned()),
                    Ok(Err(error)) => stage.complain(format!("a router stopped: {error}")),
                    Err(error) => stage.complain(format!("P9: a router broke down: {error}")),
                }
                return;
            }
            for_good = crash(&stage, slot, life) => {
                running.abort();
                stage.count("crashed");
                if for_good {
                    stage.count("crashed for good");
                    return;
                }
            }
        }
        let mut draw = Draw::new(stage.plan.seed, "pause", mix(slot, life));
        stage.rest(CRASH_LANE + slot, draw.below(200)).await;
    }
}

/// Returns when the router is to crash, and whether for good: of two, one may never come back.
async fn crash(stage: &Stage, slot: u64, life: u64) -> bool {
    let mut draw = Draw::new(stage.plan.seed, "life", mix(slot, life));
    let lane = CRASH_LANE + slot;
    if let Some(life_ms) = stage.plan.life_ms {
        stage.rest(lane, draw.below(2 * life_ms)).await;
        if !stage.is_calm() {
            return false;
        }
    }
    while !stage.is_calm() {
        stage.rest(lane, 50).await;
    }
    let lost = Draw::new(stage.plan.seed, "lost", 0).below(4);
    if stage.plan.routers == 2 && lost == slot {
        return true;
    }
    std::future::pending().await
}

fn parts(
    stage: &Arc<Stage>,
    blobs: &Blobs,
    metrics: &RouterMetrics,
    slot: u64,
    life: u64,
) -> RouterParts {
    let line = Line::new(stage, LANE + slot, life);
    let clock: Arc<dyn Clock> = Arc::<super::stage::StageClock>::clone(&stage.clock);
    let seed = mix(named(stage.plan.seed, "router"), mix(slot, life));
    RouterParts {
        inlet: Arc::new(LineInlet(line.clone())),
        doors: None,
        ledger: Arc::new(LineLedger(line.clone())),
        records: Arc::new(LineRecords(line)),
        blobs: blobs.clone(),
        clock: Arc::clone(&clock),
        ids: IdSource::new(clock, Arc::new(SeededRandom::new(seed))),
        limits: stage.plan.limits(),
        metrics: metrics.clone(),
        tasks: stage.tasks.clone(),
        ready: watch::Sender::new(false),
    }
}
