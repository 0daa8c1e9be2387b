//! What a channel adapter is, and what every adapter has in common.
//!
//! An adapter is a pure part (`bytes and headers -> Received`, everything a fixture can test) and a
//! thin part that does I/O. There are two ways in, push ([`Push`]: routes that the gateway mounts)
//! and pull ([`Adapter::run`]), and one way out ([`Adapter::send`]). This crate also holds what
//! adapters share: Standard Webhooks signatures, the guard for outgoing requests, sanitising of HTML,
//! and the contract suite that every adapter passes. It knows no adapter, no bus and no records.

mod adapter;
mod address;
pub mod contract;
mod errors;
mod guard;
pub mod html;
mod inlet;
mod inspection;
pub mod json;
mod known;
pub mod limits;
mod outside;
pub mod signature;

pub use adapter::{
    Adapter, Arrival, Audit, Content, Examined, Fetched, Files, Patience, Push, PushRequest,
    PushResponse, Reached, Received, SendReceipt, Unread,
};
pub use address::{AllowList, Cidr, NotACidr, is_public};
pub use errors::{
    AcceptError, ConnectError, GuardError, OptionError, Refusal, SendError, SendErrorKind,
};
pub use guard::{
    CONNECT_TIMEOUT, Deadlines, Guard, ReadError, TOTAL_TIMEOUT, URL_CHARS_MAX, check_url,
    innermost, install_crypto, read_bounded, refused_by_guard,
};
pub use inlet::{Accepted, Inlet};
pub use inspection::{Inspection, InspectionOutcome, Mistake, Problem, Response};
pub use known::Known;
pub use outside::{OUTSIDE_INPUT_BYTES_MAX, input_from_outside};
