//! The adapter of one configured channel to which calls are posted. Keeps no state: each post is
//! read by itself, and whoever takes it folds it into what is known of its calls.

use async_trait::async_trait;
use postroom_channel::{
    Adapter, Files, Push, PushRequest, PushResponse, Received, Refusal, SendError, SendReceipt,
};
use postroom_model::{ChannelId, Outbound, Timestamp};

use crate::desk::Desk;
use crate::fold::Calls;
use crate::options::PhoneOptions;
use crate::verify;

/// One configured phone channel.
#[derive(Debug)]
pub struct PhoneAdapter {
    channel: ChannelId,
    options: PhoneOptions,
    /// What stands before path and query where the provider calls; Twilio signs it.
    public_url: String,
}

impl PhoneAdapter {
    pub fn new(channel: ChannelId, options: PhoneOptions, public_url: &str) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self { channel, options, public_url }
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
        // A log is read where it lies. Posting one is open to who has been given a word for it.
        (!self.options.secrets.is_empty()).then_some(self)
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
        let desk = Desk::new(setting, None);
        let held = dialect.parse(&request, &desk, &mut |event| {
            calls.apply(event);
        })?;
        if calls.is_empty() && held.unreadable.count > 0 {
            return Err(Refusal::new(422, "log_records_unreadable", held.unreadable.detail()));
        }
        let calls = calls.all(&setting.places);
        Ok(Received { calls, response: held.response, ..Received::default() })
    }

    fn challenge(&self, request: &PushRequest<'_>) -> Option<Result<PushResponse, Refusal>> {
        verify::challenge(self.options.dialect, &self.options.secrets, request)
    }
}
