//! Contacts that turn out to be one person: a person says so, or a message does that came from
//! addresses of both, where the configuration trusts such addresses.

use postroom_model::limits::CONTACT_ADDRESSES_MAX;
use postroom_model::{Actor, Contact, ContactId, Event, EventBody, Inbound, Role};

use super::{Decision, Lookups};
use crate::{State, codes};

/// The addresses of `contact` lead to `into` from now on, or to what that was merged into before.
pub(super) fn merge(
    state: &State,
    actor: &Actor,
    contact: ContactId,
    into: ContactId,
    lookups: &Lookups<'_>,
) -> Decision {
    if let Some(refusal) = forbidden(state, actor) {
        return refusal;
    }
    if contact == into {
        return merge_loop();
    }
    let row = lookups.contact.filter(|row| row.id == contact);
    let (Some(row), Some(survivor)) = (row, lookups.into_contact) else {
        return Decision::rejected(codes::CONTACT_NOT_FOUND, "no such contact");
    };
    if let Some(merged) = row.merged_into {
        // Asked again, nothing is left to do.
        if [into, survivor.id].contains(&merged) {
            return Decision::routed(None, vec![]);
        }
        let detail = format!("the contact was merged into {merged}");
        return Decision::rejected(codes::CONTACT_MERGED, detail);
    }
    if survivor.id == contact {
        return merge_loop();
    }
    if row.addresses.len() + survivor.addresses.len() > CONTACT_ADDRESSES_MAX {
        let detail = format!("a contact has at most {CONTACT_ADDRESSES_MAX} addresses");
        return Decision::rejected(codes::INVALID_COMMAND, detail);
    }
    Decision::routed(None, vec![Event::global(merged(row, survivor, actor))])
}

fn merged(row: &Contact, survivor: &Contact, actor: &Actor) -> EventBody {
    EventBody::ContactMerged {
        contact: row.id,
        into: survivor.id,
        name: row.name.clone().filter(|_| survivor.name.is_none()),
        addresses: row.addresses.clone(),
        last_agent: row.last_agent.clone().filter(|_| survivor.last_agent.is_none()),
        conversations: row.conversations,
        by: actor.clone(),
    }
}

/// The other contacts of a message's sender, by kinds of addresses that may join them. Each of them is
/// merged into the one that was found first, as far as that has room for their addresses.
pub(super) fn found_to_be(
    state: &State,
    inbound: &Inbound,
    known: ContactId,
    lookups: &Lookups<'_>,
) -> Vec<Event> {
    let Some(merge_by) = state.settings().map(|settings| &settings.contacts.merge_by) else {
        return vec![];
    };
    let Some(survivor) = lookups.contact.filter(|row| row.id == known) else {
        return vec![];
    };
    let denied = inbound.message.attributes.get("authentication");
    if merge_by.is_empty() || denied.and_then(|said| said.as_str()) == Some("fail") {
        return vec![];
    }
    // An address of a listed kind leads to one of the two, and the message names the other one beside it.
    let named_by_rule = |id: ContactId| {
        let named = lookups.addresses.iter().filter(|(_, contact)| *contact == Some(id));
        named.into_iter().any(|(address, _)| merge_by.iter().any(|by| by == address.scheme()))
    };
    let joins = |row: &&Contact| {
        let by_rule = named_by_rule(known) || named_by_rule(row.id);
        row.id != known && row.merged_into.is_none() && by_rule
    };
    let unknown = lookups.addresses.iter().filter(|(_, contact)| contact.is_none()).count();
    let mut held = survivor.addresses.len() + unknown;
    let (mut name, mut last_agent) = (survivor.name.clone(), survivor.last_agent.clone());
    let mut events = Vec::new();
    for row in lookups.others.iter().filter(joins) {
        held += row.addresses.len();
        if held > CONTACT_ADDRESSES_MAX {
            break;
        }
        let so_far =
            Contact { name: name.clone(), last_agent: last_agent.clone(), ..survivor.clone() };
        name = name.or_else(|| row.name.clone());
        last_agent = last_agent.or_else(|| row.last_agent.clone());
        events.push(Event::global(merged(row, &so_far, &Actor::postroom())));
    }
    events
}

fn merge_loop() -> Decision {
    let detail = "a contact cannot be merged into itself, also not by way of earlier merges";
    Decision::rejected(codes::CONTACT_MERGE_LOOP, detail)
}

/// A contact belongs to no queue, so every agent may join two.
fn forbidden(state: &State, actor: &Actor) -> Option<Decision> {
    match actor.role {
        Role::Supervisor | Role::Admin => None,
        Role::Integrator => {
            let detail = "an integrator does not act on contacts";
            Some(Decision::rejected(codes::ROLE_NOT_ALLOWED, detail))
        }
        Role::Agent => {
            let known = actor.agent.as_ref().and_then(|agent| state.agent(agent));
            let detail = "the agent is not configured";
            known.is_none().then(|| Decision::rejected(codes::AGENT_NOT_FOUND, detail))
        }
    }
}
