//! `/v1/agents`: who answers, and what they hold.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use postroom_model::{
    AgentId, AgentSettings, AgentStatus, ChannelKind, Pause, Presence, QueueId, StatusId, Timestamp,
};
use serde::Serialize;

use super::PageOf;
use crate::auth::Caller;
use crate::gateway::App;
use crate::problem::Problem;

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
