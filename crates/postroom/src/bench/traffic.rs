//! Customers, made up: one message in five opens a conversation, one in ten brings a new contact, the
//! rest go on. Requests are written and signed before anything is measured.

use postroom_channel::signature::Secret;
use postroom_model::digest::Digest;
use postroom_model::{Clock as _, Random, SeededRandom, SystemClock, SystemRandom, Timestamp};

use crate::failure::Failure;

/// The channel that they write to.
pub(super) const CHANNEL: &str = "site";
/// Messages for each conversation that one of them opens.
const MESSAGES_EACH: u64 = 5;
/// Conversations for each contact that one of them brings, so that one message in ten does.
const CONVERSATIONS_EACH_CONTACT: u64 = 2;

const WORDS: &str = "Good morning, my parcel should have come on Monday, and the page that follows \
    it has said the same for three days now. Could somebody look where it is? I am at home all week. ";

/// What a rule looks for.
const MONEY: &str = "I would like a refund. ";

/// One request as it goes over the wire.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) external_id: String,
    pub(super) request: Vec<u8>,
}

/// What a run of messages is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mix {
    /// As on any day.
    Day,
    /// Every message opens a conversation.
    Openings,
}

/// Writes messages to one server.
#[derive(Debug)]
pub(super) struct Traffic {
    /// As it stands in the configuration.
    pub(super) secret_text: String,
    secret: Secret,
    random: SeededRandom,
    payload_bytes: usize,
    messages: u64,
    contacts: u64,
    /// The contact of each conversation.
    conversations: Vec<u64>,
}

impl Traffic {
    pub(super) fn new(payload_bytes: usize) -> Result<Self, Failure> {
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key);
        // Hexadecimal digits are Base64 too.
        let secret_text = format!("whsec_{}", Digest::of(&key));
        let secret = Secret::parse(&secret_text)
            .map_err(|error| Failure::failed(format!("no secret could be made: {error}")))?;
        Ok(Self {
            secret_text,
            secret,
            random: SeededRandom::new(1),
            payload_bytes,
            messages: 0,
            contacts: 0,
            conversations: Vec::new(),
        })
    }

    /// The next messages, signed as of now; good for minutes.
    pub(super) fn posts(&mut self, count: usize, mix: Mix) -> Vec<Post> {
        let now = SystemClock.now();
        (0..count).map(|_| self.post(mix, now)).collect()
    }

    /// Conversations so far; none of them is ever resolved.
    pub(super) fn open_count(&self) -> usize {
        self.conversations.len()
    }

    fn post(&mut self, mix: Mix, now: Timestamp) -> Post {
        self.messages += 1;
        let opens = mix == Mix::Openings
            || self.conversations.is_empty()
            || self.random.below(MESSAGES_EACH) == 0;
        let conversation = if opens { self.open() } else { self.any_conversation() };
        let contact = usize::try_from(conversation).ok();
        let contact = contact.and_then(|at| self.conversations.get(at)).copied().unwrap_or(0);
        let external_id = format!("m-{}", self.messages);
        let body = self.body(&external_id, conversation, contact, now);
        let signature = self.secret.sign(&external_id, now, body.as_bytes());
        let (length, seconds) = (body.len(), now.seconds());
        let request = format!(
            "POST /v1/channels/{CHANNEL}/events HTTP/1.1\r\nhost: postroom\r\n\
             content-type: application/json\r\nwebhook-id: {external_id}\r\n\
             webhook-timestamp: {seconds}\r\nwebhook-signature: {signature}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        Post { external_id, request: request.into_bytes() }
    }

    fn open(&mut self) -> u64 {
        let brings = self.contacts == 0 || self.random.below(CONVERSATIONS_EACH_CONTACT) == 0;
        let contact = if brings { self.contacts } else { self.random.below(self.contacts) };
        self.contacts += u64::from(brings);
        self.conversations.push(contact);
        self.conversations.len() as u64 - 1
    }

    fn any_conversation(&self) -> u64 {
        self.random.below(self.conversations.len() as u64)
    }

    /// Exactly as many bytes as were asked for, unless the fields alone have more.
    fn body(&self, id: &str, conversation: u64, contact: u64, now: Timestamp) -> String {
        let from = format!(r#"{{"id":"c-{contact}","name":"Customer {contact}"}}"#);
        let thread = format!("t-{conversation}");
        let head = format!(
            r#"{{"id":"{id}","thread":"{thread}","from":{from},"sent_at":"{now}","text":""#
        );
        let tail = r#""}"#;
        let text_bytes = self.payload_bytes.saturating_sub(head.len() + tail.len()).max(1);
        let first = if conversation.is_multiple_of(10) { MONEY } else { "" };
        let text = first.chars().chain(WORDS.chars().cycle());
        let text: String = text.take(text_bytes).collect();
        format!("{head}{text}{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Mix, Traffic};

    #[test]
    fn one_in_five_opens_and_one_in_ten_brings_a_contact() {
        let mut traffic = Traffic::new(512).unwrap();
        let posts = traffic.posts(10_000, Mix::Day);
        assert!(posts.iter().all(|post| post.request.ends_with(b"\"}")));
        let bodies = posts.iter().map(|post| {
            let text = std::str::from_utf8(&post.request).unwrap();
            text.split_once("\r\n\r\n").unwrap().1
        });
        assert!(bodies.map(str::len).all(|bytes| bytes == 512));
        let opened = traffic.conversations.len();
        assert!((1_850..2_150).contains(&opened), "{opened}");
        assert!((900..1_100).contains(&traffic.contacts), "{}", traffic.contacts);
        traffic.posts(100, Mix::Openings);
        assert_eq!(traffic.conversations.len(), opened + 100);
    }
}
