//! `postroom backfill`: fetches again what a channel's source still has, or only compares it with what is
//! stored. What is known already is a duplicate, so repeating it is safe.

use std::process::ExitCode;
use std::sync::Arc;

use postroom_bus::{Intake, IntakeLimits};
use postroom_channel::{AcceptError, Audit};
use postroom_model::SystemClock;
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::since::since;
use crate::cli::{Backfill, Shared};
use crate::door::Door;
use crate::failure::Failure;
use crate::store::Store;
use crate::{output, setup};

pub(crate) async fn run(shared: &Shared, wanted: &Backfill) -> Result<ExitCode, Failure> {
    let since = wanted.since.as_deref().map(since).transpose()?;
    let setup = setup::accept(setup::draft(shared)?)?;
    let mut adapters = setup.adapters.values();
    let adapter = adapters.find(|adapter| adapter.channel().as_str() == wanted.channel);
    let adapter = adapter.ok_or_else(|| {
        Failure::usage(format!("there is no channel {} in the configuration", wanted.channel))
    })?;
    let store = Store::open_existing(&setup.config).await?;
    let tasks = TaskTracker::new();
    let door = Arc::new(Door {
        workspace: setup.config.workspace.clone(),
        intake: Intake::start(Arc::clone(&store.inlet), IntakeLimits::default(), &tasks),
        ledger: Arc::clone(&store.ledger),
        records: Arc::clone(&store.records),
        blobs: store.blobs.clone(),
        clock: Arc::new(SystemClock),
        known: tokio::sync::Mutex::default(),
    });
    let Some(since) = since.filter(|_| !wanted.audit) else {
        let audits = adapter.audit(door).await;
        tasks.close();
        tasks.wait().await;
        return told(shared, wanted, audits);
    };
    let fetched = adapter.backfill(door, since).await;
    tasks.close();
    tasks.wait().await;
    let fetched = fetched.map_err(|error| Failure::coded(error.code(), error.to_string()))?;
    let Some(count) = fetched else {
        let detail = format!("the channel {} has nothing to fetch again", wanted.channel);
        return Err(Failure::failed(detail));
    };
    if shared.json {
        output::json(&json!({ "channel": wanted.channel, "fetched": count }));
    } else {
        output::say(&format!("{count} fetched; what was known already changes nothing."));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is missing: exit 1 if anything is.
fn told(
    shared: &Shared,
    wanted: &Backfill,
    audits: Result<Option<Vec<Audit>>, AcceptError>,
) -> Result<ExitCode, Failure> {
    let audits = audits.map_err(|error| Failure::coded(error.code(), error.to_string()))?;
    let Some(audits) = audits else {
        let detail = format!("the channel {} has nothing to compare with", wanted.channel);
        return Err(Failure::failed(detail));
    };
    let good = audits.iter().all(|audit| audit.stored == audit.there && audit.problem.is_none());
    if shared.json {
        output::json(&json!({ "channel": wanted.channel, "ok": good, "parts": audits }));
    } else {
        for audit in &audits {
            let Audit { part, there, stored, missing, problem } = audit;
            if let Some((code, words)) = problem {
                output::say(&format!("{part}: {words} ({code})"));
                continue;
            }
            output::say(&format!("{part}: {there} there, {stored} stored"));
            for name in missing {
                output::say(&format!("  missing: {name}"));
            }
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
