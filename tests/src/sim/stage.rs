//! What all actors share: the stores as they truly are, virtual time, and notes for the judge.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use postroom_bus::{MemoryInlet, MemoryLedger};
use postroom_model::{ChannelId, Clock, InputId, MessageId, Timestamp};
use postroom_records::MemoryRecords;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::plan::Plan;
use super::view::View;

/// 2026-01-01T00:30:00Z
pub(crate) const BEGIN_MS: i64 = 1_767_227_400_000;

/// Each actor acts only at moments of its own, so that no two race within one moment and a seed
/// always goes the same way.
pub(crate) const LANES: u64 = 16;

/// The clock of the house: virtual time, and a jump.
#[derive(Debug)]
pub(crate) struct StageClock {
    begin: Instant,
    jumped_ms: AtomicI64,
}

impl StageClock {
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn jump(&self, ms: i64) {
        self.jumped_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for StageClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.elapsed_ms()).unwrap_or(i64::MAX);
        Timestamp::from_millis(BEGIN_MS)
            .plus_millis(elapsed)
            .plus_millis(self.jumped_ms.load(Ordering::SeqCst))
    }
}

/// How often each thing happened, to see that the simulation reaches what it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(pub BTreeMap<&'static str, u64>);

impl Tally {
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// What the actors know and the stores do not.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Inputs that the inlet has acknowledged.
    pub(crate) acknowledged: Vec<InputId>,
    /// Messages of each thread in the order in which the customer wrote them.
    pub(crate) spoken: BTreeMap<(ChannelId, String), Vec<InputId>>,
    /// How often each reply left the house.
    pub(crate) left: BTreeMap<MessageId, u64>,
    /// Publishes, to be repeated later.
    pub(crate) published: Vec<Bytes>,
    /// Publishes that are not yet acknowledged, and calls that land late.
    pub(crate) under_way: u64,
    /// What went wrong while the history was played.
    pub(crate) complaints: Vec<String>,
    pub(crate) tally: Tally,
}

/// The house with all that stands in it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) plan: Plan,
    pub(crate) clock: Arc<StageClock>,
    pub(crate) inlet: Arc<MemoryInlet>,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) records: Arc<MemoryRecords>,
    pub(crate) tasks: TaskTracker,
    calm: AtomicBool,
    notes: Mutex<Notes>,
    view: Mutex<View>,
}

impl Stage {
    /// To be made inside the runtime whose time is paused.
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            plan,
            clock: Arc::new(StageClock { begin: Instant::now(), jumped_ms: AtomicI64::new(0) }),
            inlet: Arc::default(),
            ledger: Arc::default(),
            records: Arc::default(),
            tasks: TaskTracker::new(),
            calm: AtomicBool::new(false),
            notes: Mutex::default(),
            view: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// From now on nothing fails any more.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// Sleeps for at least so long, to the next moment of the lane.
    pub(crate) async fn rest(&self, lane: u64, ms: u64) {
        let at = self.clock.elapsed_ms() + ms.max(1);
        let at = at + (lane + LANES - at % LANES) % LANES;
        tokio::time::sleep_until(self.clock.begin + Duration::from_millis(at)).await;
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, what: &'static str) {
        *self.notes().tally.0.entry(what).or_default() += 1;
    }

    pub(crate) fn complain(&self, complaint: String) {
        self.notes().complaints.push(complaint);
    }

    /// What can be seen on the ledger's tail now.
    pub(crate) async fn look<T>(&self, ask: impl FnOnce(&View) -> T) -> T {
        let after = self.locked_view().seq;
        let news = View::news(&self.ledger, after).await;
        let mut view = self.locked_view();
        view.take(news);
        ask(&view)
    }

    fn locked_view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
