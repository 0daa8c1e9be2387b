//! A look at the raw mail before the parser sees it: one pass over its lines that refuses what would
//! take the program down.
//!
//! The library keeps mails inside mails in each other, and dropping tens of thousands of them
//! overflows the stack, which nothing catches. It also looks through the rest of the mail for the end
//! of each multipart. The counts err on the high side: a line that only looks like a field counts.

use std::collections::BTreeSet;
use std::ops::Range;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;

use crate::MailError;
use crate::limits::{
    ENCLOSED_ENCODED_MAX, ENCLOSED_MAX, ENCODED_DEPTH_MAX, HEADER_BYTES_MAX, HEADER_FIELDS_MAX,
    MAIL_BYTES_MAX, MULTIPARTS_MAX, SEARCH_BYTES_MAX,
};

/// Bytes of a line in which the name of a field is looked for.
const NAME_BYTES_MAX: usize = 80;

/// Refuses what must not reach the parser. True if some multipart has no end that is to be seen.
pub(crate) fn check(raw: &[u8]) -> Result<bool, MailError> {
    if raw.len() > MAIL_BYTES_MAX {
        return Err(MailError::TooLarge);
    }
    check_header(raw)?;
    Count::default().read(raw, 0)
}

/// Where the line ends that goes on here.
fn behind_line(raw: &[u8], at: usize) -> usize {
    let rest = raw.get(at..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(raw.len(), |length| at + length + 1)
}

/// The lines of a mail, with their ends.
fn lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut ends, mut from) = (memchr::memchr_iter(b'\n', raw), 0);
    std::iter::from_fn(move || {
        let end = ends.next().map_or(raw.len(), |at| at + 1);
        let line = raw.get(from..end).filter(|line| !line.is_empty());
        from = end;
        line
    })
}

/// The header of the mail itself.
fn check_header(raw: &[u8]) -> Result<(), MailError> {
    let (mut fields, mut bytes) = (0, 0);
    for line in lines(raw) {
        if bytes > 0 && line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        bytes += line.len();
        fields += usize::from(!line.starts_with(b" ") && !line.starts_with(b"\t"));
        if fields > HEADER_FIELDS_MAX || bytes > HEADER_BYTES_MAX {
            // A mail without any header is a text, however long it is.
            let first = raw.split(|byte| *byte == b'\n').next().unwrap_or_default();
            return if is_field(first) { Err(MailError::HeaderTooLarge) } else { Ok(()) };
        }
    }
    Ok(())
}

/// Whether a line looks like a field of a header.
pub(crate) fn is_field(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    name.len() < line.len() && name.len() < NAME_BYTES_MAX && !name.contains(&b' ')
}

#[derive(Default)]
struct Count {
    enclosed: usize,
    encoded: usize,
    multiparts: usize,
}

/// What one block of lines without an empty one says of itself.
#[derive(Default)]
struct Block {
    encloses: bool,
    base64: bool,
    quoted: bool,
}

impl Count {
    fn read(&mut self, raw: &[u8], depth: usize) -> Result<bool, MailError> {
        let mut block = Block::default();
        let mut missing: BTreeSet<Vec<u8>> = BTreeSet::new();
        let (mut unnamed, mut at) = (0, 0);
        while let Some(first) = raw.get(at) {
            // Most lines are words or files, which is told by their first letter.
            if matches!(first, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'/')
                && !matches!(first, b'c' | b'C')
            {
                at = behind_line(raw, at);
                continue;
            }
            let next = behind_line(raw, at);
            let line = raw.get(at..next).unwrap_or_default();
            match line.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => {
                    let block = std::mem::take(&mut block);
                    self.decoded(&block, raw.get(next..).unwrap_or_default(), depth)?;
                }
                Some(b'-') => missing.retain(|boundary| !is_boundary(line, boundary)),
                Some(b'c' | b'C') => {
                    let rest = raw.get(at..).unwrap_or_default();
                    if let Some(boundary) = self.field(rest, &mut block)? {
                        let fresh = !boundary.is_empty() && missing.insert(boundary);
                        unnamed += usize::from(!fresh);
                    }
                }
                Some(_) => {}
            }
            at = next;
        }
        let lost = missing.len() + unnamed;
        let searched = lost.saturating_mul(raw.len());
        if searched > SEARCH_BYTES_MAX { Err(MailError::TooDeep) } else { Ok(lost > 0) }
    }

    /// A field that may be one of two: what the part is, and how it is encoded. Gives the boundary
    /// of a multipart, empty where it cannot be told.
    fn field(&mut self, rest: &[u8], block: &mut Block) -> Result<Option<Vec<u8>>, MailError> {
        let head = rest.get(..NAME_BYTES_MAX).unwrap_or(rest);
        let Some(colon) = memchr::memchr(b':', head) else { return Ok(None) };
        let name = head.get(..colon).unwrap_or_default();
        let value = || unfolded(rest.get(colon + 1..).unwrap_or_default());
        if squeezed(name).eq(*b"content-transfer-encoding") {
            let value = value();
            block.base64 |= starts(value, b"base64");
            block.quoted |= starts(value, b"quoted");
        } else if squeezed(name).eq(*b"content-type") {
            let value = value();
            if [&b"message"[..], b"multipart/digest", b"("].iter().any(|kind| starts(value, kind)) {
                block.encloses = true;
                self.enclosed += 1;
            }
            if starts(value, b"multipart") || starts(value, b"(") {
                self.multiparts += 1;
                if self.multiparts > MULTIPARTS_MAX {
                    return Err(MailError::TooDeep);
                }
                return Ok(Some(boundary(value).unwrap_or_default()));
            }
        }
        if self.enclosed > ENCLOSED_MAX { Err(MailError::TooDeep) } else { Ok(None) }
    }

    /// Looks into a mail that stands in transfer encoding behind `block`. Where it ends is not known
    /// here, so everything that follows is decoded.
    fn decoded(&mut self, block: &Block, rest: &[u8], depth: usize) -> Result<(), MailError> {
        if !block.encloses || !(block.base64 || block.quoted) || depth >= ENCODED_DEPTH_MAX {
            return Ok(());
        }
        self.encoded += 1;
        if self.encoded > ENCLOSED_ENCODED_MAX {
            return Err(MailError::TooDeep);
        }
        if block.base64 {
            let end = rest.windows(3).position(|three| three == b"\n--").unwrap_or(rest.len());
            if let Some(inner) = base64_decode(rest.get(..end).unwrap_or_default()) {
                self.read(&inner, depth + 1)?;
            }
        }
        if block.quoted
            && let Some(inner) = quoted_printable_decode(rest)
        {
            self.read(&inner, depth + 1)?;
        }
        Ok(())
    }
}

fn is_boundary(line: &[u8], boundary: &[u8]) -> bool {
    line.strip_prefix(b"--").is_some_and(|rest| rest.starts_with(boundary))
}

/// In lower case and without white space; no more of it than is needed to know a field.
fn squeezed(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let bytes = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
    bytes.take(NAME_BYTES_MAX).map(u8::to_ascii_lowercase)
}

/// Whether it begins so, white space and case apart. `start` is in lower case.
fn starts(bytes: &[u8], start: &[u8]) -> bool {
    squeezed(bytes).take(start.len()).eq(start.iter().copied())
}

/// The value of a field: up to the first line that does not begin with white space.
fn unfolded(rest: &[u8]) -> &[u8] {
    const VALUE_BYTES_MAX: usize = 1_000;
    let rest = rest.get(..VALUE_BYTES_MAX).unwrap_or(rest);
    let ends = |pair: &[u8]| matches!(pair, [b'\n', next] if *next != b' ' && *next != b'\t');
    let end = rest.windows(2).position(ends).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

/// Where the value of the root's multipart type stands, and where the body begins.
pub(crate) fn multipart(raw: &[u8]) -> Option<(Range<usize>, usize)> {
    let (mut at, mut found) = (0, None);
    for line in raw.split_inclusive(|byte| *byte == b'\n').take(HEADER_FIELDS_MAX * 8) {
        if line.trim_ascii().is_empty() && at > 0 {
            return found.map(|value| (value, at + line.len()));
        }
        let colon = line.iter().take(NAME_BYTES_MAX).position(|byte| *byte == b':');
        if let Some(colon) = colon
            && squeezed(line.get(..colon).unwrap_or_default()).eq(*b"content-type")
        {
            let from = at + colon + 1;
            let value = unfolded(raw.get(from..).unwrap_or_default());
            if starts(value, b"multipart") {
                found = Some(from..from + value.len());
            }
        }
        at += line.len();
    }
    None
}

pub(crate) fn boundary(value: &[u8]) -> Option<Vec<u8>> {
    let lower = value.to_ascii_lowercase();
    let at = lower.windows(8).position(|eight| eight == b"boundary")?;
    let rest = value.get(at + 8..)?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (rest, quoted) = match rest.strip_prefix(b"\"") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let ends =
        |byte: &u8| *byte == b'"' || !quoted && (byte.is_ascii_whitespace() || *byte == b';');
    let end = rest.iter().position(ends).unwrap_or(rest.len());
    Some(rest.get(..end)?.trim_ascii_end().to_vec())
}

#[cfg(test)]
mod tests {
    use super::{boundary, check};
    use crate::MailError;

    #[test]
    fn boundary_is_read_quoted_and_bare() {
        for (value, expected) in [
            ("multipart/mixed; boundary=abc", Some("abc")),
            ("multipart/mixed;\r\n boundary = \"a b;c\" ; x=y", Some("a b;c")),
            ("multipart/mixed; BOUNDARY=abc; x", Some("abc")),
            ("multipart/mixed", None),
            ("multipart/mixed; boundary*0=abc", None),
        ] {
            let found = boundary(value.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{value}");
        }
    }

    #[test]
    fn ordinary_mail_passes_and_what_is_over_a_limit_does_not() {
        let nested = |count: usize| "Content-Type: message/rfc822\n\n".repeat(count);
        let fields = |count: usize| "X-A: b\n".repeat(count);
        let lost = "--o\ncontent-type: multipart/mixed; boundary=gone\n\n".repeat(99);
        let lost = format!("Content-Type: multipart/mixed; boundary=o\n\n{lost}");
        let padding = "x\n".repeat(2 << 20);
        for (mail, result) in [
            ("Subject: hi\n\nhello".to_owned(), Ok(())),
            (nested(100), Ok(())),
            (nested(101), Err(MailError::TooDeep)),
            ("cOntent - type : MESSAGE / rfc822\r\n\r\n".repeat(101), Err(MailError::TooDeep)),
            ("Content-Type:\n multipart/digest\n\n".repeat(101), Err(MailError::TooDeep)),
            ("Content-Type: multipart/mixed\n\n".repeat(101), Err(MailError::TooDeep)),
            (fields(1_000) + "\nx", Ok(())),
            (fields(1_001) + "\nx", Err(MailError::HeaderTooLarge)),
            (format!("A: {}\n\nx", "x".repeat(300_000)), Err(MailError::HeaderTooLarge)),
            ("no header at all\n".repeat(50_000), Ok(())),
            (lost.clone(), Ok(())),
            (lost + &padding, Err(MailError::TooDeep)),
        ] {
            let head = mail.get(..60).unwrap_or(&mail);
            assert_eq!(check(mail.as_bytes()).map(|_| ()), result, "{head}");
        }
    }

    #[test]
    fn mails_inside_a_transfer_encoding_are_counted_as_well() {
        use base64::Engine as _;
        let inner = "Content-Type: message/rfc822\n\n".repeat(200);
        let encoded = base64::engine::general_purpose::STANDARD.encode(&inner);
        let head = "Content-Type: message/rfc822\nContent-Transfer-Encoding:";
        assert_eq!(
            check(format!("{head} base64\n\n{encoded}").as_bytes()),
            Err(MailError::TooDeep)
        );
        let quoted = inner.replace(':', "=3A");
        let mail = format!("{head} quoted-printable\n\n{quoted}");
        assert_eq!(check(mail.as_bytes()), Err(MailError::TooDeep));
    }
}
