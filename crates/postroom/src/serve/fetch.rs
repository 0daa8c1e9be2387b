//! Runs the adapters that fetch, and starts them again when their configuration changes or they end.

use std::sync::Arc;
use std::time::Duration;

use postroom_channel::{Adapter, Inlet};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::adapters::Adapters;
use crate::door::Door;

/// The pause before an adapter that gave up is started again.
const PAUSE: Duration = Duration::from_secs(5);

/// Until `stop`; then every adapter has ended.
pub(super) async fn run(
    door: Arc<Door>,
    mut adapters: watch::Receiver<Arc<Adapters>>,
    stop: CancellationToken,
) {
    loop {
        let current = Arc::clone(&adapters.borrow_and_update());
        let (round, tasks) = (stop.child_token(), TaskTracker::new());
        for adapter in current.values() {
            let inlet = Arc::clone(&door) as Arc<dyn Inlet>;
            tasks.spawn(fetch(Arc::clone(adapter), inlet, round.clone()));
        }
        tasks.close();
        tokio::select! {
            () = stop.cancelled() => {}
            changed = adapters.changed() => {
                if changed.is_err() {
                    stop.cancelled().await;
                }
            }
        }
        round.cancel();
        tasks.wait().await;
        if stop.is_cancelled() {
            return;
        }
    }
}

async fn fetch(adapter: Arc<dyn Adapter>, inlet: Arc<dyn Inlet>, stop: CancellationToken) {
    loop {
        match adapter.run(Arc::clone(&inlet), stop.clone()).await {
            // There is nothing to fetch, or it was asked to end.
            Ok(()) => return,
            Err(error) => {
                let channel = adapter.channel();
                tracing::error!(%channel, code = error.code(), %error, "fetching ended");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
