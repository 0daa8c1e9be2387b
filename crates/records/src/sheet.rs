//! The working set of rows: what the router knows while it decides a batch, and what the batch makes
//! of it.
//!
//! A sheet never loads by itself. What an event does to a row that is not loaded is kept, in order,
//! until the row is there; the result is the same as if it had been there from the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use postroom_model::{
    Bodies, Envelope, Event, Outcome, OutcomeKind, Timestamp, Transition, limits,
};

use crate::fold::{self, Effect, Fact};
use crate::{Change, DeliveryNote, Key, Row, Seen, Standing, Totals};

/// Rows by key, with what has changed since they were loaded.
#[derive(Debug, Default)]
pub struct Sheet {
    rows: BTreeMap<Key, Slot>,
    deferred: BTreeMap<Key, Vec<Edit>>,
    /// Counted while the row of totals was not loaded.
    counted: Option<Totals>,
    /// The latest moment before which inputs are forgotten.
    forget: Option<Timestamp>,
}

/// A row as it stands; none if there is known to be none.
#[derive(Debug)]
struct Slot {
    row: Option<Row>,
    dirty: bool,
}

/// What waits for a row to be loaded.
#[derive(Debug)]
enum Edit {
    Event(Arc<Happened>),
    /// A put after edits that wait: those can have effects elsewhere, so that it waits behind them.
    Put(Option<Row>),
    Note(DeliveryNote),
}

/// An event of its own, for an edit that outlives the envelope. Its words are not needed.
#[derive(Debug)]
struct Happened {
    position: u64,
    at: Timestamp,
    event: Event,
}

impl Happened {
    fn fact(&self) -> Fact<'_> {
        Fact { position: self.position, at: self.at, event: &self.event }
    }
}

impl Sheet {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a row as the records hold it, or that they hold none. What the sheet knows already is
    /// newer and stays.
    pub fn insert_loaded(&mut self, key: Key, row: Option<Row>) {
        self.rows.entry(key).or_insert(Slot { row, dirty: false });
    }

    /// The row as it stands after all that was folded; none if it is absent or not loaded.
    pub fn get(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key)?.row.as_ref()
    }

    /// Whether it is known what stands at `key`, a row or nothing.
    pub fn is_loaded(&self, key: &Key) -> bool {
        self.rows.contains_key(key)
    }

    /// Folds one event of `transition`; `bodies` are those of its envelope.
    pub fn fold(&mut self, position: u64, transition: &Transition, event: &Event, bodies: &Bodies) {
        let fact = Fact { position, at: transition.at, event };
        fold::rows(fact, bodies, &mut |key, row| self.put(key, row));
        let mut kept: Option<Arc<Happened>> = None;
        fold::edited(event, &mut |key| {
            if self.ready(&key) {
                self.edit(&key, fact);
                return;
            }
            let happened = kept.get_or_insert_with(|| {
                let event = event.clone();
                Arc::new(Happened { position, at: transition.at, event })
            });
            self.defer(key, Edit::Event(Arc::clone(happened)));
        });
    }

    /// Counts the outcome of an input (P2) and remembers it (P3). `at` is its envelope's time, not the
    /// input's, so that one which waited for long is remembered as long as any other. A duplicate is
    /// counted only: what was answered first stays.
    pub fn fold_outcome(&mut self, outcome: &Outcome, at: Timestamp) {
        let mut counted = Totals::default();
        match outcome.kind {
            OutcomeKind::Routed => counted.routed = 1,
            OutcomeKind::Duplicate => counted.duplicate = 1,
            OutcomeKind::Parked => counted.parked = 1,
            OutcomeKind::Rejected => counted.rejected = 1,
        }
        if outcome.kind != OutcomeKind::Duplicate {
            let seen = Box::new(Seen { at, outcome: outcome.clone() });
            self.put(Key::Seen(outcome.input), Some(Row::Seen(seen)));
        }
        self.count(counted);
    }

    /// Ends an envelope of which everything was folded: what it consumed and holds, and whether
    /// inputs are forgotten. `previous` is where the records stood before it.
    pub fn finish(&mut self, envelope: &Envelope, previous: Standing) {
        self.count(Totals {
            events: envelope.last_event(),
            inlet_seq: envelope.inlet_seq,
            // The ledger has no gaps.
            seq: previous.seq + 1,
            ..Totals::default()
        });
        // By what the ledger says alone, so that every fold forgets at the same envelope.
        if hour(envelope.at) != hour(previous.at) {
            let known = decided_through(envelope).map_or(previous.at, |at| at.min(previous.at));
            self.forget_before(known.plus_millis(-limits::SEEN_DAYS * DAY_MS));
        }
    }

    /// Keys of which it must be known what stands there before the fold is whole.
    pub fn deferred_keys(&self) -> Vec<Key> {
        let totals = self.counted.map(|_| Key::Totals);
        self.deferred.keys().cloned().chain(totals).collect()
    }

    /// Does what waited for rows that are loaded now. A reply that moves on can bring up the entry
    /// in its timeline: repeat until there are no deferred keys.
    pub fn settle(&mut self) {
        for (key, edits) in std::mem::take(&mut self.deferred) {
            if !self.rows.contains_key(&key) {
                self.deferred.insert(key, edits);
                continue;
            }
            for edit in edits {
                match edit {
                    Edit::Event(happened) => self.edit(&key, happened.fact()),
                    Edit::Put(row) => self.put(key.clone(), row),
                    Edit::Note(note) => self.note(&key, note),
                }
            }
        }
        if let Some(counted) = self.counted.take() {
            self.count(counted);
        }
    }

    /// What is to be written: forgetting first, then each changed row once, in the order of keys.
    /// Edits that still wait for rows are not in it.
    pub fn into_changes(self) -> Vec<Change> {
        let forget = self.forget.map(|before| Change::ForgetSeen { before });
        let dirty = self.rows.into_iter().filter(|(_, slot)| slot.dirty);
        forget
            .into_iter()
            .chain(dirty.map(|(key, slot)| match slot.row {
                Some(row) => Change::Put(key, row),
                None => Change::Delete(key),
            }))
            .collect()
    }

    /// Whether an edit of `key` can be done now: the row is known and nothing older waits for it.
    fn ready(&self, key: &Key) -> bool {
        self.rows.contains_key(key) && !self.deferred.contains_key(key)
    }

    fn put(&mut self, key: Key, row: Option<Row>) {
        match self.deferred.get_mut(&key) {
            Some(edits) => edits.push(Edit::Put(row)),
            None => {
                self.rows.insert(key, Slot { row, dirty: true });
            }
        }
    }

    fn defer(&mut self, key: Key, edit: Edit) {
        self.deferred.entry(key).or_default().push(edit);
    }

    /// Edits a row that is loaded, and does what follows from it.
    fn edit(&mut self, key: &Key, fact: Fact<'_>) {
        let Some(slot) = self.rows.get_mut(key) else {
            return;
        };
        let progress = match fold::apply(key, &mut slot.row, fact) {
            Effect::Nothing => return,
            Effect::Changed => None,
            Effect::Moved(progress) => Some(progress),
        };
        slot.dirty = true;
        let Some(progress) = progress else {
            return;
        };
        if let Some((key, message)) = progress.sent {
            self.put(key, Some(Row::Sent(message)));
        }
        if let Some(note) = progress.note {
            if self.ready(&progress.entry) {
                self.note(&progress.entry, note);
            } else {
                self.defer(progress.entry, Edit::Note(note));
            }
        }
    }

    fn note(&mut self, entry: &Key, note: DeliveryNote) {
        if let Some(slot) = self.rows.get_mut(entry)
            && let Some(Row::Timeline(item)) = &mut slot.row
        {
            item.delivery = Some(note);
            slot.dirty = true;
        }
    }

    fn count(&mut self, more: Totals) {
        let Some(slot) = self.rows.get_mut(&Key::Totals) else {
            add(self.counted.get_or_insert_default(), more);
            return;
        };
        let row = slot.row.get_or_insert(Row::Totals(Totals::default()));
        if let Row::Totals(totals) = row {
            add(totals, more);
            slot.dirty = true;
        }
    }

    fn forget_before(&mut self, before: Timestamp) {
        self.forget = self.forget.max(Some(before));
        for slot in self.rows.values_mut() {
            if matches!(&slot.row, Some(Row::Seen(seen)) if seen.at < before) {
                slot.row = None;
            }
        }
    }
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// When the oldest input of the envelope came. What came later may still wait in the inlet, for days
/// if nobody decided, and may be a second copy of what was decided before: ids are remembered by the
/// time at which copies came, not by that at which they are decided.
fn decided_through(envelope: &Envelope) -> Option<Timestamp> {
    let inputs = envelope.transitions.iter().filter(|one| one.outcome.is_some());
    inputs.map(|one| one.at).min()
}

fn hour(at: Timestamp) -> i64 {
    at.millis().div_euclid(HOUR_MS)
}

/// Adds counts; those that say how far the ledger and the inlet have come only go forwards.
fn add(totals: &mut Totals, more: Totals) {
    totals.routed += more.routed;
    totals.duplicate += more.duplicate;
    totals.parked += more.parked;
    totals.rejected += more.rejected;
    totals.events = totals.events.max(more.events);
    totals.inlet_seq = totals.inlet_seq.max(more.inlet_seq);
    totals.seq = totals.seq.max(more.seq);
}
