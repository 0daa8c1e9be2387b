//! The replies that a host holds, indexed by what may leave next. Knows the order of replies in a
//! conversation and the lanes (channels) they leave through; knows nothing of events.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{ChannelId, ConversationId, HostId, MessageId, Timestamp};

/// What the host knows of a reply that has not left. Its words stay in the records.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) channel: ChannelId,
    pub(super) conversation: Option<ConversationId>,
    pub(super) queued_at: Timestamp,
    /// When it may be asked for, or looked up.
    pub(super) next_at: Timestamp,
    /// Attempts before it was last queued.
    pub(super) attempts_before: u32,
    /// How often in a row the router refused an attempt.
    pub(super) refusals: u32,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// May be asked for from `next_at` on.
    Ready,
    /// Asked for; the router has not answered.
    Asked,
    /// Granted to this host, not yet settled.
    Running,
    /// Granted to another host, which settles it, or the owner after it does.
    Foreign,
    /// To be read from the records, once they hold the envelope `at_least`.
    Lookup { at_least: u64 },
    /// Being read from them.
    LookingUp { at_least: u64 },
}

/// Who may send on a channel, as far as this host is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// To be asked for from then on.
    Due(Timestamp),
    Asked,
    Owned(u64),
    /// Another host came later; who, if that is known. It is asked for again when that one is gone.
    Lost(Option<HostId>),
}

#[derive(Debug)]
pub(super) struct Lane {
    /// Whether there is an adapter that sends.
    pub(super) open: bool,
    pub(super) claim: Claim,
    /// How often in a row the router refused to make this host the owner.
    pub(super) refusals: u32,
    /// Asked for or running.
    pub(super) busy: BTreeSet<MessageId>,
    /// First of their conversation and ready: when, in which order.
    ready: BTreeSet<(Timestamp, u64, MessageId)>,
    /// Everything held, the longest waiting first.
    waiting: BTreeSet<(Timestamp, MessageId)>,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            open: false,
            claim: Claim::Due(Timestamp::EPOCH),
            refusals: 0,
            busy: BTreeSet::new(),
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
        }
    }
}

impl Lane {
    pub(super) fn first_ready(&self) -> Option<(Timestamp, MessageId)> {
        self.ready.first().map(|(at, _, message)| (*at, *message))
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(at, _)| *at)
    }
}

#[derive(Debug, Default)]
pub(super) struct Shelf {
    replies: BTreeMap<MessageId, (u64, Reply)>,
    /// The replies of a conversation in the order in which they were queued.
    lines: BTreeMap<ConversationId, BTreeSet<(u64, MessageId)>>,
    pub(super) lanes: BTreeMap<ChannelId, Lane>,
    lookups: BTreeSet<(Timestamp, MessageId)>,
    last_order: u64,
}

impl Shelf {
    pub(super) fn len(&self) -> usize {
        self.replies.len()
    }

    pub(super) fn get(&self, message: MessageId) -> Option<&Reply> {
        self.replies.get(&message).map(|(_, reply)| reply)
    }

    pub(super) fn first_lookup(&self) -> Option<(Timestamp, MessageId)> {
        self.lookups.first().copied()
    }

    /// Puts a reply behind all others of its conversation.
    pub(super) fn insert(&mut self, message: MessageId, reply: Reply) {
        self.remove(message);
        self.last_order += 1;
        if let Some(conversation) = reply.conversation {
            let line = self.lines.entry(conversation).or_default();
            line.insert((self.last_order, message));
        }
        self.replies.insert(message, (self.last_order, reply));
        self.file(message);
    }

    /// Changes a reply, wherever it then belongs. Its conversation stays what it is.
    pub(super) fn change(&mut self, message: MessageId, change: impl FnOnce(&mut Reply)) {
        self.unfile(message);
        if let Some((_, reply)) = self.replies.get_mut(&message) {
            change(reply);
        }
        self.file(message);
    }

    /// Takes a reply out; the next of its conversation may then leave.
    pub(super) fn remove(&mut self, message: MessageId) {
        self.unfile(message);
        let Some((order, reply)) = self.replies.remove(&message) else {
            return;
        };
        let Some(conversation) = reply.conversation else {
            return;
        };
        let Some(line) = self.lines.get_mut(&conversation) else {
            return;
        };
        line.remove(&(order, message));
        match line.first().copied() {
            Some((_, next)) => self.file(next),
            None => {
                self.lines.remove(&conversation);
            }
        }
    }

    fn is_first(&self, conversation: Option<ConversationId>, message: MessageId) -> bool {
        let line = conversation.and_then(|conversation| self.lines.get(&conversation));
        line.and_then(BTreeSet::first).is_none_or(|(_, first)| *first == message)
    }

    /// Enters a reply into every index that it belongs to. Twice is as good as once.
    fn file(&mut self, message: MessageId) {
        let Some((order, reply)) = self.replies.get(&message) else {
            return;
        };
        let first = self.is_first(reply.conversation, message);
        if matches!(reply.phase, Phase::Lookup { .. }) {
            self.lookups.insert((reply.next_at, message));
        }
        let lane = self.lanes.entry(reply.channel.clone()).or_default();
        lane.waiting.insert((reply.queued_at, message));
        match reply.phase {
            Phase::Ready if first => {
                lane.ready.insert((reply.next_at, *order, message));
            }
            Phase::Asked | Phase::Running => {
                lane.busy.insert(message);
            }
            _ => {}
        }
    }

    fn unfile(&mut self, message: MessageId) {
        let Some((order, reply)) = self.replies.get(&message) else {
            return;
        };
        self.lookups.remove(&(reply.next_at, message));
        if let Some(lane) = self.lanes.get_mut(&reply.channel) {
            lane.waiting.remove(&(reply.queued_at, message));
            lane.ready.remove(&(reply.next_at, *order, message));
            lane.busy.remove(&message);
        }
    }
}
