//! Bytes to text. Mail names its character sets wrongly, or not at all, so a label is only believed
//! as far as the bytes agree with it.

use std::borrow::Cow;

use chardetng::EncodingDetector;
use encoding_rs::{EUC_JP, EUC_KR, Encoding, GB18030, ISO_2022_JP, SHIFT_JIS, UTF_8, WINDOWS_1252};

/// Bytes that are looked at to guess a character set.
const GUESSED_BYTES_MAX: usize = 4 * 1024;

/// Names that mail uses and the WHATWG list does not have.
const ALIASES: &[(&str, &str)] = &[
    ("utf-8mb4", "utf-8"),
    ("uft-8", "utf-8"),
    ("uft8", "utf-8"),
    ("utf-8-sig", "utf-8"),
    ("utf", "utf-8"),
    ("iso-gb2312", "gb18030"),
    ("gb-2312", "gb18030"),
    ("gb-18030", "gb18030"),
    ("cp936", "gb18030"),
    ("ms936", "gb18030"),
    ("windows-936", "gb18030"),
    ("euc-cn", "gb18030"),
    ("gbk2312", "gb18030"),
    ("cp950", "big5"),
    ("ms950", "big5"),
    ("windows-950", "big5"),
    ("cp932", "shift_jis"),
    ("ms932", "shift_jis"),
    ("windows-932", "shift_jis"),
    ("cp949", "euc-kr"),
    ("ms949", "euc-kr"),
    ("uhc", "euc-kr"),
    ("iso-2022-jp-ms", "iso-2022-jp"),
    ("iso-2022-jp-1", "iso-2022-jp"),
    ("iso-2022-jp-2", "iso-2022-jp"),
    ("cp50220", "iso-2022-jp"),
    ("cp50221", "iso-2022-jp"),
    ("cp-1252", "windows-1252"),
    ("win-1252", "windows-1252"),
    ("win-1251", "windows-1251"),
    ("cp-1251", "windows-1251"),
    ("iso8859", "iso-8859-1"),
];

/// Decodes what is labelled `label`.
pub(crate) fn decode<'a>(bytes: &'a [u8], label: Option<&str>) -> Cow<'a, str> {
    let label = label.map(normal).filter(|label| !label.is_empty());
    match label.as_deref() {
        Some("hz-gb-2312" | "hz") => return Cow::Owned(decode_hz(bytes)),
        Some("iso-2022-kr" | "csiso2022kr") => return Cow::Owned(decode_iso_2022_kr(bytes)),
        Some("utf-7" | "unicode-1-1-utf-7" | "csutf7" | "utf7") => {
            return Cow::Owned(decode_utf_7(bytes));
        }
        _ => {}
    }
    let plain = bytes.is_ascii() && !bytes.contains(&0x1b);
    match label.as_deref().and_then(encoding) {
        Some(encoding) if plain && encoding.is_ascii_compatible() => utf_8_lossy(bytes),
        Some(encoding) => with(encoding, bytes),
        None => unlabelled(bytes),
    }
}

/// Decodes what has no label, or none that means anything.
pub(crate) fn unlabelled(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.contains(&0x1b) => {
            Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text))
        }
        Ok(text) if !text.contains("\u{1b}$") => utf_8_lossy(bytes),
        Ok(_) => decode_iso_2022_jp(bytes),
        Err(_) => guessed(bytes),
    }
}

fn normal(label: &str) -> String {
    let label = label.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';'));
    let mut label = label.to_ascii_lowercase().replace('_', "-");
    for start in ["charset=", "x-"] {
        if let Some(rest) = label.strip_prefix(start) {
            label = rest.to_owned();
        }
    }
    label
}

fn encoding(label: &str) -> Option<&'static Encoding> {
    let known = ALIASES.iter().find(|(alias, _)| *alias == label).map(|(_, name)| *name);
    let name = known.unwrap_or(label);
    let by_name = |name: &str| Encoding::for_label(name.as_bytes());
    let found = by_name(name).or_else(|| by_name(&name.replace('-', "_")));
    // What is called GB2312 or GBK is written by programs that know all of GB18030.
    found.map(|found| if found == encoding_rs::GBK { GB18030 } else { found })
}

fn with<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Cow<'a, str> {
    // Programs that do not look write UTF-8 and call it ASCII or Latin-1. Text in Latin-1 that is
    // good UTF-8 by chance does not occur.
    if encoding == WINDOWS_1252
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    if encoding == ISO_2022_JP {
        return decode_iso_2022_jp(bytes);
    }
    let (text, _, broken) = encoding.decode(bytes);
    if !broken || encoding == WINDOWS_1252 {
        return text;
    }
    if encoding != UTF_8 {
        return std::str::from_utf8(bytes).map_or(text, Cow::Borrowed);
    }
    // A few broken characters among good ones are damage; mostly broken ones are a wrong label.
    let lost = text.matches('\u{fffd}').count();
    let kept = text.chars().filter(|c| !c.is_ascii() && *c != '\u{fffd}').count();
    if lost > kept { guessed(bytes) } else { text }
}

/// Lines and words begin and end in ASCII, so pieces that were put together hold escapes with nothing
/// between them. Programs also write Shift_JIS under this name.
fn decode_iso_2022_jp(bytes: &[u8]) -> Cow<'_, str> {
    const THERE_AND_BACK: &[u8] = b"\x1b(B\x1b$B";
    let mut joined = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == 0x1b && rest.starts_with(THERE_AND_BACK) && !joined.is_empty() {
            rest = skip(rest, THERE_AND_BACK.len());
        } else {
            joined.push(byte);
            rest = tail;
        }
    }
    let (text, broken) = ISO_2022_JP.decode_without_bom_handling(&joined);
    if broken && !bytes.is_ascii() {
        let others = [SHIFT_JIS, EUC_JP, UTF_8].into_iter();
        let mut others = others
            .filter_map(|other| other.decode_without_bom_handling_and_without_replacement(bytes));
        return others.next().unwrap_or_else(|| guessed(bytes));
    }
    Cow::Owned(text.into_owned())
}

fn utf_8_lossy(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    String::from_utf8_lossy(bytes)
}

fn guessed(bytes: &[u8]) -> Cow<'_, str> {
    // Damaged UTF-8 is still mostly UTF-8.
    let utf_8 = utf_8_lossy(bytes);
    let lost = utf_8.matches('\u{fffd}').count();
    let kept = utf_8.chars().filter(|c| !c.is_ascii() && *c != '\u{fffd}').count();
    if kept > lost * 2 {
        return utf_8;
    }
    let mut detector = EncodingDetector::new();
    let head = bytes.get(..GUESSED_BYTES_MAX).unwrap_or(bytes);
    detector.feed(head, head.len() == bytes.len());
    let encoding = detector.guess(None, false);
    let encoding = if encoding == encoding_rs::GBK { GB18030 } else { encoding };
    let (text, broken) = encoding.decode_without_bom_handling(bytes);
    if broken && kept >= lost { utf_8 } else { text }
}

/// HZ (RFC 1843): `~{` begins GB 2312 in seven bits, `~}` ends it.
fn decode_hz(bytes: &[u8]) -> String {
    let mut eight = Vec::with_capacity(bytes.len());
    let (mut rest, mut shifted) = (bytes, false);
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail.first()) {
            (b'~', Some(b'{')) if !shifted => (shifted, rest) = (true, skip(tail, 1)),
            (b'~', Some(b'}')) if shifted => (shifted, rest) = (false, skip(tail, 1)),
            (b'~', Some(b'~')) if !shifted => {
                eight.push(b'~');
                rest = skip(tail, 1);
            }
            (b'~', Some(b'\n')) if !shifted => rest = skip(tail, 1),
            (b'\n', _) => {
                shifted = false;
                eight.push(byte);
            }
            _ => eight.push(if shifted { byte | 0x80 } else { byte }),
        }
    }
    GB18030.decode_without_bom_handling(&eight).0.into_owned()
}

/// ISO-2022-KR (RFC 1557): shift-out begins KS X 1001 in seven bits, shift-in ends it.
fn decode_iso_2022_kr(bytes: &[u8]) -> String {
    let mut eight = Vec::with_capacity(bytes.len());
    let (mut rest, mut shifted) = (bytes, false);
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            0x0e => shifted = true,
            0x0f => shifted = false,
            0x1b if tail.starts_with(b"$)C") => rest = skip(tail, 3),
            _ => eight.push(if shifted && byte > b' ' { byte | 0x80 } else { byte }),
        }
    }
    EUC_KR.decode_without_bom_handling(&eight).0.into_owned()
}

fn decode_utf_7(bytes: &[u8]) -> String {
    match mail_parser::decoders::charsets::map::charset_decoder(b"utf-7") {
        Some(decoder) if bytes.is_ascii() => decoder(bytes),
        _ => unlabelled(bytes).into_owned(),
    }
}

fn skip(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(count..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{decode, unlabelled};

    #[test]
    fn text_is_decoded_by_its_label_and_common_misnomers() {
        for (bytes, label, text) in [
            (&b"\xc4\xe3\xba\xc3"[..], "gb2312", "你好"),
            (b"\x81\x30\x86\x30", "GBK", "¸"),
            (b"\xc4\xe3\xba\xc3", "ISO-GB2312", "你好"),
            (b"\xa7A\xa6n", "x-big5", "你好"),
            (b"\x1b$B$3$s\x1b(B", "iso-2022-jp", "こん"),
            (b"\x1b$B$3\x1b(B\x1b$B$s\x1b(B", "iso-2022-jp", "こん"),
            (b"\x83e\x83X\x83g", "iso-2022-jp", "テスト"),
            (b"\xbe\xc8\xb3\xe7", "ks_c_5601-1987", "안녕"),
            (b"\xcf\xf0\xe8", "cp1251", "При"),
            (b"~{<:Ky2;S{~}.", "hz-gb-2312", "己所不欲."),
            (b"\x1b$)C\x0e0!3*\x0f a", "iso-2022-kr", "가나 a"),
            (b"caf\xc3\xa9", "iso-8859-1", "café"),
            (b"caf\xe9 \x80", "us-ascii", "café €"),
            (b"caf\xc3\xa9", "\"uft-8\"", "café"),
            (b"Hi +AGEAYg-", "utf-7", "Hi ab"),
            (b"plain", "no-such-set", "plain"),
        ] {
            assert_eq!(decode(bytes, Some(label)), text, "{label}");
        }
    }

    #[test]
    fn wrong_label_is_seen_from_the_bytes() {
        let good = "zażółć gęślą jaźń, żółw";
        assert_eq!(decode(good.as_bytes(), Some("us-ascii")), good);
        assert_eq!(decode(good.as_bytes(), Some("big5")), good);
        let gbk = b"\xc4\xe3\xba\xc3\xa3\xac\xce\xd2\xcf\xeb\xcd\xcb\xbb\xf5\xa1\xa3";
        assert_eq!(decode(gbk, Some("utf-8")), "你好，我想退货。");
    }

    #[test]
    fn unlabelled_text_is_guessed_and_damage_stays_damage() {
        let gbk = b"\xc4\xe3\xba\xc3\xa3\xac\xce\xd2\xcf\xeb\xcd\xcb\xbb\xf5\xa1\xa3";
        assert_eq!(unlabelled(gbk), "你好，我想退货。");
        assert_eq!(unlabelled(b"\x1b$B$3$s\x1b(B"), "こん");
        assert_eq!(unlabelled("naïve façade".as_bytes()), "naïve façade");
        let mut cut = "日本語のメール".as_bytes().to_vec();
        cut.pop();
        assert_eq!(unlabelled(&cut), "日本語のメー\u{fffd}");
    }
}
