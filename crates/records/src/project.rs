//! From the ledger into the records: what catching up and rebuilding do.

use std::collections::BTreeSet;

use postroom_model::Envelope;

use crate::{Change, Ground, Key, Records, RecordsError, Sheet, Standing, fold};

/// The keys whose rows must be known before the envelope can be folded, as far as its events name
/// them. Rows that it makes itself are not among them.
pub fn keys_of(envelope: &Envelope) -> Vec<Key> {
    keys_of_all(std::iter::once(envelope))
}

fn keys_of_all<'a>(envelopes: impl Iterator<Item = &'a Envelope>) -> Vec<Key> {
    let mut made = BTreeSet::new();
    let mut keys = BTreeSet::from([Key::Totals]);
    for (_, _, event) in envelopes.flat_map(Envelope::events) {
        fold::edited(event, &mut |key| {
            if !made.contains(&key) {
                keys.insert(key);
            }
        });
        made.extend(fold::created(event));
    }
    keys.into_iter().collect()
}

/// Folds all outcomes and events of an envelope. `previous` is where the records stood before it.
pub fn fold_envelope(sheet: &mut Sheet, envelope: &Envelope, previous: Standing) {
    let mut positions = envelope.first_event..;
    for transition in &envelope.transitions {
        if let Some(outcome) = &transition.outcome {
            sheet.fold_outcome(outcome, envelope.at);
        }
        for (event, position) in transition.events.iter().zip(&mut positions) {
            sheet.fold(position, transition, event, &envelope.bodies);
        }
    }
    sheet.finish(envelope, previous);
}

/// Where the records stand once they hold `envelope`, which the ledger has at `seq`.
pub fn standing_after(seq: u64, envelope: &Envelope) -> Standing {
    Standing { seq, last_event: envelope.last_event(), at: envelope.at }
}

/// Brings the records from `from` to the envelope that the ledger has at `seq`, in one write.
pub async fn project(
    records: &dyn Records,
    from: Standing,
    seq: u64,
    envelope: &Envelope,
) -> Result<Standing, RecordsError> {
    project_all(records, from, || std::iter::once((seq, envelope))).await
}

/// The same for envelopes one after the other, in one write: for catching up and rebuilding. The
/// records are then as if each had been written alone. The caller bounds how many.
pub async fn project_many(
    records: &dyn Records,
    from: Standing,
    envelopes: &[(u64, Envelope)],
) -> Result<Standing, RecordsError> {
    if envelopes.is_empty() {
        return Ok(from);
    }
    project_all(records, from, || envelopes.iter().map(|(seq, envelope)| (*seq, envelope))).await
}

async fn project_all<'a, I>(
    records: &dyn Records,
    from: Standing,
    envelopes: impl Fn() -> I + Send,
) -> Result<Standing, RecordsError>
where
    I: Iterator<Item = (u64, &'a Envelope)>,
{
    let ground = Ground { records, above: None, seq: from.seq };
    let (standing, changes) = fold_all(ground, from, envelopes).await?;
    records.write(from.seq, standing, changes.into()).await?;
    Ok(standing)
}

/// What envelopes, one after the other, make of the records that stand at `from` once what is above them
/// is written: where they then stand, and what changes. Writes nothing.
pub async fn fold_many(
    ground: Ground<'_>,
    from: Standing,
    envelopes: &[(u64, Envelope)],
) -> Result<(Standing, Vec<Change>), RecordsError> {
    fold_all(ground, from, || envelopes.iter().map(|(seq, envelope)| (*seq, envelope))).await
}

async fn fold_all<'a, I>(
    ground: Ground<'_>,
    from: Standing,
    envelopes: impl Fn() -> I + Send,
) -> Result<(Standing, Vec<Change>), RecordsError>
where
    I: Iterator<Item = (u64, &'a Envelope)>,
{
    let mut sheet = Sheet::new();
    let keys = keys_of_all(envelopes().map(|(_, envelope)| envelope));
    ground.load(&mut sheet, keys).await?;
    let mut standing = from;
    for (seq, envelope) in envelopes() {
        fold_envelope(&mut sheet, envelope, standing);
        standing = standing_after(seq, envelope);
    }
    loop {
        let keys = sheet.deferred_keys();
        if keys.is_empty() {
            return Ok((standing, sheet.into_changes()));
        }
        ground.load(&mut sheet, keys).await?;
        sheet.settle();
    }
}
