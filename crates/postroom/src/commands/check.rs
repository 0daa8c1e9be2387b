//! `postroom check`: every mistake in the configuration, with its place.

use std::process::ExitCode;

use postroom_config::{Diagnostic, Severity};

use crate::cli::Shared;
use crate::failure::Failure;
use crate::setup::Setup;
use crate::{output, setup};

pub(crate) fn run(shared: &Shared) -> Result<ExitCode, Failure> {
    let setup = setup::accept(setup::draft(shared)?)?;
    let config = &setup.config;
    let missing = missing(&setup);
    if shared.json {
        let notes: Vec<&Diagnostic> = config.notes().iter().chain(&missing).collect();
        output::json(&serde_json::json!({
            "ok": true,
            "hash": setup.settings.short_hash(),
            "notes": notes,
            "config": config.public_dump(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let notes = config.diagnostics(config.notes().to_vec());
    if !notes.is_empty() {
        output::say(notes.render(output::is_colored()).trim_end());
    }
    for note in &missing {
        let line = note.line.map(|line| format!(":{line}")).unwrap_or_default();
        let help = note.help.as_deref().unwrap_or_default();
        output::say(&format!("note: {}{line}: {}: {}; {help}", note.file, note.key, note.message));
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

/// What the channels name of this machine and is not there. It may come to be there, so that the
/// configuration is good.
fn missing(setup: &Setup) -> Vec<Diagnostic> {
    let config = &setup.config;
    let channels = config.channels.iter();
    let named = channels.filter_map(|channel| Some((channel, setup.adapters.get(&channel.id)?)));
    let notes = named.flat_map(|(channel, adapter)| {
        adapter.missing().into_iter().map(|missing| {
            let key = channel.key(&missing.key);
            let mut note = config.diagnose(&key, missing.message, Some(missing.help), None);
            note.severity = Severity::Note;
            note
        })
    });
    notes.collect()
}
