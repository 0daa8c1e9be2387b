//! What a dry run tells: by queue, by agent, and who would have gone elsewhere.

use postroom_model::{AgentId, ConversationId, QueueId, Timestamp};
use serde::Serialize;

/// Conversations that are named; more are counted.
pub(super) const NAMED_MAX: usize = 1_000;

/// Both sides, and where they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub since: Timestamp,
    pub until: Timestamp,
    pub seed: u64,
    pub messages: u64,
    pub calls: u64,
    /// Conversations that were opened in that time.
    pub conversations: u64,
    pub now: SideReport,
    pub new: SideReport,
    /// Conversations that begin in another queue.
    pub elsewhere: u64,
    /// Conversations that another agent has first, or nobody.
    pub other_agent: u64,
    /// The first of those that begin in another queue.
    pub moved: Vec<Elsewhere>,
}

/// What came of it under one configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SideReport {
    /// Hash of the configuration, first 16 hexadecimal digits.
    pub config: String,
    pub queues: Vec<QueueReport>,
    pub agents: Vec<AgentReport>,
    /// What came in for channels that are not configured.
    pub set_aside: u64,
    /// Rules that failed on a message and were skipped.
    pub rules_failed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueReport {
    pub queue: QueueId,
    /// That came into it: opened, opened again, or moved.
    pub conversations: u64,
    /// That nobody had at the end.
    pub waiting: u64,
    /// From standing in line until somebody had it.
    pub wait_ms: Waits,
    pub targets_kept: u64,
    pub targets_missed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentReport {
    pub agent: AgentId,
    pub assigned: u64,
    pub online_ms: i64,
    /// Of their capacity, over the time that they were online.
    pub load_percent: u8,
}

/// How long the waits were, in milliseconds; nothing if there were none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Waits {
    pub count: u64,
    pub mean: i64,
    pub p50: i64,
    pub p95: i64,
    pub max: i64,
}

impl Waits {
    pub(super) fn of(mut waits: Vec<i64>) -> Self {
        waits.sort_unstable();
        let count = waits.len();
        let at = |percent: usize| {
            let rank = (count * percent).div_ceil(100).max(1) - 1;
            waits.get(rank).copied().unwrap_or(0)
        };
        let sum: i128 = waits.iter().copied().map(i128::from).sum();
        let mean = i64::try_from(sum / count.max(1) as i128).unwrap_or(i64::MAX);
        Self { count: count as u64, mean, p50: at(50), p95: at(95), max: at(100) }
    }
}

/// A conversation that would have begun in another queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Elsewhere {
    pub conversation: ConversationId,
    pub subject: Option<String>,
    /// None if its channel is not configured.
    pub now: Option<Began>,
    pub new: Option<Began>,
}

/// Where a conversation began, and by which rule, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Began {
    pub queue: QueueId,
    pub rule: Option<u32>,
}
