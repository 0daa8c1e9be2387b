//! The door to the library that takes mails apart: looked at before, called where a panic of it ends,
//! and counted after.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::{
    ContentType, Encoding, Message, MessageParser, MessagePart, MimeHeaders, PartType,
};

use crate::header::Fields;
use crate::limits::PARTS_MAX;
use crate::{MailError, charset, scan};

/// Only what says how a part is built is parsed; the rest is read from its bytes when it is wanted.
static PARSER: LazyLock<MessageParser> =
    LazyLock::new(|| MessageParser::new().with_mime_headers().default_header_ignore());

/// Gives `make` the parts of `raw`. The library must not take the program down with it.
pub(crate) fn read<T>(
    raw: &[u8],
    make: impl FnOnce(Message<'_>, &[u8]) -> T,
) -> Result<T, MailError> {
    let raw = unix_lines(raw);
    let raw = beheaded(&raw);
    if raw.is_empty() {
        return Err(MailError::Empty);
    }
    let lost = scan::check(raw)?;
    let raw = repaired(Cow::Borrowed(raw), lost);
    if matches!(raw, Cow::Owned(_)) {
        scan::check(&raw)?;
    }
    let work = AssertUnwindSafe(|| {
        let raw: &[u8] = &raw;
        let message = PARSER.parse(raw).ok_or(MailError::Unreadable)?;
        if count(&message) > PARTS_MAX {
            return Err(MailError::TooManyParts);
        }
        Ok(make(message, raw))
    });
    catch_unwind(work).unwrap_or(Err(MailError::Unreadable))
}

/// Mail whose lines end with CR alone, as some archives hold it.
fn unix_lines(raw: &[u8]) -> Cow<'_, [u8]> {
    if raw.contains(&b'\n') || !raw.contains(&b'\r') {
        return Cow::Borrowed(raw);
    }
    raw.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect::<Vec<_>>().into()
}

/// With the mistakes mended that hide a mail from the library: a header without its end, words without
/// a header, a boundary on a line of its own that is not folded, and one that is named otherwise than
/// it is used. `lost`: some multipart has no end that is to be seen.
fn repaired(raw: Cow<'_, [u8]>, lost: bool) -> Cow<'_, [u8]> {
    const LINES_MAX: usize = 10;
    let mut raw = raw;
    if !raw.split(|byte| *byte == b'\n').take(LINES_MAX).any(scan::is_field) {
        raw = Cow::Owned([&b"\n"[..], &raw].concat());
    } else if !raw.split_inclusive(|byte| *byte == b'\n').any(|line| line.trim_ascii().is_empty()) {
        raw = Cow::Owned([&raw[..], b"\n\n"].concat());
    }
    if lost && let Some(folded) = folded(&raw) {
        raw = Cow::Owned(folded);
    }
    match lost.then(|| renamed(&raw)).flatten() {
        Some(renamed) => Cow::Owned(renamed),
        None => raw,
    }
}

fn folded(raw: &[u8]) -> Option<Vec<u8>> {
    const PARAMETER: &[u8] = b"boundary=";
    let is_loose = |before: &[u8], line: &[u8]| {
        let head = line.get(..PARAMETER.len()).unwrap_or_default();
        head.eq_ignore_ascii_case(PARAMETER) && before.trim_ascii_end().ends_with(b";")
    };
    let mut mended: Option<Vec<u8>> = None;
    let (mut before, mut at) = (&b""[..], 0);
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        if matches!(line.first(), Some(b'b' | b'B')) && is_loose(before, line) {
            mended.get_or_insert_with(|| raw.get(..at).unwrap_or_default().to_vec()).push(b' ');
        }
        if let Some(mended) = &mut mended {
            mended.extend_from_slice(line);
        }
        (before, at) = (line, at + line.len());
    }
    mended
}

fn renamed(raw: &[u8]) -> Option<Vec<u8>> {
    let (value, body) = scan::multipart(raw)?;
    let declared = scan::boundary(raw.get(value.clone())?)?;
    let content = raw.get(body..)?;
    let lines = || content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let marks =
        || lines().filter_map(|line| line.strip_prefix(b"--")).filter(|mark| !mark.is_empty());
    if declared.is_empty() || marks().any(|mark| mark.starts_with(&declared)) {
        return None;
    }
    // The one that is used begins a part and ends the last one.
    let ends = |mark: &[u8]| marks().any(|end| end.strip_suffix(b"--") == Some(mark));
    let used = marks().find(|mark| !mark.ends_with(b"--"))?;
    if used.len() > 200 || !ends(used) {
        return None;
    }
    let field = raw.get(value.clone())?;
    let at = field.windows(declared.len()).rposition(|some| some == declared)?;
    let from = value.start + at;
    let mut mended = raw.get(..from)?.to_vec();
    mended.extend_from_slice(used);
    mended.extend_from_slice(raw.get(from + declared.len()..)?);
    Some(mended)
}

/// Without what some stores put before the first field: a mark of UTF-8, an mbox envelope line.
fn beheaded(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let raw = raw.trim_ascii_start();
    if !raw.starts_with(b"From ") && !raw.starts_with(b">From ") {
        return raw;
    }
    let end = raw.iter().position(|byte| *byte == b'\n').map_or(raw.len(), |at| at + 1);
    raw.get(end..).unwrap_or_default()
}

/// Parts, those of mails inside included. The depth is bounded by the scan.
fn count(message: &Message<'_>) -> usize {
    let inner = message.parts.iter().map(|part| match &part.body {
        PartType::Message(inner) => 1 + count(inner),
        _ => 1,
    });
    inner.sum()
}

/// The header of a part. `raw` is what its offsets are about.
pub(crate) fn fields<'a>(part: &'a MessagePart<'a>, raw: &'a [u8]) -> Fields<'a> {
    Fields::new(&part.headers, raw)
}

/// What the offsets of the parts of a mail inside a mail are about.
pub(crate) fn raw_of<'a>(inner: &'a Message<'a>) -> &'a [u8] {
    &inner.raw_message
}

/// `type/subtype` in lower case.
pub(crate) fn media_type(part: &MessagePart<'_>) -> Option<String> {
    let kind = part.content_type()?;
    let subtype = kind.subtype()?;
    Some(format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase())
}

/// Whether the part says that it is of that type.
pub(crate) fn is_of_type(part: &MessagePart<'_>, kind: &str, subtype: &str) -> bool {
    part.content_type().is_some_and(|known| {
        known.ctype().eq_ignore_ascii_case(kind)
            && known.subtype().is_some_and(|known| known.eq_ignore_ascii_case(subtype))
    })
}

pub(crate) fn attribute<'a>(kind: Option<&'a ContentType<'_>>, name: &str) -> Option<&'a str> {
    kind?.attribute(name).map(str::trim).filter(|value| !value.is_empty())
}

/// The bytes of a part, its transfer encoding undone, its character set as it came.
pub(crate) fn bytes<'a>(part: &'a MessagePart<'_>, raw: &'a [u8]) -> Cow<'a, [u8]> {
    match &part.body {
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Cow::Borrowed(bytes),
        PartType::Multipart(_) | PartType::Message(_) => Cow::Borrowed(own(part, raw)),
        PartType::Text(text) | PartType::Html(text) => {
            decoded(part, raw).unwrap_or(Cow::Borrowed(text.as_bytes()))
        }
    }
}

/// The same, taken out of the part where they are its own: files are large.
pub(crate) fn take_bytes(part: &mut MessagePart<'_>, raw: &[u8]) -> Vec<u8> {
    match &mut part.body {
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
            std::mem::take(bytes).into_owned()
        }
        _ => bytes(part, raw).into_owned(),
    }
}

/// The bytes of a text, which the library keeps only as text. None where it is the better reader.
fn decoded<'a>(part: &MessagePart<'_>, raw: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let own = own(part, raw);
    let quoted = || fields(part, raw).lower("Content-Transfer-Encoding") == "quoted-printable";
    match part.encoding {
        Encoding::Base64 => base64_decode(own).map(Cow::Owned),
        Encoding::QuotedPrintable => Some(Cow::Owned(unquoted(own))),
        // What it gave up on is marked as not encoded.
        Encoding::None if part.is_encoding_problem && quoted() => Some(Cow::Owned(unquoted(own))),
        Encoding::None => Some(Cow::Borrowed(own)),
    }
}

/// Quoted-printable (RFC 2045, 6.7), where what is wrong stands for itself.
fn unquoted(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'=' {
            out.push(byte);
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let soft = [&b"\r\n"[..], b"\n"].into_iter().find_map(|end| tail.strip_prefix(end));
        match (value, soft) {
            (Some(value), _) => {
                out.push(value);
                rest = tail.get(2..).unwrap_or_default();
            }
            (None, Some(after)) => rest = after,
            (None, None) => out.push(byte),
        }
    }
    out
}

fn own<'a>(part: &MessagePart<'_>, raw: &'a [u8]) -> &'a [u8] {
    raw.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default()
}

/// The text of a text part. The library's own decoding is kept where nothing speaks against it.
pub(crate) fn text<'a>(part: &'a MessagePart<'_>, raw: &'a [u8]) -> Cow<'a, str> {
    let (PartType::Text(text) | PartType::Html(text)) = &part.body else {
        return Cow::Borrowed("");
    };
    let label = attribute(part.content_type(), "charset");
    let is = |start: &str| {
        let head = label.and_then(|label| label.get(..start.len()));
        head.is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    let seven_bits = is("utf-7") || is("unicode") || is("hz") || is("iso-2022") || is("csiso2022");
    if text.is_ascii() && !seven_bits && !part.is_encoding_problem && !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    if is("utf-8") && !text.contains('\u{fffd}') {
        return Cow::Borrowed(text);
    }
    match decoded(part, raw) {
        Some(Cow::Borrowed(bytes)) => charset::decode(bytes, label),
        Some(Cow::Owned(bytes)) => Cow::Owned(charset::decode(&bytes, label).into_owned()),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{beheaded, read, repaired, unix_lines, unquoted};
    use crate::MailError;

    #[test]
    fn envelope_line_and_mark_are_skipped_and_lone_returns_become_line_ends() {
        assert_eq!(beheaded(b"From ada Mon Jan 1\nSubject: a\n\nb"), b"Subject: a\n\nb");
        assert_eq!(beheaded(b"\xef\xbb\xbf\r\nFrom: ada"), b"From: ada");
        assert_eq!(unix_lines(b"Subject: a\r\rb"), &b"Subject: a\n\nb"[..]);
        assert_eq!(unix_lines(b"Subject: a\r\n\r\nb"), &b"Subject: a\r\n\r\nb"[..]);
    }

    #[test]
    fn parts_are_found_behind_two_common_mistakes() {
        let loose = b"Content-Type: multipart/mixed;\nboundary=\"x\"\n\n--x\n\na\n--x--\n";
        let other = b"Content-Type: multipart/mixed; boundary=\"x\"\n\n--y z\n\na\n--y z--\n";
        for raw in [&loose[..], other] {
            let parts = read(raw, |message, _| message.parts.len()).unwrap();
            assert_eq!(parts, 2, "{}", String::from_utf8_lossy(raw));
        }
        let good = b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x--\n";
        assert_eq!(repaired(Cow::Borrowed(&good[..]), true), &good[..]);
    }

    #[test]
    fn damaged_quoted_printable_is_read_as_far_as_it_goes() {
        assert_eq!(unquoted(b"caf=E9 =\r\nau =zz lait="), b"caf\xe9 au =zz lait=");
    }

    #[test]
    fn panic_on_the_way_is_an_error() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let result = read(b"Subject: a\n\nb", |_, _| panic!("of the library"));
        std::panic::set_hook(hook);
        assert_eq!(result, Err::<(), _>(MailError::Unreadable));
        assert_eq!(read(b" \r\n ", |_, _| ()), Err(MailError::Empty));
    }
}
