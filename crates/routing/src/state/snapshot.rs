//! The state as bytes, so that a start does not fold the whole past. Equal states give equal bytes.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    AgentId, AgentStatus, CallId, ChannelId, ChannelKind, ConversationId, MessageId, Pause,
    QueueId, Settings, Status, StatusId, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::answers::Given;
use super::calls::{Calls, Known};
use super::desk::{Standing, Timers};
use super::talked::TalkedPart;
use super::talks::Talk;
use super::targets::Promised;
use super::work::{Portion, Work};
use super::{Agent, Delivery, Open, Owner, Queue, Reach, State};
use crate::state::skills::SkillSet;

/// Grows when the form changes; a snapshot of another form is passed over.
const VERSION: u32 = 4;

/// All that a state is built from.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot {
    v: u32,
    settings: Option<Settings>,
    queues: Vec<(QueueId, bool)>,
    agents: Vec<AgentPart>,
    needs: Vec<SkillSet>,
    conversations: Vec<OpenPart>,
    deliveries: BTreeMap<MessageId, Delivery>,
    owners: BTreeMap<ChannelId, Owner>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<(CallId, Known)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    talked: Vec<TalkedPart>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    talks: Vec<(ConversationId, Talk)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    targets: Vec<(ConversationId, Promised)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Given>,
    /// Steps of ladders that were taken, and who gets it since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    climbed: Vec<(ConversationId, u16, Reach)>,
    #[serde(default)]
    desk: DeskPart,
}

/// What waits for a time or an answer at the desk.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct DeskPart {
    standing: Vec<(ConversationId, Timestamp, Standing)>,
    declines: Vec<((ConversationId, AgentId), Timestamp)>,
    presence: Vec<(AgentId, Timestamp)>,
    silence: Vec<(ConversationId, Timestamp)>,
    keeps: Vec<(ConversationId, Timestamp)>,
}

/// The bytes are not a snapshot that this program reads.
#[derive(Debug, thiserror::Error)]
#[error("not a snapshot of this version: {0}")]
pub struct SnapshotError(String);

/// What every form has.
#[derive(Debug, Deserialize)]
struct Form {
    v: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct AgentPart {
    id: AgentId,
    configured: bool,
    load: u32,
    status: AgentStatus,
    status_since: Timestamp,
    idle_since: Timestamp,
    skills: SkillSet,
    capacity: u32,
    limits: BTreeMap<ChannelKind, u32>,
    pause: Option<Pause>,
    portion: Portion,
    given_at: Timestamp,
    reason: Option<StatusId>,
}

/// A tuple, not a map: there may be a million of them. In the order of [`Open`]'s fields.
type OpenPart = (ConversationId, Place, Times, (Option<usize>, ChannelKind, u16));

type Times = (Option<i64>, Option<i64>, u64, u64, i64, Option<i64>);

type Place = (usize, Option<usize>, Status, u8, usize, u16);

impl Snapshot {
    /// Every place that a conversation names is there.
    fn check(&self) -> Result<(), SnapshotError> {
        let stray = self.conversations.iter().find(|(_, place, _, more)| {
            place.0 >= self.queues.len()
                || place.1.is_some_and(|owner| owner >= self.agents.len())
                || place.4 >= self.needs.len()
                || more.0.is_some_and(|want| want >= self.needs.len())
        });
        match stray {
            Some((id, ..)) => Err(SnapshotError(format!("{id} is nowhere"))),
            None => Ok(()),
        }
    }
}

impl State {
    /// The same bytes for the same state.
    pub fn to_snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        let mut needs = Vec::new();
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        let mut conversations = Vec::with_capacity(self.conversations.len());
        for (id, open) in &self.conversations {
            let mut place_of = |need: usize| {
                *places.entry(need).or_insert_with(|| {
                    needs.push(self.skills.needed(need).cloned().unwrap_or_default());
                    needs.len() - 1
                })
            };
            let need = place_of(open.need);
            let want = open.want.map(place_of);
            conversations.push(part_of(*id, open, (need, want)));
        }
        let held: BTreeSet<usize> = self.conversations.values().map(|open| open.queue).collect();
        let owning: BTreeSet<usize> =
            self.conversations.values().filter_map(|open| open.owner).collect();
        let snapshot = Snapshot {
            v: VERSION,
            settings: self.settings.as_deref().cloned(),
            queues: self
                .queues
                .iter()
                .enumerate()
                .filter(|(ix, queue)| queue.is_seen() && (queue.configured || held.contains(ix)))
                .map(|(_, queue)| (queue.id.clone(), queue.configured))
                .collect(),
            agents: self
                .agents
                .iter()
                .enumerate()
                .filter(|(ix, agent)| agent.configured || owning.contains(ix))
                .map(|(_, agent)| self.agent_part(agent))
                .collect(),
            needs,
            conversations: self.compact_places(conversations),
            deliveries: self.deliveries.clone(),
            owners: self.owners.clone(),
            calls: self.calls.parts(),
            talked: self.calls.talked_parts(),
            talks: self.talks.parts(),
            desk: self.desk_part(),
            targets: self.targets.parts(),
            answers: self.answers.parts(),
            climbed: self
                .conversations
                .iter()
                .filter(|(_, open)| open.step > 0 || open.line != open.queue)
                .map(|(id, open)| (*id, open.step, self.reach_of(open)))
                .collect(),
        };
        serde_json::to_vec(&snapshot).map_err(|error| SnapshotError(error.to_string()))
    }

    fn desk_part(&self) -> DeskPart {
        let standing = self.desk.standing.iter().map(|(id, standing)| {
            (*id, self.desk.offers.at(id).unwrap_or_default(), standing.clone())
        });
        DeskPart {
            standing: standing.collect(),
            declines: self.desk.declines.parts(),
            presence: self.desk.presence.parts(),
            silence: self.desk.silence.parts(),
            keeps: self.desk.keeps.parts(),
        }
    }

    /// After agents and conversations.
    fn restore_desk(&mut self, part: DeskPart) {
        for (id, expires_at, standing) in part.standing {
            self.desk.offers.set(id, expires_at);
            let kind = self.conversations.get(&id).map(|open| open.kind);
            for agent in &standing.agents {
                let ix = self.agent_ix.get(agent).copied();
                let agent = ix.and_then(|ix| self.agents.get_mut(ix));
                if let (Some(agent), Some(kind)) = (agent, kind) {
                    agent.work.reserved += u32::from(standing.cost);
                    agent.work.take_on(kind);
                    agent.work.offered.insert(id);
                }
            }
            self.desk.standing.insert(id, standing);
        }
        for ((id, agent), _) in &part.declines {
            let ix = self.agent_ix.get(agent).copied();
            if let Some(agent) = ix.and_then(|ix| self.agents.get_mut(ix)) {
                agent.work.declined.insert(*id);
            }
        }
        self.desk.declines = Timers::of_parts(part.declines);
        self.desk.presence = Timers::of_parts(part.presence);
        self.desk.silence = Timers::of_parts(part.silence);
        self.desk.keeps = Timers::of_parts(part.keeps);
    }

    fn agent_part(&self, agent: &Agent) -> AgentPart {
        let settings = self.agent_settings(&agent.id);
        AgentPart {
            id: agent.id.clone(),
            configured: agent.configured,
            load: agent.load,
            status: agent.status,
            status_since: agent.status_since,
            idle_since: agent.idle_since,
            skills: settings.map(|settings| settings.skills.clone()).unwrap_or_default(),
            capacity: agent.capacity,
            limits: agent.work.limits.clone(),
            pause: agent.work.pause,
            portion: agent.work.portion,
            given_at: agent.work.given_at,
            reason: agent.work.reason.clone(),
        }
    }

    /// Numbers of queues and agents as they are after the unused ones were left out.
    fn compact_places(&self, mut conversations: Vec<OpenPart>) -> Vec<OpenPart> {
        let held: BTreeSet<usize> = conversations.iter().map(|part| part.1.0).collect();
        let owning: BTreeSet<usize> = conversations.iter().filter_map(|part| part.1.1).collect();
        let kept_queues = self.queues.iter().enumerate();
        let queue_map: BTreeMap<usize, usize> = kept_queues
            .filter(|(ix, queue)| queue.is_seen() && (queue.configured || held.contains(ix)))
            .enumerate()
            .map(|(new, (old, _))| (old, new))
            .collect();
        let kept_agents = self.agents.iter().enumerate();
        let agent_map: BTreeMap<usize, usize> = kept_agents
            .filter(|(ix, agent)| agent.configured || owning.contains(ix))
            .enumerate()
            .map(|(new, (old, _))| (old, new))
            .collect();
        for part in &mut conversations {
            part.1.0 = queue_map.get(&part.1.0).copied().unwrap_or(0);
            part.1.1 = part.1.1.and_then(|owner| agent_map.get(&owner).copied());
        }
        conversations
    }

    /// Builds the state and all of its indexes.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let unreadable = |error: serde_json::Error| SnapshotError(error.to_string());
        let form: Form = serde_json::from_slice(bytes).map_err(unreadable)?;
        if form.v != VERSION {
            return Err(SnapshotError(format!("version {}", form.v)));
        }
        let snapshot: Snapshot = serde_json::from_slice(bytes).map_err(unreadable)?;
        snapshot.check()?;
        let mut state = Self::new();
        if let Some(settings) = snapshot.settings {
            state.take(std::sync::Arc::new(settings));
        }
        for (id, configured) in snapshot.queues {
            state.queue_ix.insert(id.clone(), state.queues.len());
            let settings = state.settings.as_ref().and_then(|settings| settings.queue(&id));
            let work = settings.map(|queue| queue.work.clone()).unwrap_or_default();
            state.queues.push(Queue::new(id, configured, work));
        }
        if let Some(settings) = state.settings.clone() {
            state.place_ladders(&settings);
        }
        for part in snapshot.agents {
            state.restore_agent(part);
        }
        state.targets.restore(snapshot.targets);
        let climbed = snapshot.climbed.into_iter();
        let mut climbed: BTreeMap<ConversationId, (u16, Reach)> =
            climbed.map(|(id, step, reach)| (id, (step, reach))).collect();
        let mut costs: BTreeSet<u16> = BTreeSet::new();
        costs.extend(state.settings.iter().flat_map(|settings| settings.costs.values()));
        costs.extend(state.queues.iter().flat_map(|queue| queue.work.costs.values()));
        let needs: Vec<usize> =
            snapshot.needs.iter().map(|skills| state.skills.need(skills)).collect();
        let offered: BTreeSet<ConversationId> =
            snapshot.desk.standing.iter().map(|(id, ..)| *id).collect();
        for (id, place, times, more) in snapshot.conversations {
            let need = needs.get(place.4).copied().unwrap_or(0);
            let want = more.0.and_then(|want| needs.get(want).copied());
            let offered = offered.contains(&id);
            let mut open = open_of(place, times, &Open { need, want, offered, ..blank(more) });
            let (step, reach) = climbed.remove(&id).unwrap_or_default();
            open.step = step;
            open.line = state.line_for(open.queue, reach);
            open.due_at = state.targets.due_at(id);
            costs.insert(open.cost);
            state.restore_conversation(id, open);
        }
        state.costs = costs.into_iter().collect();
        state.deliveries = snapshot.deliveries;
        state.owners = snapshot.owners;
        state.calls = Calls::of_parts(snapshot.calls, snapshot.talked);
        state.talks.restore(snapshot.talks);
        state.restore_desk(snapshot.desk);
        state.answers.restore(snapshot.answers);
        state.index_agents();
        Ok(state)
    }

    fn restore_agent(&mut self, part: AgentPart) {
        let ix = self.agents.len();
        let wanted = self.agent_settings(&part.id).filter(|_| part.configured);
        let queues = wanted.map(|wanted| wanted.queues.clone()).unwrap_or_default();
        let queues = self.join(ix, &queues);
        let profile = self.skills.profile(&part.skills);
        self.agent_ix.insert(part.id.clone(), ix);
        if let Some(pause) = part.pause {
            self.desk.pauses.set(part.id.clone(), pause.until);
        }
        self.agents.push(Agent {
            id: part.id,
            configured: part.configured,
            queues,
            profile,
            capacity: part.capacity,
            load: part.load,
            status: part.status,
            status_since: part.status_since,
            idle_since: part.idle_since,
            owned: BTreeSet::new(),
            work: Work {
                limits: part.limits,
                pause: part.pause,
                portion: part.portion,
                given_at: part.given_at,
                reason: part.reason,
                ..Work::default()
            },
        });
    }

    fn restore_conversation(&mut self, id: ConversationId, open: Open) {
        let holds = open.holds_capacity();
        let owner = open.owner.filter(|_| holds);
        if let Some(owner) = owner.and_then(|ix| self.agents.get_mut(ix)) {
            owner.owned.insert(id);
            owner.work.take_on(open.kind);
        }
        self.insert(id, open);
    }
}

fn part_of(id: ConversationId, open: &Open, (need, want): (usize, Option<usize>)) -> OpenPart {
    (
        id,
        (open.queue, open.owner, open.status, open.priority, need, open.cost),
        (
            open.waiting_since.map(Timestamp::millis),
            open.snoozed_until.map(Timestamp::millis),
            open.version,
            open.message_version,
            open.asked_at.millis(),
            open.settled_at.map(Timestamp::millis),
        ),
        (want, open.kind, open.idle),
    )
}

/// A conversation of which only what is seldom is known.
fn blank((_, kind, idle): (Option<usize>, ChannelKind, u16)) -> Open {
    Open {
        queue: 0,
        line: 0,
        owner: None,
        status: Status::Open,
        priority: 0,
        need: 0,
        want: None,
        kind,
        cost: 0,
        idle,
        offered: false,
        waiting_since: None,
        asked_at: Timestamp::EPOCH,
        settled_at: None,
        snoozed_until: None,
        version: 0,
        message_version: 0,
        step: 0,
        climbs_at: None,
        due_at: None,
    }
}

fn open_of(place: Place, times: Times, seldom: &Open) -> Open {
    Open {
        queue: place.0,
        owner: place.1,
        status: place.2,
        priority: place.3,
        cost: place.5,
        waiting_since: times.0.map(Timestamp::from_millis),
        snoozed_until: times.1.map(Timestamp::from_millis),
        version: times.2,
        message_version: times.3,
        asked_at: Timestamp::from_millis(times.4),
        settled_at: times.5.map(Timestamp::from_millis),
        ..seldom.clone()
    }
}
