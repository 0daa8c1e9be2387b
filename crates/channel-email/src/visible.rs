//! What somebody wrote now: the newest words of a mail, without quotation and signature.
//!
//! Pure text in, text out. The whole text is kept beside it, so a wrong cut loses nothing. Mail
//! programs mark what they quote in their own ways and languages; each way has its module:
//! attribution lines ([`attribution`]), separators ([`separators`]), blocks of header lines
//! ([`headers`]), signatures ([`signature`]). The markup of HTML is read by [`crate::page`].

mod attribution;
mod headers;
mod separators;
mod shapes;
mod signature;

use crate::page::{Mark, Page};

/// Bytes of a line that are looked at.
const LINE_BYTES_MAX: usize = 2_000;
/// Lines that are looked through; what comes later is kept out.
const LINES_MAX: usize = 20_000;

/// A line without its end, and what the markup says of it.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    mark: Mark,
}

impl<'a> Line<'a> {
    fn new(text: &'a str, mark: Mark) -> Self {
        Self { text: text.trim_end(), mark }
    }

    /// What rules look at: not more than a line can hold.
    fn head(&self) -> &'a str {
        shapes::head(self.text, LINE_BYTES_MAX)
    }

    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    fn is_quote(&self) -> bool {
        self.mark == Mark::Quoted || shapes::is_quote(self.head())
    }
}

/// The newest words of a plain text.
pub(crate) fn of_text(text: &str) -> String {
    let lines: Vec<Line<'_>> =
        text.split('\n').take(LINES_MAX).map(|line| Line::new(line, Mark::Own)).collect();
    of_lines(&lines)
}

/// The newest words of an HTML body.
pub(crate) fn of_page(page: &Page) -> String {
    let marks = page.marks.iter().copied().chain(std::iter::repeat(Mark::Own));
    let lines = page.text.split('\n').zip(marks).take(LINES_MAX);
    let lines: Vec<Line<'_>> = lines.map(|(line, mark)| Line::new(line, mark)).collect();
    let own = of_lines(&lines);
    if !own.is_empty() || lines.iter().all(|line| line.mark == Mark::Own) {
        return own;
    }
    // All of it is quoted or forwarded: then that is what was sent.
    let unmarked: Vec<Line<'_>> =
        lines.iter().map(|line| Line::new(line.text, Mark::Own)).collect();
    of_lines(&unmarked)
}

/// Whether the markup says where the quotation is.
pub(crate) fn is_marked(page: &Page) -> bool {
    page.marks.iter().any(|mark| matches!(mark, Mark::Quoted | Mark::Original))
}

fn of_lines(lines: &[Line<'_>]) -> String {
    let mut reader = Reader { lines, kept: Vec::new(), at: 0, introduced: false };
    while reader.at < lines.len() {
        if !reader.step() {
            break;
        }
    }
    signature::trim_tail(&mut reader.kept);
    let own = joined(&reader.kept);
    if own.is_empty() && !reader.introduced {
        let all: Vec<&str> = lines.iter().map(|line| line.text).collect();
        return joined(&all);
    }
    own
}

/// Lines of the quotation that begins here. A line that a program wrapped and forgot to mark belongs
/// to it.
fn quoted_lines(lines: &[Line<'_>]) -> usize {
    const WRAPPED_CHARS_MIN: usize = 60;
    let mut count = 0;
    while let Some(line) = lines.get(count) {
        let before = count.checked_sub(1).and_then(|before| lines.get(before));
        let long = before.is_some_and(|line| line.text.chars().count() >= WRAPPED_CHARS_MIN);
        let follows = lines.get(count + 1).is_some_and(Line::is_quote);
        let wrapped = follows && !line.is_blank() && (long || line.text.ends_with(" >"));
        let belongs = wrapped && before.is_some_and(Line::is_quote);
        if !(line.is_quote() || belongs) {
            break;
        }
        count += 1;
    }
    count
}

fn joined(lines: &[&str]) -> String {
    let blank = |line: &&&str| line.trim().is_empty();
    let from = lines.iter().take_while(blank).count();
    let until = lines.len() - lines.iter().rev().take_while(blank).count();
    lines.get(from..until).unwrap_or_default().join("\n").trim_end().to_owned()
}

struct Reader<'a, 'b> {
    lines: &'b [Line<'a>],
    kept: Vec<&'a str>,
    at: usize,
    /// Something was introduced as the words of somebody else.
    introduced: bool,
}

impl<'a> Reader<'a, '_> {
    /// Reads one line or more; no further where the original message begins.
    fn step(&mut self) -> bool {
        let Some(line) = self.lines.get(self.at) else { return false };
        match line.mark {
            Mark::Original => return false,
            Mark::Signature => {
                self.at += 1;
                return true;
            }
            _ => {}
        }
        if line.is_blank() {
            self.keep(line.text);
            return true;
        }
        if line.is_quote() {
            self.skip_quote();
            return true;
        }
        if let Some(found) = attribution::at(self.lines, self.at) {
            if !found.before.is_empty() {
                self.kept.push(found.before);
            }
            return self.introduce(found.lines);
        }
        if let Some(lines) = separators::at(self.lines, self.at) {
            let header = headers::at(self.lines, self.at + lines).unwrap_or(0);
            return self.begin_original(lines + header);
        }
        if let Some(lines) = headers::at(self.lines, self.at) {
            return self.begin_original(lines);
        }
        if signature::begins(self.lines, self.at) {
            self.skip_signature();
            return true;
        }
        self.keep(line.text);
        true
    }

    fn keep(&mut self, text: &'a str) {
        self.kept.push(text);
        self.at += 1;
    }

    fn has_words(&self) -> bool {
        self.kept.iter().any(|line| !line.trim().is_empty() && !shapes::is_rule(line))
    }

    fn skip_quote(&mut self) {
        signature::trim_tail(&mut self.kept);
        if self.lines.get(self.at).is_some_and(|line| line.mark == Mark::Quoted) {
            self.introduced = true;
        }
        let rest = self.lines.get(self.at..).unwrap_or_default();
        self.introduced |= rest.first().is_some_and(|line| attribution::is_quoted(line.head()));
        self.at += quoted_lines(rest);
        // So that what stood around it does not run into one paragraph.
        if self.has_words() {
            self.kept.push("");
        }
    }

    /// Behind an attribution line: either a marked quotation, or the original to the end.
    fn introduce(&mut self, lines: usize) -> bool {
        signature::trim_tail(&mut self.kept);
        self.introduced = true;
        self.at += lines;
        let rest = self.lines.get(self.at..).unwrap_or_default();
        let next = rest.iter().find(|line| !line.is_blank());
        let bars = rest.iter().filter(|line| !line.is_blank()).take(2);
        if bars.clone().count() == 2 && bars.clone().all(|line| line.text.starts_with('|')) {
            return false;
        }
        next.is_some_and(Line::is_quote) || !self.has_words()
    }

    /// Behind a separator everything is original; where nothing stands before it, it is what was
    /// forwarded.
    fn begin_original(&mut self, lines: usize) -> bool {
        self.introduced = true;
        self.at += lines;
        if self.has_words() {
            return false;
        }
        self.kept.clear();
        true
    }

    fn skip_signature(&mut self) {
        signature::trim_tail(&mut self.kept);
        self.at += 1;
        while let Some(line) = self.lines.get(self.at) {
            let ends = line.mark == Mark::Original
                || line.is_quote()
                || attribution::at(self.lines, self.at).is_some()
                || separators::at(self.lines, self.at).is_some()
                || headers::at(self.lines, self.at).is_some();
            if ends {
                break;
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests;
