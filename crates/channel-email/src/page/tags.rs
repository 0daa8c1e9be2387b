//! HTML cut into text and tags. Comments, declarations and the content of elements that are no text
//! for people are left out.

/// Elements whose content is not read for tags, and is no text for people.
const RAW: &[&str] = &[
    "script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript",
    "template", "svg", "math",
];
/// Bytes of one value that are kept.
const VALUE_BYTES_MAX: usize = 1_000;
/// Attributes of one tag that are looked at.
const ATTRIBUTES_MAX: usize = 32;

#[derive(Debug, PartialEq)]
pub(super) enum Token<'a> {
    Text(&'a str),
    Open(Tag<'a>),
    Close(String),
}

#[derive(Debug, PartialEq)]
pub(super) struct Tag<'a> {
    /// In lower case.
    pub(super) name: String,
    /// What stands between the name and the end.
    pub(super) rest: &'a str,
    /// Ends with `/>`.
    pub(super) closed: bool,
}

impl<'a> Tag<'a> {
    /// Names and values of the attributes as they stand there, their references not decoded.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.rest;
        let next = move || {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if rest.is_empty() {
                return None;
            }
            let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '/');
            let end = rest.find(ends).unwrap_or(rest.len()).max(1);
            let (name, after) = rest.split_at_checked(end)?;
            let after = after.trim_ascii_start();
            let (value, after) = match after.strip_prefix('=') {
                Some(after) => value(after.trim_ascii_start()),
                None => ("", after),
            };
            rest = after;
            Some((name, value.get(..VALUE_BYTES_MAX).unwrap_or(value)))
        };
        std::iter::from_fn(next).take(ATTRIBUTES_MAX)
    }
}

fn value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(text) = text.strip_prefix(quote) {
            return text.split_once(quote).unwrap_or((text, ""));
        }
    }
    let end = text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// No tag ends in what is left, so that it is not looked for again.
    endless: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(html: &'a str) -> Self {
        Self { rest: html, endless: false }
    }

    fn text(&mut self, length: usize) -> Token<'a> {
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        Token::Text(text)
    }

    /// Goes on behind the first `end`, or at the end of the page.
    fn skip_past(&mut self, end: &str) {
        self.rest = self.rest.split_once(end).map_or("", |(_, rest)| rest);
    }

    /// The tag that begins here, if one does.
    fn tag(&mut self) -> Option<Token<'a>> {
        if self.endless {
            return None;
        }
        let body = self.rest.get(1..)?;
        let (closing, body) = match body.strip_prefix('/') {
            Some(body) => (true, body),
            None => (false, body),
        };
        if !body.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let Some(end) = end_of_tag(body) else {
            self.endless = true;
            return None;
        };
        let (inside, after) = body.split_at_checked(end)?;
        self.rest = after.get(1..).unwrap_or_default();
        let ends = |c: char| c.is_ascii_whitespace() || c == '/';
        let length = inside.find(ends).unwrap_or(inside.len());
        let (name, rest) = inside.split_at_checked(length)?;
        // Office puts its own elements into a space of names.
        let name = name.to_ascii_lowercase();
        if closing {
            return Some(Token::Close(name));
        }
        let closed = rest.ends_with('/');
        if !closed && RAW.contains(&name.as_str()) {
            self.skip_content(&name);
        }
        Some(Token::Open(Tag { name, rest, closed }))
    }

    /// Goes on behind the end tag of an element whose content is skipped.
    fn skip_content(&mut self, name: &str) {
        let mut from = 0;
        while let Some(at) = self.rest.get(from..).and_then(|rest| rest.find("</")) {
            let here = self.rest.get(from + at + 2..).unwrap_or_default();
            let same = here.get(..name.len()).is_some_and(|end| end.eq_ignore_ascii_case(name));
            if same {
                self.rest = self.rest.get(from + at..).unwrap_or_default();
                return;
            }
            from += at + 2;
        }
        self.rest = "";
    }
}

/// Where the tag ends; a bracket in quotes does not end it, unless the quotes never do.
fn end_of_tag(body: &str) -> Option<usize> {
    const QUOTED_BYTES_MAX: usize = 64 * 1024;
    let mut quote = None;
    let mut before = b' ';
    let mut plain = None;
    for (at, byte) in body.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') if before == b'=' => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), b'>') if plain.is_none() => plain = Some(at),
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
        if at > QUOTED_BYTES_MAX {
            break;
        }
    }
    plain
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            if !self.rest.starts_with('<') {
                let length = self.rest.find('<').unwrap_or(self.rest.len());
                return Some(self.text(length));
            }
            if self.rest.starts_with("<!--") {
                self.rest = self.rest.get(4..).unwrap_or_default();
                // `<!-->` is a whole comment.
                if !self.rest.starts_with('>') {
                    self.skip_past("-->");
                }
            } else if self.rest.starts_with("<!") || self.rest.starts_with("<?") {
                self.skip_past(">");
            } else {
                return Some(match self.tag() {
                    Some(token) => token,
                    None => self.text(1),
                });
            }
        }
    }
}
