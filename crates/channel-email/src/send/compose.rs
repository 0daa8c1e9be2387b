//! From an answer to the bytes of a mail. The same answer makes the same mail at every attempt.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, SinglePart};
use postroom_channel::{Files, SendError};
use postroom_model::{Message, Outbound, Party};
use serde_json::Value;

use crate::EmailOptions;
use crate::letterbox::LOOP_FIELD;
use crate::limits::{REFERENCES_MAX, SENT_FILES_BYTES_MAX, SENT_RECIPIENTS_MAX};
use crate::options::MailAddress;
use crate::token::{TAG_SIGN, Tokens};

/// How subjects of answers begin, in lower case.
const ANSWERS: [&str; 12] = [
    "re:",
    "aw:",
    "sv:",
    "antw:",
    "re :",
    "ref:",
    "odp:",
    "回复:",
    "回复：",
    "答复:",
    "答复：",
    "re：",
];

#[derive(Debug)]
pub(super) struct Composer {
    address: MailAddress,
    name: Option<String>,
    tokens: Tokens,
}

/// A mail, ready to be signed and handed over.
#[derive(Debug)]
pub(super) struct Mail {
    /// Without brackets.
    pub(super) message_id: String,
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// A file with its content.
struct File {
    name: String,
    media_type: ContentType,
    /// Set if it stands in the HTML.
    content_id: Option<String>,
    bytes: Vec<u8>,
}

impl Composer {
    pub(super) fn new(options: &EmailOptions, tokens: Tokens) -> Self {
        Self { address: options.address.clone(), name: options.name.clone(), tokens }
    }

    pub(super) async fn compose(
        &self,
        outbound: &Outbound,
        files: &dyn Files,
    ) -> Result<Mail, SendError> {
        let message = &outbound.message;
        let read = read_files(message, files).await?;
        let to = mailboxes(&outbound.to)?;
        let [cc, bcc] = ["cc", "bcc"].map(|key| named(message, key));
        let (cc, bcc) = (cc?, bcc?);
        let all = to.iter().chain(&cc).chain(&bcc).map(|mailbox| mailbox.email.clone());
        let all: Vec<Address> = all.collect();
        let participant = match to.first() {
            Some(first) if all.len() <= SENT_RECIPIENTS_MAX => first.email.to_string(),
            Some(_) => {
                let detail = format!("it goes to more than {SENT_RECIPIENTS_MAX} addresses");
                return Err(SendError::permanent("mail_address_invalid", detail));
            }
            None => {
                let detail = "nobody with a mail address is known to whom it goes";
                return Err(SendError::permanent("mail_address_missing", detail));
            }
        };
        let own = address(&self.address.local, &self.address.domain)?;
        let automatic = message.attributes.get("automatic") == Some(&Value::Bool(true));
        // Whatever becomes of automatic mail, nobody is told (RFC 3834, 3.3).
        let sender = (!automatic).then(|| own.clone());
        let envelope = Envelope::new(sender, all).map_err(|error| not_writable(&error))?;
        let thread = outbound.thread.as_deref();
        let message_id = self.tokens.message_id(thread, outbound.id, &self.address.domain);
        let mut head = MessageBuilder::new()
            .envelope(envelope.clone())
            .from(Mailbox::new(self.sender_name(message), own))
            .date(UNIX_EPOCH + sent_at(outbound))
            .message_id(Some(format!("<{message_id}>")))
            .subject(subject(message));
        for mailbox in to {
            head = head.to(mailbox);
        }
        for mailbox in cc {
            head = head.cc(mailbox);
        }
        let tag = thread.and_then(|thread| self.tokens.tag(thread, &participant));
        if let Some(tag) = tag {
            let local = format!("{}{TAG_SIGN}{tag}", self.address.local);
            let answers = address(&local, &self.address.domain)?;
            head = head.reply_to(Mailbox::new(self.name.clone(), answers));
        }
        head = references(head, message);
        for (name, value) in self.marks(automatic) {
            head = head.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
        }
        let built = match body(message, read, &outbound.id.to_string()) {
            Content::One(part) => head.singlepart(part),
            Content::Many(parts) => head.multipart(parts),
        };
        let built = built.map_err(|error| not_writable(&error))?;
        Ok(Mail { message_id, envelope, bytes: without_last_lines(built.formatted()) })
    }

    fn sender_name(&self, message: &Message) -> Option<String> {
        let agent = || message.from.as_ref().and_then(|from| from.name.clone());
        self.name.clone().or_else(agent).map(|name| one_line(&name))
    }

    /// Fields that say that a program wrote it, and which.
    fn marks(&self, automatic: bool) -> Vec<(&'static str, String)> {
        let mut marks: Vec<_> =
            self.tokens.loop_mark().into_iter().map(|mark| (LOOP_FIELD, mark)).collect();
        if automatic {
            marks.push(("Auto-Submitted", "auto-replied".to_owned()));
            marks.push(("X-Auto-Response-Suppress", "All".to_owned()));
            marks.push(("Precedence", "bulk".to_owned()));
        }
        marks
    }
}

/// Lines as mail has them. The library would do it letter by letter, which takes long.
fn mail_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

/// Without the empty lines at the end, one of which is written with the dot.
fn without_last_lines(mut mail: Vec<u8>) -> Vec<u8> {
    let head = mail.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
    while mail.len() > head && mail.ends_with(b"\r\n") {
        mail.truncate(mail.len() - 2);
    }
    mail
}

fn sent_at(outbound: &Outbound) -> Duration {
    let at = outbound.message.sent_at.unwrap_or(outbound.queued_at);
    Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0))
}

fn references(mut head: MessageBuilder, message: &Message) -> MessageBuilder {
    let quoted = |ids: &[String]| {
        let good = |id: &&String| {
            !id.is_empty() && id.bytes().all(|c| c.is_ascii_graphic() && c != b'<' && c != b'>')
        };
        let ids: Vec<String> = ids.iter().filter(good).map(|id| format!("<{id}>")).collect();
        let skipped = ids.len().saturating_sub(REFERENCES_MAX);
        ids.get(skipped..).unwrap_or_default().join(" ")
    };
    let answered = quoted(&message.in_reply_to);
    if !answered.is_empty() {
        head = head.in_reply_to(answered);
    }
    let references = quoted(&message.references);
    if !references.is_empty() {
        head = head.references(references);
    }
    head
}

fn subject(message: &Message) -> String {
    let subject = one_line(message.subject.as_deref().unwrap_or_default());
    let lower = subject.to_lowercase();
    if ANSWERS.iter().any(|answer| lower.starts_with(answer)) {
        return subject;
    }
    format!("Re: {subject}").trim_end().to_owned()
}

/// Whatever would begin a new line, or cannot be seen, is a space.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}

fn address(local: &str, domain: &str) -> Result<Address, SendError> {
    Address::new(local, domain).map_err(|_| {
        SendError::permanent("mail_address_invalid", format!("{local}@{domain} is no mail address"))
    })
}

fn mailbox(text: &str, name: Option<&str>) -> Result<Mailbox, SendError> {
    let parsed = text.parse::<Address>();
    let parsed = parsed.map_err(|_| {
        SendError::permanent("mail_address_invalid", format!("{text:?} is no mail address"))
    })?;
    Ok(Mailbox::new(name.map(one_line).filter(|name| !name.is_empty()), parsed))
}

fn mailboxes(parties: &[Party]) -> Result<Vec<Mailbox>, SendError> {
    let mail = parties.iter().filter_map(|party| {
        let address = party.address.as_ref().filter(|address| address.scheme() == "mailto")?;
        Some((address.name(), party.name.as_deref()))
    });
    mail.map(|(address, name)| mailbox(address, name)).collect()
}

/// Addresses that the agent named beside the customer.
fn named(message: &Message, key: &str) -> Result<Vec<Mailbox>, SendError> {
    let list = message.attributes.get(key).and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(|text| mailbox(text.trim(), None)).collect()
}

async fn read_files(message: &Message, files: &dyn Files) -> Result<Vec<File>, SendError> {
    let sizes = message.attachments.iter().filter_map(postroom_model::Attachment::blob);
    let total: u64 = sizes.map(|blob| blob.size_bytes).sum();
    if total > SENT_FILES_BYTES_MAX {
        let detail = format!("the files hold {total} bytes, {SENT_FILES_BYTES_MAX} at most");
        return Err(SendError::permanent("attachments_too_large", detail));
    }
    let mut read = Vec::with_capacity(message.attachments.len());
    for (number, attachment) in message.attachments.iter().enumerate() {
        let Some(blob) = attachment.blob() else { continue };
        let bytes = files.read(&blob).await?.to_vec();
        let inline = attachment.disposition.as_deref() == Some("inline");
        let content_id = attachment.content_id.clone().filter(|id| {
            inline && !id.is_empty() && id.bytes().all(|c| c.is_ascii_graphic() && c != b'>')
        });
        let name = attachment.name.as_deref().map(one_line).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("file-{}", number + 1));
        read.push(File { name, media_type: media_type(attachment), content_id, bytes });
    }
    Ok(read)
}

/// A mail as a file is encoded as others are, which its own type does not allow.
fn media_type(attachment: &postroom_model::Attachment) -> ContentType {
    let given = attachment.media_type.as_deref().unwrap_or_default().trim();
    let plain = !given.starts_with("message/") && !given.starts_with("multipart/");
    let known = ContentType::parse(given).ok().filter(|_| plain);
    known
        .or_else(|| ContentType::parse("application/octet-stream").ok())
        .unwrap_or(ContentType::TEXT_PLAIN)
}

enum Content {
    One(SinglePart),
    Many(MultiPart),
}

impl Content {
    fn under(self, parent: lettre::message::MultiPartBuilder) -> MultiPart {
        match self {
            Self::One(part) => parent.singlepart(part),
            Self::Many(parts) => parent.multipart(parts),
        }
    }
}

/// The words, beside them the pictures that stand in them, behind them the files.
fn body(message: &Message, files: Vec<File>, id: &str) -> Content {
    let text = SinglePart::plain(mail_lines(message.text.as_deref().unwrap_or_default()));
    let boundary = |what: &str| format!("=_{what}_{id}");
    let (shown, behind): (Vec<File>, Vec<File>) =
        files.into_iter().partition(|file| message.html.is_some() && file.content_id.is_some());
    let mut content = match &message.html {
        None => Content::One(text),
        Some(html) => {
            let mut page = Content::One(SinglePart::html(mail_lines(html)));
            if !shown.is_empty() {
                let related = MultiPart::related().boundary(boundary("related"));
                page = Content::Many(shown.into_iter().fold(page.under(related), add));
            }
            let both = MultiPart::alternative().boundary(boundary("words")).singlepart(text);
            Content::Many(match page {
                Content::One(part) => both.singlepart(part),
                Content::Many(parts) => both.multipart(parts),
            })
        }
    };
    if !behind.is_empty() {
        let mixed = MultiPart::mixed().boundary(boundary("files"));
        content = Content::Many(behind.into_iter().fold(content.under(mixed), add));
    }
    content
}

fn add(parts: MultiPart, file: File) -> MultiPart {
    let attachment = match file.content_id {
        Some(id) => Attachment::new_inline_with_name(id, file.name),
        None => Attachment::new(file.name),
    };
    parts.singlepart(attachment.body(file.bytes, file.media_type))
}

fn not_writable(error: &lettre::error::Error) -> SendError {
    SendError::permanent("mail_not_writable", format!("no mail can be made of it: {error}"))
}
