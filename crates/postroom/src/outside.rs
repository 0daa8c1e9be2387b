//! The way out to adapters of other processes: a reply goes to the outlet of the bus, with all that its
//! adapter needs to send it. What becomes of it there comes back as a receipt that names its id.
//!
//! The other way, what such an adapter publishes, is taken by the bus itself.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postroom_bus_nats::{Handover, Outlet, OutletError};
use postroom_channel::{AcceptError, Adapter, Files, Inlet, OptionError, SendError, SendReceipt};
use postroom_config::ChannelConfig;
use postroom_model::{ChannelId, Outbound, OutsideFile, OutsideReply};
use tokio_util::sync::CancellationToken;

/// A channel whose adapter is another process.
#[derive(Debug)]
pub(crate) struct OutsideAdapter {
    channel: ChannelId,
    /// None until the bus is open.
    outlet: Option<Outlet>,
}

impl OutsideAdapter {
    /// Everything else about it is known to the other process alone.
    pub(crate) fn of(
        channel: &ChannelConfig,
        clustered: bool,
    ) -> Result<Arc<dyn Adapter>, Vec<OptionError>> {
        let mut mistakes = Vec::new();
        if !clustered {
            let message = "a channel of this kind needs the clustered form";
            let help = "set bus.url to nats:// and records.url to redis://, or use another kind";
            mistakes.push(OptionError::new("kind", message, help));
        }
        let dialect = channel.dialect.is_some().then_some("dialect");
        for key in dialect.into_iter().chain(channel.options.keys().map(String::as_str)) {
            let message = "a channel of kind external has no such option";
            let help = "remove it: the adapter outside has a configuration of its own";
            mistakes.push(OptionError::new(key, message, help));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Arc::new(Self { channel: channel.id.clone(), outlet: None }))
    }

    pub(crate) fn over(channel: ChannelId, outlet: Outlet) -> Arc<dyn Adapter> {
        Arc::new(Self { channel, outlet: Some(outlet) })
    }
}

#[async_trait]
impl Adapter for OutsideAdapter {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    /// Nothing is fetched: what the other process publishes is in the inlet already. It only gets the
    /// place from which it fetches replies.
    async fn run(
        &self,
        _inlet: Arc<dyn Inlet>,
        _shutdown: CancellationToken,
    ) -> Result<(), AcceptError> {
        let Some(outlet) = &self.outlet else { return Ok(()) };
        let offered = outlet.offer(&self.channel).await;
        offered.map_err(|error| AcceptError::Unavailable(error.to_string()))
    }

    fn sends(&self) -> bool {
        true
    }

    async fn send(&self, outbound: &Outbound, files: &dyn Files) -> Result<SendReceipt, SendError> {
        let Some(outlet) = &self.outlet else {
            let detail = "the bus is not open in this process";
            return Err(SendError::retryable("storage_unavailable", detail));
        };
        let reply = reply(outbound, files).await?;
        let payload = serde_json::to_vec(&reply).map_err(|error| {
            let detail = format!("the reply has no JSON form: {error}");
            SendError::permanent("entry_too_large", detail)
        })?;
        // Each attempt that somebody asked for is one of its own; within one, the server tells what it
        // has already.
        let id = match outbound.attempts {
            0 | 1 => outbound.id.to_string(),
            attempt => format!("{}:{attempt}", outbound.id),
        };
        let handover = Handover { channel: self.channel.clone(), id, payload: payload.into() };
        match outlet.hand_over(&handover).await {
            // Receipts name our own id.
            Ok(()) => Ok(SendReceipt { external_id: None }),
            Err(error) => Err(refused(&error)),
        }
    }
}

async fn reply(outbound: &Outbound, files: &dyn Files) -> Result<OutsideReply, SendError> {
    let message = &outbound.message;
    let mut attachments = Vec::with_capacity(message.attachments.len());
    for attachment in &message.attachments {
        let content = match attachment.blob() {
            Some(blob) => Some(files.read(&blob).await?),
            None => None,
        };
        attachments.push(OutsideFile {
            attachment: attachment.clone(),
            content_base64: content.map(|bytes| STANDARD.encode(bytes)),
        });
    }
    Ok(OutsideReply {
        id: outbound.id,
        channel: outbound.channel.clone(),
        conversation: outbound.conversation,
        attempt: outbound.attempts,
        thread: outbound.thread.clone(),
        to: outbound.to.clone(),
        subject: message.subject.clone(),
        text: message.text.clone(),
        html: message.html.clone(),
        in_reply_to: message.in_reply_to.clone(),
        references: message.references.clone(),
        attachments,
        sent_at: message.sent_at.unwrap_or(outbound.queued_at),
    })
}

fn refused(error: &OutletError) -> SendError {
    let (code, detail) = (error.code(), error.to_string());
    match error {
        OutletError::Uncertain(_) => SendError::uncertain(code, detail),
        OutletError::NotTaken(cause) if cause.retryable() => SendError::retryable(code, detail),
        OutletError::NotTaken(_) => SendError::permanent(code, detail),
    }
}
