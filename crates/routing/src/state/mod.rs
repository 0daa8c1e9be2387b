//! What decisions depend on: the settings in force, conversations that are not done, agents, and
//! replies on their way out. Everything else is looked up in the records.

mod answers;
mod apply;
mod calls;
mod desk;
mod index;
mod join;
mod lines;
mod settings;
mod skills;
mod snapshot;
mod talked;
mod talks;
mod targets;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use postroom_model::{
    AgentId, AgentSettings, AgentStatus, ChannelId, ChannelKind, ChannelSettings, ContactId,
    ConversationId, DeliveryState, HostId, MessageId, QueueId, Settings, Status, Timestamp,
};

pub(crate) use self::answers::key_of as answer_key;
pub(crate) use self::calls::{Known, ended_by_time, first};
pub(crate) use self::desk::{DeskDue, Standing};
pub(crate) use self::index::{LineKey, Queue, Turn, Turns, WaitKey, line_key};
pub(crate) use self::lines::Reach;
pub(crate) use self::skills::NeedIx;
use self::skills::ProfileIx;
pub use self::snapshot::{Snapshot, SnapshotError};
pub(crate) use self::work::{Work, bit};

/// Index of a queue in [`State::queues`].
pub(crate) type QueueIx = usize;
/// Index of an agent in [`State::agents`].
pub(crate) type AgentIx = usize;

/// The live state. It is the fold of the ledger (P5): only [`State::apply`] changes it.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) settings: Option<Arc<Settings>>,
    /// Hash of the settings, first 16 digits; goes into every trace.
    pub(crate) config: String,
    /// Place of each channel in the settings.
    pub(crate) channel_ix: BTreeMap<ChannelId, usize>,
    pub(crate) conversations: BTreeMap<ConversationId, Open>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) queue_ix: BTreeMap<QueueId, QueueIx>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) agent_ix: BTreeMap<AgentId, AgentIx>,
    pub(crate) skills: skills::Skills,
    /// The distinct costs that occur, rising. An agent's class is how many of them still fit.
    pub(crate) costs: Vec<u16>,
    /// Snoozed conversations by the time at which they wake.
    pub(crate) deadlines: BTreeSet<(Timestamp, ConversationId)>,
    /// Conversations whose queue or owner is no longer configured; time moves them on at once.
    pub(crate) orphans: BTreeSet<ConversationId>,
    /// Lines of queues for some of the agents or for more of them than serve the queue.
    pub(crate) lines: BTreeMap<(QueueIx, Reach), QueueIx>,
    /// Waiting conversations by the time at which they take the next step of a ladder.
    pub(crate) climbs: BTreeSet<(Timestamp, ConversationId)>,
    pub(crate) deliveries: BTreeMap<MessageId, Delivery>,
    pub(crate) owners: BTreeMap<ChannelId, Owner>,
    pub(crate) calls: calls::Calls,
    pub(crate) talks: talks::Talks,
    pub(crate) desk: desk::Desk,
    pub(crate) targets: targets::Targets,
    pub(crate) answers: answers::Answers,
}

/// A conversation that is open, pending or snoozed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    pub queue: QueueIx,
    /// Where it stands when it waits: its queue, or a line of that for others than serve the queue.
    pub line: QueueIx,
    pub owner: Option<AgentIx>,
    pub status: Status,
    pub priority: u8,
    pub need: NeedIx,
    /// The need and what would be better still, if anything would.
    pub want: Option<NeedIx>,
    pub kind: ChannelKind,
    pub cost: u16,
    /// What its owner has back of the cost while the customer is silent.
    pub idle: u16,
    /// Agents are asked whether they take it.
    pub offered: bool,
    pub waiting_since: Option<Timestamp>,
    /// When its customer last wrote, or called and was not answered.
    pub asked_at: Timestamp,
    /// Until when it was settled, by a call that was answered or by somebody who closed it.
    pub settled_at: Option<Timestamp>,
    pub snoozed_until: Option<Timestamp>,
    pub version: u64,
    pub message_version: u64,
    /// Steps of the queue's ladder that were taken.
    pub step: u16,
    /// When the next step comes, while it waits.
    pub climbs_at: Option<Timestamp>,
    /// When the first of what was promised for it is due.
    pub due_at: Option<Timestamp>,
}

impl Open {
    /// Open and nobody's: somebody should take it.
    pub(crate) fn waits(&self) -> bool {
        self.status == Status::Open && self.owner.is_none()
    }

    /// Stands in the line of its queue.
    pub(crate) fn stands(&self) -> bool {
        self.waits() && !self.offered
    }

    /// What it takes of its owner's capacity now.
    pub(crate) fn charge(&self) -> u16 {
        self.cost.saturating_sub(self.idle)
    }

    /// Takes of its owner's capacity.
    pub(crate) fn holds_capacity(&self) -> bool {
        self.owner.is_some() && matches!(self.status, Status::Open | Status::Pending)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub id: AgentId,
    /// False once the configuration no longer names them.
    pub configured: bool,
    pub queues: Vec<QueueIx>,
    pub profile: ProfileIx,
    pub capacity: u32,
    pub load: u32,
    pub status: AgentStatus,
    pub status_since: Timestamp,
    /// When a conversation was last given to or taken from them; the longest idle is served first.
    pub idle_since: Timestamp,
    /// What they own, open and pending; snoozed ones are not among them.
    pub owned: BTreeSet<ConversationId>,
    pub work: Work,
}

impl Agent {
    pub(crate) fn free(&self) -> u32 {
        self.capacity.saturating_sub(self.load.saturating_add(self.work.reserved))
    }

    pub(crate) fn is_online(&self) -> bool {
        self.configured && self.status == AgentStatus::Online
    }

    /// At work, whether or not they get anything new.
    pub(crate) fn is_signed_on(&self) -> bool {
        self.configured && self.status != AgentStatus::Offline
    }

    pub(crate) fn takes_new(&self) -> bool {
        self.is_online() && self.work.pause.is_none()
    }
}

/// A reply that has not left.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Delivery {
    pub channel: ChannelId,
    pub conversation: ConversationId,
    /// Queued, sending or waiting.
    pub state: DeliveryState,
    pub attempts: u32,
    pub next_at: Timestamp,
    /// Owner's epoch of the running attempt.
    pub epoch: u64,
    /// The outside has told what became of it while the attempt still ran: whatever the host
    /// reports, it is over.
    #[serde(default)]
    pub told: bool,
}

/// Who may send for a channel.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Owner {
    pub host: HostId,
    pub epoch: u64,
}

impl State {
    pub fn new() -> Self {
        Self::default()
    }

    /// The settings in force; none before the first were installed.
    pub fn settings(&self) -> Option<&Arc<Settings>> {
        self.settings.as_ref()
    }

    /// Open, pending and snoozed conversations.
    pub fn conversation_count(&self) -> usize {
        self.conversations.len()
    }

    /// Open conversations that nobody owns.
    pub fn waiting_count(&self) -> usize {
        self.queues.iter().map(Queue::waiting_count).sum::<usize>() + self.desk.standing.len()
    }

    pub fn is_open(&self, conversation: ConversationId) -> bool {
        self.conversations.contains_key(&conversation)
    }

    /// Conversations of the contact that are not done, as far as the settings in force ask for them.
    pub fn open_of(&self, contact: ContactId) -> usize {
        self.talks.count(contact)
    }

    /// The next moment at which time alone changes something.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.orphans.is_empty() {
            let woken = self.deadlines.first().map(|(at, _)| *at);
            let closed = self.calls.next_deadline().map(|(at, _)| at);
            let promised = self.targets.next().map(|(at, _)| at);
            let desk = self.desk.next().map(|(at, _)| at);
            let climbs = self.climbs.first().map(|(at, _)| *at);
            woken.into_iter().chain(closed).chain(promised).chain(desk).chain(climbs).min()
        } else {
            Some(Timestamp::EPOCH)
        }
    }

    /// The conversations of which time asks at `now`: those of calls whose end did not come.
    pub fn late(&self, now: Timestamp) -> impl Iterator<Item = ConversationId> {
        self.calls.late(now)
    }

    pub(crate) fn channel(&self, id: &ChannelId) -> Option<&ChannelSettings> {
        let ix = *self.channel_ix.get(id)?;
        self.settings.as_ref()?.channels.get(ix)
    }

    pub(crate) fn serves(&self, agent: &Agent, queue: &QueueId) -> bool {
        let ix = self.queue_ix.get(queue);
        ix.is_some_and(|ix| agent.queues.contains(ix))
    }

    pub(crate) fn has_queue(&self, id: &QueueId) -> bool {
        let queue = self.queue_ix.get(id).and_then(|ix| self.queues.get(*ix));
        queue.is_some_and(|queue| queue.configured)
    }

    pub(crate) fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.get(*self.agent_ix.get(id)?).filter(|agent| agent.configured)
    }

    /// The queue, or the default one if it is not configured.
    pub(crate) fn queue_or_default(&self, id: Option<&QueueId>) -> Option<QueueId> {
        let known = id.filter(|id| self.has_queue(id));
        let default = || self.settings.as_ref()?.queues.first().map(|queue| &queue.id);
        known.or_else(default).cloned()
    }

    /// What a conversation of the channel takes in the queue.
    pub(crate) fn cost_of(&self, channel: &ChannelSettings, queue: &QueueId) -> u16 {
        let own = self.queue_ix.get(queue).and_then(|ix| self.queues.get(*ix));
        if let Some(cost) = own.and_then(|queue| queue.work.costs.get(&channel.kind)) {
            return *cost;
        }
        let costs = self.settings.as_ref().map(|settings| &settings.costs);
        costs.and_then(|costs| costs.get(&channel.kind)).copied().unwrap_or(0)
    }

    pub(crate) fn agent_settings(&self, id: &AgentId) -> Option<&AgentSettings> {
        self.settings.as_ref()?.agent(id)
    }

    pub(crate) fn owner_of(&self, open: &Open) -> Option<&Agent> {
        open.owner.and_then(|ix| self.agents.get(ix))
    }
}
