//! The numbering plan of one region, ready for many numbers: what the library would say of a number as
//! it is dialled there, without asking it each time.
//!
//! Only what is plain is answered: a country that has its calling code for itself and one prefix
//! before national numbers. Whatever else, and whatever is not valid, is for the library to say.

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};
use regex::Regex;

/// What numbers of a region look like.
#[derive(Debug)]
pub(crate) struct Plan {
    /// `+` and the calling code.
    country: String,
    /// What is dialled before a national number.
    prefix: String,
    /// What is dialled before the number of another country.
    abroad: Option<Regex>,
    general: Kind,
    kinds: Vec<Kind>,
}

/// Numbers of one kind: how long they are, and how they begin.
#[derive(Debug)]
struct Kind {
    lengths: Vec<u16>,
    pattern: Regex,
}

impl Kind {
    fn new(descriptor: &Descriptor) -> Option<Self> {
        let pattern = anchored(descriptor.national_number().as_str())?;
        Some(Self { lengths: descriptor.possible_length().to_vec(), pattern })
    }

    fn fits(&self, national: &str) -> bool {
        let long = u16::try_from(national.len()).is_ok_and(|length| self.lengths.contains(&length));
        (long || self.lengths.is_empty()) && self.pattern.is_match(national)
    }
}

impl Plan {
    /// None if the plan is not plain.
    pub(crate) fn new(region: &str) -> Option<Self> {
        let meta = DATABASE.by_id(region)?;
        let code = meta.country_code();
        let prefix = meta.national_prefix().filter(|prefix| !prefix.is_empty())?;
        let parsing = meta.national_prefix_for_parsing();
        let plain = parsing.is_none_or(|parsing| parsing.as_str() == prefix)
            && meta.national_prefix_transform_rule().is_none()
            && DATABASE.region(&code)?.len() == 1;
        let abroad = meta.international_prefix().map(|prefix| anchored(prefix.as_str()));
        let general = Kind::new(meta.descriptors().general())?;
        if !plain {
            return None;
        }
        let (country, prefix) = (format!("+{code}"), prefix.to_owned());
        let abroad = match abroad {
            Some(pattern) => Some(pattern?),
            None => None,
        };
        Some(Self { country, prefix, abroad, general, kinds: kinds(meta)? })
    }

    /// The number in full, if it is valid; none if that is for the library to say.
    pub(crate) fn read(&self, digits: &str) -> Option<String> {
        let national = digits.strip_prefix(self.prefix.as_str())?;
        let leaves = self.abroad.as_ref().is_some_and(|abroad| abroad.is_match(digits));
        if leaves || national.starts_with('0') || national.starts_with(self.prefix.as_str()) {
            return None;
        }
        let valid = self.general.fits(national) && self.kinds.iter().any(|one| one.fits(national));
        valid.then(|| [self.country.as_str(), national].concat())
    }
}

/// The library asks whether a pattern is found at the very beginning.
fn anchored(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?x:{pattern})")).ok()
}

/// The kinds that make a number valid, the most frequent ones first.
fn kinds(meta: &Metadata) -> Option<Vec<Kind>> {
    let known = meta.descriptors();
    let all = [
        known.fixed_line(),
        known.mobile(),
        known.toll_free(),
        known.premium_rate(),
        known.shared_cost(),
        known.voip(),
        known.personal_number(),
        known.pager(),
        known.uan(),
        known.voicemail(),
    ];
    all.into_iter().flatten().map(Kind::new).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::Plan;
    use crate::number::{Region, Style, read};

    proptest! {
        #[test]
        fn plan_says_nothing_that_the_library_does_not_say(
            region in select(vec!["DE", "FR", "NL", "BE", "AT", "CH", "PL", "ES", "SE", "JP", "IN"]),
            digits in "0?[1-9][0-9]{4,12}",
        ) {
            let said = Plan::new(region).and_then(|plan| plan.read(&digits));
            if let Some(number) = said {
                // Numbers inside a house are told apart before the plan is asked.
                let region = Region::parse(region);
                prop_assert_eq!(read(&digits, Style::Dialled, region.as_ref(), 0), number);
            }
        }
    }

    #[test]
    fn numbers_of_a_plain_plan_are_read_without_the_library() {
        let plan = Plan::new("DE").unwrap();
        for (digits, number) in [
            ("030901820", Some("+4930901820")),
            ("015112345678", Some("+4915112345678")),
            ("08001234567", Some("+498001234567")),
            ("30901820", None),
            ("0049301", None),
            ("0301", None),
        ] {
            assert_eq!(plan.read(digits).as_deref(), number, "{digits}");
        }
        // Several countries behind one code, and a prefix with a choice of carriers.
        assert!(Plan::new("US").is_none() && Plan::new("BR").is_none());
    }
}
