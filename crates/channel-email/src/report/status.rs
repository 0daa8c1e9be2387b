//! Codes in what servers say: the three digits of SMTP and the enhanced status (RFC 3463).

use super::dsn::Recipient;
use super::verdict::{self, Reason};

/// The first enhanced status in a text: `5.1.1`, alone or after `#`.
pub(super) fn enhanced(text: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    text.split(|c: char| !is_part(c)).find_map(|word| {
        let word = word.trim_end_matches('.');
        let mut parts = word.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = matches!(class, "2" | "4" | "5")
            && (1..=3).contains(&subject.len())
            && (1..=3).contains(&detail.len())
            && parts.next().is_none();
        fits.then(|| word.to_owned())
    })
}

/// The first reply code of SMTP in a text: three digits that stand alone.
pub(super) fn reply(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    let joins = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'@' | b'/' | b'$');
    bytes.windows(3).enumerate().find_map(|(at, three)| {
        let [class @ (b'2' | b'4' | b'5'), second @ b'0'..=b'5', third] = three else {
            return None;
        };
        // Of the good ones only those that answer a recipient or a message.
        if !third.is_ascii_digit() || *class == b'2' && *second != b'5' {
            return None;
        }
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let after = bytes.get(at + 3).copied();
        let ends = after.is_none_or(|c| {
            !joins(c) && c != b':'
                || c == b'.' && !digit_at(bytes, at + 4)
                || c == b':' && !digit_at(bytes, at + 4)
        });
        let timed = before == Some(b':') && at.checked_sub(2).is_some_and(|at| digit_at(bytes, at));
        let alone = before.is_none_or(|c| !joins(c) && !matches!(c, b'-' | b'+')) && !timed && ends;
        let code = u16::from(*class - b'0') * 100 + u16::from(*second - b'0') * 10;
        alone.then(|| code + u16::from(*third - b'0'))
    })
}

fn digit_at(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_digit)
}

/// Fills in what follows from what is known, and decides whether the address itself is dead.
pub(super) fn settle(recipient: &mut Recipient) {
    let said = recipient.diagnostic.as_deref().unwrap_or_default();
    recipient.smtp_code = recipient.smtp_code.or_else(|| reply(said));
    // What the other side says is closer to the truth than a general code of this side.
    let general = recipient.status.as_deref().is_none_or(|status| status.ends_with(".0.0"));
    if general && let Some(status) = enhanced(said) {
        recipient.status = Some(status);
    }
    let reason = verdict::of(said, recipient.status.as_deref(), recipient.smtp_code);
    if recipient.status.is_none() {
        let expired = verdict::is_expired(said);
        let class = match (recipient.smtp_code, recipient.action.as_deref()) {
            (Some(code), _) => code / 100,
            (None, Some("delayed")) => 4,
            (None, Some("delivered" | "relayed" | "expanded")) => 2,
            _ => 5,
        };
        recipient.status = Some(match recipient.smtp_code {
            // Given up after a time, without ever being refused.
            None if expired => "4.4.7".to_owned(),
            _ => format!("{class}.0.0"),
        });
        if expired && recipient.action.is_none() {
            recipient.action = Some("failed".to_owned());
        }
    }
    if recipient.action.is_none() {
        let class = recipient.status.as_deref().and_then(|status| status.chars().next());
        let action = match class {
            Some('2') => "delivered",
            Some('4') => "delayed",
            _ => "failed",
        };
        recipient.action = Some(action.to_owned());
    }
    let explicit = recipient.status.as_deref().is_some_and(verdict::is_dead_status);
    let dead = reason == Reason::Dead && (explicit || !recipient.after_data);
    let failed = !recipient.status.as_deref().is_some_and(|status| status.starts_with(['2', '4']));
    recipient.hard = failed && dead;
}

#[cfg(test)]
mod tests {
    use super::{enhanced, reply};

    #[test]
    fn codes_are_found_among_words() {
        for (text, status, code) in [
            ("550 5.1.1 <ada@example.com>: User unknown", Some("5.1.1"), Some(550)),
            ("#5.7.26 smtp;550-5.7.26 This mail", Some("5.7.26"), Some(550)),
            ("smtp;452 4.2.2 full", Some("4.2.2"), Some(452)),
            ("host 10.0.5.1 said nothing", None, None),
            ("(#5.1.2)", Some("5.1.2"), None),
            ("said: 554.", None, Some(554)),
            ("CODE :550, CODE :5.1.1", Some("5.1.1"), Some(550)),
            ("at 10:550 and 23:554", None, None),
            ("undeliverable in 840 minutes", None, None),
            ("on 2024-05-01 at 5550", None, None),
            ("from 192.0.2.550", None, None),
            ("", None, None),
        ] {
            assert_eq!(enhanced(text).as_deref(), status, "{text}");
            assert_eq!(reply(text), code, "{text}");
        }
    }
}
