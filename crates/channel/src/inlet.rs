//! The door through which an adapter gives what it fetched.

use async_trait::async_trait;
use postroom_model::{ChannelId, MessageId};

use crate::{AcceptError, Known, Received};

/// Takes what came in. Implemented over the bus by the program, and by the contract suite.
#[async_trait]
pub trait Inlet: Send + Sync + std::fmt::Debug {
    /// Returns once everything in `received` is durable (P1); the ids stand in the order of the
    /// arrivals. After an error nothing may be acknowledged, and all of it is offered again.
    async fn accept(
        &self,
        channel: &ChannelId,
        received: Received,
    ) -> Result<Accepted, AcceptError>;

    /// How far the channel had read what `name` names when that was last accepted and decided; what
    /// was accepted a moment ago may not be known yet.
    async fn reached(&self, channel: &ChannelId, name: &str)
    -> Result<Option<String>, AcceptError>;

    /// What was ever accepted, as far as it is decided. Reads the whole ledger, so it is for what happens
    /// rarely; ids that came in the last days are known without it.
    async fn known(&self) -> Result<std::sync::Arc<Known>, AcceptError>;

    /// Keeps something that could not be read, raw, so that the next can go on (P9).
    async fn accept_unparsed(
        &self,
        channel: &ChannelId,
        raw: bytes::Bytes,
        code: &str,
        detail: &str,
    ) -> Result<(), AcceptError>;
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    pub messages: Vec<MessageId>,
}
