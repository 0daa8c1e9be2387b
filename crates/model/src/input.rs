//! What asks for a decision, in the order of the inlet.

use serde::{Deserialize, Serialize};

use crate::{
    BlobRef, ChannelId, Command, Cursor, DeliveryInput, InboundCall, InputId, Message, Receipt,
    Settings, Timestamp,
};

/// One thing that asks for a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Input {
    pub id: InputId,
    /// When it was accepted; the only time that its decision knows.
    pub at: Timestamp,
    #[serde(flatten)]
    pub body: InputBody,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum InputBody {
    /// A message from a customer.
    Inbound(Box<Inbound>),
    /// What became of a message that we sent, told from outside.
    Receipt(InboundReceipt),
    /// What a telephone system tells of a call.
    Call(Box<InboundCall>),
    /// How far something that is fetched has been read.
    Cursor(Cursor),
    /// Something that came in and could not be read; kept raw.
    Unparsed(Unparsed),
    /// What an agent, a program or the operator asks for.
    Command(Box<Command>),
    /// A new configuration.
    Settings(Box<Settings>),
    /// A report of the host that sends.
    Delivery(DeliveryInput),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Inbound {
    pub channel: ChannelId,
    pub message: Message,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InboundReceipt {
    pub channel: ChannelId,
    pub receipt: Receipt,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Unparsed {
    pub channel: ChannelId,
    /// The bytes as they came.
    pub raw: BlobRef,
    pub code: String,
    pub detail: String,
}
