//! P3: an address is one person's, and a message that comes from it is theirs, also after two were
//! found to be one.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{Address, ContactId, Event, EventBody};

use super::{Case, Complaints};

#[derive(Debug, Default)]
struct People {
    owners: BTreeMap<Address, ContactId>,
    known: BTreeSet<ContactId>,
    merged: BTreeSet<ContactId>,
}

pub(super) fn judge(case: &Case<'_>, complaints: &mut Complaints) {
    let mut people = People::default();
    for (_, _, event) in case.events() {
        people.take(event, complaints);
    }
}

impl People {
    fn take(&mut self, event: &Event, complaints: &mut Complaints) {
        match &event.body {
            EventBody::ContactCreated { contact } => {
                let new = self.known.insert(contact.id);
                complaints.unless(new, || format!("P3: {} was made twice", contact.id));
                self.give(contact.id, &contact.addresses, complaints);
            }
            EventBody::ContactUpdated { contact, addresses, .. } => {
                self.give(*contact, addresses, complaints);
            }
            EventBody::ContactMerged { contact, into, addresses, .. } => {
                let had = self.owners.iter().filter(|(_, owner)| *owner == contact);
                let had: BTreeSet<Address> = had.map(|(address, _)| address.clone()).collect();
                let gives: BTreeSet<Address> = addresses.iter().cloned().collect();
                complaints.unless(had == gives, || {
                    format!("P3: {contact} has {had:?} and gives {gives:?} to {into}")
                });
                for address in &had {
                    self.owners.remove(address);
                }
                let first = contact != into && self.merged.insert(*contact);
                complaints.unless(first, || format!("P3: {contact} was merged twice"));
                self.give(*into, addresses, complaints);
            }
            EventBody::MessageReceived { id, contact, message, .. } => {
                let Some(address) = message.from.as_ref().and_then(|from| from.address.as_ref())
                else {
                    return;
                };
                let owner = self.owners.get(address).copied();
                complaints.unless(owner.is_some() && owner == *contact, || {
                    format!("P3: {id} from {address} is {contact:?}'s, the address {owner:?}'s")
                });
            }
            _ => {}
        }
    }

    fn give(&mut self, contact: ContactId, addresses: &[Address], complaints: &mut Complaints) {
        let goes_on = self.known.contains(&contact) && !self.merged.contains(&contact);
        complaints.unless(goes_on, || format!("P3: {contact} is nobody, or was merged"));
        for address in addresses {
            let before = self.owners.insert(address.clone(), contact);
            complaints.unless(before.is_none(), || {
                format!("P3: {address} goes from {before:?} to {contact}")
            });
        }
    }
}
