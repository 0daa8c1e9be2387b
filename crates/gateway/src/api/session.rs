//! Signing in and out, and who one is.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use postroom_access::{Credential, CredentialKind, Principal, Secret, hash_of};
use postroom_model::{
    Action, AgentStatus, ChannelId, Role, Settings, StatusId, StatusSettings, WorkspaceId,
};
use postroom_records::{Key, Row};
use serde::{Deserialize, Serialize};

use super::agents::AgentItem;
use super::outcomes::{allowed, asked};
use super::pages;
use crate::auth::{Caller, SESSION_COOKIE, only_looks};
use crate::body::{Check, Params, Payload};
use crate::gateway::App;
use crate::problem::{FieldError, Problem};
use crate::reach;
use crate::submit::command_id;

/// Who asks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Me {
    workspace: WorkspaceId,
    role: Role,
    name: String,
    /// Null if the caller acts as no agent.
    agent: Option<AgentItem>,
    /// An integrator's channels; empty for every other role, and for one that has none.
    channels: Vec<ChannelId>,
    /// The team's own statuses, beside those that are always there.
    statuses: Vec<StatusSettings>,
}

async fn describe(app: &App, caller: &Caller) -> Result<Me, Problem> {
    let principal = &caller.principal;
    let settings = app.settings_now();
    let agent = match principal.agent.as_ref().and_then(|agent| settings.agent(agent)) {
        None => None,
        Some(agent) => match reach::load_row(app, Key::Presence(agent.id.clone())).await? {
            Some(Row::Presence(presence)) => Some(AgentItem::of(agent, Some(&presence))),
            _ => Some(AgentItem::of(agent, None)),
        },
    };
    Ok(Me {
        workspace: app.workspace.clone(),
        role: principal.role,
        name: principal.name.clone(),
        agent,
        channels: principal.channels.clone(),
        statuses: settings.desk.statuses.clone(),
    })
}

/// Who one is, and the agent one acts as.
#[utoipa::path(
    get, path = "/v1/me", tag = "session",
    responses((status = 200, description = "The caller", body = Me))
)]
pub(crate) async fn me(caller: Caller, State(app): State<App>) -> Result<Json<Me>, Problem> {
    app.settle_records().await;
    describe(&app, &caller).await.map(Json)
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusBody {
    /// `online`, `away`, `away_and_reassign`, `offline`, or one of the team's own.
    pub(crate) status: String,
}

/// What the word means for routing, and the team's own word if it is one.
pub(crate) fn meant(
    settings: &Settings,
    word: &str,
) -> Result<(AgentStatus, Option<StatusId>), Problem> {
    let plain = serde_json::from_value(word.into()).ok();
    if let Some(status) = plain.filter(|status| *status != AgentStatus::NotResponding) {
        return Ok((status, None));
    }
    let own = settings.desk.statuses.iter().find(|status| status.id.as_str() == word);
    own.map(|own| (own.status, Some(own.id.clone()))).ok_or_else(|| {
        let own = settings.desk.statuses.iter().map(|status| format!(", {}", status.id));
        let detail = format!(
            "must be one of online, away, away_and_reassign, offline{}",
            own.collect::<String>()
        );
        Problem::invalid_body(vec![FieldError::new("/status", detail)])
    })
}

impl Check for StatusBody {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

/// Sets one's own status.
#[utoipa::path(
    put, path = "/v1/me/status", tag = "session", request_body = StatusBody,
    responses((status = 200, description = "Done", body = Me),
        (status = 202, description = "No outcome yet", body = super::outcomes::CommandStatus))
)]
pub(crate) async fn set_status(
    caller: Caller,
    State(app): State<App>,
    headers: HeaderMap,
    Payload(StatusBody { status }): Payload<StatusBody>,
) -> Result<Response, Problem> {
    let agent = caller.agent()?;
    let id = command_id(&app, &caller, &headers)?;
    let (status, reason) = meant(&app.settings_now(), &status)?;
    let action = Action::SetStatus { agent, status, reason };
    Ok(match asked(&app, &caller, id, action, allowed()).await? {
        Err(response) => response,
        Ok(_) => Json(describe(&app, &caller).await?).into_response(),
    })
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SignInParams {
    /// From a one-time link.
    #[serde(default)]
    token: String,
}

/// Opens a one-time link: signs the browser in and leads to the inbox.
#[utoipa::path(
    get, path = "/sign-in", tag = "session", params(SignInParams),
    responses((status = 303, description = "Signed in"),
        (status = 410, description = "The link was used or has expired; a page says so"))
)]
pub(crate) async fn sign_in(
    State(app): State<App>,
    method: Method,
    Params(params): Params<SignInParams>,
) -> Result<Response, Problem> {
    let hash = hash_of(&params.token);
    // Only a link is taken; whoever puts another secret here must not lose it.
    let is_link =
        |found: &Credential| found.kind == CredentialKind::Link && !found.expired(app.clock.now());
    let found = app.access.get(hash).await?.filter(is_link);
    if only_looks(&method) && found.is_some() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let taken = match found {
        Some(_) => app.access.take(hash).await?.filter(is_link),
        None => None,
    };
    let Some(link) = taken else {
        return Ok(pages::link_is_over());
    };
    let secret = start_session(&app, link.principal).await?;
    let cookie = session_cookie(&app, secret.reveal(), app.limits.session_ms / 1_000)?;
    let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, HeaderValue::from_static("/"))];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

async fn start_session(app: &App, principal: Principal) -> Result<Secret, Problem> {
    let secret = Secret::generate(CredentialKind::Session, app.random.as_ref());
    let now = app.clock.now();
    let session = Credential {
        kind: CredentialKind::Session,
        principal,
        created_at: now,
        expires_at: Some(now.plus_millis(app.limits.session_ms)),
    };
    app.access.put(secret.hash(), session).await?;
    Ok(secret)
}

fn session_cookie(app: &App, secret: &str, age_s: i64) -> Result<HeaderValue, Problem> {
    let secure = if app.public_url.scheme() == "https" { "; Secure" } else { "" };
    let text = format!(
        "{SESSION_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_s}{secure}"
    );
    let mut cookie = HeaderValue::from_str(&text).map_err(|_| Problem::internal())?;
    cookie.set_sensitive(true);
    Ok(cookie)
}

/// Ends the browser's session.
#[utoipa::path(
    post, path = "/v1/sign-out", tag = "session",
    responses((status = 204, description = "Signed out"))
)]
pub(crate) async fn sign_out(caller: Caller, State(app): State<App>) -> Result<Response, Problem> {
    if caller.kind != CredentialKind::Session {
        return Err(Problem::forbidden("only a browser's session can be signed out"));
    }
    app.access.take(caller.secret).await?;
    let cookie = session_cookie(&app, "", 0)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
