//! Who gets what: the next pair of a free agent and a waiting conversation.
//!
//! Automatic assignment never takes an agent over capacity (P6). Who is chosen for a conversation is
//! the queue's choice, the longest idle where it says nothing; for an agent the conversation that
//! their queues put first.

use postroom_model::{
    AgentChoice, ConversationId, Event, EventBody, HandOut, OfferId, OfferMade, PassedOver,
    PassedOverCause, QueueOrder, Reason, Timestamp, limits::PASSED_OVER_MAX,
};

use crate::State;
use crate::state::{Agent, AgentIx, LineKey, NeedIx, Open, Queue, QueueIx, Turn, bit};

/// The assignment of a conversation that waits, or its offer, if somebody can take it.
pub(crate) fn agent_for(state: &State, at: Timestamp, id: ConversationId) -> Option<Event> {
    let open = state.conversations.get(&id).filter(|open| open.stands())?;
    let queue = state.queues.get(open.line).filter(|queue| queue.configured)?;
    let most = match queue.work.hand_out {
        HandOut::Push => 1,
        HandOut::Offer => usize::from(queue.work.offer_to.max(1)),
        HandOut::Pull => return None,
    };
    let chosen = Seeker { state, queue, id, open }.next_in_turn(most);
    let first = chosen.first().and_then(|ix| state.agents.get(*ix))?;
    let passed_over = passed_over(state, id, open, queue, &chosen);
    let reason = match state.desk.keeps.at(&id) {
        Some(_) => Reason::KeptFor { queue: queue.id.clone() },
        None => reason(queue, passed_over),
    };
    Some(match queue.work.hand_out {
        HandOut::Offer => {
            let agents = chosen.iter().filter_map(|ix| state.agents.get(*ix));
            let made = OfferMade {
                offer: OfferId::of_conversation(id, open.version),
                queue: queue.id.clone(),
                agents: agents.map(|agent| agent.id.clone()).collect(),
                cost: open.cost,
                expires_at: at.plus_millis(queue.work.offer_ms),
                reason,
            };
            Event::on(id, EventBody::OfferMade(Box::new(made)))
        }
        HandOut::Push | HandOut::Pull => assigned(id, open, first, reason),
    })
}

/// Others are asked in the place of those who are no longer, if fewer are asked than the queue wants.
pub(crate) fn refilled(state: &State, at: Timestamp, id: ConversationId) -> Option<Event> {
    let open = state.conversations.get(&id).filter(|open| open.waits() && open.offered)?;
    let queue = state.queues.get(open.line).filter(|queue| queue.configured)?;
    let standing = state.desk.standing.get(&id)?;
    let most = usize::from(queue.work.offer_to).saturating_sub(standing.agents.len());
    if most == 0 || queue.work.hand_out != HandOut::Offer {
        return None;
    }
    let chosen = Seeker { state, queue, id, open }.next_in_turn(most);
    if chosen.is_empty() {
        return None;
    }
    let asked = standing.agents.iter().filter_map(|agent| state.agent_ix.get(agent));
    let all: Vec<AgentIx> = asked.chain(&chosen).copied().collect();
    let agents = all.iter().filter_map(|ix| state.agents.get(*ix));
    let made = OfferMade {
        offer: standing.offer,
        queue: standing.queue.clone(),
        agents: agents.map(|agent| agent.id.clone()).collect(),
        cost: standing.cost,
        expires_at: at.plus_millis(queue.work.offer_ms),
        reason: reason(queue, passed_over(state, id, open, queue, &all)),
    };
    Some(Event::on(id, EventBody::OfferExtended(Box::new(made))))
}

fn reason(queue: &Queue, passed_over: Vec<PassedOver>) -> Reason {
    let queue_id = queue.id.clone();
    match queue.work.choose {
        AgentChoice::LongestIdle => Reason::LongestIdle { queue: queue_id, passed_over },
        AgentChoice::LeastLoaded => Reason::LeastLoaded { queue: queue_id, passed_over },
        AgentChoice::RoundRobin => Reason::RoundRobin { queue: queue_id, passed_over },
    }
}

/// Whether nobody asked for it: such an assignment keeps to capacity.
pub(crate) const fn is_automatic(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::LongestIdle { .. }
            | Reason::LeastLoaded { .. }
            | Reason::RoundRobin { .. }
            | Reason::KeptFor { .. }
    )
}

/// The first conversation, in the order of waiting, that an agent could take.
pub(crate) fn first_for(state: &State, agent: AgentIx) -> Option<LineKey> {
    let agent = state.agents.get(agent).filter(|agent| agent.takes_new())?;
    let first_of = |ix: &QueueIx| first_in(state, agent, *ix);
    // Queues order each their own; between two of them priority and age say which is first.
    agent.queues.iter().filter_map(first_of).min_by_key(|(_, wait)| *wait).copied()
}

/// The first of one queue that an agent who takes new ones could take.
fn first_in<'a>(state: &'a State, agent: &Agent, queue: QueueIx) -> Option<&'a LineKey> {
    let queue = state.queues.get(queue).filter(|queue| queue.configured)?;
    if queue.work.hand_out == HandOut::Pull {
        return None;
    }
    let kinds = agent.work.open_kinds();
    let parts = queue.waiting.iter().filter(|(bucket, _)| {
        u32::from(bucket.cost) <= agent.free()
            && kinds & bit(bucket.kind) != 0
            && state.skills.fits(bucket.need, agent.profile)
    });
    let declined = &agent.work.declined;
    if declined.is_empty() {
        return parts.map(|(_, line)| line.first()).min();
    }
    let first = |(_, wait): &&LineKey| !declined.contains(&wait.2);
    parts.filter_map(|(_, line)| line.iter().find(first)).min()
}

/// The conversation itself, or one of the same queue that the queue's own order puts before it for
/// whoever would get it.
pub(crate) fn in_order(state: &State, mut id: ConversationId) -> ConversationId {
    // Each is nearer to the front of the line than the one before.
    while let Some(ahead) = ahead_of(state, id) {
        id = ahead;
    }
    id
}

fn ahead_of(state: &State, id: ConversationId) -> Option<ConversationId> {
    let open = state.conversations.get(&id).filter(|open| open.stands())?;
    let queue = state.queues.get(open.line).filter(|queue| queue.configured)?;
    if queue.work.order == QueueOrder::Priority {
        return None;
    }
    let taker = *Seeker { state, queue, id, open }.next_in_turn(1).first()?;
    let taker = state.agents.get(taker)?;
    // The lines of a queue are one queue.
    let same = |ix: &&QueueIx| state.queues.get(**ix).is_some_and(|line| line.id == queue.id);
    let lines = taker.queues.iter().filter(same);
    let (_, (_, _, first)) = lines.filter_map(|ix| first_in(state, taker, *ix)).min()?;
    Some(*first).filter(|first| *first != id)
}

/// Looks for agents who could take a conversation.
struct Seeker<'a> {
    state: &'a State,
    queue: &'a Queue,
    id: ConversationId,
    open: &'a Open,
}

impl Seeker<'_> {
    /// Whose turn it is, at most so many; who has also what would be better goes first.
    fn next_in_turn(&self, most: usize) -> Vec<AgentIx> {
        if most == 1 {
            let better = self.open.want.and_then(|want| self.first(want));
            return better.or_else(|| self.first(self.open.need)).into_iter().collect();
        }
        let mut chosen = self.open.want.map_or_else(Vec::new, |want| self.several(want, most));
        if chosen.len() < most {
            for ix in self.several(self.open.need, most) {
                if chosen.len() < most && !chosen.contains(&ix) {
                    chosen.push(ix);
                }
            }
        }
        chosen
    }

    fn lines(&self, need: NeedIx) -> impl Iterator<Item = impl Iterator<Item = (Turn, AgentIx)>> {
        let lowest = self.state.class_of(self.open.cost);
        let kind = bit(self.open.kind);
        let anybody = self.state.desk.declines.is_empty() && !self.open.offered;
        let parts = self.queue.available.iter().filter(move |(key, _)| {
            key.class >= lowest
                && key.kinds & kind != 0
                && self.state.skills.fits(need, key.profile)
        });
        parts.map(move |(_, agents)| {
            agents.iter().copied().filter(move |(_, ix)| anybody || !self.was_asked(*ix))
        })
    }

    fn first(&self, need: NeedIx) -> Option<AgentIx> {
        self.lines(need).filter_map(|mut line| line.next()).min().map(|(_, ix)| ix)
    }

    fn several(&self, need: NeedIx, most: usize) -> Vec<AgentIx> {
        let mut found: Vec<_> = self.lines(need).flat_map(|line| line.take(most)).collect();
        found.sort_unstable();
        found.truncate(most);
        found.into_iter().map(|(_, ix)| ix).collect()
    }

    /// They declined it not long ago, or have not answered yet.
    fn was_asked(&self, ix: AgentIx) -> bool {
        let work = self.state.agents.get(ix).map(|agent| &agent.work);
        work.is_some_and(|work| work.declined.contains(&self.id) || work.offered.contains(&self.id))
    }
}

/// The first agents of the queue who were not chosen, with the cause.
fn passed_over(
    state: &State,
    id: ConversationId,
    open: &Open,
    queue: &Queue,
    chosen: &[AgentIx],
) -> Vec<PassedOver> {
    let others = queue.members.iter().filter(|ix| !chosen.contains(ix)).take(PASSED_OVER_MAX);
    let mut named = Vec::new();
    // Whoever has what is preferred went first, if all who were chosen have it.
    let has = |want: NeedIx, ix: &AgentIx| {
        state.agents.get(*ix).is_some_and(|agent| state.skills.fits(want, agent.profile))
    };
    let decided = open.want.filter(|want| chosen.iter().all(|ix| has(*want, ix)));
    for agent in others.filter_map(|ix| state.agents.get(*ix)) {
        let later = match queue.work.choose {
            AgentChoice::LongestIdle => PassedOverCause::LessIdle,
            AgentChoice::LeastLoaded | AgentChoice::RoundRobin => PassedOverCause::LaterTurn,
        };
        let lacking = decided.and_then(|want| state.skills.lacking(want, agent.profile));
        let later = lacking.map_or(later, |(skill, wanted, has)| PassedOverCause::Preferred {
            skill,
            wanted,
            has,
        });
        let cause = hindrance(state, id, open, agent).unwrap_or(later);
        named.push(PassedOver { agent: agent.id.clone(), cause });
    }
    named
}

/// Why an agent of its queue cannot be given a conversation; none if they can.
pub(crate) fn hindrance(
    state: &State,
    id: ConversationId,
    open: &Open,
    agent: &Agent,
) -> Option<PassedOverCause> {
    let lacking = || state.skills.lacking(open.need, agent.profile);
    if !agent.takes_new() {
        return Some(match agent.work.pause {
            Some(pause) if agent.is_online() => {
                PassedOverCause::Paused { until: pause.until, pause: pause.cause }
            }
            _ => PassedOverCause::Unavailable { status: agent.status },
        });
    }
    if let Some((skill, needed, has)) = lacking() {
        return Some(PassedOverCause::Skill { skill, needed, has });
    }
    if agent.free() < u32::from(open.cost) {
        return Some(PassedOverCause::Capacity { free: agent.free(), cost: open.cost });
    }
    if !agent.may_have(open.kind) {
        let most = agent.work.limits.get(&open.kind).copied().unwrap_or(0);
        return Some(PassedOverCause::Limit { kind: open.kind, most });
    }
    agent.work.declined.contains(&id).then_some(PassedOverCause::Declined)
}

pub(crate) fn assigned(id: ConversationId, open: &Open, agent: &Agent, reason: Reason) -> Event {
    let body = EventBody::ConversationAssigned { agent: agent.id.clone(), cost: open.cost, reason };
    Event::on(id, body)
}

/// Gives a conversation back to whoever set it aside, if they take new ones and have room.
pub(crate) fn returned(state: &State, id: ConversationId, open: &Open) -> Option<Event> {
    let owner = state.owner_of(open).filter(|owner| owner.takes_new())?;
    let serves = owner.queues.contains(&open.queue);
    let fits = owner.free() >= u32::from(open.cost)
        && owner.may_have(open.kind)
        && state.skills.fits(open.need, owner.profile);
    (serves && fits).then(|| assigned(id, open, owner, Reason::Returned))
}
