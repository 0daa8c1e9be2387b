//! The frame around every route: the id of the request, what is done when a handler panics, how
//! problems are written out, and the headers that every answer has.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::gateway::App;
use crate::metrics::RouteLabels;
use crate::problem::Problem;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ids from outside are replaced by our own.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// Nothing that the API answers is a page; should a browser show it as one, it can do nothing.
const API_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

pub(crate) async fn frame(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.map_or(Cow::Borrowed(""), |route| Cow::Owned(route.as_str().to_owned()));
    around(&app, route, request, |request| next.run(request)).await
}

/// What `answer` makes of the request, within the frame.
pub(crate) async fn around<B, F: Future<Output = Response>>(
    app: &App,
    route: Cow<'static, str>,
    request: http::Request<B>,
    answer: impl FnOnce(http::Request<B>) -> F,
) -> Response {
    let started = Instant::now();
    let request_id = request_id(request.headers(), app);
    let method = method_label(request.method());
    let answered = AssertUnwindSafe(answer(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!(request_id = ?request_id, "a handler panicked");
        Problem::internal().into_response()
    });
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(&app.docs_base, request_id.to_str().unwrap_or_default());
    }
    let status = response.status();
    if status.is_server_error() {
        tracing::warn!(request_id = ?request_id, status = status.as_u16(), "answered with an error");
    }
    add_headers(response.headers_mut(), request_id);
    let labels = RouteLabels { route, method, status: status.as_u16() };
    app.metrics.requests.get_or_create(&labels).inc();
    app.metrics.request_seconds.0.observe(started.elapsed().as_secs_f64());
    response
}

/// Methods are made up by whoever asks; the label is not.
fn method_label(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// The caller's id if it is sane, else one of our own.
fn request_id(headers: &HeaderMap, app: &App) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let good = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        (1..=REQUEST_ID_CHARS_MAX).contains(&value.len()) && value.as_bytes().iter().all(good)
    };
    if let Some(given) = headers.get(X_REQUEST_ID).filter(sane) {
        return given.clone();
    }
    let mut digits = [0; uuid::fmt::Hyphenated::LENGTH];
    let made: &str = app.ids.next().hyphenated().encode_lower(&mut digits);
    HeaderValue::from_str(made).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

fn add_headers(headers: &mut HeaderMap, request_id: HeaderValue) {
    headers.insert(X_REQUEST_ID, request_id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(API_POLICY);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
