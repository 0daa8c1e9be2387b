//! `/v1/agents`: who answers, and what they hold.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use postroom_model::{
    Action, AgentId, AgentSettings, AgentStatus, ChannelKind, Pause, Presence, QueueId, Role,
    StatusId, Timestamp,
};
use postroom_records::{Key, Row};
use serde::Serialize;

use super::PageOf;
use super::outcomes::{CommandStatus, allowed, asked};
use super::session::{StatusBody, meant};
use crate::auth::Caller;
use crate::body::{Payload, Segments};
use crate::gateway::App;
use crate::problem::Problem;
use crate::reach;
use crate::submit::command_id;

/// An agent as configured and as present.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct AgentItem {
    id: AgentId,
    name: String,
    email: Option<String>,
    queues: Vec<QueueId>,
    skills: BTreeMap<String, u8>,
    capacity: u32,
    /// The most of each kind that are given by themselves.
    limits: BTreeMap<ChannelKind, u32>,
    status: AgentStatus,
    /// The team's own word for the status.
    reason: Option<StatusId>,
    /// Until when they get nothing new, although they are online.
    pause: Option<Pause>,
    status_since: Option<Timestamp>,
    /// Sum of the costs of the conversations held.
    load: u32,
    /// Conversations held, open and pending.
    conversations: u32,
}

impl AgentItem {
    pub(crate) fn of(agent: &AgentSettings, presence: Option<&Presence>) -> Self {
        Self {
            id: agent.id.clone(),
            name: agent.name.clone(),
            email: agent.email.clone(),
            queues: agent.queues.clone(),
            skills: agent.skills.clone(),
            capacity: agent.capacity,
            limits: agent.limits.clone(),
            reason: presence.and_then(|presence| presence.reason.clone()),
            pause: presence.and_then(|presence| presence.pause),
            status: presence.map(|presence| presence.status).unwrap_or_default(),
            status_since: presence.map(|presence| presence.status_since),
            load: presence.map_or(0, |presence| presence.load),
            conversations: presence.map_or(0, |presence| presence.conversations),
        }
    }
}

/// Every agent, in the order of the configuration.
#[utoipa::path(
    get, operation_id = "list_agents", path = "/v1/agents", tag = "agents",
    responses((status = 200, description = "All agents", body = PageOf<AgentItem>))
)]
pub(crate) async fn list(
    caller: Caller,
    State(app): State<App>,
) -> Result<Json<PageOf<AgentItem>>, Problem> {
    caller.staff()?;
    app.settle_records().await;
    let presences = app.records.presences().await?;
    let of = |id: &AgentId| presences.iter().find(|presence| presence.agent == *id);
    let settings = app.settings_now();
    let agents = settings.agents.iter().map(|agent| AgentItem::of(agent, of(&agent.id)));
    Ok(Json(PageOf { items: agents.collect(), next_cursor: None }))
}

/// Sets the status of an agent: a supervisor or an admin of anybody, an agent of themself.
#[utoipa::path(
    put, operation_id = "set_agent_status", path = "/v1/agents/{id}/status", tag = "agents",
    request_body = StatusBody, params(("id" = String, Path, description = "Id of the agent")),
    responses((status = 200, description = "Done", body = AgentItem),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn set_status(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(StatusBody { status }): Payload<StatusBody>,
) -> Result<Response, Problem> {
    let agent = AgentId::new(&id).map_err(|_| agent_not_found(&id))?;
    may_set_status(&caller, &agent)?;
    let settings = app.settings_now();
    let known = settings.agent(&agent).ok_or_else(|| agent_not_found(&id))?;
    let command = command_id(&app, &caller, &headers)?;
    let (status, reason) = meant(&settings, &status)?;
    let action = Action::SetStatus { agent: agent.clone(), status, reason };
    if let Err(response) = asked(&app, &caller, command, action, allowed()).await? {
        return Ok(response);
    }
    let presence = match reach::load_row(&app, Key::Presence(agent)).await? {
        Some(Row::Presence(presence)) => Some(presence),
        _ => None,
    };
    Ok(Json(AgentItem::of(known, presence.as_ref())).into_response())
}

fn may_set_status(caller: &Caller, agent: &AgentId) -> Result<(), Problem> {
    caller.staff()?;
    let own = caller.principal.agent.as_ref() == Some(agent);
    match caller.principal.role {
        Role::Agent if !own => Err(Problem::forbidden("agents set their own status only")),
        _ => Ok(()),
    }
}

fn agent_not_found(id: &str) -> Problem {
    let detail = format!("there is no agent {id}");
    Problem::new(StatusCode::NOT_FOUND, "agent_not_found", detail)
}
