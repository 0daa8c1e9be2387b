//! The words of a mail: which parts are its text and its HTML, the whole plain text, the newest
//! words, and the HTML that may be shown.

use std::borrow::Cow;
use std::collections::BTreeSet;

use mail_parser::{Message, MessagePart, MimeHeaders, PartType};
use postroom_channel::html;

use crate::limits::{HTML_TEXT_BYTES_MAX, TEXT_BYTES_MAX};
use crate::page::{self, Page};
use crate::{mime, visible};

/// The words of one mail.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) text: Option<String>,
    pub(crate) visible_text: Option<String>,
    /// As it came, not to be shown.
    pub(crate) html: Option<String>,
    /// Text was cut at [`TEXT_BYTES_MAX`].
    pub(crate) cut: bool,
    /// The parts that are shown as words, by index.
    pub(crate) parts: BTreeSet<usize>,
}

pub(crate) fn of(message: &Message<'_>, raw: &[u8]) -> Body {
    let plain = ids(&message.text_body, message, |part| matches!(part.body, PartType::Text(_)));
    let rich = ids(&message.html_body, message, |part| matches!(part.body, PartType::Html(_)));
    let (plain, rich) =
        if plain.is_empty() && rich.is_empty() { broken(message) } else { (plain, rich) };
    let join = |ids: &[usize], between: &str| {
        let texts: Vec<Cow<'_, str>> = ids
            .iter()
            .filter_map(|id| message.parts.get(*id))
            .map(|part| words(part, raw))
            .filter(|text| !text.trim().is_empty())
            .collect();
        match texts.len() {
            0 => None,
            // Nearly always, and then nothing has to be put together.
            1 => texts.into_iter().next().map(Cow::into_owned),
            _ => Some(texts.join(between)),
        }
    };
    let mut body = assemble(join(&plain, "\n").as_deref(), join(&rich, "\n"));
    body.parts = plain.into_iter().chain(rich).collect();
    body
}

/// Words that the library takes for files: of a part without its end, of a multipart without parts.
fn broken(message: &Message<'_>) -> (Vec<usize>, Vec<usize>) {
    let is = |part: &MessagePart<'_>| {
        let kind = part.content_type().map(mail_parser::ContentType::ctype);
        let multipart = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("multipart"));
        let text = kind.is_none_or(|kind| kind.eq_ignore_ascii_case("text"));
        let file = part.content_disposition().is_some_and(mail_parser::ContentType::is_attachment);
        let words = matches!(part.body, PartType::Text(_) | PartType::Html(_));
        words && !file && (multipart || text && part.is_encoding_problem)
    };
    let parts = message.parts.iter().enumerate().filter(|(_, part)| is(part));
    let (rich, plain): (Vec<_>, Vec<_>) =
        parts.partition(|(_, part)| mime::is_of_type(part, "text", "html"));
    let ids = |parts: Vec<(usize, _)>| parts.into_iter().map(|(id, _)| id).collect();
    (ids(plain), ids(rich))
}

/// A bare body, as `postroom inspect --body` takes it.
pub(crate) fn bare(text: Option<&str>, html: Option<String>) -> Body {
    assemble(text.map(unix_lines).as_deref(), html)
}

fn ids(known: &[u32], message: &Message<'_>, is: impl Fn(&MessagePart<'_>) -> bool) -> Vec<usize> {
    let ids = known.iter().map(|id| *id as usize);
    ids.filter(|id| message.parts.get(*id).is_some_and(&is)).collect()
}

/// The text of one part, with `\n` ends; `format=flowed` (RFC 3676) put together again.
fn words<'a>(part: &'a MessagePart<'_>, raw: &'a [u8]) -> Cow<'a, str> {
    let text = mime::text(part, raw);
    let text = match text {
        Cow::Borrowed(text) => unix_lines(text),
        Cow::Owned(text) => Cow::Owned(unix_lines(&text).into_owned()),
    };
    let kind = part.content_type();
    let flowed = mime::attribute(kind, "format").is_some_and(|f| f.eq_ignore_ascii_case("flowed"));
    if !flowed || matches!(part.body, PartType::Html(_)) {
        return text;
    }
    let glue = mime::attribute(kind, "delsp").is_some_and(|d| d.eq_ignore_ascii_case("yes"));
    Cow::Owned(unflowed(&text, glue))
}

fn assemble(text: Option<&str>, html: Option<String>) -> Body {
    let own = text.map(|text| head(text, TEXT_BYTES_MAX));
    let page = html.as_deref().filter(|html| own.is_none() || page::may_be_marked(html));
    let page = page.map(|html| page::read(head(html, HTML_TEXT_BYTES_MAX)));
    let visible = newest(own, page.as_ref());
    let words = match (own, &page) {
        (Some(text), _) => Some(text.to_owned()),
        (None, Some(page)) => Some(head(page.text.trim(), TEXT_BYTES_MAX).to_owned()),
        (None, None) => None,
    };
    let cut = text.is_some_and(|text| text.len() > TEXT_BYTES_MAX)
        || text.is_none() && html.as_ref().is_some_and(|html| html.len() > HTML_TEXT_BYTES_MAX);
    let text = words.filter(|text| !text.trim().is_empty());
    let visible_text = visible.filter(|_| text.is_some());
    Body { text, visible_text, html, cut, parts: BTreeSet::new() }
}

/// The newest words. Plain text is closer to what was typed; where it shows no quotation and the
/// markup does, the markup is right.
fn newest(text: Option<&str>, page: Option<&Page>) -> Option<String> {
    let Some(text) = text else { return page.map(visible::of_page) };
    let own = visible::of_text(text);
    match page {
        Some(page) if own.len() >= text.trim().len() && visible::is_marked(page) => {
            let marked = visible::of_page(page);
            Some(if marked.is_empty() { own } else { marked })
        }
        _ => Some(own),
    }
}

/// HTML that may be shown, and the code of why it may not.
pub(crate) fn shown(source: &str) -> (Option<String>, Option<&'static str>) {
    match html::sanitize(source) {
        Ok(clean) => (Some(clean).filter(|clean| !clean.is_empty()), None),
        Err(error) => (None, Some(error.code())),
    }
}

pub(crate) fn unix_lines(text: &str) -> Cow<'_, str> {
    let Some(mut at) = memchr::memchr2(b'\r', b'\0', text.as_bytes()) else {
        return Cow::Borrowed(text);
    };
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_at_checked(at) {
        out.push_str(before);
        rest = match after.strip_prefix('\r') {
            Some(tail) => {
                out.push('\n');
                tail.strip_prefix('\n').unwrap_or(tail)
            }
            None => after.strip_prefix('\0').unwrap_or_default(),
        };
        let next = memchr::memchr2(b'\r', b'\0', rest.as_bytes());
        let Some(next) = next else { break };
        at = next;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Lines that end with a space go on in the next of the same depth of quotation.
fn unflowed(text: &str, glue: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.split('\n') {
        let depth = line.len() - line.trim_start_matches('>').len();
        let (signs, rest) = line.split_at_checked(depth).unwrap_or((line, ""));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let signature = rest == "-- ";
        if open != Some(depth) || signature {
            if open.is_some() {
                close(&mut out);
            }
            out.push_str(signs);
            if depth > 0 && !rest.is_empty() {
                out.push(' ');
            }
        }
        out.push_str(rest);
        if rest.ends_with(' ') && !signature {
            if glue {
                out.pop();
            }
            open = Some(depth);
        } else {
            out.push('\n');
            open = None;
        }
    }
    close(&mut out);
    out
}

fn close(out: &mut String) {
    while out.ends_with(' ') && !out.ends_with("\n-- ") {
        out.pop();
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

fn head(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{newest, unflowed, unix_lines};
    use crate::page;

    #[test]
    fn lines_end_alike_and_nothing_is_hidden() {
        for (text, plain) in [
            ("", ""),
            ("a\nb", "a\nb"),
            ("a\r\nb\r\n", "a\nb\n"),
            ("\ra\r\r\n\r", "\na\n\n\n"),
            ("a\0b\r\0\n", "ab\n\n"),
            ("\0", ""),
            ("你\r\n好", "你\n好"),
        ] {
            assert_eq!(unix_lines(text), plain, "{text:?}");
        }
    }

    #[test]
    fn flowed_lines_are_put_together() {
        for (text, glue, whole) in [
            ("a \nb\nc", false, "a b\nc\n"),
            ("> a \n> b\nc", false, "> a b\nc\n"),
            ("> a \nb", false, "> a\nb\n"),
            ("漢 \n字", true, "漢字\n"),
            ("a\n-- \nAda", false, "a\n-- \nAda\n"),
            (" >not a quote", false, ">not a quote\n"),
        ] {
            assert_eq!(unflowed(text, glue), whole, "{text:?}");
        }
    }

    #[test]
    fn markup_is_asked_where_plain_text_shows_no_quotation() {
        let page = page::read("Yes.<div class=gmail_quote>Was it Monday?</div>");
        assert_eq!(newest(Some("Yes.\n\nWas it Monday?"), Some(&page)).as_deref(), Some("Yes."));
        assert_eq!(newest(Some("No.\n> Was it?"), Some(&page)).as_deref(), Some("No."));
        assert_eq!(newest(None, Some(&page)).as_deref(), Some("Yes."));
        assert_eq!(newest(None, None), None);
    }
}
