//! `/v1/conversations/{id}/timeline`: messages, notes and events, in ledger order.

use axum::Json;
use axum::extract::State;
use postroom_model::{Body, ConversationId};
use postroom_records::TimelineItem;
use serde::Deserialize;

use super::PageOf;
use crate::auth::Caller;
use crate::body::{Params, Segments, page_limit};
use crate::gateway::App;
use crate::problem::Problem;
use crate::reach;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TimelineParams {
    /// The `next_cursor` of the page before: a position in the ledger.
    cursor: Option<String>,
    /// 1 to 200; 50 where nothing is said.
    limit: Option<u32>,
}

/// What was said and what happened, the oldest first; with what was merged into the conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{id}/timeline", tag = "conversations",
    params(("id" = String, Path, description = "Id of the conversation"), TimelineParams),
    responses((status = 200, description = "A page", body = PageOf<TimelineItem>))
)]
pub(crate) async fn timeline(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    Params(params): Params<TimelineParams>,
) -> Result<Json<PageOf<TimelineItem>>, Problem> {
    let limit = page_limit(params.limit)?;
    let after: u64 = match &params.cursor {
        Some(cursor) => cursor.parse().map_err(|_| Problem::bad_cursor())?,
        None => 0,
    };
    let conversation = reach::for_reading(&app, &caller.principal, &id).await?;
    let mut conversations = vec![conversation.id];
    conversations.extend(&conversation.merged_from);
    // One more than asked for tells whether there is a next page.
    let mut items = app.records.timeline(&conversations, after, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|item| item.position.to_string());
    fill_in(&app, conversation.id, &mut items).await;
    Ok(Json(PageOf { items, next_cursor }))
}

/// Puts back words that were too large to travel inside, and says where attachments are.
async fn fill_in(app: &App, conversation: ConversationId, items: &mut [TimelineItem]) {
    let mut bytes_left = app.limits.page_body_bytes_max;
    for item in items {
        let Some(message) = &mut item.message else {
            continue;
        };
        let of = item.conversation.unwrap_or(conversation);
        for (index, attachment) in message.attachments.iter_mut().enumerate() {
            if attachment.blob().is_some() {
                let position = item.position;
                attachment.url = Some(format!("/v1/attachments/{of}/{position}/{index}"));
            }
        }
        let Some(blob) = message.body_blob else {
            continue;
        };
        // What does not fit or cannot be read stays named by its blob; the rest of the page is shown.
        let Ok(content) = app.blobs.get(&blob, bytes_left).await else {
            continue;
        };
        bytes_left = bytes_left.saturating_sub(content.len());
        if let Ok(words) = serde_json::from_slice::<Body>(&content) {
            words.put_into(message);
        }
    }
}
