//! One round: the product, then the bare parts with the very same requests.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::ProgressBar;

use super::bare;
use super::child::Server;
use super::drive::{Pace, Timing, post_all};
use super::engines::Engines;
use super::product::House;
use super::raw::{RawLog, RawRows};
use super::recorded::{self, RowBytes};
use super::stats::{Stopwatch, float, percentile_ms, rate};
use super::step;
use super::traffic::{Mix, Post, Traffic};
use crate::cli::{Bench, Form};
use crate::failure::Failure;

/// Messages before those that count, so that every server has opened what it opens.
const WARM_UP: usize = 1_000;

/// What one round measured.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) http: Served,
    pub(super) http_to_bus: Served,
    pub(super) publish_per_s: f64,
    pub(super) records_per_s: f64,
    pub(super) fsync_per_s: f64,
    pub(super) product: Measured,
}

/// What a bare server did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Served {
    pub(super) per_s: f64,
    pub(super) cpu_us: f64,
}

/// How many a second, and how long one took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) per_s: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// What the product did.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) start_seconds: f64,
    pub(super) rss_idle_bytes: f64,
    pub(super) ingest: Times,
    pub(super) routed: Times,
    pub(super) cpu_us: f64,
    pub(super) messages_per_envelope: f64,
    row_bytes: RowBytes,
}

/// The product, still running after its round.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) house: House,
    pub(super) server: Server,
    pub(super) traffic: Traffic,
    /// Of an agent.
    pub(super) token: String,
}

/// Steps of the progress bar in one round.
pub(super) const STEPS: u64 = 4;

pub(super) async fn run(
    folder: &Path,
    wanted: &Bench,
    bar: &ProgressBar,
) -> Result<(Round, Product), Failure> {
    let (count, connections) = (wanted.messages as usize, wanted.connections as usize);
    let payload_bytes = wanted.payload_bytes as usize;
    let pace = Pace { connections, every: None };
    step(bar, "Postroom");
    let engines = match wanted.form {
        Form::Embedded => None,
        Form::Clustered => {
            let engines = Engines::start(&folder.join("engines"), wanted).await?;
            Some(Arc::new(engines))
        }
    };
    let (mut kept, start_seconds) = Product::start(folder, payload_bytes, engines.clone()).await?;
    let warm_up = Arc::new(kept.traffic.posts(WARM_UP, Mix::Day));
    let posts = Arc::new(kept.traffic.posts(count, Mix::Day));
    let product = kept.measure(&warm_up, &posts, pace, start_seconds).await?;
    step(bar, "a bare server");
    let http =
        served("raw-http", ["--data".as_ref(), folder.as_os_str()], &warm_up, &posts, pace).await?;
    step(bar, "a bare server that stores");
    let (raw, bus) = (subfolder(folder, "raw")?, engines.as_ref().map(|engines| engines.bus_url()));
    let place = match &bus {
        Some(url) => ["--bus".as_ref(), url.as_ref()],
        None => ["--data".as_ref(), raw.as_os_str()],
    };
    let http_to_bus = served("raw-bus", place, &warm_up, &posts, pace).await?;
    step(bar, "bare storing");
    let (log, rows) = match &engines {
        Some(engines) => (RawLog::stream(&engines.bus_url()).await?, RawRows::redis(engines)?),
        None => (
            RawLog::file(&subfolder(folder, "publish")?)?,
            RawRows::file(&subfolder(folder, "records")?)?,
        ),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let batch = product.messages_per_envelope.round() as usize;
    let round = Round {
        http,
        http_to_bus,
        publish_per_s: bare::publish_per_s(&log, count, payload_bytes, connections).await?,
        records_per_s: bare::records_per_s(&rows, count, batch, product.row_bytes).await?,
        fsync_per_s: bare::fsync_per_s(folder)?,
        product,
    };
    Ok((round, kept))
}

fn subfolder(folder: &Path, name: &str) -> Result<std::path::PathBuf, Failure> {
    let folder = folder.join(name);
    let made = std::fs::create_dir_all(&folder);
    made.map_err(|error| Failure::failed(format!("{} cannot be made: {error}", folder.display())))?;
    Ok(folder)
}

async fn served(
    bare: &str,
    place: [&OsStr; 2],
    warm_up: &Arc<Vec<Post>>,
    posts: &Arc<Vec<Post>>,
    pace: Pace,
) -> Result<Served, Failure> {
    let [flag, place] = place;
    let args = ["bench-server".as_ref(), bare.as_ref(), flag, place];
    let server = Server::start(args.map(OsStr::to_owned).to_vec()).await?;
    post_all(server.address, warm_up, pace, Stopwatch::start()).await?;
    let before_ms = server.cpu_ms()?;
    let watch = Stopwatch::start();
    let timings = post_all(server.address, posts, pace, watch).await?;
    let cpu_ms = server.cpu_ms()?.saturating_sub(before_ms);
    let per_s = taken(&timings).per_s;
    Ok(Served { per_s, cpu_us: each_us(cpu_ms, posts.len()) })
}

fn each_us(ms: u64, count: usize) -> f64 {
    float(ms) * 1_000.0 / float(count as u64)
}

/// From the first that began to the last that ended.
fn times(all: impl Iterator<Item = (u64, u64)>) -> Times {
    let (mut begun, mut ended, mut delays) = (u64::MAX, 0, Vec::new());
    for (from, to) in all {
        begun = begun.min(from);
        ended = ended.max(to);
        delays.push(to.saturating_sub(from));
    }
    delays.sort_unstable();
    Times {
        per_s: rate(delays.len(), ended.saturating_sub(begun)),
        p50_ms: percentile_ms(&delays, 50),
        p99_ms: percentile_ms(&delays, 99),
    }
}

fn taken(timings: &[Timing]) -> Times {
    times(timings.iter().map(|timing| (timing.begun_ns, timing.answered_ns)))
}

impl Product {
    /// Starts with an empty store; gives the seconds until it was ready too.
    async fn start(
        folder: &Path,
        payload_bytes: usize,
        engines: Option<Arc<Engines>>,
    ) -> Result<(Self, f64), Failure> {
        let traffic = Traffic::new(payload_bytes)?;
        let house = House::build(folder.join("product"), &traffic.secret_text, engines)?;
        let watch = Stopwatch::start();
        let server = house.serve().await?;
        let seconds = watch.seconds();
        Ok((Self { house, server, traffic, token: String::new() }, seconds))
    }

    async fn measure(
        &mut self,
        warm_up: &Arc<Vec<Post>>,
        posts: &Arc<Vec<Post>>,
        pace: Pace,
        start_seconds: f64,
    ) -> Result<Measured, Failure> {
        let rss_idle_bytes = float(self.server.rss_bytes()?);
        self.token = self.house.staff(&self.server).await?;
        let store = self.house.store().await?;
        let posted = AtomicBool::new(false);
        post_all(self.server.address, warm_up, pace, Stopwatch::start()).await?;
        posted.store(true, Ordering::Relaxed);
        recorded::look(&store, &posted, Stopwatch::start()).await?;

        let before = store.records.standing().await?.seq;
        let cpu_before_ms = self.server.cpu_ms()?;
        posted.store(false, Ordering::Relaxed);
        let watch = Stopwatch::start();
        let posting = async {
            let timings = post_all(self.server.address, posts, pace, watch).await;
            posted.store(true, Ordering::Relaxed);
            timings
        };
        let (timings, moments) = tokio::join!(posting, recorded::look(&store, &posted, watch));
        let (timings, moments) = (timings?, moments?);
        let cpu_ms = self.server.cpu_ms()?.saturating_sub(cpu_before_ms);
        let told = recorded::told_after(&store, before).await?;
        let recorded_ns = told.times(posts, &moments)?;
        let begun = timings.iter().map(|timing| timing.begun_ns);
        Ok(Measured {
            start_seconds,
            rss_idle_bytes,
            ingest: taken(&timings),
            routed: times(begun.zip(recorded_ns)),
            cpu_us: each_us(cpu_ms, posts.len()),
            messages_per_envelope: float(posts.len() as u64) / float(told.envelopes.max(1) as u64),
            row_bytes: told.row_bytes(&store).await?,
        })
    }
}
