//! Address lists (RFC 5322, 3.4), as mail programs write them: comments, groups, quoted names, names
//! without quotes, missing brackets. One pass without recursion; what cannot be an address stays a
//! name.

use postroom_model::{Address, Party};

use crate::limits::{ADDRESSES_MAX, NAME_CHARS_MAX};
use crate::words;

/// Bytes of a name or an address, mostly.
const TYPICAL_BYTES: usize = 64;

/// The parties in the value of one field.
pub(crate) fn parse(raw: &[u8]) -> Vec<Party> {
    let mut list = List::default();
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        // The signs inside an encoded word mean nothing to the list.
        let word = if byte == b'=' { words::length(rest) } else { 0 };
        if word > 0 {
            rest.iter().take(word).for_each(|byte| list.push(*byte));
            rest = rest.get(word..).unwrap_or_default();
        } else {
            list.byte(byte);
            rest = tail;
        }
        if list.found.len() >= ADDRESSES_MAX {
            return list.found;
        }
    }
    let unclosed = match list.state {
        State::Quoted => b'"',
        State::Comment(_) => b'(',
        _ => {
            list.end();
            return list.found;
        }
    };
    // A sign that opens and never closes means nothing.
    let without: Vec<u8> = raw.iter().copied().filter(|byte| *byte != unclosed).collect();
    parse(&without)
}

#[derive(Default)]
struct List {
    found: Vec<Party>,
    /// Words outside brackets and comments; quoted ones without their quotes.
    phrase: Vec<u8>,
    angle: Option<Vec<u8>>,
    comment: Vec<u8>,
    state: State,
    escaped: bool,
    /// Whether any of the phrase was in quotes.
    quoted: bool,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    Phrase,
    Quoted,
    Angle,
    AngleQuoted,
    Comment(usize),
}

impl List {
    fn byte(&mut self, byte: u8) {
        if std::mem::take(&mut self.escaped) {
            return self.push(byte);
        }
        match (self.state, byte) {
            (State::Angle, b'\\') => self.push(byte),
            (_, b'\\') => self.escaped = true,
            (State::Phrase, b'"') => {
                self.quoted = true;
                self.state = State::Quoted;
            }
            (State::Quoted, b'"') => self.state = State::Phrase,
            (State::Angle, b'"') => {
                self.push(byte);
                self.state = State::AngleQuoted;
            }
            (State::AngleQuoted, b'"') => {
                self.push(byte);
                self.state = State::Angle;
            }
            (State::Phrase, b'<') => {
                self.angle.get_or_insert_default().clear();
                self.state = State::Angle;
            }
            (State::Angle, b'>') => self.state = State::Phrase,
            // A bracket that never ends: the list goes on.
            (State::Angle, b',') if self.angle.as_ref().is_some_and(|a| a.contains(&b'@')) => {
                // A source route begins with an at sign.
                if self.angle.as_ref().is_some_and(|angle| angle.starts_with(b"@")) {
                    self.push(byte);
                } else {
                    self.end();
                }
            }
            (State::Phrase, b'(') => self.state = State::Comment(0),
            (State::Comment(depth), b'(') => {
                self.push(byte);
                self.state = State::Comment(depth + 1);
            }
            (State::Comment(0), b')') => self.state = State::Phrase,
            (State::Comment(depth), b')') => {
                self.push(byte);
                self.state = State::Comment(depth - 1);
            }
            (State::Phrase, b',' | b';') => self.end(),
            // The name of a group, or `mailto:` before an address.
            (State::Phrase, b':') if self.angle.is_none() && !self.phrase.contains(&b'@') => {
                self.phrase.clear();
                self.quoted = false;
            }
            _ => self.push(byte),
        }
    }

    fn push(&mut self, byte: u8) {
        let text = match self.state {
            State::Phrase | State::Quoted => &mut self.phrase,
            State::Angle | State::AngleQuoted => self.angle.get_or_insert_default(),
            State::Comment(_) => &mut self.comment,
        };
        if text.capacity() == 0 {
            text.reserve(TYPICAL_BYTES);
        }
        text.push(byte);
    }

    /// The end of one mailbox.
    fn end(&mut self) {
        let phrase = std::mem::take(&mut self.phrase);
        let comment = std::mem::take(&mut self.comment);
        let (angle, quoted) = (self.angle.take(), std::mem::take(&mut self.quoted));
        self.state = State::Phrase;
        let (address, name) = match angle {
            Some(angle) => (clean(&angle), words::decode(&phrase)),
            None => split(&phrase, quoted),
        };
        let name = if name.is_empty() { words::decode(&comment) } else { name };
        let mut name = words::one_line(unquoted(name.trim()));
        if let Some((end, _)) = name.char_indices().nth(NAME_CHARS_MAX) {
            name.truncate(end);
        }
        let address = Address::mail(&address).ok();
        let name = Some(name).filter(|name| !name.is_empty());
        if address.is_some() || name.is_some() {
            self.found.push(Party { address, name, username: None });
        }
    }
}

/// Without quotes around the whole of it.
fn unquoted(name: &str) -> &str {
    let inner = ['"', '\'']
        .into_iter()
        .find_map(|quote| name.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)));
    inner.unwrap_or(name)
}

/// What stands without brackets: an address, an address among words, or only words.
fn split(phrase: &[u8], quoted: bool) -> (String, String) {
    // White space around the dots and the sign is obsolete and still written (RFC 5322, 4.4).
    let text = words::decode(phrase).replace(" @", "@").replace("@ ", "@").replace(" . ", ".");
    let is_address = |word: &&str| word.contains('@') && !word.starts_with('@');
    if quoted && text.contains(' ') && text.contains('@') {
        // A local part with white space, as in "ada lovelace"@example.com, is no address for us.
        return (String::new(), text);
    }
    let Some(address) = text.split(' ').find(is_address) else {
        return (String::new(), text);
    };
    let rest: Vec<&str> = text.split(' ').filter(|word| !word.contains('@')).collect();
    (clean(address.as_bytes()), rest.join(" "))
}

/// An address without what does not belong to it.
fn clean(raw: &[u8]) -> String {
    let text = words::decode(raw);
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '\''));
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    // A source route (RFC 5321, appendix C) is ignored.
    let text = match text.split_once(':') {
        Some((route, rest)) if route.starts_with('@') => rest,
        _ => text,
    };
    // Comments and white space around the parts.
    let mut address = String::with_capacity(text.len());
    let (mut depth, mut quoted) = (0_usize, false);
    for c in text.chars() {
        match c {
            '"' if depth == 0 => {
                quoted = !quoted;
                address.push(c);
            }
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            c if c.is_whitespace() && !quoted => {}
            c => address.push(c),
        }
    }
    let plain = address.strip_prefix('"').and_then(|rest| rest.split_once("\"@"));
    match plain {
        // Quotes that nothing asks for.
        Some((local, domain)) if local.chars().all(is_atom) => format!("{local}@{domain}"),
        _ => address.trim_end_matches('.').to_owned(),
    }
}

fn is_atom(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lists_are_read_as_they_are_written() {
        for (raw, parties) in [
            ("ada@Example.COM", &[("ada@example.com", "")][..]),
            ("Ada L. <ada@example.com>", &[("ada@example.com", "Ada L.")]),
            (
                "\"L., Ada\" <ada@example.com>, bob@example.com",
                &[("ada@example.com", "L., Ada"), ("bob@example.com", "")],
            ),
            ("ada@example.com (Ada (the first))", &[("ada@example.com", "Ada (the first)")]),
            (
                "Team: ada@example.com, Bob <bob@example.com>;, c@d.e",
                &[("ada@example.com", ""), ("bob@example.com", "Bob"), ("c@d.e", "")],
            ),
            ("undisclosed-recipients:;", &[]),
            ("=?utf-8?Q?Zo=C3=AB?= <zoe@example.com>", &[("zoe@example.com", "Zoë")]),
            ("=?utf-8?Q?L,_Zo=C3=AB?= <zoe@example.com>", &[("zoe@example.com", "L, Zoë")]),
            ("ada@example.com bob@example.com", &[("ada@example.com", "")]),
            ("\"=?utf-8?Q?Zo=C3=AB?=\" <zoe@example.com>", &[("zoe@example.com", "Zoë")]),
            ("Ada ada@example.com", &[("ada@example.com", "Ada")]),
            ("Ada", &[("", "Ada")]),
            ("<>", &[]),
            ("Ada <ada@example.com", &[("ada@example.com", "Ada")]),
            (
                "<ada@example.com>; <bob@example.com>",
                &[("ada@example.com", ""), ("bob@example.com", "")],
            ),
            ("<@a.example,@b.example:ada@example.com>", &[("ada@example.com", "")]),
            ("\"ada\"@example.com", &[("ada@example.com", "")]),
            ("mailto:ada@example.com", &[("ada@example.com", "")]),
            ("Ada \\\"A\\\" <ada@example.com>", &[("ada@example.com", "Ada \"A\"")]),
            ("\"Ada <ada@example.com>", &[("ada@example.com", "Ada")]),
            ("Ada (x <ada@example.com>", &[("ada@example.com", "Ada x")]),
            ("'Ada' <ada@example.com>", &[("ada@example.com", "Ada")]),
            ("ada @ example . com", &[("ada@example.com", "")]),
        ] {
            let found = parse(raw.as_bytes());
            let found: Vec<(&str, &str)> = found
                .iter()
                .map(|party| {
                    let address = party.address.as_ref().map_or("", |address| address.name());
                    (address, party.name.as_deref().unwrap_or_default())
                })
                .collect();
            assert_eq!(found, parties, "{raw}");
        }
    }

    #[test]
    fn hostile_list_is_read_in_one_pass_and_bounded() {
        assert!(parse("(".repeat(200_000).as_bytes()).is_empty());
        assert!(parse("\"".repeat(200_001).as_bytes()).is_empty());
        assert_eq!(parse("a@b.c,".repeat(50_000).as_bytes()).len(), 1_000);
        assert!(parse("<".repeat(200_000).as_bytes()).len() <= 1);
    }
}
