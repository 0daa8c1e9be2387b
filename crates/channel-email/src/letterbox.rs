//! Where a mail to a channel belongs: what its reply address, its references and the server that took
//! it say of it. Pure: the same mail and envelope, the same message.
//!
//! Nothing is decided here. A thread is what a mail claims; whether its sender may write into the
//! conversation, the core decides.

use postroom_channel::{Arrival, Received};
use postroom_model::{
    Address, Automation, AutomationClass, Message, MessageId, Receipt, ReceiptStatus, mail_thread,
};

use crate::authentic;
use crate::options::MailAddress;
use crate::token::{TAG_SIGN, Tokens};
use crate::{EmailOptions, MailError, read};

/// The header field by which mail of ours is known when it comes back.
pub(crate) const LOOP_FIELD: &str = "X-Postroom-Loop";

/// What takes the mail of one channel.
#[derive(Debug, Clone)]
pub struct Letterbox {
    addresses: Vec<MailAddress>,
    tokens: Tokens,
    authserv_id: Option<String>,
}

/// What is known of a mail beside its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Envelope<'a> {
    /// To whom it was delivered, as far as that is known.
    pub recipients: &'a [String],
    /// Where a bounce would go: nowhere, if it is empty.
    pub sender: Option<&'a str>,
    /// What we found out ourselves of who sent it, in the words of `Authentication-Results`; what the
    /// header says counts otherwise.
    pub results: Option<&'a str>,
}

impl Letterbox {
    pub fn new(options: &EmailOptions, tokens: Tokens) -> Self {
        Self {
            addresses: options.addresses().cloned().collect(),
            tokens,
            authserv_id: options.authserv_id.clone(),
        }
    }

    /// Whether mail to this address belongs to the channel, whatever stands behind a `+`.
    pub fn takes(&self, address: &str) -> bool {
        self.own(address).is_some()
    }

    /// The domain that customers write to.
    pub(crate) fn domain(&self) -> &str {
        self.addresses.first().map_or("", |address| address.domain.as_str())
    }

    /// Whether a server is named that tells who sent a mail.
    pub(crate) fn believes_another(&self) -> bool {
        self.authserv_id.is_some()
    }

    /// Reads one mail.
    pub fn receive(&self, raw: &[u8], envelope: &Envelope<'_>) -> Result<Received, MailError> {
        let mut received = read::parse(raw)?;
        let mut receipts = Vec::new();
        for Arrival { message, .. } in &mut received.arrivals {
            self.judge(message, raw, envelope);
            self.place(message, envelope);
            receipts.extend(self.receipts(message));
        }
        received.receipts = receipts;
        Ok(received)
    }

    /// What stands behind the `+`, if the address is one of the channel's.
    fn own<'a>(&self, address: &'a str) -> Option<&'a str> {
        let (local, domain) = address.rsplit_once('@')?;
        let own = |own: &&MailAddress| own.domain.eq_ignore_ascii_case(domain);
        self.addresses.iter().filter(own).find_map(|own| {
            let head = local.get(..own.local.len())?;
            let tail = local.get(own.local.len()..)?;
            let tag = tail.strip_prefix(TAG_SIGN);
            let fits = head.eq_ignore_ascii_case(&own.local) && (tail.is_empty() || tag.is_some());
            fits.then(|| tag.unwrap_or_default())
        })
    }

    /// Who sent it, as far as that is proved, and whether it is our own.
    fn judge(&self, message: &mut Message, raw: &[u8], envelope: &Envelope<'_>) {
        let sender = sender(message);
        let verdict = match (envelope.results, self.authserv_id.as_deref()) {
            (Some(own), _) => Some(authentic::verdict(own, sender.as_deref())),
            (None, Some(server)) => authentic::results(raw, server, sender.as_deref()),
            (None, None) => None,
        };
        // One address would be checked and another one shown.
        let verdict = match verdict {
            Some(_) if !authentic::names_one_sender(raw) => Some(authentic::Verdict::Fail),
            verdict => verdict,
        };
        if let Some(own) = envelope.results {
            message.attributes.insert("authentication_results".to_owned(), own.into());
        }
        if let Some(verdict) = verdict {
            message.attributes.insert("authentication".to_owned(), verdict.name().into());
        }
        let mut marks = authentic::fields(raw, LOOP_FIELD);
        let own = marks.any(|mark| self.tokens.is_loop_mark(&mark));
        let from_us = sender.is_some_and(|sender| self.takes(&sender));
        let nowhere = envelope.sender.is_some_and(str::is_empty);
        let automation = message
            .automation
            .get_or_insert(Automation { class: AutomationClass::None, may_answer: true });
        if own && automation.class == AutomationClass::None {
            automation.class = AutomationClass::AutoReply;
        }
        if own || from_us || nowhere {
            automation.may_answer = false;
        }
    }

    /// The thread that it claims; its own, if it claims none.
    fn place(&self, message: &mut Message, envelope: &Envelope<'_>) {
        let sender = sender(message);
        let delivered = ["delivered_to", "original_to"].into_iter();
        let delivered = delivered.filter_map(|key| message.attributes.get(key)?.as_str());
        let named = message.to.iter().chain(&message.cc);
        let named = named.filter_map(|party| Some(party.address.as_ref()?.name()));
        let recipients = envelope.recipients.iter().map(String::as_str);
        let tags = recipients.chain(delivered).chain(named).filter_map(|address| {
            let tag = self.own(address).filter(|tag| !tag.is_empty())?;
            self.tokens.read_tag(tag, sender.as_deref())
        });
        // One that proves something counts before one that does not.
        let tag = tags.reduce(|first, next| if first.verified { first } else { next });
        if let Some(tag) = tag {
            let word = if tag.verified { "verified" } else { "unverified" };
            message.attributes.insert("reply_token".to_owned(), word.into());
            message.thread = Some(tag.thread);
            return;
        }
        let answered = answered(message).find_map(|id| self.tokens.read_message_id(id)?.thread);
        if answered.is_some() {
            message.attributes.insert("reply_token".to_owned(), "signed".into());
        }
        message.thread = Some(answered.unwrap_or_else(|| mail_thread::of(&message.external_id)));
    }

    /// What a report says of something that we sent.
    fn receipts(&self, message: &Message) -> Vec<Receipt> {
        let class = message.automation.map(|automation| automation.class);
        let told = match class {
            Some(AutomationClass::Bounce) => Some((ReceiptStatus::Failed, bounce_code(message))),
            Some(AutomationClass::DeliveryReport) => {
                let arrived = |action: &String| action.eq_ignore_ascii_case("delivered");
                let mut actions = message.bounces.iter().filter_map(|one| one.action.as_ref());
                actions.any(arrived).then_some((ReceiptStatus::Delivered, None))
            }
            Some(AutomationClass::ReadReceipt) => Some((ReceiptStatus::Read, None)),
            _ => None,
        };
        let (Some((status, code)), Some(delivery)) = (told, self.reported(message)) else {
            return Vec::new();
        };
        let external_id = delivery.to_string();
        let dead = message.bounces.iter().find(|bounce| bounce.hard);
        let dead = dead.and_then(|bounce| Address::mail(bounce.recipient.as_deref()?).ok());
        vec![Receipt { external_id, status, at: message.sent_at, code, dead }]
    }

    /// The delivery that a report is about: only one whose Message-ID we signed.
    fn reported(&self, message: &Message) -> Option<MessageId> {
        let original = message.attributes.get("original_message_id");
        let original = original.and_then(serde_json::Value::as_str);
        let mut ids = original.into_iter().chain(answered(message));
        ids.find_map(|id| self.tokens.read_message_id(id)).map(|sent| sent.delivery)
    }
}

/// The ids of what it answers, the nearest first.
fn answered(message: &Message) -> impl Iterator<Item = &str> {
    let nearest = message.in_reply_to.iter().chain(message.references.iter().rev());
    message.reply_to_id.iter().chain(nearest).map(String::as_str)
}

fn sender(message: &Message) -> Option<String> {
    let address = message.from.as_ref()?.address.as_ref()?;
    Some(address.name().to_owned())
}

/// Why a mail came back: the status, or the code of SMTP.
fn bounce_code(message: &Message) -> Option<String> {
    let bounce = message.bounces.first()?;
    bounce.status.clone().or_else(|| bounce.smtp_code.map(|code| code.to_string()))
}

#[cfg(test)]
mod tests;
