//! Runs the adapters that fetch, each on the host that owns its channel, and those that listen, on every
//! host; starts them again when their configuration changes or they end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use postroom_channel::{Adapter, Inlet};
use postroom_model::ChannelId;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::adapters::Adapters;
use crate::door::Door;

/// The pause before an adapter that gave up is started again.
const PAUSE: Duration = Duration::from_secs(5);

/// An adapter that runs.
struct Running {
    adapter: Arc<dyn Adapter>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Until `stop`; then every adapter has ended. `owned` are the channels that are this host's: the router
/// grants them, so that no two hosts fetch from one for longer than it takes to notice.
pub(super) async fn run(
    door: Arc<Door>,
    mut adapters: watch::Receiver<Arc<Adapters>>,
    mut owned: watch::Receiver<BTreeSet<ChannelId>>,
    stop: CancellationToken,
) {
    let mut running: BTreeMap<ChannelId, Running> = BTreeMap::new();
    // Each task is waited for by its handle.
    let tasks = TaskTracker::new();
    while !stop.is_cancelled() {
        let current = Arc::clone(&adapters.borrow_and_update());
        let mine = owned.borrow_and_update().clone();
        // What only listens does so on every host.
        let here = |channel: &ChannelId, adapter: &Arc<dyn Adapter>| {
            !adapter.fetches() || mine.contains(channel)
        };
        let wanted = |channel: &ChannelId, adapter: &Arc<dyn Adapter>| {
            let same = current.get(channel).is_some_and(|new| Arc::ptr_eq(new, adapter));
            same && here(channel, adapter)
        };
        end(&mut running, |channel, one| !wanted(channel, &one.adapter)).await;
        for (channel, adapter) in current.iter() {
            if here(channel, adapter) && !running.contains_key(channel) {
                let (adapter, stop) = (Arc::clone(adapter), stop.child_token());
                let inlet = Arc::clone(&door) as Arc<dyn Inlet>;
                let task = tasks.spawn(fetch(Arc::clone(&adapter), inlet, stop.clone()));
                running.insert(channel.clone(), Running { adapter, stop, task });
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = changed(&mut adapters) => {}
            () = changed(&mut owned) => {}
        }
    }
    end(&mut running, |_, _| true).await;
}

/// Ends these, and waits for it: the same channel may be fetched from anew at once.
async fn end(
    running: &mut BTreeMap<ChannelId, Running>,
    which: impl Fn(&ChannelId, &Running) -> bool,
) {
    let ending: Vec<Running> =
        running.extract_if(.., |channel, one| which(channel, one)).map(|(_, one)| one).collect();
    for one in &ending {
        one.stop.cancel();
    }
    for one in ending {
        if let Err(error) = one.task.await {
            let channel = one.adapter.channel();
            tracing::error!(%channel, %error, "fetching broke off");
        }
    }
}

/// Waits for the next value; for ever, if there will be none.
async fn changed<T>(values: &mut watch::Receiver<T>) {
    if values.changed().await.is_err() {
        std::future::pending::<()>().await;
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
