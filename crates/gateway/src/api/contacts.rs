//! `/v1/contacts/{id}`: a person and their addresses, and that two of them are one.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use postroom_model::limits::CONTACT_ADDRESSES_MAX;
use postroom_model::{Action, Contact, ContactId};
use postroom_records::{Key, Row};
use serde::Deserialize;

use super::outcomes::{CommandStatus, allowed, asked};
use crate::auth::Caller;
use crate::body::{Check, Payload, Segments};
use crate::gateway::App;
use crate::problem::{FieldError, Problem};
use crate::reach;
use crate::submit::{command_id, key_reused};

/// One contact. If it was merged, the one that has its addresses now, whose `id` is another.
#[utoipa::path(
    get, operation_id = "get_contact", path = "/v1/contacts/{id}", tag = "contacts",
    params(("id" = String, Path, description = "Id of the contact")),
    responses((status = 200, description = "The contact", body = Contact))
)]
pub(crate) async fn show(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
) -> Result<Json<Contact>, Problem> {
    caller.staff()?;
    let id = id.parse().map_err(|_| not_found())?;
    app.settle_records().await;
    let contact = load(&app, id).await?;
    Ok(Json(survivor(&app, contact).await?))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeContactBody {
    /// The contact that goes on.
    into: ContactId,
}

impl Check for MergeContactBody {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

/// Says that two contacts are one person: the addresses of this one lead to `into`, now and later.
#[utoipa::path(
    post, operation_id = "merge_contact", path = "/v1/contacts/{id}/merge", tag = "contacts",
    request_body = MergeContactBody,
    params(("id" = String, Path, description = "Id of the contact")),
    responses((status = 200, description = "Done; the contact that goes on", body = Contact),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn merge(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(MergeContactBody { into }): Payload<MergeContactBody>,
) -> Result<Response, Problem> {
    caller.staff()?;
    let contact = id.parse().map_err(|_| not_found())?;
    let id = command_id(&app, &caller, &headers)?;
    let action = Action::MergeContact { contact, into };
    match asked(&app, &caller, id, action, allowed()).await? {
        Err(response) => Ok(response),
        Ok(_) => {
            let contact = load(&app, contact).await?;
            // No merge is undone, so that the outcome must be that of another change.
            if contact.merged_into.is_none() {
                return Err(key_reused());
            }
            Ok(Json(survivor(&app, contact).await?).into_response())
        }
    }
}

async fn load(app: &App, id: ContactId) -> Result<Contact, Problem> {
    match reach::load_row(app, Key::Contact(id)).await? {
        Some(Row::Contact(contact)) => Ok(contact),
        _ => Err(not_found()),
    }
}

/// The contact that has the addresses now.
async fn survivor(app: &App, mut contact: Contact) -> Result<Contact, Problem> {
    for _ in 0..CONTACT_ADDRESSES_MAX {
        let Some(into) = contact.merged_into else { break };
        contact = load(app, into).await?;
    }
    Ok(contact)
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "contact_not_found", "there is no such contact")
}
