//! What somebody may see: by their role, their queues and their channels.

use postroom_access::Principal;
use postroom_model::limits::MERGED_MAX;
use postroom_model::{
    AgentId, ChannelId, Climbed, Conversation, ConversationId, QueueId, Role, Settings,
};
use postroom_records::{Key, Row};

use crate::gateway::App;
use crate::problem::Problem;

/// Where a conversation is, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    pub(crate) channel: ChannelId,
    pub(crate) queue: Option<QueueId>,
    pub(crate) assignee: Option<AgentId>,
    /// Whom a ladder has brought it to beside those of its queue.
    pub(crate) climbed: Option<Climbed>,
}

impl From<&Conversation> for Whereabouts {
    fn from(conversation: &Conversation) -> Self {
        Self {
            channel: conversation.channel.clone(),
            queue: conversation.queue.clone(),
            assignee: conversation.assignee.clone(),
            climbed: conversation.climbed.clone(),
        }
    }
}

/// The queues that an agent serves; none where the agent is not, or no longer, configured.
pub(crate) fn own_queues(principal: &Principal, settings: &Settings) -> Vec<QueueId> {
    let agent = principal.agent.as_ref().and_then(|agent| settings.agent(agent));
    agent.map(|agent| agent.queues.clone()).unwrap_or_default()
}

/// Whether somebody is told of calls of the channel while they stand in no conversation.
pub(crate) fn hears_calls_of(
    principal: &Principal,
    settings: &Settings,
    channel: &ChannelId,
) -> bool {
    match principal.role {
        Role::Supervisor | Role::Admin => true,
        Role::Agent => takes_calls_of(principal, settings, channel),
        Role::Integrator => principal.channels.contains(channel),
    }
}

/// Whether an agent serves the queue into which what comes by this channel goes where no rule says
/// anything else.
fn takes_calls_of(principal: &Principal, settings: &Settings, channel: &ChannelId) -> bool {
    let named = settings.channel(channel).and_then(|channel| channel.queue.as_ref());
    let named = named.filter(|queue| settings.queue(queue).is_some());
    let queue = named.or_else(|| settings.queues.first().map(|queue| &queue.id));
    queue.is_some_and(|queue| own_queues(principal, settings).contains(queue))
}

pub(crate) fn may_see(principal: &Principal, settings: &Settings, at: &Whereabouts) -> bool {
    match principal.role {
        Role::Supervisor | Role::Admin => true,
        Role::Integrator => principal.channels.contains(&at.channel),
        Role::Agent => {
            let Some(agent) = &principal.agent else {
                return false;
            };
            let serves =
                |queue: &QueueId| settings.agent(agent).is_some_and(|it| it.queues.contains(queue));
            at.assignee.as_ref() == Some(agent)
                || at.queue.as_ref().is_some_and(serves)
                || at.climbed.as_ref().is_some_and(|climbed| climbed.reaches(agent, serves))
        }
    }
}

/// Whether a conversation that exists is within reach.
#[derive(Debug)]
pub(crate) enum Found {
    Within(Box<Conversation>),
    Foreign,
}

/// Loads a conversation for somebody; one that does not exist is a problem already.
pub(crate) async fn find(
    app: &App,
    principal: &Principal,
    id: ConversationId,
) -> Result<Found, Problem> {
    let conversation = load(app, id).await?.ok_or_else(Problem::conversation_not_found)?;
    if may_see(principal, &app.settings_now(), &Whereabouts::from(conversation.as_ref())) {
        return Ok(Found::Within(conversation));
    }
    // What was merged is shown with the conversation that goes on, by way of others or not.
    let mut next = conversation.merged_into;
    for _ in 0..=MERGED_MAX {
        let Some(into) = next else { break };
        let Some(into) = load(app, into).await? else { break };
        if may_see(principal, &app.settings_now(), &Whereabouts::from(into.as_ref())) {
            return Ok(Found::Within(conversation));
        }
        next = into.merged_into;
    }
    Ok(Found::Foreign)
}

/// For reading: what is out of reach is not there.
pub(crate) async fn for_reading(
    app: &App,
    principal: &Principal,
    id: &str,
) -> Result<Box<Conversation>, Problem> {
    let id = id.parse().map_err(|_| Problem::conversation_not_found())?;
    app.settle_records().await;
    match find(app, principal, id).await? {
        Found::Within(conversation) => Ok(conversation),
        Found::Foreign => Err(Problem::conversation_not_found()),
    }
}

/// For changing: what is out of reach is refused by name.
pub(crate) async fn for_changing(
    app: &App,
    principal: &Principal,
    id: ConversationId,
) -> Result<Box<Conversation>, Problem> {
    app.settle_records().await;
    match find(app, principal, id).await? {
        Found::Within(conversation) => Ok(conversation),
        Found::Foreign => Err(Problem::not_in_queue()),
    }
}

pub(crate) async fn load(
    app: &App,
    id: ConversationId,
) -> Result<Option<Box<Conversation>>, Problem> {
    match load_row(app, Key::Conversation(id)).await? {
        Some(Row::Conversation(conversation)) => Ok(Some(conversation)),
        _ => Ok(None),
    }
}

pub(crate) async fn load_row(app: &App, key: Key) -> Result<Option<Row>, Problem> {
    Ok(app.records.load(&[key]).await?.pop().flatten())
}
