//! Contacts that turn out to be one person. Only people know that, so only a command joins them.

use postroom_model::limits::CONTACT_ADDRESSES_MAX;
use postroom_model::{Actor, Contact, ContactId, Event, EventBody, Role};

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
        by: actor.clone(),
    }
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
