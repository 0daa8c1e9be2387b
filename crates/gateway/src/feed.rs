//! Follows the ledger's tail: reads each envelope once, tells those who wait for the outcome of
//! their command, and holds the newest envelopes for the event streams.
//!
//! A stream asks for what comes after its own place. What is no longer held here is read from the
//! ledger, so a slow reader loses nothing and holds nobody up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use postroom_bus::{BusError, Entry, Ledger, ReadLimits};
use postroom_model::{
    AgentId, ChannelId, ConversationId, Envelope, Event, EventBody, InputId, Outcome, Reason,
    Timestamp, Transition,
};
use postroom_records::TimelineItem;
use tokio::sync::{OnceCell, oneshot, watch};

use crate::gateway::GatewayLimits;
use crate::reach::Whereabouts;

/// After a failed read the ledger is asked again.
const RETRY: Duration = Duration::from_millis(200);

/// Who may see an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Whoever may see the conversation, and the agents whom it concerns.
    Conversation(ConversationId, Vec<AgentId>),
    /// The agent, supervisors and admins.
    Agent(AgentId),
    /// A call that has no conversation yet, or none at all: whoever would have it.
    Channel(ChannelId),
    Supervisors,
    Admins,
}

/// An event as it is told outside.
#[derive(Debug)]
pub(crate) struct FeedItem {
    pub(crate) position: u64,
    pub(crate) kind: String,
    pub(crate) audience: Audience,
    /// A [`TimelineItem`] in JSON, on one line.
    pub(crate) json: Box<serde_json::value::RawValue>,
}

/// An envelope of the ledger, decoded when somebody first asks and then shared.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) seq: u64,
    bytes: Bytes,
    envelope: OnceLock<Result<Envelope, String>>,
    items: OnceLock<Vec<FeedItem>>,
    /// Where its conversations are, once the records hold this envelope.
    pub(crate) whereabouts: OnceCell<BTreeMap<ConversationId, Whereabouts>>,
}

impl Slot {
    fn new(entry: Entry) -> Self {
        Self {
            seq: entry.seq,
            bytes: entry.bytes,
            envelope: OnceLock::new(),
            items: OnceLock::new(),
            whereabouts: OnceCell::new(),
        }
    }

    pub(crate) fn envelope(&self) -> Result<&Envelope, BusError> {
        let decoded = self.envelope.get_or_init(|| {
            let read = Envelope::decode(&self.bytes).map(|(envelope, _)| envelope);
            read.map_err(|error| error.to_string())
        });
        decoded.as_ref().map_err(|cause| BusError::Damaged(cause.clone()))
    }

    pub(crate) fn items(&self) -> Result<&[FeedItem], BusError> {
        let envelope = self.envelope()?;
        Ok(self.items.get_or_init(|| {
            let items = envelope.events().map(|(position, transition, event)| {
                feed_item(envelope, position, transition, event)
            });
            items.collect()
        }))
    }
}

fn feed_item(
    envelope: &Envelope,
    position: u64,
    transition: &Transition,
    event: &Event,
) -> FeedItem {
    let item: TimelineItem =
        postroom_records::describe(position, transition.at, event, &envelope.bodies);
    let json = serde_json::value::to_raw_value(&item).unwrap_or_default();
    FeedItem { position, kind: item.kind, audience: audience(event), json }
}

fn audience(event: &Event) -> Audience {
    if let Some(conversation) = event.conversation {
        return Audience::Conversation(conversation, concerned(&event.body));
    }
    match &event.body {
        EventBody::AgentStatusChanged { agent, .. }
        | EventBody::AgentPaused { agent, .. }
        | EventBody::AgentReady { agent } => Audience::Agent(agent.clone()),
        EventBody::CallRecorded(recorded) => Audience::Channel(recorded.channel.clone()),
        EventBody::ConfigInstalled { .. }
        | EventBody::CursorMoved(_)
        | EventBody::CallLeg(_)
        | EventBody::InputParked { .. }
        | EventBody::InputUnparked { .. } => Audience::Admins,
        _ => Audience::Supervisors,
    }
}

/// The agent who gets or loses the conversation by this event, or moved it out of their own reach; those
/// whom a ladder tells.
fn concerned(body: &EventBody) -> Vec<AgentId> {
    match body {
        EventBody::ConversationAssigned { agent, .. }
        | EventBody::ConversationReleased { agent, .. } => vec![agent.clone()],
        EventBody::ConversationTransferred { reason: Reason::Transferred { by }, .. } => {
            by.agent.iter().cloned().collect()
        }
        EventBody::LadderClimbed(climbed) => climbed.notified.clone(),
        _ => vec![],
    }
}

/// Takes an outcome and the sequence of the envelope that holds it.
type Answer = oneshot::Sender<(u64, Outcome)>;

/// The newest envelopes, without gaps.
#[derive(Debug, Default)]
struct Ring {
    slots: VecDeque<Arc<Slot>>,
    bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Feed {
    ledger: Arc<dyn Ledger>,
    ring: Mutex<Ring>,
    envelopes_max: usize,
    bytes_max: usize,
    waiters: Mutex<BTreeMap<InputId, Vec<Answer>>>,
    /// Sequence of the last envelope seen; none until the ledger's tail was first read.
    head: watch::Sender<Option<u64>>,
}

impl Feed {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, limits: &GatewayLimits) -> Self {
        Self {
            ledger,
            ring: Mutex::default(),
            envelopes_max: limits.feed_envelopes_max,
            bytes_max: limits.feed_bytes_max,
            waiters: Mutex::default(),
            head: watch::channel(None).0,
        }
    }

    pub(crate) fn ledger(&self) -> &dyn Ledger {
        self.ledger.as_ref()
    }

    pub(crate) fn head(&self) -> watch::Receiver<Option<u64>> {
        self.head.subscribe()
    }

    /// The last envelope that may have been told to anybody.
    pub(crate) fn seq(&self) -> u64 {
        self.head.borrow().unwrap_or(0)
    }

    /// Follows the ledger for ever.
    pub(crate) async fn follow(&self) {
        let mut changes = self.ledger.changes();
        let mut seq = loop {
            match self.ledger.tail().await {
                Ok(tail) => break tail.map_or(0, |entry| entry.seq),
                Err(error) => tracing::warn!(%error, "the ledger's tail cannot be read"),
            }
            tokio::time::sleep(RETRY).await;
        };
        self.head.send_replace(Some(seq));
        loop {
            changes.mark_unchanged();
            match self.ledger.read(seq, ReadLimits::default()).await {
                Ok(entries) if entries.is_empty() => {
                    if changes.changed().await.is_err() {
                        // The ledger has no more news of itself; it may still be read.
                        tokio::time::sleep(RETRY).await;
                    }
                }
                Ok(entries) => seq = self.take_in(entries),
                Err(error) => {
                    tracing::warn!(%error, "the ledger cannot be read");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// First into the ring, then the word that it is there: who hears it also finds it.
    fn take_in(&self, entries: Vec<Entry>) -> u64 {
        let slots: Vec<_> = entries.into_iter().map(|entry| Arc::new(Slot::new(entry))).collect();
        let last = slots.last().map_or_else(|| self.seq(), |slot| slot.seq);
        let mut ring = lock(&self.ring);
        for slot in &slots {
            ring.bytes += slot.bytes.len();
            ring.slots.push_back(Arc::clone(slot));
        }
        while ring.slots.len() > self.envelopes_max || ring.bytes > self.bytes_max {
            let Some(oldest) = ring.slots.pop_front() else {
                break;
            };
            ring.bytes -= oldest.bytes.len();
        }
        drop(ring);
        self.head.send_replace(Some(last));
        // With nobody waiting nothing is decoded here.
        if !lock(&self.waiters).is_empty() {
            for slot in &slots {
                self.answer_waiters(slot);
            }
        }
        last
    }

    fn answer_waiters(&self, slot: &Slot) {
        let envelope = match slot.envelope() {
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::error!(%error, seq = slot.seq, "an envelope cannot be read");
                return;
            }
        };
        let mut waiters = lock(&self.waiters);
        for outcome in envelope.transitions.iter().filter_map(|one| one.outcome.as_ref()) {
            for waiter in waiters.remove(&outcome.input).into_iter().flatten() {
                // Who no longer waits asks by the command's id.
                drop(waiter.send((slot.seq, outcome.clone())));
            }
        }
    }

    /// Envelopes after `seq`, in order; empty if there are none now. At most what one read gives.
    pub(crate) async fn after(&self, seq: u64) -> Result<Vec<Arc<Slot>>, BusError> {
        let limits = ReadLimits::default();
        {
            let ring = lock(&self.ring);
            if let Some(first) = ring.slots.front()
                && first.seq <= seq + 1
            {
                let skip = usize::try_from(seq + 1 - first.seq).unwrap_or(usize::MAX);
                let newer = ring.slots.iter().skip(skip).take(limits.entries_max);
                return Ok(newer.cloned().collect());
            }
        }
        if seq >= self.seq() {
            return Ok(Vec::new());
        }
        let entries = self.ledger.read(seq, limits).await?;
        Ok(entries.into_iter().map(|entry| Arc::new(Slot::new(entry))).collect())
    }

    /// Whether somebody in this process waits for the outcome of an input.
    pub(crate) fn is_awaited(&self, input: InputId) -> bool {
        lock(&self.waiters).contains_key(&input)
    }

    /// Registers for the outcome of an input. To be called before the input is published; only then
    /// is the outcome sure to come after what the feed has read.
    pub(crate) async fn wait_for(self: &Arc<Self>, input: InputId) -> Waiter {
        let mut head = self.head();
        // An error means that the feed is gone with its gateway; then the wait ends by its time.
        drop(head.wait_for(Option::is_some).await);
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiters).entry(input).or_default().push(sender);
        Waiter { feed: Arc::clone(self), input, receiver: Some(receiver) }
    }
}

/// A registration for an outcome; taken back when dropped.
#[derive(Debug)]
pub(crate) struct Waiter {
    feed: Arc<Feed>,
    input: InputId,
    receiver: Option<oneshot::Receiver<(u64, Outcome)>>,
}

impl Waiter {
    /// The outcome, and the sequence of the envelope that holds it; none if the feed is gone.
    pub(crate) async fn outcome(&mut self) -> Option<(u64, Outcome)> {
        match &mut self.receiver {
            Some(receiver) => receiver.await.ok(),
            None => None,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.receiver = None;
        let mut waiters = lock(&self.feed.waiters);
        if let Some(senders) = waiters.get_mut(&self.input) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiters.remove(&self.input);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Position of the ledger's last event, its envelope's sequence and time; zeros for an empty one.
pub(crate) async fn tail(ledger: &dyn Ledger) -> Result<(u64, u64, Timestamp), BusError> {
    let Some(entry) = ledger.tail().await? else {
        return Ok((0, 0, Timestamp::EPOCH));
    };
    let slot = Slot::new(entry);
    let envelope = slot.envelope()?;
    Ok((envelope.last_event(), slot.seq, envelope.at))
}
