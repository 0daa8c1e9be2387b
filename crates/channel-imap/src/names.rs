//! Names as IMAP writes them: folders in its own UTF-7 (RFC 3501, 5.1.3), keywords, dates. Pure.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};
use postroom_model::Timestamp;

use crate::limits::NAME_BYTES_MAX;

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// The name of a folder as it goes over the line.
pub(crate) fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut foreign: Vec<u8> = Vec::new();
    let flush = |foreign: &mut Vec<u8>, encoded: &mut String| {
        if !foreign.is_empty() {
            encoded.push('&');
            encoded.push_str(&BASE64.encode(&*foreign));
            encoded.push('-');
            foreign.clear();
        }
    };
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut foreign, &mut encoded);
            encoded.push(c);
            if c == '&' {
                encoded.push('-');
            }
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                foreign.extend_from_slice(&unit.to_be_bytes());
            }
        }
    }
    flush(&mut foreign, &mut encoded);
    encoded
}

/// In quotation marks, for a command.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether it can be the name of a folder: no control characters, which would end a command.
pub(crate) fn is_folder(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}

/// Whether it can be a keyword: an atom.
pub(crate) fn is_keyword(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !"(){%*\"\\]".contains(c);
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(plain)
}

/// A date and time as servers write them, such as `17-Jul-1996 02:44:25 -0700`.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let parsed = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?;
    Some(Timestamp::from_millis(parsed.to_timestamp().ok()?.as_millisecond()))
}

/// What a server says, on one line and not for ever.
pub(crate) fn words(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(crate::limits::WORDS_CHARS_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{encode, is_folder, is_keyword, moment, quoted, words};

    #[test]
    fn folders_are_written_as_servers_want_them() {
        for (name, encoded) in [
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("台北", "&U,BTFw-"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("R&D", "R&-D"),
            ("a😀b", "a&2D3eAA-b"),
        ] {
            assert_eq!(encode(name), encoded);
        }
        assert_eq!(quoted(r#"a "b\c"#), r#""a \"b\\c""#);
        assert!(!is_folder("a\r\nA2 LOGOUT") && !is_folder("") && is_folder("INBOX/台北"));
        assert!(
            is_keyword("Postroom")
                && is_keyword("$Done")
                && !is_keyword("a b")
                && !is_keyword("\\Seen")
        );
    }

    #[test]
    fn dates_of_servers_are_read_and_others_are_none() {
        for (text, millis) in [
            ("17-Jul-1996 02:44:25 -0700", Some(837_596_665_000)),
            (" 1-Mar-2026 10:30:00 +0100", Some(1_772_357_400_000)),
            ("17-Jul-1996", None),
            ("", None),
        ] {
            assert_eq!(moment(text).map(postroom_model::Timestamp::millis), millis, "{text}");
        }
        assert_eq!(words(" no\r\nsuch\u{7} user "), "no  such  user");
    }
}
