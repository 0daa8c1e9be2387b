//! The text of a header field: unfolded, and its encoded words (RFC 2047) decoded, leniently.
//!
//! A character may be split over two words of the same character set, so neighbouring words are
//! joined as bytes before they become text.

use mail_parser::decoders::base64::base64_decode;

use crate::charset;

/// One stretch of a header field.
enum Piece<'a> {
    Plain(&'a [u8]),
    Word { charset: &'a str, bytes: Vec<u8> },
}

/// Decodes the value of a field. Control characters become spaces; runs of white space become one.
pub(crate) fn decode(raw: &[u8]) -> String {
    let encoded =
        || memchr::memmem::find(raw, b"=?").is_some() || memchr::memchr(0x1b, raw).is_some();
    if let Ok(text) = std::str::from_utf8(raw)
        && text.is_ascii()
        && !encoded()
    {
        return one_line(text);
    }
    let mut text = String::new();
    let mut word: Option<(&str, Vec<u8>)> = None;
    for piece in pieces(raw) {
        match piece {
            Piece::Word { charset, bytes } => match &mut word {
                Some((open, before)) if open.eq_ignore_ascii_case(charset) => before.extend(bytes),
                _ => {
                    flush(&mut word, &mut text);
                    word = Some((charset, bytes));
                }
            },
            // White space between two words is no text.
            Piece::Plain(blank) if word.is_some() && blank.iter().all(u8::is_ascii_whitespace) => {}
            Piece::Plain(plain) => {
                flush(&mut word, &mut text);
                text.push_str(&charset::unlabelled(plain));
            }
        }
    }
    flush(&mut word, &mut text);
    one_line(&text)
}

fn flush(word: &mut Option<(&str, Vec<u8>)>, text: &mut String) {
    if let Some((label, bytes)) = word.take() {
        text.push_str(&charset::decode(&bytes, Some(label)));
    }
}

/// One line without control characters; runs of white space are one space.
pub(crate) fn one_line(text: &str) -> String {
    // Most are one line already.
    let text = text.trim_matches(|c: char| c.is_control() || c == ' ');
    let is_plain = |(before, byte): (u8, u8)| {
        (b' '..0x7f).contains(&byte) && !(before == b' ' && byte == b' ')
    };
    let before = std::iter::once(0).chain(text.bytes());
    if before.zip(text.bytes()).all(is_plain) {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        if c.is_control() || matches!(c, ' ' | '\u{2028}' | '\u{2029}') {
            gap = true;
        } else {
            if gap && !line.is_empty() {
                line.push(' ');
            }
            gap = false;
            line.push(c);
        }
    }
    line
}

fn pieces(raw: &[u8]) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut plain_from) = (raw, raw);
    while let Some(at) = rest.windows(2).position(|pair| pair == b"=?") {
        let here = rest.get(at..).unwrap_or_default();
        match word(here) {
            Some((piece, after)) => {
                let plain = plain_from.len() - here.len();
                let plain = plain_from.get(..plain).unwrap_or_default();
                if !plain.is_empty() {
                    found.push(Piece::Plain(plain));
                }
                found.push(piece);
                (rest, plain_from) = (after, after);
            }
            None => rest = here.get(2..).unwrap_or_default(),
        }
    }
    if !plain_from.is_empty() {
        found.push(Piece::Plain(plain_from));
    }
    found
}

/// Bytes of the encoded word at the start of `here`; 0 if none begins there.
pub(crate) fn length(here: &[u8]) -> usize {
    if !here.starts_with(b"=?") {
        return 0;
    }
    word(here).map_or(0, |(_, after)| here.len() - after.len())
}

/// The encoded word at the start of `here`, and what follows it.
fn word(here: &[u8]) -> Option<(Piece<'_>, &[u8])> {
    const CHARSET_BYTES_MAX: usize = 60;
    let body = here.strip_prefix(b"=?")?;
    let ends = body.iter().take(CHARSET_BYTES_MAX).position(|byte| *byte == b'?')?;
    let (charset, body) = (body.get(..ends)?, body.get(ends + 1..)?);
    let charset = std::str::from_utf8(charset).ok()?;
    // A language may follow (RFC 2231, 5).
    let charset = charset.split('*').next().filter(|name| !name.trim().is_empty())?;
    let (&kind, body) = body.split_first()?;
    let body = body.strip_prefix(b"?")?;
    let (content, after) = end_of_word(body)?;
    let bytes = match kind {
        b'b' | b'B' => base64(content)?,
        b'q' | b'Q' => quoted(content),
        _ => return None,
    };
    Some((Piece::Word { charset: charset.trim(), bytes }, after))
}

/// Content and rest. A `?=` that two hexadecimal digits follow is content with an unencoded `?`, if
/// the word ends later.
fn end_of_word(body: &[u8]) -> Option<(&[u8], &[u8])> {
    // The next word begins with `=?`; padding before the end of this one reads `=?=`.
    let begins = |at: usize| {
        let here = body.get(at..).unwrap_or_default();
        here.starts_with(b"=?") && here.get(2) != Some(&b'=')
    };
    let ends: Vec<usize> = (0..body.len())
        .take_while(|at| !begins(*at))
        .filter(|at| body.get(*at..at + 2) == Some(b"?="))
        .take(4)
        .collect();
    let is_content = |at: usize| {
        let next = body.get(at + 2..at + 4).unwrap_or_default();
        next.len() == 2 && next.iter().all(u8::is_ascii_hexdigit)
    };
    let first = *ends.first()?;
    let end = match ends.iter().position(|at| !is_content(*at)) {
        Some(index) => *ends.get(index)?,
        None => first,
    };
    Some((body.get(..end)?, body.get(end + 2..)?))
}

fn base64(content: &[u8]) -> Option<Vec<u8>> {
    let mut clean: Vec<u8> =
        content.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    while clean.last() == Some(&b'=') {
        clean.pop();
    }
    // A single digit that is left over holds no byte.
    if clean.len() % 4 == 1 {
        clean.pop();
    }
    clean.resize(clean.len().div_ceil(4) * 4, b'=');
    if clean.is_empty() { Some(Vec::new()) } else { base64_decode(&clean) }
}

fn quoted(content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, value) {
            (b'=', Some(value)) => {
                bytes.push(value);
                rest = tail.get(2..).unwrap_or_default();
            }
            (b'_', _) => bytes.push(b' '),
            (b'\r' | b'\n', _) => {}
            _ => bytes.push(byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn words_are_decoded_and_joined() {
        for (raw, text) in [
            (&b"plain  text\r\n folded"[..], "plain text folded"),
            (b"=?utf-8?B?5L2g5aW9?=", "你好"),
            (b"=?UTF-8*en?Q?caf=C3=A9_au_lait?= ok", "café au lait ok"),
            (b"a =?utf-8?q?b?= =?utf-8?q?c?= d", "a bc d"),
            // One character split over two words.
            (b"=?utf-8?Q?=E4=BD?=\r\n =?UTF-8?Q?=A0?=", "你"),
            (b"=?gb2312?B?xOM=?= =?gb2312?B?usM=?=", "你好"),
            (b"=?iso-2022-jp?B?GyRCJDMbKEI=?=", "こ"),
            (b"Re:=?utf-8?Q?a?=b", "Re:ab"),
            (b"=?utf-8?Q?why?=3F_really?=", "why?? really"),
            (b"=?utf-8?Q?with space?=", "with space"),
            (b"=?utf-8?X?abc?= =?utf-8?Q?no end", "=?utf-8?X?abc?= =?utf-8?Q?no end"),
            (b"=?utf-8?B?YWJj?", "=?utf-8?B?YWJj?"),
            (b"=?utf-8?B?YWI=?= =?utf-8?B?YWI=?=", "abab"),
            (b"=?iso-2022-jp?B?GyRCJDMbKEI=?= =?iso-2022-jp?B?GyRCJDMbKEI=?=", "ここ"),
            (b"caf\xc3\xa9 \xe2\x82\xac", "café €"),
            (b"tab\tand\x00nul", "tab and nul"),
        ] {
            assert_eq!(decode(raw), text, "{}", String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn base64_without_its_padding_is_read() {
        assert_eq!(decode(b"=?utf-8?B?YWI?="), "ab");
        assert_eq!(decode(b"=?utf-8?B?YWJj=?="), "abc");
        assert_eq!(decode(b"=?utf-8?B??= x"), "x");
    }
}
