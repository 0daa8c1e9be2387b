//! The host: follows the ledger, feeds the outbox, and carries out what it says is due. All that can
//! wait or fail runs in tasks of its own; the loop here only reads, folds and hands out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use postroom_bus::{Blobs, Intake, Ledger, ReadLimits};
use postroom_channel::Adapter;
use postroom_model::{
    ChannelId, Clock, DeliveryInput, HostId, IdSource, Input, InputBody, InputId, MessageId,
    Outbound, Random,
};
use postroom_records::{Records, RecordsError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::attempt::{self, Job, Way};
use crate::backoff::Backoff;
use crate::outbox::{Grant, HELD_MAX, Outbox, Question, Work};
use crate::{DeliveryError, Metrics, publish};

/// How long a host that was told to end waits for running attempts and for answers to its questions.
/// What has not reported by then is settled as uncertain when the next owner comes.
pub const STOP_LIMIT: Duration = Duration::from_secs(25);

/// The longest sleep. The clock may be set meanwhile, and a change hint may be lost.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// The adapters in use, by channel; replaced whole when the configuration changes.
pub type Adapters = Arc<BTreeMap<ChannelId, Arc<dyn Adapter>>>;

/// What a host works with.
#[derive(Debug)]
pub struct DeliveryParts {
    pub ledger: Arc<dyn Ledger>,
    pub intake: Intake,
    pub records: Arc<dyn Records>,
    pub blobs: Blobs,
    pub adapters: watch::Receiver<Adapters>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub metrics: Metrics,
}

/// One run of a process that sends. Owns the channels whose adapters send or fetch until another host
/// comes.
#[derive(Debug)]
pub struct DeliveryHost {
    parts: Arc<DeliveryParts>,
    host: HostId,
    ids: IdSource,
    adapters: watch::Receiver<Adapters>,
    outbox: Outbox,
    tasks: JoinSet<Done>,
    /// Cancelled when the channel is lost.
    superseded: BTreeMap<ChannelId, CancellationToken>,
    owned: watch::Sender<BTreeSet<ChannelId>>,
    reading: Backoff,
    /// Not before then is the ledger read again after a failure.
    read_at: Instant,
}

/// What a task brings back to the outbox.
#[derive(Debug)]
enum Done {
    Reported,
    Found(MessageId, Result<(u64, Option<Box<Outbound>>), RecordsError>),
    Refilled(Result<(u64, Vec<Outbound>), RecordsError>),
}

impl DeliveryHost {
    pub fn new(parts: DeliveryParts) -> Self {
        let ids = IdSource::new(Arc::clone(&parts.clock), Arc::clone(&parts.random));
        let host = HostId(ids.next());
        Self {
            host,
            ids,
            adapters: parts.adapters.clone(),
            outbox: Outbox::restore(host, 0, Vec::new()),
            tasks: JoinSet::new(),
            superseded: BTreeMap::new(),
            owned: watch::Sender::default(),
            reading: Backoff::new(),
            read_at: Instant::now(),
            parts: Arc::new(parts),
        }
    }

    /// By which the router tells this run from all others.
    pub fn id(&self) -> HostId {
        self.host
    }

    /// The channels that are this host's now. Who fetches from a channel is its owner, too.
    pub fn owned(&self) -> watch::Receiver<BTreeSet<ChannelId>> {
        self.owned.subscribe()
    }

    /// Sends until `shutdown`, then waits for what runs, up to [`STOP_LIMIT`]. The router must still
    /// run meanwhile, or what it was asked stays open. Ends by itself only when the ledger cannot be
    /// read.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), DeliveryError> {
        let restored = oldest_with_backoff(self.parts.records.as_ref());
        let Some((seq, rows)) = shutdown.run_until_cancelled(restored).await else {
            return Ok(());
        };
        self.outbox = Outbox::restore(self.host, seq, rows);
        let mut changes = self.parts.ledger.changes();
        let mut stop_at: Option<Instant> = None;
        loop {
            changes.borrow_and_update();
            self.take_adapters();
            let more = self.read_page().await?;
            if stop_at.is_none() && shutdown.is_cancelled() {
                self.outbox.stop();
                stop_at = Some(Instant::now() + STOP_LIMIT);
            }
            self.act();
            if stop_at.is_some_and(|at| self.may_end(at)) {
                return Ok(());
            }
            if more {
                while let Some(done) = self.tasks.try_join_next() {
                    self.take(done);
                }
                tokio::task::yield_now().await;
                continue;
            }
            let wake_at = self.wake_at(stop_at);
            tokio::select! {
                () = changed(&mut changes) => {}
                () = changed(&mut self.adapters) => {}
                Some(done) = self.tasks.join_next() => self.take(done),
                () = shutdown.cancelled(), if stop_at.is_none() => {}
                () = tokio::time::sleep_until(wake_at) => {}
            }
        }
    }

    fn may_end(&self, stop_at: Instant) -> bool {
        if self.tasks.is_empty() && self.outbox.is_idle() {
            return true;
        }
        let late = Instant::now() >= stop_at;
        if late {
            let running = self.tasks.len();
            tracing::warn!(running, "ended before all attempts had reported");
        }
        late
    }

    fn take_adapters(&mut self) {
        let adapters = Arc::clone(&self.adapters.borrow_and_update());
        let wanted = adapters.iter().filter(|(_, adapter)| adapter.sends() || adapter.fetches());
        let channels: BTreeSet<ChannelId> = wanted.map(|(channel, _)| channel.clone()).collect();
        self.outbox.set_channels(&channels);
    }

    /// Folds what the ledger has, one page of it, and says whether there may be more. A failure that
    /// may pass is waited for.
    async fn read_page(&mut self) -> Result<bool, DeliveryError> {
        if Instant::now() < self.read_at {
            return Ok(false);
        }
        let limits = ReadLimits::default();
        let entries = match self.parts.ledger.read(self.outbox.seq(), limits).await {
            Ok(entries) => entries,
            Err(error) if error.retryable() => {
                let code = error.code();
                tracing::warn!(code, %error, "the ledger cannot be read now");
                self.read_at = Instant::now() + self.reading.step();
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        self.reading.reset();
        let now = self.parts.clock.now();
        for entry in &entries {
            let expected = self.outbox.seq() + 1;
            if entry.seq != expected {
                let actual = entry.seq;
                return Err(DeliveryError::Gap { expected, actual });
            }
            let seq = entry.seq;
            let taken = self.outbox.take(seq, &entry.bytes, now);
            taken.map_err(|cause| DeliveryError::Envelope { seq, cause })?;
        }
        for channel in self.outbox.take_lost() {
            tracing::warn!(%channel, "another host sends for this channel now");
            if let Some(superseded) = self.superseded.remove(&channel) {
                superseded.cancel();
            }
        }
        let owned = self.outbox.own_channels();
        self.owned.send_if_modified(|known| {
            let changed = *known != owned;
            *known = owned;
            changed
        });
        Ok(!entries.is_empty())
    }

    /// Hands out everything that is due.
    fn act(&mut self) {
        let overflowing = self.outbox.overflowing();
        for work in self.outbox.due(self.parts.clock.now()) {
            match work {
                Work::Own(channel) => self.own(channel),
                Work::Present { asks } => {
                    let body = DeliveryInput::Present { host: self.host, asks };
                    self.ask(body, Question::Present);
                }
                Work::Attempt { message, epoch } => {
                    let body = DeliveryInput::Attempt { message, epoch };
                    self.ask(body, Question::Attempt(message));
                }
                Work::Send(grant) => self.send(grant),
                Work::Lookup(message) => self.look_up(message),
                Work::Refill => self.refill(),
            }
        }
        if overflowing && !self.outbox.overflowing() {
            tracing::info!("all waiting replies are in sight again");
        }
        self.parts.metrics.set_queues(self.outbox.queues());
    }

    fn own(&mut self, channel: ChannelId) {
        let body = DeliveryInput::Own { channel: channel.clone(), host: self.host };
        self.ask(body, Question::Own(channel));
    }

    fn ask(&mut self, body: DeliveryInput, question: Question) {
        let input = Input {
            id: InputId(self.ids.next()),
            at: self.parts.clock.now(),
            body: InputBody::Delivery(body),
        };
        // The answer may be on the ledger before the publish returns.
        self.outbox.ask(input.id, question);
        let parts = Arc::clone(&self.parts);
        self.tasks.spawn(async move {
            publish::until_stored(&parts.intake, &input).await;
            Done::Reported
        });
    }

    fn send(&mut self, grant: Grant) {
        let adapter = self.adapters.borrow().get(&grant.channel).cloned();
        let adapter = adapter.filter(|adapter| adapter.sends());
        let way = match adapter {
            _ if self.outbox.is_stopping() => Way::Stopping,
            Some(adapter) => Way::Through(adapter),
            None => Way::NoAdapter,
        };
        let report = InputId(self.ids.next());
        self.outbox.ask(report, Question::Settle(grant.message));
        let superseded = self.superseded.entry(grant.channel.clone()).or_default();
        let job = Job { superseded: superseded.clone(), grant, way, report };
        let parts = Arc::clone(&self.parts);
        self.tasks.spawn(async move {
            attempt::carry_out(&parts, job).await;
            Done::Reported
        });
    }

    fn look_up(&mut self, message: MessageId) {
        let records = Arc::clone(&self.parts.records);
        self.tasks
            .spawn(async move { Done::Found(message, find(records.as_ref(), message).await) });
    }

    fn refill(&mut self) {
        let records = Arc::clone(&self.parts.records);
        self.tasks.spawn(async move { Done::Refilled(oldest(records.as_ref()).await) });
    }

    fn take(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let now = self.parts.clock.now();
        match done {
            Ok(Done::Reported) => {}
            Ok(Done::Found(message, Ok((seq, row)))) => {
                self.outbox.found(message, seq, row.as_deref(), now);
            }
            Ok(Done::Found(message, Err(error))) => {
                tracing::warn!(%message, code = error.code(), %error, "reply not looked up");
                self.outbox.look_up_again(message, now);
            }
            Ok(Done::Refilled(Ok((seq, rows)))) => self.outbox.refill(seq, rows, now),
            Ok(Done::Refilled(Err(error))) => {
                tracing::warn!(code = error.code(), %error, "waiting replies not read");
                self.outbox.refill_failed(now);
            }
            Err(error) => tracing::error!(%error, "a task of delivery broke off"),
        }
    }

    fn wake_at(&self, stop_at: Option<Instant>) -> Instant {
        let now = Instant::now();
        let due = self.outbox.next_deadline().map(|deadline| {
            let wait_ms = deadline.since(self.parts.clock.now()).max(1);
            now + Duration::from_millis(u64::try_from(wait_ms).unwrap_or(1)).min(SLEEP_MAX)
        });
        let retry = (self.read_at > now).then_some(self.read_at);
        let longest = now + SLEEP_MAX;
        [due, retry, stop_at].into_iter().flatten().fold(longest, Instant::min)
    }
}

/// Waits for the next value; for ever, if there will be none.
async fn changed<T>(values: &mut watch::Receiver<T>) {
    if values.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The standing is read first, so the row is at least as new as it says.
async fn find(
    records: &dyn Records,
    message: MessageId,
) -> Result<(u64, Option<Box<Outbound>>), RecordsError> {
    let standing = records.standing().await?;
    let row = attempt::reply(records, message).await?;
    Ok((standing.seq, row.map(Box::new)))
}

/// The oldest replies that have not left, and an envelope that they hold.
async fn oldest(records: &dyn Records) -> Result<(u64, Vec<Outbound>), RecordsError> {
    let standing = records.standing().await?;
    Ok((standing.seq, records.outbox(HELD_MAX).await?))
}

/// Waits for records that can be read: damaged ones or those of another schema are rebuilt.
async fn oldest_with_backoff(records: &dyn Records) -> (u64, Vec<Outbound>) {
    let mut backoff = Backoff::new();
    loop {
        match oldest(records).await {
            Ok(found) => return found,
            Err(error) => {
                let code = error.code();
                tracing::warn!(code, %error, "delivery waits for the records");
            }
        }
        tokio::time::sleep(backoff.step()).await;
    }
}

#[cfg(test)]
mod tests;
