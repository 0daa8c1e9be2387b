//! How far a folder was read: which of its mails the inlet has. Pure arithmetic over UIDs.
//!
//! UIDs grow, but not without holes: mails were removed, or a server shows one later than the next. What
//! was not there when it was looked for is remembered as a gap, the newest ones of them, and looked for
//! again. The UIDVALIDITY of the folder is the epoch; in another epoch the same UID is another mail.

use postroom_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::GAPS_MAX;

/// UIDs from the first to the last of them.
pub(crate) type Span = (u32, u32);

/// A place in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// UIDVALIDITY; 0 where the server tells none.
    pub(crate) epoch: u32,
    /// The largest UID up to which everything was looked at, and what was there is stored.
    pub(crate) top: u32,
    /// What was not there, below `top`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<Span>,
    /// UIDs up to which the folder may hold what is stored already, from another epoch.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) anew: u32,
    /// Mails that are not to be taken stand up to here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) passed: u32,
    /// What came to the server before then is not to be taken, in any epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Timestamp>,
    /// HIGHESTMODSEQ when all of it was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changes: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a server says of a folder when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shown {
    /// UIDVALIDITY.
    pub(crate) epoch: Option<u32>,
    /// UIDNEXT: what the next mail will have, or more.
    pub(crate) next: Option<u32>,
    /// Mails that are there.
    pub(crate) exists: u32,
    /// HIGHESTMODSEQ.
    pub(crate) changes: Option<u64>,
}

/// What a place is worth in a folder as it is shown now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Reading goes on from it.
    Good,
    /// The folder was made anew: UIDVALIDITY is another one.
    OtherEpoch,
    /// UIDNEXT is below what was read: the folder was set back.
    Rewound,
}

impl Place {
    /// Before everything that a folder holds; what is stored of it already is known by its id.
    pub(crate) fn anew(shown: &Shown, since: Option<Timestamp>) -> Self {
        Self {
            epoch: shown.epoch.unwrap_or(0),
            top: 0,
            gaps: Vec::new(),
            anew: shown.next.map_or(u32::MAX, |next| next.saturating_sub(1)),
            passed: 0,
            since,
            changes: None,
        }
    }

    /// Behind everything that a folder holds now, if the server tells where that is.
    pub(crate) fn behind(shown: &Shown, now: Timestamp) -> Option<Self> {
        let top = shown.next?.saturating_sub(1);
        let place = Self::anew(shown, Some(now));
        Some(Self { top, passed: top, anew: 0, ..place })
    }

    /// None if it is not ours.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn standing(&self, shown: &Shown) -> Standing {
        if shown.epoch.unwrap_or(0) != self.epoch {
            Standing::OtherEpoch
        } else if shown.next.is_some_and(|next| next <= self.top) {
            Standing::Rewound
        } else {
            Standing::Good
        }
    }

    /// Whether nothing can have come since all of it was last looked at.
    pub(crate) fn is_unchanged(&self, shown: &Shown) -> bool {
        let nothing_next = shown.next == self.top.checked_add(1);
        let nothing_changed = shown.changes.is_some() && shown.changes == self.changes;
        nothing_next && (self.gaps.is_empty() || nothing_changed)
    }

    /// Whether what stands here may be stored already.
    pub(crate) fn is_anew(&self) -> bool {
        self.top < self.anew
    }

    /// Whether it is the same for whoever begins there: what was last seen of changes only spares a look.
    pub(crate) fn is_as_good_as(&self, other: &Self) -> bool {
        Self { changes: other.changes, ..self.clone() } == *other
    }

    /// What is missing; the largest contiguous UID stands before the first of it.
    pub(crate) fn gaps(&self) -> &[Span] {
        &self.gaps
    }

    /// UIDs of mails that were taken, as far as they are still there.
    pub(crate) fn taken(&self) -> Option<Span> {
        let first = self.passed.checked_add(1)?;
        (first <= self.top).then_some((first, self.top))
    }

    /// Everything up to `upto` was looked at: `stored`, in order, was there and the inlet has it, the
    /// rest was not there.
    pub(crate) fn advance(&mut self, stored: &[u32], upto: u32) {
        for uid in stored {
            self.fill(*uid);
        }
        if upto <= self.top {
            return;
        }
        let mut next = self.top.saturating_add(1);
        for uid in stored.iter().copied().filter(|uid| (self.top < *uid) && (*uid <= upto)) {
            if next < uid {
                self.gaps.push((next, uid - 1));
            }
            next = uid.saturating_add(1);
        }
        if next <= upto {
            self.gaps.push((next, upto));
        }
        self.top = upto;
        let over = self.gaps.len().saturating_sub(GAPS_MAX);
        self.gaps.drain(..over);
    }

    fn fill(&mut self, uid: u32) {
        let Some(at) = self.gaps.iter().position(|(first, last)| (*first..=*last).contains(&uid))
        else {
            return;
        };
        let (first, last) = self.gaps.remove(at);
        // Backwards, for each is put where the one after it stands.
        if let Some(next) = uid.checked_add(1).filter(|next| *next <= last) {
            self.gaps.insert(at, (next, last));
        }
        if first < uid {
            self.gaps.insert(at, (first, uid - 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use postroom_model::Timestamp;
    use proptest::prelude::*;

    use super::{Place, Shown, Standing};
    use crate::limits::GAPS_MAX;

    fn shown(epoch: u32, next: u32) -> Shown {
        Shown { epoch: Some(epoch), next: Some(next), exists: 0, changes: None }
    }

    fn at(epoch: u32, top: u32) -> Place {
        let mut place = Place::anew(&shown(epoch, 1), None);
        place.top = top;
        place
    }

    #[test]
    fn place_is_judged_by_epoch_and_next_uid() {
        for (next, epoch, standing) in [
            (8, 3, Standing::Good),
            (800, 3, Standing::Good),
            (7, 3, Standing::Rewound),
            (8, 4, Standing::OtherEpoch),
        ] {
            assert_eq!(at(3, 7).standing(&shown(epoch, next)), standing, "{next} {epoch}");
        }
        let silent = Shown::default();
        assert_eq!(at(0, 7).standing(&silent), Standing::Good);
        assert_eq!(at(3, 7).standing(&silent), Standing::OtherEpoch);
    }

    #[test]
    fn what_was_not_there_is_a_gap_until_it_comes() {
        let mut place = at(3, 0);
        place.advance(&[2, 3, 7], 9);
        assert_eq!((place.gaps(), place.top), (&[(1, 1), (4, 6), (8, 9)][..], 9));
        place.advance(&[1, 5], 9);
        assert_eq!(place.gaps(), [(4, 4), (6, 6), (8, 9)]);
        place.advance(&[4, 6, 8, 9, 10], 10);
        assert_eq!((place.gaps(), place.top), (&[][..], 10));
    }

    #[test]
    fn only_the_newest_gaps_are_remembered() {
        let mut place = at(3, 0);
        let even: Vec<u32> = (1..=500).map(|number| number * 2).collect();
        place.advance(&even, 1_000);
        assert_eq!((place.gaps().len(), place.gaps().last()), (GAPS_MAX, Some(&(999, 999))));
        assert_eq!(Place::read(&place.write()), Some(place));
    }

    #[test]
    fn nothing_is_looked_for_where_nothing_can_have_come() {
        let mut place = at(3, 7);
        assert!(place.is_unchanged(&shown(3, 8)));
        assert!(!place.is_unchanged(&shown(3, 9)));
        place.advance(&[9], 9);
        place.changes = Some(5);
        let changed = |changes| Shown { changes, ..shown(3, 10) };
        assert!(place.is_unchanged(&changed(Some(5))));
        assert!(!place.is_unchanged(&changed(Some(6))) && !place.is_unchanged(&changed(None)));
    }

    #[test]
    fn folder_that_begins_now_has_nothing_to_take_and_passes_over_what_was_before() {
        let now = Timestamp::from_millis(5);
        let place = Place::behind(&shown(3, 10), now).unwrap();
        assert_eq!((place.top, place.taken(), place.is_anew()), (9, None, false));
        assert_eq!(Place::behind(&Shown::default(), now), None);
        let anew = Place::anew(&shown(4, 10), place.since);
        assert!(anew.is_anew() && anew.since == Some(now));
        for foreign in ["", "7", "{}", "{\"epoch\":\"3\"}"] {
            assert_eq!(Place::read(foreign), None, "{foreign}");
        }
    }

    proptest! {
        /// In whatever order mails appear and looks are made, nothing is missed that shows up while its
        /// gap is remembered, and what is in no gap was stored.
        #[test]
        fn each_uid_below_the_top_is_stored_or_in_a_gap(
            looks in proptest::collection::vec(
                (proptest::collection::btree_set(1_u32..80, 0..10), 1_u32..80), 1..8),
        ) {
            let mut place = at(3, 0);
            let mut stored = std::collections::BTreeSet::new();
            for (uids, upto) in looks {
                let upto = upto.max(place.top);
                let fresh: Vec<u32> = uids.into_iter().filter(|uid| *uid <= upto).collect();
                place.advance(&fresh, upto);
                stored.extend(fresh);
                for uid in 1..=place.top {
                    let missing = place.gaps().iter().any(|(a, b)| (*a..=*b).contains(&uid));
                    prop_assert_eq!(missing, !stored.contains(&uid), "{} in {:?}", uid, place);
                }
                prop_assert!(place.gaps().windows(2).all(|pair| pair[0].1 < pair[1].0));
            }
        }
    }
}
