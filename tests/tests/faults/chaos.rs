//! What breaks, when, and for how long: all of it from a seed.

use std::collections::BTreeMap;
use std::time::Duration;

use postroom_model::SeededRandom;

use crate::estate::{EACH, Estate, pass};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    KillGateway,
    KillRouter,
    KillHost,
    KillNats,
    KillRedis,
    HoldRouter,
    CutAnswers,
    HoldLine,
    FlushRedis,
    OldRedis,
    SlowRedis,
    SlowNats,
}

const ALL: [Fault; 12] = [
    Fault::KillGateway,
    Fault::KillRouter,
    Fault::KillHost,
    Fault::KillNats,
    Fault::KillRedis,
    Fault::HoldRouter,
    Fault::CutAnswers,
    Fault::HoldLine,
    Fault::FlushRedis,
    Fault::OldRedis,
    Fault::SlowRedis,
    Fault::SlowNats,
];

/// Faults in an order of the seed's; each of them once before any comes again.
#[derive(Debug)]
pub(crate) struct Chaos {
    random: SeededRandom,
    round: Vec<Fault>,
    pub(crate) counts: BTreeMap<Fault, u64>,
}

impl Chaos {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: SeededRandom::new(seed), round: Vec::new(), counts: BTreeMap::new() }
    }

    pub(crate) fn processes_killed(&self) -> u64 {
        let own = [Fault::KillGateway, Fault::KillRouter, Fault::KillHost];
        own.iter().filter_map(|fault| self.counts.get(fault)).sum()
    }

    /// How often each fault has come at least.
    pub(crate) fn rounds(&self) -> u64 {
        ALL.iter().map(|fault| self.counts.get(fault).copied().unwrap_or(0)).min().unwrap_or(0)
    }

    /// Lets the house run for a moment, then breaks something and mends it.
    pub(crate) async fn strike(&mut self, estate: &mut Estate) {
        self.pause(100, 900).await;
        if self.round.is_empty() {
            self.round = ALL.to_vec();
        }
        let next = self.below(self.round.len());
        let fault = self.round.swap_remove(next);
        *self.counts.entry(fault).or_default() += 1;
        let which = self.below(EACH);
        match fault {
            Fault::KillGateway => estate.kill_gateway(which).await,
            Fault::KillRouter => estate.kill_router(which).await,
            Fault::KillHost => estate.kill_host(which).await,
            Fault::KillNats => estate.kill_nats(self.moment(0, 1_500)).await,
            Fault::KillRedis => estate.kill_redis(self.moment(0, 1_500)).await,
            Fault::HoldRouter => estate.hold_router(which, self.moment(500, 5_000)).await,
            Fault::CutAnswers => estate.line.cut_answers(1 + self.random.below(3)),
            Fault::HoldLine => {
                estate.line.hold(true);
                self.pause(200, 3_000).await;
                estate.line.hold(false);
            }
            Fault::FlushRedis => assert_eq!(estate.engines.redis.tell("FLUSHALL"), "+OK"),
            Fault::OldRedis => {
                estate.engines.redis.restore().await;
                // So that it is not always the same old one.
                estate.engines.redis.back_up();
            }
            Fault::SlowRedis => {
                estate.engines.redis.hold(true);
                self.pause(200, 3_000).await;
                estate.engines.redis.hold(false);
            }
            Fault::SlowNats => {
                estate.engines.nats.hold(true);
                self.pause(200, 3_000).await;
                estate.engines.nats.hold(false);
            }
        }
    }

    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap_or(0)
    }

    fn moment(&self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(from_ms + self.random.below(to_ms - from_ms))
    }

    async fn pause(&self, from_ms: u64, to_ms: u64) {
        pass(self.moment(from_ms, to_ms)).await;
    }
}
