//! `postroom parked`: inputs set aside. Retrying and dropping go through the inlet like everything else,
//! so they work beside a running server, and are kept for the next start where none runs.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use postroom_bus::{encode_batch, encode_input};
use postroom_model::{
    Action, Actor, Clock as _, Command, CommandId, IdSource, Input, InputBody, InputId,
    OutcomeKind, ParkedId, SystemClock, SystemRandom,
};
use postroom_records::{Key, Parked, Row};

use crate::cli::{self, Shared};
use crate::failure::Failure;
use crate::store::Store;
use crate::{output, setup};

/// Inputs in one listing.
const LIST_MAX: usize = 1_000;
/// How long a running server is waited for.
const WAIT: Duration = Duration::from_secs(5);

pub(crate) async fn run(shared: &Shared, wanted: &cli::Parked) -> Result<ExitCode, Failure> {
    let store = Store::open_existing(&setup::preview(shared)?).await?;
    match wanted {
        cli::Parked::List => list(shared, &store).await,
        cli::Parked::Show { id } => {
            let parked = find(&store, id).await?;
            output::json(&parked);
            Ok(ExitCode::SUCCESS)
        }
        cli::Parked::Retry { id } => {
            let parked = find(&store, id).await?.id;
            submit(shared, &store, Action::RetryParked { parked }).await
        }
        cli::Parked::Drop { id } => {
            let parked = find(&store, id).await?.id;
            submit(shared, &store, Action::DropParked { parked }).await
        }
    }
}

async fn list(shared: &Shared, store: &Store) -> Result<ExitCode, Failure> {
    let parked = store.records.parked(None, LIST_MAX).await?;
    if shared.json {
        output::json(&serde_json::json!({ "items": parked }));
    } else if parked.is_empty() {
        output::say("Nothing is set aside.");
    } else {
        let row = |one: &Parked| {
            vec![one.id.to_string(), one.at.to_string(), one.code.clone(), one.detail.clone()]
        };
        output::table(&["ID", "SINCE", "CODE", "WHY"], parked.iter().map(row).collect());
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(store: &Store, id: &str) -> Result<Parked, Failure> {
    let id: ParkedId = id.parse().map_err(|_| Failure::usage("the id is not a UUID"))?;
    match store.records.load(&[Key::Parked(id)]).await?.into_iter().next().flatten() {
        Some(Row::Parked(parked)) => Ok(*parked),
        _ => Err(Failure::coded("parked_not_found", "no input is set aside under this id")),
    }
}

async fn submit(shared: &Shared, store: &Store, action: Action) -> Result<ExitCode, Failure> {
    let ids =
        IdSource::new(std::sync::Arc::new(SystemClock), std::sync::Arc::new(SystemRandom::new()));
    let id = CommandId(ids.next());
    let command = Command { id, actor: Actor::operator(), action };
    let body = InputBody::Command(Box::new(command));
    let input = Input { id: InputId(id.0), at: SystemClock.now(), body };
    let encoded: Bytes =
        encode_input(&input).map_err(|error| Failure::failed(error.to_string()))?;
    let mut changes = store.records.changes();
    store.inlet.publish(encode_batch(&[encoded])).await?;
    let decided = tokio::time::timeout(WAIT, async {
        loop {
            changes.mark_unchanged();
            let key = Key::Seen(input.id);
            if let Some(Row::Seen(seen)) =
                store.records.load(&[key]).await?.into_iter().next().flatten()
            {
                return Ok::<_, Failure>(seen.outcome);
            }
            if changes.changed().await.is_err() {
                return Err(Failure::failed("the data folder was closed"));
            }
        }
    });
    let Ok(outcome) = decided.await else {
        output::say("Kept. It will be decided when `postroom serve` runs.");
        return Ok(ExitCode::SUCCESS);
    };
    let outcome = outcome?;
    if shared.json {
        output::json(&outcome);
    }
    if outcome.kind == OutcomeKind::Routed {
        if !shared.json {
            output::say("Done.");
        }
        return Ok(ExitCode::SUCCESS);
    }
    if shared.json {
        return Ok(ExitCode::FAILURE);
    }
    let code = outcome.code.unwrap_or_default();
    Err(Failure::failed(format!("{} [{code}]", outcome.detail.unwrap_or_default())))
}
