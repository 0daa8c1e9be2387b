//! Mail: whether its sender may write into the conversation that it claims to belong to.
//!
//! What leads to a conversation (a reply address, a Message-ID) can be passed on, copied or guessed, and
//! a sender can be made up. So whoever does not take part opens a conversation of their own, which
//! names the other one, and nothing is shown to be the customer's that is not.

use postroom_model::{
    Address, AutomationClass, ChannelKind, Contact, ContactId, Conversation, ConversationId, Event,
    EventBody, Inbound, Message, Opened, Receipt, mail_thread,
};

use super::Lookups;
use super::inbound::{end_of_merges, joined, open, opened, taken_up};
use crate::{Made, State};

/// Whether messages of such a channel are mails.
pub(crate) fn carries(kind: ChannelKind) -> bool {
    matches!(kind, ChannelKind::Email | ChannelKind::Imap)
}

/// How a mail stands to the conversation that it claims.
#[derive(Debug)]
pub(super) struct Standing {
    /// The key under which answers to it are found.
    pub(super) key: String,
    /// A program tells what became of something that we sent.
    pub(super) reports: bool,
    /// Nobody waits for an answer.
    wants_nothing: bool,
    may_join: bool,
}

impl Standing {
    pub(super) fn of(inbound: &Inbound, lookups: &Lookups<'_>) -> Self {
        let message = &inbound.message;
        let class = message.automation.map(|automation| automation.class).unwrap_or_default();
        let reports = matches!(
            class,
            AutomationClass::Bounce
                | AutomationClass::DeliveryReport
                | AutomationClass::FeedbackReport
                | AutomationClass::ReadReceipt
        );
        let wants_nothing = matches!(
            class,
            AutomationClass::DeliveryReport
                | AutomationClass::ReadReceipt
                | AutomationClass::OutOfOffice
                | AutomationClass::AutoReply
        );
        let may_join = if reports {
            // Its sender is some server: it must name something that only we can have sent.
            matches!(said(message, "reply_token"), Some("signed" | "verified"))
        } else {
            said(message, "authentication") != Some("fail") && takes_part(message, lookups)
        };
        let key = mail_thread::of(&message.external_id);
        Self { key, reports, wants_nothing, may_join }
    }

    /// Whoever writes from an address is there.
    pub(super) fn revived(&self, inbound: &Inbound, lookups: &Lookups<'_>) -> Option<Event> {
        let sender = inbound.message.from.as_ref()?.address.as_ref()?;
        let row = lookups.contact.filter(|row| row.dead.contains(sender))?;
        let trusted = !self.reports && said(&inbound.message, "authentication") != Some("fail");
        let revived = EventBody::AddressRevived { contact: row.id, address: sender.clone() };
        trusted.then(|| Event::global(revived))
    }

    /// The conversation to which it goes, and whether it changes nothing there.
    pub(super) fn place(
        &self,
        state: &State,
        (inbound, contact): (&Inbound, Option<ContactId>),
        lookups: &Lookups<'_>,
        made: &mut Made,
        events: &mut Vec<Event>,
    ) -> (ConversationId, bool) {
        let claimed = lookups.thread.map(|id| end_of_merges(id, lookups));
        if let Some((id, row)) = claimed.filter(|_| self.may_join) {
            let known = row.is_some() || state.conversations.contains_key(&id);
            if self.wants_nothing && known {
                return (id, true);
            }
            if taken_up(state, made.at(), (id, row), events) {
                return (id, false);
            }
        }
        // Who wrote before goes on where that went.
        let before = lookups.aside.filter(|_| !self.may_join);
        let before = before.map(|id| (id, lookups.aside_row.filter(|row| row.id == id)));
        if let Some((id, row)) = before {
            if self.wants_nothing {
                return (id, true);
            }
            if taken_up(state, made.at(), (id, row), events) {
                return (id, false);
            }
        }
        let aside = claimed.filter(|_| !self.may_join);
        let aside = aside.and_then(|(id, _)| aside_key(&inbound.message, id));
        let opened = Opened {
            // The claimed one leads elsewhere.
            thread: aside.or_else(|| Some(self.key.clone())),
            linked: claimed.map(|(id, _)| id),
            ..opened(state, inbound, contact, lookups)
        };
        // Whoever is not who they say, and whoever claims what is not theirs, is kept apart.
        let honest = said(&inbound.message, "authentication") != Some("fail");
        let joins = honest && claimed.is_none() && !self.reports && !self.wants_nothing;
        let at = made.at();
        let joined = joins.then(|| joined(state, &opened, at, events)).flatten();
        (joined.unwrap_or_else(|| open(opened, made, events)), false)
    }
}

/// The key under which this sender goes on to write about a conversation without taking part in it.
pub fn aside_key(message: &Message, conversation: ConversationId) -> Option<String> {
    let sender = message.from.as_ref()?.address.as_ref()?;
    let disowned = said(message, "authentication") == Some("fail");
    Some(mail_thread::aside(conversation, sender, disowned))
}

/// What a receipt tells of an address to which the reply went.
pub(super) fn died(receipt: &Receipt, lookups: &Lookups<'_>) -> Option<Event> {
    let (address, reply) = (receipt.dead.as_ref()?, lookups.outbound?);
    let to = reply.to.iter().filter_map(|party| party.address.as_ref());
    let address = to.into_iter().find(|to| same_mailbox(to, address))?;
    let row = lookups.contact.filter(|row| !row.dead.contains(address))?;
    let code = receipt.code.clone();
    Some(Event::global(EventBody::AddressDied { contact: row.id, address: address.clone(), code }))
}

/// Whether mail to the customer of the conversation comes back.
pub(super) fn is_dead(row: &Conversation, lookups: &Lookups<'_>) -> bool {
    let customer = row.customer.as_ref().and_then(|customer| customer.address.as_ref());
    let dead = |contact: &Contact| customer.is_some_and(|address| contact.dead.contains(address));
    lookups.contact.is_some_and(dead)
}

/// Whether the sender is the customer of the conversation: the same address, or another of the same
/// contact.
fn takes_part(message: &Message, lookups: &Lookups<'_>) -> bool {
    let row = lookups.conversation;
    let customer = row.and_then(|row: &Conversation| row.customer.as_ref()?.address.as_ref());
    let sender = message.from.as_ref().and_then(|from| from.address.as_ref());
    let Some(sender) = sender else {
        return false;
    };
    if customer.is_some_and(|customer| same_mailbox(customer, sender)) {
        return true;
    }
    let known = lookups.addresses.iter().find(|(address, _)| address == sender);
    let contact = known.and_then(|(_, contact)| *contact);
    contact.is_some() && contact == lookups.participant
}

fn same_mailbox(one: &Address, other: &Address) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

pub(super) fn said<'a>(message: &'a Message, attribute: &str) -> Option<&'a str> {
    message.attributes.get(attribute)?.as_str()
}

#[cfg(test)]
mod tests {
    use postroom_model::{
        Address, Automation, AutomationClass, ChannelId, ContactId, Inbound, Message, Party,
    };
    use uuid::Uuid;

    use super::Standing;
    use crate::Lookups;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn standing(
        class: AutomationClass,
        attributes: &[(&str, &str)],
        known: &[(Address, Option<ContactId>)],
        participant: Option<ContactId>,
    ) -> Standing {
        let from = Party { address: Some(address("mailto:ada@example.net")), ..Party::default() };
        let pairs = attributes.iter().map(|(key, word)| ((*key).to_owned(), (*word).into()));
        let message = Message {
            external_id: "2@example.net".to_owned(),
            from: Some(from),
            automation: Some(Automation { class, may_answer: true }),
            attributes: pairs.collect(),
            ..Message::default()
        };
        let inbound = Inbound { channel: ChannelId::new("mail").unwrap(), message };
        let lookups = Lookups { addresses: known, participant, ..Lookups::default() };
        Standing::of(&inbound, &lookups)
    }

    #[test]
    fn only_who_takes_part_and_is_from_whom_they_say_is_let_in() {
        let ada = ContactId(Uuid::from_u128(1));
        let other = ContactId(Uuid::from_u128(2));
        let own = [(address("mailto:ada@example.net"), Some(ada))];
        let unknown = [(address("mailto:ada@example.net"), None)];
        let class = AutomationClass::None;
        for (attributes, known, participant, joins) in [
            (&[][..], &own, Some(ada), true),
            (&[("authentication", "pass")], &own, Some(ada), true),
            (&[("authentication", "none")], &own, Some(ada), true),
            (&[("authentication", "fail")], &own, Some(ada), false),
            (&[("reply_token", "verified"), ("authentication", "fail")], &own, Some(ada), false),
            (&[("reply_token", "signed")], &own, Some(other), false),
            (&[("reply_token", "unverified")], &own, Some(other), false),
            (&[], &unknown, Some(ada), false),
            (&[], &unknown, None, false),
            (&[], &own, None, false),
        ] {
            let standing = standing(class, attributes, known, participant);
            assert_eq!(standing.may_join, joins, "{attributes:?} {participant:?}");
        }
    }

    #[test]
    fn report_is_let_in_by_what_only_we_can_have_sent() {
        let class = AutomationClass::Bounce;
        for (token, joins) in [("signed", true), ("verified", true), ("unverified", false)] {
            let standing = standing(class, &[("reply_token", token)], &[], None);
            assert_eq!((standing.may_join, standing.reports), (joins, true), "{token}");
        }
        assert!(!standing(class, &[], &[], None).may_join);
    }
}
