//! `postroom inspect`: what Postroom makes of a raw message. Reads files, touches nothing else.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use postroom_channel::{Inspection, PushRequest};
use postroom_channel_email::BareBody;
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
        Kind::Email | Kind::Imap => mail(wanted)?,
        Kind::Phone => {
            let detail = "this version reads messages of the kinds email, imap and webhook";
            return Err(Failure::usage(detail));
        }
    };
    output::json(&inspection);
    Ok(ExitCode::from(inspection.exit_code()))
}

/// Mail has no dialect, no request and no signature.
fn mail(wanted: &cli::Inspect) -> Result<Inspection, Failure> {
    let foreign = wanted.dialect.is_some()
        || wanted.secret.is_some()
        || wanted.time_zone.is_some()
        || wanted.content_type.is_some()
        || !wanted.headers.is_empty();
    if foreign {
        let detail = "of the options only --body says anything about mail";
        return Err(Failure::usage(detail));
    }
    let body = wanted.body.map(|body| match body {
        cli::BareBody::Text => BareBody::Text,
        cli::BareBody::Html => BareBody::Html,
    });
    sequence(wanted, |content| {
        Ok(match body {
            Some(kind) => postroom_channel_email::inspect_body(content, kind),
            None => postroom_channel_email::inspect(content),
        })
    })
}

fn webhook(wanted: &cli::Inspect) -> Result<Inspection, Failure> {
    if wanted.body.is_some() || wanted.time_zone.is_some() {
        return Err(Failure::usage("--body is for email, --time-zone for telephone logs"));
    }
    let name = wanted.dialect.as_deref().unwrap_or("generic");
    let dialect = Dialect::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Dialect::ALL.into_iter().map(Dialect::name).collect();
        let near = postroom_config::nearest(name, names.iter().copied());
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        Failure::usage(format!("there is no dialect {name}{near}"))
    })?;
    let headers = headers(wanted)?;
    let method: Method =
        wanted.method.parse().map_err(|_| Failure::usage("--method is not a method"))?;
    let now = wanted.now.map_or_else(|| SystemClock.now(), Timestamp::from_seconds);
    sequence(wanted, |body| {
        let request = PushRequest { method: &method, uri: &wanted.url, headers: &headers, body };
        let secret = wanted.secret.as_deref();
        let one = postroom_channel_webhook::inspect(dialect, &request, secret, now);
        one.map_err(|error| {
            Failure::usage(format!("--{}: {}; {}", error.key, error.message, error.help))
        })
    })
}

/// Reads the files, in order.
fn sequence(
    wanted: &cli::Inspect,
    inspect: impl Fn(&[u8]) -> Result<Inspection, Failure>,
) -> Result<Inspection, Failure> {
    let mut whole: Option<Inspection> = None;
    for file in &wanted.files {
        let one = inspect(&read(file)?)?;
        whole = Some(match whole {
            Some(before) => followed_by(before, one),
            None => one,
        });
    }
    whole.ok_or_else(|| Failure::usage("name a file, or - for standard input"))
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

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let done = if file == Path::new("-") {
        std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_end(&mut content)
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(FILE_BYTES_MAX).read_to_end(&mut content))
    };
    match done {
        Ok(_) => Ok(content),
        Err(error) => Err(Failure::failed(format!("{} cannot be read: {error}", file.display()))),
    }
}
