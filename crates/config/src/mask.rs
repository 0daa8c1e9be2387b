//! Hides secrets in the text of the file before lines of it are shown beside a mistake (P10).
//!
//! Each character is replaced by one of the same length in bytes, so that every place stays where
//! it is.

use std::ops::Range;

use crate::redact::is_secret_key;
use crate::toml_text::Parsed;

/// The text with the values of secret keys and the users, passwords and queries of URLs
/// replaced.
pub(crate) fn mask(text: &str, parsed: &Parsed) -> String {
    let mut hidden = secret_values(parsed);
    let sound = parsed.is_sound();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        hidden.extend(assignments(line, sound).map(|range| shift(&range, start)));
        hidden.extend(url_secrets(line).into_iter().map(|range| shift(&range, start)));
        start += line.len();
    }
    replace(text, &hidden)
}

fn shift(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// The values that the parser found under secret keys, at any depth.
fn secret_values(parsed: &Parsed) -> Vec<Range<usize>> {
    let secret = parsed.places.iter().filter(|(path, place)| {
        // A table under a header is shown by its header, which is no secret.
        path.split(['.', '[', '"']).any(is_secret_key) && place.key != place.value
    });
    secret.map(|(_, place)| place.value.clone()).collect()
}

/// Values after `key =` in a line, read without a parser: for comments and for text that TOML
/// refuses.
fn assignments(line: &str, sound: bool) -> impl Iterator<Item = Range<usize>> + '_ {
    line.match_indices('=').filter_map(move |(equals, _)| {
        let name = line.get(..equals)?.trim_end().trim_end_matches(['"', '\'']);
        let bare = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let name = name.rsplit(|c| !bare(c)).next()?;
        if !is_secret_key(name) {
            return None;
        }
        let rest = line.get(equals + 1..)?;
        let value = rest.trim_start();
        let start = equals + 1 + rest.len() - value.len();
        let length = if sound { token_length(value) } else { value.trim_end().len() };
        Some(start..start + length)
    })
}

/// The length of the value that stands at the beginning: up to its closing quote or bracket, or
/// else up to a space or comma.
fn token_length(value: &str) -> usize {
    let close = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value.match_indices(quote).nth(1),
        Some('[') => value.match_indices(']').next(),
        _ => return value.find([',', '}', ' ', '\t', '\r', '\n']).unwrap_or(value.len()),
    };
    close.map_or(value.trim_end().len(), |(at, _)| at + 1)
}

/// The user and password, and the query, of each URL of a line.
fn url_secrets(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, mark) in line.match_indices("://") {
        let start = at + mark.len();
        let rest = line.get(start..).unwrap_or_default();
        let end = rest.find(['"', '\'', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
        let url = rest.get(..end).unwrap_or_default();
        let authority = url.find(['/', '?', '#']).unwrap_or(end);
        if let Some(user) = url.get(..authority).and_then(|authority| authority.rfind('@')) {
            found.push(start..start + user);
        }
        if let Some(query) = url.find('?') {
            found.push(start + query + 1..start + end);
        }
    }
    found
}

fn replace(text: &str, hidden: &[Range<usize>]) -> String {
    let is_hidden = |at: usize| hidden.iter().any(|range| range.contains(&at));
    let shown = text.char_indices().map(|(at, c)| match c {
        '\n' | '\r' | '"' | '\'' => c,
        _ if !is_hidden(at) => c,
        _ => match c.len_utf8() {
            1 => '*',
            2 => '·',
            3 => '•',
            _ => '𐄁',
        },
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::mask;
    use crate::toml_text::Parsed;

    fn masked(text: &str) -> String {
        let masked = mask(text, &Parsed::new(text));
        assert_eq!(masked.len(), text.len());
        masked
    }

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        for text in [
            "secret = \"hunter2\"",
            "secrets = [\"hunter2\", 'hunter2']",
            "# token = \"hunter2\"",
            "kind = 'x' # old: secret=hunter2",
            "c = { id = 'a', bot_token = 'hunter2', kind = 'x' }",
            "secret = \"\"\"\nhunter2\nhunter2\"\"\"",
            "secret = hunter2 hunter2",
            "\"secret\" = \"hunter2",
            "[smtp.password]\nvalue = 'hunter2'",
            "url = 'redis://:hunter2@db'",
            "callback_url = 'https://a.example/out?key=hunter2'",
            "secret.value = 'hunter2'",
        ] {
            let shown = masked(text);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn everything_else_stays() {
        let text = "c = { id = 'ä', secret = 'hünter2', kind = 'webhok' }\nsecret_file = 'a'\n";
        assert_eq!(masked(text), text.replace("hünter2", "*·*****"));
    }
}
