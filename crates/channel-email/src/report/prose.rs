//! Mail that came back without a delivery status: qmail, exim, sendmail, Exchange and the others tell
//! people, each in its own words. What they share is enough: somewhere an address stands at the start
//! of a line, and what follows says why.

use super::dsn::{self, Recipient};
use super::{Mail, Original, status};
use crate::addresses;
use crate::automation::has_empty_return_path;

/// Lines of the words that are looked at.
const LINES_MAX: usize = 400;
/// Lines that may belong to one recipient.
const REASON_LINES_MAX: usize = 14;

/// Local parts of machines that send mail back.
const DAEMONS: &[&str] = &[
    "mailer-daemon", "mailer_daemon", "mailerdaemon", "postmaster", "post_master", "mail-daemon", "mdaemon",
    "maildaemon", "mail.delivery.system", "mailadmin", "mail-delivery", "mail_delivery", "bounce",
    "microsoftexchange329e71ec88ae4615bbc36ab6ce41109e",
];
/// Names of the same.
const DAEMON_NAMES: &[&str] = &[
    "mail deliver", "mailer-daemon", "mail administrator", "system administrator", "postmaster",
    "mail system", "delivery subsystem", "internet mail delivery",
];

const SUBJECTS: &[&str] = &[
    "undeliver", "non-deliver", "nondeliver", "returned mail", "returned to sender", "return to sender",
    "failure notice", "failure delivery", "failed delivery", "delivery failure", "delivery failed",
    "delivery fail", "delivery status", "delivery notification", "delivery error", "delivery problem",
    "delivery report", "delivery has failed", "mail delivery", "mail system error", "mail failure",
    "mail error", "message delivery", "message not delivered", "could not be delivered", "could not send",
    "error sending", "couldn't be delivered", "rejected mail", "mail rejected", "unzustellbar",
    "nicht zustellbar", "nicht zugestellt", "zustellung fehlgeschlagen", "non remis", "non distribué",
    "échec de la remise", "no se puede entregar", "no entregado", "não entregue", "mancato recapito",
    "niet bezorgd", "onbestelbaar", "niedostarczon", "не доставлено", "недоставленное", "olevererbart",
    "退信", "退回", "投递失败", "无法投递", "無法傳遞", "配信エラー", "送信できませんでした", "반송", "전송 실패",
];

/// What they say, in lower case.
const PHRASES: &[&str] = &[
    "could not be delivered", "couldn't be delivered", "could not deliver", "couldn't deliver",
    "was not delivered", "wasn't delivered", "not been delivered", "cannot be delivered", "can't be delivered",
    "unable to deliver", "wasn't able to deliver", "was unable to", "delivery to the following",
    "delivery has failed", "delivery failed", "did not reach", "undeliverable", "undelivered",
    "permanent fatal error", "permanent error", "fatal errors", "delivery error", "returned to sender",
    "returning message", "transcript of session", "error occurred while trying to deliver",
    "error delivering", "trouble delivering", "failed permanently", "delivery attempt", "will be retried",
    "user unknown", "mailbox is full", "recipient", "bounced", "status:", "unknown user", "not sent",
    "送信できません", "送れません", "届けることができません", "配信できません", "无法送达", "无法投递", "被退回",
    "退信", "nicht zugestellt", "konnte nicht", "n'a pas pu", "no se pudo", "não foi possível",
    "non è stato possibile", "не удалось", "недоставлен",
];

/// What stands above the mail that comes back.
const COPIES: &[&str] = &[
    "below this line is a copy", "copy of the message", "copy of your message", "original message follows",
    "original message", "unsent message", "message headers follow", "message header follow",
    "included is a copy", "headers of the message", "headers from the message", "returned message",
    "message header", "the header of the original", "returned content", "text of the original",
    "your message follows", "message follows", "undelivered message", "original mail", "content of your message",
    "rejected message", "headers follow", "原メッセージ",
];

/// The words of the server, and the mail that comes back below them.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) lines: Vec<String>,
    pub(super) original: String,
}

/// Whether a machine seems to have sent a mail back.
pub(super) fn looks_like(mail: &Mail<'_>) -> bool {
    let sender = mail.sender.to_lowercase();
    let local = sender.rsplit_once('@').map_or(sender.as_str(), |(local, _)| local);
    let name = mail.fields.lower("From");
    let daemon = DAEMONS.iter().any(|known| local.starts_with(known))
        || DAEMON_NAMES.iter().any(|known| name.contains(known));
    let subject = mail.subject.to_lowercase();
    let human = subject.starts_with("re: ") || subject.starts_with("fwd:") || subject.starts_with("fw:");
    let titled = !human && SUBJECTS.iter().any(|known| subject.contains(known));
    let empty = has_empty_return_path(mail.fields);
    let failed = mail.fields.has("X-Failed-Recipients");
    if !(daemon || titled || empty || failed) {
        return false;
    }
    let head: String = mail.text.chars().take(6_000).collect::<String>().to_lowercase();
    let says = || PHRASES.iter().any(|phrase| head.contains(phrase));
    failed || daemon && (titled || says()) || titled && (empty || says())
}

/// Parts the words from the original. A line that begins like a header of a mail begins the original.
pub(super) fn words(mail: &Mail<'_>) -> Words {
    let mut words = Words::default();
    let mut lines = mail.text.lines();
    for line in lines.by_ref().take(LINES_MAX) {
        let lower = line.trim().to_lowercase();
        let ruled = lower.starts_with(['-', '=', '*', '_', '+', '[']);
        let title = lower.ends_with([':', '.', '-', '=', '*']) && lower.len() < 90;
        let copy = (ruled || title) && COPIES.iter().any(|copy| lower.contains(copy));
        let header = ["received:", "return-path:", "x-originating-ip:", "delivered-to:"];
        let begins = header.iter().any(|name| line.to_lowercase().starts_with(name));
        if !words.lines.iter().all(|line| line.trim().is_empty()) && (copy || begins) {
            if begins {
                words.original.push_str(line);
                words.original.push('\n');
            }
            break;
        }
        words.lines.push(line.to_owned());
    }
    for line in lines.take(LINES_MAX) {
        words.original.push_str(line);
        words.original.push('\n');
    }
    words
}

/// The recipients that the words name, with what they say of each.
pub(super) fn read(mail: &Mail<'_>, words: &Words, original: &Original) -> Vec<Recipient> {
    let text = words.lines.join("\n");
    if text.to_lowercase().contains("final-recipient:") {
        let found = dsn::read(text.as_bytes());
        if !found.is_empty() {
            return found;
        }
    }
    let mut places = places(mail, words);
    let failed: Vec<String> = mail.fields.all("X-Failed-Recipients").flat_map(listed).collect();
    if !failed.is_empty() {
        places.retain(|place| failed.iter().any(|known| known.eq_ignore_ascii_case(&place.address)));
        let missing = failed.iter().filter(|known| {
            !places.iter().any(|place| place.address.eq_ignore_ascii_case(known))
        });
        let missing: Vec<Place> = missing.map(|known| Place::nowhere(known)).collect();
        places.extend(missing);
    }
    if places.is_empty() {
        places.extend(original.recipients.iter().map(|address| Place::nowhere(address)));
    }
    let single = places.len() == 1;
    let starts: Vec<Option<usize>> = places.iter().map(|place| place.line).collect();
    let recipients = places.iter().map(|place| {
        let mut reason = reason(words, place, &starts);
        let known = status::reply(&reason).is_some() || status::enhanced(&reason).is_some();
        if place.line.is_none() || single && !known {
            // What there is to say may stand elsewhere.
            reason = text.clone();
        }
        told(place, &reason)
    });
    recipients.collect()
}

fn told(place: &Place, reason: &str) -> Recipient {
    Recipient {
        address: Some(place.address.clone()),
        status: status::enhanced(reason),
        smtp_code: status::reply(reason),
        diagnostic: Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty()),
        ..Recipient::default()
    }
}

/// Adds what the words say to what the fields leave out.
pub(super) fn complete(recipient: &mut Recipient, words: &Words) {
    let said = recipient.diagnostic.clone().unwrap_or_default();
    if status::reply(&said).is_some() {
        return;
    }
    let Some(address) = recipient.address.clone() else { return };
    let lower = address.to_lowercase();
    let at = words.lines.iter().position(|line| line.to_lowercase().contains(&lower));
    let Some(at) = at else { return };
    let place = Place { address, line: Some(at), rest: words.lines.get(at).cloned().unwrap_or_default() };
    let reason = reason(words, &place, &[]);
    recipient.smtp_code = status::reply(&reason);
    if said.is_empty() {
        recipient.diagnostic = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    }
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
            let Some((address, rest)) = (if strong { leading(line) } else { anywhere(line) }) else {
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
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '>' | ',' | ';' | '"' | '(' | '['));
    let (word, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let word = word.strip_prefix("mailto:").unwrap_or(word);
    let word = word.trim_end_matches(['.', ':', '>']);
    is_address(word).then(|| (word.to_owned(), rest.to_owned()))
}

/// Without a reply code before it: `550 <ada@example.com>... User unknown`.
fn strip_code(text: &str) -> &str {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ' ' | '-'));
    let code = text.len() - rest.len();
    if (3..=12).contains(&code) && rest.starts_with('<') { rest } else { text }
}

/// Without the name of a field before it.
fn strip_title(text: &str) -> &str {
    const TITLES: &[&str] = &[
        "recipient:", "recipient address:", "failed recipient:", "address:", "user:", "for:", "rcpt to:",
        "email:", "recipients:", "undeliverable address:", "あて先:", "宛先:",
    ];
    let lower = text.to_lowercase();
    let title = TITLES.iter().find(|title| lower.starts_with(**title));
    title.and_then(|title| text.get(title.len()..)).map_or(text, str::trim_start)
}

/// The first address anywhere in a line that tells of a recipient.
fn anywhere(line: &str) -> Option<(String, String)> {
    let lower = line.trim_start().to_lowercase();
    let headers = ["from:", "message-id:", "subject:", "sender:", "references:", "reply-to:", "cc:"];
    if headers.iter().any(|name| lower.starts_with(name)) || lower.contains("mail from:") {
        return None;
    }
    let splits = |c: char| c.is_whitespace() || "<>()[]\",;'".contains(c);
    let word = line.split(splits).map(|word| {
        let word = word.trim_start_matches("mailto:");
        word.rsplit_once(':').map_or(word, |(before, after)| {
            if after.contains('@') { after } else { before }
        })
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
