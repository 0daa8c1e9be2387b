//! `/v1/offers`: what agents are asked to take, and their answers.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use postroom_model::{
    Action, AgentId, Conversation, ConversationId, InputId, Offer, OfferId, Presence,
};
use postroom_records::{Key, Row};

use super::PageOf;
use super::outcomes::{CommandStatus, Nothing, allowed, as_it_is, asked};
use crate::auth::Caller;
use crate::body::{Payload, Segments};
use crate::gateway::App;
use crate::problem::Problem;
use crate::reach;
use crate::submit::{command_id, seen};

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
        Some(agent) => {
            let presence = presence_of(&app, agent).await?;
            presence.map(|presence| presence.offers).unwrap_or_default()
        }
        None => {
            let all = app.records.presences().await?;
            all.into_iter().flat_map(|presence| presence.offers).collect()
        }
    };
    items.sort_by_key(|offer| (offer.expires_at, offer.id));
    Ok(Json(PageOf { items, next_cursor: None }))
}

async fn presence_of(app: &App, agent: &AgentId) -> Result<Option<Presence>, Problem> {
    Ok(match reach::load_row(app, Key::Presence(agent.clone())).await? {
        Some(Row::Presence(presence)) => Some(presence),
        _ => None,
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
    let offer: OfferId = offer.parse().map_err(|_| over(None))?;
    let id = command_id(app, caller, headers)?;
    app.settle_records().await;
    let presence = presence_of(app, &agent).await?;
    let standing = presence.iter().flat_map(|one| &one.offers).find(|one| one.id == offer);
    // What was answered already is answered as it was.
    let before = match standing {
        None if id.1 => seen(app, InputId(id.0.0)).await?,
        _ => None,
    };
    let answered = before.and_then(|outcome| outcome.conversation);
    let Some(about) = standing.map(|one| one.conversation).or(answered) else {
        let late = presence.iter().flat_map(|one| &one.over).find(|one| one.id == offer);
        let owner = match late {
            Some(late) => owner_of(app, late.conversation).await?,
            None => None,
        };
        return Err(over(owner.as_deref()));
    };
    match asked(app, caller, id, action(about, offer), allowed()).await? {
        Err(response) => Ok(response),
        Ok(_) => as_it_is(app, about).await,
    }
}

/// The name of whoever has the conversation now.
async fn owner_of(app: &App, id: ConversationId) -> Result<Option<String>, Problem> {
    let settings = app.settings_now();
    let row = reach::load(app, id).await?;
    let owner = row.and_then(|row| row.assignee).and_then(|owner| settings.agent(&owner).cloned());
    Ok(owner.map(|owner| owner.name))
}

/// In the words of the core, which says it of what is accepted in the same moment.
fn over(owner: Option<&str>) -> Problem {
    let detail = match owner {
        Some(name) => format!("the offer is over: {name} has the conversation"),
        None => "the offer is over, or was made to somebody else".to_owned(),
    };
    Problem::new(StatusCode::CONFLICT, "offer_over", detail)
}
