//! How an agent works just now: what is kept free for offers, how many of each kind they hold, why
//! they get nothing new for a while.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    AgentId, ChannelKind, ConversationId, OfferClosed, OfferEnd, OfferMade, Pause, StatusId,
    Timestamp,
};

use super::desk::Standing;
use super::{Agent, State};

const KINDS: usize = ChannelKind::ALL.len();

/// Conversations of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PerKind([u32; KINDS]);

impl PerKind {
    pub(crate) fn of(self, kind: ChannelKind) -> u32 {
        self.0.get(kind.index()).copied().unwrap_or(0)
    }

    fn add(&mut self, kind: ChannelKind) {
        if let Some(count) = self.0.get_mut(kind.index()) {
            *count = count.saturating_add(1);
        }
    }

    fn take(&mut self, kind: ChannelKind) {
        if let Some(count) = self.0.get_mut(kind.index()) {
            *count = count.saturating_sub(1);
        }
    }
}

/// A portion of those who come online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Portion {
    /// When the first of it was given.
    pub from: Timestamp,
    pub given: u16,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    /// Kept free for what they are asked to take.
    pub reserved: u32,
    /// What they own, open and pending, and what they are asked to take.
    pub held: PerKind,
    /// The most of each kind; none if nothing is said.
    pub limits: BTreeMap<ChannelKind, u32>,
    pub pause: Option<Pause>,
    pub portion: Portion,
    /// When they were last given something.
    pub given_at: Timestamp,
    pub reason: Option<StatusId>,
    /// What they are asked to take.
    pub offered: BTreeSet<ConversationId>,
    /// What they declined not long ago.
    pub declined: BTreeSet<ConversationId>,
}

impl Work {
    /// Which kinds they may have more of, a bit for each.
    pub(crate) fn open_kinds(&self) -> u8 {
        if self.limits.is_empty() {
            return ALL_KINDS;
        }
        let full = self.limits.iter().filter(|(kind, most)| self.held.of(**kind) >= **most);
        full.fold(ALL_KINDS, |open, (kind, _)| open & !bit(*kind))
    }

    pub(super) fn take_on(&mut self, kind: ChannelKind) {
        self.held.add(kind);
    }

    pub(super) fn lay_down(&mut self, kind: ChannelKind) {
        self.held.take(kind);
    }
}

const ALL_KINDS: u8 = (1 << KINDS) - 1;

pub(crate) const fn bit(kind: ChannelKind) -> u8 {
    1 << kind.index()
}

impl Agent {
    /// May hold one more of this kind.
    pub(crate) fn may_have(&self, kind: ChannelKind) -> bool {
        self.work.open_kinds() & bit(kind) != 0
    }
}

impl State {
    pub(super) fn offer(&mut self, at: Timestamp, id: ConversationId, made: &OfferMade) {
        self.change(id, |open| open.offered = true);
        self.ask(at, id, (&made.agents, made.cost));
        self.desk.offers.set(id, made.expires_at);
        let standing = Standing {
            offer: made.offer,
            queue: made.queue.clone(),
            agents: made.agents.clone(),
            cost: made.cost,
        };
        self.desk.standing.insert(id, standing);
    }

    /// Names all who are asked now; some of them were before.
    pub(super) fn extend_offer(&mut self, at: Timestamp, id: ConversationId, made: &OfferMade) {
        self.change(id, |_| {});
        let Some(standing) = self.desk.standing.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut standing.agents, made.agents.clone());
        let new: Vec<AgentId> =
            made.agents.iter().filter(|agent| !before.contains(agent)).cloned().collect();
        self.ask(at, id, (&new, made.cost));
        self.desk.offers.set(id, made.expires_at);
    }

    fn ask(&mut self, at: Timestamp, id: ConversationId, (agents, cost): (&[AgentId], u16)) {
        let Some(kind) = self.conversations.get(&id).map(|open| open.kind) else {
            return;
        };
        for agent in agents {
            self.change_named(agent, |agent| {
                agent.work.reserved = agent.work.reserved.saturating_add(u32::from(cost));
                agent.work.take_on(kind);
                agent.work.offered.insert(id);
                // Being asked is a turn, whatever the answer.
                agent.idle_since = at;
                agent.work.given_at = at;
            });
            self.count_portion(at, agent);
        }
    }

    pub(super) fn close_offer(&mut self, id: ConversationId, closed: &OfferClosed) {
        let over = match self.desk.standing.get_mut(&id) {
            Some(standing) => {
                standing.agents.retain(|agent| !closed.agents.contains(agent));
                standing.agents.is_empty()
            }
            None => true,
        };
        let Some(kind) = self.conversations.get(&id).map(|open| open.kind) else {
            return;
        };
        for agent in &closed.agents {
            let declined = closed.cause == OfferEnd::Declined && closed.again_at.is_some();
            self.change_named(agent, |agent| {
                if agent.work.offered.remove(&id) {
                    let cost = u32::from(closed.cost);
                    agent.work.reserved = agent.work.reserved.saturating_sub(cost);
                    agent.work.lay_down(kind);
                }
                if declined {
                    agent.work.declined.insert(id);
                }
            });
            if let Some(again_at) = closed.again_at.filter(|_| declined) {
                self.desk.declines.set((id, agent.clone()), again_at);
            }
        }
        if over {
            self.desk.standing.remove(&id);
            self.desk.offers.clear(&id);
        }
        self.change(id, |open| open.offered = !over);
    }

    /// It may be offered to the agent again.
    pub(super) fn forget_decline(&mut self, id: ConversationId, agent: &AgentId) {
        self.desk.declines.clear(&(id, agent.clone()));
        self.change_named(agent, |agent| {
            agent.work.declined.remove(&id);
        });
    }

    /// The conversation is done: nothing at the desk is about it any more.
    pub(super) fn clear_desk(&mut self, id: ConversationId) {
        self.desk.silence.clear(&id);
        self.desk.keeps.clear(&id);
        for agent in self.desk.declined(id) {
            self.forget_decline(id, &agent);
        }
    }

    pub(super) fn pause(&mut self, agent: &AgentId, pause: Option<Pause>) {
        let known = self.agent_ix.contains_key(agent);
        self.change_named(agent, |agent| agent.work.pause = pause);
        match pause.filter(|_| known) {
            Some(pause) => self.desk.pauses.set(agent.clone(), pause.until),
            None => self.desk.pauses.clear(agent),
        }
    }

    /// They have an inbox open; from now on somebody looks whether that stays so.
    pub(super) fn see(&mut self, at: Timestamp, agents: &[AgentId]) {
        let grace = self.settings.as_ref().and_then(|settings| settings.desk.grace_ms);
        for agent in agents {
            let here = self.agent(agent).is_some_and(Agent::is_signed_on);
            match grace.filter(|_| here) {
                Some(grace) => self.desk.presence.set(agent.clone(), at.plus_millis(grace)),
                None => self.desk.presence.clear(agent),
            }
        }
    }

    /// One more that they were given by itself, while the pile of the night is handed out.
    pub(super) fn count_portion(&mut self, at: Timestamp, agent: &AgentId) {
        let Some(ramp) = self.settings.as_ref().and_then(|settings| settings.desk.ramp_in) else {
            return;
        };
        self.change_named(agent, |agent| {
            let portion = &mut agent.work.portion;
            if portion.given == 0 || portion.from.plus_millis(ramp.every_ms) <= at {
                *portion = Portion { from: at, given: 0 };
            }
            portion.given = portion.given.saturating_add(1);
        });
    }

    pub(super) fn change_named(&mut self, agent: &AgentId, edit: impl FnOnce(&mut Agent)) {
        if let Some(ix) = self.agent_ix.get(agent).copied() {
            self.change_agent(ix, edit);
        }
    }

    /// Arms or disarms what waits for a silent customer.
    pub(super) fn watch_silence(&mut self, id: ConversationId, from: Option<Timestamp>) {
        let idle = || {
            let open = self.conversations.get(&id).filter(|open| open.holds_capacity())?;
            self.queues.get(open.queue)?.work.idle
        };
        match from.and_then(|from| Some(from.plus_millis(idle()?.after_ms))) {
            Some(at) => self.desk.silence.set(id, at),
            None => self.desk.silence.clear(&id),
        }
    }

    /// After new settings: agents who are gone are waited for no longer.
    pub(super) fn prune_desk(&mut self) {
        let (places, agents) = (&self.agent_ix, &self.agents);
        let known = |agent: &AgentId| {
            let agent = places.get(agent).and_then(|ix| agents.get(*ix));
            agent.is_some_and(|agent| agent.configured)
        };
        self.desk.pauses.retain(known);
        self.desk.presence.retain(known);
        self.desk.declines.retain(|(_, agent)| known(agent));
        let (queues, conversations) = (&self.queues, &self.conversations);
        self.desk.silence.retain(|id| {
            let open = conversations.get(id);
            let queue = open.and_then(|open| queues.get(open.queue));
            queue.is_some_and(|queue| queue.work.idle.is_some())
        });
        let watched = self.settings.as_ref().is_some_and(|all| all.desk.grace_ms.is_some());
        if !watched {
            self.desk.presence = super::desk::Timers::default();
        }
    }
}
