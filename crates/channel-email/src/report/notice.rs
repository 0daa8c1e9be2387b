//! How mail is known that a server sent back: by who sent it, by its subject, by its words. And where
//! in it those words end and the mail that came back begins.

use std::cell::LazyCell;

use mail_parser::PartType;

use super::Mail;
use crate::automation::has_empty_return_path;
use crate::phrases::Phrases;

/// Lines of the words that are looked at.
const LINES_MAX: usize = 400;
/// Characters in which it is looked for what is said, and for what is said at once.
const HEAD_CHARS: usize = 6_000;
const START_CHARS: usize = 600;
/// Characters of a line that are kept.
const LINE_CHARS_MAX: usize = 1_000;

/// Local parts of machines that send mail back.
const DAEMONS: &[&str] = &[
    "mailer-daemon",
    "mailer_daemon",
    "mailerdaemon",
    "postmaster",
    "post_master",
    "mail-daemon",
    "mdaemon",
    "maildaemon",
    "mail.delivery.system",
    "mailadmin",
    "mail-delivery",
    "mail_delivery",
    "bounce",
    "microsoftexchange329e71ec88ae4615bbc36ab6ce41109e",
];
/// Names of the same.
const DAEMON_NAMES: &[&str] = &[
    "mail deliver",
    "mailer-daemon",
    "mail administrator",
    "system administrator",
    "postmaster",
    "mail system",
    "delivery subsystem",
    "internet mail delivery",
];

static SUBJECTS: Phrases = Phrases::new(&[
    "undeliver",
    "non-deliver",
    "nondeliver",
    "returned mail",
    "returned to sender",
    "return to sender",
    "failure notice",
    "failure delivery",
    "failed delivery",
    "delivery failure",
    "delivery failed",
    "delivery fail",
    "delivery status",
    "delivery notification",
    "delivery error",
    "delivery problem",
    "delivery report",
    "delivery has failed",
    "mail delivery",
    "mail system error",
    "mail failure",
    "mail error",
    "message delivery",
    "message not delivered",
    "could not be delivered",
    "could not send",
    "error sending",
    "couldn't be delivered",
    "rejected mail",
    "mail rejected",
    "unzustellbar",
    "nicht zustellbar",
    "nicht zugestellt",
    "zustellung fehlgeschlagen",
    "non remis",
    "non distribué",
    "échec de la remise",
    "no se puede entregar",
    "no entregado",
    "não entregue",
    "mancato recapito",
    "niet bezorgd",
    "onbestelbaar",
    "niedostarczon",
    "не доставлено",
    "недоставленное",
    "olevererbart",
    "退信",
    "退回",
    "投递失败",
    "无法投递",
    "無法傳遞",
    "配信エラー",
    "送信できませんでした",
    "반송",
    "전송 실패",
]);

/// What they say, in lower case.
static PHRASES: Phrases = Phrases::new(&[
    "could not be delivered",
    "couldn't be delivered",
    "could not deliver",
    "couldn't deliver",
    "was not delivered",
    "wasn't delivered",
    "not been delivered",
    "cannot be delivered",
    "can't be delivered",
    "unable to deliver",
    "wasn't able to deliver",
    "was unable to",
    "delivery to the following",
    "delivery has failed",
    "delivery failed",
    "did not reach",
    "undeliverable",
    "undelivered",
    "permanent fatal error",
    "permanent error",
    "fatal errors",
    "delivery error",
    "returned to sender",
    "returning message",
    "transcript of session",
    "error occurred while trying to deliver",
    "error delivering",
    "trouble delivering",
    "failed permanently",
    "delivery attempt",
    "will be retried",
    "user unknown",
    "mailbox is full",
    "recipient",
    "bounced",
    "status:",
    "unknown user",
    "not sent",
    "送信できません",
    "送れません",
    "届けることができません",
    "配信できません",
    "无法送达",
    "无法投递",
    "被退回",
    "退信",
    "nicht zugestellt",
    "konnte nicht",
    "n'a pas pu",
    "no se pudo",
    "não foi possível",
    "non è stato possibile",
    "не удалось",
    "недоставлен",
]);

/// The server has not given up yet.
pub(super) static DELAYS: Phrases = Phrases::new(&[
    "warning message only",
    "has been delayed",
    "delivery is delayed",
    "will be retried",
    "will continue to",
    "still trying",
    "not yet been delivered",
    "could not be delivered yet",
    "no action is required on your part",
    "noch nicht zugestellt",
]);

/// What stands above the mail that comes back.
const COPIES: &[&str] = &[
    "below this line is a copy",
    "copy of the message",
    "copy of your message",
    "original message follows",
    "original message",
    "unsent message",
    "message headers follow",
    "message header follow",
    "included is a copy",
    "headers of the message",
    "headers from the message",
    "returned message",
    "message header",
    "the header of the original",
    "returned content",
    "text of the original",
    "your message follows",
    "message follows",
    "undelivered message",
    "original mail",
    "content of your message",
    "rejected message",
    "headers follow",
    "原メッセージ",
];

/// The words of the server, and the mail that comes back below them.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) lines: Vec<String>,
    /// The same in lower case.
    pub(super) lower: Vec<String>,
    pub(super) original: String,
}

/// The first characters of a text.
fn beginning(text: &str, chars: usize) -> &str {
    if text.len() <= chars {
        return text;
    }
    let end = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// Whether a machine seems to have sent a mail back.
pub(super) fn looks_like(mail: &Mail<'_>) -> bool {
    let sender = mail.sender.to_lowercase();
    let local = sender.rsplit_once('@').map_or(sender.as_str(), |(local, _)| local);
    let name = mail.fields.lower("From");
    let daemon = DAEMONS.iter().any(|known| local.starts_with(known))
        || DAEMON_NAMES.iter().any(|known| name.contains(known));
    let subject = mail.subject.to_lowercase();
    let human =
        subject.starts_with("re: ") || subject.starts_with("fwd:") || subject.starts_with("fw:");
    let titled = !human && SUBJECTS.is_in(&subject);
    let empty = has_empty_return_path(mail.fields);
    let failed = mail.fields.has("X-Failed-Recipients");
    let encloses = mail.message.parts.iter().any(|part| matches!(part.body, PartType::Message(_)));
    let apart = encloses && mail.message.parts.len() <= 4;
    if !(daemon || titled || empty || failed || apart) {
        return false;
    }
    let head = LazyCell::new(|| beginning(mail.text, HEAD_CHARS).to_lowercase());
    let says = || PHRASES.is_in(&head);
    // Some say it only in the words above the mail that they enclose.
    let plain = || {
        let start = beginning(mail.text, START_CHARS).to_lowercase();
        start.contains("could not be delivered to:")
            || start.contains("delivery to the following recipient")
    };
    failed
        || daemon && (titled || says())
        || titled && (empty || says())
        || apart && !human && plain()
}

/// Parts the words from the original. A line that begins like a header of a mail begins the original.
pub(super) fn words(mail: &Mail<'_>) -> Words {
    let mut words = Words::default();
    let mut lines = mail.text.lines();
    let mut blank = true;
    for line in lines.by_ref().take(LINES_MAX) {
        let lower = line.trim().to_lowercase();
        let ruled = lower.starts_with(['-', '=', '*', '_', '+', '[']);
        let title = lower.ends_with([':', '-', '=', '*']) && lower.len() < 90;
        // Sentences speak of the returned message too, without anything below them.
        let sentence = lower.ends_with('.');
        let copy = (ruled || title) && COPIES.iter().any(|copy| lower.contains(copy))
            || sentence && COPIES.iter().any(|copy| lower.starts_with(copy));
        let header = ["received:", "return-path:", "x-originating-ip:", "delivered-to:"];
        let indented = line.starts_with([' ', '\t']);
        let begins = !indented && header.iter().any(|name| lower.starts_with(name));
        if !blank && (copy || begins) {
            if begins {
                words.original.push_str(line);
                words.original.push('\n');
            }
            break;
        }
        blank &= lower.is_empty();
        let line = beginning(line, LINE_CHARS_MAX);
        words.lower.push(line.to_lowercase());
        words.lines.push(line.to_owned());
    }
    for line in lines.take(LINES_MAX) {
        words.original.push_str(line);
        words.original.push('\n');
    }
    words
}
