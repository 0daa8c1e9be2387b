//! `/v1/conversations`: the lists of the inbox, one conversation, and why it is where it is.

use axum::Json;
use axum::extract::State;
use postroom_model::{ChannelId, Conversation, QueueId, Role};
use postroom_records::{ConversationQuery, View, held_of_kind};
use serde::Deserialize;

use super::PageOf;
use crate::auth::Caller;
use crate::body::{Params, Segments, page_limit};
use crate::gateway::{App, ExplainInput};
use crate::problem::Problem;
use crate::{reach, search};

/// Characters of a search.
const WORDS_CHARS_MAX: usize = 200;

#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ViewName {
    /// Open and pending ones of the asking agent.
    Mine,
    /// Open ones without an owner.
    Unassigned,
    /// Every status.
    #[default]
    All,
    Snoozed,
    Resolved,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    #[serde(default)]
    #[param(inline)]
    view: ViewName,
    #[param(value_type = Option<String>)]
    queue: Option<QueueId>,
    #[param(value_type = Option<String>)]
    channel: Option<ChannelId>,
    tag: Option<String>,
    /// Words to look for, in any case: in the subject, in the contact's name and addresses, and in the
    /// newest message. A page can be short and have a `next_cursor`; up to 5,000 conversations are
    /// looked through for one.
    q: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 where nothing is said.
    limit: Option<u32>,
}

/// Conversations that the caller may see, the one with the newest message first.
#[utoipa::path(
    get, operation_id = "list_conversations", path = "/v1/conversations", tag = "conversations", params(ListParams),
    responses((status = 200, description = "A page", body = PageOf<Conversation>))
)]
pub(crate) async fn list(
    caller: Caller,
    State(app): State<App>,
    Params(params): Params<ListParams>,
) -> Result<Json<PageOf<Conversation>>, Problem> {
    let limit = page_limit(params.limit)?;
    app.settle_records().await;
    let words = params.q.clone().filter(|words| !words.trim().is_empty());
    if words.as_ref().is_some_and(|words| words.chars().count() > WORDS_CHARS_MAX) {
        return Err(Problem::invalid_query(format!("q: may have {WORDS_CHARS_MAX} characters")));
    }
    let Some(query) = query(&app, &caller, params, limit) else {
        return Ok(Json(PageOf { items: Vec::new(), next_cursor: None }));
    };
    let page = match words {
        Some(words) => search::page(&app, query, words.trim()).await?,
        None => app.records.conversations(&query).await?,
    };
    Ok(Json(PageOf { items: page.items, next_cursor: page.next_cursor }))
}

/// What to ask the records; none if nothing can be within the caller's reach.
fn query(
    app: &App,
    caller: &Caller,
    params: ListParams,
    limit: usize,
) -> Option<ConversationQuery> {
    let principal = &caller.principal;
    let mut query = ConversationQuery {
        view: match params.view {
            ViewName::Mine => View::Mine,
            ViewName::Unassigned => View::Unassigned,
            ViewName::All => View::All,
            ViewName::Snoozed => View::Snoozed,
            ViewName::Resolved => View::Resolved,
        },
        queues: params.queue.map(|queue| vec![queue]),
        channels: params.channel.map(|channel| vec![channel]),
        tag: params.tag.filter(|tag| !tag.is_empty()),
        cursor: params.cursor,
        limit,
        ..ConversationQuery::default()
    };
    if query.view == View::Mine {
        query.agent = Some(principal.agent.clone()?);
        return Some(query);
    }
    match principal.role {
        Role::Supervisor | Role::Admin => {}
        Role::Integrator => {
            let own = principal.channels.iter();
            let asked = query.channels.take();
            let within =
                |channel: &&ChannelId| asked.as_ref().is_none_or(|asked| asked.contains(channel));
            let within: Vec<ChannelId> = own.filter(within).cloned().collect();
            if within.is_empty() {
                return None;
            }
            query.channels = Some(within);
        }
        Role::Agent => {
            let own = reach::own_queues(principal, &app.settings_now());
            match &query.queues {
                Some(asked) => {
                    if !asked.iter().all(|queue| own.contains(queue)) {
                        return None;
                    }
                }
                None => {
                    query.queues = Some(own);
                    query.or_agent = Some(principal.agent.clone()?);
                }
            }
        }
    }
    Some(query)
}

/// One conversation.
#[utoipa::path(
    get, operation_id = "get_conversation", path = "/v1/conversations/{id}", tag = "conversations",
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "The conversation", body = Conversation))
)]
pub(crate) async fn show(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
) -> Result<Json<Conversation>, Problem> {
    Ok(Json(*reach::for_reading(&app, &caller.principal, &id).await?))
}

/// Why the conversation is where it is: what `postroom explain` prints.
#[utoipa::path(
    get, operation_id = "explain_conversation", path = "/v1/conversations/{id}/explanation", tag = "conversations",
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Rules tried, queue, agents passed over and why", body = Object))
)]
pub(crate) async fn explanation(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
) -> Result<Json<serde_json::Value>, Problem> {
    caller.staff()?;
    let conversation = *reach::for_reading(&app, &caller.principal, &id).await?;
    let presences = app.records.presences().await?;
    let now = app.clock.now();
    let settings = app.settings_now();
    let records = app.records.as_ref();
    let held = held_of_kind(records, &conversation, &settings, &presences).await?;
    Ok(Json((app.explain)(ExplainInput { conversation, settings, presences, held, now })))
}
