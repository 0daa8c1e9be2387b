//! `/v1/conversations/{id}/recordings/{position}`: the recording of a call. It is fetched by its
//! channel's adapter when somebody first asks for it, and kept as a blob from then on.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use postroom_channel::SendError;
use postroom_model::{BlobRef, ChannelId, Cursor, Input, InputBody, InputId};
use postroom_records::{Key, Row};
use serde::{Deserialize, Serialize};

use super::attachments::{SANDBOX, harmless};
use crate::auth::Caller;
use crate::body::Segments;
use crate::gateway::App;
use crate::problem::Problem;
use crate::reach;

/// Bytes of a recording that is read; adapters fetch less.
const RECORDING_BYTES_MAX: usize = 100 * 1024 * 1024;

/// Where a recording is kept. Its text is the value of a cursor: how far the call was fetched.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    blob: BlobRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
}

/// The recording of a call, fetched when it is first asked for.
#[utoipa::path(
    get, operation_id = "download_recording",
    path = "/v1/conversations/{id}/recordings/{position}", tag = "conversations",
    params(
        ("id" = String, Path, description = "Id of the conversation"),
        ("position" = u64, Path, description = "Position of the call in its timeline"),
    ),
    responses((status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = 502, description = "It could not be fetched"))
)]
pub(crate) async fn download(
    caller: Caller,
    State(app): State<App>,
    Segments((conversation, position)): Segments<(String, String)>,
) -> Result<Response, Problem> {
    let conversation = reach::for_reading(&app, &caller.principal, &conversation).await?;
    let position = position.parse().map_err(|_| not_found())?;
    let row = reach::load_row(&app, Key::Timeline(conversation.id, position)).await?;
    let Some(Row::Timeline(item)) = row else {
        return Err(not_found());
    };
    let channel = item.details.get("channel").and_then(serde_json::Value::as_str);
    let channel = channel.and_then(|channel| ChannelId::new(channel).ok()).ok_or_else(not_found)?;
    let call = item.call.ok_or_else(not_found)?;
    let url = call.recording_url.ok_or_else(not_found)?;
    let name = format!("recording {}", InputId::of_report(&app.workspace, &channel, &url));
    if let Some(Row::Cursor(value)) =
        reach::load_row(&app, Key::Cursor(channel.clone(), name.clone())).await?
        && let Ok(kept) = serde_json::from_str::<Kept>(&value)
    {
        let content = app.blobs.get(&kept.blob, RECORDING_BYTES_MAX).await?;
        return Ok(answer(content, kept.media_type.as_deref()));
    }
    let adapters = app.adapters.borrow().get(&channel).cloned();
    let adapter = adapters.ok_or_else(not_found)?;
    let fetched = adapter.recording(&url).await.map_err(of_fetch)?;
    let blob = app.blobs.put(fetched.bytes.clone()).await?;
    let kept = Kept { blob, media_type: fetched.media_type.clone() };
    let value = serde_json::to_string(&kept).map_err(|_| Problem::internal())?;
    let id = InputId::of_report(&app.workspace, &channel, &format!("{name} {value}"));
    let body = InputBody::Cursor(Cursor { channel, name, value });
    app.intake.accept(&Input { id, at: app.clock.now(), body }).await?;
    app.metrics.accepted.inc();
    Ok(answer(fetched.bytes, fetched.media_type.as_deref()))
}

fn answer(content: bytes::Bytes, media_type: Option<&str>) -> Response {
    let name = HeaderValue::from_static("attachment; filename=\"recording\"");
    let headers = [
        (header::CONTENT_TYPE, harmless(media_type)),
        (header::CONTENT_DISPOSITION, name),
        (header::CONTENT_SECURITY_POLICY, SANDBOX),
    ];
    (headers, Body::from(content)).into_response()
}

fn of_fetch(error: SendError) -> Problem {
    let status = if error.may_retry() { StatusCode::BAD_GATEWAY } else { StatusCode::FORBIDDEN };
    Problem::new(status, error.code, error.detail)
}

fn not_found() -> Problem {
    let detail = "there is no such call, or it has no recording";
    Problem::new(StatusCode::NOT_FOUND, "recording_not_found", detail)
}
