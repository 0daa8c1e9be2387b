//! `/v1/conversations/{id}/…`: what agents do to conversations.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use postroom_model::limits::{PRIORITY_MAX, TAG_CHARS_MAX, TAGS_MAX};
use postroom_model::{
    Action, AgentId, CommandId, Conversation, ConversationId, NoteId, QueueId, Timestamp,
};
use serde::Deserialize;

use super::outcomes::{CommandStatus, Nothing, change, check_words};
use crate::auth::Caller;
use crate::body::{Check, Payload, Segments};
use crate::gateway::App;
use crate::problem::{FieldError, Problem};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteBody {
    text: String,
}

impl Check for NoteBody {
    fn check(&self, errors: &mut Vec<FieldError>) {
        check_words(&self.text, "/text", errors);
    }
}

/// Adds a note, which only colleagues read.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/notes", tag = "commands", request_body = NoteBody,
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn note(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(NoteBody { text }): Payload<NoteBody>,
) -> Result<Response, Problem> {
    let note =
        |conversation, id: CommandId| Action::Note { conversation, note: NoteId(id.0), text };
    change(&app, &caller, &headers, &id, note).await
}

/// Makes the caller the owner. The second of two claims gets 409 with the owner's name.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/claim", tag = "commands",
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn claim(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    _: Payload<Nothing>,
) -> Result<Response, Problem> {
    caller.agent()?;
    let claim = |conversation, _| Action::Claim { conversation };
    change(&app, &caller, &headers, &id, claim).await
}

/// Gives the conversation back to its queue.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/release", tag = "commands",
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn release(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    _: Payload<Nothing>,
) -> Result<Response, Problem> {
    let release = |conversation, _| Action::Release { conversation };
    change(&app, &caller, &headers, &id, release).await
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignBody {
    agent: AgentId,
}

impl Check for AssignBody {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

/// Gives the conversation to an agent.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/assign", tag = "commands", request_body = AssignBody,
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn assign(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(AssignBody { agent }): Payload<AssignBody>,
) -> Result<Response, Problem> {
    let assign = |conversation, _| Action::Assign { conversation, agent };
    change(&app, &caller, &headers, &id, assign).await
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferBody {
    queue: QueueId,
}

impl Check for TransferBody {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

/// Moves the conversation to another queue.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/transfer", tag = "commands", request_body = TransferBody,
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn transfer(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(TransferBody { queue }): Payload<TransferBody>,
) -> Result<Response, Problem> {
    let transfer = |conversation, _| Action::Transfer { conversation, queue };
    change(&app, &caller, &headers, &id, transfer).await
}

/// Ends the conversation, until the customer writes again.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/resolve", tag = "commands",
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn resolve(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    _: Payload<Nothing>,
) -> Result<Response, Problem> {
    let resolve = |conversation, _| Action::Resolve { conversation };
    change(&app, &caller, &headers, &id, resolve).await
}

/// Opens a conversation that was set aside or done.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/reopen", tag = "commands",
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn reopen(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    _: Payload<Nothing>,
) -> Result<Response, Problem> {
    let reopen = |conversation, _| Action::Reopen { conversation };
    change(&app, &caller, &headers, &id, reopen).await
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnoozeBody {
    /// RFC 3339.
    until: Timestamp,
}

impl Check for SnoozeBody {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

/// Sets the conversation aside until a time, or until the customer writes.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/snooze", tag = "commands", request_body = SnoozeBody,
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn snooze(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(SnoozeBody { until }): Payload<SnoozeBody>,
) -> Result<Response, Problem> {
    let snooze = |conversation, _| Action::Snooze { conversation, until };
    change(&app, &caller, &headers, &id, snooze).await
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagsBody {
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

impl Check for TagsBody {
    fn check(&self, errors: &mut Vec<FieldError>) {
        if self.add.is_empty() && self.remove.is_empty() {
            errors.push(FieldError::new("", "name at least one tag in `add` or `remove`"));
        }
        for (field, tags) in [("add", &self.add), ("remove", &self.remove)] {
            if tags.len() > TAGS_MAX {
                let detail = format!("may have {TAGS_MAX} tags");
                errors.push(FieldError::new(format!("/{field}"), detail));
            }
            for (index, tag) in tags.iter().enumerate() {
                let bad = tag.trim().is_empty() || tag.chars().any(char::is_control);
                if bad || tag.chars().count() > TAG_CHARS_MAX {
                    let detail = format!("a tag has 1 to {TAG_CHARS_MAX} characters");
                    errors.push(FieldError::new(format!("/{field}/{index}"), detail));
                }
            }
        }
    }
}

/// Adds and removes tags.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/tags", tag = "commands", request_body = TagsBody,
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn tags(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(TagsBody { add, remove }): Payload<TagsBody>,
) -> Result<Response, Problem> {
    let tag = |conversation, _| Action::Tag { conversation, add, remove };
    change(&app, &caller, &headers, &id, tag).await
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriorityBody {
    /// 0 to 99; the higher is served first.
    priority: u64,
}

impl Check for PriorityBody {
    fn check(&self, errors: &mut Vec<FieldError>) {
        if self.priority > u64::from(PRIORITY_MAX) {
            let detail = format!("must be between 0 and {PRIORITY_MAX}");
            errors.push(FieldError::new("/priority", detail));
        }
    }
}

/// Sets the priority.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/priority", tag = "commands", request_body = PriorityBody,
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn priority(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(PriorityBody { priority }): Payload<PriorityBody>,
) -> Result<Response, Problem> {
    let priority = u8::try_from(priority).unwrap_or(PRIORITY_MAX);
    let set = |conversation, _| Action::Prioritise { conversation, priority };
    change(&app, &caller, &headers, &id, set).await
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeBody {
    /// The conversation that goes on.
    into: ConversationId,
}

impl Check for MergeBody {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

/// Ends the conversation; its thread and everything later goes to `into`.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/merge", tag = "commands", request_body = MergeBody,
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 200, description = "Done", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn merge(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(MergeBody { into }): Payload<MergeBody>,
) -> Result<Response, Problem> {
    let merge = |conversation, _| Action::Merge { conversation, into };
    change(&app, &caller, &headers, &id, merge).await
}
