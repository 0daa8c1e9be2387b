//! `postroom inspect`: what Postroom makes of a raw message. Reads files, touches nothing else.

mod mail;
mod phone;

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use postroom_channel::{Inspection, OptionError, PushRequest};
use postroom_channel_webhook::Dialect;
use postroom_model::{Clock as _, SystemClock, Timestamp};

use crate::cli::{self, Kind};
use crate::failure::Failure;
use crate::output;

/// Bytes that are read of one file; a larger one is refused as the server would refuse it.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(crate) fn run(wanted: &cli::Inspect) -> Result<ExitCode, Failure> {
    let inspection = match wanted.kind {
        Kind::Webhook => webhook(wanted)?,
        Kind::Phone => phone::inspect(wanted)?,
        Kind::Email | Kind::Imap => mail::inspect(wanted)?,
    };
    let Some(inspection) = inspection else {
        return Err(Failure::usage("name a file, or - for standard input"));
    };
    output::json(&inspection);
    Ok(ExitCode::from(inspection.exit_code()))
}

fn webhook(wanted: &cli::Inspect) -> Result<Option<Inspection>, Failure> {
    if wanted.body.is_some() || wanted.time_zone.is_some() || wanted.region.is_some() {
        let words = "--body is for email, --time-zone and --region are for telephone logs";
        return Err(Failure::usage(words));
    }
    let name = wanted.dialect.as_deref().unwrap_or("generic");
    let dialect = Dialect::from_name(name)
        .ok_or_else(|| no_such_dialect(name, &Dialect::ALL.map(Dialect::name)))?;
    let headers = headers(wanted)?;
    let method = method(wanted)?;
    let now = now(wanted);
    sequence(wanted, |body| {
        let request = PushRequest { method: &method, uri: &wanted.url, headers: &headers, body };
        let secret = wanted.secret.as_deref();
        let one = postroom_channel_webhook::inspect(dialect, &request, secret, now);
        one.map_err(|error| bad_option(&error))
    })
}

/// Reads the files, in order; none if there are none.
fn sequence(
    wanted: &cli::Inspect,
    inspect: impl Fn(&[u8]) -> Result<Inspection, Failure>,
) -> Result<Option<Inspection>, Failure> {
    let mut whole: Option<Inspection> = None;
    for file in &wanted.files {
        let one = inspect(&read(file, FILE_BYTES_MAX)?)?;
        whole = Some(match whole {
            Some(before) => followed_by(before, one),
            None => one,
        });
    }
    Ok(whole)
}

fn no_such_dialect(name: &str, known: &[&str]) -> Failure {
    let near = postroom_config::nearest(name, known.iter().copied());
    let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Failure::usage(format!("there is no dialect {name}{near}"))
}

fn bad_option(error: &OptionError) -> Failure {
    Failure::usage(format!("--{}: {}; {}", error.key, error.message, error.help))
}

fn method(wanted: &cli::Inspect) -> Result<Method, Failure> {
    wanted.method.parse().map_err(|_| Failure::usage("--method is not a method"))
}

fn now(wanted: &cli::Inspect) -> Timestamp {
    wanted.now.map_or_else(|| SystemClock.now(), Timestamp::from_seconds)
}

/// Several files are one sequence: all that they hold, and the last outcome that is not plain.
fn followed_by(mut before: Inspection, next: Inspection) -> Inspection {
    before.messages.extend(next.messages);
    before.receipts.extend(next.receipts);
    before.calls.extend(next.calls);
    if before.exit_code() == 0 {
        before.outcome = next.outcome;
        before.response = next.response;
        before.problem = next.problem;
    }
    before
}

fn headers(wanted: &cli::Inspect) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for header in &wanted.headers {
        let bad = || Failure::usage(format!("not a header: {header}"));
        let (name, value) = header.split_once(':').ok_or_else(bad)?;
        let name: HeaderName = name.trim().parse().map_err(|_| bad())?;
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| bad())?);
    }
    if let Some(media_type) = &wanted.content_type {
        let value = HeaderValue::from_str(media_type);
        let bad = |_| Failure::usage("--content-type is not a media type");
        headers.insert(CONTENT_TYPE, value.map_err(bad)?);
    }
    Ok(headers)
}

fn read(file: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let done = if file == Path::new("-") {
        std::io::stdin().lock().take(bytes_max).read_to_end(&mut content)
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(bytes_max).read_to_end(&mut content))
    };
    match done {
        Ok(_) => Ok(content),
        Err(error) => Err(Failure::failed(format!("{} cannot be read: {error}", file.display()))),
    }
}
