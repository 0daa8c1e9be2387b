//! Chat webhooks: what is posted becomes messages, and replies go back to a callback URL.
//!
//! A dialect is the format of one provider. Its pure part ([`Dialect::parse`]) turns a request into
//! [`postroom_channel::Received`]; everything that a fixture can test is there. [`WebhookAdapter`]
//! adds the signature and the way out, and is thin. This crate names no bus, no records and no
//! router, keeps no state and makes requests only through [`postroom_channel::Guard`].
//!
//! Set up: `docs/channels/webhook.md`. How to add a dialect or a channel: `docs/adapters.md`.

mod adapter;
mod config;
pub mod dialect;
mod inspect;
pub mod send;

pub use adapter::WebhookAdapter;
pub use config::{Callback, WebhookOptions};
pub use dialect::Dialect;
pub use inspect::inspect;
pub use postroom_channel::OptionError;
