//! `/v1/calls`: calls that ring or go on, and `/v1/conversations/{id}/calls`: calls that agents log by
//! hand.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use postroom_model::{
    Action, Call, CallState, ChannelId, CommandId, Conversation, Direction, Disposition, Timestamp,
};
use postroom_records::TimelineItem;
use serde::Deserialize;

use super::PageOf;
use super::outcomes::{CommandStatus, change};
use crate::auth::Caller;
use crate::body::{Check, Params, Payload, Segments, page_limit};
use crate::gateway::App;
use crate::problem::{FieldError, Problem};
use crate::reach;

/// How far the clock of whoever logs a call may be ahead of ours.
const AHEAD_MS_MAX: i64 = 300_000;
/// Calls that ring or go on and are looked through for one page.
const LIVE_CALLS_MAX: usize = 5_000;

/// Characters of a number or a name.
const TEXT_CHARS_MAX: usize = 256;
/// A day; nobody talks for longer.
const TALK_S_MAX: u64 = 86_400;

#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateName {
    /// They ring or go on.
    Live,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallsParams {
    #[param(inline)]
    state: StateName,
    /// 1 to 200; 50 where nothing is said.
    limit: Option<u32>,
}

/// Calls that ring or go on, the newest first, each as the event feed told of it last: for an agent
/// those of the channels whose queue they serve.
#[utoipa::path(
    get, operation_id = "list_calls", path = "/v1/calls", tag = "calls", params(CallsParams),
    responses((
        status = 200, description = "Calls; those that are over stand on timelines", body = PageOf<TimelineItem>
    ))
)]
pub(crate) async fn list(
    caller: Caller,
    State(app): State<App>,
    Params(params): Params<CallsParams>,
) -> Result<Json<PageOf<TimelineItem>>, Problem> {
    let limit = page_limit(params.limit)?;
    let StateName::Live = params.state;
    app.settle_records().await;
    let settings = app.settings_now();
    let mut items = app.records.live_calls(LIVE_CALLS_MAX).await?;
    items.retain(|told| {
        let channel = told.details.get("channel").and_then(|channel| channel.as_str());
        let channel = channel.and_then(|channel| ChannelId::new(channel).ok());
        channel.is_some_and(|channel| reach::hears_calls_of(&caller.principal, &settings, &channel))
    });
    items.sort_unstable_by_key(|told| std::cmp::Reverse(told.position));
    items.truncate(limit);
    Ok(Json(PageOf { items, next_cursor: None }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallBody {
    /// `out` where nothing is said: calling back.
    direction: Option<Direction>,
    disposition: Disposition,
    /// The customer's number; that of the conversation where nothing is said.
    number: Option<String>,
    /// When it began, and not in the future; where nothing is said, it ends now.
    started_at: Option<Timestamp>,
    talk_s: Option<u64>,
    /// Whether it resolves the conversation; an answered one does where the channel is set so.
    resolve: Option<bool>,
}

impl Check for CallBody {
    fn check(&self, errors: &mut Vec<FieldError>) {
        let number = self.number.as_deref().unwrap_or("1");
        let good = (1..=TEXT_CHARS_MAX).contains(&number.chars().count());
        if !good || number.chars().any(char::is_control) {
            let detail = format!("has 1 to {TEXT_CHARS_MAX} characters, none of control");
            errors.push(FieldError::new("/number", detail));
        }
        if self.talk_s.is_some_and(|seconds| seconds > TALK_S_MAX) {
            errors.push(FieldError::new("/talk_s", format!("is at most {TALK_S_MAX}")));
        }
        if self.direction == Some(Direction::Internal) {
            errors.push(FieldError::new("/direction", "must be in or out"));
        }
    }
}

/// Logs a call that an agent had with the customer, such as calling back.
#[utoipa::path(
    post, operation_id = "log_call", path = "/v1/conversations/{id}/calls", tag = "commands",
    request_body = CallBody,
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn log(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(body): Payload<CallBody>,
) -> Result<Response, Problem> {
    let agent = caller.principal.agent.as_ref().map(ToString::to_string);
    let (now, resolve) = (app.clock.now(), body.resolve);
    if body.ends_at(now) > now.plus_millis(AHEAD_MS_MAX) {
        let detail = "the call would begin or end in the future";
        return Err(Problem::invalid_body(vec![FieldError::new("/started_at", detail)]));
    }
    let log = |conversation, id: CommandId| {
        let call = Box::new(call(body, id, agent, now));
        Action::LogCall { conversation, call, resolve }
    };
    change(&app, &caller, &headers, &id, log).await
}

impl CallBody {
    /// When it ended, if it is logged at `now`.
    fn ends_at(&self, now: Timestamp) -> Timestamp {
        self.started_at.map_or(now, |at| at.plus_millis(self.talked_ms().unwrap_or(0)))
    }

    fn is_answered(&self) -> bool {
        self.disposition == Disposition::Answered
    }

    fn talked_ms(&self) -> Option<i64> {
        let seconds = self.talk_s.filter(|_| self.is_answered())?;
        i64::try_from(seconds.checked_mul(1_000)?).ok()
    }
}

fn call(body: CallBody, id: CommandId, agent: Option<String>, now: Timestamp) -> Call {
    let direction = body.direction.unwrap_or(Direction::Out);
    let (answered, talked_ms) = (body.is_answered(), body.talked_ms());
    let talk_s = if answered { body.talk_s } else { Some(0) };
    // Whoever logs it has just hung up.
    let began = || now.plus_millis(talked_ms.unwrap_or(0).saturating_neg());
    let started_at = body.started_at.unwrap_or_else(began);
    let (from, to) = match direction {
        Direction::In => (body.number, None),
        Direction::Out | Direction::Internal => (None, body.number),
    };
    Call {
        call_id: id.to_string(),
        linked_id: None,
        state: CallState::Ended,
        direction,
        from,
        from_name: None,
        dialled: to.clone(),
        to,
        to_name: None,
        started_at: Some(started_at),
        answered_at: answered.then_some(started_at),
        ended_at: Some(started_at.plus_millis(talked_ms.unwrap_or(0))),
        duration_s: talk_s,
        talk_s,
        disposition: Some(body.disposition),
        cause: None,
        agents: agent.into_iter().collect(),
        queue: None,
        recording_url: None,
    }
}
