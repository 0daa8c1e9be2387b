//! What a host has to do now: the replies that have not left, folded from the ledger. No I/O, no
//! clock, no randomness. It asks for attempts and hands out what was granted; it never takes a grant
//! for given (P7).

mod fold;
pub(crate) mod presence;
mod shelf;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use postroom_model::{ChannelId, DeliveryState, HostId, InputId, MessageId, Outbound, Timestamp};

use self::presence::Presence;
use self::shelf::{Claim, Phase, Reply, Shelf};

/// Attempts that one channel has asked for or running at once.
pub const CONCURRENT_SENDS_MAX: usize = 8;

/// Replies that a host keeps in sight. What is queued beyond them waits in the records and is read
/// when half of these have left.
pub const HELD_MAX: usize = 10_000;

/// After how long the records or the router are asked again, in milliseconds. Twice as long after
/// each refusal in a row, up to [`DOUBLINGS_MAX`] times: every refusal stays on the ledger.
const RETRY_MS: i64 = 1_000;
const DOUBLINGS_MAX: u32 = 6;

/// The router's word for an attempt of a host that no longer owns the channel.
pub(crate) const STALE_OWNER: &str = "stale_owner";

/// Something to do. Whoever takes it does it; it is not named again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// Ask to own a channel.
    Own(ChannelId),
    /// Say that this host is there, and ask who else is.
    Present { asks: bool },
    /// Ask for an attempt.
    Attempt { message: MessageId, epoch: u64 },
    /// Make the attempt that was granted.
    Send(Grant),
    /// Read a reply from the records.
    Lookup(MessageId),
    /// Read the oldest replies from the records.
    Refill,
}

/// The right to make one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) message: MessageId,
    pub(crate) channel: ChannelId,
    pub(crate) epoch: u64,
    pub(crate) attempt: u32,
    /// The same, counted from when the reply was last queued.
    pub(crate) attempt_since_queued: u32,
}

/// What an input that the host published asks for; its outcome is awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    Own(ChannelId),
    Present,
    Attempt(MessageId),
    Settle(MessageId),
}

/// A channel's replies that have not left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueState {
    pub(crate) length: usize,
    pub(crate) oldest: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    host: HostId,
    /// Sequence of the last envelope that is folded in.
    seq: u64,
    shelf: Shelf,
    questions: BTreeMap<InputId, Question>,
    grants: VecDeque<Grant>,
    lost: Vec<ChannelId>,
    presence: Presence,
    /// Replies beyond [`HELD_MAX`] wait in the records.
    overflowing: bool,
    /// When to read them; none while it is being done.
    refill_at: Option<Timestamp>,
    stopping: bool,
}

impl Outbox {
    /// From the records: `rows` as they were at envelope `seq` or later, in the order in which they
    /// were queued. Events between the two are folded a second time, which changes nothing.
    pub(crate) fn restore(host: HostId, seq: u64, rows: Vec<Outbound>) -> Self {
        let mut outbox = Self {
            host,
            seq,
            shelf: Shelf::default(),
            questions: BTreeMap::new(),
            grants: VecDeque::new(),
            lost: Vec::new(),
            presence: Presence::default(),
            overflowing: false,
            refill_at: Some(Timestamp::EPOCH),
            stopping: false,
        };
        outbox.add(rows);
        outbox
    }

    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    pub(crate) fn overflowing(&self) -> bool {
        self.overflowing
    }

    /// The channels that have an adapter that sends or fetches. One that goes stays owned, without being used.
    pub(crate) fn set_channels(&mut self, channels: &BTreeSet<ChannelId>) {
        for (channel, lane) in &mut self.shelf.lanes {
            lane.open = channels.contains(channel);
        }
        for channel in channels {
            self.shelf.lanes.entry(channel.clone()).or_default().open = true;
        }
    }

    /// Asks for nothing any more. Grants are still handed out, to be given back.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether no grant can come any more without being asked for.
    pub(crate) fn is_idle(&self) -> bool {
        let asks = |question: &Question| matches!(question, Question::Attempt(_));
        self.grants.is_empty() && !self.questions.values().any(asks)
    }

    /// Remembers what an input asks for, before it is published.
    pub(crate) fn ask(&mut self, input: InputId, question: Question) {
        self.questions.insert(input, question);
    }

    /// Channels that another host took since this was last asked.
    pub(crate) fn take_lost(&mut self) -> Vec<ChannelId> {
        std::mem::take(&mut self.lost)
    }

    /// The channels that this host owns, and that have an adapter.
    pub(crate) fn own_channels(&self) -> BTreeSet<ChannelId> {
        let lanes = self.shelf.lanes.iter();
        let owned = lanes.filter(|(_, lane)| lane.open && matches!(lane.claim, Claim::Owned(_)));
        owned.map(|(channel, _)| channel.clone()).collect()
    }

    /// What to do at `now`.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Work> {
        let mut work: Vec<Work> = self.grants.drain(..).map(Work::Send).collect();
        if self.stopping {
            return work;
        }
        self.presence_due(now, &mut work);
        if self.refill_due().is_some_and(|at| at <= now) {
            self.refill_at = None;
            work.push(Work::Refill);
        }
        while let Some((at, message)) = self.shelf.first_lookup()
            && at <= now
        {
            self.shelf.change(message, |reply| {
                if let Phase::Lookup { at_least } = reply.phase {
                    reply.phase = Phase::LookingUp { at_least };
                }
            });
            work.push(Work::Lookup(message));
        }
        let channels: Vec<ChannelId> = self.shelf.lanes.keys().cloned().collect();
        for channel in channels {
            self.lane_due(&channel, now, &mut work);
        }
        work
    }

    /// Channels of hosts that are gone are asked for again.
    fn presence_due(&mut self, now: Timestamp, work: &mut Vec<Work>) {
        if self.owns_any() && self.presence.answers(now) {
            work.push(Work::Present { asks: false });
        }
        if !self.has_lost_any() {
            return;
        }
        if let Some(there) = self.presence.judged(now) {
            let others = there.iter().any(|host| *host != self.host);
            for lane in self.shelf.lanes.values_mut().filter(|lane| lane.open) {
                if let Claim::Lost(to) = lane.claim
                    && !to.map_or(others, |host| there.contains(&host))
                {
                    lane.claim = Claim::Due(now);
                }
            }
        }
        if self.has_lost_any() && self.presence.asks(now) {
            work.push(Work::Present { asks: true });
        }
    }

    fn owns_any(&self) -> bool {
        self.shelf.lanes.values().any(|lane| lane.open && matches!(lane.claim, Claim::Owned(_)))
    }

    fn has_lost_any(&self) -> bool {
        self.shelf.lanes.values().any(|lane| lane.open && matches!(lane.claim, Claim::Lost(_)))
    }

    fn lane_due(&mut self, channel: &ChannelId, now: Timestamp, work: &mut Vec<Work>) {
        while let Some(lane) = self.shelf.lanes.get_mut(channel).filter(|lane| lane.open) {
            match lane.claim {
                Claim::Due(at) if at <= now => {
                    lane.claim = Claim::Asked;
                    work.push(Work::Own(channel.clone()));
                    return;
                }
                Claim::Owned(epoch) if lane.busy.len() < CONCURRENT_SENDS_MAX => {
                    let ready = lane.first_ready().filter(|(at, _)| *at <= now);
                    let Some((_, message)) = ready else {
                        return;
                    };
                    self.shelf.change(message, |reply| reply.phase = Phase::Asked);
                    work.push(Work::Attempt { message, epoch });
                }
                _ => return,
            }
        }
    }

    fn refill_due(&self) -> Option<Timestamp> {
        let wanted = self.overflowing && self.shelf.len() <= HELD_MAX / 2;
        self.refill_at.filter(|_| wanted)
    }

    /// When [`Self::due`] next has something to say of itself; none if only an event can tell.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        if self.stopping {
            return None;
        }
        let lanes = self.shelf.lanes.values().filter(|lane| lane.open);
        let lanes = lanes.filter_map(|lane| match lane.claim {
            Claim::Due(at) => Some(at),
            Claim::Owned(_) if lane.busy.len() < CONCURRENT_SENDS_MAX => {
                lane.first_ready().map(|(at, _)| at)
            }
            _ => None,
        });
        let lookup = self.shelf.first_lookup().map(|(at, _)| at);
        let presence = self.presence.next_deadline(self.has_lost_any(), self.owns_any());
        lanes.chain(lookup).chain(self.refill_due()).chain(presence).min()
    }

    /// The answer to [`Work::Lookup`]: the row as it was at envelope `seq` or later.
    pub(crate) fn found(
        &mut self,
        message: MessageId,
        seq: u64,
        row: Option<&Outbound>,
        now: Timestamp,
    ) {
        let phase = self.shelf.get(message).map(|reply| reply.phase);
        let Some(Phase::LookingUp { at_least }) = phase else {
            return;
        };
        if seq < at_least {
            self.look_up_again(message, now);
            return;
        }
        match row.and_then(held) {
            Some(fresh) => self.shelf.change(message, |reply| {
                reply.phase = fresh.phase;
                // Never at once again, or a refusal that we do not understand makes a storm.
                let patience_ms = slower(reply.refusals.saturating_sub(1));
                reply.next_at = fresh.next_at.max(now.plus_millis(patience_ms));
            }),
            None => self.shelf.remove(message),
        }
    }

    /// The records could not be read: later, then.
    pub(crate) fn look_up_again(&mut self, message: MessageId, now: Timestamp) {
        self.shelf.change(message, |reply| {
            if let Phase::LookingUp { at_least } = reply.phase {
                reply.phase = Phase::Lookup { at_least };
                reply.next_at = now.plus_millis(RETRY_MS);
            }
        });
    }

    /// The answer to [`Work::Refill`]. Rows older than the fold are refused and read again later.
    pub(crate) fn refill(&mut self, seq: u64, rows: Vec<Outbound>, now: Timestamp) {
        self.refill_at = Some(now.plus_millis(RETRY_MS));
        if seq >= self.seq {
            self.add(rows);
        }
    }

    pub(crate) fn refill_failed(&mut self, now: Timestamp) {
        self.refill_at = Some(now.plus_millis(RETRY_MS));
    }

    /// Adds rows that are not held yet; of those that are, the fold knows better.
    fn add(&mut self, rows: Vec<Outbound>) {
        self.overflowing = rows.len() >= HELD_MAX;
        for row in rows {
            if self.shelf.get(row.id).is_none()
                && let Some(reply) = held(&row)
            {
                self.shelf.insert(row.id, reply);
            }
        }
    }

    /// The queues of the channels that this host owns.
    pub(crate) fn queues(&self) -> BTreeMap<ChannelId, QueueState> {
        let owned = self.shelf.lanes.iter();
        let owned = owned.filter(|(_, lane)| matches!(lane.claim, Claim::Owned(_)));
        let state = |(channel, lane): (&ChannelId, &shelf::Lane)| {
            let (length, oldest) = (lane.len(), lane.oldest());
            (channel.clone(), QueueState { length, oldest })
        };
        owned.map(state).collect()
    }
}

/// How long to wait after so many refusals before this one, in milliseconds.
fn slower(refusals: u32) -> i64 {
    RETRY_MS << refusals.min(DOUBLINGS_MAX)
}

/// A row as it is held; none if it has left.
fn held(row: &Outbound) -> Option<Reply> {
    let (phase, attempts_before) = match row.state {
        DeliveryState::Queued => (Phase::Ready, row.attempts),
        // How many came before it was last queued is forgotten; counting all gives up earlier.
        DeliveryState::Waiting => (Phase::Ready, 0),
        DeliveryState::Sending => (Phase::Foreign, 0),
        DeliveryState::Sent
        | DeliveryState::Delivered
        | DeliveryState::Read
        | DeliveryState::Failed
        | DeliveryState::Uncertain => return None,
    };
    Some(Reply {
        channel: row.channel.clone(),
        conversation: Some(row.conversation),
        queued_at: row.queued_at,
        next_at: row.next_at,
        attempts_before,
        refusals: 0,
        phase,
    })
}
