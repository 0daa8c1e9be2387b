//! The body of the generic dialect becomes a message or a receipt. Pure, and total: every input
//! gives one of the two or a refusal that names all mistakes.

use std::collections::BTreeMap;

use postroom_channel::json::{self, Mistakes, Pointer};
use postroom_channel::{Arrival, Received, Refusal, html};
use postroom_model::digest::Digest;
use postroom_model::limits::{EXTERNAL_ID_CHARS_MAX, SUBJECT_CHARS_MAX};
use postroom_model::{Message, MessageKind, Timestamp};
use serde_json::Value;

use super::attachments::{self, Files};
use super::fields::{Member, Object, invalid, one_line, text, unix_lines, wrong_type};
use super::sender::{self, Sender};
use super::{
    ATTRIBUTE_CHARS_MAX, ATTRIBUTE_NAME_CHARS_MAX, ATTRIBUTES_MAX, FROM_ADDRESSES, receipt,
};

const FIELDS: [&str; 12] = [
    "id",
    "thread",
    "from",
    "subject",
    "text",
    "html",
    "sent_at",
    "kind",
    "reply_to_id",
    "attachments",
    "attributes",
    "receipt",
];

/// Reads a body. `webhook_id` is the header of that name; it stands in where the body has no `id`.
pub fn parse(body: &[u8], webhook_id: Option<&str>) -> Result<Received, Refusal> {
    let value = json::parse(body)?;
    let mut mistakes = Mistakes::default();
    let root = Member { value: &value, pointer: Pointer::root() };
    let received = read(&root, body, webhook_id, &mut mistakes);
    mistakes.into_result()?;
    received.ok_or_else(|| {
        let detail = "the body holds no message";
        Refusal::new(422, "body_empty_message", detail).at("", detail)
    })
}

fn read(
    root: &Member<'_>,
    body: &[u8],
    webhook_id: Option<&str>,
    mistakes: &mut Mistakes,
) -> Option<Received> {
    if let Value::Object(members) = root.value
        && members.contains_key("receipt")
    {
        let object = Object::new(root, &["receipt"], mistakes)?;
        let receipt = object.get("receipt");
        let receipt = receipt.and_then(|member| receipt::read(&member, mistakes))?;
        return Some(Received { receipts: vec![receipt], ..Received::default() });
    }
    let object = Object::new(root, &FIELDS, mistakes)?;
    let mut arrival = message(&object, mistakes)?;
    if arrival.message.external_id.is_empty() {
        arrival.message.external_id = stand_in_id(webhook_id, body);
    }
    Some(Received { arrivals: vec![arrival], ..Received::default() })
}

/// The id of a body that has none: the same for the same event.
fn stand_in_id(webhook_id: Option<&str>, body: &[u8]) -> String {
    let usable = |id: &&str| {
        !id.is_empty() && id.len() <= EXTERNAL_ID_CHARS_MAX && !id.chars().any(char::is_control)
    };
    match webhook_id.map(str::trim).filter(usable) {
        Some(id) => id.to_owned(),
        None => format!("generated:{}", Digest::of(body)),
    }
}

/// Reads every field before it gives up, so that all mistakes are told at once.
fn message(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<Arrival> {
    let external_id = id(object, "id", mistakes);
    let thread = id(object, "thread", mistakes);
    let reply_to_id = id(object, "reply_to_id", mistakes);
    let sender = match object.get("from") {
        Some(member) => sender::read(&member, mistakes),
        None => {
            let pointer = object.pointer.member("from");
            mistakes.add("body_field_missing", pointer, "must be given");
            None
        }
    };
    let subject = object.long_text("subject", mistakes);
    let plain = object.long_text("text", mistakes).map(unix_lines);
    let rich = rich(object, mistakes);
    let sent_at = time(object, "sent_at", mistakes);
    let given_kind = kind(object, mistakes);
    let files = attachments::read(object, mistakes);
    let mut attributes = attributes(object, mistakes);

    let tells_by_attributes =
        given_kind.is_some_and(|kind| kind != MessageKind::Text) && !attributes.is_empty();
    // HTML of which nothing may be shown is as good as none.
    let bare = rich.as_deref().is_none_or(str::is_empty);
    let empty = plain.is_none() && bare && files.attachments.is_empty();
    if empty && !tells_by_attributes && mistakes.is_empty() {
        let words = "holds no text, no html and no attachment";
        mistakes.add("body_empty_message", object.pointer.clone(), words);
    }

    let Sender { party, further } = sender?;
    let Files { attachments, contents } = files;
    if !further.is_empty() {
        let further = further.iter().map(|address| address.as_str().into());
        attributes.insert(FROM_ADDRESSES.to_owned(), Value::Array(further.collect()));
    }
    let text = plain.or_else(|| rich.as_deref().map(html::text_of).filter(|t| !t.is_empty()));
    let kind = given_kind.unwrap_or_else(|| match text {
        Some(_) => MessageKind::Text,
        None => attachments::kind_of(&attachments),
    });
    let thread = thread.or_else(|| {
        // One customer who writes without a thread stays in one conversation.
        party.address.as_ref().map(|address| format!("from:{address}"))
    });
    let message = Message {
        kind,
        external_id: external_id.unwrap_or_default(),
        thread,
        from: Some(party),
        sent_at,
        subject: subject
            .map(|subject| one_line(subject, SUBJECT_CHARS_MAX))
            .filter(|subject| !subject.is_empty()),
        visible_text: text.clone(),
        text,
        html: rich.filter(|html| !html.is_empty()),
        attachments,
        reply_to_id,
        attributes,
        ..Message::default()
    };
    Some(Arrival { message, contents })
}

/// An id or a thread key, freed of space around it.
fn id(object: &Object<'_>, name: &str, mistakes: &mut Mistakes) -> Option<String> {
    let text = object.text(name, EXTERNAL_ID_CHARS_MAX, mistakes)?.trim();
    if text.chars().any(char::is_control) {
        invalid(&object.pointer.member(name), "holds control characters", mistakes);
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn time(object: &Object<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Timestamp> {
    const TIME_CHARS_MAX: usize = 64;
    let text = object.text(name, TIME_CHARS_MAX, mistakes)?;
    let time = text.trim().parse().ok();
    if time.is_none() {
        let words = "not an RFC 3339 time such as 2026-01-31T09:30:00Z";
        invalid(&object.pointer.member(name), words, mistakes);
    }
    time
}

/// The sanitised HTML; none if it is absent or over a limit.
fn rich(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<String> {
    let source = object.long_text("html", mistakes)?;
    match html::sanitize(source) {
        Ok(clean) => Some(clean),
        Err(error) => {
            mistakes.add(error.code(), object.pointer.member("html"), error.to_string());
            None
        }
    }
}

/// The kinds that a sender may name; `call` and `email` come through other channels.
fn kind(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<MessageKind> {
    const KINDS: [&str; 10] = [
        "text", "image", "audio", "video", "file", "location", "contact", "sticker", "reaction",
        "button",
    ];
    const KIND_CHARS_MAX: usize = 64;
    let text = object.text("kind", KIND_CHARS_MAX, mistakes)?;
    let kind = KINDS.contains(&text).then(|| serde_json::from_value(text.into()).ok()).flatten();
    if kind.is_none() {
        let words = format!("must be one of {}", KINDS.join(", "));
        invalid(&object.pointer.member("kind"), words, mistakes);
    }
    kind
}

/// Flat: text, numbers, true and false.
fn attributes(object: &Object<'_>, mistakes: &mut Mistakes) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    let Some(member) = object.get("attributes") else {
        return out;
    };
    let Value::Object(members) = member.value else {
        wrong_type(&member, "an object", mistakes);
        return out;
    };
    if members.len() > ATTRIBUTES_MAX {
        let words = format!("more than {ATTRIBUTES_MAX} attributes");
        mistakes.add("body_field_too_long", member.pointer, words);
        return out;
    }
    for (name, value) in members {
        let one = Member { value, pointer: member.pointer.member(name) };
        if attribute(name, &one, mistakes) {
            out.insert(name.clone(), value.clone());
        }
    }
    out
}

/// Whether it is to be kept; an attribute that is null is not.
fn attribute(name: &str, member: &Member<'_>, mistakes: &mut Mistakes) -> bool {
    if name.is_empty() || name.chars().any(char::is_control) || name == FROM_ADDRESSES {
        let words = "an attribute may not have this name";
        invalid(&member.pointer, words, mistakes);
        return false;
    }
    if name.chars().count() > ATTRIBUTE_NAME_CHARS_MAX {
        let words = format!("a name longer than {ATTRIBUTE_NAME_CHARS_MAX} characters");
        mistakes.add("body_field_too_long", member.pointer.clone(), words);
        return false;
    }
    match member.value {
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(_) => text(member, ATTRIBUTE_CHARS_MAX, mistakes).is_some(),
        Value::Array(_) | Value::Object(_) => {
            wrong_type(member, "text, a number, true or false", mistakes);
            false
        }
    }
}
