//! An adapter that does what a script says, and tells what it was given.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use postroom_channel::{Adapter, Files, Patience, SendError, SendReceipt};
use postroom_model::{ChannelId, MessageId, Outbound};
use tokio::sync::{Notify, watch};

/// What one attempt does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Sent,
    Retry(Option<Duration>),
    Permanent,
    Uncertain,
    /// Never answers.
    Hang,
    Panic,
    /// Answers once it is told to.
    Wait(Arc<Notify>),
}

#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) outbound: Outbound,
    pub(crate) files: Vec<bytes::Bytes>,
}

#[derive(Debug)]
pub(crate) struct FakeAdapter {
    channel: ChannelId,
    script: Mutex<VecDeque<Step>>,
    /// What happens when the script is at its end.
    otherwise: Step,
    patience: Patience,
    given: watch::Sender<Vec<Given>>,
}

impl FakeAdapter {
    pub(crate) fn new(
        channel: ChannelId,
        script: impl IntoIterator<Item = Step>,
        otherwise: Step,
    ) -> Arc<Self> {
        Self::with_patience(channel, script, otherwise, Patience::Day)
    }

    pub(crate) fn with_patience(
        channel: ChannelId,
        script: impl IntoIterator<Item = Step>,
        otherwise: Step,
        patience: Patience,
    ) -> Arc<Self> {
        Arc::new(Self {
            channel,
            script: Mutex::new(script.into_iter().collect()),
            otherwise,
            patience,
            given: watch::Sender::new(vec![]),
        })
    }

    /// The attempts so far: which reply, and the how manieth attempt.
    pub(crate) fn attempts(&self) -> Vec<(MessageId, u32)> {
        let given = self.given.borrow();
        let attempts = given.iter().map(|given| &given.outbound);
        attempts.map(|outbound| (outbound.id, outbound.attempts)).collect()
    }

    pub(crate) fn given(&self, index: usize) -> Given {
        self.given.borrow()[index].clone()
    }

    /// Waits until so many attempts have begun.
    pub(crate) async fn wait_for(&self, attempts: usize) {
        let mut given = self.given.subscribe();
        given.wait_for(|given| given.len() >= attempts).await.unwrap();
    }
}

#[async_trait]
impl Adapter for FakeAdapter {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn sends(&self) -> bool {
        true
    }

    fn patience(&self) -> Patience {
        self.patience
    }

    async fn send(&self, outbound: &Outbound, files: &dyn Files) -> Result<SendReceipt, SendError> {
        let mut contents = vec![];
        for attachment in &outbound.message.attachments {
            contents.push(files.read(&attachment.blob().unwrap()).await?);
        }
        let step = self.script.lock().unwrap().pop_front();
        self.given.send_modify(|given| {
            given.push(Given { outbound: outbound.clone(), files: contents });
        });
        match step.unwrap_or_else(|| self.otherwise.clone()) {
            Step::Sent => {}
            Step::Retry(retry_after) => {
                let mut error = SendError::retryable("provider_busy", "come again later");
                error.retry_after = retry_after;
                return Err(error);
            }
            Step::Permanent => return Err(SendError::permanent("provider_refused", "never")),
            Step::Uncertain => return Err(SendError::uncertain("connection_lost", "perhaps")),
            Step::Hang => std::future::pending().await,
            Step::Panic => panic!("the adapter has a mistake"),
            Step::Wait(go) => go.notified().await,
        }
        Ok(SendReceipt { external_id: Some(format!("provider-{}", outbound.id)) })
    }
}
