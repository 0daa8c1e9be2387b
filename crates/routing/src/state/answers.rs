//! Which automatic answers were given of late, and to whom: what the limits on them count (P8).

use std::collections::{BTreeMap, VecDeque};

use postroom_model::{ConversationId, Message, Party, Timestamp};
use serde::{Deserialize, Serialize};

/// One customer gets at most so many in [`WINDOW_MS`], whatever they write and wherever it leads.
pub(crate) const CUSTOMER_MAX: usize = 3;
/// One conversation gets at most so many in [`WINDOW_MS`], whoever its messages say that they are from.
pub(crate) const CONVERSATION_MAX: usize = 3;
pub(crate) const WINDOW_MS: i64 = 24 * 3_600_000;
/// All customers together get at most so many in [`SOON_MS`].
pub(crate) const ALL_MAX: usize = 1_000;
pub(crate) const SOON_MS: i64 = 3_600_000;

/// When one was given, in which conversation, to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given(Timestamp, ConversationId, String);

/// Those of the last day, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    log: VecDeque<Given>,
    conversations: BTreeMap<ConversationId, VecDeque<Timestamp>>,
    customers: BTreeMap<String, VecDeque<Timestamp>>,
}

impl Answers {
    /// Whether one more may be given.
    pub(crate) fn may(&self, at: Timestamp, id: ConversationId, customer: &str) -> bool {
        let since = at.plus_millis(-WINDOW_MS);
        let late = |times: Option<&VecDeque<Timestamp>>| {
            times.map_or(0, |times| times.iter().filter(|time| **time > since).count())
        };
        let soon = at.plus_millis(-SOON_MS);
        let newest = self.log.iter().rev().take(ALL_MAX);
        late(self.conversations.get(&id)) < CONVERSATION_MAX
            && late(self.customers.get(customer)) < CUSTOMER_MAX
            && newest.filter(|Given(time, ..)| *time > soon).count() < ALL_MAX
    }

    pub(super) fn give(&mut self, at: Timestamp, id: ConversationId, message: &Message) {
        self.forget(at.plus_millis(-WINDOW_MS));
        let customer = key_of(message.to.first(), message.thread.as_deref());
        self.note(Given(at, id, customer));
    }

    fn note(&mut self, given: Given) {
        let Given(at, id, customer) = &given;
        self.conversations.entry(*id).or_default().push_back(*at);
        self.customers.entry(customer.clone()).or_default().push_back(*at);
        self.log.push_back(given);
    }

    fn forget(&mut self, until: Timestamp) {
        while let Some(Given(_, id, customer)) = self.log.pop_front_if(|Given(at, ..)| *at <= until)
        {
            drop_first(&mut self.conversations, &id);
            drop_first(&mut self.customers, &customer);
        }
    }

    pub(super) fn parts(&self) -> Vec<Given> {
        self.log.iter().cloned().collect()
    }

    pub(super) fn restore(&mut self, parts: Vec<Given>) {
        for given in parts {
            self.note(given);
        }
    }
}

fn drop_first<K: Ord>(all: &mut BTreeMap<K, VecDeque<Timestamp>>, key: &K) {
    if let Some(times) = all.get_mut(key) {
        times.pop_front();
        if times.is_empty() {
            all.remove(key);
        }
    }
}

/// The customer by their address; by the thread where a channel knows none.
pub(crate) fn key_of(customer: Option<&Party>, thread: Option<&str>) -> String {
    let address = customer.and_then(|customer| customer.address.as_ref());
    match address {
        Some(address) => address.as_str().to_ascii_lowercase(),
        None => format!("thread:{}", thread.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use postroom_model::{ConversationId, Message, Party, Timestamp};
    use uuid::Uuid;

    use super::{ALL_MAX, Answers, SOON_MS, WINDOW_MS, key_of};

    fn to(number: usize) -> Message {
        let address = format!("mailto:c{number}@example.com").parse().ok();
        Message { to: vec![Party { address, ..Party::default() }], ..Message::default() }
    }

    #[test]
    fn p8_caps_hold_for_all_together_and_what_is_old_is_forgotten() {
        let mut answers = Answers::default();
        let mut given = 0;
        for number in 0..2 * ALL_MAX {
            let at = Timestamp::from_millis(i64::try_from(number).unwrap());
            let (id, message) = (ConversationId(Uuid::from_u128(number as u128)), to(number));
            if answers.may(at, id, &key_of(message.to.first(), None)) {
                answers.give(at, id, &message);
                given += 1;
            }
        }
        assert_eq!(given, ALL_MAX);
        let (id, message) = (ConversationId(Uuid::max()), to(0));
        let soon = Timestamp::from_millis(2 * SOON_MS);
        assert!(answers.may(soon, id, &key_of(to(9_999).to.first(), None)));
        answers.give(Timestamp::from_millis(2 * WINDOW_MS), id, &message);
        assert_eq!((answers.log.len(), answers.customers.len()), (1, 1));
        let mut restored = Answers::default();
        restored.restore(answers.parts());
        assert_eq!(restored.parts(), answers.parts());
    }
}
