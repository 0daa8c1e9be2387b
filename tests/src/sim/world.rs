//! One history from its seed to the verdict.

use std::sync::Arc;
use std::time::Duration;

use postroom_bus::{Blobs, Inlet as _, Ledger as _};
use postroom_records::Records as _;
use postroom_router::RouterMetrics;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use super::agents::agents;
use super::chaos::chaos;
use super::customers::customers;
use super::hosts::host;
use super::judge;
use super::mails::mails;
use super::operator::{echo, operator};
use super::plan::{Plan, Sabotage};
use super::routers::keep_running;
use super::stage::{Stage, Tally};

/// Where shared memory is a folder; else the folder for temporary files serves.
const SHARED_MEMORY: &str = "/dev/shm";
const LANE: u64 = 11;
/// For how long nothing may happen before the house is taken to be at rest.
const REST_MS: u64 = 600;
/// By then it must be at rest: longer than any pause, hold and take-over together.
const RESTLESS_MS: u64 = 30_000;
const SHUTDOWN_MAX: Duration = Duration::from_secs(30);

/// The folder of the snapshots, used for one history after the other.
#[derive(Debug)]
pub struct Shelf {
    folder: TempDir,
    blobs: Blobs,
}

impl Shelf {
    pub fn open() -> Result<Self, String> {
        let folder = TempDir::new_in(SHARED_MEMORY).or_else(|_| TempDir::new());
        let folder = folder.map_err(|error| error.to_string())?;
        let blobs = Blobs::open(folder.path()).map_err(|error| error.to_string())?;
        Ok(Self { folder, blobs })
    }

    /// Throws away what the history before has left.
    fn empty(&self) -> std::io::Result<()> {
        let snapshots = self.folder.path().join("snapshots");
        std::fs::remove_dir_all(&snapshots)?;
        std::fs::create_dir(&snapshots)
    }
}

/// What the judge says of one history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which promise is broken, and how; none means that all are kept.
    pub complaints: Vec<String>,
    pub tally: Tally,
    /// Hash of the last envelope: two histories with the same are the same.
    pub ledger_hash: String,
}

/// Plays the history of a seed and judges it.
pub fn play(seed: u64, sabotage: Sabotage, shelf: &Shelf) -> Result<Verdict, String> {
    shelf.empty().map_err(|error| error.to_string())?;
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()
        .map_err(|error| error.to_string())?;
    Ok(runtime.block_on(history(seed, sabotage, &shelf.blobs)))
}

async fn history(seed: u64, sabotage: Sabotage, blobs: &Blobs) -> Verdict {
    let stage = Arc::new(Stage::new(Plan::new(seed, sabotage)));
    let mut registry = Registry::default();
    let metrics = RouterMetrics::register(&mut registry);
    let shutdown = CancellationToken::new();
    let routers: Vec<_> = (0..u64::from(stage.plan.routers))
        .map(|slot| {
            let (stage, metrics) = (Arc::clone(&stage), metrics.clone());
            let tasks = stage.tasks.clone();
            tasks.spawn(keep_running(stage, blobs.clone(), metrics, slot, shutdown.clone()))
        })
        .collect();
    let disturbed = stage.tasks.spawn(chaos(Arc::clone(&stage)));
    tokio::join!(
        customers(Arc::clone(&stage)),
        agents(Arc::clone(&stage)),
        operator(Arc::clone(&stage)),
        echo(Arc::clone(&stage)),
        mails(Arc::clone(&stage)),
        host(Arc::clone(&stage), 0),
        host(Arc::clone(&stage), 1),
    );
    stage.calm_down();
    drop(disturbed.await);
    if !comes_to_rest(&stage).await {
        stage.complain(format!("P2: the house is not at rest after {RESTLESS_MS} ms"));
    }
    shutdown.cancel();
    for router in routers {
        match tokio::time::timeout(SHUTDOWN_MAX, router).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => stage.complain(format!("a router broke down: {error}")),
            Err(_) => stage.complain("a router does not shut down".to_owned()),
        }
    }
    stage.tasks.close();
    if tokio::time::timeout(SHUTDOWN_MAX, stage.tasks.wait()).await.is_err() {
        stage.complain("something goes on after the shutdown".to_owned());
    }
    tally_metrics(&stage, &registry);
    judge::judge(&stage, blobs).await
}

/// Waits until everything is decided and projected, and nothing more happens.
async fn comes_to_rest(stage: &Stage) -> bool {
    let until = stage.clock.elapsed_ms() + RESTLESS_MS;
    let (mut quiet_since, mut before) = (stage.clock.elapsed_ms(), 0);
    while stage.clock.elapsed_ms() < until {
        stage.rest(LANE, 50).await;
        let last = stage.inlet.last().await.unwrap_or(0);
        let tail = stage.ledger.tail().await.ok().flatten();
        let seq = tail.as_ref().map_or(0, |tail| tail.seq);
        let consumed = tail
            .and_then(|tail| postroom_model::Envelope::decode(&tail.bytes).ok())
            .map_or(0, |(envelope, _)| envelope.inlet_seq);
        let stands = stage.records.standing().await.map_or(0, |standing| standing.seq);
        let now = last + seq;
        if consumed != last || stands != seq || now != before {
            (quiet_since, before) = (stage.clock.elapsed_ms(), now);
        } else if stage.clock.elapsed_ms() > quiet_since + REST_MS {
            return true;
        }
    }
    false
}

/// What the routers counted themselves.
fn tally_metrics(stage: &Stage, registry: &Registry) {
    let mut text = String::new();
    if prometheus_client::encoding::text::encode(&mut text, registry).is_err() {
        return;
    }
    let read = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse::<u64>().ok()
    };
    let stepped_down = read("postroom_router_step_downs_total").unwrap_or(0);
    stage.notes().tally.0.insert("stepped down", stepped_down);
}
