//! `/v1/contacts/{id}`: a person and their addresses.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use postroom_model::Contact;
use postroom_records::{Key, Row};

use crate::auth::Caller;
use crate::body::Segments;
use crate::gateway::App;
use crate::problem::Problem;
use crate::reach;

/// One contact.
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
    match reach::load_row(&app, Key::Contact(id)).await? {
        Some(Row::Contact(contact)) => Ok(Json(contact)),
        _ => Err(not_found()),
    }
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "contact_not_found", "there is no such contact")
}
