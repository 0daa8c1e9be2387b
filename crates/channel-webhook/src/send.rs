//! The way out: a reply is posted to the callback URL, signed as Standard Webhooks.
//!
//! The delivery id is the `webhook-id`, the same at every attempt, so a receiver can tell a second
//! attempt from a second reply. What happened is told strictly: only where the other side surely
//! took nothing is another attempt offered (P7).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use postroom_channel::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use postroom_channel::{
    Files, Guard, GuardError, SendError, SendReceipt, innermost, read_bounded, refused_by_guard,
};
use postroom_model::limits::EXTERNAL_ID_CHARS_MAX;
use postroom_model::{Attachment, Clock, ConversationId, MessageId, Outbound, Party, Timestamp};
use serde::Serialize;

use crate::Callback;

/// Bytes of an answer that are read.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of all attachments of one reply.
pub const SENT_ATTACHMENTS_BYTES_MAX: u64 = 20 * 1024 * 1024;
/// The longest time for which the other side can put us off.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// The body of a callback.
#[derive(Debug, Serialize)]
struct Callout<'a> {
    id: MessageId,
    conversation: ConversationId,
    thread: Option<&'a str>,
    to: &'a [Party],
    text: Option<&'a str>,
    html: Option<&'a str>,
    attachments: Vec<SentAttachment<'a>>,
    sent_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct SentAttachment<'a> {
    #[serde(flatten)]
    attachment: &'a Attachment,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
}

/// Makes one attempt.
pub(crate) async fn post(
    callback: &Callback,
    guard: &Guard,
    outbound: &Outbound,
    files: &dyn Files,
    clock: &dyn Clock,
) -> Result<SendReceipt, SendError> {
    let request = guard.request(Method::POST, &callback.url);
    let request = request.map_err(|error| refused(&error))?;
    let body = body(outbound, files).await?;
    let id = outbound.id.to_string();
    let now = clock.now();
    let answer = request
        .header(CONTENT_TYPE, "application/json")
        .header(ID_HEADER, &id)
        .header(TIMESTAMP_HEADER, now.seconds().to_string())
        .header(SIGNATURE_HEADER, callback.secret.sign(&id, now, &body))
        .body(body)
        .send()
        .await
        .map_err(|error| broken(&error))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(not_taken(status, answer.headers(), now));
    }
    // It is taken, whatever becomes of the rest of the answer.
    let body = read_bounded(answer, ANSWER_BYTES_MAX).await;
    let external_id = body.ok().and_then(|body| id_in(&body));
    Ok(SendReceipt { external_id })
}

async fn body(outbound: &Outbound, files: &dyn Files) -> Result<Vec<u8>, SendError> {
    let message = &outbound.message;
    let sizes = message.attachments.iter().filter_map(Attachment::blob);
    let total: u64 = sizes.map(|blob| blob.size_bytes).sum();
    if total > SENT_ATTACHMENTS_BYTES_MAX {
        let detail = format!("the files hold {total} bytes, {SENT_ATTACHMENTS_BYTES_MAX} at most");
        return Err(SendError::permanent("attachments_too_large", detail));
    }
    let mut attachments = Vec::with_capacity(message.attachments.len());
    for attachment in &message.attachments {
        let content = match attachment.blob() {
            Some(blob) => Some(files.read(&blob).await?),
            None => None,
        };
        attachments.push(SentAttachment {
            attachment,
            content_base64: content.map(|bytes| STANDARD.encode(bytes)),
        });
    }
    let callout = Callout {
        id: outbound.id,
        conversation: outbound.conversation,
        thread: outbound.thread.as_deref(),
        to: &outbound.to,
        text: message.text.as_deref(),
        html: message.html.as_deref(),
        attachments,
        sent_at: message.sent_at.unwrap_or(outbound.queued_at),
    };
    serde_json::to_vec(&callout).map_err(|error| {
        let detail = format!("the reply has no JSON form: {error}");
        SendError::permanent("callback_not_writable", detail)
    })
}

fn refused(error: &GuardError) -> SendError {
    SendError::permanent(error.code(), format!("callback_url: {error}"))
}

/// Sorts what went wrong before there was an answer: what never had a connection was surely not
/// taken; whatever had one may have been.
fn broken(error: &reqwest::Error) -> SendError {
    if let Some(error) = refused_by_guard(error) {
        return refused(&error);
    }
    if error.is_connect() {
        let detail = format!("no connection to the callback_url: {}", innermost(error));
        return SendError::retryable("callback_unreachable", detail);
    }
    if error.is_builder() {
        let detail = format!("the request cannot be made: {}", innermost(error));
        return SendError::permanent("callback_not_writable", detail);
    }
    let cause = if error.is_timeout() { "it took too long".to_owned() } else { innermost(error) };
    let detail = format!("the callback was posted and its answer never came: {cause}");
    SendError::uncertain("callback_uncertain", detail)
}

fn not_taken(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> SendError {
    let detail = format!("the callback_url answered {status}");
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {}
        StatusCode::GONE => return SendError::permanent("callback_gone", detail),
        status if status.is_client_error() => {
            return SendError::permanent("callback_refused", detail);
        }
        status if status.is_redirection() => {
            return SendError::permanent("callback_redirected", detail);
        }
        _ => {}
    }
    let mut error = SendError::retryable("callback_failed", detail);
    error.retry_after = retry_after(headers, now);
    error
}

/// `Retry-After` as seconds or as a date (RFC 9110, 10.2.3), at most [`RETRY_AFTER_MAX`].
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?;
            let then = date.timestamp().as_millisecond();
            Duration::from_millis(u64::try_from(then - now.millis()).unwrap_or(0))
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// The receiver's own id of the message, if its answer is JSON with an `id` that is one.
fn id_in(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let id = value.get("id")?.as_str()?;
    let fits =
        !id.is_empty() && id.len() <= EXTERNAL_ID_CHARS_MAX && !id.chars().any(char::is_control);
    fits.then(|| id.to_owned())
}
