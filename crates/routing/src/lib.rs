//! The pure core: a deterministic state machine that decides where everything goes.
//!
//! [`decide`] looks at an input and says what happens; [`due`] says what time alone brings;
//! [`State::apply`] folds what happened. [`step`] puts the three together: it decides, folds, and
//! assigns until no free agent and eligible waiting conversation wait for each other (P6). Rules are
//! evaluated apart ([`Rules`]), since they read bodies and the rest does not.
//!
//! No I/O, no clock, no randomness, no async, no order of a hash map: the same inputs give the same
//! bytes, in any process, at any time.

mod calendar;
mod called;
pub mod codes;
mod decide;
pub mod dry_run;
mod due;
mod explain;
pub mod load;
mod made;
mod matching;
mod rules;
pub mod staffing;
mod state;
mod step;

pub use calendar::{Calendar, CalendarError};
pub use called::as_message;
pub use decide::{Decision, Lookups, Past, aside_key, awaited_key, decide};
pub use due::{DUE_MAX, due};
pub use explain::{Considered, Desk, Explanation, cause_words, explain};
pub use made::Made;
pub use rules::{Earlier, Routed, RuleError, RuleFacts, Rules, UnknownName};
pub use state::{Snapshot, SnapshotError, State};
pub use step::{Step, step, step_due};
