//! `/v1/events`: everything that happens, as a stream that resumes where its reader stopped, or page
//! by page.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use postroom_records::TimelineItem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::PageOf;
use crate::auth::Caller;
use crate::body::{Params, page_limit};
use crate::gateway::App;
use crate::problem::Problem;
use crate::stream::{self, Place};

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Events looked at for one page; a page of a reader who may see few of them can be short.
const SCANNED_MAX: u64 = 20_000;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsParams {
    /// Position of the last event that is known already; 0 is from the start.
    after: Option<String>,
    /// The `next_cursor` of the page before; the same as `after`.
    cursor: Option<String>,
    /// Of a page: 1 to 200; 50 where nothing is said.
    limit: Option<u32>,
}

/// The feed.
///
/// As server-sent events it starts after `Last-Event-ID`, else after `after`, else now; `id` is the
/// position, `event` the type, `data` an item as in a timeline. With `Accept: application/json` it
/// answers one page, from the start where no place is named.
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(EventsParams, ("Last-Event-ID" = Option<u64>, Header, description = "Goes before `after`")),
    responses((status = 200, description = "A stream or a page", content(
        (String = "text/event-stream"), (PageOf<TimelineItem> = "application/json"))))
)]
pub(crate) async fn events(
    caller: Caller,
    State(app): State<App>,
    Params(params): Params<EventsParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = match last_event_id(&headers)? {
        Some(position) => Some(position),
        None => match params.after.or(params.cursor) {
            Some(text) => Some(position(&text)?),
            None => None,
        },
    };
    if wants_page(&headers) {
        let limit = page_limit(params.limit)?;
        let place = stream::place_after(&app, after.unwrap_or(0)).await?;
        return Ok(Json(page(&app, &caller, place, limit).await?).into_response());
    }
    let place = match after {
        Some(position) => stream::place_after(&app, position).await?,
        None => stream::place_now(&app).await?,
    };
    let bytes = stream::open(app, caller, place)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(bytes)).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    match headers.get("last-event-id") {
        Some(value) if !value.is_empty() => position(value.to_str().unwrap_or_default()).map(Some),
        _ => Ok(None),
    }
}

fn position(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::invalid_query("after: must be a position, a whole number"))
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| {
        accept.contains("application/json") && !accept.contains("text/event-stream")
    })
}

async fn page(
    app: &App,
    caller: &Caller,
    mut place: Place,
    limit: usize,
) -> Result<PageOf<Box<RawValue>>, Problem> {
    let start = place.position;
    let mut items = Vec::new();
    loop {
        let slots = app.feed.after(place.seq).await?;
        if slots.is_empty() {
            return Ok(PageOf { items, next_cursor: None });
        }
        for slot in slots {
            for item in stream::visible(app, &caller.principal, &slot, place.position).await? {
                if items.len() == limit {
                    return Ok(PageOf { items, next_cursor: Some(place.position.to_string()) });
                }
                items.push(item.json.clone());
                place.position = item.position;
            }
            let last = slot.envelope()?.last_event();
            place = Place { seq: slot.seq, position: last.max(place.position) };
        }
        if place.position.saturating_sub(start) >= SCANNED_MAX {
            return Ok(PageOf { items, next_cursor: Some(place.position.to_string()) });
        }
    }
}
