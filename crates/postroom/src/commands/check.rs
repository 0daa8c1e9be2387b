//! `postroom check`: every mistake in the configuration, with its place.

use std::process::ExitCode;

use crate::cli::Shared;
use crate::failure::Failure;
use crate::{output, setup};

pub(crate) fn run(shared: &Shared) -> Result<ExitCode, Failure> {
    let setup = setup::accept(setup::draft(shared)?)?;
    let config = &setup.config;
    if shared.json {
        output::json(&serde_json::json!({
            "ok": true,
            "hash": setup.settings.short_hash(),
            "notes": config.notes(),
            "config": config.public_dump(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let notes = config.diagnostics(config.notes().to_vec());
    if !notes.is_empty() {
        output::say(notes.render(output::is_colored()).trim_end());
    }
    output::say(&format!(
        "{} is good: {} channels, {} queues, {} rules, {} agents",
        config.path().display(),
        config.channels.len(),
        config.queues.len(),
        config.rules.len(),
        config.agents.len(),
    ));
    Ok(ExitCode::SUCCESS)
}
