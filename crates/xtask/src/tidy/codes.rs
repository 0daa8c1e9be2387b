//! Public error codes and their pages: every code that a user can meet has a page in `docs/errors`,
//! and every page has a code.
//!
//! A code is a literal in snake case that stands, outside tests,
//! - in the body of a function `code`;
//! - as the code that is handed to one of the constructors in `CALLS`, or to a `new` that takes a
//!   `StatusCode` first;
//! - as the field `code` of a value that is built: `code: "…"` or `code: Some("…"…)`;
//! - in a constant of a file `codes.rs`.
//!
//! A code that is made otherwise is not missed if it has a page: a page needs no more than a literal
//! that equals it.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use crate::source::Source;
use crate::tree::{File, Tree};

const PAGES: &str = "docs/errors/";

/// The list of all pages; the only page that is no code's.
const INDEX: &str = "README";

/// Calls that take a code, and as which argument, counted from 0.
const CALLS: &[(&str, usize)] = &[
    ("Problem::new(", 1),
    ("coded(", 0),
    ("mistakes.add(", 0),
    ("unavailable(", 0),
    ("Refusal::new(", 1),
    (OWN_NEW, 1),
    ("SendError::retryable(", 0),
    ("SendError::permanent(", 0),
    ("SendError::uncertain(", 0),
];

/// Any type's constructor; counts only where an HTTP status is its first argument.
const OWN_NEW: &str = "Self::new(";

/// A code and the place that names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Code {
    pub text: String,
    pub path: String,
    pub line: usize,
}

/// All codes, each at the first place that names it.
pub(crate) fn all(tree: &Tree) -> Vec<Code> {
    let mut all = BTreeMap::new();
    for (file, source) in tree.rust().filter(|(file, _)| is_searched(file)) {
        for (at, code) in in_file(file, source) {
            let line = source.line(at);
            let found = Code { text: code.clone(), path: file.path.clone(), line };
            all.entry(code).or_insert(found);
        }
    }
    all.into_values().collect()
}

/// Codes without a page, pages without a code, and pages that are not about their code.
pub(super) fn pages(tree: &Tree) -> Vec<Problem> {
    let codes = all(tree);
    let known = literals(tree);
    let mut found = Vec::new();
    for Code { text: code, path, line } in &codes {
        if !tree.paths.contains(&format!("{PAGES}{code}.md")) {
            let what = format!("`{code}` has no page; write {PAGES}{code}.md");
            found.push(Problem::new(path, *line, what));
        }
    }
    for file in &tree.files {
        let Some(page) = file.path.strip_prefix(PAGES).and_then(|page| page.strip_suffix(".md"))
        else {
            continue;
        };
        if page == INDEX {
            continue;
        }
        if !known.contains(page) {
            let what = "no source names this code; remove the page or see `cargo xtask codes`";
            found.push(Problem::new(&file.path, 0, what));
        }
        found.extend(of_page(file, page));
    }
    found
}

/// What stands in quotes outside tests.
fn literals(tree: &Tree) -> BTreeSet<&str> {
    let searched = tree.rust().filter(|(file, _)| is_searched(file));
    searched
        .flat_map(|(_, source)| source.literals.range(..source.tests_from))
        .map(|(_, literal)| literal.as_str())
        .collect()
}

/// A page has its code as title and says what to do.
fn of_page(file: &File, page: &str) -> Option<Problem> {
    let title = file.text.lines().next().unwrap_or_default();
    if title.trim_start_matches('#').trim().trim_matches('`') != page {
        return Some(Problem::new(&file.path, 1, format!("the title must be `# {page}`")));
    }
    let says = file.text.to_lowercase().contains("what to do");
    (!says).then(|| Problem::new(&file.path, 0, "add a paragraph \"What to do\""))
}

fn is_searched(file: &File) -> bool {
    file.path.starts_with("crates/") && !file.path.starts_with("crates/xtask/") && !file.is_test()
}

fn in_file(file: &File, source: &Source) -> Vec<(usize, String)> {
    let mut found = in_functions(source);
    found.extend(in_calls(source));
    found.extend(in_fields(source));
    if file.path.ends_with("/codes.rs") {
        found.extend(in_constants(source));
    }
    found.retain(|(at, code)| *at < source.tests_from && is_code(code));
    found
}

/// A lower-case letter, then lower-case letters, digits and `_`.
fn is_code(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn in_functions(source: &Source) -> Vec<(usize, String)> {
    let bodies = source.places("fn code(").filter_map(|at| {
        let opens = source.code.bytes().skip(at).position(|byte| matches!(byte, b'{' | b';'))?;
        let closes = source.closing(at + opens, b'{', b'}')?;
        let has_body = source.code.as_bytes().get(at + opens) == Some(&b'{');
        has_body.then_some(at + opens..closes)
    });
    bodies
        .flat_map(|body| source.literals.range(body))
        .map(|(at, literal)| (*at, literal.clone()))
        .collect()
}

fn in_calls(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (call, argument) in CALLS {
        for at in source.places(call) {
            let arguments = source.code.get(at + call.len()..).unwrap_or_default();
            if *call == OWN_NEW && !arguments.trim_start().starts_with("StatusCode::") {
                continue;
            }
            let begins = argument_at(source, at + call.len(), *argument);
            let literal = begins.and_then(|at| source.literal_at(at));
            found.extend(literal.map(|code| (at, code.to_owned())));
        }
    }
    found
}

/// Where the argument `wanted` begins, in a list of arguments that begins at `from`.
fn argument_at(source: &Source, from: usize, wanted: usize) -> Option<usize> {
    let (mut depth, mut argument) = (0_usize, 0);
    if wanted == 0 {
        return Some(from);
    }
    for (at, byte) in source.code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                argument += 1;
                if argument == wanted {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn in_fields(source: &Source) -> Vec<(usize, String)> {
    source
        .places("code:")
        .filter_map(|at| {
            let value = at + "code:".len();
            let rest = source.code.get(value..)?;
            let inner = rest.trim_start().strip_prefix("Some(");
            let from = inner.map_or(value, |inner| source.code.len() - inner.len());
            Some((at, source.literal_at(from)?.to_owned()))
        })
        .collect()
}

fn in_constants(source: &Source) -> Vec<(usize, String)> {
    source
        .places("const ")
        .filter_map(|at| {
            let (head, _) = source.code.get(at..)?.split_once('=')?;
            let text = head.contains("&str") || head.contains("&'static str");
            let literal = source.literal_at(at + head.len() + 1)?;
            text.then(|| (at, literal.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{all, pages};
    use crate::tidy::check;
    use crate::tree::Tree;

    fn found(path: &str, text: &str) -> Vec<String> {
        let mut tree = Tree::default();
        tree.add_text(path, text.to_owned());
        all(&tree).into_iter().map(|code| code.text).collect()
    }

    #[test]
    fn codes_are_found_where_they_are_given() {
        let source = r#"
            trait Coded { fn code(&self) -> &'static str; }
            impl Coded for E {
                fn code(&self) -> &'static str {
                    match self { Self::A => "first_one", Self::B(e) => e.code(), Self::C => "two" }
                }
            }
            fn a() { Refusal::new(401, "bad_signature", "not_a_code") }
            fn b() { Refusal::new(
                status(401, "x"),
                "wrapped_line",
                format!("{}", 1),
            ) }
            fn c() { SendError::uncertain("broken_off", "words") }
            fn d() { Refusal::new(401, code, "words") }
            impl Problem { fn e() -> Self { Self::new(
                StatusCode::GONE, "gone", "words") } fn f() { Self::new(1, "left_out") } }
            fn e() { Problem::new(status(), "lost", "words") }
            fn e() { mistakes.add("body_bad", at, "words"); Failure::coded("no_luck", error) }
            fn e() { Self::unavailable("away_now", "words"); EmbeddedError::unavailable(&path, e) }
            fn e() { Outcome { code: Some("taken".to_owned()), detail: None } }
            fn f() { Parked { code: "unreadable".into(), error_code: "left_out" } }
            fn g() -> Struct { code: String, a: "left_out_too" }
            #[cfg(test)]
            mod tests { fn h() { SendError::retryable("only_in_a_test", "") } }
        "#;
        let expected = [
            "away_now",
            "bad_signature",
            "body_bad",
            "broken_off",
            "first_one",
            "gone",
            "lost",
            "no_luck",
            "taken",
            "two",
            "unreadable",
            "wrapped_line",
        ];
        assert_eq!(found("crates/a/src/b.rs", source), expected);
        assert!(found("crates/a/src/conformance.rs", source).is_empty());
    }

    #[test]
    fn constants_count_in_codes_files_only() {
        let source = "pub const A: &str = \"a_code\";\npub const B: u32 = 1;\n";
        assert_eq!(found("crates/gateway/src/codes.rs", source), ["a_code"]);
        assert!(found("crates/gateway/src/lib.rs", source).is_empty());
    }

    #[test]
    fn code_and_page_need_each_other() {
        let source = ("crates/a/src/b.rs", "fn code(&self) -> &str { \"full\" }");
        let page = "# full\n\nNo room.\n\n## What to do\n\nMake room.\n";
        assert!(check(pages, &[source, ("docs/errors/full.md", page)]).is_empty());
        assert!(check(pages, &[("docs/errors/README.md", "# Errors\n")]).is_empty());
        let fallback = ("crates/a/src/b.rs", "fn a() { code.unwrap_or(\"full\") }");
        assert!(check(pages, &[fallback, ("docs/errors/full.md", page)]).is_empty());
        for (files, said) in [
            (vec![source], "crates/a/src/b.rs:1: `full` has no page"),
            (vec![("docs/errors/full.md", page)], "docs/errors/full.md: no source"),
            (
                vec![source, ("docs/errors/full.md", "# empty\n")],
                "docs/errors/full.md:1: the title",
            ),
            (vec![source, ("docs/errors/full.md", "# full\n")], "docs/errors/full.md: add"),
        ] {
            let problems = check(pages, &files);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with(said), "{problems:?}");
        }
    }
}
