//! What people read: conversations, timelines, contacts, presences, and the inputs already seen.
//!
//! The records are a projection of the ledger: they hold the ledger position at which they stand,
//! moved together with the rows, and can be thrown away and rebuilt (P5). The fold is here, once, for
//! every backend; a backend only gets, writes and lists rows. Nothing here decides anything.

pub mod conformance;
mod conversation;
mod delivery;
mod describe;
mod error;
mod fold;
mod ground;
mod held;
mod memory;
mod ports;
mod project;
mod query;
mod rows;
mod sheet;
mod typed;

pub use describe::{describe, event_type};
pub use error::RecordsError;
pub use ground::{Above, Ground};
pub use held::held_of_kind;
pub use memory::MemoryRecords;
pub use ports::{ConversationQuery, ENTRIES_LOOKED_AT, Page, QueueCounts, Records, Standing, View};
pub use project::{fold_envelope, fold_many, keys_of, project, project_many, standing_after};
pub use query::ListingCursor;
pub use rows::{
    Change, DeliveryNote, Key, OutboundRow, Parked, Row, SCHEMA_VERSION, Seen, TimelineItem, Totals,
};
pub use sheet::Sheet;
