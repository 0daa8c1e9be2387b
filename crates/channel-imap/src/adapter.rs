//! The adapter of one configured mailbox. Keeps no state of its own: how far each folder was read is
//! with the inlet.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use postroom_channel::{
    AcceptError, Adapter, Audit, Examined, Files, Guard, Inlet, OptionError, Patience, SendError,
    SendReceipt,
};
use postroom_channel_email::{EmailOptions, Letterbox, Outgoing, Passes, Tokens as Signs};
use postroom_model::{ChannelId, Clock, Outbound, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::ImapError;
use crate::connect::Way;
use crate::folder::Folder;
use crate::limits::FETCHING_MAX;
use crate::options::{ImapOptions, OAuth, SignIn};
use crate::sent::Copies;
use crate::session::Session;
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
    way: Arc<Way>,
    commons: ImapCommons,
    /// Set if it is known whose mail it is.
    letterbox: Option<Arc<Letterbox>>,
    outgoing: Option<Outgoing>,
    copies: Option<Copies>,
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
        let tokens = Arc::new(Tokens::new(commons.guard.clone(), Arc::clone(&commons.clock)));
        let signs = |mail: &EmailOptions| Signs::new(channel.clone(), &mail.token_secrets);
        let mail = options.mail.as_ref();
        let letterbox = mail.map(|mail| Arc::new(Letterbox::new(mail, signs(mail))));
        let outgoing =
            mail.and_then(|mail| Outgoing::new(mail, signs(mail), commons.guard.clone()));
        let outgoing = match &options.sign_in {
            SignIn::OAuth(oauth) => outgoing.map(|out| out.with_passes(passes(oauth, &tokens))),
            SignIn::Password(_) => outgoing,
        };
        let copies = options.sent_folder.clone().map(Copies::new);
        let way = Arc::new(Way { options, guard: commons.guard.clone(), tls, tokens });
        Ok(Self { channel, way, commons, letterbox, outgoing, copies })
    }

    fn folders(&self) -> impl Iterator<Item = Folder<'_>> {
        self.way.options.folders.iter().map(|name| Folder {
            channel: &self.channel,
            name,
            way: &self.way,
            clock: self.commons.clock.as_ref(),
            turns: &self.commons.turns,
            letterbox: self.letterbox.as_ref(),
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

/// The tokens of the mailbox, for the server through which answers leave.
fn passes(oauth: &OAuth, tokens: &Arc<Tokens>) -> Passes {
    let (oauth, tokens) = (oauth.clone(), Arc::clone(tokens));
    Passes::new(move |refused| {
        let (oauth, tokens) = (oauth.clone(), Arc::clone(&tokens));
        async move {
            if let Some(refused) = refused {
                tokens.forget(&refused).await;
            }
            let token = tokens.get(&oauth).await;
            token.map_err(|error| SendError::retryable(error.code(), error.to_string()))
        }
    })
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
        let ended = try_join_all(running).await.map(drop);
        if let Some(copies) = &self.copies {
            copies.finish().await;
        }
        ended
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
        if let Some(outgoing) = &self.outgoing {
            let found = outgoing.examine().await.map_err(|error| (error.code, error.detail));
            let found = found.map(|()| "the server lets us in".to_owned());
            examined.push(Examined { part: format!("{} smtp", self.channel), found });
        }
        examined
    }

    fn sends(&self) -> bool {
        self.outgoing.is_some()
    }

    fn patience(&self) -> Patience {
        Patience::Days
    }

    async fn send(&self, outbound: &Outbound, files: &dyn Files) -> Result<SendReceipt, SendError> {
        let Some(outgoing) = &self.outgoing else {
            let detail = "the mailbox has no [channels.smtp], so nothing can leave through it";
            return Err(SendError::permanent("channel_cannot_send", detail));
        };
        let sent = outgoing.send(outbound, files).await?;
        if let Some(copies) = &self.copies {
            copies.keep(&self.channel, &self.way, sent.mail);
        }
        Ok(sent.receipt)
    }
}
