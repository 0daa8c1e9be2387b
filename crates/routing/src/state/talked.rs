//! Until when we talked to which number, the newest of them: a call that was missed before then waits for
//! nobody, wherever the talk was noted. What is known of conversations stands with them.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{ChannelId, Timestamp};

/// Numbers that are remembered; of those that are not, their conversations still know.
const NUMBERS_MAX: usize = 10_000;

type Number = (ChannelId, String);

/// Of one number.
pub(super) type TalkedPart = (ChannelId, String, Timestamp);

#[derive(Debug, Default)]
pub(super) struct Talked {
    until: BTreeMap<Number, Timestamp>,
    order: BTreeSet<(Timestamp, Number)>,
}

impl Talked {
    pub(super) fn until(&self, channel: &ChannelId, thread: &str) -> Option<Timestamp> {
        self.until.get(&(channel.clone(), thread.to_owned())).copied()
    }

    /// What ends later counts, whatever is told first.
    pub(super) fn note(&mut self, channel: &ChannelId, thread: &str, at: Timestamp) {
        let number = (channel.clone(), thread.to_owned());
        if let Some(before) = self.until.get(&number).copied() {
            if before >= at {
                return;
            }
            self.order.remove(&(before, number.clone()));
        }
        self.order.insert((at, number.clone()));
        self.until.insert(number, at);
        if self.order.len() > NUMBERS_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.until.remove(&oldest);
        }
    }

    pub(super) fn parts(&self) -> Vec<TalkedPart> {
        let all = self.until.iter();
        all.map(|((channel, thread), at)| (channel.clone(), thread.clone(), *at)).collect()
    }

    pub(super) fn of_parts(parts: Vec<TalkedPart>) -> Self {
        let mut talked = Self::default();
        for (channel, thread, at) in parts {
            talked.note(&channel, &thread, at);
        }
        talked
    }
}
