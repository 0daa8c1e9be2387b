//! `/v1/attachments/…`: the content of an attachment, always as a download that can do nothing.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use postroom_model::Attachment;
use postroom_records::{Key, Row};

use crate::auth::Caller;
use crate::body::Segments;
use crate::gateway::App;
use crate::problem::Problem;
use crate::reach;

pub(super) const SANDBOX: HeaderValue =
    HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'");

/// The content of an attachment.
#[utoipa::path(
    get, operation_id = "download_attachment",
    path = "/v1/attachments/{conversation}/{position}/{index}", tag = "conversations",
    params(
        ("conversation" = String, Path, description = "Id of the conversation"),
        ("position" = u64, Path, description = "Position of the message"),
        ("index" = usize, Path, description = "Index among the attachments, from 0"),
    ),
    responses((status = 200, description = "The bytes", content_type = "application/octet-stream"))
)]
pub(crate) async fn download(
    caller: Caller,
    State(app): State<App>,
    Segments((conversation, position, index)): Segments<(String, String, String)>,
) -> Result<Response, Problem> {
    let conversation = reach::for_reading(&app, &caller.principal, &conversation).await?;
    let position = position.parse().map_err(|_| not_found())?;
    let index: usize = index.parse().map_err(|_| not_found())?;
    let row = reach::load_row(&app, Key::Timeline(conversation.id, position)).await?;
    let Some(Row::Timeline(item)) = row else {
        return Err(not_found());
    };
    let attachments = item.message.map(|message| message.attachments).unwrap_or_default();
    let attachment = attachments.get(index).ok_or_else(not_found)?;
    let blob = attachment.blob().ok_or_else(not_found)?;
    let content = app.blobs.get(&blob, app.limits.attachment_bytes_max).await?;
    let headers = [
        (header::CONTENT_TYPE, media_type(attachment)),
        (header::CONTENT_DISPOSITION, disposition(attachment.name.as_deref())),
        (header::CONTENT_SECURITY_POLICY, SANDBOX),
    ];
    Ok((headers, Body::from(content)).into_response())
}

fn not_found() -> Problem {
    let detail = "there is no such attachment, or its content is not held here";
    Problem::new(StatusCode::NOT_FOUND, "attachment_not_found", detail)
}

fn media_type(attachment: &Attachment) -> HeaderValue {
    harmless(attachment.media_type.as_deref())
}

/// Only what no browser runs keeps its type.
pub(super) fn harmless(media_type: Option<&str>) -> HeaderValue {
    let given = media_type.unwrap_or_default().to_ascii_lowercase();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let harmless = matches!(essence, "text/plain" | "text/csv" | "application/pdf")
        || ["audio/", "video/"].iter().any(|start| essence.starts_with(start))
        || matches!(essence, "image/png" | "image/jpeg" | "image/gif" | "image/webp");
    HeaderValue::from_str(essence)
        .ok()
        .filter(|_| harmless)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// `attachment` with the name in both forms of RFC 6266.
fn disposition(name: Option<&str>) -> HeaderValue {
    let name = name.filter(|name| !name.is_empty()).unwrap_or("attachment");
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._- ".contains(c) { c } else { '_' })
        .collect();
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 15] {
                encoded.push(
                    char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase(),
                );
            }
        }
    }
    HeaderValue::from_str(&format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"))
        .unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use postroom_model::Attachment;

    use super::{disposition, media_type};

    #[test]
    fn name_of_a_download_cannot_leave_its_quotes() {
        for (name, header) in [
            (Some("a.png"), "attachment; filename=\"a.png\"; filename*=UTF-8''a.png"),
            (
                Some("a\"\r\nx: y"),
                "attachment; filename=\"a___x_ y\"; filename*=UTF-8''a%22%0D%0Ax%3A%20y",
            ),
            (Some("你"), "attachment; filename=\"_\"; filename*=UTF-8''%E4%BD%A0"),
            (None, "attachment; filename=\"attachment\"; filename*=UTF-8''attachment"),
        ] {
            assert_eq!(disposition(name), header);
        }
    }

    #[test]
    fn type_that_a_browser_might_run_is_not_passed_on() {
        for (given, answered) in [
            ("image/png", "image/png"),
            ("TEXT/PLAIN; charset=utf-8", "text/plain"),
            ("text/html", "application/octet-stream"),
            ("image/svg+xml", "application/octet-stream"),
            ("nonsense\n", "application/octet-stream"),
        ] {
            let attachment = Attachment { media_type: Some(given.into()), ..Attachment::default() };
            assert_eq!(media_type(&attachment), answered);
        }
    }
}
