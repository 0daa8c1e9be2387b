//! From the bytes of a mail to the message that an agent sees. Pure: the same bytes, the same
//! message.

use std::collections::BTreeMap;

use mail_parser::Message as Parts;
use postroom_channel::{Arrival, Received};
use postroom_model::limits::SUBJECT_CHARS_MAX;
use postroom_model::{Message, MessageKind, Party};
use serde_json::{Value, json};

use crate::header::Fields;
use crate::report::{self, Report};
use crate::{MailError, addresses, automation, body, files, ids, limits, mime};

/// Reads one mail.
pub fn parse(raw: &[u8]) -> Result<Received, MailError> {
    let arrival = mime::read(raw, assemble)?;
    Ok(Received { arrivals: vec![arrival], ..Received::default() })
}

fn assemble(mut parts: Parts<'_>, raw: &[u8]) -> Arrival {
    let body = body::of(&parts, raw);
    let Some(mut message) = told_of(&parts, raw, body.text.as_deref().unwrap_or_default()) else {
        return Arrival::default();
    };
    let files = files::of(&mut parts, raw, |index| body.parts.contains(&index));
    let attributes = &mut message.attributes;
    if body.cut {
        attributes.insert("text_cut".to_owned(), true.into());
    }
    if files.left_out > 0 {
        attributes.insert("attachments_left_out".to_owned(), files.left_out.into());
    }
    if let Some(source) = &body.html {
        let (html, code) = body::shown(source);
        attributes.extend(code.map(|code| ("html_left_out".to_owned(), json!(code))));
        message.html = html;
    }
    message.text = body.text;
    message.visible_text = body.visible_text;
    message.attachments = files.attachments;
    Arrival { message, contents: files.contents }
}

/// What stands in the header, and what is told of other mails.
fn told_of(parts: &Parts<'_>, raw: &[u8], text: &str) -> Option<Message> {
    let root = parts.parts.first()?;
    let fields = mime::fields(root, raw);
    let mut message = Message { kind: MessageKind::Email, ..Message::default() };
    head(&mut message, fields, raw.get(root.offset_body as usize..).unwrap_or_default());
    let report = told(&message, parts, raw, fields, text);
    let sender = sender(&message);
    let subject = message.subject.clone().unwrap_or_default();
    message.automation = Some(automation::of(fields, &subject, &sender, &report));
    message.attributes = attributes(fields, &report);
    message.reply_to_id = report
        .original_id
        .or_else(|| message.in_reply_to.first().cloned())
        .or_else(|| message.references.last().cloned());
    message.bounces = report.bounces;
    Some(message)
}

/// What stands in the header. `content` is what follows it.
fn head(message: &mut Message, fields: Fields<'_>, content: &[u8]) {
    let list = |name| {
        let parties = fields.all(name).flat_map(addresses::parse);
        parties.take(limits::ADDRESSES_MAX).collect::<Vec<Party>>()
    };
    message.external_id = ids::own(fields).unwrap_or_else(|| ids::generated(fields, content));
    let from = list("From").into_iter().chain(list("Sender"));
    let mut from: Vec<Party> = from.collect();
    let addressed = from.iter().position(|party| party.address.is_some());
    message.from = (!from.is_empty()).then(|| from.swap_remove(addressed.unwrap_or(0)));
    message.to = list("To");
    message.cc = list("Cc");
    message.reply_to = list("Reply-To");
    message.sent_at = fields.date("Date");
    let subject = fields.text("Subject");
    message.subject = subject
        .map(|subject| subject.chars().take(SUBJECT_CHARS_MAX).collect::<String>())
        .filter(|subject| !subject.is_empty());
    message.in_reply_to = ids::all(fields, "In-Reply-To");
    message.references = ids::all(fields, "References");
}

fn sender(message: &Message) -> String {
    let address = message.from.as_ref().and_then(|party| party.address.as_ref());
    address.map(|address| address.name().to_owned()).unwrap_or_default()
}

fn told(
    message: &Message,
    parts: &Parts<'_>,
    raw: &[u8],
    fields: Fields<'_>,
    text: &str,
) -> Report {
    let recipients = message.to.iter().filter_map(|party| party.address.as_ref());
    let recipients: Vec<String> = recipients.map(|address| address.name().to_owned()).collect();
    report::of(&report::Mail {
        message: parts,
        raw,
        fields,
        subject: message.subject.as_deref().unwrap_or_default(),
        sender: &sender(message),
        recipients: &recipients,
        text,
    })
}

/// What else rules and agents may want to know, flat.
fn attributes(fields: Fields<'_>, report: &Report) -> BTreeMap<String, Value> {
    const VALUE_CHARS_MAX: usize = 500;
    let mut attributes = BTreeMap::new();
    for (key, name) in [
        ("list_id", "List-Id"),
        ("mailer", "X-Mailer"),
        ("importance", "Importance"),
        ("priority", "X-Priority"),
        ("delivered_to", "Delivered-To"),
        ("original_to", "X-Original-To"),
        ("spam_flag", "X-Spam-Flag"),
    ] {
        if let Some(value) = fields.text(name).filter(|value| !value.is_empty()) {
            let value: String = value.chars().take(VALUE_CHARS_MAX).collect();
            attributes.insert(key.to_owned(), value.into());
        }
    }
    let told =
        [("original_message_id", &report.original_id), ("feedback_type", &report.feedback_type)];
    for (key, value) in told {
        if let Some(value) = value {
            attributes.insert(key.to_owned(), value.as_str().into());
        }
    }
    attributes
}
