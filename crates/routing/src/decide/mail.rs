//! Mail: whether its sender may write into the conversation that it claims to belong to.
//!
//! What leads to a conversation (a reply address, a Message-ID) can be passed on, copied or guessed, and
//! a sender can be made up. So whoever does not take part opens a conversation of their own, which
//! names the other one, and nothing is shown to be the customer's that is not.

use std::borrow::Cow;

use postroom_model::digest::Digest;
use postroom_model::{
    Address, AutomationClass, ChannelKind, Contact, ContactId, Conversation, ConversationId, Event,
    EventBody, Inbound, Input, InputBody, InputId, Message, Opened, Outcome, OutcomeKind, Receipt,
    mail_thread,
};

use super::inbound::{end_of_merges, joined, open, opened, taken_up};
use super::{Decision, Lookups, park};
use crate::{Made, State, codes};

/// Mails for which one that answers them waits, the nearest first.
const AWAITED_MAX: usize = 20;
/// Mails under one id that are told apart.
const PRINTS_MAX: usize = 4;
/// Characters of a mail that its copies share.
const PRINT_CHARS_MAX: usize = 200;
/// Bytes of a digest that are kept of each.
const PRINT_BYTES: usize = 5;

/// Whether messages of such a channel are mails.
pub(crate) fn carries(kind: ChannelKind) -> bool {
    matches!(kind, ChannelKind::Email | ChannelKind::Imap)
}

/// What its copies are known by, if it is a mail.
pub(super) fn prints(state: &State, inbound: &Inbound) -> Vec<String> {
    let mail = state.channel(&inbound.channel).is_some_and(|channel| carries(channel.kind));
    if mail { vec![print_of(&inbound.message)] } else { Vec::new() }
}

/// Another mail under the id of one that is here: by somebody else, and with other words. Whoever sends
/// first must not be able to make a mail disappear, so it is set aside, and becomes a message of its own
/// when it is retried. The message that has the id stays what it was.
pub(super) fn reused(input: &Input, seen: &Outcome, made: &mut Made) -> Option<Decision> {
    let InputBody::Inbound(inbound) = &input.body else { return None };
    if seen.prints.is_empty() {
        return None;
    }
    let print = print_of(&inbound.message);
    let parts = |print: &str| print.split_once('-').map(|(a, b)| (a.to_owned(), b.to_owned()));
    let (sender, words) = parts(&print)?;
    let mut known = seen.prints.iter().filter_map(|known| parts(known));
    if known.any(|known| known.0 == sender || known.1 == words) {
        return None;
    }
    let detail = "another sender wrote other words under the Message-ID of a mail that is here";
    let code = codes::MESSAGE_ID_REUSED;
    let (conversation, message) = (seen.conversation, seen.message);
    if seen.prints.len() >= PRINTS_MAX {
        let (code, detail) = (Some(Cow::Borrowed(code)), Some(detail.to_owned()));
        let kind = Some(OutcomeKind::Duplicate);
        return Some(Decision { kind, code, detail, conversation, message, ..Decision::default() });
    }
    let own = InputId(made.next("reused"));
    let aside = Input { id: own, at: input.at, body: input.body.clone() };
    let parked = park(aside, code.to_owned(), detail.to_owned(), made);
    let prints = seen.prints.iter().cloned().chain([print]).collect();
    Some(Decision { conversation, message, prints, ..parked })
}

/// Who sent it, and how its words begin: what lists and servers add stands at the end.
fn print_of(message: &Message) -> String {
    let sender = message.from.as_ref().and_then(|from| from.address.as_ref());
    let sender = sender.map(|sender| sender.as_str().to_ascii_lowercase()).unwrap_or_default();
    let words = message.visible_text.as_ref().or(message.text.as_ref());
    let words = words.map(String::as_str).unwrap_or_default();
    let words: String =
        words.chars().filter(|c| !c.is_whitespace()).take(PRINT_CHARS_MAX).collect();
    let short = |text: &str| {
        let digest = Digest::of(text.as_bytes());
        mail_thread::base32(digest.0.get(..PRINT_BYTES).unwrap_or_default())
    };
    format!("{}-{}", short(&sender), short(&words))
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
    /// Keys of mails that it answers and that have not come.
    pub(super) awaits: Vec<String>,
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
        let answers_unknown = lookups.thread.is_none() || lookups.awaited;
        let awaits = if answers_unknown && !reports && !wants_nothing {
            awaited_by(message)
        } else {
            Vec::new()
        };
        Self { key, reports, wants_nothing, may_join, awaits }
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
        // What was not claimed is nothing to be kept out of.
        let claimed = lookups.thread.filter(|_| self.may_join || !lookups.awaited);
        let claimed = claimed.map(|id| end_of_merges(id, lookups));
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

/// The key of a mail that answers to it may have waited for; none if it is not from whom it says.
pub fn awaited_key(message: &Message) -> Option<String> {
    let sender = message.from.as_ref()?.address.as_ref()?;
    let owned = said(message, "authentication") != Some("fail");
    owned.then(|| mail_thread::awaited(&message.external_id, sender))
}

/// Keys of the mails of the same sender that it answers, the nearest first.
fn awaited_by(message: &Message) -> Vec<String> {
    let sender = message.from.as_ref().and_then(|from| from.address.as_ref());
    let disowned = said(message, "authentication") == Some("fail");
    let Some(sender) = sender.filter(|_| !disowned) else { return Vec::new() };
    let mut keys: Vec<String> = Vec::new();
    let answered = message.in_reply_to.iter().chain(message.references.iter().rev());
    for id in answered.filter(|id| !id.is_empty() && **id != message.external_id) {
        let key = mail_thread::awaited(id, sender);
        if keys.len() < AWAITED_MAX && !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
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
        Address, Automation, AutomationClass, ChannelId, ContactId, ConversationId, EventBody,
        Inbound, Input, InputBody, InputId, Message, Outcome, OutcomeKind, Party, Position,
        Timestamp, mail_thread,
    };
    use uuid::Uuid;

    use super::{AWAITED_MAX, PRINTS_MAX, Standing, print_of, reused};
    use crate::{Lookups, Made};

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
    fn mail_waits_for_those_of_its_sender_that_it_answers_and_that_are_unknown() {
        let ada = address("mailto:ada@example.net");
        let standing = |change: &dyn Fn(&mut Message), lookups: Lookups<'_>| {
            let from = Party { address: Some(ada.clone()), ..Party::default() };
            let mut message = Message {
                external_id: "3@example.net".to_owned(),
                from: Some(from),
                in_reply_to: vec!["2@example.net".to_owned()],
                references: ["1@example.net", "", "3@example.net", "2@example.net"]
                    .map(str::to_owned)
                    .into(),
                ..Message::default()
            };
            change(&mut message);
            let inbound = Inbound { channel: ChannelId::new("mail").unwrap(), message };
            Standing::of(&inbound, &lookups).awaits
        };
        let both =
            [2, 1].map(|number| mail_thread::awaited(&format!("{number}@example.net"), &ada));
        let known = Some(ConversationId(Uuid::from_u128(9)));
        let as_it_is = |_: &mut Message| {};
        assert_eq!(standing(&as_it_is, Lookups::default()), both);
        // It came because it was awaited itself, so what it answers has not come either.
        let awaited = Lookups { thread: known, awaited: true, ..Lookups::default() };
        assert_eq!(standing(&as_it_is, awaited), both);
        let claimed = Lookups { thread: known, ..Lookups::default() };
        assert!(standing(&as_it_is, claimed).is_empty());
        for change in [
            &(|message: &mut Message| message.from = None) as &dyn Fn(&mut Message),
            &|message| drop(message.attributes.insert("authentication".to_owned(), "fail".into())),
            &|message| {
                let class = AutomationClass::AutoReply;
                message.automation = Some(Automation { class, may_answer: false });
            },
        ] {
            assert!(standing(change, Lookups::default()).is_empty());
        }
        let many = |message: &mut Message| {
            message.references = (0..100).map(|number| format!("{number}@example.org")).collect();
        };
        assert_eq!(standing(&many, Lookups::default()).len(), AWAITED_MAX);
    }

    #[test]
    fn other_mail_under_a_known_id_is_set_aside_and_a_copy_is_not() {
        let mail = |sender: &str, words: &str| {
            let from = Party { address: Some(address(sender)), ..Party::default() };
            let message = Message {
                external_id: "1@example.net".to_owned(),
                from: Some(from),
                text: Some(words.to_owned()),
                ..Message::default()
            };
            let inbound = Inbound { channel: ChannelId::new("mail").unwrap(), message };
            let (id, body) = (InputId(Uuid::nil()), InputBody::Inbound(Box::new(inbound)));
            Input { id, at: Timestamp::EPOCH, body }
        };
        let print = |input: &Input| match &input.body {
            InputBody::Inbound(inbound) => print_of(&inbound.message),
            _ => String::new(),
        };
        let long = "My parcel has not come. ".repeat(20);
        let first = mail("mailto:ada@example.net", &long);
        let outcome = |prints: Vec<String>| Outcome {
            position: Position::default(),
            input: first.id,
            kind: OutcomeKind::Routed,
            code: None,
            detail: None,
            conversation: Some(ConversationId(Uuid::from_u128(7))),
            message: None,
            version: None,
            prints,
        };
        let decided = |input: &Input, prints: Vec<String>| {
            let mut made = Made::new(Timestamp::EPOCH, Position::default());
            reused(input, &outcome(prints), &mut made)
        };
        let known = vec![print(&first)];
        let other = mail("mailto:eve@example.org", "Something else.");
        for copy in [
            mail("mailto:ADA@example.net", &format!("{long}\n\n_____\nThe list")),
            mail("mailto:ada@example.net", "The same person, mended."),
            mail("mailto:list@example.org", &format!("{long}\n\n_____\nThe list")),
        ] {
            assert_eq!(decided(&copy, known.clone()), None);
        }
        // Whoever decided before prints were kept knows nothing of them.
        assert_eq!(decided(&other, vec![]), None);
        let aside = decided(&other, known.clone()).unwrap();
        assert_eq!(aside.kind, Some(OutcomeKind::Parked));
        assert_eq!(aside.conversation, outcome(vec![]).conversation);
        assert_eq!(aside.prints, [known[0].clone(), print(&other)]);
        // It comes again: once is enough.
        assert_eq!(decided(&other, aside.prints.clone()), None);
        let EventBody::InputParked { input, .. } = &aside.events[0].body else { panic!() };
        assert_ne!(input.id, other.id);
        let many: Vec<String> =
            (0..PRINTS_MAX).map(|number| format!("{number}-{number}")).collect();
        let told = decided(&other, many).unwrap();
        assert_eq!(told.kind, Some(OutcomeKind::Duplicate));
        assert_eq!(told.code.as_deref(), Some("message_id_reused"));
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
