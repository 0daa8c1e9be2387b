//! `postroom rebuild`: the records anew from the ledger. A running server goes on accepting; its router
//! waits until the records stand at the tail again.

use std::process::ExitCode;

use crate::cli::Shared;
use crate::failure::Failure;
use crate::store::Store;
use crate::{output, setup};

pub(crate) async fn run(shared: &Shared) -> Result<ExitCode, Failure> {
    let store = Store::open_existing(&setup::preview(shared)?).await?;
    let bar = output::progress("rebuilding");
    let started = tokio::time::Instant::now();
    let standing =
        postroom_router::rebuild(store.ledger.as_ref(), store.records.as_ref(), &|done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })
        .await?;
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    if shared.json {
        output::json(&serde_json::json!({ "standing": standing, "seconds": seconds }));
    } else {
        output::say(&format!(
            "The records hold {} events of {} envelopes again, after {seconds:.1} s.",
            standing.last_event, standing.seq
        ));
    }
    Ok(ExitCode::SUCCESS)
}
