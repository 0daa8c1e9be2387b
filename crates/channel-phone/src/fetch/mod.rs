//! The I/O of the channels that fetch: a log that is followed, a folder of posts that did not arrive,
//! and the manager interface of Asterisk. What is read is read by the dialects.

mod examine;
mod folder;
mod follow;
mod manager;
mod place;

pub(crate) use examine::{examine, missing};
pub(crate) use folder::Folder;
pub(crate) use follow::Follower;
pub(crate) use manager::{Login, Manager};

use std::time::Duration;

use postroom_channel::{AcceptError, Inlet, Received};
use postroom_model::ChannelId;
use tokio_util::sync::CancellationToken;

/// The first pause after something failed; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Gives to the inlet until it has taken it. False if `shutdown` came first; then nobody knows.
async fn give(
    inlet: &dyn Inlet,
    channel: &ChannelId,
    received: &Received,
    shutdown: &CancellationToken,
) -> Result<bool, AcceptError> {
    let mut pause = PAUSE;
    loop {
        let taken = tokio::select! {
            () = shutdown.cancelled() => return Ok(false),
            taken = inlet.accept(channel, received.clone()) => taken,
        };
        match taken {
            Ok(_) => return Ok(true),
            Err(error) if error.retryable() => {
                tracing::warn!(%channel, code = error.code(), "calls wait to be stored");
            }
            Err(error) => return Err(error),
        }
        if !rest(&mut pause, shutdown).await {
            return Ok(false);
        }
    }
}

/// Waits, longer each time. False if `shutdown` came first.
async fn rest(pause: &mut Duration, shutdown: &CancellationToken) -> bool {
    let woken = tokio::select! {
        () = shutdown.cancelled() => false,
        () = tokio::time::sleep(*pause) => true,
    };
    *pause = pause.saturating_mul(2).min(PAUSE_MAX);
    woken
}
