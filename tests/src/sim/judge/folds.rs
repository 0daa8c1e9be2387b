//! P5: the records, the state of the router and its snapshots are the fold of the ledger, byte for
//! byte.

use postroom_bus::Blobs;
use postroom_model::Envelope;
use postroom_records::{MemoryRecords, Records, Row, Standing, project_many};
use postroom_routing::State;

use super::{Case, Complaints};
use crate::sim::dice::Draw;
use crate::sim::stage::Stage;

pub(super) async fn judge(
    stage: &Stage,
    blobs: &Blobs,
    case: &Case<'_>,
    complaints: &mut Complaints,
) {
    if let Err(error) = same_records(stage, case, complaints).await {
        complaints.add(format!("P5: the ledger cannot be folded: {error}"));
    }
    same_state(stage, blobs, case, complaints).await;
    let (inlet, ledger) = (stage.inlet.as_ref(), stage.ledger.as_ref());
    let report = postroom_router::verify(inlet, ledger, stage.records.as_ref(), &|_, _| {}).await;
    match report {
        Ok(report) => {
            for problem in report.problems {
                complaints.add(format!("P5: verify says: {problem}"));
            }
            complaints.unless(report.in_flight == 0 && report.unaccounted == 0, || {
                let (in_flight, unaccounted) = (report.in_flight, report.unaccounted);
                format!("P2: verify counts {in_flight} in flight, {unaccounted} unaccounted")
            });
        }
        Err(error) => complaints.add(format!("P5: verify fails: {error}")),
    }
}

/// Projected again, in parts of any size, the ledger gives the same rows.
async fn same_records(
    stage: &Stage,
    case: &Case<'_>,
    complaints: &mut Complaints,
) -> Result<(), postroom_records::RecordsError> {
    let anew = MemoryRecords::default();
    let mut draw = Draw::new(stage.plan.seed, "parts", 0);
    let mut standing = Standing::default();
    let mut rest = case.envelopes.as_slice();
    while !rest.is_empty() {
        let size = 1 + usize::try_from(draw.below(9)).unwrap_or(0);
        let (part, after) = rest.split_at(size.min(rest.len()));
        standing = project_many(&anew, standing, part).await?;
        rest = after;
    }
    complaints.unless(stage.records.standing().await? == standing, || {
        "P5: the records do not stand at the end of the ledger".to_owned()
    });
    let ours = anew.scan(None, usize::MAX).await?;
    let theirs = stage.records.scan(None, usize::MAX).await?;
    complaints.unless(ours.len() == theirs.len(), || {
        format!("P5: the records have {} rows, the fold {}", theirs.len(), ours.len())
    });
    for ((key, row), (other_key, other)) in ours.iter().zip(&theirs) {
        complaints.unless(key == other_key && row == other && bytes(row) == bytes(other), || {
            format!("P5: {key:?} is {} by the fold, {other_key:?} is {}", bytes(row), bytes(other))
        });
    }
    Ok(())
}

fn bytes(row: &Row) -> String {
    serde_json::to_string(row).unwrap_or_default()
}

/// Each snapshot and the ledger after it give the state that the whole ledger gives. One at the end
/// is that of the live state at the shutdown; there is none if the last router stood by.
async fn same_state(stage: &Stage, blobs: &Blobs, case: &Case<'_>, complaints: &mut Complaints) {
    let mut folded = State::new();
    for (_, envelope) in &case.envelopes {
        fold(&mut folded, envelope);
    }
    let Ok(whole) = folded.to_snapshot() else {
        complaints.add("P5: the state cannot be written".to_owned());
        return;
    };
    let names = blobs.snapshots().await.unwrap_or_default();
    let last = case.envelopes.last().map_or(0, |(seq, _)| *seq);
    for name in names {
        let seq = name.ledger_seq;
        let bytes = match blobs.get_snapshot(&name).await {
            Ok(bytes) => bytes,
            Err(error) => {
                complaints.add(format!("P5: the snapshot at {seq} cannot be read: {error}"));
                continue;
            }
        };
        let Ok(mut state) = State::from_snapshot(&bytes) else {
            complaints.add(format!("P5: the snapshot at {seq} is not one"));
            continue;
        };
        for (_, envelope) in case.envelopes.iter().filter(|(at, _)| *at > seq) {
            fold(&mut state, envelope);
        }
        let same = state.to_snapshot().is_ok_and(|bytes| bytes == whole);
        complaints.unless(same, || format!("P5: from the snapshot at {seq}, another state"));
        if seq == last {
            let live = bytes.as_ref() == whole.as_slice();
            complaints.unless(live, || "P5: the live state is not the fold".to_owned());
            stage.count("live state compared");
        } else {
            stage.count("snapshot of before");
        }
    }
}

fn fold(state: &mut State, envelope: &Envelope) {
    for transition in &envelope.transitions {
        for event in &transition.events {
            state.apply(transition.at, event);
        }
    }
}
