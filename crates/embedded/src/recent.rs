//! The newest entries of inlet and ledger, as this process stored them, so that those who follow them
//! need not read from the file what was in memory a moment before.
//!
//! It holds a run without gaps and only what is on the disk. What it does not hold is read from the
//! file: older entries, and whatever other processes write.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use postroom_bus::{Entry, ReadLimits};

/// Bytes held. A follower that lags further reads from the file.
const BYTES_MAX: usize = 8 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Run>);

/// Entries whose sequences follow each other.
#[derive(Debug, Default)]
struct Run {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Recent {
    /// Takes an entry that is stored. If another process stored one in between, the run begins anew.
    pub(crate) fn push(&self, entry: Entry) {
        let mut run = self.run();
        if run.entries.back().is_some_and(|last| last.seq + 1 != entry.seq) {
            *run = Run::default();
        }
        run.bytes += entry.bytes.len();
        run.entries.push_back(entry);
        while run.bytes > BYTES_MAX {
            let Some(oldest) = run.entries.pop_front() else { break };
            run.bytes -= oldest.bytes.len();
        }
    }

    /// Entries after `after`, as a read of the file would give them; none if the file has to be asked.
    pub(crate) fn after(&self, after: u64, limits: ReadLimits) -> Option<Vec<Entry>> {
        let run = self.run();
        let first = run.entries.front()?.seq;
        let skip = usize::try_from(after.checked_add(1)?.checked_sub(first)?).ok()?;
        let mut bytes = 0_usize;
        let mut found = Vec::new();
        for entry in run.entries.iter().skip(skip).take(limits.entries_max.max(1)) {
            bytes = bytes.saturating_add(entry.bytes.len());
            if bytes > limits.bytes_max && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        // Nothing here may still be something there.
        (!found.is_empty()).then_some(found)
    }

    /// Forgets entries up to and with `through`.
    pub(crate) fn trim(&self, through: u64) {
        let mut run = self.run();
        while run.entries.front().is_some_and(|oldest| oldest.seq <= through) {
            let bytes = run.entries.pop_front().map_or(0, |oldest| oldest.bytes.len());
            run.bytes -= bytes;
        }
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use postroom_bus::{Entry, ReadLimits};

    use super::{BYTES_MAX, Recent};

    fn entry(seq: u64, bytes: usize) -> Entry {
        Entry { seq, bytes: Bytes::from(vec![1; bytes]) }
    }

    fn seqs(recent: &Recent, after: u64, entries_max: usize, bytes_max: usize) -> Option<Vec<u64>> {
        let found = recent.after(after, ReadLimits { entries_max, bytes_max })?;
        Some(found.iter().map(|entry| entry.seq).collect())
    }

    #[test]
    fn run_is_given_from_where_it_is_asked_for_and_within_limits() {
        let recent = Recent::default();
        assert_eq!(seqs(&recent, 0, 10, 100), None);
        for seq in 5..10 {
            recent.push(entry(seq, 10));
        }
        for (after, entries_max, bytes_max, expected) in [
            (3, 10, 1_000, None),
            (4, 10, 1_000, Some(vec![5, 6, 7, 8, 9])),
            (6, 2, 1_000, Some(vec![7, 8])),
            (4, 10, 25, Some(vec![5, 6])),
            (4, 0, 0, Some(vec![5])),
            (9, 10, 1_000, None),
            (u64::MAX, 10, 1_000, None),
        ] {
            assert_eq!(seqs(&recent, after, entries_max, bytes_max), expected, "after {after}");
        }
    }

    #[test]
    fn gap_begins_the_run_anew() {
        let recent = Recent::default();
        recent.push(entry(1, 10));
        recent.push(entry(2, 10));
        recent.push(entry(4, 10));
        assert_eq!(seqs(&recent, 1, 10, 1_000), None, "3 is only in the file");
        assert_eq!(seqs(&recent, 3, 10, 1_000), Some(vec![4]));
    }

    #[test]
    fn oldest_go_when_there_are_too_many_bytes() {
        let recent = Recent::default();
        for seq in 1..=9 {
            recent.push(entry(seq, BYTES_MAX / 4));
        }
        assert_eq!(seqs(&recent, 4, 10, usize::MAX), None);
        assert_eq!(seqs(&recent, 5, 10, usize::MAX), Some(vec![6, 7, 8, 9]));
        recent.trim(7);
        assert_eq!(seqs(&recent, 6, 10, usize::MAX), None);
        assert_eq!(seqs(&recent, 7, 10, usize::MAX), Some(vec![8, 9]));
        recent.trim(9);
        assert_eq!(seqs(&recent, 0, 10, usize::MAX), None);
    }
}
