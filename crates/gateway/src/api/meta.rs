//! What is about the program itself: health, metrics, its own description, pages about errors, and
//! the answers for addresses that lead nowhere.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::body::Segments;
use crate::gateway::App;
use crate::problem::Problem;
use crate::{accounts, asyncapi, openapi};

/// Pages of `docs/errors` by their codes, in the order of the codes.
static ERROR_PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

/// How long the records may take to reach the ledger's tail before they count as behind.
const READY_WAIT: Duration = Duration::from_secs(1);

pub(crate) async fn nothing_here() -> Problem {
    Problem::not_found()
}

pub(crate) async fn other_method() -> Problem {
    let detail = "this address does not take that method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// The process is alive.
#[utoipa::path(
    get, path = "/healthz", tag = "operators",
    responses((status = 200, description = "Alive", body = Object))
)]
pub(crate) async fn healthz() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "alive" }))
}

/// The router runs and the records stand at the ledger's tail.
#[utoipa::path(
    get, path = "/readyz", tag = "operators",
    responses((status = 200, description = "Ready", body = Object),
        (status = 503, description = "Not ready; the detail says why"))
)]
pub(crate) async fn readyz(State(app): State<App>) -> Result<Json<serde_json::Value>, Problem> {
    if let Err(error) = app.records.in_place().await {
        tracing::warn!(code = error.code(), %error, "the records must be mended");
        return Err(Problem::unavailable(error.code(), error.to_string()));
    }
    let reached = reaches(&app).await?;
    let Some(router) = &app.ready else {
        return Ok(reached);
    };
    if !*router.borrow() {
        return Err(not_ready("the router is not running yet"));
    }
    let at_tail = async {
        // An error means that the feed is gone with its gateway; then nothing here answers for long.
        drop(app.feed.head().wait_for(Option::is_some).await);
        app.records_reach(app.feed.seq()).await;
    };
    if tokio::time::timeout(READY_WAIT, at_tail).await.is_err() {
        return Err(not_ready("the records are behind the ledger, or it cannot be read"));
    }
    Ok(Json(serde_json::json!({ "status": "ready" })))
}

/// What every gateway answers for; of one without a router, all: whether the records are behind is not its doing.
async fn reaches(app: &App) -> Result<Json<serde_json::Value>, Problem> {
    let asked = async { tokio::join!(app.ledger.tail(), app.records.standing()) };
    match tokio::time::timeout(READY_WAIT, asked).await {
        Ok((Ok(_), Ok(_))) => Ok(Json(serde_json::json!({ "status": "ready" }))),
        Ok((Err(_), _)) => Err(not_ready("the bus cannot be reached")),
        Ok((_, Err(_))) => Err(not_ready("the records cannot be reached")),
        Err(_) => Err(not_ready("bus or records do not answer in time")),
    }
}

fn not_ready(detail: &'static str) -> Problem {
    Problem::unavailable("not_ready", detail)
}

/// Metrics in the OpenMetrics text format.
#[utoipa::path(
    get, path = "/metrics", tag = "operators",
    responses((status = 200, description = "Metrics", body = String, content_type = "application/openmetrics-text"))
)]
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    accounts::refresh(&app).await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &app.registry)
        .map_err(|_| Problem::internal())?;
    let media_type =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operators",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(crate) async fn openapi_json() -> Response {
    let media_type = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, media_type)], openapi::openapi()).into_response()
}

/// The description of the event feed and of the bus.
#[utoipa::path(
    get, path = "/asyncapi.json", tag = "operators",
    responses((status = 200, description = "AsyncAPI 3.0", body = Object))
)]
pub(crate) async fn asyncapi_json() -> Response {
    let media_type = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, media_type)], asyncapi::asyncapi()).into_response()
}

/// The page about an error, to which the `type` of a problem leads.
#[utoipa::path(
    get, path = "/docs/errors/{code}", tag = "operators",
    params(("code" = String, Path, description = "The code of a problem")),
    responses((status = 200, description = "The page", body = String, content_type = "text/markdown"))
)]
pub(crate) async fn error_page(Segments(code): Segments<String>) -> Result<Response, Problem> {
    let page = page_of(&code).ok_or_else(Problem::not_found)?;
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, media_type)], page).into_response())
}

fn page_of(code: &str) -> Option<&'static str> {
    let at = ERROR_PAGES.binary_search_by(|(name, _)| (*name).cmp(code));
    at.ok().and_then(|at| ERROR_PAGES.get(at)).map(|(_, page)| *page)
}

/// What the page about an error says to do, on one line, for who reads no pages now.
pub fn what_to_do(code: &str) -> Option<String> {
    let (_, advice) = page_of(code)?.split_once("What to do")?;
    let advice = advice.trim_start_matches([':', ' ', '\n']).split("\n\n").next()?;
    let words: Vec<&str> = advice.split_whitespace().collect();
    let line = without_links(&words.join(" "));
    let mut letters = line.chars();
    let first = letters.next()?;
    Some(first.to_uppercase().chain(letters).collect())
}

/// `[mailboxes](../channels/imap.md)` as `mailboxes (docs/channels/imap.md)`.
fn without_links(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, link)) = rest.split_once('[')
        && let Some((name, link)) = link.split_once("](")
        && let Some((to, after)) = link.split_once(')')
    {
        let page = to.strip_prefix("../").map_or_else(
            || if to.contains("://") { to.to_owned() } else { format!("docs/errors/{to}") },
            |page| format!("docs/{page}"),
        );
        for piece in [before, name, " (", &page, ")"] {
            out.push_str(piece);
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::{ERROR_PAGES, what_to_do, without_links};

    #[test]
    fn every_page_says_on_one_line_what_to_do() {
        for (code, _) in ERROR_PAGES {
            let advice = what_to_do(code).unwrap_or_default();
            let is_line = !advice.is_empty() && !advice.contains('\n') && !advice.contains("](");
            assert!(is_line, "{code}: {advice}");
        }
        assert_eq!(what_to_do("no_such_code"), None);
        let linked = "See [mailboxes](../channels/imap.md), [this](a.md) and `[1]`.";
        let plain = "See mailboxes (docs/channels/imap.md), this (docs/errors/a.md) and `[1]`.";
        assert_eq!(without_links(linked), plain);
    }
}
