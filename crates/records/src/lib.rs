//! What people read: conversations, timelines, contacts, presences, and the inputs already seen.
//!
//! The records are a projection of the ledger: they hold the ledger position at which they stand,
//! moved together with the rows, and can be thrown away and rebuilt (P5). The fold is here, once, for
//! every backend; a backend only gets, writes and lists rows. Nothing here decides anything.

pub mod conformance;
mod error;
mod fold;
mod memory;
mod ports;
mod rows;
mod sheet;

pub use error::RecordsError;
pub use memory::MemoryRecords;
pub use ports::{ConversationQuery, Page, QueueCounts, Records, Standing, View};
pub use rows::{
    Change, DeliveryNote, Key, OutboundRow, Parked, Row, SCHEMA_VERSION, Seen, TimelineItem, Totals,
};
pub use sheet::Sheet;
