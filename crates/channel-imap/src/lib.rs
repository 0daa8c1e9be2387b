//! Mailboxes that are read over IMAP.
//!
//! The pure half comes first: what an operator may write ([`ImapOptions`]), how far a folder was read
//! and what is still to be fetched (`place`, `plan`), how much a server may say at once (`gauge`). Around
//! it is thin I/O: a connection (`connect`, `session`), a folder that is kept up with (`folder`) and read
//! ahead (`fetch`), copies of what was sent (`sent`), and the adapter. Answers leave as those of a mail channel do.
//! Mail itself is read by `channel-email`. How far a folder was read is an input like everything else
//! and moves only behind what was read (P1); what is fetched twice has the same id (P3). This crate names
//! no bus, no records and no router, and is the only one that speaks IMAP.
//!
//! For operators: `docs/channels/imap.md`.

#![cfg_attr(not(test), forbid(clippy::indexing_slicing, clippy::string_slice))]

mod adapter;
mod audit;
mod connect;
mod error;
mod fetch;
mod folder;
mod gauge;
mod give;
pub mod limits;
mod meter;
mod names;
mod options;
mod place;
mod plan;
mod sent;
mod session;
mod steady;
mod tls;
mod token;
pub mod trial;

pub use adapter::{ImapAdapter, ImapCommons};
pub use error::ImapError;
pub use options::{After, ImapOptions, Security, SignIn, Start};
