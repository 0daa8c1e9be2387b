//! Mail: raw bytes (RFC 5322, MIME) become the one kind of message that every channel has, and answers
//! become mail again.
//!
//! The pure half: [`parse`] takes bytes and gives a message with its files, or an error whose
//! code says why the mail is set aside; [`Letterbox`] says to which thread of a channel it belongs. It
//! reads no file, opens no connection, keeps no state and knows no time; the same bytes give the same
//! message. Mail is hostile, so what might take the program down is looked for before the library sees
//! it (P9), and everything has a limit (P12).
//!
//! The I/O around it is in `listen`, which takes mail by LMTP and SMTP, and in `send`. Neither
//! decides whose a conversation is; the core does.
//!
//! What is made of a mail, for operators: `docs/channels/email.md`.

#![cfg_attr(not(test), forbid(clippy::indexing_slicing, clippy::string_slice))]

mod adapter;
mod addresses;
mod authentic;
mod automation;
mod body;
mod charset;
mod error;
mod files;
mod header;
mod ids;
mod inspect;
mod letterbox;
pub mod limits;
mod listen;
mod mime;
mod options;
mod page;
mod pause;
mod phrases;
mod proof;
mod read;
mod report;
mod scan;
mod send;
mod token;
pub mod trial;
mod visible;
mod words;

pub use adapter::{EmailAdapter, Mistake};
pub use authentic::Verdict;
pub use error::MailError;
pub use inspect::{BareBody, inspect, inspect_body};
pub use letterbox::{Envelope, Letterbox};
pub use options::{
    DkimOptions, EmailOptions, ListenOptions, Login, MailAddress, Pass, ProofOptions, Protocol,
    Security, SmtpOptions, TlsFiles,
};
pub use read::parse;
pub use send::{Outgoing, Passes, Sent};
pub use token::Tokens;
