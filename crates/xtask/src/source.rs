//! A Rust file taken apart just far enough for the rules: its code without comments and words, its
//! string literals, and where its tests begin. Not a parser; it knows tokens only.

use std::collections::BTreeMap;

/// A Rust file as the rules see it.
#[derive(Debug)]
pub(crate) struct Source {
    /// The file with comments, the insides of literals and all that is not ASCII blanked out. One
    /// byte for each character of the file, so that places in it are places in the file.
    pub code: String,
    /// String literals by the place of their opening quote in `code`, escapes as written.
    pub literals: BTreeMap<usize, String>,
    /// Where `#[cfg(test)] mod … {` begins; the length of the code if there is none.
    pub tests_from: usize,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let mut lexer = Lexer { chars: text.chars().collect(), ..Lexer::default() };
        lexer.run();
        let tests_from = tests_from(&lexer.code);
        Self { code: lexer.code, literals: lexer.literals, tests_from }
    }

    /// The line of a place in the code, counted from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        1 + self.code.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    /// Places in the code where `word` stands, not as a part of a longer name.
    pub(crate) fn places<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            let before = at.checked_sub(1).and_then(|at| self.code.as_bytes().get(at));
            let after = self.code.as_bytes().get(at + word.len());
            let ends_in_name = word.bytes().last().is_some_and(in_name);
            !(before.is_some_and(|byte| in_name(*byte))
                || ends_in_name && after.is_some_and(|byte| in_name(*byte)))
        })
    }

    /// The place behind the bracket that closes the first one of its kind at or after `from`.
    pub(crate) fn closing(&self, from: usize, open: u8, close: u8) -> Option<usize> {
        let mut depth = 0_usize;
        for (at, byte) in self.code.bytes().enumerate().skip(from) {
            if byte == open {
                depth += 1;
            } else if byte == close {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
        }
        None
    }

    /// The string literal that begins at or after `from`, with nothing but blanks before it.
    pub(crate) fn literal_at(&self, from: usize) -> Option<&str> {
        let blanks = self.code.bytes().skip(from).take_while(u8::is_ascii_whitespace).count();
        self.literals.get(&(from + blanks)).map(String::as_str)
    }

    /// Names of all functions.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &str> {
        self.places("fn ").filter_map(|at| {
            let name = self.code.get(at + 3..)?;
            name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
        })
    }
}

pub(crate) fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn tests_from(code: &str) -> usize {
    const MARK: &str = "#[cfg(test)]";
    for (at, _) in code.match_indices(MARK) {
        let mut rest = code.get(at + MARK.len()..).unwrap_or_default().trim_start();
        while let Some((_, behind)) = rest.strip_prefix("#[").and_then(|rest| rest.split_once(']'))
        {
            rest = behind.trim_start();
        }
        let first = rest.find(['{', ';']).and_then(|at| rest.as_bytes().get(at));
        if rest.starts_with("mod ") && first == Some(&b'{') {
            return at;
        }
    }
    code.len()
}

#[derive(Debug, Default)]
struct Lexer {
    chars: Vec<char>,
    at: usize,
    code: String,
    literals: BTreeMap<usize, String>,
}

impl Lexer {
    fn run(&mut self) {
        while let Some(c) = self.peek(0) {
            match (c, self.peek(1)) {
                ('/', Some('/')) => self.blank_while(|lexer| lexer.peek(0) != Some('\n')),
                ('/', Some('*')) => self.block_comment(),
                ('"', _) => self.string(),
                ('r', Some('"' | '#')) if !self.in_a_name() => self.raw_string(),
                ('\'', Some('\\')) => self.escaped_char(),
                ('\'', Some(_)) if self.peek(2) == Some('\'') => {
                    self.keep();
                    self.blank();
                    self.keep();
                }
                _ => self.keep(),
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        if let Some(c) = self.peek(0) {
            self.code.push(if c.is_ascii() { c } else { ' ' });
            self.at += 1;
        }
    }

    fn blank(&mut self) {
        if let Some(c) = self.peek(0) {
            self.code.push(if c == '\n' { '\n' } else { ' ' });
            self.at += 1;
        }
    }

    fn blank_while(&mut self, goes_on: impl Fn(&Self) -> bool) {
        while self.at < self.chars.len() && goes_on(self) {
            self.blank();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                _ => {
                    self.blank();
                    continue;
                }
            }
            self.blank();
            self.blank();
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        let opened = self.at;
        self.keep();
        while let Some(c) = self.peek(0) {
            if c == '"' {
                break;
            }
            if c == '\\' {
                self.blank();
            }
            self.blank();
        }
        self.close_literal(opened, 0);
    }

    fn raw_string(&mut self) {
        let hashes = self.chars.iter().skip(self.at + 1).take_while(|c| **c == '#').count();
        if self.peek(1 + hashes) != Some('"') {
            return self.keep();
        }
        (0..=hashes).for_each(|_| self.keep());
        let opened = self.at;
        self.keep();
        self.blank_while(|lexer| {
            let closes = |n: usize| lexer.peek(n) == Some('#');
            lexer.peek(0) != Some('"') || !(1..=hashes).all(closes)
        });
        self.close_literal(opened, hashes);
    }

    fn close_literal(&mut self, opened: usize, hashes: usize) {
        let inside = self.chars.get(opened + 1..self.at).unwrap_or_default();
        self.literals.insert(opened, inside.iter().collect());
        (0..=hashes).for_each(|_| self.keep());
    }

    fn escaped_char(&mut self) {
        self.keep();
        self.blank();
        self.blank();
        self.blank_while(|lexer| lexer.peek(0) != Some('\''));
        self.keep();
    }

    /// Whether the letter here goes on a name; the `b` and `c` of literals are no names.
    fn in_a_name(&self) -> bool {
        let mut before = self.chars.get(..self.at).unwrap_or_default().iter().rev();
        let named = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
        match before.next() {
            Some('b' | 'c') => named(before.next()),
            last => named(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn code_keeps_places_and_loses_comments_and_words() {
        let text = concat!(
            "let a = \"x // \\\" é\"; // \"no\"\n",
            "let b = br#\"q\" \"#; /* a /* b */ c */ let c = '\"';\n",
            "let d: &'static str = f('\\'');"
        );
        let source = Source::new(text);
        assert_eq!(source.code.len(), text.chars().count());
        let words: Vec<&str> = source.literals.values().map(String::as_str).collect();
        assert_eq!(words, ["x // \\\" é", "q\" "]);
        assert!(source.code.contains("let c = ' ';"), "{}", source.code);
        assert!(source.code.contains("let d: &'static str = f('  ');"), "{}", source.code);
        assert_eq!(source.line(source.code.find("let d").unwrap()), 3);
    }

    #[test]
    fn tests_begin_at_their_module_and_not_at_a_lone_item() {
        let text = "#[cfg(test)]\nuse a;\nfn b() {}\n#[cfg(test)]\nmod c;\n\
                    #[cfg(test)]\n#[expect(x)]\nmod tests {\n}\n";
        let source = Source::new(text);
        assert_eq!(source.line(source.tests_from), 6);
        assert_eq!(Source::new("fn a() {}").tests_from, 9);
    }

    #[test]
    fn words_are_found_whole() {
        let source =
            Source::new("fn sleep() {} fn asleep() {} fn sleep_until() {} // fn comment()");
        assert_eq!(source.places("sleep").count(), 1);
        assert_eq!(source.places("sleep(").count(), 1);
        let names: Vec<&str> = source.functions().collect();
        assert_eq!(names, ["sleep", "asleep", "sleep_until"]);
    }
}
