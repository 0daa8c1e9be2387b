//! Mail that came back without a delivery status: qmail, exim, sendmail, Exchange and the others tell
//! people, each in its own words. What they share is enough: somewhere an address stands at the start
//! of a line, and what follows says why.

use super::dsn::{self, Recipient};
use super::notice::{DELAYS, Words};
use super::{Mail, Original, status};
use crate::addresses;
use crate::limits::BOUNCES_MAX;

/// Lines that may belong to one recipient.
const REASON_LINES_MAX: usize = 14;
/// Characters of what is said of one recipient.
const REASON_CHARS_MAX: usize = 4_000;

/// The recipients that the words name, with what they say of each.
pub(super) fn read(mail: &Mail<'_>, words: &Words, original: &Original) -> Vec<Recipient> {
    let text = words.lines.join("\n");
    if words.lower.iter().any(|line| line.contains("final-recipient:")) {
        let found = dsn::read(text.as_bytes());
        if !found.is_empty() {
            return found;
        }
    }
    let mut places = places(mail, words);
    let failed: Vec<String> = mail.fields.all("X-Failed-Recipients").flat_map(listed).collect();
    if !failed.is_empty() {
        places
            .retain(|place| failed.iter().any(|known| known.eq_ignore_ascii_case(&place.address)));
        let missing = failed
            .iter()
            .filter(|known| !places.iter().any(|place| place.address.eq_ignore_ascii_case(known)));
        let missing: Vec<Place> = missing.map(|known| Place::nowhere(known)).collect();
        places.extend(missing);
    }
    if places.is_empty() {
        places.extend(original.recipients.iter().map(|address| Place::nowhere(address)));
    }
    places.truncate(BOUNCES_MAX);
    let single = places.len() == 1;
    let slow = DELAYS.is_in(&words.lower.join("\n"));
    let starts: Vec<Option<usize>> = places.iter().map(|place| place.line).collect();
    let recipients = places.iter().map(|place| {
        let mut reason = reason(words, place, &starts);
        let known = status::reply(&reason).is_some() || status::enhanced(&reason).is_some();
        if place.line.is_none() || single && !known {
            // What there is to say may stand elsewhere.
            reason = text.chars().take(REASON_CHARS_MAX).collect();
        }
        told(place, &reason, slow)
    });
    recipients.collect()
}

fn told(place: &Place, reason: &str, slow: bool) -> Recipient {
    Recipient {
        address: Some(place.address.clone()),
        status: status::enhanced(reason),
        smtp_code: status::reply(reason),
        action: slow.then(|| "delayed".to_owned()),
        diagnostic: Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty()),
        after_data: is_after_data(reason),
        ..Recipient::default()
    }
}

/// Adds what the words say to what the fields leave out.
pub(super) fn complete(recipient: &mut Recipient, words: &Words, single: bool) {
    let said = recipient.diagnostic.clone().unwrap_or_default();
    let address = recipient.address.clone().unwrap_or_default();
    let lower = address.to_lowercase();
    let at = words.lower.iter().position(|line| line.contains(&lower));
    let reason = match at.filter(|_| !lower.is_empty()) {
        Some(at) => {
            let rest = words.lines.get(at).cloned().unwrap_or_default();
            reason(words, &Place { address, line: Some(at), rest }, &[])
        }
        None if single => words.lines.join("\n").chars().take(REASON_CHARS_MAX).collect(),
        None => return,
    };
    recipient.after_data = is_after_data(&reason);
    if status::reply(&said).is_some() {
        return;
    }
    recipient.smtp_code = status::reply(&reason);
    if said.is_empty() {
        recipient.diagnostic = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    }
}

/// A server that took the recipient and then says that it does not know them is a filter.
fn is_after_data(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    let phrases =
        ["end of data", "after data", "smtp command data", "our final data", "data command"];
    phrases.iter().any(|phrase| reason.contains(phrase))
        || reason
            .split(">>> data")
            .nth(1)
            .is_some_and(|rest| rest.trim_start().starts_with("<<< 5"))
}

/// Where an address stands, and what follows it in its line.
#[derive(Debug)]
struct Place {
    address: String,
    line: Option<usize>,
    rest: String,
}

impl Place {
    fn nowhere(address: &str) -> Self {
        Self { address: address.to_owned(), line: None, rest: String::new() }
    }
}

fn places(mail: &Mail<'_>, words: &Words) -> Vec<Place> {
    let own = |address: &str| {
        address.eq_ignore_ascii_case(mail.sender)
            || mail.recipients.iter().any(|known| known.eq_ignore_ascii_case(address))
    };
    for strong in [true, false] {
        let mut found: Vec<Place> = Vec::new();
        for (index, line) in words.lines.iter().enumerate() {
            let Some((address, rest)) = (if strong { leading(line) } else { anywhere(line) })
            else {
                continue;
            };
            let again = found.iter().any(|place| place.address.eq_ignore_ascii_case(&address));
            if !again && !own(&address) {
                found.push(Place { address, line: Some(index), rest });
            }
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// An address at the start of a line, alone or before what is said of it.
fn leading(line: &str) -> Option<(String, String)> {
    let text = line.trim_start_matches(|c: char| {
        c.is_whitespace() || matches!(c, '*' | '>' | '-' | '•' | '<' | '"' | '\'' | '[' | '·')
    });
    let text = strip_code(text);
    let text = strip_title(text).trim_start_matches(['<', ' ', '"']);
    let end =
        text.find(|c: char| c.is_whitespace() || matches!(c, '>' | ',' | ';' | '"' | '(' | '['));
    let (word, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let word = word.strip_prefix("mailto:").unwrap_or(word);
    let word = word.trim_end_matches(['.', ':', '>']);
    is_address(word).then(|| (word.to_owned(), rest.to_owned()))
}

/// Without a reply code before it: `550 <ada@example.com>... User unknown`.
fn strip_code(text: &str) -> &str {
    let rest =
        text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ' ' | '-'));
    let code = text.len() - rest.len();
    if (3..=12).contains(&code) && rest.starts_with('<') { rest } else { text }
}

/// Without the name of a field before it.
fn strip_title(text: &str) -> &str {
    const TITLES: &[&str] = &[
        "recipient:",
        "recipient address:",
        "failed recipient:",
        "address:",
        "user:",
        "for:",
        "rcpt to:",
        "email:",
        "recipients:",
        "undeliverable address:",
        "あて先:",
        "宛先:",
    ];
    let lower = text.to_lowercase();
    let title = TITLES.iter().find(|title| lower.starts_with(**title));
    title.and_then(|title| text.get(title.len()..)).map_or(text, str::trim_start)
}

/// The first address anywhere in a line that tells of a recipient.
fn anywhere(line: &str) -> Option<(String, String)> {
    let lower = line.trim_start().to_lowercase();
    let headers =
        ["from:", "message-id:", "subject:", "sender:", "references:", "reply-to:", "cc:"];
    if headers.iter().any(|name| lower.starts_with(name)) || lower.contains("mail from:") {
        return None;
    }
    let splits = |c: char| c.is_whitespace() || "<>()[]\",;'".contains(c);
    let word = line.split(splits).map(|word| {
        let word = word.trim_start_matches("mailto:");
        word.rsplit_once(':').map_or(
            word,
            |(before, after)| {
                if after.contains('@') { after } else { before }
            },
        )
    });
    let address = word.map(|word| word.trim_matches(['.', ':'])).find(|word| is_address(word))?;
    let rest = line.split_once(address).map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    Some((address.to_owned(), rest))
}

fn is_address(word: &str) -> bool {
    let Some((local, domain)) = word.rsplit_once('@') else { return false };
    let named = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    !local.is_empty()
        && local.len() <= 128
        && domain.contains('.')
        && domain.chars().all(named)
        && !local.contains(['<', '>', ':', '/', '\\'])
}

fn listed(raw: &[u8]) -> Vec<String> {
    let parties = addresses::parse(raw).into_iter();
    parties.filter_map(|party| party.address).map(|address| address.name().to_owned()).collect()
}

/// What stands behind an address, up to the next one.
fn reason(words: &Words, place: &Place, starts: &[Option<usize>]) -> String {
    let Some(line) = place.line else { return String::new() };
    let next = starts.iter().flatten().copied().filter(|start| *start > line).min();
    let end = next.unwrap_or(words.lines.len()).min(line + 1 + REASON_LINES_MAX);
    let mut reason = place.rest.trim_start_matches(['>', ':', '"', ' ', '.']).to_owned();
    for text in words.lines.get(line + 1..end).unwrap_or_default() {
        reason.push('\n');
        reason.push_str(text.trim());
    }
    reason
}
