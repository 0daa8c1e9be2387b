//! `/v1/channels/{channel}/events`: what providers post. The signature is the authentication, the
//! adapter checks it; nothing is acknowledged before the inlet has it (P1).
//!
//! This is the hot path: one pass over the body, one look-up, one publish.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use postroom_channel::{Adapter, Push, PushRequest, PushResponse, Received, Unread};
use postroom_model::limits::INLINE_BODY_BYTES_MAX;
use postroom_model::{
    Body as Words, Call, CallLeg, ChannelId, Inbound, InboundCall, InboundReceipt, Input,
    InputBody, InputId, Message, MessageId, Unparsed,
};
use serde::Serialize;

use crate::body::{Coming, Segments, read_body};
use crate::gateway::App;
use crate::problem::Problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Acceptance {
    Accepted,
    Duplicate,
}

/// What became of a post.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Taken {
    /// The id of the (first) message or report of a call, always the same for the same event; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    id: Option<MessageId>,
    /// May say `accepted` for a duplicate while the records lag.
    status: Acceptance,
    /// The ids of all messages, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    ids: Vec<MessageId>,
}

/// A chat webhook or call event comes in.
///
/// The channel's dialect decides the form; the generic one is signed as Standard Webhooks. Repeating
/// a post is safe. 401: the signature; 413, 415, 422: the body; 429 and 503: send it again after
/// `Retry-After`.
#[utoipa::path(
    post, path = "/v1/channels/{channel}/events", tag = "channels",
    params(("channel" = String, Path, description = "Id of the channel")),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 202, description = "Durable", body = Taken))
)]
pub(crate) async fn post_event(
    State(app): State<App>,
    Segments(channel): Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    take_post(&app, &channel, request).await
}

/// The route of the posts, as it stands in the API.
pub(crate) const EVENTS_ROUTE: &str = "/v1/channels/{channel}/events";

/// The channel that a request posts to, if it is such a post and plainly written.
pub(crate) fn posted_to<B>(request: &http::Request<B>) -> Option<ChannelId> {
    let path = Some(request.uri().path()).filter(|_| request.method() == http::Method::POST)?;
    let channel = path.strip_prefix("/v1/channels/")?.strip_suffix("/events")?;
    ChannelId::new(channel).ok()
}

/// Verifies, reads and keeps what was posted, and answers when it is durable.
pub(crate) async fn take_post<B: Coming>(
    app: &App,
    channel: &str,
    request: http::Request<B>,
) -> Result<Response, Problem> {
    let adapter = adapter(app, channel)?;
    let push = adapter.push().ok_or_else(takes_no_posts)?;
    let (parts, body) = request.into_parts();
    let body = read_body(app, &parts.headers, body).await?;
    let uri = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let post =
        PushRequest { method: &parts.method, uri, headers: &parts.headers, body: body.bytes() };
    let received = verified(push, &post, app)?;
    take_in(app, adapter.channel(), received).await
}

fn verified(push: &dyn Push, post: &PushRequest<'_>, app: &App) -> Result<Received, Problem> {
    push.verify(post, app.clock.now())?;
    Ok(push.parse(post)?)
}

/// The question by which a provider proves who listens.
#[utoipa::path(
    get, path = "/v1/channels/{channel}/events", tag = "channels",
    params(("channel" = String, Path, description = "Id of the channel")),
    responses((status = 200, description = "What the provider wants to hear"))
)]
pub(crate) async fn challenge(
    State(app): State<App>,
    Segments(channel): Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    let adapter = adapter(&app, &channel)?;
    let uri = request.uri().path_and_query().map_or("", |path| path.as_str());
    let asked =
        PushRequest { method: request.method(), uri, headers: request.headers(), body: &[] };
    let answer = adapter.push().and_then(|push| push.challenge(&asked));
    Ok(provider_response(answer.ok_or_else(takes_no_posts)??))
}

fn adapter(app: &App, channel: &str) -> Result<Arc<dyn Adapter>, Problem> {
    let found = ChannelId::new(channel).ok().and_then(|id| {
        let adapters = app.adapters.borrow();
        adapters.get(&id).map(Arc::clone)
    });
    found.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "channel_not_found", "there is no such channel")
    })
}

fn takes_no_posts() -> Problem {
    let detail = "the channel does not take this";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        .with_header(header::ALLOW, HeaderValue::from_static("POST"))
}

fn provider_response(response: PushResponse) -> Response {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::OK);
    let media_type = HeaderValue::from_static(response.media_type);
    (status, [(header::CONTENT_TYPE, media_type)], Body::from(response.body)).into_response()
}

/// Makes everything durable, then answers.
async fn take_in(app: &App, channel: &ChannelId, received: Received) -> Result<Response, Problem> {
    let calls = calls(app, channel, received.calls, received.legs);
    let mut messages: Vec<MessageId> = received
        .arrivals
        .iter()
        .map(|one| MessageId::of_external(&app.workspace, channel, &one.message.external_id))
        .collect();
    messages.extend(calls.iter().map(|call| MessageId(call.id.0)));
    let inputs = messages.iter().map(|id| InputId(id.0)).collect();
    let known = app.lookup.decided(inputs).await;
    let status = if !known.is_empty() && known.iter().all(|known| *known) {
        Acceptance::Duplicate
    } else {
        Acceptance::Accepted
    };
    let at = app.clock.now();
    let mut inputs = Vec::with_capacity(messages.len() + received.receipts.len());
    let known_calls = known.iter().skip(received.arrivals.len());
    inputs
        .extend(calls.into_iter().zip(known_calls).filter(|(_, known)| !**known).map(|one| one.0));
    for ((arrival, id), known) in received.arrivals.into_iter().zip(&messages).zip(known) {
        if known {
            continue;
        }
        for content in arrival.contents {
            app.blobs.put(content.bytes).await?;
        }
        let mut message = arrival.message;
        if message.body_bytes() > INLINE_BODY_BYTES_MAX {
            put_words_aside(app, &mut message).await?;
        }
        let inbound = Box::new(Inbound { channel: channel.clone(), message });
        inputs.push(Input { id: InputId(id.0), at, body: InputBody::Inbound(inbound) });
    }
    for receipt in received.receipts {
        let content = serde_json::to_string(&receipt).unwrap_or_default();
        let id = InputId::of_report(&app.workspace, channel, &content);
        let body = InputBody::Receipt(InboundReceipt { channel: channel.clone(), receipt });
        inputs.push(Input { id, at, body });
    }
    if let Some(Unread { raw, code, detail }) = received.unread {
        let raw = app.blobs.put(raw).await?;
        let id = InputId::of_unparsed(&app.workspace, channel, &raw.sha256, code);
        let (channel, code) = (channel.clone(), code.to_owned());
        let body = InputBody::Unparsed(Unparsed { channel, raw, code, detail });
        inputs.push(Input { id, at, body });
    }
    if !inputs.is_empty() {
        app.intake.accept_all(&inputs).await?;
        app.metrics.accepted.inc_by(inputs.len() as u64);
    }
    Ok(match received.response {
        Some(response) => provider_response(response),
        None => taken(&messages, status),
    })
}

fn taken(messages: &[MessageId], status: Acceptance) -> Response {
    let ids = if messages.len() > 1 { messages.to_vec() } else { Vec::new() };
    let body = Taken { id: messages.first().copied(), status, ids };
    (StatusCode::ACCEPTED, axum::Json(body)).into_response()
}

/// Reports of calls as inputs. What says the same is the same input.
fn calls(
    app: &App,
    channel: &ChannelId,
    calls: Vec<Call>,
    legs: Vec<(String, CallLeg)>,
) -> Vec<Input> {
    let at = app.clock.now();
    let of = |id, told| Input { id, at, body: InputBody::Call(Box::new(told)) };
    let calls = calls.into_iter().map(|call| {
        let id = InputId::of_call(&app.workspace, channel, &call);
        of(id, InboundCall::new(channel.clone(), call))
    });
    let legs = legs.into_iter().map(|(call_id, leg)| {
        let id = InputId::of_leg(&app.workspace, channel, &call_id, &leg);
        of(id, InboundCall::of_leg(channel.clone(), call_id, leg))
    });
    calls.chain(legs).collect()
}

/// Moves the words of a large message to the blob store.
async fn put_words_aside(app: &App, message: &mut Message) -> Result<(), Problem> {
    let words = Words::take_from(message);
    let json = serde_json::to_vec(&words).map_err(|_| Problem::internal())?;
    message.body_blob = Some(app.blobs.put(Bytes::from(json)).await?);
    Ok(())
}
