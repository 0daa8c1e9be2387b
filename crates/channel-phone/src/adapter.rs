//! The adapter of one configured channel: calls are posted to it, or it fetches them. Keeps no state:
//! each post is read by itself, and whoever takes it folds it into what is known of its calls.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_channel::{
    AcceptError, Adapter, Examined, Fetched, Files, Guard, Inlet, OptionError, Push, PushRequest,
    PushResponse, Received, Refusal, SendError, SendReceipt, Unread,
};
use postroom_model::{ChannelId, Outbound, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::desk::Desk;
use crate::fetch::{Folder, Follower, Login, Manager, examine, missing};
use crate::fold::Calls;
use crate::limits::RECORDINGS_AT_ONCE_MAX;
use crate::options::{PhoneOptions, Source};
use crate::{recording, verify};

/// One configured phone channel.
#[derive(Debug)]
pub struct PhoneAdapter {
    channel: ChannelId,
    options: PhoneOptions,
    /// What stands before path and query where the provider calls; Twilio signs it.
    public_url: String,
    /// Fetches recordings; none where nothing is fetched.
    guard: Option<Guard>,
    fetching: Semaphore,
}

impl PhoneAdapter {
    pub fn new(channel: ChannelId, options: PhoneOptions, public_url: &str) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        let fetching = Semaphore::new(RECORDINGS_AT_ONCE_MAX);
        Self { channel, options, public_url, guard: None, fetching }
    }

    /// Recordings are fetched through this guard.
    #[must_use]
    pub fn with_guard(self, guard: Guard) -> Self {
        Self { guard: Some(guard), ..self }
    }

    fn address(&self, request: &PushRequest<'_>) -> String {
        format!("{}{}", self.public_url, request.uri)
    }
}

#[async_trait]
impl Adapter for PhoneAdapter {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn push(&self) -> Option<&dyn Push> {
        // A log is read where it lies. Posting one is open to who has been given a word for it; that of
        // the manager interface is not for posting.
        let manager = matches!(self.options.source, Some(Source::Manager { .. }));
        (!manager && !self.options.secrets.is_empty()).then_some(self)
    }

    fn fetches(&self) -> bool {
        matches!(self.options.source, Some(Source::File { .. } | Source::Manager { .. }))
    }

    async fn run(
        &self,
        inlet: Arc<dyn Inlet>,
        shutdown: CancellationToken,
    ) -> Result<(), AcceptError> {
        let PhoneOptions { dialect, setting, secrets, source, .. } = &self.options;
        match source {
            Some(Source::File { path, start }) => {
                let follower = Follower::new(self.channel.clone(), *dialect, setting, path);
                follower.run(*start, inlet.as_ref(), &shutdown).await
            }
            Some(Source::Manager { address, username }) => {
                let password = secrets.first().map_or("", |secret| secret.shared());
                let login = Login { address, username, password };
                Manager::new(self.channel.clone(), setting, login)
                    .run(inlet.as_ref(), &shutdown)
                    .await
            }
            Some(Source::Folder(_)) | None => Ok(()),
        }
    }

    async fn backfill(
        &self,
        inlet: Arc<dyn Inlet>,
        since: Timestamp,
    ) -> Result<Option<u64>, AcceptError> {
        let PhoneOptions { dialect, setting, source, .. } = &self.options;
        match source {
            Some(Source::File { path, .. }) => {
                let follower = Follower::new(self.channel.clone(), *dialect, setting, path);
                follower.backfill(inlet.as_ref(), since).await.map(Some)
            }
            Some(Source::Folder(path)) => {
                let folder = Folder { channel: &self.channel, setting, path };
                folder.read(inlet.as_ref(), since).await.map(Some)
            }
            Some(Source::Manager { .. }) | None => Ok(None),
        }
    }

    async fn examine(&self) -> Vec<Examined> {
        let Some(source) = &self.options.source else {
            return Vec::new();
        };
        let password = self.options.secrets.first().map_or("", |secret| secret.shared());
        let found = examine(source, password).await;
        vec![Examined { part: self.channel.to_string(), found }]
    }

    fn missing(&self) -> Vec<OptionError> {
        self.options.source.as_ref().and_then(missing).into_iter().collect()
    }

    async fn recording(&self, url: &str) -> Result<Fetched, SendError> {
        let Some(guard) = &self.guard else {
            return Err(SendError::permanent("recording_not_allowed", "nothing is fetched here"));
        };
        let Ok(_turn) = self.fetching.try_acquire() else {
            let detail = "other recordings of the channel are being fetched";
            return Err(SendError::retryable("recording_not_fetched", detail));
        };
        recording::fetch(url, &self.options.recordings, guard).await
    }

    fn sends(&self) -> bool {
        false
    }

    async fn send(&self, _: &Outbound, _: &dyn Files) -> Result<SendReceipt, SendError> {
        let detail = "a phone channel tells of calls, so nothing can leave through it";
        Err(SendError::permanent("channel_cannot_send", detail))
    }
}

impl Push for PhoneAdapter {
    fn verify(&self, request: &PushRequest<'_>, now: Timestamp) -> Result<(), Refusal> {
        let address = self.address(request);
        let request = PushRequest { uri: &address, ..*request };
        verify::verify(self.options.dialect, &self.options.secrets, &request, now)
    }

    fn parse(&self, request: &PushRequest<'_>) -> Result<Received, Refusal> {
        let address = self.address(request);
        let request = PushRequest { uri: &address, ..*request };
        let PhoneOptions { dialect, setting, .. } = &self.options;
        let mut calls = Calls::default();
        let mut legs = Vec::new();
        let desk = Desk::new(setting, None);
        let held = dialect.parse(&request, &desk, &mut |mut event| match event.take_leg() {
            Some(leg) => legs.push(leg),
            None => {
                calls.apply(event);
            }
        })?;
        // Nobody comes back to write the rest of a log that is posted.
        let rest = request.body.get(held.whole_bytes..).filter(|_| dialect.is_log());
        let broken = rest.is_some_and(|rest| !rest.trim_ascii().is_empty());
        let mut unread = None;
        if held.unreadable.count > 0 || broken {
            let code = "log_records_unreadable";
            let detail = held.unreadable.with_rest(broken);
            if calls.is_empty() && legs.is_empty() {
                return Err(Refusal::new(422, code, detail));
            }
            let mut raw = held.unreadable.raw;
            raw.extend_from_slice(rest.filter(|_| broken).unwrap_or_default());
            unread = Some(Unread { raw: Bytes::from(raw), code, detail });
        }
        let calls = calls.all(&setting.places);
        Ok(Received { calls, legs, response: held.response, unread, ..Received::default() })
    }

    fn challenge(&self, request: &PushRequest<'_>) -> Option<Result<PushResponse, Refusal>> {
        verify::challenge(self.options.dialect, &self.options.secrets, request)
    }
}
