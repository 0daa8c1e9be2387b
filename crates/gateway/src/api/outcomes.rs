//! What became of a change: how every change is asked for and answered, and `/v1/commands/{id}`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use postroom_model::limits::REPLY_BYTES_MAX;
use postroom_model::{Action, CommandId, ConversationId, InputId, Outcome, OutcomeKind};
use serde::{Deserialize, Serialize};

use crate::auth::Caller;
use crate::body::{Check, Segments};
use crate::gateway::App;
use crate::problem::{FieldError, Problem};
use crate::reach;
use crate::submit::{Settled, command_id, on_its_way, repeated, seen, submit};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CommandState {
    /// No outcome yet.
    Pending,
    Done,
    Rejected,
    Parked,
}

/// What became of a change.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct CommandStatus {
    #[schema(value_type = String, format = "uuid")]
    pub(crate) id: CommandId,
    pub(crate) state: CommandState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
}

impl CommandStatus {
    pub(crate) fn of(id: CommandId, settled: Settled) -> Self {
        let Settled::Done(outcome) = settled else {
            return Self { id, state: CommandState::Pending, outcome: None };
        };
        let state = match outcome.kind {
            OutcomeKind::Routed | OutcomeKind::Duplicate => CommandState::Done,
            OutcomeKind::Rejected => CommandState::Rejected,
            OutcomeKind::Parked => CommandState::Parked,
        };
        Self { id, state, outcome: Some(outcome) }
    }

    pub(crate) fn accepted(self) -> Response {
        (StatusCode::ACCEPTED, Json(self)).into_response()
    }
}

/// Carried out: go on. Refused: a problem. Not decided or set aside: 202, with the id to ask by.
fn carried_out(id: CommandId, settled: Settled) -> Result<Result<Outcome, Response>, Problem> {
    match settled {
        Settled::Done(outcome) => match outcome.kind {
            OutcomeKind::Routed | OutcomeKind::Duplicate => Ok(Ok(outcome)),
            OutcomeKind::Rejected => Err(Problem::of_outcome(&outcome)),
            OutcomeKind::Parked => {
                Ok(Err(CommandStatus::of(id, Settled::Done(outcome)).accepted()))
            }
        },
        Settled::Pending => Ok(Err(CommandStatus::of(id, Settled::Pending).accepted())),
    }
}

/// The id that stands in an address.
pub(crate) fn conversation_id(text: &str) -> Result<ConversationId, Problem> {
    text.parse().map_err(|_| Problem::conversation_not_found())
}

/// Asks for a change of a conversation and answers with the conversation as it then is.
pub(crate) async fn change(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    conversation: &str,
    action: impl FnOnce(ConversationId, CommandId) -> Action,
) -> Result<Response, Problem> {
    caller.staff()?;
    let id = command_id(app, caller, headers)?;
    let about = conversation_id(conversation)?;
    let action = action(about, id.0);
    let mut named = vec![about];
    if let Action::Merge { into, .. } = &action {
        named.push(*into);
    }
    // What was done already is answered as it was, even if it moved the conversation out of reach.
    let allowed = async {
        for conversation in named {
            reach::for_changing(app, &caller.principal, conversation).await?;
        }
        Ok(())
    };
    match asked(app, caller, id, action, allowed).await? {
        Err(response) => Ok(response),
        Ok(_) => as_it_is(app, about).await,
    }
}

/// Asks for a change, if it was not asked for before and is `allowed`, and gives its outcome, or the
/// answer that there is none yet.
pub(crate) async fn asked(
    app: &App,
    caller: &Caller,
    id: (CommandId, bool),
    action: Action,
    allowed: impl Future<Output = Result<(), Problem>>,
) -> Result<Result<Outcome, Response>, Problem> {
    let settled = match repeated(app, id, &action).await? {
        Some(settled) => settled,
        None => {
            allowed.await?;
            submit(app, caller, id.0, action).await?
        }
    };
    carried_out(id.0, settled)
}

/// Of changes that need nothing beside a caller who may ask for them.
pub(crate) async fn allowed() -> Result<(), Problem> {
    Ok(())
}

/// The conversation as it is now, after a change.
pub(crate) async fn as_it_is(app: &App, id: ConversationId) -> Result<Response, Problem> {
    let now = reach::load(app, id).await?.ok_or_else(Problem::conversation_not_found)?;
    Ok(Json(*now).into_response())
}

/// A body without fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::empty_structs_with_brackets, reason = "reads {} and refuses anything in it")]
pub(crate) struct Nothing {}

impl Check for Nothing {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

pub(crate) fn check_words(text: &str, pointer: &str, errors: &mut Vec<FieldError>) {
    if text.trim().is_empty() {
        errors.push(FieldError::new(pointer, "must not be empty"));
    }
    check_length(text, pointer, errors);
}

pub(crate) fn check_length(text: &str, pointer: &str, errors: &mut Vec<FieldError>) {
    if text.len() > REPLY_BYTES_MAX {
        let detail = format!("may have {REPLY_BYTES_MAX} bytes");
        errors.push(FieldError::new(pointer, detail));
    }
    // Providers cut a text there or refuse it whole.
    if text.contains('\0') {
        errors.push(FieldError::new(pointer, "holds the character U+0000"));
    }
}

/// What became of a change, by the id that its answer gave. 404 if there is none: it never was, or
/// its outcome is no longer remembered.
#[utoipa::path(
    get, operation_id = "get_command", path = "/v1/commands/{id}", tag = "commands",
    params(("id" = String, Path, description = "Id of the change")),
    responses((status = 200, description = "As far as it is known", body = CommandStatus))
)]
pub(crate) async fn show(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
) -> Result<Json<CommandStatus>, Problem> {
    caller.staff()?;
    let id: CommandId = id.parse().map_err(|_| command_not_found())?;
    app.settle_records().await;
    let Some(outcome) = outcome_of(&app, InputId(id.0)).await? else {
        return Ok(Json(CommandStatus::of(id, Settled::Pending)));
    };
    if let Some(conversation) = outcome.conversation {
        let found = reach::find(&app, &caller.principal, conversation).await;
        if matches!(found, Ok(reach::Found::Foreign)) {
            return Err(command_not_found());
        }
    }
    Ok(Json(CommandStatus::of(id, Settled::Done(outcome))))
}

/// None while it is on its way. What is decided while the inlet is looked through has its outcome
/// afterwards.
async fn outcome_of(app: &App, input: InputId) -> Result<Option<Outcome>, Problem> {
    if let Some(outcome) = seen(app, input).await? {
        return Ok(Some(outcome));
    }
    if on_its_way(app, input).await? {
        return Ok(None);
    }
    app.settle_records().await;
    seen(app, input).await?.map(Some).ok_or_else(command_not_found)
}

fn command_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "command_not_found", "there is no such change")
}
