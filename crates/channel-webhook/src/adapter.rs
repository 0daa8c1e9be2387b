//! The adapter: signature, dialect and callback of one configured channel. Keeps no state.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use postroom_channel::{
    Adapter, Files, Guard, Push, PushRequest, Received, Refusal, SendError, SendReceipt, signature,
};
use postroom_model::{ChannelId, Clock, Outbound, Timestamp};

use crate::{Dialect, WebhookOptions, send};

/// One configured webhook channel.
pub struct WebhookAdapter {
    channel: ChannelId,
    options: WebhookOptions,
    guard: Guard,
    clock: Arc<dyn Clock>,
}

impl WebhookAdapter {
    pub fn new(
        channel: ChannelId,
        options: WebhookOptions,
        guard: Guard,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { channel, options, guard, clock }
    }
}

impl fmt::Debug for WebhookAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookAdapter")
            .field("channel", &self.channel)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Adapter for WebhookAdapter {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn push(&self) -> Option<&dyn Push> {
        Some(self)
    }

    fn sends(&self) -> bool {
        self.options.callback.is_some()
    }

    async fn send(&self, outbound: &Outbound, files: &dyn Files) -> Result<SendReceipt, SendError> {
        let Some(callback) = &self.options.callback else {
            let detail = "the channel has no callback_url, so nothing can leave through it";
            return Err(SendError::permanent("callback_missing", detail));
        };
        send::post(callback, &self.guard, outbound, files, &*self.clock).await
    }
}

impl Push for WebhookAdapter {
    fn verify(&self, request: &PushRequest<'_>, now: Timestamp) -> Result<(), Refusal> {
        match self.options.dialect {
            Dialect::Generic => {
                let secrets = &self.options.secrets;
                signature::verify(secrets, request.headers, request.body, now)?;
                Ok(())
            }
        }
    }

    fn parse(&self, request: &PushRequest<'_>) -> Result<Received, Refusal> {
        self.options.dialect.parse(request)
    }
}
