//! A dry run: what was recorded, played again under two configurations, side by side.
//!
//! The customers write and call as they did, and agents come and go as they did. How long an agent took
//! for an answer is taken from the record too; who answers, when they begin and where a conversation lies
//! is decided anew by the same core that decides live. Nothing is written, and nothing is drawn at random
//! but from the seed: the same record and seed give the same report.

mod known;
mod play;
mod recording;
mod report;
mod tally;

use std::sync::Arc;

use postroom_model::{HandOut, Settings};

pub use self::play::Played;
pub use self::recording::Recording;
pub use self::report::{AgentReport, Began, Elsewhere, QueueReport, Report, SideReport, Waits};
use crate::{RuleError, Rules, SnapshotError};

/// Which of the two configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one in force.
    Now,
    /// The one that is tried.
    New,
}

/// Why nothing can be played.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    #[error("a rule does not compile: {}", first(.0))]
    Rules(Vec<RuleError>),
    #[error("the state could not be copied: {0}")]
    State(#[from] SnapshotError),
    #[error("the settings are refused: {0}")]
    Settings(String),
}

fn first(errors: &[RuleError]) -> String {
    errors.first().map(ToString::to_string).unwrap_or_default()
}

/// One configuration, as it is played.
#[derive(Debug)]
struct Sided {
    settings: Settings,
    rules: Rules,
    /// Hash of the configuration as it was given.
    config: String,
}

impl Sided {
    fn new(settings: &Settings) -> Result<Self, DryRunError> {
        let rules = Rules::compile(settings).map_err(DryRunError::Rules)?;
        Ok(Self { settings: played(settings), rules, config: settings.short_hash() })
    }
}

/// Where people act by themselves, somebody has to act for them: in a queue to pull from, who has room
/// takes the next. Who was out of sight stands in the record, so nobody looks out for it again.
fn played(settings: &Settings) -> Settings {
    let mut played = settings.clone();
    played.desk.grace_ms = None;
    // What went on in another conversation does so again.
    played.timing.join.clear();
    for queue in &mut played.queues {
        if queue.work.hand_out == HandOut::Pull {
            queue.work.hand_out = HandOut::Push;
        }
    }
    played
}

/// The two configurations, in the order of [`Side`].
#[derive(Debug, Clone)]
struct Sides(Arc<[Sided; 2]>);

impl Sides {
    fn new(now: &Settings, new: &Settings) -> Result<Self, DryRunError> {
        Ok(Self(Arc::new([Sided::new(now)?, Sided::new(new)?])))
    }

    fn get(&self, side: Side) -> &Sided {
        let [now, new] = &*self.0;
        match side {
            Side::Now => now,
            Side::New => new,
        }
    }
}
