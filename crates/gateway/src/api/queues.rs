//! `/v1/queues`: what waits where.

use axum::Json;
use axum::extract::State;
use postroom_model::{HandOut, QueueId};
use postroom_records::QueueCounts;
use serde::Serialize;

use super::PageOf;
use crate::auth::Caller;
use crate::gateway::App;
use crate::problem::Problem;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct QueueItem {
    id: QueueId,
    name: String,
    /// How its conversations come to agents.
    hand_out: HandOut,
    #[serde(flatten)]
    counts: QueueCounts,
}

/// Every queue, in the order of the configuration.
#[utoipa::path(
    get, operation_id = "list_queues", path = "/v1/queues", tag = "agents",
    responses((status = 200, description = "All queues", body = PageOf<QueueItem>))
)]
pub(crate) async fn list(
    caller: Caller,
    State(app): State<App>,
) -> Result<Json<PageOf<QueueItem>>, Problem> {
    caller.staff()?;
    app.settle_records().await;
    let mut counts = app.records.queue_counts().await?;
    let settings = app.settings_now();
    let queues = settings.queues.iter().map(|queue| QueueItem {
        id: queue.id.clone(),
        name: queue.name.clone(),
        hand_out: queue.work.hand_out,
        counts: counts.remove(&queue.id).unwrap_or_default(),
    });
    Ok(Json(PageOf { items: queues.collect(), next_cursor: None }))
}
