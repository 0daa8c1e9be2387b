//! Rules over the text of files: heads, blanks, long lines, what is left unfinished, paths of one
//! machine, and habits that make tests lie.

use super::Problem;
use crate::source::in_name;
use crate::tree::{File, Tree};

/// Characters that the head of a file needs at least to say anything.
const HEAD_CHARS_MIN: usize = 20;

/// Characters of a line of Rust; the formatter breaks at 100 what it can.
const LINE_CHARS_MAX: usize = 120;

/// Words that say that something is not done. Put together here so that this file does not hold them.
const UNFINISHED: &[&str] = &[concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO")];

/// Macros that say the same.
const UNFINISHED_CALLS: &[&str] = &["todo!", "unimplemented!"];

/// Beginnings of paths that exist on somebody's machine only.
const MACHINE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Every Rust file opens by saying what it is for.
pub(super) fn heads(tree: &Tree) -> Vec<Problem> {
    let told = |text: &str| {
        let head = text.lines().map_while(|line| line.strip_prefix("//!"));
        head.map(|line| line.trim().chars().count()).sum::<usize>() >= HEAD_CHARS_MIN
    };
    tree.rust()
        .filter(|(file, _)| !told(&file.text))
        .map(|(file, _)| {
            let what = "open with `//!`: what the file is for and what it must not do";
            Problem::new(&file.path, 1, what)
        })
        .collect()
}

/// No blanks at the end of a line, no tabs outside Makefiles, and a line break at the end.
pub(super) fn blanks(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for file in ours(tree) {
        let tabs = file.path.ends_with("Makefile") || file.path == "Cargo.lock";
        for (line, text) in numbered(file) {
            if text.ends_with([' ', '\t', '\r']) {
                found.push(Problem::new(&file.path, line, "remove the blanks at the end"));
            }
            if !tabs && text.contains('\t') {
                found.push(Problem::new(&file.path, line, "write blanks or `\\t`, not a tab"));
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            found.push(Problem::new(&file.path, 0, "end the last line"));
        }
    }
    found
}

/// Long lines of Rust that the formatter leaves alone: comments and literals. Tables of tests may
/// be as wide as they are.
pub(super) fn long_lines(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for (file, _) in tree.rust().filter(|(file, _)| !file.is_test()) {
        for (line, text) in numbered(file) {
            let chars = text.chars().count();
            if chars > LINE_CHARS_MAX && !text.contains("://") {
                let what = format!("{chars} characters; break it at {LINE_CHARS_MAX}");
                found.push(Problem::new(&file.path, line, what));
            }
        }
    }
    found
}

/// Nothing is left to be done later in place.
pub(super) fn unfinished(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for file in ours(tree).filter(|file| file.path != "Cargo.lock") {
        for (line, text) in numbered(file) {
            for word in UNFINISHED.iter().filter(|word| has_word(text, word)) {
                let what = format!("{word}: do it, or say in an issue what is missing");
                found.push(Problem::new(&file.path, line, what));
            }
        }
    }
    for (file, source) in tree.rust() {
        for call in UNFINISHED_CALLS {
            for at in source.places(call) {
                let what = format!("`{call}`: write it, or return an error");
                found.push(Problem::new(&file.path, source.line(at), what));
            }
        }
    }
    found
}

/// Nothing names a place on one machine.
pub(super) fn machine_paths(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| file.path != "Cargo.lock") {
        for (line, text) in numbered(file) {
            for path in MACHINE_PATHS.iter().filter(|path| starts_path(text, path)) {
                let what = format!("`{path}` is a place on one machine; name it relatively");
                found.push(Problem::new(&file.path, line, what));
            }
        }
    }
    found
}

/// Tests are run, wait for events, and say themselves what must fail.
pub(super) fn test_habits(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for (file, source) in tree.rust() {
        let mut say = |at: usize, what: &str| {
            found.push(Problem::new(&file.path, source.line(at), what));
        };
        for at in source
            .places("ignore")
            .filter(|at| source.code.get(..*at).is_some_and(|code| code.ends_with("#[")))
        {
            say(at, "a test that is left out tests nothing; repair or remove it");
        }
        for at in source.places("should_panic") {
            say(at, "compare the error that comes back instead of expecting a panic");
        }
        for at in source.places("sleep(") {
            if file.is_test() || at > source.tests_from {
                say(at, "wait for what must happen, with a limit, instead of for a time");
            }
        }
    }
    found
}

/// Files whose form is ours.
fn ours(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| !file.is_fixture())
}

fn numbered(file: &File) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(file.text.split('\n'))
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
        let after = text.as_bytes().get(at + word.len());
        !before.is_some_and(|byte| in_name(*byte)) && !after.is_some_and(|byte| in_name(*byte))
    })
}

/// Whether a path begins so here, and not further up.
fn starts_path(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
        !before.is_some_and(|byte| in_name(*byte) || b"-.*~/}>".contains(byte))
    })
}

#[cfg(test)]
mod tests {
    use super::{blanks, heads, long_lines, machine_paths, test_habits, unfinished};
    use crate::tidy::check;

    const FILE: &str = "crates/a/src/b.rs";

    #[test]
    fn file_without_a_telling_head_is_found() {
        for (text, wrong) in [
            ("//! Says enough about this file.\n", 0),
            ("//! Says enough,\n//! on two lines.\n", 0),
            ("//! Too short.\n", 1),
            ("// Not a doc comment, though it is long.\n", 1),
            ("use a;\n//! Says enough about this file.\n", 1),
            ("", 1),
        ] {
            assert_eq!(check(heads, &[(FILE, text)]).len(), wrong, "{text:?}");
        }
    }

    #[test]
    fn blank_at_the_end_tab_and_missing_line_break_are_found() {
        for (path, text, wrong) in [
            (FILE, "fn a() {}\n", 0),
            (FILE, "fn a() {} \n", 1),
            (FILE, "\tfn a() {}\n", 1),
            (FILE, "fn a() {}", 1),
            ("Makefile", "run:\n\tcargo run\n", 0),
            ("crates/a/tests/fixtures/odd.json", "\t{} ", 0),
        ] {
            assert_eq!(check(blanks, &[(path, text)]).len(), wrong, "{text:?}");
        }
    }

    #[test]
    fn long_line_is_found_unless_it_holds_a_link() {
        let long = "x".repeat(121);
        assert_eq!(check(long_lines, &[(FILE, &format!("// {long}\n"))]).len(), 1);
        assert_eq!(check(long_lines, &[(FILE, &format!("// https://{long}\n"))]).len(), 0);
        assert_eq!(check(long_lines, &[("README.md", &long)]).len(), 0);
        assert_eq!(check(long_lines, &[("crates/a/tests/b.rs", &long)]).len(), 0);
    }

    #[test]
    fn unfinished_work_is_found_as_a_whole_word() {
        for (text, wrong) in [
            (concat!("// FIX", "ME later\n"), 1),
            (concat!("let a = \"XX", "X\";\n"), 1),
            (concat!("// XX", "XX digits\n"), 0),
            (concat!("fn a() { todo", "!() }\n"), 1),
            (concat!("let a = \"todo", "!\";\n"), 0),
        ] {
            assert_eq!(check(unfinished, &[(FILE, text)]).len(), wrong, "{text:?}");
        }
    }

    #[test]
    fn path_of_one_machine_is_found_and_a_part_of_another_path_is_not() {
        for (text, wrong) in [
            (concat!("see /wo", "rk/main\n"), 1),
            (concat!("\"/ro", "ot/x\"\n"), 1),
            (concat!("frame/wo", "rk/x\n"), 0),
            (concat!("https://a.example/ho", "me/x\n"), 0),
        ] {
            assert_eq!(check(machine_paths, &[("docs/a.md", text)]).len(), wrong, "{text:?}");
        }
    }

    #[test]
    fn test_that_sleeps_is_left_out_or_expects_a_panic_is_found() {
        let inner = |body: &str| format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{body}\n}}\n");
        for (path, text, wrong) in [
            (FILE, "fn a() { sleep(SECOND) }".to_owned(), 0),
            (FILE, inner("fn b() { std::thread::sleep(SECOND) }"), 1),
            (FILE, inner("fn b() { sleep_until(SECOND) }"), 0),
            ("tests/tests/a.rs", "fn a() { time::sleep(SECOND).await }".to_owned(), 1),
            (FILE, inner("#[ignore]\nfn b() {}"), 1),
            (FILE, inner("#[ignore = \"slow\"]\nfn b() {}"), 1),
            (FILE, inner("#[should_panic(expected = \"x\")]\nfn b() {}"), 1),
            (FILE, inner("// should_panic and #[ignore] are not used\n"), 0),
        ] {
            assert_eq!(check(test_habits, &[(path, &text)]).len(), wrong, "{text}");
        }
    }
}
