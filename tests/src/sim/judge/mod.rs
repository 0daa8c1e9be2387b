//! The judge: compares what is stored with the promises, from the inlet and the events alone.
//!
//! It knows nothing of how the router or the core come to their decisions, and reads the stores
//! directly, past all lines. Each file holds the promises of one kind.

mod calls;
mod chain;
mod desk;
mod folds;
mod mails;
mod people;
mod replies;
mod waits;
mod words;

use postroom_bus::{Blobs, Inlet, Ledger, ReadLimits, decode_batch};
use postroom_model::digest::Digest;
use postroom_model::{Envelope, Event, EventBody, Input, Position, Transition};

use super::stage::{Notes, Stage};
use super::world::Verdict;

/// Complaints that are named; one would do.
const COMPLAINTS_MAX: usize = 12;
const PAGE: ReadLimits = ReadLimits { entries_max: 512, bytes_max: 4 * 1024 * 1024 };

/// What is stored, read once.
pub(super) struct Case<'a> {
    /// Every input that was accepted, in the order of the inlet; none where it cannot be read.
    pub(super) inputs: Vec<(Position, Option<Input>)>,
    pub(super) envelopes: Vec<(u64, Envelope)>,
    /// The hash of the head of each envelope.
    pub(super) hashes: Vec<Digest>,
    pub(super) notes: &'a Notes,
}

impl Case<'_> {
    pub(super) fn transitions(&self) -> impl Iterator<Item = (&Envelope, &Transition)> {
        self.envelopes.iter().flat_map(|(_, envelope)| {
            envelope.transitions.iter().map(move |transition| (envelope, transition))
        })
    }

    pub(super) fn events(&self) -> impl Iterator<Item = (&Envelope, &Transition, &Event)> {
        self.transitions().flat_map(|(envelope, transition)| {
            transition.events.iter().map(move |event| (envelope, transition, event))
        })
    }
}

/// Collects what is wrong.
#[derive(Debug, Default)]
pub(super) struct Complaints(Vec<String>);

impl Complaints {
    pub(super) fn add(&mut self, complaint: String) {
        if self.0.len() < COMPLAINTS_MAX {
            self.0.push(complaint);
        }
    }

    /// Complains unless it holds.
    pub(super) fn unless(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            self.add(complaint());
        }
    }
}

/// Judges a house that is at rest and shut down.
pub(super) async fn judge(stage: &Stage, blobs: &Blobs) -> Verdict {
    let notes = std::mem::take(&mut *stage.notes());
    let mut complaints = Complaints(notes.complaints.clone());
    let case = read(stage.inlet.as_ref(), stage.ledger.as_ref(), &notes, &mut complaints).await;
    chain::judge(&case, &mut complaints);
    words::judge(&case, &mut complaints);
    people::judge(&case, &mut complaints);
    calls::judge(&case, &mut complaints);
    mails::judge(&case, &mut complaints);
    waits::judge(&case, &mut complaints);
    desk::judge(&case, &mut complaints);
    replies::judge(&case, &mut complaints);
    folds::judge(stage, blobs, &case, &mut complaints).await;
    let mut tally = notes.tally.clone();
    tally.add(&stage.notes().tally);
    tally_case(&case, &mut tally);
    let ledger_hash = case.hashes.last().map(Digest::to_string).unwrap_or_default();
    Verdict { complaints: complaints.0, tally, ledger_hash }
}

/// Judges what real stores hold, where no notes were taken: the chain and its outcomes, owners and
/// their capacity, and what was granted to be sent. They are at rest.
pub async fn judge_stores(inlet: &dyn Inlet, ledger: &dyn Ledger) -> Vec<String> {
    let (notes, mut complaints) = (Notes::default(), Complaints::default());
    let case = read(inlet, ledger, &notes, &mut complaints).await;
    complaints.unless(!case.envelopes.is_empty(), || "P4: there is nothing to judge".to_owned());
    chain::judge(&case, &mut complaints);
    desk::judge(&case, &mut complaints);
    replies::judge(&case, &mut complaints);
    complaints.0
}

async fn read<'a>(
    inlet: &dyn Inlet,
    ledger: &dyn Ledger,
    notes: &'a Notes,
    complaints: &mut Complaints,
) -> Case<'a> {
    let mut case = Case { inputs: Vec::new(), envelopes: Vec::new(), hashes: Vec::new(), notes };
    let (mut after, mut entries) = (0, inlet.read(0, PAGE).await);
    while let Some(last) = entries.iter().flatten().last().map(|entry| entry.seq) {
        for entry in entries.iter().flatten() {
            for (decoded, index) in decode_batch(&entry.bytes).into_iter().zip(0..) {
                case.inputs.push((Position { seq: entry.seq, index }, decoded.ok()));
            }
        }
        after = last;
        entries = inlet.read(after, PAGE).await;
    }
    complaints.unless(entries.is_ok(), || format!("P1: the inlet ends at {after}: {entries:?}"));
    (after, entries) = (0, ledger.read(0, PAGE).await);
    while let Some(last) = entries.iter().flatten().last().map(|entry| entry.seq) {
        for entry in entries.iter().flatten() {
            match Envelope::decode(&entry.bytes) {
                Ok((envelope, hash)) => {
                    case.envelopes.push((entry.seq, envelope));
                    case.hashes.push(hash);
                }
                Err(error) => complaints.add(format!("P4: envelope {}: {error}", entry.seq)),
            }
        }
        after = last;
        entries = ledger.read(after, PAGE).await;
    }
    complaints.unless(entries.is_ok(), || format!("P4: the ledger ends at {after}: {entries:?}"));
    case
}

fn tally_case(case: &Case<'_>, tally: &mut super::Tally) {
    let mut add = |name, count: usize| {
        *tally.0.entry(name).or_default() += u64::try_from(count).unwrap_or(0);
    };
    add("inputs", case.inputs.len());
    add("envelopes", case.envelopes.len());
    add("events", case.events().count());
    for (_, transition) in case.transitions() {
        let Some(outcome) = &transition.outcome else {
            add("brought by time", 1);
            continue;
        };
        add(
            match outcome.kind {
                postroom_model::OutcomeKind::Routed => "routed",
                postroom_model::OutcomeKind::Duplicate => "duplicate",
                postroom_model::OutcomeKind::Parked => "parked",
                postroom_model::OutcomeKind::Rejected => "rejected",
            },
            1,
        );
    }
    for (_, _, event) in case.events() {
        if let EventBody::MessageReceived { mail: Some(mail), .. } = &event.body
            && !mail.awaits.is_empty()
        {
            add("mail came first", 1);
        }
        if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(&event.body)
            && let Some(serde_json::Value::String(kind)) = fields.get("type")
            && let Some(name) = WATCHED.iter().find(|name| *name == kind)
        {
            add(name, 1);
        }
    }
}

/// Events that the load must bring about.
const WATCHED: [&str; 15] = [
    "call.recorded",
    "call.leg",
    "contact.merged",
    "conversation.reopened",
    "conversation.woken",
    "conversation.assigned",
    "conversation.released",
    "conversation.merged",
    "conversation.transferred",
    "message.received",
    "delivery.attempted",
    "delivery.settled",
    "delivery.requeued",
    "receipt.recorded",
    "input.unparked",
];
