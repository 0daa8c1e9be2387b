//! The numbering plan of one region, ready for many numbers: what the library would say of a number as
//! it is dialled there, without asking it each time.
//!
//! Only what is plain is answered: a country that has its calling code for itself and one prefix
//! before national numbers. Whatever else, and whatever is not valid, is for the library to say.

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};
use smol_str::{SmolStr, SmolStrBuilder};

use crate::digits::{Digits, Fits};

/// Digits of the longest number that a plan has.
const LONG: usize = 20;
/// What fits every number of a region, before what fits each kind of them.
const GENERAL: Fits = 1;

/// What numbers of a region look like.
#[derive(Debug)]
pub(crate) struct Plan {
    /// `+` and the calling code.
    country: String,
    /// What is dialled before a national number.
    prefix: String,
    /// What is dialled before the number of another country.
    abroad: Option<Digits>,
    /// Patterns of national numbers.
    national: Digits,
    /// Which of the patterns may be so long.
    long: [Fits; LONG],
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
        if !plain {
            return None;
        }
        let abroad = match meta.international_prefix() {
            Some(prefix) => Some(Digits::new(&[prefix.as_str()])?),
            None => None,
        };
        let patterns = patterns(meta);
        let mut long = [0; LONG];
        for (descriptor, number) in patterns.iter().zip(0..) {
            let lengths = descriptor.possible_length();
            for (fits, length) in long.iter_mut().zip(0..) {
                let possible = lengths.is_empty() || lengths.contains(&length);
                *fits |= Fits::from(possible) << number;
            }
        }
        let texts = patterns.iter().map(|descriptor| descriptor.national_number().as_str());
        let national = Digits::new(&texts.collect::<Vec<&str>>())?;
        let (country, prefix) = (format!("+{code}"), prefix.to_owned());
        Some(Self { country, prefix, abroad, national, long })
    }

    /// The number in full, if it is valid; none if that is for the library to say.
    pub(crate) fn read(&self, digits: &str) -> Option<SmolStr> {
        let national = digits.strip_prefix(self.prefix.as_str())?;
        let leaves = self.abroad.as_ref().is_some_and(|abroad| abroad.fits(digits) != 0);
        if leaves || national.starts_with('0') || national.starts_with(self.prefix.as_str()) {
            return None;
        }
        let fits = self.national.fits(national) & self.long.get(national.len())?;
        let valid = fits & GENERAL != 0 && fits != GENERAL;
        valid.then(|| {
            let mut number = SmolStrBuilder::new();
            number.push_str(&self.country);
            number.push_str(national);
            number.finish()
        })
    }
}

/// What every number looks like, and then each kind that makes a number valid.
fn patterns(meta: &Metadata) -> Vec<&Descriptor> {
    let known = meta.descriptors();
    let kinds = [
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
    std::iter::once(known.general()).chain(kinds.into_iter().flatten()).collect()
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
                prop_assert_eq!(read(&digits, Style::Dialled, region.as_ref(), 0), number.as_str());
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
