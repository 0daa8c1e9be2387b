//! Patterns of digits as one table, for the millions of numbers of a log: which of them fit is told
//! by one step a digit, where the library would try one after the other.
//!
//! A pattern fits if it is found at the very beginning of the digits, as the library asks. It is read
//! by the parser of the `regex` crate; one that asks for anything but digits fits nothing, and one
//! that looks around is not taken.

use std::collections::BTreeMap;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Patterns in one table.
pub(crate) const PATTERNS_MAX: usize = 16;
/// Steps of all patterns together, and states of the table: plans have some hundreds.
const STEPS_MAX: usize = 20_000;
const STATES_MAX: usize = 10_000;

/// Which patterns fit.
pub(crate) type Fits = u16;

/// What to do from each state at each digit. The first state is the beginning.
#[derive(Debug)]
pub(crate) struct Digits {
    next: Vec<[u16; 10]>,
    /// The patterns that were found by then.
    fits: Vec<Fits>,
}

impl Digits {
    /// None if a pattern cannot be read, or is too large.
    pub(crate) fn new(patterns: &[&str]) -> Option<Self> {
        if patterns.len() > PATTERNS_MAX {
            return None;
        }
        let mut steps = Steps::default();
        let mut begin = Vec::new();
        for (pattern, number) in patterns.iter().zip(0..) {
            let end = steps.push(Step::Found(number))?;
            begin.push(steps.before(&parse(pattern)?, end, number)?);
        }
        steps.table(&begin)
    }

    /// The patterns that fit, a bit for each; none fits what is no digit.
    pub(crate) fn fits(&self, digits: &str) -> Fits {
        let mut state = 0;
        for byte in digits.bytes() {
            let digit = usize::from(byte.wrapping_sub(b'0'));
            let next = self.next.get(state).and_then(|next| next.get(digit));
            match next {
                Some(next) => state = usize::from(*next),
                None => return 0,
            }
        }
        self.fits.get(state).copied().unwrap_or(0)
    }
}

fn parse(pattern: &str) -> Option<Hir> {
    let mut parser = ParserBuilder::new();
    parser.ignore_whitespace(true).unicode(false).utf8(false).build().parse(pattern).ok()
}

/// One step on the way through a pattern.
#[derive(Debug)]
enum Step {
    /// One of these digits, then on to another step.
    Digit { of: u16, next: usize, pattern: u8 },
    /// Any of these steps, without a digit.
    Either(Vec<usize>),
    /// The pattern was found.
    Found(u8),
}

/// All steps of all patterns.
#[derive(Debug, Default)]
struct Steps(Vec<Step>);

/// Where one may be, and the patterns that were found before.
type Place = (Vec<usize>, Fits);

impl Steps {
    fn push(&mut self, step: Step) -> Option<usize> {
        self.0.push(step);
        (self.0.len() <= STEPS_MAX).then(|| self.0.len() - 1)
    }

    /// The step with which `hir` begins where `next` comes behind it.
    fn before(&mut self, hir: &Hir, next: usize, pattern: u8) -> Option<usize> {
        match hir.kind() {
            HirKind::Empty => Some(next),
            HirKind::Literal(text) => text.0.iter().rev().try_fold(next, |next, byte| {
                self.push(Step::Digit { of: digits_of(*byte, *byte), next, pattern })
            }),
            HirKind::Class(Class::Bytes(class)) => {
                let of = class.iter().map(|range| digits_of(range.start(), range.end()));
                self.push(Step::Digit { of: of.fold(0, |all, one| all | one), next, pattern })
            }
            HirKind::Class(Class::Unicode(_)) | HirKind::Look(_) => None,
            HirKind::Capture(capture) => self.before(&capture.sub, next, pattern),
            HirKind::Concat(parts) => {
                parts.iter().rev().try_fold(next, |next, part| self.before(part, next, pattern))
            }
            HirKind::Alternation(ways) => {
                let ways = ways.iter().map(|way| self.before(way, next, pattern));
                let ways = ways.collect::<Option<Vec<usize>>>()?;
                self.push(Step::Either(ways))
            }
            HirKind::Repetition(many) => {
                let mut begin = next;
                match many.max {
                    Some(max) => {
                        for _ in many.min..max {
                            let once = self.before(&many.sub, begin, pattern)?;
                            begin = self.push(Step::Either(vec![once, next]))?;
                        }
                    }
                    None => {
                        begin = self.push(Step::Either(vec![next]))?;
                        let once = self.before(&many.sub, begin, pattern)?;
                        if let Some(Step::Either(ways)) = self.0.get_mut(begin) {
                            ways.push(once);
                        }
                    }
                }
                (0..many.min).try_fold(begin, |next, _| self.before(&many.sub, next, pattern))
            }
        }
    }

    /// One state for each place at which one can be.
    fn table(&self, begin: &[usize]) -> Option<Digits> {
        let mut digits = Digits { next: vec![], fits: vec![] };
        let mut known: BTreeMap<Place, u16> = BTreeMap::new();
        let mut places = vec![self.place(begin.iter().copied(), 0)];
        known.extend(places.first().map(|place| (place.clone(), 0)));
        while let Some((steps, fits)) = places.get(digits.next.len()).cloned() {
            let mut row = [0; 10];
            for (next, digit) in row.iter_mut().zip(0..) {
                let after = steps.iter().filter_map(|step| self.after(*step, digit));
                let place = self.place(after, fits);
                let count = u16::try_from(places.len()).ok()?;
                *next = *known.entry(place).or_insert_with_key(|place| {
                    places.push(place.clone());
                    count
                });
            }
            digits.next.push(row);
            digits.fits.push(fits);
            if digits.next.len() > STATES_MAX {
                return None;
            }
        }
        Some(digits)
    }

    fn after(&self, step: usize, digit: u8) -> Option<usize> {
        match self.0.get(step)? {
            Step::Digit { of, next, .. } => (of >> digit & 1 == 1).then_some(*next),
            Step::Either(_) | Step::Found(_) => None,
        }
    }

    /// Where one may be from here without a further digit. What was found is not looked for again.
    fn place(&self, from: impl Iterator<Item = usize>, mut fits: Fits) -> Place {
        let mut open: Vec<usize> = from.collect();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(step) = open.pop() {
            if !seen.insert(step) {
                continue;
            }
            match self.0.get(step) {
                Some(Step::Either(ways)) => open.extend(ways),
                Some(Step::Found(pattern)) => fits |= 1 << pattern,
                Some(Step::Digit { .. }) | None => {}
            }
        }
        let waiting = seen.into_iter().filter(|step| match self.0.get(*step) {
            Some(Step::Digit { pattern, .. }) => fits >> pattern & 1 == 0,
            _ => false,
        });
        (waiting.collect(), fits)
    }
}

/// The digits of a range of bytes, a bit for each.
fn digits_of(from: u8, to: u8) -> u16 {
    let digits = (b'0'..=b'9').zip(0..);
    digits.fold(0, |of, (byte, digit)| of | u16::from((from..=to).contains(&byte)) << digit)
}

#[cfg(test)]
mod tests {
    use phonenumber::metadata::DATABASE;
    use proptest::prelude::*;
    use proptest::sample::select;
    use regex::Regex;

    use super::Digits;

    #[test]
    fn patterns_are_found_at_the_beginning_and_nowhere_else() {
        let patterns = ["1(?:[2-4]|70)\\d{2}", "(?:12)+3?", "9\\d{2,3} 5*7", "1?"];
        let digits = Digits::new(&patterns).unwrap();
        for (text, fits) in [
            ("1234", 0b1011),
            ("17099", 0b1001),
            ("1709", 0b1000),
            ("12", 0b1010),
            ("91257", 0b1100),
            ("912", 0b1000),
            ("91x57", 0),
            ("", 0b1000),
        ] {
            assert_eq!(digits.fits(text), fits, "{text}");
        }
        assert!(Digits::new(&["^1"]).is_none() && Digits::new(&["("]).is_none());
    }

    proptest! {
        #[test]
        fn table_of_a_plan_says_what_its_patterns_say(
            region in select(vec!["DE", "AT", "FR", "US", "GB", "IN", "BR", "JP", "NL", "PL"]),
            digits in "[0-9]{1,14}",
        ) {
            let known = DATABASE.by_id(region).unwrap().descriptors();
            for kind in [Some(known.general()), known.fixed_line(), known.mobile()].into_iter().flatten() {
                let pattern = kind.national_number().as_str();
                let table = Digits::new(&[pattern]).unwrap();
                let regex = Regex::new(&format!("^(?x:{pattern})")).unwrap();
                prop_assert_eq!(table.fits(&digits) == 1, regex.is_match(&digits), "{}", pattern);
            }
        }
    }
}
