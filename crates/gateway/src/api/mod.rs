//! The routes, one file for each family. Handlers read the request, ask the room behind it, and write
//! the answer; they decide nothing that is not about HTTP.

pub(crate) mod agents;
pub(crate) mod attachments;
pub(crate) mod calls;
pub(crate) mod channels;
pub(crate) mod commands;
pub(crate) mod contacts;
pub(crate) mod conversations;
pub(crate) mod events;
pub(crate) mod meta;
pub(crate) mod offers;
pub(crate) mod outcomes;
pub(crate) mod pages;
pub(crate) mod parked;
pub(crate) mod queues;
pub(crate) mod recordings;
pub(crate) mod replies;
pub(crate) mod session;
pub(crate) mod timeline;

use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::gateway::App;
use crate::openapi;

/// A page of a listing.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct PageOf<T> {
    pub(crate) items: Vec<T>,
    /// For the next page; null if this was the last.
    pub(crate) next_cursor: Option<String>,
}

/// Every route, with its description.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(channels::post_event, channels::challenge))
        .merge(conversation_routes())
        .merge(command_routes())
        .routes(routes!(attachments::download))
        .routes(routes!(recordings::download))
        .routes(routes!(outcomes::show))
        .routes(routes!(events::events))
        .routes(routes!(calls::list))
        .routes(routes!(offers::list))
        .routes(routes!(offers::accept))
        .routes(routes!(offers::decline))
        .routes(routes!(queues::list))
        .routes(routes!(agents::list))
        .routes(routes!(agents::set_status))
        .routes(routes!(contacts::show))
        .routes(routes!(contacts::merge))
        .routes(routes!(parked::list))
        .routes(routes!(parked::show))
        .routes(routes!(parked::retry))
        .routes(routes!(parked::discard))
        .routes(routes!(session::me))
        .routes(routes!(session::set_status))
        .routes(routes!(session::sign_in))
        .routes(routes!(session::sign_out))
        .routes(routes!(meta::healthz))
        .routes(routes!(meta::readyz))
        .routes(routes!(meta::metrics))
        .routes(routes!(meta::openapi_json))
        .routes(routes!(meta::asyncapi_json))
        .routes(routes!(meta::error_page))
        .route("/", axum::routing::get(pages::index))
        .route("/favicon.ico", axum::routing::get(pages::icon))
        .route("/assets/icon.svg", axum::routing::get(pages::icon))
        .route("/assets/app.js", axum::routing::get(pages::script))
        .route("/assets/app.css", axum::routing::get(pages::style))
}

fn conversation_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(conversations::list))
        .routes(routes!(conversations::show))
        .routes(routes!(conversations::explanation))
        .routes(routes!(timeline::timeline))
}

fn command_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(replies::reply))
        .routes(routes!(replies::resend))
        .routes(routes!(commands::note))
        .routes(routes!(calls::log))
        .routes(routes!(commands::claim))
        .routes(routes!(commands::release))
        .routes(routes!(commands::assign))
        .routes(routes!(commands::transfer))
        .routes(routes!(commands::resolve))
        .routes(routes!(commands::reopen))
        .routes(routes!(commands::snooze))
        .routes(routes!(commands::tags))
        .routes(routes!(commands::priority))
        .routes(routes!(commands::merge))
}
