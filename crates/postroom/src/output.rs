//! What is printed: results on standard output, everything else on standard error.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

/// A line on standard output. A reader that went away is no failure of ours.
pub(crate) fn say(line: &str) {
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}

/// A line on standard error.
pub(crate) fn complain(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

pub(crate) fn json(value: &impl Serialize) {
    say(&serde_json::to_string_pretty(value).unwrap_or_default());
}

pub(crate) fn is_colored() -> bool {
    std::io::stdout().is_terminal()
}

pub(crate) fn errors_are_colored() -> bool {
    std::io::stderr().is_terminal()
}

/// A table without lines, as wide as the terminal.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    say(&table.to_string());
}

/// A bar on a terminal, nothing elsewhere.
pub(crate) fn progress(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what);
    bar
}

/// Logs go to standard error, as text on a terminal and as JSON elsewhere.
pub(crate) fn start_log(filter: Option<&str>) {
    let filter = EnvFilter::try_new(filter.unwrap_or("warn,postroom=info,postroom_router=info"));
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    // A log that cannot be written, as on a full disk, is no reason to stop: told to report that, the
    // subscriber would write to standard error in a way that panics.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
