//! `/v1/parked`: inputs set aside, for admins.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use postroom_model::{Action, ParkedId};
use postroom_records::{Key, Parked, Row};
use serde::Deserialize;

use super::PageOf;
use super::outcomes::{CommandStatus, Nothing, allowed, asked};
use crate::auth::Caller;
use crate::body::{Params, Payload, Segments, page_limit};
use crate::gateway::App;
use crate::problem::Problem;
use crate::reach;
use crate::submit::{Settled, command_id};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ParkedParams {
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 where nothing is said.
    limit: Option<u32>,
}

/// Inputs set aside, the oldest first.
#[utoipa::path(
    get, operation_id = "list_parked", path = "/v1/parked", tag = "operators", params(ParkedParams),
    responses((status = 200, description = "A page of `{id, at, code, detail, input}`", body = PageOf<Object>))
)]
pub(crate) async fn list(
    caller: Caller,
    State(app): State<App>,
    Params(params): Params<ParkedParams>,
) -> Result<Json<PageOf<Parked>>, Problem> {
    caller.admin()?;
    let limit = page_limit(params.limit)?;
    let after: Option<ParkedId> = match &params.cursor {
        Some(cursor) => Some(cursor.parse().map_err(|_| Problem::bad_cursor())?),
        None => None,
    };
    app.settle_records().await;
    let mut items = app.records.parked(after, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Json(PageOf { items, next_cursor }))
}

/// One input set aside.
#[utoipa::path(
    get, operation_id = "get_parked", path = "/v1/parked/{id}", tag = "operators",
    params(("id" = String, Path, description = "Id of the input set aside")),
    responses((status = 200, description = "`{id, at, code, detail, input}`", body = Object))
)]
pub(crate) async fn show(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
) -> Result<Json<Parked>, Problem> {
    caller.admin()?;
    app.settle_records().await;
    match reach::load_row(&app, Key::Parked(parked_id(&id)?)).await? {
        Some(Row::Parked(parked)) => Ok(Json(*parked)),
        _ => Err(not_found()),
    }
}

/// Decides the input once more.
#[utoipa::path(
    post, operation_id = "retry_parked", path = "/v1/parked/{id}/retry", tag = "operators",
    params(("id" = String, Path, description = "Id of the input set aside")),
    responses((status = 200, description = "Decided", body = CommandStatus),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn retry(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    _: Payload<Nothing>,
) -> Result<Response, Problem> {
    caller.admin()?;
    let action = Action::RetryParked { parked: parked_id(&id)? };
    settle(&app, &caller, &headers, action).await
}

/// Gives the input up.
#[utoipa::path(
    post, operation_id = "drop_parked", path = "/v1/parked/{id}/drop", tag = "operators",
    params(("id" = String, Path, description = "Id of the input set aside")),
    responses((status = 200, description = "Given up", body = CommandStatus),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn discard(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    _: Payload<Nothing>,
) -> Result<Response, Problem> {
    caller.admin()?;
    let action = Action::DropParked { parked: parked_id(&id)? };
    settle(&app, &caller, &headers, action).await
}

async fn settle(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    action: Action,
) -> Result<Response, Problem> {
    let id = command_id(app, caller, headers)?;
    Ok(match asked(app, caller, id, action, allowed()).await? {
        Err(response) => response,
        Ok(outcome) => Json(CommandStatus::of(id.0, Settled::Done(outcome))).into_response(),
    })
}

fn parked_id(text: &str) -> Result<ParkedId, Problem> {
    text.parse().map_err(|_| not_found())
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "parked_not_found", "there is no such input set aside")
}
