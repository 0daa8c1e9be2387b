//! `/v1/offers`: what agents are asked to take, and their answers.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use postroom_model::{Action, AgentId, Conversation, ConversationId, InputId, Offer, OfferId};
use postroom_records::{Key, Row};

use super::PageOf;
use super::outcomes::{CommandStatus, Nothing, carried_out};
use crate::auth::Caller;
use crate::body::{Payload, Segments};
use crate::gateway::App;
use crate::problem::Problem;
use crate::reach;
use crate::submit::{command_id, repeated, seen, submit};

/// The offers that stand: an agent's own, and for those who act as no agent all.
#[utoipa::path(
    get, operation_id = "list_offers", path = "/v1/offers", tag = "offers",
    responses((status = 200, description = "Offers, the one that ends first before the others", body = PageOf<Offer>))
)]
pub(crate) async fn list(
    caller: Caller,
    State(app): State<App>,
) -> Result<Json<PageOf<Offer>>, Problem> {
    caller.staff()?;
    app.settle_records().await;
    let mut items = match &caller.principal.agent {
        Some(agent) => of_agent(&app, agent).await?,
        None => {
            let all = app.records.presences().await?;
            all.into_iter().flat_map(|presence| presence.offers).collect()
        }
    };
    items.sort_by_key(|offer| (offer.expires_at, offer.id));
    Ok(Json(PageOf { items, next_cursor: None }))
}

async fn of_agent(app: &App, agent: &AgentId) -> Result<Vec<Offer>, Problem> {
    Ok(match reach::load_row(app, Key::Presence(agent.clone())).await? {
        Some(Row::Presence(presence)) => presence.offers,
        _ => vec![],
    })
}

/// Takes the conversation. The first who accepts has it; later ones get 409 with the owner's name.
#[utoipa::path(
    post, path = "/v1/offers/{id}/accept", tag = "offers",
    params(("id" = String, Path, description = "Id of the offer")),
    responses((status = 200, description = "It is theirs", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn accept(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    _: Payload<Nothing>,
) -> Result<Response, Problem> {
    let accept = |conversation, offer| Action::AcceptOffer { conversation, offer };
    answer(&app, &caller, &headers, &id, accept).await
}

/// Leaves the conversation to others. It keeps its age, and is not offered to the same agent again
/// for a while.
#[utoipa::path(
    post, path = "/v1/offers/{id}/decline", tag = "offers",
    params(("id" = String, Path, description = "Id of the offer")),
    responses((status = 200, description = "They are no longer asked", body = Conversation),
        (status = 202, description = "No outcome yet", body = CommandStatus))
)]
pub(crate) async fn decline(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    _: Payload<Nothing>,
) -> Result<Response, Problem> {
    let decline = |conversation, offer| Action::DeclineOffer { conversation, offer };
    answer(&app, &caller, &headers, &id, decline).await
}

async fn answer(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    offer: &str,
    action: impl FnOnce(ConversationId, OfferId) -> Action,
) -> Result<Response, Problem> {
    let agent = caller.agent()?;
    let offer: OfferId = offer.parse().map_err(|_| over())?;
    let id = command_id(app, caller, headers)?;
    app.settle_records().await;
    let standing = of_agent(app, &agent).await?.into_iter().find(|one| one.id == offer);
    // What was answered already is answered as it was.
    let before = match standing {
        None if id.1 => seen(app, InputId(id.0.0)).await?,
        _ => None,
    };
    let answered = before.and_then(|outcome| outcome.conversation);
    let about = standing.map(|one| one.conversation).or(answered).ok_or_else(over)?;
    let action = action(about, offer);
    let settled = match repeated(app, id, &action).await? {
        Some(settled) => settled,
        None => submit(app, caller, id.0, action).await?,
    };
    Ok(match carried_out(id.0, settled)? {
        Err(response) => response,
        Ok(_) => {
            let now = reach::load(app, about).await?.ok_or_else(Problem::conversation_not_found)?;
            Json::<Conversation>(*now).into_response()
        }
    })
}

fn over() -> Problem {
    let detail = "the offer is over, or was made to somebody else";
    Problem::new(StatusCode::CONFLICT, "offer_over", detail)
}
