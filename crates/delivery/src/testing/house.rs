//! Bus, records, blobs and a router in one process, for hosts to run in. Time is tokio's, which
//! tests pause: it moves on by itself when everybody waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postroom_bus::{
    Blobs, Inlet as _, Intake, IntakeLimits, Ledger as _, ReadLimits, decode_batch,
};
use postroom_channel::Adapter;
use postroom_model::{
    ChannelId, Clock, DeliveryInput, DeliveryState, Envelope, EventBody, Input, InputBody,
    MessageId, Outbound, ReplyDraft, SeededRandom, Timestamp,
};
use postroom_records::{Change, Key, MemoryRecords, Records as _, Row, Standing};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{FlakyInlet, FlakyLedger, Router};
use crate::host::{Adapters, DeliveryHost, DeliveryParts};
use crate::{DeliveryError, Metrics};

/// Longer than any schedule; a test that waits for this long waits for ever.
const PATIENCE: Duration = Duration::from_hours(5 * 24);

#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let passed = Instant::now().duration_since(self.0).as_millis();
        Timestamp::from_seconds(1_700_000_000).plus_millis(i64::try_from(passed).unwrap())
    }
}

#[derive(Debug)]
pub(crate) struct House {
    pub(crate) inlet: Arc<FlakyInlet>,
    pub(crate) ledger: Arc<FlakyLedger>,
    pub(crate) records: Arc<MemoryRecords>,
    pub(crate) blobs: Blobs,
    pub(crate) clock: Arc<dyn Clock>,
    router: Arc<Mutex<Router>>,
    /// While true, the router does not decide questions for attempts.
    pub(crate) hold_attempts: watch::Sender<bool>,
    tasks: TaskTracker,
    hosts: Mutex<u64>,
    routing: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

/// A host that runs, with its own adapters.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) adapters: watch::Sender<Adapters>,
    pub(crate) registry: Registry,
    owned: watch::Receiver<BTreeSet<ChannelId>>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), DeliveryError>>,
}

impl House {
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let inlet = Arc::new(FlakyInlet::default());
        let ledger = Arc::new(FlakyLedger::default());
        let records = Arc::new(MemoryRecords::default());
        let router = Arc::new(Mutex::new(Router::default()));
        let (hold_attempts, held) = watch::channel(false);
        let tasks = TaskTracker::new();
        let routing = tasks.spawn(route(
            Arc::clone(&inlet),
            Arc::clone(&ledger),
            Arc::clone(&records),
            Arc::clone(&router),
            held,
        ));
        Self {
            inlet,
            ledger,
            records,
            blobs,
            clock: Arc::new(TokioClock(Instant::now())),
            router,
            hold_attempts,
            tasks,
            hosts: Mutex::new(0),
            routing,
            _folder: folder,
        }
    }

    pub(crate) fn start(&self, adapters: &[Arc<dyn Adapter>]) -> Host {
        let (adapters, receiver) = watch::channel(adapters_of(adapters));
        let mut hosts = self.hosts.lock().unwrap();
        *hosts += 1;
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry, Arc::clone(&self.clock));
        let parts = DeliveryParts {
            ledger: Arc::clone(&self.ledger) as _,
            intake: Intake::start(
                Arc::clone(&self.inlet) as _,
                IntakeLimits::default(),
                &self.tasks,
            ),
            records: Arc::clone(&self.records) as _,
            blobs: self.blobs.clone(),
            adapters: receiver,
            clock: Arc::clone(&self.clock),
            random: Arc::new(SeededRandom::new(*hosts)),
            metrics,
        };
        let shutdown = CancellationToken::new();
        let host = DeliveryHost::new(parts);
        let owned = host.owned();
        Host {
            adapters,
            registry,
            owned,
            running: self.tasks.spawn(host.run(shutdown.clone())),
            shutdown,
        }
    }

    /// An agent answers.
    pub(crate) async fn reply(&self, conversation: u128, message: u128, draft: ReplyDraft) {
        let (conversation, message) = (super::conversation(conversation), super::message(message));
        let input = Router::reply(self.clock.now(), conversation, message, draft);
        self.publish(input).await;
        self.wait_for(message, |_| true).await;
    }

    /// An agent asks to send again.
    pub(crate) async fn resend(&self, conversation: u128, message: u128, id: u128) {
        let (conversation, message) = (super::conversation(conversation), super::message(message));
        let id = uuid::Uuid::from_u128(id);
        self.publish(Router::resend(self.clock.now(), id, conversation, message)).await;
    }

    pub(crate) fn route_through(&self, conversation: u128, channel: &str) {
        let mut router = self.router.lock().unwrap();
        let (conversation, channel) = (super::conversation(conversation), super::channel(channel));
        router.channels.insert(conversation, channel);
    }

    async fn publish(&self, input: Input) {
        let batch = serde_json::to_vec(&[input]).unwrap();
        self.inlet.publish(batch.into()).await.unwrap();
    }

    pub(crate) async fn wait_state(&self, message: u128, state: DeliveryState) -> Outbound {
        self.wait_for(super::message(message), |row| row.state == state).await
    }

    /// Waits until the records hold the reply as it is wanted.
    async fn wait_for(&self, id: MessageId, wanted: impl Fn(&Outbound) -> bool) -> Outbound {
        let mut changes = self.records.changes();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                if let Some(row) = self.row(id).await
                    && wanted(&row)
                {
                    return row;
                }
                changes.changed().await.unwrap();
            }
        };
        let Ok(row) = tokio::time::timeout(PATIENCE, waiting).await else {
            panic!("{id} stays as {:?}", self.row(id).await);
        };
        row
    }

    pub(crate) async fn row(&self, id: MessageId) -> Option<Outbound> {
        let rows = self.records.load(&[Key::Outbound(id)]).await.unwrap();
        rows.into_iter().flatten().find_map(|row| match row {
            Row::Outbound(row) => Some(row.outbound),
            _ => None,
        })
    }

    /// Waits until so many events of the ledger are like this.
    pub(crate) async fn wait_events(&self, count: usize, like: impl Fn(&EventBody) -> bool) {
        let mut changes = self.ledger.changes();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                let envelopes = self.envelopes().await;
                let events = envelopes.iter().flat_map(Envelope::events);
                if events.filter(|(_, _, event)| like(&event.body)).count() >= count {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{count} never came");
    }

    /// Everything on the ledger, in order.
    pub(crate) async fn envelopes(&self) -> Vec<Envelope> {
        let limits = ReadLimits { entries_max: usize::MAX, bytes_max: usize::MAX };
        let entries = self.ledger.read(0, limits).await.unwrap();
        let decoded = entries.iter().map(|entry| Envelope::decode(&entry.bytes).unwrap().0);
        decoded.collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.routing.abort();
    }
}

impl Host {
    /// As when the process is killed: nothing more happens.
    pub(crate) async fn kill(self) {
        self.running.abort();
        assert!(self.running.await.unwrap_err().is_cancelled());
    }

    /// Waits until it owns a channel.
    pub(crate) async fn owns(&self) {
        let mut owned = self.owned.clone();
        let waiting = owned.wait_for(|channels| !channels.is_empty());
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok_and(|owned| owned.is_ok()));
    }

    pub(crate) fn tell_to_end(&self) {
        self.shutdown.cancel();
    }

    /// Waits for the end by itself.
    pub(crate) async fn end(self) -> Result<(), DeliveryError> {
        tokio::time::timeout(PATIENCE, self.running).await.unwrap().unwrap()
    }

    pub(crate) fn set_adapters(&self, adapters: &[Arc<dyn Adapter>]) {
        self.adapters.send_replace(adapters_of(adapters));
    }
}

fn adapters_of(adapters: &[Arc<dyn Adapter>]) -> Adapters {
    let named = adapters.iter().map(|adapter| (adapter.channel().clone(), Arc::clone(adapter)));
    Arc::new(named.collect::<BTreeMap<ChannelId, _>>())
}

/// The router's loop: read, decide, append, write the rows.
async fn route(
    inlet: Arc<FlakyInlet>,
    ledger: Arc<FlakyLedger>,
    records: Arc<MemoryRecords>,
    router: Arc<Mutex<Router>>,
    mut hold_attempts: watch::Receiver<bool>,
) {
    let (mut read, mut written) = (0, 0);
    let mut held: Vec<Input> = vec![];
    let mut changes = inlet.changes();
    loop {
        changes.borrow_and_update();
        let hold = *hold_attempts.borrow_and_update();
        let entries = inlet.read(read, ReadLimits::default()).await.unwrap();
        let mut inputs = if hold { vec![] } else { std::mem::take(&mut held) };
        for entry in entries {
            read = entry.seq;
            inputs.extend(decode_batch(&entry.bytes).into_iter().map(Result::unwrap));
        }
        for input in inputs {
            if hold && is_attempt(&input) {
                held.push(input);
                continue;
            }
            let (envelope, rows) = {
                let mut router = router.lock().unwrap();
                let transition = router.decide(&input);
                let envelope = router.envelope(input.at, vec![transition]);
                (envelope, router.rows.clone())
            };
            let mut envelope = envelope;
            let bytes = envelope.encode().unwrap().bytes;
            let events = (envelope.first_event, envelope.last_event());
            let seq = ledger.append(written, events, bytes.into()).await.unwrap();
            let puts = rows
                .into_iter()
                .map(|(id, row)| Change::Put(Key::Outbound(id), Row::Outbound(Box::new(row))));
            let standing = Standing { seq, last_event: events.1, at: envelope.at };
            records.write(written, standing, puts.collect()).await.unwrap();
            written = seq;
        }
        tokio::select! {
            changed = changes.changed() => changed.unwrap(),
            changed = hold_attempts.changed() => if changed.is_err() { return },
        }
    }
}

fn is_attempt(input: &Input) -> bool {
    matches!(input.body, InputBody::Delivery(DeliveryInput::Attempt { .. }))
}
