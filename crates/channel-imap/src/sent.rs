//! Copies of answers for a folder of the mailbox: a courtesy that comes after sending and that may fail.
//! Whatever becomes of one, the answer has left, and is not sent again for it.

use std::sync::Arc;

use postroom_model::ChannelId;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::ImapError;
use crate::connect::Way;
use crate::limits::{FAREWELL, SENT_COPIES_MAX, SENT_COPY_WAIT};
use crate::session::Session;

/// The folder of one mailbox, and what waits for it.
#[derive(Debug)]
pub(crate) struct Copies {
    folder: String,
    places: Arc<Semaphore>,
    /// One after the other: servers allow few connections.
    turn: Arc<Mutex<()>>,
    tasks: TaskTracker,
}

impl Copies {
    pub(crate) fn new(folder: String) -> Self {
        let places = Arc::new(Semaphore::new(SENT_COPIES_MAX));
        Self { folder, places, turn: Arc::default(), tasks: TaskTracker::new() }
    }

    /// Does not wait: the attempt to send has ended.
    pub(crate) fn keep(&self, channel: &ChannelId, way: &Arc<Way>, mail: Vec<u8>) {
        let (channel, way, folder) = (channel.clone(), Arc::clone(way), self.folder.clone());
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(%channel, folder, "too many copies of answers wait; one is left out");
            return;
        };
        let turn = Arc::clone(&self.turn);
        self.tasks.spawn(async move {
            let _turn = turn.lock().await;
            let put = timeout(SENT_COPY_WAIT, put(&way, &folder, &mail)).await;
            if let Err(error) = put.unwrap_or(Err(ImapError::Silent)) {
                let code = error.code();
                tracing::warn!(%channel, folder, code, %error, "no copy of an answer was kept");
            }
            drop(place);
        });
    }

    /// Waits a moment for what is under way.
    pub(crate) async fn finish(&self) {
        self.tasks.close();
        drop(timeout(FAREWELL, self.tasks.wait()).await);
        self.tasks.reopen();
    }
}

async fn put(way: &Way, folder: &str, mail: &[u8]) -> Result<(), ImapError> {
    let mut session = Session::open(way).await?;
    session.append(folder, mail).await?;
    session.close().await;
    Ok(())
}
