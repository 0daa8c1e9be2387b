//! Which inputs were surely never seen, told from memory: a Bloom filter over the ids that the records
//! hold. It saves the question to the file for almost every new message. What it says is for the doors
//! alone: who decides asks the file (P3).
//!
//! Ids are forgotten by the file after days and stay in the filter until the next start; that costs a
//! question now and then. What another process writes is not in it; there an answer says "accepted"
//! for what the router then finds to be a duplicate.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use postroom_model::InputId;
use postroom_records::{Change, Key};
use rusqlite::Connection;

use crate::failure::Failure;
use crate::readers::Readers;

use super::rows::from_id;

/// Ids that the first layer is made for: 128 KiB.
const FIRST_IDS: usize = 65_536;
/// Bits for each id, of which each sets [`PROBES`]: one new id in 400 is taken for a known one.
const BITS_EACH: usize = 16;
const PROBES: u64 = 4;
/// Rows read in one transaction, so that none holds up the engine.
const ROWS_EACH: i64 = 20_000;

/// One array of bits. It is full when as many ids were added as it was made for.
#[derive(Debug)]
struct Layer {
    words: Box<[AtomicU64]>,
    ids_max: usize,
    ids: AtomicUsize,
}

impl Layer {
    /// `ids_max` is a power of two.
    fn new(ids_max: usize) -> Self {
        let words = ids_max * BITS_EACH / 64;
        Self { words: (0..words).map(|_| AtomicU64::new(0)).collect(), ids_max, ids: 0.into() }
    }

    /// The words and bits of an id. Ids are hashes themselves, so their two halves are two hashes.
    fn places(&self, id: InputId) -> impl Iterator<Item = (&AtomicU64, u64)> {
        let (high, low) = id.0.as_u64_pair();
        (0..PROBES).filter_map(move |probe| {
            let mixed = low.wrapping_add(probe.wrapping_mul(high | 1));
            let mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            // The upper bits of a product depend on all of its factors.
            let place = usize::try_from(mixed >> 38).unwrap_or_default() % self.words.len().max(1);
            self.words.get(place).map(|word| (word, 1 << (mixed >> 32 & 63)))
        })
    }

    fn add(&self, id: InputId) {
        for (word, bit) in self.places(id) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        self.ids.fetch_add(1, Ordering::Relaxed);
    }

    fn may_hold(&self, id: InputId) -> bool {
        self.places(id).all(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn is_full(&self) -> bool {
        self.ids.load(Ordering::Relaxed) >= self.ids_max
    }
}

/// The ids seen. Knows nothing until [`Seen::gather`] has read the file.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    layers: RwLock<Vec<Layer>>,
    complete: AtomicBool,
}

impl Seen {
    pub(super) fn surely_unseen(&self, id: InputId) -> bool {
        self.complete.load(Ordering::Acquire) && {
            let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
            !layers.iter().any(|layer| layer.may_hold(id))
        }
    }

    /// Before the changes are written, whether anybody asks yet or not: what is written while
    /// [`Seen::gather`] reads is then in the one or in the other.
    pub(super) fn add(&self, changes: &[Change]) {
        self.add_all(changes.iter().filter_map(|change| match change {
            Change::Put(Key::Seen(id), _) => Some(*id),
            _ => None,
        }));
    }

    fn add_all(&self, ids: impl Iterator<Item = InputId>) {
        let mut layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            if layers.last().is_none_or(Layer::is_full) {
                drop(layers);
                self.grow();
                layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
            }
            if let Some(layer) = layers.last() {
                layer.add(id);
            }
        }
    }

    fn grow(&self) {
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        if layers.last().is_none_or(Layer::is_full) {
            let ids_max = layers.last().map_or(FIRST_IDS, |layer| layer.ids_max * 2);
            layers.push(Layer::new(ids_max));
        }
    }

    /// Adds what the file holds; from then on this knows.
    pub(super) async fn gather(&self, readers: &Readers) -> Result<(), Failure> {
        let mut after = 0;
        loop {
            let rows = readers.read(move |db| rows_after(db, after)).await?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            self.add_all(rows.into_iter().map(|(_, id)| id));
        }
        self.complete.store(true, Ordering::Release);
        Ok(())
    }
}

fn rows_after(db: &Connection, after: i64) -> Result<Vec<(i64, InputId)>, Failure> {
    let sql = "SELECT n, id FROM seen WHERE n > ?1 ORDER BY n LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([after, ROWS_EACH])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, InputId(from_id(row.get_ref(1)?.as_blob()?)?)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use postroom_model::{InputId, Random as _, SeededRandom};
    use uuid::Uuid;

    use super::{FIRST_IDS, Seen};

    fn ids(seed: u64, count: usize) -> Vec<InputId> {
        let random = SeededRandom::new(seed);
        let id = || {
            let mut bytes = [0; 16];
            random.fill(&mut bytes);
            InputId(Uuid::new_v8(bytes))
        };
        (0..count).map(|_| id()).collect()
    }

    #[test]
    fn what_was_added_may_be_held_and_almost_nothing_else() {
        let seen = Seen::default();
        let known = ids(1, 4 * FIRST_IDS);
        seen.add_all(known.iter().copied());
        seen.complete.store(true, std::sync::atomic::Ordering::Release);
        assert!(!known.iter().any(|id| seen.surely_unseen(*id)), "none of them is forgotten");
        let others = ids(2, 10_000);
        let told = others.iter().filter(|id| seen.surely_unseen(**id)).count();
        assert!(told > 9_900, "{told} of 10,000 were told apart");
        assert_eq!(seen.layers.read().unwrap().len(), 3, "it has grown");
    }

    #[test]
    fn before_it_has_read_the_file_it_knows_nothing() {
        assert!(!Seen::default().surely_unseen(ids(1, 1)[0]));
    }
}
