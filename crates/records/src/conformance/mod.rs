//! What every backend of the records must do. Each runs this against an empty instance; it leaves rows
//! behind, so the instance must be one that may be thrown away.
#![expect(clippy::unwrap_used, reason = "a conformance suite fails by panicking")]

mod history;
mod listings;
mod others;
mod samples;
mod writes;

pub use history::history;
use postroom_model::Timestamp;

use crate::{Change, Key, Records, Row, Standing};

/// Runs the suite; panics where the records do not conform.
pub async fn run(records: &dyn Records) {
    writes::run(records).await;
    listings::run(records).await;
    others::run(records).await;
    history::run(records).await;
}

/// Clears the records and puts the rows, at sequence 1.
async fn start_with(records: &dyn Records, rows: Vec<(Key, Row)>) {
    records.clear().await.unwrap();
    let puts = rows.into_iter().map(|(key, row)| Change::Put(key, row)).collect();
    records.write(0, at(1), puts).await.unwrap();
}

/// Writes on from wherever the records stand.
async fn change(records: &dyn Records, changes: Vec<Change>) {
    let from = records.standing().await.unwrap();
    records.write(from.seq, at(from.seq + 1), changes.into()).await.unwrap();
}

fn at(seq: u64) -> Standing {
    let millis = i64::try_from(seq).unwrap();
    Standing { seq, last_event: 10 * seq, at: Timestamp::from_millis(millis) }
}

/// Every row, read in pages; checks that keys only ascend.
async fn scan_all(records: &dyn Records, page: usize) -> Vec<(Key, Row)> {
    let mut rows: Vec<(Key, Row)> = Vec::new();
    loop {
        let last = rows.last().map(|(key, _)| key.clone());
        let more = records.scan(last.as_ref(), page).await.unwrap();
        assert!(more.len() <= page, "a scan gives no more than asked for");
        if more.is_empty() {
            break;
        }
        rows.extend(more);
        // Before the next page, so that a scan which goes round in circles ends.
        assert!(rows.is_sorted_by(|(one, _), (other, _)| one < other), "a scan ascends");
    }
    rows
}
