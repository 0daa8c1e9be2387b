//! The fields of a delivery status (RFC 3464): one group for the mail, one for each recipient.

use postroom_model::Bounce;

use crate::limits::{BOUNCES_MAX, DIAGNOSTIC_CHARS_MAX};
use crate::words;

/// What is told of one recipient, as far as it is known yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Recipient {
    pub(super) address: Option<String>,
    pub(super) status: Option<String>,
    pub(super) smtp_code: Option<u16>,
    pub(super) hard: bool,
    pub(super) action: Option<String>,
    pub(super) diagnostic: Option<String>,
    /// Refused only after the content was sent, so the recipient had been taken.
    pub(super) after_data: bool,
}

impl Recipient {
    pub(super) fn into_bounce(self) -> Bounce {
        Bounce {
            recipient: self.address,
            status: self.status,
            smtp_code: self.smtp_code,
            hard: self.hard,
            action: self.action,
            diagnostic: self
                .diagnostic
                .map(|text| words::one_line(&text).chars().take(DIAGNOSTIC_CHARS_MAX).collect()),
        }
    }
}

/// The recipients of a delivery status.
pub(super) fn read(bytes: &[u8]) -> Vec<Recipient> {
    let mut found: Vec<Recipient> = Vec::new();
    let mut open = Recipient::default();
    for (name, value) in pairs(bytes) {
        let address = matches!(name.as_str(), "final-recipient" | "original-recipient");
        // A second address of the same kind begins the next recipient, blank line or not.
        let second = name == "final-recipient" && open.action.is_some() && open.address.is_some();
        if name.is_empty() || second {
            close(&mut open, &mut found);
        }
        if found.len() >= BOUNCES_MAX {
            return found;
        }
        if address {
            let known = typed(&value).trim_matches(['<', '>', ' ', ';', '"']).to_owned();
            let better = known.contains('@') || open.address.is_none();
            if !known.is_empty() && better && (name == "final-recipient" || open.address.is_none())
            {
                open.address = Some(known);
            }
        }
        match name.as_str() {
            "action" => {
                let word = value.split([' ', '(', ';']).next().unwrap_or_default();
                open.action = Some(word.to_lowercase()).filter(|word| !word.is_empty());
            }
            "status" => open.status = super::status::enhanced(&value),
            "diagnostic-code" => {
                let text = typed(&value).trim().to_owned();
                let text: String = text.chars().take(DIAGNOSTIC_CHARS_MAX).collect();
                open.diagnostic = Some(text).filter(|text| !text.is_empty());
            }
            _ => {}
        }
    }
    close(&mut open, &mut found);
    found
}

fn close(open: &mut Recipient, found: &mut Vec<Recipient>) {
    let done = std::mem::take(open);
    if done.address.is_some() || done.action.is_some() && done.status.is_some() {
        found.push(done);
    } else if done.diagnostic.is_some() || done.status.is_some() {
        // A stray group belongs to the recipient before it.
        if let Some(last) = found.last_mut() {
            last.diagnostic = last.diagnostic.take().or(done.diagnostic);
            last.status = last.status.take().or(done.status);
        }
    }
}

/// Without the type before the semicolon: `rfc822; ada@example.com`.
fn typed(value: &str) -> &str {
    match value.split_once(';') {
        Some((kind, rest)) if !kind.trim().contains([' ', '@', '<']) => rest.trim(),
        _ => value.trim(),
    }
}

/// Lines in which fields are looked for.
const LINES_MAX: usize = 5_000;

/// The value of the first field of that name, which is given in lower case. As [`pairs`] has it, but
/// nothing else is decoded or kept: what is looked through may be a whole mail.
pub(super) fn field(bytes: &[u8], wanted: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut found: Option<String> = None;
    let mut open = false;
    for line in text.lines().take(LINES_MAX) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            if found.is_some() {
                break;
            }
            open = false;
        } else if open && line.starts_with([' ', '\t']) {
            if let Some(value) = &mut found {
                value.push(' ');
                value.push_str(trimmed);
            }
        } else if let Some((name, value)) = name_and_value(line) {
            if found.is_some() {
                break;
            }
            open = !name.is_empty();
            let is_wanted = name.eq_ignore_ascii_case(wanted);
            found = is_wanted.then(|| words::decode(value.as_bytes()));
        }
    }
    found
}

fn name_and_value(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim();
    (!name.contains(' ')).then_some((name, value))
}

/// Names in lower case and unfolded values; an empty name is an empty line.
fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(bytes);
    let mut pairs: Vec<(String, String)> = Vec::new();
    for line in text.lines().take(LINES_MAX) {
        if line.trim().is_empty() {
            pairs.push(Default::default());
        } else if let Some((_, value)) =
            pairs.last_mut().filter(|(name, _)| line.starts_with([' ', '\t']) && !name.is_empty())
        {
            value.push(' ');
            value.push_str(line.trim());
        } else if let Some((name, value)) = name_and_value(line) {
            pairs.push((name.to_lowercase(), words::decode(value.as_bytes())));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::{field, read};

    #[test]
    fn each_recipient_has_its_group() {
        let text = "Reporting-MTA: dns; mx.example.net\r\n\r\n\
            Final-Recipient: rfc822; ada@example.com\r\nOriginal-Recipient: rfc822;a@example.org\r\n\
            Action: failed\r\nStatus: 5.1.1 (no such user)\r\n\
            Diagnostic-Code: smtp; 550 5.1.1\r\n  User unknown\r\n\r\n\
            Final-Recipient: rfc822;<bob@example.com>\r\nAction: Delayed\r\nStatus: 4.4.1\r\n";
        let found = read(text.as_bytes());
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].address.as_deref(), Some("ada@example.com"));
        assert_eq!(found[0].status.as_deref(), Some("5.1.1"));
        assert_eq!(found[0].diagnostic.as_deref(), Some("550 5.1.1 User unknown"));
        assert_eq!(found[1].address.as_deref(), Some("bob@example.com"));
        assert_eq!(found[1].action.as_deref(), Some("delayed"));
        assert_eq!(
            field(b"A: b\nFeedback-Type: abuse\n", "feedback-type").as_deref(),
            Some("abuse")
        );
    }

    #[test]
    fn field_is_the_first_of_its_name_with_what_goes_on_below_it() {
        let text = "To: a\r\n  To: b\r\njunk\r\n\tc\r\nX: d\r\nto: e\r\n\r\n to : f\r\n g\r\n";
        for (wanted, value) in [("to", Some("a To: b c")), ("x", Some("d")), ("y", None)] {
            assert_eq!(field(text.as_bytes(), wanted).as_deref(), value, "{wanted}");
            let first = super::pairs(text.as_bytes()).into_iter().find(|(name, _)| name == wanted);
            assert_eq!(first.map(|(_, value)| value).as_deref(), value, "{wanted}");
        }
        assert_eq!(field(b"A: b\n\n to : f\n g\n", "to").as_deref(), Some("f g"));
    }

    #[test]
    fn groups_without_blank_lines_are_told_apart() {
        let one = "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.0.0\n";
        assert_eq!(read(format!("{one}{one}").as_bytes()).len(), 2);
        assert!(read(b"nothing").is_empty());
    }
}
