//! Customers who come back: whether what is done is opened again, and for whom it is kept for a while.

use postroom_model::{
    AgentId, AgentStatus, ContactId, Conversation, ConversationId, Event, EventBody, HandOut, Kept,
    Opened, Reason, ReopenRule, Timestamp,
};

use super::Lookups;
use crate::State;
use crate::state::Agent;

fn rule_of(state: &State, row: &Conversation) -> ReopenRule {
    let rules = state.settings().map(|settings| &settings.timing.reopen);
    rules.and_then(|rules| rules.get(&row.channel)).copied().unwrap_or_default()
}

/// Whether a message of now on a conversation that is done opens it again.
pub(super) fn reopens(state: &State, at: Timestamp, row: &Conversation) -> bool {
    rule_of(state, row).allows(row.resolved_at.unwrap_or(row.last_message_at), at)
}

/// What is opened again goes back to whoever had it, if the channel says so and they can take it.
pub(super) fn owner_kept(state: &State, row: &Conversation, opened: &Opened) -> Option<Event> {
    let owner = state.agent(row.assignee.as_ref()?).filter(|_| rule_of(state, row).keep_owner)?;
    let kind = state.channel(&opened.channel)?.kind;
    let fits = owner.takes_new()
        && owner.free() >= u32::from(opened.cost)
        && owner.may_have(kind)
        && suits(state, owner, opened);
    let (agent, cost) = (owner.id.clone(), opened.cost);
    let assigned = EventBody::ConversationAssigned { agent, cost, reason: Reason::OwnerKept };
    fits.then(|| Event::on(row.id, assigned))
}

/// Serves its queue and has the skills.
fn suits(state: &State, agent: &Agent, opened: &Opened) -> bool {
    let Some(settings) = state.agent_settings(&agent.id) else { return false };
    let mut needed = opened.skills.iter();
    state.serves(agent, &opened.queue)
        && needed.all(|(skill, level)| settings.skills.get(skill) >= Some(level))
}

/// What has just been opened waits for the agent who had the customer last, where the queue wants that:
/// for one who is online and busy, or for one who is away where it wants that, too.
pub(super) fn kept(
    state: &State,
    at: Timestamp,
    (id, contact): (ConversationId, Option<ContactId>),
    lookups: &Lookups<'_>,
    events: &[Event],
) -> Option<Event> {
    let of_it = || events.iter().filter(|event| event.conversation == Some(id));
    let opened = of_it().find_map(|event| match &event.body {
        EventBody::ConversationOpened(opened) => Some((opened, None)),
        EventBody::ConversationReopened { opened, .. } => Some((opened, lookups.conversation)),
        _ => None,
    });
    let (opened, row) = opened?;
    let taken = of_it().any(|event| matches!(event.body, EventBody::ConversationAssigned { .. }));
    let work = &state.settings()?.queue(&opened.queue)?.work;
    if taken || !work.is_sticky() || work.hand_out == HandOut::Pull {
        return None;
    }
    let row = row.filter(|row| row.id == id);
    let before = row.and_then(|row| row.assignee.as_ref());
    let agent = state.agent(before.or_else(|| last_agent(state, contact?, lookups))?)?;
    let wait_ms = match (agent.is_online(), agent.is_signed_on()) {
        (true, _) => work.sticky_ms,
        (false, true) => work.sticky_away_ms,
        (false, false) => 0,
    };
    if wait_ms == 0 || !suits(state, agent, opened) {
        return None;
    }
    let kept = Kept { agent: agent.id.clone(), until: at.plus_millis(wait_ms) };
    Some(Event::on(id, EventBody::ConversationKept(kept)))
}

/// Who has another conversation of the contact, else who had the last one that was resolved.
fn last_agent<'a>(
    state: &'a State,
    contact: ContactId,
    lookups: &Lookups<'a>,
) -> Option<&'a AgentId> {
    let owner = state.talks.of(contact).and_then(|id| state.conversations.get(&id));
    let owner = owner.and_then(|open| state.owner_of(open)).map(|owner| &owner.id);
    let row = lookups.contact.filter(|row| row.id == contact);
    owner.or_else(|| row.and_then(|row| row.last_agent.as_ref()))
}

/// Who had a conversation that is about to be resolved had its contact last.
pub(super) fn served(state: &State, event: &Event) -> Option<Event> {
    let EventBody::ConversationResolved { freed: Some(freed), .. } = &event.body else {
        return None;
    };
    let contact = state.talks.contact_of(event.conversation?)?;
    let agent = freed.agent.clone();
    Some(Event::global(EventBody::ContactServed { contact, agent }))
}

/// Whoever waits for an agent who goes away need not wait for them any more, unless the queue waits for
/// those who are away.
pub(super) fn left_waiting(state: &State, event: &Event) -> Vec<Event> {
    let EventBody::AgentStatusChanged { agent, status, .. } = &event.body else {
        return vec![];
    };
    if *status == AgentStatus::Online {
        return vec![];
    }
    let waits = |id: &&ConversationId| {
        let Some(open) = state.conversations.get(*id) else { return false };
        let Some(queue) = state.queues.get(open.line) else { return false };
        let theirs = queue.reach.as_ref().is_some_and(|reach| reach.agents.contains(agent));
        theirs && (*status == AgentStatus::Offline || queue.work.sticky_away_ms == 0)
    };
    let left = state.desk.keeps.keys().filter(waits);
    left.map(|id| Event::on(*id, EventBody::ConversationUnkept)).collect()
}

/// Nobody else was asked for long enough.
pub(crate) fn over(state: &State, id: ConversationId) -> Vec<Event> {
    let waits = state.conversations.contains_key(&id);
    waits.then(|| Event::on(id, EventBody::ConversationUnkept)).into_iter().collect()
}
