//! What stands around an adapter in the suite: an inlet that does as it is told, and no files.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use postroom_model::digest::Digest;
use postroom_model::{BlobRef, ChannelId, InputId, MessageId, WorkspaceId};
use tokio::sync::watch;

use crate::{AcceptError, Accepted, Files, Inlet, Known, Received, SendError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Takes,
    IsBusy,
    NeverAnswers,
}

/// An inlet in memory.
#[derive(Debug)]
pub struct TestInlet {
    behaviour: Behaviour,
    offered: Mutex<Vec<(ChannelId, Received)>>,
    unparsed: Mutex<Vec<(InputId, Bytes)>>,
    asked: watch::Sender<usize>,
}

impl TestInlet {
    fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour,
            offered: Mutex::default(),
            unparsed: Mutex::default(),
            asked: watch::Sender::new(0),
        }
    }

    /// Takes everything at once.
    pub fn taking() -> Self {
        Self::new(Behaviour::Takes)
    }

    /// Takes nothing.
    pub fn busy() -> Self {
        Self::new(Behaviour::IsBusy)
    }

    /// Never says whether it took anything.
    pub fn hanging() -> Self {
        Self::new(Behaviour::NeverAnswers)
    }

    /// Everything that was offered, taken or not, in order.
    pub fn offered(&self) -> Vec<Received> {
        lock(&self.offered).iter().map(|(_, received)| received.clone()).collect()
    }

    /// What was offered raw.
    pub fn unparsed(&self) -> Vec<Bytes> {
        lock(&self.unparsed).iter().map(|(_, raw)| raw.clone()).collect()
    }

    /// The external ids of all messages offered, in order.
    pub fn external_ids(&self) -> Vec<String> {
        let offered = self.offered();
        let arrivals = offered.iter().flat_map(|received| &received.arrivals);
        arrivals.map(|arrival| arrival.message.external_id.clone()).collect()
    }

    /// Returns once `items` messages or unreadable items were offered.
    pub async fn wait_for(&self, items: usize) {
        let mut asked = self.asked.subscribe();
        // The sender lives as long as `self`, so this ends only when the count is reached.
        let reached = asked.wait_for(|count| *count >= items).await;
        drop(reached);
    }

    async fn answer<T>(&self, taken: T) -> Result<T, AcceptError> {
        match self.behaviour {
            Behaviour::Takes => Ok(taken),
            Behaviour::IsBusy => Err(AcceptError::Busy),
            Behaviour::NeverAnswers => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Inlet for TestInlet {
    async fn accept(
        &self,
        channel: &ChannelId,
        received: Received,
    ) -> Result<Accepted, AcceptError> {
        let workspace = WorkspaceId::main();
        let ids = received.arrivals.iter().map(|arrival| {
            MessageId::of_external(&workspace, channel, &arrival.message.external_id)
        });
        let messages: Vec<MessageId> = ids.collect();
        let count = messages.len().max(1);
        lock(&self.offered).push((channel.clone(), received));
        self.asked.send_modify(|asked| *asked += count);
        self.answer(Accepted { messages }).await
    }

    async fn reached(
        &self,
        _channel: &ChannelId,
        name: &str,
    ) -> Result<Option<String>, AcceptError> {
        let offered = lock(&self.offered);
        let told = offered.iter().rev().filter_map(|(_, received)| received.reached.as_ref());
        let mut told = told.filter(|reached| reached.name == name);
        Ok(told.next().map(|reached| reached.value.clone()))
    }

    async fn known(&self) -> Result<Arc<Known>, AcceptError> {
        let taken = self.behaviour == Behaviour::Takes;
        let offered = lock(&self.offered);
        let channels = offered.iter().filter(|_| taken).flat_map(|(channel, received)| {
            let ids = received.arrivals.iter().map(|arrival| &arrival.message.external_id);
            ids.map(move |id| MessageId::of_external(&WorkspaceId::main(), channel, id))
        });
        let mut ids: Vec<InputId> = channels.map(|id| InputId(id.0)).collect();
        ids.extend(lock(&self.unparsed).iter().filter(|_| taken).map(|(id, _)| *id));
        Ok(Arc::new(Known::new(WorkspaceId::main(), ids)))
    }

    async fn accept_unparsed(
        &self,
        channel: &ChannelId,
        raw: Bytes,
        code: &str,
        _detail: &str,
    ) -> Result<(), AcceptError> {
        let digest = Digest::of(&raw);
        let id = InputId::of_unparsed(&WorkspaceId::main(), channel, &digest, code);
        lock(&self.unparsed).push((id, raw));
        self.asked.send_modify(|asked| *asked += 1);
        self.answer(()).await
    }
}

/// Holds no file.
#[derive(Debug, Clone, Copy)]
pub struct NoFiles;

#[async_trait]
impl Files for NoFiles {
    async fn read(&self, _blob: &BlobRef) -> Result<Bytes, SendError> {
        Err(SendError::permanent("blob_missing", "there are no files here"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
