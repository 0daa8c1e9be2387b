//! Rules over the documents: links lead somewhere, and the invariants of `docs/ARCHITECTURE.md` name
//! tests that exist.

use std::collections::BTreeSet;

use super::Problem;
use crate::tree::{File, Tree};

const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

/// Every relative link of a document leads to a file, and to a heading of it if it names one.
pub(super) fn links(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for file in tree.ending(".md").filter(|file| !file.is_fixture()) {
        for (line, text) in prose(file) {
            for target in targets(text) {
                if let Some(what) = broken(tree, file, target) {
                    found.push(Problem::new(&file.path, line, what));
                }
            }
        }
    }
    found
}

/// Lines outside fenced blocks.
fn prose(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(file.text.lines()).filter(move |(_, text)| {
        let fence = text.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// What the links of a line lead to: `[words](target)` and `[words]: target`.
fn targets(text: &str) -> Vec<&str> {
    // Every second piece stands between backquotes.
    let pieces = text.split('`').step_by(2);
    let inline = pieces.flat_map(|piece| {
        piece.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
    });
    let named = text.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    inline.chain(named.map(|(_, target)| target.trim())).collect()
}

fn broken(tree: &Tree, file: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { file.path.clone() } else { resolve(&file.path, path) };
    if !path.is_empty() && !tree.paths.contains(&path) {
        return Some(format!("`{target}` leads nowhere; there is no {path}"));
    }
    let linked = tree.files.iter().find(|file| file.path == path)?;
    let known = heading.is_empty() || prose(linked).any(|(_, text)| anchor(text) == heading);
    (!known).then(|| format!("`{target}` leads nowhere; {path} has no such heading"))
}

/// The path from the root of what `target` names from `from`.
fn resolve(from: &str, target: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The name that a heading has in links, as the usual viewers make it.
fn anchor(line: &str) -> String {
    let Some(heading) = line.strip_prefix('#') else {
        return String::new();
    };
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Every invariant is guarded, and what guards it exists.
pub(super) fn invariants(tree: &Tree) -> Vec<Problem> {
    let functions: BTreeSet<&str> =
        tree.rust().flat_map(|(_, source)| source.functions()).collect();
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| file.path == ARCHITECTURE) {
        let mut unguarded: Option<usize> = None;
        for (line, text) in prose(file) {
            if text.starts_with("**I") || text.starts_with('#') {
                found.extend(unguarded.take().map(|line| missing_guard(file, line)));
                unguarded = text.starts_with("**I").then_some(line);
            }
            let Some((_, guards)) = text.split_once("Guarded by ") else {
                continue;
            };
            unguarded = None;
            for guard in guards.split('`').skip(1).step_by(2) {
                let name = guard.rsplit("::").next().unwrap_or(guard);
                if !functions.contains(name) {
                    let what = format!("there is no test `{name}`; name the one that guards this");
                    found.push(Problem::new(&file.path, line, what));
                }
            }
        }
        found.extend(unguarded.map(|line| missing_guard(file, line)));
    }
    found
}

fn missing_guard(file: &File, line: usize) -> Problem {
    Problem::new(&file.path, line, "say \"Guarded by `test`\", or take the invariant out")
}

#[cfg(test)]
mod tests {
    use super::{anchor, invariants, links};
    use crate::tidy::check;

    #[test]
    fn link_leads_to_a_file_a_folder_or_a_heading() {
        let other = ("docs/b.md", "# The *second* page\n\n```\n# not a heading\n```\n");
        for (text, wrong) in [
            ("[b](b.md) and [up](../README.md)", 0),
            ("[b](./b.md#the-second-page)", 0),
            ("[b](b.md#not-a-heading)", 1),
            ("[here](#top)\n# Top", 0),
            ("[folder](../docs)", 0),
            ("[c](c.md), [d](d.md)", 2),
            ("[c]: c.md", 1),
            ("[web](https://example.com/c.md) [mail](mailto:a@example.com)", 0),
            ("`[c](c.md)` is how a link looks", 0),
            ("```\n[c](c.md)\n```", 0),
        ] {
            let files = [("docs/a.md", text), other, ("README.md", "# Read\n")];
            assert_eq!(check(links, &files).len(), wrong, "{text}");
        }
    }

    #[test]
    fn heading_is_named_as_viewers_name_it() {
        assert_eq!(anchor("## The way of a message"), "the-way-of-a-message");
        assert_eq!(anchor("# `postroom check`, and why"), "postroom-check-and-why");
        assert_eq!(anchor("no heading"), "");
    }

    #[test]
    fn invariant_names_a_test_that_exists() {
        let source = ("crates/a/src/b.rs", "mod tests { fn a_holds() {} }\n");
        for (text, wrong) in [
            ("**I1. A holds.**\nGuarded by `b::tests::a_holds`.\n", 0),
            ("**I1. A holds.** Guarded by `a_holds` and `b_holds`.\n", 1),
            ("**I1. A holds.**\nWhy.\n\n**I2. B holds.**\nGuarded by `a_holds`.\n", 1),
            ("**I1. A holds.**\n\n## Next\n", 1),
            ("Nothing is promised.\n", 0),
        ] {
            let files = [("docs/ARCHITECTURE.md", text), source];
            assert_eq!(check(invariants, &files).len(), wrong, "{text}");
        }
    }
}
