//! Reads the ledger from its start into a [`Recording`], for a dry run. Reads only; works beside a running
//! server.

use postroom_bus::{Entry, Ledger, ReadLimits};
use postroom_routing::dry_run::Recording;

use crate::RouterError;
use crate::recover::{Progress, Tail};

const READ: ReadLimits = ReadLimits { entries_max: 1_024, bytes_max: 4 * 1024 * 1024 };

/// Feeds the recording with every event up to the ledger's tail of now. `progress` is told how many
/// envelopes of how many are read.
pub async fn record(
    ledger: &dyn Ledger,
    mut recording: Recording,
    progress: Progress<'_>,
) -> Result<Recording, RouterError> {
    let last = ledger.tail().await?.map_or(0, |tail| tail.seq);
    let mut tail = Tail::EMPTY;
    let mut entries = ledger.read(0, READ).await?;
    while tail.seq < last {
        let Some(read) = entries.last().map(|entry| entry.seq) else {
            let cause = "the ledger ends before its tail".to_owned();
            return Err(RouterError::LedgerDamaged { seq: tail.seq + 1, cause });
        };
        // Reading goes on meanwhile.
        let noted = tokio::task::spawn_blocking(move || note(recording, tail, &entries, last));
        let (noted, next) = tokio::join!(noted, ledger.read(read, READ));
        let Ok(noted) = noted else {
            let cause = "its events could not be read".to_owned();
            return Err(RouterError::LedgerDamaged { seq: tail.seq + 1, cause });
        };
        (recording, tail) = noted?;
        entries = next?;
        progress(tail.seq, last);
    }
    Ok(recording)
}

fn note(
    mut recording: Recording,
    mut tail: Tail,
    entries: &[Entry],
    last: u64,
) -> Result<(Recording, Tail), RouterError> {
    for entry in entries.iter().take_while(|entry| entry.seq <= last) {
        let envelope = tail.follow(entry.seq, &entry.bytes)?;
        for (_, transition, event) in envelope.events() {
            recording.note(transition.at, event, &envelope.bodies);
        }
    }
    Ok((recording, tail))
}
