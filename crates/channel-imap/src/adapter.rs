//! The adapter of one configured mailbox. Keeps no state of its own: how far each folder was read is
//! with the inlet.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use postroom_channel::{
    AcceptError, Adapter, Audit, Examined, Files, Guard, Inlet, OptionError, SendError, SendReceipt,
};
use postroom_model::{ChannelId, Clock, Outbound, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::ImapError;
use crate::folder::Folder;
use crate::limits::FETCHING_MAX;
use crate::options::ImapOptions;
use crate::session::{Session, Way};
use crate::tls;
use crate::token::Tokens;

/// What all mailboxes share.
#[derive(Debug, Clone)]
pub struct ImapCommons {
    guard: Guard,
    clock: Arc<dyn Clock>,
    turns: Arc<Semaphore>,
}

impl ImapCommons {
    pub fn new(guard: Guard, clock: Arc<dyn Clock>) -> Self {
        Self { guard, clock, turns: Arc::new(Semaphore::new(FETCHING_MAX)) }
    }
}

/// One configured mailbox.
#[derive(Debug)]
pub struct ImapAdapter {
    channel: ChannelId,
    way: Way,
    commons: ImapCommons,
}

impl ImapAdapter {
    /// The mistakes are those that cannot be seen in the options alone.
    pub fn new(
        channel: ChannelId,
        options: ImapOptions,
        commons: &ImapCommons,
    ) -> Result<Self, Vec<OptionError>> {
        let tls = tls::config(options.ca.as_deref()).map_err(|error| vec![error])?;
        let commons = commons.clone();
        let tokens = Tokens::new(commons.guard.clone(), Arc::clone(&commons.clock));
        let way = Way { options, guard: commons.guard.clone(), tls, tokens };
        Ok(Self { channel, way, commons })
    }

    fn folders(&self) -> impl Iterator<Item = Folder<'_>> {
        self.way.options.folders.iter().map(|name| Folder {
            channel: &self.channel,
            name,
            way: &self.way,
            clock: self.commons.clock.as_ref(),
            turns: &self.commons.turns,
        })
    }

    async fn tried(&self, folder: &str) -> Result<String, ImapError> {
        let mut session = Session::open(&self.way).await?;
        let shown = session.open_folder(folder, true).await?;
        let idle = if session.skills.idle { "tells what is new" } else { "must be asked" };
        session.close().await;
        Ok(format!("{} holds {} mails, and the server {idle}", folder, shown.exists))
    }
}

/// An audit or a backfill stops where the source is away.
fn stopped(error: ImapError) -> AcceptError {
    match error {
        ImapError::Accept(error) => error,
        other => AcceptError::Unavailable(format!("{} ({})", other, other.code())),
    }
}

#[async_trait]
impl Adapter for ImapAdapter {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn fetches(&self) -> bool {
        true
    }

    async fn run(
        &self,
        inlet: Arc<dyn Inlet>,
        shutdown: CancellationToken,
    ) -> Result<(), AcceptError> {
        let folders: Vec<Folder<'_>> = self.folders().collect();
        let running = folders.iter().map(|folder| folder.run(inlet.as_ref(), &shutdown));
        try_join_all(running).await.map(drop)
    }

    async fn backfill(
        &self,
        inlet: Arc<dyn Inlet>,
        since: Timestamp,
    ) -> Result<Option<u64>, AcceptError> {
        let mut count = 0;
        for folder in self.folders() {
            count += folder.backfill(inlet.as_ref(), since).await.map_err(stopped)?;
        }
        Ok(Some(count))
    }

    async fn audit(&self, inlet: Arc<dyn Inlet>) -> Result<Option<Vec<Audit>>, AcceptError> {
        let known = inlet.known().await?;
        let mut audits = Vec::new();
        for folder in self.folders() {
            let audited = folder.audit(&known).await;
            audits.push(audited.unwrap_or_else(|error| Audit {
                part: folder.name.to_owned(),
                problem: Some((error.code(), error.to_string())),
                ..Audit::default()
            }));
        }
        Ok(Some(audits))
    }

    async fn examine(&self) -> Vec<Examined> {
        let mut examined = Vec::new();
        for folder in &self.way.options.folders {
            let found = self.tried(folder).await;
            let found = found.map_err(|error| (error.code(), error.to_string()));
            examined.push(Examined { part: format!("{} {folder}", self.channel), found });
        }
        examined
    }

    fn sends(&self) -> bool {
        false
    }

    async fn send(&self, _: &Outbound, _: &dyn Files) -> Result<SendReceipt, SendError> {
        let detail = "this mailbox is only read";
        Err(SendError::permanent("channel_cannot_send", detail))
    }
}
