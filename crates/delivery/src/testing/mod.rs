//! What the tests of this crate share: a small router that answers as the real one does, an adapter
//! that follows a script, and a house with everything that a host needs. Never part of the product.

mod adapter;
mod flaky;
mod house;
mod router;

pub(crate) use adapter::{FakeAdapter, Step};
pub(crate) use flaky::{FlakyInlet, FlakyLedger};
pub(crate) use house::House;
pub(crate) use router::Router;

use postroom_model::{ChannelId, ConversationId, MessageId};
use uuid::Uuid;

pub(crate) fn channel(name: &str) -> ChannelId {
    ChannelId::new(name).unwrap()
}

pub(crate) fn message(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

pub(crate) fn conversation(number: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(number))
}
