//! The words of an HTML body, line by line, and what the mail programs say of them in their markup:
//! which are quoted, which are a signature, where the original message begins.
//!
//! One pass over the tags, without a tree, so that the cost is linear whatever comes. Nothing of it
//! is shown as HTML; that is what sanitising is for.

mod entities;
mod marks;
mod tags;

pub(crate) use marks::{Mark, may_be_marked};

use self::marks::{Known, Region, region};
use self::tags::{Tag, Token, Tokens};

/// Elements within each other that are kept track of; deeper ones count as the innermost of these.
const DEPTH_MAX: usize = 512;
/// Signs of quotation before one line.
const QUOTE_DEPTH_MAX: usize = 10;
/// Stands for a rule.
const RULE: &str = "________________________________";

/// Text with `\n` ends, and one mark for each line.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) marks: Vec<Mark>,
}

/// Reads a body. Quoted blocks have `> ` before their lines.
pub(crate) fn read(html: &str) -> Page {
    let mut writer = Writer::default();
    for token in Tokens::new(html) {
        match token {
            Token::Text(text) => writer.text(text),
            Token::Open(tag) => writer.open(&tag),
            Token::Close(name) => writer.close(&name),
        }
    }
    writer.finish()
}

#[derive(Default)]
struct Writer {
    page: Page,
    /// Open elements, and what each means for the lines inside.
    open: Vec<(String, Option<Region>)>,
    quotes: usize,
    quoted: usize,
    signed: usize,
    hidden: usize,
    pre: usize,
    cut: bool,
    /// Line ends that are due before the next word.
    breaks: usize,
    gap: bool,
    /// The line holds a word.
    started: bool,
    items: Vec<Option<usize>>,
}

impl Writer {
    fn mark(&self) -> Mark {
        if self.cut {
            Mark::Original
        } else if self.quoted > 0 {
            Mark::Quoted
        } else if self.signed > 0 {
            Mark::Signature
        } else {
            Mark::Own
        }
    }

    fn open(&mut self, tag: &Tag<'_>) {
        let known = Known::of(tag);
        match tag.name.as_str() {
            "br" => return self.line_end(),
            "hr" => {
                self.cut |= marks::begins_original(tag, &known);
                self.break_by(1);
                self.words(RULE);
                return self.break_by(1);
            }
            "base" | "img" | "input" | "link" | "meta" | "col" | "wbr" | "area" | "source"
            | "embed" | "param" | "track" => return,
            "ul" => self.items.push(None),
            "ol" => self.items.push(Some(0)),
            "td" | "th" => self.gap = true,
            _ => {}
        }
        self.break_by(breaks(&tag.name));
        if marks::begins_original(tag, &known) {
            self.cut = true;
        }
        let region = region(tag, &known);
        self.enter(region);
        if tag.name == "li" {
            self.item();
        }
        if self.open.len() < DEPTH_MAX && !tag.closed {
            self.open.push((tag.name.clone(), region));
        } else {
            self.leave(region);
        }
    }

    fn item(&mut self) {
        let mark = match self.items.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{number}.")
            }
            _ => "*".to_owned(),
        };
        self.words(&mark);
        self.gap = true;
    }

    fn close(&mut self, name: &str) {
        if name == "br" {
            return self.line_end();
        }
        if let Some(at) = self.open.iter().rposition(|(open, _)| open == name) {
            for (_, region) in self.open.split_off(at) {
                self.leave(region);
            }
        }
        if name == "ul" || name == "ol" {
            self.items.pop();
        }
        self.break_by(breaks(name));
    }

    fn enter(&mut self, region: Option<Region>) {
        match region {
            Some(Region::Block) => self.quotes += 1,
            Some(Region::Quoted) => self.quoted += 1,
            Some(Region::Signature) => self.signed += 1,
            Some(Region::Hidden) => self.hidden += 1,
            Some(Region::Pre) => self.pre += 1,
            None => {}
        }
    }

    fn leave(&mut self, region: Option<Region>) {
        let count = match region {
            Some(Region::Block) => &mut self.quotes,
            Some(Region::Quoted) => &mut self.quoted,
            Some(Region::Signature) => &mut self.signed,
            Some(Region::Hidden) => &mut self.hidden,
            Some(Region::Pre) => &mut self.pre,
            None => return,
        };
        *count = count.saturating_sub(1);
    }

    /// At least so many line ends before the next word; none at the start of the page.
    fn break_by(&mut self, breaks: usize) {
        if breaks > 0 {
            self.breaks = self.breaks.max(breaks);
            self.gap = false;
        }
    }

    fn line_end(&mut self) {
        if self.hidden > 0 {
            return;
        }
        self.due();
        self.next_line();
        self.gap = false;
    }

    fn next_line(&mut self) {
        if !self.started {
            self.page.marks.push(self.mark());
        }
        self.page.text.push('\n');
        self.started = false;
    }

    /// Writes the line ends that are due.
    fn due(&mut self) {
        let breaks = std::mem::take(&mut self.breaks);
        if self.page.text.is_empty() || breaks == 0 {
            return;
        }
        let there = self.page.text.bytes().rev().take(2).take_while(|byte| *byte == b'\n').count();
        for _ in there..breaks {
            self.next_line();
        }
    }

    fn text(&mut self, text: &str) {
        if self.hidden > 0 {
            return;
        }
        let text = entities::decoded(text);
        if self.pre > 0 {
            for (index, line) in text.split('\n').enumerate() {
                if index > 0 {
                    self.line_end();
                }
                if !line.trim().is_empty() {
                    self.words(line.trim_end());
                }
            }
            return;
        }
        let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}');
        for (index, word) in text.split(blank).enumerate() {
            self.gap |= index > 0;
            if !word.is_empty() {
                self.words(word);
            }
        }
    }

    fn words(&mut self, words: &str) {
        if self.hidden > 0 {
            return;
        }
        self.due();
        if !self.started {
            self.page.marks.push(self.mark());
            for _ in 0..self.quotes.min(QUOTE_DEPTH_MAX) {
                self.page.text.push_str("> ");
            }
            self.started = true;
        } else if self.gap {
            self.page.text.push(' ');
        }
        self.gap = false;
        if words.contains('\u{a0}') {
            self.page.text.push_str(&words.replace('\u{a0}', " "));
        } else {
            self.page.text.push_str(words);
        }
    }

    fn finish(mut self) -> Page {
        if !self.started {
            self.page.marks.push(self.mark());
        }
        self.page
    }
}

/// Line ends around an element.
fn breaks(name: &str) -> usize {
    match name {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "pre" | "table" | "dl" => 2,
        "div" | "ul" | "ol" | "li" | "tr" | "dt" | "dd" | "section" | "article" | "header"
        | "footer" | "main" | "nav" | "aside" | "center" | "form" | "fieldset" | "address"
        | "figure" | "figcaption" | "caption" | "thead" | "tbody" | "tfoot" | "body" | "title" => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, read};

    #[test]
    fn page_reads_as_it_is_seen() {
        for (html, text) in [
            ("<p>Hello <b>Ada</b>,</p>\n<p>thank you.</p>", "Hello Ada,\n\nthank you."),
            ("one<br>two &amp; three<br><br>four", "one\ntwo & three\n\nfour"),
            ("<ul><li>茶</li><li>咖啡</li></ul><ol><li>a<li>b</ol>", "* 茶\n* 咖啡\n1. a\n2. b"),
            ("<table><tr><td>Order</td><td>77</td></tr><tr><td>x</table>", "Order 77\nx"),
            ("<head><title>t</title><style>p{}</style></head><body>a", "a"),
            ("<script>if (a<b) x();</script>a<!-- <p>b --><!doctype html>c", "ac"),
            ("<div>a</div><div>b</div><div><br></div><div>c</div>", "a\nb\n\nc"),
            ("<pre>x\n  y</pre>z", "x\n  y\n\nz"),
            ("a<span style='display: none'>hidden</span>b", "ab"),
            (
                "said<blockquote>one<blockquote>two</blockquote></blockquote>three",
                "said\n\n> one\n\n> > two\n\nthree",
            ),
            ("a < b &lt; c &copy; &#8212; &#x4f60; &nosuch; &nbsp", "a < b < c © — 你 &nosuch;"),
            ("<a href='https://example.com/?a>b'>link</a>", "link"),
            ("<p>unclosed <b>tags <i", "unclosed tags <i"),
        ] {
            assert_eq!(read(html).text.trim(), text, "{html}");
        }
    }

    #[test]
    fn every_line_has_a_mark_of_where_it_stands() {
        let html = "Yes.<div class='gmail_signature'>Ada</div><div class=\"x gmail_quote\">On Monday \
                    Bob wrote:<blockquote>Well?</blockquote></div>Below<br>\
                    <div id=divRplyFwdMsg>From: Bob</div>Old";
        let page = read(html);
        let lines: Vec<(&str, Mark)> = page
            .text
            .split('\n')
            .zip(page.marks.iter().copied())
            .filter(|(line, _)| !line.is_empty())
            .collect();
        assert_eq!(page.text.split('\n').count(), page.marks.len());
        assert_eq!(
            lines,
            [
                ("Yes.", Mark::Own),
                ("Ada", Mark::Signature),
                ("On Monday Bob wrote:", Mark::Quoted),
                ("> Well?", Mark::Quoted),
                ("Below", Mark::Own),
                ("From: Bob", Mark::Original),
                ("Old", Mark::Original),
            ]
        );
    }

    #[test]
    fn hostile_page_costs_no_more_than_its_size() {
        let clock = std::time::Instant::now();
        for html in [
            "<div>".repeat(200_000),
            "<b>".repeat(300_000) + "x",
            "<".repeat(500_000),
            "<a b=\"".repeat(150_000),
            "<!--".repeat(200_000),
            "&".repeat(500_000),
            "<blockquote>".repeat(80_000) + "x",
            "<script>".repeat(100_000),
            format!("<p{}>", " a".repeat(300_000)),
            "</p>".repeat(200_000),
        ] {
            assert!(read(&html).text.len() <= html.len() + 64);
        }
        // Generous for a busy machine; what grows with the square takes minutes.
        assert!(clock.elapsed().as_secs() < 20);
    }
}
