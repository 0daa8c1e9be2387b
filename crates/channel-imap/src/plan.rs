//! What to ask a server for: which mails are listed next, which are fetched together. Pure.

use crate::limits::{FETCH_BYTES_MAX, FETCH_MESSAGES_MAX, LISTED_MAX};
use crate::place::{Place, Span};

/// A mail that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    pub(crate) uid: u32,
    pub(crate) bytes: u64,
}

/// Mails that are taken in one go.
#[derive(Debug)]
pub(crate) struct Part {
    /// In the order of their UIDs.
    pub(crate) mails: Vec<Listed>,
    /// Everything up to here is dealt with when they are stored.
    pub(crate) upto: u32,
}

/// Lists a folder in steps. UIDs may have holes as wide as they like, so each step is as wide as what the
/// one before brought allows.
#[derive(Debug)]
pub(crate) struct Steps {
    next: u32,
    /// UIDNEXT, if the server tells it.
    end: Option<u32>,
    wide: u32,
}

/// UIDs of one step; the last one has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) first: u32,
    pub(crate) last: Option<u32>,
}

impl Steps {
    /// What stands above `top`.
    pub(crate) fn above(top: u32, next: Option<u32>) -> Self {
        Self { next: top.saturating_add(1), end: next, wide: LISTED_MAX }
    }

    /// The next step, which is the last one if it has no end.
    pub(crate) fn step(&self) -> Step {
        let last = self.next.saturating_add(self.wide - 1);
        let last = self.end.filter(|end| last.saturating_add(1) < *end).map(|_| last);
        Step { first: self.next, last }
    }

    /// Goes on behind a step that brought so many mails.
    pub(crate) fn went(&mut self, step: Step, found: usize) {
        let sparse = u32::try_from(found).unwrap_or(u32::MAX) < LISTED_MAX / 4;
        self.wide = if sparse { self.wide.saturating_mul(2) } else { LISTED_MAX };
        self.next = step.last.map_or(u32::MAX, |last| last.saturating_add(1));
    }
}

impl Step {
    /// As a set of UIDs. Gaps that are looked at again come first.
    pub(crate) fn set(self, gaps: &[Span]) -> String {
        let last = self.last.map_or_else(|| "*".to_owned(), |last| last.to_string());
        let above = format!("{}:{last}", self.first);
        if gaps.is_empty() { above } else { format!("{},{above}", spans(gaps)) }
    }

    /// Whether what a server answers was asked for: `n:*` always brings the last mail, too.
    pub(crate) fn holds(self, place: &Place, uid: u32) -> bool {
        let above = uid >= self.first && self.last.is_none_or(|last| uid <= last);
        above || place.gaps().iter().any(|(first, last)| (*first..=*last).contains(&uid))
    }
}

/// Those that may be asked for together, from the front of a list.
pub(crate) fn together(listed: &[Listed]) -> &[Listed] {
    let mut bytes = 0_u64;
    let count = listed.iter().take(FETCH_MESSAGES_MAX).take_while(|mail| {
        bytes = bytes.saturating_add(mail.bytes);
        bytes <= FETCH_BYTES_MAX
    });
    let count = count.count().max(1).min(listed.len());
    listed.get(..count).unwrap_or_default()
}

/// UIDs, in order, as a set with ranges.
pub(crate) fn set(uids: &[u32]) -> String {
    let mut found: Vec<Span> = Vec::new();
    for uid in uids {
        match found.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*uid) => *last = *uid,
            _ => found.push((*uid, *uid)),
        }
    }
    spans(&found)
}

fn spans(spans: &[Span]) -> String {
    let parts =
        spans.iter().map(
            |(first, last)| {
                if first == last { first.to_string() } else { format!("{first}:{last}") }
            },
        );
    parts.collect::<Vec<String>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::{Listed, Step, Steps, set, together};
    use crate::limits::{FETCH_BYTES_MAX, FETCH_MESSAGES_MAX, LISTED_MAX};
    use crate::place::{Place, Shown};

    /// Every step of a folder in which each step finds so many.
    fn walk(next: u32, found: usize) -> Vec<Step> {
        let mut steps = Steps::above(0, Some(next));
        let mut walked = Vec::new();
        loop {
            let step = steps.step();
            walked.push(step);
            if step.last.is_none() {
                return walked;
            }
            steps.went(step, found);
        }
    }

    #[test]
    fn steps_join_up_and_the_last_has_no_end() {
        for (next, found) in
            [(1, 0), (1_001, 1_000), (1_002, 1_000), (50_000, 5_000), (u32::MAX, 0)]
        {
            let walked = walk(next, found);
            let joined = |pair: &[Step]| pair[0].last.unwrap() + 1 == pair[1].first;
            assert!(walked.windows(2).all(joined), "{next}: {walked:?}");
            assert_eq!((walked[0].first, walked.last().unwrap().last), (1, None));
        }
        assert_eq!(walk(50_000, 5_000).len(), 10);
        // Four thousand million numbers with hardly a mail in them are few steps.
        assert!(walk(u32::MAX, 3).len() < 30);
    }

    #[test]
    fn unknown_end_is_one_step() {
        let step = Steps::above(7, None).step();
        assert_eq!(step, Step { first: 8, last: None });
        assert_eq!(step.set(&[(2, 2), (4, 6)]), "2,4:6,8:*");
        let mut place = Place::anew(&Shown::default(), None);
        place.advance(&[1, 3, 7], 7);
        for (uid, held) in [(2, true), (3, false), (7, false), (8, true), (900, true)] {
            assert_eq!(step.holds(&place, uid), held, "{uid}");
        }
        assert!(!Step { first: 8, last: Some(9) }.holds(&place, 10));
    }

    #[test]
    fn mails_are_fetched_together_as_far_as_the_limits_go() {
        let of = |bytes: u64, count: u32| -> Vec<Listed> {
            (1..=count).map(|uid| Listed { uid, bytes }).collect()
        };
        for (listed, count) in [
            (of(10, 3), 3),
            (of(10, 5_000), FETCH_MESSAGES_MAX),
            (of(FETCH_BYTES_MAX + 1, 2), 1),
            (of(FETCH_BYTES_MAX / 2, 5), 2),
            (vec![], 0),
        ] {
            assert_eq!(together(&listed).len(), count);
        }
        assert_eq!(set(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
        const { assert!(LISTED_MAX > 1) };
    }
}
