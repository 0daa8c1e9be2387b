//! Bus and access store over NATS JetStream, for the clustered form.
//!
//! Four streams of a workspace: the inlet, the ledger, the outlet for adapters of other processes, and
//! a key-value bucket of credentials. What is read is read by sequence, and consumers are only a way to
//! read fast: what they acknowledge decides nothing. An answer that did not come is told as such and never
//! repaired by a silent retry.
//!
//! This crate uses the core of the client library and speaks the JetStream API itself, because every
//! error code of the server means something else to the promises of the bus. It decides nothing and
//! folds nothing, and it neither changes nor deletes a stream that it finds.

mod access;
mod answers;
mod api;
mod connect;
mod entry;
mod error;
mod examine;
mod guard;
mod hints;
mod inlet;
mod judge;
mod ledger;
mod limits;
mod monitor;
mod names;
mod nats;
mod options;
mod outlet;
pub mod raw;
mod reader;
mod refusal;
mod streams;

pub use error::NatsError;
pub use examine::examine;
pub use judge::{ACCEPTABLE, Finding, judge_monitor, judge_server, judge_version};
pub use limits::{ENTRY_BYTES_MAX, PAYLOAD_BYTES_MIN};
pub use monitor::MonitorUrl;
pub use nats::Nats;
pub use options::{NatsAuth, NatsOptions, NatsTls};
pub use outlet::{Handover, Outlet, OutletError};
