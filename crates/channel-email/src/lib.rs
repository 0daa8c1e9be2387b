//! Mail: raw bytes (RFC 5322, MIME) become the one kind of message that every channel has.
//!
//! This is the pure half: [`parse`] takes bytes and gives a message with its files, or an error whose
//! code says why the mail is set aside. It reads no file, opens no connection, keeps no state and
//! knows no time; the same bytes give the same message. Mail is hostile, so what might take the
//! program down is looked for before the library sees it (P9), and everything has a limit (P12).
//!
//! What is made of a mail, for operators: `docs/channels/email.md`.

#![cfg_attr(not(test), forbid(clippy::indexing_slicing, clippy::string_slice))]

mod addresses;
mod automation;
mod body;
mod charset;
mod error;
mod files;
mod header;
mod ids;
mod inspect;
pub mod limits;
mod mime;
mod page;
mod phrases;
mod read;
mod report;
mod scan;
mod visible;
mod words;

pub use error::MailError;
pub use inspect::{BareBody, inspect, inspect_body};
pub use read::parse;
