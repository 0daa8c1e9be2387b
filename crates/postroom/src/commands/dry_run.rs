//! `postroom dry-run`: what was recorded, played again under another configuration. Writes nothing.

use std::process::ExitCode;
use std::sync::Arc;

use indicatif::ProgressBar;
use postroom_model::Settings;
use postroom_records::{Key, Row};
use postroom_routing::dry_run::{
    AgentReport, Began, DryRunError, QueueReport, Recording, Report, Side,
};

use super::since::since;
use crate::cli::{DryRun, Shared};
use crate::failure::Failure;
use crate::store::Store;
use crate::{output, setup};

/// Conversations that are shown to people; programs are told all that the report names.
const SHOWN_MAX: usize = 20;
/// The bar moves after so many happenings.
const TOLD_EVERY: u64 = 4_096;

pub(crate) async fn run(shared: &Shared, wanted: &DryRun) -> Result<ExitCode, Failure> {
    let since = since(&wanted.since)?;
    let setup = setup::accept(setup::draft(shared)?)?;
    let store = Store::open_existing(&setup.config).await?;
    let now = in_force(&store).await?;
    let recording = Recording::new(since, &now, &setup.settings)?;
    let bar = output::progress("reading the ledger");
    let recording = postroom_router::record(store.ledger.as_ref(), recording, &|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    let report = play(recording, wanted.seed).await?;
    if shared.json {
        output::json(&report);
    } else {
        show(&report);
    }
    Ok(ExitCode::SUCCESS)
}

/// The settings that the router decides by.
async fn in_force(store: &Store) -> Result<Settings, Failure> {
    let rows = store.records.load(&[Key::Settings]).await?;
    match rows.into_iter().next().flatten() {
        Some(Row::Settings(settings)) => Ok(*settings),
        _ => Err(Failure::failed("nothing was decided yet: there is nothing to play again")),
    }
}

impl From<DryRunError> for Failure {
    fn from(error: DryRunError) -> Self {
        Self::failed(error.to_string())
    }
}

/// Both sides at once.
async fn play(recording: Recording, seed: u64) -> Result<Report, Failure> {
    let recording = Arc::new(recording);
    let bar = output::progress("playing");
    bar.set_length(recording.len().saturating_mul(2));
    let side = |side| {
        let (recording, bar) = (Arc::clone(&recording), bar.clone());
        tokio::task::spawn_blocking(move || {
            recording.play(side, seed, &mut |done| tell(&bar, done))
        })
    };
    let (now, new) = tokio::join!(side(Side::Now), side(Side::New));
    bar.finish_and_clear();
    let (Ok(now), Ok(new)) = (now, new) else {
        return Err(Failure::failed("a side could not be played to its end"));
    };
    Ok(recording.compare(seed, now?, new?))
}

fn tell(bar: &ProgressBar, done: u64) {
    if done.is_multiple_of(TOLD_EVERY) {
        bar.inc(TOLD_EVERY);
    }
}

fn show(report: &Report) {
    output::say(&format!(
        "{} to {}: {} messages and {} calls, {} conversations; each figure as it would be with the \
         configuration in force, and with the new one.",
        report.since, report.until, report.messages, report.calls, report.conversations
    ));
    output::say("\nQueues");
    let head =
        ["QUEUE", "CONVERSATIONS", "WAIT, HALF", "WAIT, 95 %", "LONGEST", "LEFT", "TARGETS KEPT"];
    let rows = both(&report.now.queues, &report.new.queues, |queue| &queue.queue);
    output::table(&head, rows.into_iter().map(queue_row).collect());
    output::say("\nAgents");
    let rows = both(&report.now.agents, &report.new.agents, |agent| &agent.agent);
    output::table(&["AGENT", "ASSIGNED", "LOAD"], rows.into_iter().map(agent_row).collect());
    for (words, now, new) in [
        ("set aside for want of a channel", report.now.set_aside, report.new.set_aside),
        ("rules that failed on a message", report.now.rules_failed, report.new.rules_failed),
    ] {
        if now + new > 0 {
            output::say(&format!("{words}: {now} -> {new}"));
        }
    }
    output::say(&format!(
        "\nIn another queue from the start: {}. With another agent first, or with nobody: {}.",
        report.elsewhere, report.other_agent
    ));
    let rows: Vec<Vec<String>> = report
        .moved
        .iter()
        .take(SHOWN_MAX)
        .map(|moved| {
            let subject = moved.subject.clone().unwrap_or_default();
            vec![
                moved.conversation.to_string(),
                began(moved.now.as_ref()),
                began(moved.new.as_ref()),
                subject,
            ]
        })
        .collect();
    if !rows.is_empty() {
        output::table(&["CONVERSATION", "NOW", "NEW", "SUBJECT"], rows);
    }
    let shown = report.moved.len().min(SHOWN_MAX) as u64;
    if report.elsewhere > shown {
        output::say(&format!("… and {} more; --json names up to 1,000.", report.elsewhere - shown));
    }
}

/// What stands on either side under one name, in the order of names.
fn both<'r, T, K: Ord + 'r>(
    now: &'r [T],
    new: &'r [T],
    key: impl Fn(&'r T) -> &'r K,
) -> Vec<(Option<&'r T>, Option<&'r T>)> {
    let mut joined: std::collections::BTreeMap<&K, (Option<&T>, Option<&T>)> =
        std::collections::BTreeMap::new();
    for one in now {
        joined.entry(key(one)).or_default().0 = Some(one);
    }
    for one in new {
        joined.entry(key(one)).or_default().1 = Some(one);
    }
    joined.into_values().collect()
}

fn queue_row((now, new): (Option<&QueueReport>, Option<&QueueReport>)) -> Vec<String> {
    let pair = |of: &dyn Fn(&QueueReport) -> String| change(now.map(of), new.map(of));
    let named = now.or(new).map(|queue| queue.queue.to_string());
    vec![
        named.unwrap_or_default(),
        pair(&|queue| queue.conversations.to_string()),
        pair(&|queue| length(queue.wait_ms.p50)),
        pair(&|queue| length(queue.wait_ms.p95)),
        pair(&|queue| length(queue.wait_ms.max)),
        pair(&|queue| queue.waiting.to_string()),
        pair(&|queue| {
            let all = queue.targets_kept + queue.targets_missed;
            if all == 0 { "-".to_owned() } else { format!("{}/{all}", queue.targets_kept) }
        }),
    ]
}

fn agent_row((now, new): (Option<&AgentReport>, Option<&AgentReport>)) -> Vec<String> {
    let pair = |of: &dyn Fn(&AgentReport) -> String| change(now.map(of), new.map(of));
    let named = now.or(new).map(|agent| agent.agent.to_string());
    vec![
        named.unwrap_or_default(),
        pair(&|agent| agent.assigned.to_string()),
        pair(&|agent| format!("{} %", agent.load_percent)),
    ]
}

/// One figure if they are the same, else both.
fn change(now: Option<String>, new: Option<String>) -> String {
    let none = || "-".to_owned();
    let (now, new) = (now.unwrap_or_else(none), new.unwrap_or_else(none));
    if now == new { now } else { format!("{now} -> {new}") }
}

fn began(began: Option<&Began>) -> String {
    match began {
        None => "set aside".to_owned(),
        Some(Began { queue, rule: None }) => queue.to_string(),
        Some(Began { queue, rule: Some(rule) }) => format!("{queue} (rule {rule})"),
    }
}

/// In its largest unit, roughly as long as people say it.
fn length(millis: i64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..600 => format!("{seconds} s"),
        600..36_000 => format!("{} min", seconds / 60),
        36_000..864_000 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
