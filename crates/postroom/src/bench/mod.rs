//! `postroom bench`: this machine bare and with Postroom on it, side by side, in one run.
//!
//! Everything happens in a folder that is deleted afterwards. Servers are processes of their own, the
//! bare ones and the product alike, and get the very same requests from the same small client.

mod bare;
mod child;
mod core;
mod drive;
mod product;
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
use std::time::Duration;

use indicatif::ProgressBar;
use tempfile::TempDir;

use self::report::{
    Decide, Flow, Growth, Memory, Ratio, Raw, Rebuild, Report, RuleCost, Run, Seen, Start,
};
use self::rounds::{Product, Round};
use self::stats::{Stopwatch, float, median, percentile_ms, rounded};
use self::traffic::Mix;
use crate::cli::{Bench, Form, Shared};
use crate::failure::Failure;
use crate::output;

/// Messages a second, and for how many seconds, while an agent looks on.
const SEEN_PER_S: u32 = 1_000;
const SEEN_SECONDS: u32 = 10;
/// The desks at which decisions are measured; the second is the one that is reported.
const WAITING: [usize; 3] = [1_000, 100_000, 300_000];
const MIB: f64 = 1024.0 * 1024.0;

pub(crate) async fn run(shared: &Shared, wanted: &Bench) -> Result<ExitCode, Failure> {
    if wanted.form == Form::Clustered {
        return Err(Failure::usage("this version carries the embedded form"));
    }
    let folder = workplace(shared.data.as_deref())?;
    let bar = output::progress("measuring");
    bar.set_length(u64::from(wanted.rounds) * Round::STEPS + 6);
    let report = measure(folder.path(), wanted, &bar).await?;
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
    let mut rounds: Vec<Round> = Vec::new();
    let mut product = None;
    for number in 1..=wanted.rounds {
        let (round, kept) = rounds::run(&folder.join(format!("{number}")), wanted, bar).await?;
        rounds.push(round);
        product = Some(kept);
    }
    let mut product = product.ok_or_else(|| Failure::failed("there was no round"))?;
    step(bar, "an agent looks on");
    let seen = seen(&mut product).await?;
    step(bar, "opening conversations");
    product.fill(wanted.open as usize, wanted.connections as usize).await?;
    step(bar, "starting");
    let (start, rss) = start(product, &rounds, bar).await?;
    let (start, house) = start;
    step(bar, "rebuilding");
    let rebuild = rebuild(&house).await?;
    step(bar, "deciding");
    let decide_growth = growth().await?;
    let rules = RuleCost { ns_per_rule: rounded(core::ns_per_rule(wanted.payload_bytes as usize)?) };
    let of = |figure: fn(&Round) -> f64| rounded(median(rounds.iter().map(figure).collect()));
    let raw = Raw {
        http_per_s: of(|round| round.http_per_s),
        bus_publish_per_s: of(|round| round.publish_per_s),
        http_to_bus_per_s: of(|round| round.http_to_bus_per_s),
        records_per_s: of(|round| round.records_per_s),
        fsync_per_s: of(|round| round.fsync_per_s),
    };
    let ingest = flow(&rounds, |round| &round.ingest);
    let routed = flow(&rounds, |round| &round.routed);
    let idle = of(|round| round.rss_idle_bytes);
    let ratio = Ratio {
        ingest_of_http_to_bus: rounded(ingest.per_s / raw.http_to_bus_per_s),
        routed_of_records: rounded(routed.per_s / raw.records_per_s),
    };
    let decide = decide_growth.get(1).map(|growth| Decide { ..growth.decide });
    Ok(Report {
        form: "embedded",
        run: Run {
            messages: wanted.messages,
            payload_bytes: wanted.payload_bytes,
            rounds: wanted.rounds,
            connections: wanted.connections,
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            seconds: rounded(watch.seconds()),
        },
        memory: Memory {
            rss_idle_mib: rounded(idle / MIB),
            bytes_per_open_conversation: rounded(
                (float(rss) - idle).max(0.0) / float(start.open_conversations.max(1)),
            ),
        },
        decide: decide.ok_or_else(|| Failure::failed("there was no desk"))?,
        cpu: rounds::cpu(&rounds),
        raw,
        ingest,
        routed,
        seen_by_agent: seen,
        decide_growth,
        rules,
        start,
        rebuild,
        ratio,
    })
}
