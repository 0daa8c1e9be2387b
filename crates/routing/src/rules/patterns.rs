//! The regular expressions of the rules: compiled once, with the rules, and never for a message.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::common::types::{CelBool, CelString};
use cel::common::value::CowVal;
use cel::{Context, ExecutionError, FunctionContext};
use regex::{Regex, RegexBuilder};

use super::Function;
use super::vocabulary::MATCHES;

/// Different regular expressions in the rules of one configuration.
const PATTERNS_MAX: usize = 1_000;

/// Bytes that one compiled regular expression, and what its search remembers, may take.
const PATTERN_BYTES_MAX: usize = 512 * 1024;

/// By their text.
#[derive(Debug, Default)]
pub(super) struct Patterns(BTreeMap<String, Regex>);

impl Patterns {
    /// Compiles one, if it is not here yet; an error is in words for people.
    pub(super) fn add(&mut self, pattern: &str) -> Result<(), String> {
        if self.0.contains_key(pattern) {
            return Ok(());
        }
        if self.0.len() >= PATTERNS_MAX {
            return Err(format!("more than {PATTERNS_MAX} regular expressions"));
        }
        let compiled = RegexBuilder::new(pattern)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX)
            .build();
        self.0.insert(pattern.to_owned(), compiled.map_err(|error| words(&error))?);
        Ok(())
    }

    /// Lets the expressions of this context ask `matches`.
    pub(super) fn bind(self: &Arc<Self>, context: &mut Context<'_, '_>) -> Result<(), String> {
        if self.0.is_empty() {
            return Ok(());
        }
        let patterns = Arc::clone(self);
        let function: Function = Box::new(move |call| patterns.asked(call));
        context.add_function(MATCHES, function).map_err(|error| error.to_string())
    }

    fn asked<'c, 'v>(
        &self,
        call: &FunctionContext<'c, 'v>,
    ) -> Result<CowVal<'c, 'v>, ExecutionError> {
        let mut given = call.this.iter().chain(&call.args);
        let mut next = || {
            let text = given.next().and_then(|value| value.downcast_ref::<CelString<'_>>());
            text.ok_or_else(|| ExecutionError::function_error(MATCHES, "asks a text only"))
        };
        let (text, pattern) = (next()?, next()?);
        let regex = self.0.get(pattern.inner()).ok_or_else(|| {
            ExecutionError::function_error(MATCHES, "was not compiled with the rules")
        })?;
        Ok(CowVal::owned(CelBool::from(regex.is_match(text.inner()))))
    }
}

/// What is wrong, in one line.
fn words(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => {
            format!("this regular expression takes more than {PATTERN_BYTES_MAX} bytes")
        }
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            let why = last.strip_prefix("error: ").unwrap_or(last);
            format!("this is no regular expression: {why}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PATTERNS_MAX, Patterns};

    #[test]
    fn pattern_is_kept_once_and_a_bad_one_is_refused() {
        let mut patterns = Patterns::default();
        for pattern in ["a+", "b", "a+"] {
            assert_eq!(patterns.add(pattern), Ok(()));
        }
        assert_eq!(patterns.0.len(), 2);
        for (pattern, why) in [
            ("(a", "this is no regular expression: unclosed group"),
            ("a{4,2}", "invalid repetition count range"),
            (r"(\w{100}){100}", "takes more than 524288 bytes"),
        ] {
            let error = patterns.add(pattern).unwrap_err();
            assert!(error.contains(why), "{pattern}: {error}");
        }
        assert_eq!(patterns.0.len(), 2, "what is bad is not kept");
    }

    #[test]
    fn patterns_have_a_limit() {
        let mut patterns = Patterns::default();
        for number in 0..PATTERNS_MAX {
            assert_eq!(patterns.add(&format!("n{number}")), Ok(()));
        }
        assert_eq!(patterns.add("n1"), Ok(()), "one that is here already");
        assert!(patterns.add("more").unwrap_err().contains("more than 1000"));
    }
}
