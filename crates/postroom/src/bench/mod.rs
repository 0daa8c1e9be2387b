//! `postroom bench`: this machine bare and with Postroom on it, side by side, in one run.
//!
//! Everything happens in a folder that is deleted afterwards. Servers are processes of their own, the
//! bare ones and the product alike, and get the very same requests from the same small client.

mod bare;
mod child;
mod core;
mod drive;
mod dry_run;
mod engines;
mod later;
mod product;
mod raw;
mod recorded;
mod report;
mod rounds;
mod seen;
pub(crate) mod server;
mod stats;
mod traffic;
mod wire;

use std::path::Path;
use std::process::ExitCode;

use indicatif::ProgressBar;
use tempfile::TempDir;

use self::drive::Pace;
use self::report::{Cpu, Flow, Memory, Ratio, Raw, Report, Run};
use self::rounds::{Round, Times};
use self::stats::{Stopwatch, float, median, rounded};
use crate::cli::{Bench, Form, Shared};
use crate::failure::Failure;
use crate::output;

const MIB: f64 = 1024.0 * 1024.0;
/// Steps of the progress bar after the rounds.
const STEPS: u64 = 5;

pub(crate) async fn run(shared: &Shared, wanted: &Bench) -> Result<ExitCode, Failure> {
    if wanted.core {
        let core = core::measure(wanted.payload_bytes as usize)?;
        if shared.json {
            output::json(&core);
        } else {
            core.print();
        }
        return Ok(ExitCode::SUCCESS);
    }
    let folder = workplace(shared.data.as_deref())?;
    let bar = output::progress("measuring");
    bar.set_length(u64::from(wanted.rounds) * rounds::STEPS + STEPS);
    let report = Box::pin(measure(folder.path(), wanted, &bar)).await?;
    bar.finish_and_clear();
    if shared.json {
        output::json(&report);
    } else {
        report.print();
    }
    Ok(ExitCode::SUCCESS)
}

/// A folder to work in, on the disk that a server started here would use.
fn workplace(data: Option<&Path>) -> Result<TempDir, Failure> {
    let parent = match data {
        Some(folder) => folder,
        None if Path::new("data").is_dir() => Path::new("data"),
        None => Path::new("."),
    };
    let made = std::fs::create_dir_all(parent)
        .and_then(|()| tempfile::Builder::new().prefix("bench-").tempdir_in(parent));
    made.map_err(|error| {
        Failure::failed(format!("no folder can be made in {}: {error}", parent.display()))
    })
}

fn step(bar: &ProgressBar, what: &'static str) {
    bar.set_message(what);
    bar.inc(1);
}

async fn measure(folder: &Path, wanted: &Bench, bar: &ProgressBar) -> Result<Report, Failure> {
    let watch = Stopwatch::start();
    let mut all: Vec<Round> = Vec::new();
    let mut last = None;
    for number in 1..=wanted.rounds {
        let folder = folder.join(number.to_string());
        let (round, product) = rounds::run(&folder, wanted, bar).await?;
        all.push(round);
        last = Some(product);
    }
    let mut product = last.ok_or_else(|| Failure::failed("there was no round"))?;
    step(bar, "an agent looks on");
    let seen_by_agent = later::seen_by_agent(&mut product).await?;
    step(bar, "opening conversations");
    let pace = Pace { connections: wanted.connections as usize, every: None };
    later::fill(&mut product, wanted.open as usize, pace).await?;
    let records_bytes = product.house.records_bytes().await?;
    step(bar, "starting");
    let (start, rss_bytes, house) = later::start(product).await?;
    step(bar, "rebuilding");
    let rebuild = later::rebuild(&house).await?;
    step(bar, "deciding");
    let core = core::measure(wanted.payload_bytes as usize)?;

    let of = |figure: fn(&Round) -> f64| median_of(&all, figure);
    let raw = Raw {
        http_per_s: of(|round| round.http.per_s),
        bus_publish_per_s: of(|round| round.publish_per_s),
        http_to_bus_per_s: of(|round| round.http_to_bus.per_s),
        records_per_s: of(|round| round.records_per_s),
        fsync_per_s: of(|round| round.fsync_per_s),
    };
    let ingest = flow(&all, |round| round.product.ingest);
    let routed = flow(&all, |round| round.product.routed);
    let idle_bytes = median(all.iter().map(|round| round.product.rss_idle_bytes).collect());
    let held_bytes = (float(rss_bytes) - idle_bytes).max(0.0);
    Ok(Report {
        form: match wanted.form {
            Form::Embedded => "embedded",
            Form::Clustered => "clustered",
        },
        run: Run {
            messages: wanted.messages,
            payload_bytes: wanted.payload_bytes,
            rounds: wanted.rounds,
            connections: wanted.connections,
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            seconds: rounded(watch.seconds()),
        },
        ratio: Ratio {
            ingest_of_http_to_bus: rounded(ingest.per_s / raw.http_to_bus_per_s),
            routed_of_records: rounded(routed.per_s / raw.records_per_s),
        },
        cpu: Cpu {
            http_us: of(|round| round.http.cpu_us),
            http_to_bus_us: of(|round| round.http_to_bus.cpu_us),
            product_us: of(|round| round.product.cpu_us),
        },
        memory: Memory {
            rss_idle_mib: rounded(idle_bytes / MIB),
            bytes_per_open_conversation: rounded(held_bytes / float(start.open_conversations)),
            records_bytes_per_conversation: records_bytes
                .map(|bytes| rounded(float(bytes) / float(start.open_conversations))),
        },
        start_empty_seconds: of(|round| round.product.start_seconds),
        messages_per_envelope: of(|round| round.product.messages_per_envelope),
        raw,
        ingest,
        routed,
        seen_by_agent,
        core,
        start,
        rebuild,
    })
}

fn median_of(rounds: &[Round], figure: impl Fn(&Round) -> f64) -> f64 {
    rounded(median(rounds.iter().map(figure).collect()))
}

fn flow(rounds: &[Round], times: fn(&Round) -> Times) -> Flow {
    Flow {
        per_s: median_of(rounds, |round| times(round).per_s),
        p50_ms: median_of(rounds, |round| times(round).p50_ms),
        p99_ms: median_of(rounds, |round| times(round).p99_ms),
    }
}
