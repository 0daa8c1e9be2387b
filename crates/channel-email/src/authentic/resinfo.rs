//! The grammar of `Authentication-Results` (RFC 8601, 2.2): results apart by semicolons, each a method with
//! what it gave and properties. Names in it come from whoever wrote the mail, so comments and quoted
//! strings are read as what they are. It judges nothing.

use std::iter::Peekable;
use std::str::Chars;

/// Results of one field that are looked at.
const RESULTS_MAX: usize = 100;

/// One result: `spf=pass (…) smtp.mailfrom=a@example.com`. The first of a field is the server's id.
#[derive(Debug, Default)]
pub(super) struct Finding {
    pub(super) method: String,
    pub(super) value: String,
    pub(super) properties: Vec<(String, String)>,
    /// The words of its comments.
    pub(super) comments: Vec<String>,
}

/// The results in order, at least one. What is left open at the end says nothing.
pub(super) fn read(text: &str) -> Vec<Finding> {
    let mut found = vec![Finding::default()];
    let mut word = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let Some(result) = found.last_mut() else { break };
        match c {
            ';' => {
                result.take(&mut word);
                if found.len() >= RESULTS_MAX {
                    return found;
                }
                found.push(Finding::default());
            }
            '(' => {
                result.take(&mut word);
                let Some(comment) = comment(&mut rest) else { return found };
                result.comments.extend(comment.split_whitespace().map(str::to_owned));
            }
            '"' => match quoted(&mut rest) {
                Some(inner) => word.push_str(&inner),
                None => return found,
            },
            c if c.is_whitespace() => {
                // An equals sign may stand apart.
                let next = rest.peek().copied();
                if !word.ends_with('=') && next != Some('=') {
                    result.take(&mut word);
                }
            }
            c => word.push(c),
        }
    }
    if let Some(result) = found.last_mut() {
        result.take(&mut word);
    }
    found
}

impl Finding {
    fn take(&mut self, word: &mut String) {
        let word = std::mem::take(word);
        if word.is_empty() {
            return;
        }
        let (key, value) = word.split_once('=').unwrap_or((&word, ""));
        if self.method.is_empty() {
            // A version may stand behind the method.
            key.split('/').next().unwrap_or_default().clone_into(&mut self.method);
            value.clone_into(&mut self.value);
        } else {
            self.properties.push((key.to_owned(), value.to_owned()));
        }
    }
}

/// What stands in a comment, those within it included.
fn comment(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut inner = String::new();
    let mut depth = 1_usize;
    loop {
        match rest.next()? {
            '\\' => inner.push(rest.next()?),
            '(' => depth = depth.saturating_add(1),
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(inner);
                }
            }
            c => inner.push(c),
        }
    }
}

fn quoted(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut inner = String::new();
    loop {
        match rest.next()? {
            '\\' => inner.push(rest.next()?),
            '"' => return Some(inner),
            c => inner.push(c),
        }
    }
}
