//! Call logs: what telephone systems write and post becomes calls.
//!
//! A dialect is the format of one system. Its pure part ([`Dialect::parse`]) turns bytes into
//! [`CallEvent`]s, and one state machine ([`Calls`]) folds the events of all dialects into calls,
//! in whatever order they come. [`PhoneAdapter`] adds who may
//! post, and is thin. Everything that a fixture can test is there. Files are opened and connections
//! made in `fetch` alone. This crate names no bus, no records and no router, and reads no clock.
//!
//! Formats and settings: `docs/channels/phone.md`.

mod adapter;
mod desk;
mod dialect;
mod digits;
mod event;
mod fetch;
mod fold;
mod form;
mod inspect;
pub mod limits;
mod number;
mod options;
mod place;
mod plan;
mod recording;
mod table;
mod verify;
mod zone;

pub use adapter::PhoneAdapter;
pub use desk::{Desk, Held, Setting, Sink, Unreadable};
pub use dialect::Dialect;
pub use dialect::asterisk_cdr::{BadLine, Row, Rows};
pub use event::{Agents, CallEvent, Outcome, Stage};
pub use fold::{Calls, Progress};
pub use inspect::Inspector;
pub use number::{Region, Style, is_withheld, read as read_number};
pub use options::{PhoneOptions, Source, Start};
pub use place::{EXTENSION_DIGITS_DEFAULT, Places};
pub use verify::{SECRET_BYTES_MAX, SECRET_BYTES_MIN, Secret, challenge, verify};
pub use zone::{Clockwork, Zone};
