//! What an expression sees of a message and its channel, of whoever writes, and of the conversation
//! that the message follows.

use std::collections::BTreeMap;

use postroom_model::{Address, ChannelSettings, Contact, Message, Status, Timestamp};
use serde::Serialize;

use super::Earlier;

/// Bytes of a text that an expression sees.
pub(super) const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Entries of a list that an expression sees.
pub(super) const LIST_MAX: usize = 256;

/// The message as an expression sees it. Absent texts are empty, so that `contains` can be asked.
#[derive(Debug, Serialize)]
pub(super) struct Facts<'a> {
    kind: postroom_model::MessageKind,
    external_id: &'a str,
    thread: &'a str,
    from: PartyFacts<'a>,
    to: Vec<PartyFacts<'a>>,
    cc: Vec<PartyFacts<'a>>,
    reply_to: Vec<PartyFacts<'a>>,
    sent_at: String,
    subject: &'a str,
    text: &'a str,
    visible_text: &'a str,
    html: &'a str,
    in_reply_to: &'a [String],
    references: &'a [String],
    attachments: Vec<AttachmentFacts<'a>>,
    automation: AutomationFacts,
    attributes: &'a BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Serialize)]
struct PartyFacts<'a> {
    address: &'a str,
    name: &'a str,
    username: &'a str,
}

#[derive(Debug, Serialize)]
struct AttachmentFacts<'a> {
    name: &'a str,
    media_type: &'a str,
    size_bytes: u64,
}

#[derive(Debug, Serialize)]
struct AutomationFacts {
    class: postroom_model::AutomationClass,
    may_answer: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct ChannelFacts<'a> {
    id: &'a str,
    kind: postroom_model::ChannelKind,
    dialect: &'a str,
}

impl<'a> ChannelFacts<'a> {
    pub(super) fn of(channel: &'a ChannelSettings) -> Self {
        Self {
            id: channel.id.as_str(),
            kind: channel.kind,
            dialect: channel.dialect.as_deref().unwrap_or(""),
        }
    }
}

/// Whoever writes. Of a stranger, texts and lists are empty and numbers 0.
#[derive(Debug, Serialize)]
pub(super) struct ContactFacts<'a> {
    known: bool,
    name: &'a str,
    addresses: Vec<&'a str>,
    /// The kinds of those addresses, each once.
    kinds: Vec<&'a str>,
    /// Conversations that were opened with them, and those of them that are not done.
    conversations: u64,
    open: usize,
    last_agent: &'a str,
}

impl<'a> ContactFacts<'a> {
    pub(super) fn of(contact: Option<&'a Contact>, open: usize) -> Self {
        let addresses = contact.map_or(&[][..], |contact| contact.addresses.as_slice());
        let mut kinds: Vec<&str> = addresses.iter().map(Address::scheme).collect();
        kinds.sort_unstable();
        kinds.dedup();
        Self {
            known: contact.is_some(),
            name: contact.and_then(|contact| contact.name.as_deref()).unwrap_or(""),
            addresses: addresses.iter().map(Address::as_str).collect(),
            kinds,
            conversations: contact.map_or(0, |contact| contact.conversations),
            open,
            last_agent: contact
                .and_then(|contact| contact.last_agent.as_ref())
                .map_or("", |agent| agent.as_str()),
        }
    }
}

/// The conversation that the message follows. Where there is none, texts and lists are empty and
/// numbers 0.
#[derive(Debug, Serialize)]
pub(super) struct ConversationFacts<'a> {
    follow_up: bool,
    status: &'static str,
    queue: &'a str,
    tags: &'a [String],
    priority: u8,
    assignee: &'a str,
    age_s: i64,
    quiet_s: i64,
}

impl<'a> ConversationFacts<'a> {
    pub(super) fn of(earlier: Option<Earlier<'a>>, at: Timestamp) -> Self {
        let since = |moment: fn(&Earlier<'a>) -> Timestamp| {
            earlier.as_ref().map_or(0, |earlier| at.since(moment(earlier)).max(0) / 1_000)
        };
        Self {
            follow_up: earlier.is_some(),
            status: earlier.map_or("", |earlier| status_word(earlier.status)),
            queue: earlier.and_then(|earlier| earlier.queue).map_or("", |queue| queue.as_str()),
            tags: earlier.map_or(&[], |earlier| earlier.tags),
            priority: earlier.map_or(0, |earlier| earlier.priority),
            assignee: earlier
                .and_then(|earlier| earlier.assignee)
                .map_or("", |agent| agent.as_str()),
            age_s: since(|earlier| earlier.opened_at),
            quiet_s: since(|earlier| earlier.last_message_at),
        }
    }
}

/// As the API writes it.
const fn status_word(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::Pending => "pending",
        Status::Snoozed => "snoozed",
        Status::Resolved => "resolved",
    }
}

impl<'a> PartyFacts<'a> {
    fn of(party: &'a postroom_model::Party) -> Self {
        Self {
            address: party.address.as_ref().map_or("", |address| address.as_str()),
            name: party.name.as_deref().unwrap_or(""),
            username: party.username.as_deref().unwrap_or(""),
        }
    }

    fn all(parties: &'a [postroom_model::Party]) -> Vec<Self> {
        parties.iter().take(LIST_MAX).map(Self::of).collect()
    }
}

impl<'a> Facts<'a> {
    pub(super) fn of(message: &'a Message) -> Self {
        let nobody = PartyFacts { address: "", name: "", username: "" };
        let automation = message.automation;
        Self {
            kind: message.kind,
            external_id: &message.external_id,
            thread: message.thread.as_deref().unwrap_or(""),
            from: message.from.as_ref().map_or(nobody, PartyFacts::of),
            to: PartyFacts::all(&message.to),
            cc: PartyFacts::all(&message.cc),
            reply_to: PartyFacts::all(&message.reply_to),
            sent_at: message.sent_at.map(|at| at.to_string()).unwrap_or_default(),
            subject: message.subject.as_deref().unwrap_or(""),
            text: head(message.text.as_deref()),
            visible_text: head(message.visible_text.as_deref()),
            html: head(message.html.as_deref()),
            in_reply_to: first(&message.in_reply_to),
            references: first(&message.references),
            attachments: message
                .attachments
                .iter()
                .take(LIST_MAX)
                .map(|attachment| AttachmentFacts {
                    name: attachment.name.as_deref().unwrap_or(""),
                    media_type: attachment.media_type.as_deref().unwrap_or(""),
                    size_bytes: attachment.size_bytes.unwrap_or(0),
                })
                .collect(),
            automation: AutomationFacts {
                class: automation.map(|automation| automation.class).unwrap_or_default(),
                may_answer: automation.is_none_or(|automation| automation.may_answer),
            },
            attributes: &message.attributes,
        }
    }
}

fn first(texts: &[String]) -> &[String] {
    texts.get(..LIST_MAX).unwrap_or(texts)
}

/// The beginning of a text, cut between characters.
fn head(text: Option<&str>) -> &str {
    let text = text.unwrap_or("");
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.get(..end).unwrap_or("")
}
