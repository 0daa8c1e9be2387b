//! P2 and P4: one outcome for each input, in the order of the inlet, and a ledger that is one chain
//! of one writer at a time.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::digest::Digest;
use postroom_model::{InputId, Outcome, OutcomeKind, Position, Timestamp};

use super::{Case, Complaints};

pub(super) fn judge(case: &Case<'_>, complaints: &mut Complaints) {
    one_chain(case, complaints);
    one_writer(case, complaints);
    one_outcome_each(case, complaints);
    decided_once(case, complaints);
}

fn one_chain(case: &Case<'_>, complaints: &mut Complaints) {
    let (mut hash, mut next_event, mut inlet_seq) = (Digest::ZERO, 1, 0);
    for (((seq, envelope), own_hash), expected) in
        case.envelopes.iter().zip(&case.hashes).zip(1u64..)
    {
        complaints.unless(*seq == expected, || format!("P4: {seq} stands where {expected} should"));
        complaints.unless(envelope.prev_hash == hash, || format!("P4: {seq} breaks the chain"));
        complaints.unless(envelope.first_event == next_event, || {
            format!("P4: {seq} begins at event {}, not {next_event}", envelope.first_event)
        });
        complaints.unless(envelope.inlet_seq >= inlet_seq, || {
            format!("P4: {seq} goes back in the inlet to {}", envelope.inlet_seq)
        });
        for outcome in envelope.transitions.iter().filter_map(|one| one.outcome.as_ref()) {
            let consumed = inlet_seq + 1..=envelope.inlet_seq;
            complaints.unless(consumed.contains(&outcome.position.seq), || {
                format!("P4: {seq} answers {:?}, which it does not consume", outcome.position)
            });
        }
        hash = *own_hash;
        next_event = envelope.last_event() + 1;
        inlet_seq = envelope.inlet_seq;
    }
}

/// An epoch is one writer's, and the next writer's is greater.
fn one_writer(case: &Case<'_>, complaints: &mut Complaints) {
    let mut before = None;
    let mut gone = BTreeSet::new();
    for (seq, envelope) in &case.envelopes {
        let now = (envelope.epoch, envelope.writer);
        if let Some((epoch, writer)) = before.filter(|before| *before != now) {
            complaints.unless(now.0 > epoch && now.1 != writer, || {
                format!("P4: at {seq} the epoch goes from {epoch} to {}", now.0)
            });
            gone.insert(writer);
        }
        complaints.unless(!gone.contains(&now.1), || {
            format!("P4: the writer of {seq} had stepped down before")
        });
        before = Some(now);
    }
}

fn one_outcome_each(case: &Case<'_>, complaints: &mut Complaints) {
    let outcomes: Vec<&Outcome> =
        case.transitions().filter_map(|(_, transition)| transition.outcome.as_ref()).collect();
    let mut answered = outcomes.iter();
    for (position, input) in &case.inputs {
        let Some(outcome) = answered.next() else {
            complaints.add(format!("P2: no outcome for {position:?}"));
            return;
        };
        if outcome.position != *position {
            let found = outcome.position;
            complaints.add(format!("P2: an outcome for {found:?} where {position:?} is next"));
            return;
        }
        match input {
            Some(input) => complaints.unless(outcome.input == input.id, || {
                format!("P2: the outcome at {position:?} names another input")
            }),
            None => complaints.unless(
                matches!(outcome.kind, OutcomeKind::Parked | OutcomeKind::Duplicate),
                || format!("P9: what is unreadable at {position:?} was not set aside"),
            ),
        }
    }
    complaints.unless(answered.next().is_none(), || "P2: more outcomes than inputs".to_owned());
}

/// The first outcome of an input is its decision; all later ones are duplicates of it.
fn decided_once(case: &Case<'_>, complaints: &mut Complaints) {
    let mut decided: BTreeMap<InputId, (Position, Timestamp)> = BTreeMap::new();
    for (envelope, transition) in case.transitions() {
        let Some(outcome) = &transition.outcome else { continue };
        let (id, kind, position) = (outcome.input, outcome.kind, outcome.position);
        let again = (position, envelope.at);
        match decided.get(&id) {
            None => {
                complaints.unless(kind != OutcomeKind::Duplicate, || {
                    format!("P2: the first outcome of {id} is that of a duplicate")
                });
                decided.insert(id, again);
            }
            Some(first) => complaints.unless(kind == OutcomeKind::Duplicate, || {
                format!("P2: {id} was decided at {first:?}, as {kind:?} at {again:?} too")
            }),
        }
    }
    let stored: BTreeSet<InputId> =
        case.inputs.iter().filter_map(|(_, input)| Some(input.as_ref()?.id)).collect();
    for id in &case.notes.acknowledged {
        complaints.unless(stored.contains(id), || format!("P1: {id} is not in the inlet"));
        complaints.unless(decided.contains_key(id), || format!("P2: {id} has no outcome"));
    }
}
