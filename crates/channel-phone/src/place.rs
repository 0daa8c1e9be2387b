//! What is inside and what is outside of a telephone system: extensions, contexts, endpoints.

use postroom_model::{Direction, Side, legs};

use crate::number::is_withheld;

/// Digits of an extension, unless the channel says otherwise.
pub const EXTENSION_DIGITS_DEFAULT: usize = 6;

/// Contexts in which the usual distributions of Asterisk and FreeSWITCH take calls from outside.
const INCOMING: [&str; 18] = [
    "did",
    "ext-did",
    "from-did",
    "from-did-direct",
    "from-extern",
    "from-external",
    "from-outside",
    "from-provider",
    "from-pstn",
    "from-sip-external",
    "from-trunk",
    "inbound",
    "incall",
    "incoming",
    "inbound-calls",
    "incoming-calls",
    "public",
    "trunkinbound",
];

/// How a telephone system is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Digits that an extension has at most; a number with more is outside.
    pub extension_digits_max: usize,
    /// Contexts, beside the usual ones, in which calls come from outside.
    pub incoming_contexts: Vec<String>,
    /// Public numbers of the house, or how they begin: calls between two of them are internal.
    pub own_numbers: Vec<String>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            extension_digits_max: EXTENSION_DIGITS_DEFAULT,
            incoming_contexts: Vec::new(),
            own_numbers: Vec::new(),
        }
    }
}

impl Places {
    /// A short number, a feature code or a name: nothing that is reached through the public network.
    pub fn is_inside(&self, number: &str) -> bool {
        if number.is_empty() || number.starts_with('+') {
            return false;
        }
        let dialled = number.bytes().all(|byte| byte.is_ascii_digit() || b"*#".contains(&byte));
        if dialled { number.len() <= self.extension_digits_max } else { !is_withheld(number) }
    }

    pub fn comes_from_outside(&self, context: &str) -> bool {
        let same = |known: &str| known.eq_ignore_ascii_case(context);
        INCOMING.iter().any(|known| same(known))
            || self.incoming_contexts.iter().any(|known| same(known))
            || context.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("from-trunk-"))
    }

    /// A public number of the house.
    fn is_own(&self, number: &str) -> bool {
        self.own_numbers.iter().any(|own| number.starts_with(own.as_str()))
    }

    /// Whether a call that a system says comes in or goes out stays in the house.
    pub fn stays_inside(&self, from: Option<&str>, to: Option<&str>) -> bool {
        let ours = |number: &str| self.is_own(number) || self.is_inside(number);
        let any_own = [from, to].into_iter().flatten().any(|number| self.is_own(number));
        any_own && from.is_some_and(ours) && to.is_some_and(ours)
    }

    /// On which side of the telephone system a number is.
    pub fn side(&self, number: &str) -> Side {
        if self.is_own(number) {
            Side::Own
        } else if self.is_inside(number) {
            Side::Inside
        } else {
            Side::Outside
        }
    }

    /// The direction of a call of which only the two numbers are told; none as long as nobody says who
    /// calls.
    pub fn direction_of(&self, from: Option<&str>, to: Option<&str>) -> Option<Direction> {
        from.map(|from| self.direction("", Some(from), to))
    }

    /// The direction of a call by its context and, where that says nothing, its two numbers.
    pub fn direction(&self, context: &str, from: Option<&str>, to: Option<&str>) -> Direction {
        let side = |number: Option<&str>| number.map(|number| self.side(number));
        legs::direction(self.comes_from_outside(context), side(from), side(to))
    }
}

#[cfg(test)]
mod tests {
    use postroom_model::Direction;

    use super::Places;

    #[test]
    fn direction_follows_the_context_and_then_the_numbers() {
        let places = Places { incoming_contexts: vec!["door".to_owned()], ..Places::default() };
        for (context, from, to, direction) in [
            ("internal", "201", "202", Direction::Internal),
            ("internal", "201", "+442079460000", Direction::Out),
            ("internal", "201", "02079460000", Direction::Out),
            ("internal", "201", "*97", Direction::Internal),
            ("internal", "+442079460000", "201", Direction::In),
            ("internal", "anonymous", "201", Direction::In),
            ("from-trunk", "201", "202", Direction::In),
            ("from-trunk-north", "201", "202", Direction::In),
            ("Door", "201", "202", Direction::In),
            ("internal", "alice", "202", Direction::Internal),
        ] {
            let found = places.direction(context, Some(from), Some(to));
            assert_eq!(found, direction, "{context} {from} {to}");
        }
        let own = Places { own_numbers: vec!["+4930901820".to_owned()], ..Places::default() };
        for (from, to, direction) in [
            ("+49309018201", "+442079460000", Direction::Out),
            ("+49309018201", "201", Direction::Internal),
            ("+442079460000", "+49309018201", Direction::In),
        ] {
            assert_eq!(own.direction("internal", Some(from), Some(to)), direction, "{from} {to}");
        }
        assert_eq!(places.direction_of(None, Some("201")), None);
        assert_eq!(places.direction_of(Some("201"), Some("+442079460000")), Some(Direction::Out));
        assert_eq!(places.direction("internal", None, Some("201")), Direction::In);
        assert_eq!(places.direction("internal", Some("201"), None), Direction::Internal);
    }
}
