//! Running: recover, lead, stand by, start again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use postroom_bus::{Blobs, BusError, Entry, Inlet, Intake, Ledger, ReadLimits};
use postroom_model::{Clock, Envelope, IdSource, Position};
use postroom_records::Records;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cycle::Active;
use crate::filling::{self, Watched};
use crate::recover::{catch_up, catch_up_until_done, recover};
use crate::trim::Trimmer;
use crate::{RouterError, RouterLimits, RouterMetrics, append, snapshot};

/// The longest sleep while nothing comes and nothing is due; then the records are looked at.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// For how long a router that stands by leaves it to the other to see what time brings.
const STAND_BY_MAX: Duration = Duration::from_mins(5);
/// For how long a shutdown waits for what is under way. What is cut off is as after a crash.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// Batches that fit, after which larger ones are tried again.
const GROW_AFTER: u32 = 1_000;

/// What a router works with.
#[derive(Debug)]
pub struct RouterParts {
    pub inlet: Arc<dyn Inlet>,
    /// The doors that share this process, to which routing gives way.
    pub doors: Option<Intake>,
    pub ledger: Arc<dyn Ledger>,
    pub records: Arc<dyn Records>,
    pub blobs: Blobs,
    pub clock: Arc<dyn Clock>,
    pub ids: IdSource,
    pub limits: RouterLimits,
    pub metrics: RouterMetrics,
    pub tasks: TaskTracker,
    /// True while this router decides and the records stand at the ledger's tail.
    pub ready: watch::Sender<bool>,
}

/// The single writer of a workspace, or a candidate for it.
#[derive(Debug)]
pub struct Router {
    parts: RouterParts,
    poisonous: BTreeSet<Position>,
    /// How often a batch did not fit; each time the next ones are half as large.
    halved: u32,
}

impl Router {
    pub fn new(parts: RouterParts) -> Self {
        Self { parts, poisonous: BTreeSet::new(), halved: 0 }
    }

    /// Decides until `shutdown`. An error is one that a person has to look at; everything else is
    /// tried again.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), RouterError> {
        let watching = filling::watch(Watched::of(&self.parts), shutdown.clone());
        self.parts.tasks.spawn(watching);
        let mut pause = self.parts.limits.retry_min;
        loop {
            let started = tokio::time::Instant::now();
            let ended = tokio::select! {
                biased;
                ended = self.lead(&shutdown) => ended,
                () = overdue(&shutdown) => {
                    tracing::warn!("the shutdown did not wait for what was under way");
                    Ok(())
                }
            };
            self.parts.ready.send_replace(false);
            self.parts.metrics.active(false);
            let error = match ended {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.parts.metrics.failed();
            match &error {
                RouterError::SteppedDown => {
                    self.parts.metrics.stepped_down();
                    tracing::warn!("another router wrote; standing by");
                    if self.stand_by(&shutdown).await? {
                        return Ok(());
                    }
                    continue;
                }
                RouterError::Poisoned(position) => {
                    tracing::error!(?position, "an input brought the core down; it is set aside");
                    self.poisonous.insert(*position);
                    continue;
                }
                RouterError::BatchTooLarge if self.halved < 16 => self.halved += 1,
                error if error.retryable() => {
                    tracing::warn!(code = error.code(), %error, "routing failed; trying again");
                }
                _ => {
                    tracing::error!(code = error.code(), %error, "routing stops");
                    return Err(error);
                }
            }
            if started.elapsed() > self.parts.limits.retry_max.saturating_mul(5) {
                pause = self.parts.limits.retry_min;
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
            pause = append::longer(pause, &self.parts.limits);
        }
    }

    /// Recovers and decides until shutdown or an error.
    async fn lead(&mut self, shutdown: &CancellationToken) -> Result<(), RouterError> {
        let Self { parts, poisonous, halved } = self;
        let parts = &*parts;
        let (ledger, records) = (parts.ledger.as_ref(), parts.records.as_ref());
        let recovered = recover(ledger, parts.inlet.as_ref(), &parts.blobs).await?;
        let standing = catch_up_until_done(ledger, records, &parts.limits).await?;
        if standing.seq != recovered.tail.seq {
            return Err(RouterError::SteppedDown);
        }
        let mut keeper = Keeper::new(recovered.snapshot_at);
        let mut trimmer = Trimmer::default();
        let mut active = Active::new(parts, recovered, standing, poisonous);
        parts.ready.send_replace(true);
        parts.metrics.active(true);
        tracing::info!(
            ledger_seq = active.tail.seq,
            open = active.state.conversation_count(),
            "routing"
        );
        let mut waiting = Waiting::new(parts);
        let mut fitted = 0;
        loop {
            if shutdown.is_cancelled() {
                active.settle().await?;
                let kept = parts.limits.snapshots_kept;
                snapshot::store_state(&parts.blobs, &active.state, &active.tail, kept).await?;
                return Ok(());
            }
            let entries = match waiting.next(&mut active, *halved, shutdown).await? {
                Next::Decide(entries) => entries,
                Next::Look => {
                    active.look().await?;
                    trimmer.look(parts, active.tail.seq);
                    continue;
                }
                Next::Again => continue,
            };
            waiting.read_ahead(&entries, *halved);
            let started = tokio::time::Instant::now();
            let inputs = active.cycle(&entries).await?;
            waiting.decided(inputs);
            parts.give_way(inputs, started.elapsed(), shutdown).await;
            fitted += 1;
            if fitted >= GROW_AFTER {
                (fitted, *halved) = (0, halved.saturating_sub(1));
            }
            waiting.tell(&active);
            keeper.look(parts, &active);
            trimmer.look(parts, active.tail.seq);
        }
    }

    /// Waits until the ledger has stood still with inputs waiting; true means shutdown.
    async fn stand_by(&self, shutdown: &CancellationToken) -> Result<bool, RouterError> {
        let parts = &self.parts;
        let mut changes = parts.ledger.changes();
        let mut still = Duration::ZERO;
        loop {
            changes.mark_unchanged();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(true),
                changed = changes.changed() => {
                    if changed.is_err() {
                        return Ok(true);
                    }
                    still = Duration::ZERO;
                }
                () = tokio::time::sleep(parts.limits.takeover_after) => {
                    still = still.saturating_add(parts.limits.takeover_after);
                    match self.left_undone().await {
                        Ok(true) => {
                            tracing::warn!("the other router no longer decides; taking over");
                            return Ok(false);
                        }
                        // What time brings is not seen from here.
                        Ok(false) if still >= STAND_BY_MAX => return Ok(false),
                        Ok(false) => {}
                        Err(error) if error.retryable() => {
                            tracing::warn!(code = error.code(), "standing by; trying again");
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// Whether the inlet holds what no envelope has consumed. Records that lag are brought forward
    /// here and now, which needs no lead.
    async fn left_undone(&self) -> Result<bool, RouterError> {
        let parts = &self.parts;
        let (mut seq, mut consumed) = (0, 0);
        if let Some(tail) = parts.ledger.tail().await? {
            let (envelope, _) = Envelope::decode(&tail.bytes)
                .map_err(|error| RouterError::damaged(tail.seq, &error))?;
            (seq, consumed) = (tail.seq, envelope.inlet_seq);
        }
        if parts.records.standing().await?.seq < seq {
            catch_up(parts.ledger.as_ref(), parts.records.as_ref(), &|_, _| {}).await?;
        }
        Ok(parts.inlet.last().await? > consumed)
    }
}

impl RouterParts {
    /// Leaves the processors to crowded doors for a while. Somebody outside waits for them and gives up
    /// after seconds; what they have taken is durable and keeps. Never for longer than the limit, so
    /// that routing goes on however long the crowd lasts.
    ///
    /// A small batch gives no way: there posts wait for a slow disk, and nothing is to be had by waiting
    /// with them.
    async fn give_way(&self, inputs: usize, took: Duration, shutdown: &CancellationToken) {
        let crowded = self.doors.as_ref().is_some_and(Intake::is_crowded);
        if crowded && inputs >= self.limits.give_way_from {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(self.limits.left_to_doors(took)) => {}
            }
        }
    }
}

/// Returns when a shutdown has waited for long enough.
async fn overdue(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(SHUTDOWN_GRACE).await;
}

/// What is to be done after a wait.
enum Next {
    /// These publishes and what time has brought.
    Decide(Vec<Entry>),
    /// Nothing has come for long.
    Look,
    Again,
}

/// A read of the inlet that is under way.
type Reading = JoinHandle<Result<Vec<Entry>, BusError>>;

/// Waits for the next inputs or for what time brings.
struct Waiting<'p> {
    parts: &'p RouterParts,
    changes: watch::Receiver<u64>,
    /// When the last batch was decided that was worth its sync.
    busy_at: tokio::time::Instant,
    /// The pause after the next read that fails.
    pause: Duration,
    /// The read of what comes after this publish, while the batch before is decided.
    ahead: Option<(u64, Reading)>,
}

impl<'p> Waiting<'p> {
    fn new(parts: &'p RouterParts) -> Self {
        Self {
            parts,
            changes: parts.inlet.changes(),
            busy_at: tokio::time::Instant::now(),
            pause: parts.limits.retry_min,
            ahead: None,
        }
    }

    /// Begins to read what comes after a batch that is about to be decided, where it is so large that
    /// there will be more.
    fn read_ahead(&mut self, entries: &[Entry], halved: u32) {
        let limits = limits_of(&self.parts.limits, halved);
        let bytes: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
        let full = entries.len() > limits.entries_max / 2 || bytes > limits.bytes_max / 2;
        let Some(last) = entries.last().filter(|_| full) else { return };
        let (after, inlet) = (last.seq, Arc::clone(&self.parts.inlet));
        let read = self.parts.tasks.spawn(async move { inlet.read(after, limits).await });
        self.ahead = Some((after, read));
    }

    /// What comes after a publish: what was read ahead, or what there is now.
    async fn read(&mut self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        if let Some((ahead_of, read)) = self.ahead.take()
            && ahead_of == after
            && let Ok(Ok(entries)) = read.await
            && !entries.is_empty()
        {
            return Ok(entries);
        }
        self.parts.inlet.read(after, limits).await
    }

    async fn next(
        &mut self,
        active: &mut Active<'_>,
        halved: u32,
        shutdown: &CancellationToken,
    ) -> Result<Next, RouterError> {
        let limits = &self.parts.limits;
        self.changes.mark_unchanged();
        let read = self.read(active.tail.inlet_seq, limits_of(limits, halved)).await;
        let entries = match read {
            Ok(entries) => entries,
            Err(error) if error.retryable() => {
                tracing::warn!(code = error.code(), "the inlet was not read; trying again");
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => {}
                    () = tokio::time::sleep(self.pause) => {}
                }
                self.pause = append::longer(self.pause, limits);
                return Ok(Next::Again);
            }
            Err(error) => return Err(error.into()),
        };
        self.pause = limits.retry_min;
        let now = self.parts.clock.now();
        let due = active.state.next_deadline();
        if !entries.is_empty() || due.is_some_and(|at| at <= now) {
            return Ok(Next::Decide(entries));
        }
        // Nothing is decided meanwhile, so what fails is made good at once.
        active.settle().await?;
        let due_in = due.map(|at| Duration::from_millis(at.since(now).unsigned_abs()));
        Ok(self.wait(due_in.unwrap_or(SLEEP_MAX).min(SLEEP_MAX), shutdown).await)
    }

    async fn wait(&mut self, sleep: Duration, shutdown: &CancellationToken) -> Next {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Next::Again,
            // The inlet lives as long as its parts, so that this ends only with a change.
            _ = self.changes.changed() => {
                // Under load a moment's wait makes the batch worth its sync.
                if self.busy_at.elapsed() < self.parts.limits.linger {
                    tokio::time::sleep(self.parts.limits.linger).await;
                }
                Next::Again
            }
            () = tokio::time::sleep(sleep) => {
                if sleep == SLEEP_MAX { Next::Look } else { Next::Again }
            }
        }
    }

    fn decided(&mut self, inputs: usize) {
        if inputs >= self.parts.limits.linger_below {
            self.busy_at = tokio::time::Instant::now();
        }
    }

    fn tell(&self, active: &Active<'_>) {
        let last = *self.changes.borrow();
        let (waiting, open) = (active.state.waiting_count(), active.state.conversation_count());
        self.parts.metrics.stands(active.tail.inlet_seq, last, open, waiting);
    }
}

/// Makes snapshots beside the loop, one at a time.
struct Keeper {
    snapshot_at: u64,
    running: Option<JoinHandle<()>>,
}

impl Keeper {
    fn new(snapshot_at: u64) -> Self {
        Self { snapshot_at, running: None }
    }

    fn look(&mut self, parts: &RouterParts, active: &Active<'_>) {
        let tail = active.tail;
        let enough = tail.last_event >= self.snapshot_at + parts.limits.snapshot_events;
        if !enough || self.running.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        self.snapshot_at = tail.last_event;
        let (ledger, blobs) = (Arc::clone(&parts.ledger), parts.blobs.clone());
        let kept = parts.limits.snapshots_kept;
        self.running = Some(parts.tasks.spawn(async move {
            if let Err(error) = snapshot::make(ledger.as_ref(), &blobs, tail.seq, kept).await {
                tracing::warn!(code = error.code(), "no snapshot was made");
            }
        }));
    }
}

/// What one batch may be, after it was halved this often.
fn limits_of(limits: &RouterLimits, halved: u32) -> ReadLimits {
    ReadLimits {
        entries_max: (limits.batch_entries_max >> halved).max(1),
        bytes_max: (limits.batch_bytes_max >> halved).max(1),
    }
}
