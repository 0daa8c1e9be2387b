//! The door through which adapters give what they fetched: the inlet, the blobs and the records behind
//! the trait that an adapter knows.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use postroom_bus::{Blobs, BusError, Intake, Ledger, ReadLimits};
use postroom_channel::{AcceptError, Accepted, Inlet, Known, Received};
use postroom_model::limits::INLINE_BODY_BYTES_MAX;
use postroom_model::{
    BlobRef, Body, ChannelId, Clock, Cursor, Envelope, Inbound, InboundCall, InboundReceipt, Input,
    InputBody, InputId, Message, MessageId, Timestamp, Unparsed, WorkspaceId,
};
use postroom_records::{Key, Records, Row};
use tokio::sync::Mutex;

#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) workspace: WorkspaceId,
    pub(crate) intake: Intake,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) blobs: Blobs,
    pub(crate) clock: Arc<dyn Clock>,
    /// Many mailboxes may be set up anew at once; they share what is read for it.
    pub(crate) known: Mutex<Weak<Known>>,
}

#[async_trait]
impl Inlet for Door {
    async fn accept(
        &self,
        channel: &ChannelId,
        received: Received,
    ) -> Result<Accepted, AcceptError> {
        let at = self.clock.now();
        let mut inputs = Vec::new();
        let mut messages = Vec::with_capacity(received.arrivals.len());
        for arrival in received.arrivals {
            for content in arrival.contents {
                self.keep(content.bytes).await?;
            }
            let mut message = arrival.message;
            if message.body_bytes() > INLINE_BODY_BYTES_MAX {
                self.put_words_aside(&mut message).await?;
            }
            let id = MessageId::of_external(&self.workspace, channel, &message.external_id);
            messages.push(id);
            let inbound = Box::new(Inbound { channel: channel.clone(), message });
            inputs.push(Input { id: InputId(id.0), at, body: InputBody::Inbound(inbound) });
        }
        for receipt in received.receipts {
            let content = serde_json::to_string(&receipt).unwrap_or_default();
            let id = InputId::of_report(&self.workspace, channel, &content);
            let body = InputBody::Receipt(InboundReceipt { channel: channel.clone(), receipt });
            inputs.push(Input { id, at, body });
        }
        for call in received.calls {
            let id = InputId::of_call(&self.workspace, channel, &call);
            let body = InputBody::Call(Box::new(InboundCall::new(channel.clone(), call)));
            inputs.push(Input { id, at, body });
        }
        for (call_id, leg) in received.legs {
            let id = InputId::of_leg(&self.workspace, channel, &call_id, &leg);
            let told = InboundCall::of_leg(channel.clone(), call_id, leg);
            inputs.push(Input { id, at, body: InputBody::Call(Box::new(told)) });
        }
        // Behind what was read: whoever has the place has everything before it.
        if let Some(reached) = received.reached {
            let (name, value) = (reached.name, reached.value);
            inputs.push(self.cursor(at, Cursor { channel: channel.clone(), name, value }));
        }
        if !inputs.is_empty() {
            self.intake.accept_all(&inputs).await.map_err(|error| of_bus(&error))?;
        }
        Ok(Accepted { messages })
    }

    async fn reached(
        &self,
        channel: &ChannelId,
        name: &str,
    ) -> Result<Option<String>, AcceptError> {
        let key = Key::Cursor(channel.clone(), name.to_owned());
        let rows = self.records.load(&[key]).await;
        let rows = rows.map_err(|error| AcceptError::Unavailable(error.to_string()))?;
        Ok(match rows.into_iter().next().flatten() {
            Some(Row::Cursor(value)) => Some(value),
            _ => None,
        })
    }

    async fn known(&self) -> Result<Arc<Known>, AcceptError> {
        let mut shared = self.known.lock().await;
        if let Some(known) = shared.upgrade() {
            return Ok(known);
        }
        let known = Arc::new(Known::new(self.workspace.clone(), self.all_inputs().await?));
        *shared = Arc::downgrade(&known);
        Ok(known)
    }

    async fn accept_unparsed(
        &self,
        channel: &ChannelId,
        raw: Bytes,
        code: &str,
        detail: &str,
    ) -> Result<(), AcceptError> {
        let raw = self.keep(raw).await?;
        let id = InputId::of_unparsed(&self.workspace, channel, &raw.sha256, code);
        let unparsed = Unparsed {
            channel: channel.clone(),
            raw,
            code: code.to_owned(),
            detail: detail.to_owned(),
        };
        let input = Input { id, at: self.clock.now(), body: InputBody::Unparsed(unparsed) };
        self.intake.accept(&input).await.map(drop).map_err(|error| of_bus(&error))
    }
}

impl Door {
    /// Every input that the ledger tells of, to its end as it is now.
    async fn all_inputs(&self) -> Result<Vec<InputId>, AcceptError> {
        let unavailable = |words: String| AcceptError::Unavailable(words);
        let (mut seq, mut ids) = (0, Vec::new());
        loop {
            let entries = self.ledger.read(seq, ReadLimits::default()).await;
            let entries = entries.map_err(|error| of_bus(&error))?;
            let Some(last) = entries.last() else {
                return Ok(ids);
            };
            seq = last.seq;
            let read = tokio::task::spawn_blocking(move || {
                let mut found = Vec::new();
                for entry in &entries {
                    let decoded = Envelope::decode(&entry.bytes);
                    let (envelope, _) = decoded.map_err(|error| error.to_string())?;
                    let outcomes =
                        envelope.transitions.iter().filter_map(|one| one.outcome.as_ref());
                    found.extend(outcomes.map(|outcome| outcome.input));
                }
                Ok(found)
            });
            let read = read.await.map_err(|error| unavailable(error.to_string()))?;
            ids.extend(read.map_err(unavailable)?);
        }
    }

    /// A place is not the same twice: a log that was cut may come by it again.
    fn cursor(&self, at: Timestamp, cursor: Cursor) -> Input {
        let content = format!("{} {} {}", cursor.name, cursor.value, at.millis());
        let id = InputId::of_report(&self.workspace, &cursor.channel, &content);
        Input { id, at, body: InputBody::Cursor(cursor) }
    }

    async fn keep(&self, bytes: Bytes) -> Result<BlobRef, AcceptError> {
        let kept = self.blobs.put(bytes).await;
        kept.map_err(|error| {
            let words = error.to_string();
            if error.retryable() {
                AcceptError::Unavailable(words)
            } else {
                AcceptError::TooLarge(words)
            }
        })
    }

    async fn put_words_aside(&self, message: &mut Message) -> Result<(), AcceptError> {
        let words = Body::take_from(message);
        let json =
            serde_json::to_vec(&words).map_err(|error| AcceptError::TooLarge(error.to_string()))?;
        message.body_blob = Some(self.keep(Bytes::from(json)).await?);
        Ok(())
    }
}

fn of_bus(error: &BusError) -> AcceptError {
    match error {
        BusError::Busy => AcceptError::Busy,
        BusError::Full => AcceptError::Full,
        BusError::TooLarge { .. } => AcceptError::TooLarge(error.to_string()),
        _ => AcceptError::Unavailable(error.to_string()),
    }
}
