//! Many phrases looked for in one text at once.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

/// A table of phrases, as they stand in what is looked through; nearly all are in lower case.
pub(crate) struct Phrases {
    list: &'static [&'static str],
    automaton: OnceLock<Option<AhoCorasick>>,
}

impl Phrases {
    pub(crate) const fn new(list: &'static [&'static str]) -> Self {
        Self { list, automaton: OnceLock::new() }
    }

    /// Whether any of them stands in `text`, letter by letter.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        match self.automaton.get_or_init(|| AhoCorasick::new(self.list).ok()) {
            Some(automaton) => automaton.is_match(text),
            None => self.list.iter().any(|phrase| text.contains(phrase)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Phrases;

    #[test]
    fn any_phrase_is_found_and_no_other() {
        static TABLE: Phrases = Phrases::new(&["user unknown", "不存在"]);
        assert!(TABLE.is_in("550 user unknown here") && TABLE.is_in("用户不存在"));
        assert!(!TABLE.is_in("user known") && !TABLE.is_in(""));
    }
}
