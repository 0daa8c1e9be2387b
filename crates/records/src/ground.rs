//! What is decided or folded on: the records, and above them the write that is under way.
//!
//! What a write makes of the records is known before they hold it. So the next one can be prepared on
//! the records with the rows of the first above them, and two things take turns on two processors
//! instead of one. This only reads; who writes, and what follows where a write fails, is the caller's.

use std::cmp::Ordering;

use crate::{Change, Key, Records, RecordsError, Row, Sheet};

/// A place in the ledger at which rows are loaded.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    pub records: &'a dyn Records,
    pub above: Option<Above<'a>>,
    /// Sequence of the envelope as of which rows are wanted: where the records stand once what is above
    /// them is written.
    pub seq: u64,
}

/// A write that is under way.
#[derive(Debug, Clone, Copy)]
pub struct Above<'a> {
    /// Where the records stood before it.
    pub from: u64,
    /// What it changes, as [`Sheet::into_changes`] gives it.
    pub changes: &'a [Change],
}

impl Above<'_> {
    /// Whether it is known what stands anywhere after the write. Not where inputs are forgotten: which of
    /// them were there cannot be told from the changes.
    pub fn tells_all(&self) -> bool {
        !matches!(self.changes.first(), Some(Change::ForgetSeen { .. }))
    }

    /// What stands at `key` after the write, a row or nothing; `None` if the write does not touch it.
    pub fn row(&self, key: &Key) -> Option<Option<&Row>> {
        let found = self.changes.binary_search_by(|change| match change {
            Change::Put(other, _) | Change::Delete(other) => other.cmp(key),
            // It stands before all rows.
            Change::ForgetSeen { .. } => Ordering::Less,
        });
        match self.changes.get(found.ok()?)? {
            Change::Put(_, row) => Some(Some(row)),
            Change::Delete(_) => Some(None),
            Change::ForgetSeen { .. } => None,
        }
    }
}

impl Ground<'_> {
    /// Loads these rows into the sheet. Somebody may have cleared the records, set them back or brought
    /// them forward since they were asked where they stand: then [`RecordsError::Moved`].
    ///
    /// The totals come in the same answer as the rows and change with every envelope, so that they tell
    /// where the records stood at that moment: before the write that is under way, or after it. Rows that
    /// it does not touch are the same in both.
    pub async fn load(self, sheet: &mut Sheet, keys: Vec<Key>) -> Result<(), RecordsError> {
        let mut asked = Vec::with_capacity(keys.len() + 1);
        for key in keys {
            match self.above.as_ref().and_then(|above| above.row(&key)) {
                Some(row) => sheet.insert_loaded(key, row.cloned()),
                None => asked.push(key),
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        if !asked.contains(&Key::Totals) {
            asked.push(Key::Totals);
        }
        let rows = self.records.load(&asked).await?;
        if rows.len() != asked.len() {
            let (asked, got) = (asked.len(), rows.len());
            return Err(RecordsError::Damaged(format!("{got} rows came for {asked} keys")));
        }
        let mut stood_at = 0;
        for (key, row) in asked.into_iter().zip(rows) {
            if let (Key::Totals, Some(Row::Totals(totals))) = (&key, &row) {
                stood_at = totals.seq;
            }
            sheet.insert_loaded(key, row);
        }
        if stood_at == self.seq || self.above.is_some_and(|above| above.from == stood_at) {
            return Ok(());
        }
        let actual = self.records.standing().await?.seq;
        Err(RecordsError::Moved { expected: self.seq, actual })
    }
}
