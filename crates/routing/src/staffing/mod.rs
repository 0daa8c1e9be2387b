//! How many agents a queue needs by the hour, from what came and how long it took. Pure: it is given
//! the events of the ledger.
//!
//! An arrival is a conversation that is opened or opened again. Handling time is the time in which an
//! agent has a conversation whose customer waits; who has several shares it between them, and a
//! stretch in which nothing happens counts for half an hour at most, since somebody who goes home does
//! not work. An answered call takes as long as was talked. Where nothing was answered there is no handling
//! time, and no number of agents can be said, unless somebody says how long one takes.

mod erlang;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp as Moment;
use jiff::tz::TimeZone;
use postroom_model::{AgentId, ConversationId, Event, EventBody, QueueId, Timestamp};
use serde::Serialize;

pub use self::erlang::{Goal, Load, Service, agents_needed, service};
use crate::called::is_answered;

/// The longest stretch of work in which nothing happens.
const STRETCH_MS_MAX: i64 = 30 * 60 * 1_000;
const HOUR_MS: i64 = 3_600_000;

/// An hour of the week: the day from 0 for Monday, and the hour from 0 to 23.
type Slot = (i8, i8);

/// What is known of a conversation that is not done.
#[derive(Debug, Clone)]
struct Talk {
    queue: QueueId,
    owner: Option<AgentId>,
    waits: bool,
}

/// What an agent works on, and since when nothing of it changed.
#[derive(Debug, Default)]
struct Desk {
    holds: BTreeSet<ConversationId>,
    since: Timestamp,
}

#[derive(Debug, Default)]
struct Tally {
    arrivals: BTreeMap<Slot, u64>,
    total: u64,
    handled_ms: i64,
}

/// Takes the events of a ledger, from its begin on.
#[derive(Debug)]
pub struct Staffing {
    zone: TimeZone,
    from: Timestamp,
    to: Timestamp,
    talks: BTreeMap<ConversationId, Talk>,
    desks: BTreeMap<AgentId, Desk>,
    queues: BTreeMap<QueueId, Tally>,
}

/// What one queue needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueNeed {
    pub queue: QueueId,
    pub arrivals: u64,
    /// Mean over all of them, or what was said for queues in which nothing was answered; none if neither is
    /// known.
    pub handling_s: Option<f64>,
    pub handling: Handling,
    /// Hours in which anything came, from Monday on.
    pub hours: Vec<HourNeed>,
}

/// From where it is known how long one takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// From what was answered.
    Measured,
    /// Nothing was answered, and somebody said it.
    Assumed,
    /// Nothing was answered.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HourNeed {
    /// 1 for Monday to 7 for Sunday.
    pub weekday: i8,
    pub hour: i8,
    pub arrivals_per_h: f64,
    /// None of these is known where it is not known how long one takes.
    pub agents: Option<u32>,
    /// Share that is answered within the time by so many.
    pub in_time: Option<f64>,
    pub mean_wait_s: Option<f64>,
}

impl Staffing {
    /// Counts what comes within a time, by the hours of a zone; none if there is no such zone.
    pub fn new(time_zone: &str, from: Timestamp, to: Timestamp) -> Option<Self> {
        let zone = TimeZone::get(time_zone).ok()?;
        let (talks, desks, queues) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Some(Self { zone, from, to, talks, desks, queues })
    }

    /// Takes one event in the order of the ledger.
    pub fn take(&mut self, at: Timestamp, event: &Event) {
        let Some(id) = event.conversation else { return };
        match &event.body {
            EventBody::ConversationOpened(opened)
            | EventBody::ConversationReopened { opened, .. } => {
                let queue = opened.queue.clone();
                self.arrived(at, &queue);
                self.talks.insert(id, Talk { queue, owner: None, waits: true });
            }
            EventBody::ConversationTransferred { queue, .. } => {
                self.change(at, id, |talk| talk.queue = queue.clone());
            }
            EventBody::ConversationAssigned { agent, .. } => {
                self.change(at, id, |talk| talk.owner = Some(agent.clone()));
            }
            EventBody::ConversationReleased { .. } => self.change(at, id, |talk| talk.owner = None),
            EventBody::ConversationWoken { .. } => {
                self.change(at, id, |talk| {
                    talk.owner = None;
                    talk.waits = true;
                });
            }
            EventBody::MessageReceived { .. } => self.change(at, id, |talk| talk.waits = true),
            EventBody::CallRecorded(call) if call.waits => {
                self.change(at, id, |talk| talk.waits = true);
            }
            EventBody::CallRecorded(call) if is_answered(&call.call) => {
                let talked = i64::try_from(call.call.talk_s.unwrap_or(0)).unwrap_or(0);
                if let Some(queue) = self.talks.get(&id).map(|talk| talk.queue.clone()) {
                    self.worked(at, &queue, talked.saturating_mul(1_000));
                }
            }
            EventBody::ReplyQueued { .. } | EventBody::ConversationSnoozed { .. } => {
                self.change(at, id, |talk| talk.waits = false);
            }
            EventBody::ConversationResolved { .. } | EventBody::ConversationMerged { .. } => {
                self.change(at, id, |talk| talk.waits = false);
                self.talks.remove(&id);
            }
            _ => {}
        }
    }

    fn counts(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    fn arrived(&mut self, at: Timestamp, queue: &QueueId) {
        let Some(slot) = self.slot(at).filter(|_| self.counts(at)) else { return };
        let tally = self.queues.entry(queue.clone()).or_default();
        *tally.arrivals.entry(slot).or_default() += 1;
        tally.total += 1;
    }

    fn slot(&self, at: Timestamp) -> Option<Slot> {
        let moment = Moment::from_millisecond(at.millis()).ok()?;
        let local = self.zone.to_datetime(moment);
        Some((local.weekday().to_monday_zero_offset(), local.hour()))
    }

    fn worked(&mut self, at: Timestamp, queue: &QueueId, millis: i64) {
        if self.counts(at) {
            let tally = self.queues.entry(queue.clone()).or_default();
            tally.handled_ms = tally.handled_ms.saturating_add(millis);
        }
    }

    /// Changes a conversation, and whoever works on it before or after.
    fn change(&mut self, at: Timestamp, id: ConversationId, edit: impl FnOnce(&mut Talk)) {
        let Some(before) = self.talks.get(&id).cloned() else { return };
        let mut after = before.clone();
        edit(&mut after);
        for agent in before.owner.iter().chain(&after.owner) {
            self.settle(at, agent);
        }
        if let Some(desk) = before.owner.and_then(|agent| self.desks.get_mut(&agent)) {
            desk.holds.remove(&id);
        }
        if let Some(agent) = after.owner.as_ref().filter(|_| after.waits) {
            self.desks.entry(agent.clone()).or_default().holds.insert(id);
        }
        self.talks.insert(id, after);
    }

    /// Shares what an agent worked since the last change between what they had.
    fn settle(&mut self, at: Timestamp, agent: &AgentId) {
        let desk = self.desks.entry(agent.clone()).or_default();
        let since = std::mem::replace(&mut desk.since, at);
        let millis = at.since(since).clamp(0, STRETCH_MS_MAX);
        let count = i64::try_from(desk.holds.len()).unwrap_or(i64::MAX);
        let Some(share) = millis.checked_div(count) else { return };
        let held = desk.holds.iter().filter_map(|id| self.talks.get(id));
        let queues: Vec<QueueId> = held.map(|talk| talk.queue.clone()).collect();
        for queue in queues {
            self.worked(at, &queue, share);
        }
    }

    /// What each queue needs to keep the goal, in the order of their ids. `assumed_s` is how long one
    /// takes in queues in which nothing was answered.
    pub fn needs(&self, goal: Goal, assumed_s: Option<f64>) -> Vec<QueueNeed> {
        let hours = self.hours();
        let known = self.queues.iter().filter(|(_, tally)| tally.total > 0);
        known.map(|(queue, tally)| need(queue, tally, &hours, (goal, assumed_s))).collect()
    }

    /// How often each hour of the week was within the time.
    fn hours(&self) -> BTreeMap<Slot, u64> {
        let mut hours = BTreeMap::new();
        let mut at = self.from;
        while at < self.to {
            if let Some(slot) = self.slot(at) {
                *hours.entry(slot).or_default() += 1;
            }
            at = at.plus_millis(HOUR_MS);
        }
        hours
    }
}

fn need(
    queue: &QueueId,
    tally: &Tally,
    hours: &BTreeMap<Slot, u64>,
    (goal, assumed_s): (Goal, Option<f64>),
) -> QueueNeed {
    let total = i64::try_from(tally.total).unwrap_or(i64::MAX);
    let measured = Some(ratio(tally.handled_ms, total) / 1_000.0).filter(|time| *time > 0.0);
    let (handling_s, handling) = match (measured, assumed_s) {
        (Some(_), _) => (measured, Handling::Measured),
        (None, Some(_)) => (assumed_s, Handling::Assumed),
        (None, None) => (None, Handling::Unknown),
    };
    let of_hour = |(slot, count): (&Slot, &u64)| {
        let times = hours.get(slot).copied().unwrap_or(1).max(1);
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        let arrivals_per_h = ratio(count, i64::try_from(times).unwrap_or(i64::MAX));
        let load = handling_s.map(|handling_s| Load { arrivals_per_h, handling_s });
        let found = load.map(|load| agents_needed(load, goal));
        HourNeed {
            weekday: slot.0 + 1,
            hour: slot.1,
            arrivals_per_h,
            agents: found.map(|found| found.agents),
            in_time: found.map(|found| found.in_time),
            mean_wait_s: found.map(|found| found.mean_wait_s),
        }
    };
    let hours = tally.arrivals.iter().map(of_hour).collect();
    QueueNeed { queue: queue.clone(), arrivals: tally.total, handling_s, handling, hours }
}

#[expect(clippy::cast_precision_loss, reason = "counts and milliseconds of a few years")]
fn ratio(part: i64, of: i64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}
