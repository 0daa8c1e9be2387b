//! `postroom doctor`: tries what the configuration names, and says what to do about what fails. It
//! changes nothing on an engine.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use postroom_bus::Blobs;
use postroom_bus_nats::NatsOptions;
use postroom_config::Config;
use postroom_gateway::what_to_do;
use serde::Serialize;

use crate::cli::Shared;
use crate::failure::Failure;
use crate::store::Store;
use crate::{engines, output, setup};

/// How long an engine may take to answer somebody who looks on.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// What one part is like.
#[derive(Debug, Serialize)]
struct Line {
    part: String,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    /// Something is the matter, and the configuration accepts it.
    Accepted,
    Bad,
}

pub(crate) async fn run(shared: &Shared) -> Result<ExitCode, Failure> {
    // Mistakes are told as `check` tells them: addresses that cannot be, options that an adapter refuses.
    let setup = setup::accept(setup::draft(shared)?)?;
    let config = &setup.config;
    let mut lines = if config.is_clustered() {
        let mut lines = bus(config).await;
        lines.extend(records(config).await);
        lines
    } else {
        vec![data_folder(config).await]
    };
    lines.push(blobs(config));
    for adapter in setup.adapters.values() {
        lines.extend(adapter.examine().await.into_iter().map(channel));
    }
    let bad = lines.iter().any(|line| line.state == State::Bad);
    if shared.json {
        output::json(&serde_json::json!({ "ok": !bad, "checks": lines }));
    } else {
        output::table(&["PART", "STATE", "CODE", "DETAIL"], lines.iter().map(row).collect());
        for (code, help) in advice(&lines) {
            output::say(&format!("\n{code}: {help}"));
        }
    }
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What to do about each code, once.
fn advice(lines: &[Line]) -> BTreeMap<&'static str, &str> {
    lines.iter().filter_map(|line| Some((line.code?, line.help.as_deref()?))).collect()
}

fn row(line: &Line) -> Vec<String> {
    let state = match line.state {
        State::Good => "good",
        State::Accepted => "accepted",
        State::Bad => "bad",
    };
    let code = line.code.unwrap_or_default().to_owned();
    vec![line.part.clone(), state.to_owned(), code, line.detail.clone()]
}

async fn bus(config: &Config) -> Vec<Line> {
    let options = NatsOptions { connect_wait: CONNECT_WAIT, ..engines::nats(config) };
    let found = match postroom_bus_nats::examine(&options).await {
        Ok(findings) => findings,
        Err(error) => return vec![bad("bus", error.code(), &error)],
    };
    let lines = found.iter().map(|finding| {
        let accepted = finding.is_accepted(&options.accepted);
        found_line("bus", accepted, finding.code(), finding.to_string())
    });
    or_good("bus", &config.bus.url, lines.collect())
}

async fn records(config: &Config) -> Vec<Line> {
    let options = engines::redis(config);
    let url = config.records.url.reveal();
    let found = match postroom_records_redis::examine(url, &options).await {
        Ok(findings) => findings,
        Err(error) => return vec![bad("records", error.code(), &error)],
    };
    let lines = found.iter().map(|finding| {
        let accepted = finding.is_accepted(&options.accepted);
        found_line("records", accepted, finding.code(), finding.to_string())
    });
    or_good("records", &config.records.url, lines.collect())
}

/// The files of the embedded form, if `serve` has made them.
async fn data_folder(config: &Config) -> Line {
    let folder = &config.server.data_dir;
    if !folder.join("postroom.db").exists() {
        let detail = format!("{} holds nothing yet; `postroom serve` makes it", folder.display());
        return good("data", detail);
    }
    match Store::open(config).await {
        Ok(_) => good("data", format!("{} opens", folder.display())),
        Err(Failure::Failed { code, message }) => {
            let help = code.and_then(what_to_do);
            Line { part: "data".to_owned(), state: State::Bad, code, detail: message, help }
        }
        Err(_) => Line {
            part: "data".to_owned(),
            state: State::Bad,
            code: None,
            detail: "the configuration does not fit".to_owned(),
            help: None,
        },
    }
}

fn blobs(config: &Config) -> Line {
    let folder = config.blobs.url.folder().unwrap_or_default();
    if !folder.exists() {
        let detail = format!("{} is not there yet; `postroom serve` makes it", folder.display());
        return good("blobs", detail);
    }
    match Blobs::open(folder.clone()) {
        Ok(_) => good("blobs", format!("{} opens", folder.display())),
        Err(error) => bad("blobs", error.code(), &error),
    }
}

fn channel(examined: postroom_channel::Examined) -> Line {
    let part = format!("channel {}", examined.part);
    match examined.found {
        Ok(detail) => good(&part, detail),
        Err((code, detail)) => found_line(&part, false, code, detail),
    }
}

fn or_good(part: &'static str, url: &postroom_config::ServiceUrl, lines: Vec<Line>) -> Vec<Line> {
    if lines.is_empty() { vec![good(part, format!("{url} can be trusted"))] } else { lines }
}

fn good(part: &str, detail: String) -> Line {
    Line { part: part.to_owned(), state: State::Good, code: None, detail, help: None }
}

fn bad(part: &'static str, code: &'static str, error: &dyn std::fmt::Display) -> Line {
    found_line(part, false, code, error.to_string())
}

fn found_line(part: &str, accepted: bool, code: &'static str, detail: String) -> Line {
    let state = if accepted { State::Accepted } else { State::Bad };
    let help = what_to_do(code).filter(|_| state == State::Bad);
    Line { part: part.to_owned(), state, code: Some(code), detail, help }
}
