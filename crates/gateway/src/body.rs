//! Reading what is sent: bodies within their limit, JSON with pointers to what is wrong in it, and
//! the parts of an address.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::HttpBody;
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use crate::gateway::App;
use crate::problem::{FieldError, Problem};

/// Bodies up to this many bytes are read without a place among the large ones.
const SMALL_BYTES_MAX: usize = 64 * 1024;

/// A body in memory. A large one holds a place until it is dropped, so that all bodies together
/// stay within memory.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: Bytes,
    place: Option<OwnedSemaphorePermit>,
}

impl Held {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The bytes of a request as they come.
pub(crate) trait Coming: HttpBody<Data = Bytes> + Unpin {}

impl<B: HttpBody<Data = Bytes> + Unpin> Coming for B {}

/// Reads a body of at most `body_bytes_max`. What is refused half read, or before, is drained: clients
/// that write everything before they read would otherwise see a broken connection, and no answer.
pub(crate) async fn read_body<B: Coming>(
    app: &App,
    headers: &HeaderMap,
    mut body: B,
) -> Result<Held, Problem> {
    let read = read_within(app, headers, &mut body).await;
    if read.as_ref().is_err_and(Problem::leaves_body_unread) && worth_draining(app, headers) {
        drain(app, body).await;
    }
    read
}

/// A client that asks before it writes the body is answered before it does, and so is one that would
/// not come to its end.
fn worth_draining(app: &App, headers: &HeaderMap) -> bool {
    let too_long = declared(headers).is_some_and(|length| length > app.limits.drain_bytes_max);
    !too_long && !headers.contains_key(header::EXPECT)
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads and throws away, within limits of bytes and time.
async fn drain<B: Coming>(app: &App, mut body: B) {
    let mut left = app.limits.drain_bytes_max;
    let draining = async {
        while let Ok(Some(data)) = next_piece(&mut body, app.limits.body_idle_ms).await {
            left = left.saturating_sub(data.len() as u64);
            if left == 0 {
                return;
            }
        }
    };
    let wait = Duration::from_millis(app.limits.drain_ms);
    // What is not drained in time is cut off with the connection.
    drop(tokio::time::timeout(wait, draining).await);
}

/// A larger declared length is refused before reading.
async fn read_within<B: Coming>(
    app: &App,
    headers: &HeaderMap,
    body: &mut B,
) -> Result<Held, Problem> {
    let bytes_max = app.limits.body_bytes_max;
    if declared(headers).is_some_and(|length| length > bytes_max as u64) {
        return Err(Problem::body_too_large(bytes_max));
    }
    let mut held = Held { bytes: Bytes::new(), place: None };
    let mut rest = BytesMut::new();
    while let Some(data) = next_piece(body, app.limits.body_idle_ms).await? {
        let so_far = held.bytes.len() + rest.len() + data.len();
        if so_far > bytes_max {
            return Err(Problem::body_too_large(bytes_max));
        }
        if so_far > SMALL_BYTES_MAX && held.place.is_none() {
            let place = Arc::clone(&app.large_bodies).try_acquire_owned();
            held.place = Some(place.map_err(|_| too_many_large())?);
        }
        // Most bodies come in one piece, which is then not copied.
        if held.bytes.is_empty() && rest.is_empty() {
            held.bytes = data;
            continue;
        }
        rest.extend_from_slice(&std::mem::take(&mut held.bytes));
        rest.extend_from_slice(&data);
    }
    if !rest.is_empty() {
        held.bytes = rest.freeze();
    }
    Ok(held)
}

/// The next bytes of a body; none at its end.
async fn next_piece<B: Coming>(body: &mut B, idle_ms: u64) -> Result<Option<Bytes>, Problem> {
    loop {
        let next = tokio::time::timeout(Duration::from_millis(idle_ms), body.frame()).await;
        let frame = next.map_err(|_| {
            let detail = "the body stopped coming before it was whole";
            Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail)
        })?;
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|_| {
            Problem::new(StatusCode::BAD_REQUEST, "body_broken", "the body broke off")
        })?;
        match frame.into_data() {
            Ok(data) if !data.is_empty() => return Ok(Some(data)),
            // Trailers say nothing here.
            Ok(_) | Err(_) => {}
        }
    }
}

fn too_many_large() -> Problem {
    let detail = "too many large bodies are being read; send it again a moment later";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail).retry_after_s(1)
}

/// What a body must hold beyond its types. Each mistake is named, not only the first.
pub(crate) trait Check {
    fn check(&self, errors: &mut Vec<FieldError>);
}

/// A JSON body that was read and checked. An absent body counts as `{}`.
#[derive(Debug)]
pub(crate) struct Payload<T>(pub(crate) T);

impl<T: DeserializeOwned + Check> FromRequest<App> for Payload<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = read_body(app, &parts.headers, body).await?;
        if body.bytes().is_empty() {
            return parse(b"{}").map(Self);
        }
        if !is_json(&parts.headers) {
            let detail = "the body must be application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", detail));
        }
        parse(body.bytes()).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.map(|given| given.split(';').next().unwrap_or_default().trim());
    essence.is_some_and(|essence| {
        essence.eq_ignore_ascii_case("application/json")
            || essence.to_ascii_lowercase().ends_with("+json")
    })
}

fn parse<T: DeserializeOwned + Check>(bytes: &[u8]) -> Result<T, Problem> {
    // The parser would also take an array, field by field.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        let error = FieldError::new("", "the body must be a JSON object");
        return Err(Problem::invalid_body(vec![error]));
    }
    let Json(value) = Json::<T>::from_bytes(bytes)
        .map_err(|rejection| Problem::invalid_body(vec![located(&rejection.body_text())]))?;
    let mut errors = Vec::new();
    value.check(&mut errors);
    if errors.is_empty() { Ok(value) } else { Err(Problem::invalid_body(errors)) }
}

/// Makes a pointer of the path that stands in the parser's message, as in
/// `Failed to …: attachments[0].name: invalid type: integer `3`, expected a string at line 1 …`.
fn located(message: &str) -> FieldError {
    let text = message.split_once(": ").map_or(message, |(_, rest)| rest);
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    let (path, detail) =
        text.split_once(": ").filter(|(path, _)| !path.contains(' ')).unwrap_or(("", text));
    let mut pointer = String::new();
    for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
        pointer.push('/');
        pointer.push_str(step.trim_end_matches(']'));
    }
    let missing = detail.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    if let Some(field) = missing {
        pointer.push('/');
        pointer.push_str(field);
    }
    FieldError::new(pointer, detail)
}

/// The query of an address; unknown parameters are refused.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|query: axum::extract::Query<T>| Self(query.0))
            .map_err(|rejection| {
                let text = rejection.body_text();
                let detail = text.split_once(": ").map_or(text.as_str(), |(_, detail)| detail);
                Problem::invalid_query(detail)
            })
    }
}

/// The variable parts of an address, as text: what is not an id leads nowhere, which each handler
/// says in its own words.
#[derive(Debug)]
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, app)
            .await
            .map(|path: axum::extract::Path<T>| Self(path.0))
            .map_err(|_| Problem::not_found())
    }
}

/// How many items a page has: 1 to 200, 50 where nothing is said.
pub(crate) fn page_limit(limit: Option<u32>) -> Result<usize, Problem> {
    match limit.unwrap_or(50) {
        limit @ 1..=200 => Ok(limit as usize),
        _ => Err(Problem::invalid_query("limit: must be between 1 and 200")),
    }
}

#[cfg(test)]
mod tests {
    use super::located;

    #[test]
    fn message_of_the_parser_becomes_a_pointer() {
        for (message, pointer, detail) in [
            (
                "Failed to deserialize: attachments[0].name: invalid type: integer `3`, \
                 expected a string at line 1 column 9",
                "/attachments/0/name",
                "invalid type: integer `3`, expected a string",
            ),
            ("Failed: missing field `text` at line 1 column 2", "/text", "missing field `text`"),
            (
                "Failed: attachments[1]: missing field `name` at line 1 column 2",
                "/attachments/1/name",
                "missing field `name`",
            ),
            ("Failed to parse: expected value at line 1 column 1", "", "expected value"),
        ] {
            let error = located(message);
            assert_eq!((error.pointer.as_str(), error.detail.as_str()), (pointer, detail));
        }
    }
}
