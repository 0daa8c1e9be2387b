//! Errors as the outside sees them: RFC 9457, with a stable code that has a page in the docs.
//!
//! A [`Problem`] travels in the extensions of an empty response; the frame around all routes writes
//! it out, because only there the id of the request is known.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use postroom_access::AccessError;
use postroom_bus::{BlobError, BusError};
use postroom_channel::Refusal;
use postroom_model::Outcome;
use postroom_records::RecordsError;
use serde::Serialize;

/// One thing that is wrong in a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901); empty for the whole body.
    pub pointer: String,
    pub detail: String,
}

impl FieldError {
    pub(crate) fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// The body of every error.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProblemDocument {
    /// Leads to the page about the code.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    /// Stable, for programs.
    pub code: String,
    /// Also in the header `x-request-id`.
    pub request_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// An error on its way out. Boxed, since it is the rare end of every handler.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
        }))
    }

    #[must_use]
    pub(crate) fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.retain(|(held, _)| *held != name);
        self.0.headers.push((name, value));
        self
    }

    #[must_use]
    pub(crate) fn retry_after_s(self, seconds: u32) -> Self {
        self.with_header(header::RETRY_AFTER, seconds.into())
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
    }

    pub(crate) fn conversation_not_found() -> Self {
        let detail = "there is no such conversation, or it is not one that you may see";
        Self::new(StatusCode::NOT_FOUND, "conversation_not_found", detail)
    }

    pub(crate) fn unauthenticated() -> Self {
        let detail = "sign in, or send a bearer token";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(crate) fn token_invalid() -> Self {
        let detail = "the token or session is unknown, revoked or expired";
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        Self::new(StatusCode::UNAUTHORIZED, "token_invalid", detail)
            .with_header(header::WWW_AUTHENTICATE, challenge)
    }

    pub(crate) fn forbidden(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(crate) fn agent_required() -> Self {
        let detail = "only an agent can do this, and this token or session does not act as one";
        Self::new(StatusCode::FORBIDDEN, "agent_required", detail)
    }

    pub(crate) fn not_in_queue() -> Self {
        let detail =
            "the conversation is in a queue that you do not serve, and not assigned to you";
        Self::new(StatusCode::FORBIDDEN, "not_in_queue", detail)
    }

    pub(crate) fn invalid_query(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_query", detail.into())
    }

    pub(crate) fn bad_cursor() -> Self {
        let detail = "the cursor is not one that this list gave";
        Self::new(StatusCode::BAD_REQUEST, "bad_cursor", detail)
    }

    pub(crate) fn invalid_body(errors: Vec<FieldError>) -> Self {
        let detail = match errors.first() {
            Some(error) if error.pointer.is_empty() => error.detail.clone(),
            Some(error) => format!("{}: {}", error.pointer, error.detail),
            None => "the body does not have the form that is asked for".to_owned(),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", detail).with_errors(errors)
    }

    pub(crate) fn body_too_large(bytes_max: usize) -> Self {
        let detail = format!("the body may have {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    }

    pub(crate) fn internal() -> Self {
        let detail = "something went wrong on our side; the log has more under this request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    pub(crate) fn unavailable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after_s(2)
    }

    /// A command that the core refused.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Self {
        let code = outcome.code.clone().unwrap_or_else(|| "rejected".to_owned());
        let detail = outcome.detail.clone().unwrap_or_else(|| title_of(&code));
        Self::new(status_of_refusal(&code), code, detail)
    }

    /// Whether it refuses a body that comes on, rather than one that broke off or stopped.
    pub(crate) fn leaves_body_unread(&self) -> bool {
        matches!(self.0.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The full answer, once the id of the request is known.
    pub(crate) fn render(self, docs_base: &str, request_id: &str) -> Response {
        let inner = *self.0;
        let document = ProblemDocument {
            kind: format!("{docs_base}/errors/{}", inner.code),
            title: title_of(&inner.code),
            status: inner.status.as_u16(),
            detail: inner.detail.into_owned(),
            code: inner.code.into_owned(),
            request_id: request_id.to_owned(),
            errors: inner.errors,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = inner.status;
        let problem_json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem_json);
        response.headers_mut().extend(inner.headers);
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self);
        response
    }
}

/// `conversation_not_found` as `Conversation not found`.
fn title_of(code: &str) -> String {
    let mut letters = code.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first
        .into_iter()
        .chain(letters)
        .map(|letter| if letter == '_' { ' ' } else { letter })
        .collect()
}

/// The status for what the core refuses, by its code. The one place where this is decided.
fn status_of_refusal(code: &str) -> StatusCode {
    match code {
        "contact_not_found"
        | "conversation_not_found"
        | "message_not_found"
        | "parked_not_found" => StatusCode::NOT_FOUND,
        "not_in_queue" | "agent_required" | "forbidden" => StatusCode::FORBIDDEN,
        "agent_not_found" | "queue_not_found" => StatusCode::UNPROCESSABLE_ENTITY,
        _ if code.starts_with("invalid_") => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::CONFLICT,
    }
}

impl From<BusError> for Problem {
    fn from(error: BusError) -> Self {
        let code = error.code();
        match error {
            BusError::Busy => {
                let detail = "too much waits to be stored; send it again a moment later";
                Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail).retry_after_s(1)
            }
            BusError::TooLarge { bytes_max, .. } => {
                let detail = format!("one entry may have {bytes_max} bytes in all");
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, detail)
            }
            BusError::Full => Self::unavailable(code, "the storage is full; nothing was taken")
                .with_header(header::RETRY_AFTER, 30.into()),
            BusError::Unavailable(cause) => {
                tracing::warn!(%cause, "the bus is not available");
                Self::unavailable(code, "the storage does not answer; send it again")
            }
            BusError::Closed => Self::unavailable(code, "this process is being shut down"),
            BusError::Damaged(cause) => {
                tracing::error!(%cause, "the storage is damaged");
                let detail = "a part of the storage is damaged, which no retry mends; the operator \
                              finds out where with `postroom verify`";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, detail)
            }
            BusError::Fenced { .. } => {
                tracing::error!(%error, "the bus failed");
                Self::internal()
            }
        }
    }
}

impl From<RecordsError> for Problem {
    fn from(error: RecordsError) -> Self {
        if matches!(error, RecordsError::BadCursor) {
            return Self::bad_cursor();
        }
        tracing::warn!(%error, "the records failed");
        Self::unavailable(error.code(), "the records do not answer; try again")
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::TooLarge { bytes_max, .. } => Self::body_too_large(clamp(bytes_max)),
            BlobError::Missing(_) => Self::new(
                StatusCode::NOT_FOUND,
                error.code(),
                "the content is no longer in the blob storage",
            ),
            BlobError::Damaged(_) => {
                tracing::error!(%error, "a blob is damaged");
                Self::internal()
            }
            BlobError::Full | BlobError::Unavailable(_) => {
                tracing::warn!(%error, "the blob storage failed");
                Self::unavailable(error.code(), "the blob storage does not take it; try again")
            }
        }
    }
}

fn clamp(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        tracing::warn!(%error, "the access store failed");
        Self::unavailable("access_unavailable", "sign-in cannot be checked now; try again")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status)
            .ok()
            .filter(StatusCode::is_client_error)
            .unwrap_or(StatusCode::BAD_REQUEST);
        let errors = refusal.pointers.into_iter();
        Self::new(status, refusal.code, refusal.detail)
            .with_errors(errors.map(|(pointer, detail)| FieldError { pointer, detail }).collect())
    }
}

#[cfg(test)]
mod tests {
    use postroom_bus::BusError;

    use super::{Problem, status_of_refusal, title_of};

    #[test]
    fn damaged_storage_is_told_with_its_own_code_and_without_the_cause() {
        let Problem(inner) = BusError::Damaged("the hash at 7".to_owned()).into();
        assert_eq!((inner.status.as_u16(), inner.code.as_ref()), (500, "storage_damaged"));
        assert!(!inner.detail.contains('7'), "{}", inner.detail);
    }

    #[test]
    fn refusal_of_the_core_has_a_status_by_its_code() {
        for (code, status) in [
            ("conversation_not_found", 404),
            ("not_in_queue", 403),
            ("agent_required", 403),
            ("queue_not_found", 422),
            ("invalid_version", 422),
            ("invalid_priority", 422),
            ("already_claimed", 409),
            ("conversation_changed", 409),
            ("conversation_resolved", 409),
            ("conversation_merged", 409),
            ("contact_not_found", 404),
            ("contact_merge_loop", 409),
            ("something_later", 409),
        ] {
            assert_eq!(status_of_refusal(code).as_u16(), status, "{code}");
        }
        assert_eq!(title_of("conversation_not_found"), "Conversation not found");
    }
}
