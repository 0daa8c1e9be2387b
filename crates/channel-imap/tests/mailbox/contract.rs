//! A mailbox passes the suite that every adapter passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use postroom_channel::contract::{self, PullFixture};
use postroom_channel::{
    AcceptError, Accepted, Adapter, Files, Inlet, Known, Received, SendError, SendReceipt,
};
use postroom_channel_imap::ImapAdapter;
use postroom_model::{ChannelId, Outbound};
use postroom_testkit::{ImapMailbox, ScriptedImap};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{adapter, mail, options};

const MAILS: u32 = 25;

/// A mailbox on a scripted server, and up to where it was acknowledged.
struct Mailbox {
    server: ScriptedImap,
    taken: Arc<AtomicUsize>,
}

#[async_trait]
impl PullFixture for Mailbox {
    fn adapter(&self) -> Arc<dyn Adapter> {
        let adapter = adapter(options(self.server.port(), json!({})));
        Arc::new(Counted(adapter, Arc::clone(&self.taken)))
    }

    fn secrets(&self) -> Vec<String> {
        vec!["known-to-the-tests".to_owned()]
    }

    fn offered(&self) -> usize {
        MAILS as usize
    }

    async fn acknowledged(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// Hands on what is accepted, and remembers the last place that the inlet took.
#[derive(Debug)]
struct Counting {
    inlet: Arc<dyn Inlet>,
    taken: Arc<AtomicUsize>,
}

#[async_trait]
impl Inlet for Counting {
    async fn accept(
        &self,
        channel: &ChannelId,
        received: Received,
    ) -> Result<Accepted, AcceptError> {
        let place = received.reached.clone();
        let accepted = self.inlet.accept(channel, received).await?;
        if let Some(place) = place {
            let place: Value = serde_json::from_str(&place.value).unwrap();
            let top = usize::try_from(place["top"].as_u64().unwrap()).unwrap();
            self.taken.store(top, Ordering::SeqCst);
        }
        Ok(accepted)
    }

    async fn reached(
        &self,
        channel: &ChannelId,
        name: &str,
    ) -> Result<Option<String>, AcceptError> {
        self.inlet.reached(channel, name).await
    }

    async fn known(&self) -> Result<Arc<Known>, AcceptError> {
        self.inlet.known().await
    }

    async fn accept_unparsed(
        &self,
        channel: &ChannelId,
        raw: Bytes,
        code: &str,
        detail: &str,
    ) -> Result<(), AcceptError> {
        self.inlet.accept_unparsed(channel, raw, code, detail).await
    }
}

/// A mailbox whose inlet is counted.
#[derive(Debug)]
struct Counted(Arc<ImapAdapter>, Arc<AtomicUsize>);

#[async_trait]
impl Adapter for Counted {
    fn channel(&self) -> &ChannelId {
        self.0.channel()
    }

    async fn run(
        &self,
        inlet: Arc<dyn Inlet>,
        shutdown: CancellationToken,
    ) -> Result<(), AcceptError> {
        let inlet = Arc::new(Counting { inlet, taken: Arc::clone(&self.1) });
        self.0.run(inlet, shutdown).await
    }

    fn sends(&self) -> bool {
        false
    }

    async fn send(&self, _: &Outbound, _: &dyn Files) -> Result<SendReceipt, SendError> {
        Err(SendError::permanent("channel_cannot_send", "it is read"))
    }
}

#[tokio::test]
async fn mailbox_passes_the_contract_suite() {
    let mut mailbox = ImapMailbox::default();
    for number in 1..=MAILS {
        mailbox.add(mail(number));
    }
    let server = ScriptedImap::start(mailbox).await;
    contract::run_pull(&Mailbox { server, taken: Arc::default() }).await.unwrap();
}
