//! The house rules that no compiler checks. Each is a function of the tree that says where it is
//! broken and what to do; none changes anything.

pub(crate) mod codes;
mod docs;
mod graph;
mod manifests;
mod text;

use std::fmt;

use crate::tree::Tree;

/// Where a rule is broken and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    pub path: String,
    /// Counted from 1; 0 if it is about the whole file.
    pub line: usize,
    pub what: String,
}

impl Problem {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

const RULES: &[fn(&Tree) -> Vec<Problem>] = &[
    graph::directions,
    graph::owners,
    manifests::inheritance,
    manifests::registries,
    text::heads,
    text::blanks,
    text::long_lines,
    text::unfinished,
    text::machine_paths,
    text::test_habits,
    codes::pages,
    docs::links,
    docs::invariants,
];

/// Lines without tests above which a file is named; no failure.
const LINES_NOTED: usize = 600;

/// Everything that is broken, in the order of the files.
pub(crate) fn problems(tree: &Tree) -> Vec<Problem> {
    let mut all: Vec<Problem> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    all.sort();
    all.dedup();
    all
}

/// Files that deserve a second look at what they are for, the longest first.
pub(crate) fn long_files(tree: &Tree) -> Vec<(&str, usize)> {
    let mut long: Vec<(&str, usize)> = tree
        .rust()
        .filter(|(file, _)| !file.is_test())
        .map(|(file, source)| (file.path.as_str(), source.line(source.tests_from) - 1))
        .filter(|(_, lines)| *lines > LINES_NOTED)
        .collect();
    long.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
    long
}

/// A tree of these texts, and what a rule says of it.
#[cfg(test)]
fn check(rule: fn(&Tree) -> Vec<Problem>, files: &[(&str, &str)]) -> Vec<String> {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.add_text(path, (*text).to_owned());
    }
    rule(&tree).iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::{long_files, problems};
    use crate::tree::Tree;

    #[test]
    fn long_file_is_noted_without_its_tests_and_without_failing() {
        let mut tree = Tree::default();
        let head = "//! A file that is long enough.\n";
        let line = "fn a() {}\n";
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", line.repeat(700));
        tree.add_text("crates/a/src/short.rs", format!("{head}{}{tests}", line.repeat(10)));
        tree.add_text("crates/a/src/long.rs", format!("{head}{}{tests}", line.repeat(700)));
        assert_eq!(long_files(&tree), [("crates/a/src/long.rs", 701)]);
        assert!(problems(&tree).is_empty(), "{:?}", problems(&tree));
    }
}
