//! `postroom verify`: what is stored agrees with itself.

use std::process::ExitCode;

use crate::cli::Shared;
use crate::failure::Failure;
use crate::store::Store;
use crate::{output, setup};

pub(crate) async fn run(shared: &Shared) -> Result<ExitCode, Failure> {
    let store = Store::open_existing(&setup::preview(shared)?).await?;
    let bar = output::progress("verifying");
    let report = postroom_router::verify(
        store.inlet.as_ref(),
        store.ledger.as_ref(),
        store.records.as_ref(),
        &|done, all| {
            bar.set_length(all);
            bar.set_position(done);
        },
    )
    .await?;
    bar.finish_and_clear();
    if shared.json {
        output::json(&report);
    } else {
        output::say(&format!(
            "{} envelopes, {} events, {} rows compared",
            report.envelopes, report.events, report.rows
        ));
        output::say(&format!(
            "{} inputs decided = {} routed + {} duplicate + {} parked + {} rejected; \
             {} in flight, {} unaccounted",
            report.inputs,
            report.routed,
            report.duplicate,
            report.parked,
            report.rejected,
            report.in_flight,
            report.unaccounted
        ));
        for problem in &report.problems {
            output::say(&format!("problem: {problem}"));
        }
        if report.clean() {
            output::say(
                "The records are the fold of the ledger, and every input is accounted for.",
            );
        }
    }
    Ok(if report.clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
