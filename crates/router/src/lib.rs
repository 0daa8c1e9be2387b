//! The loop that decides: read the inlet, look up, ask the core, append one envelope, project it.
//!
//! One router is active for a workspace; the ledger itself is the fence (P4). It decides only while
//! the records, with what it is writing above them, stand at its own ledger tail (P5). This crate does
//! the I/O around the pure core and decides nothing itself; it knows no backend and no channel.

mod append;
mod batch;
mod behind;
mod codes;
mod cycle;
mod error;
mod filling;
mod limits;
mod lookup;
mod metrics;
mod record;
mod recover;
mod run;
mod snapshot;
mod trim;
mod verify;

pub use error::RouterError;
pub use limits::RouterLimits;
pub use metrics::RouterMetrics;
pub use record::record;
pub use recover::{Progress, catch_up, check_end, rebuild};
pub use run::{Router, RouterParts};
pub use verify::{Report, verify};
