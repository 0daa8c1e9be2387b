//! The signs by which an answer is known again: in the reply address, for one participant, and in the
//! Message-ID of what was sent. Both name a thread and are signed, so that nobody can make one up.
//!
//! A sign proves that whoever uses it was given it; whether they may write into the conversation is
//! decided by the core.

use std::fmt;

use postroom_model::{ChannelId, MessageId, mail_thread};
use ring::hmac;

/// Characters of a thread in a sign, as [`mail_thread`] makes them.
const THREAD_CHARS: usize = mail_thread::CHARS;
/// Bytes of a signature: 128 bits.
const MAC_BYTES: usize = 16;
const MAC_CHARS: usize = 26;
/// Characters that a reply address has behind the `+`.
pub(crate) const TAG_CHARS: usize = THREAD_CHARS + MAC_CHARS;
/// Characters of a delivery id in a Message-ID.
const ID_CHARS: usize = 32;
/// Stands for no thread: an id must not begin with a dot.
const NO_THREAD: &str = "0";
/// What separates reply addresses and addresses.
pub(crate) const TAG_SIGN: char = '+';

/// The keys of one channel, the newest first.
#[derive(Clone)]
pub struct Tokens {
    channel: ChannelId,
    keys: Vec<hmac::Key>,
}

/// What a reply address says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) thread: String,
    /// It was given to this sender.
    pub(crate) verified: bool,
}

/// What the Message-ID of something that we sent says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Where it belongs, if it was an answer to a mail.
    pub(crate) thread: Option<String>,
    pub(crate) delivery: MessageId,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Tokens {
    pub fn new(channel: ChannelId, secrets: &[Vec<u8>]) -> Self {
        let keys = secrets.iter().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret));
        Self { channel, keys: keys.collect() }
    }

    /// What stands behind the `+` of the reply address that `participant` is given.
    pub(crate) fn tag(&self, thread: &str, participant: &str) -> Option<String> {
        let key = self.keys.first().filter(|_| is_thread(thread))?;
        let mac = self.sign(key, "reply", &[thread, &folded(participant)]);
        Some(format!("{thread}{}", base32(&mac)))
    }

    /// Reads what stands behind the `+` of an address to which `sender` wrote.
    pub(crate) fn read_tag(&self, tag: &str, sender: Option<&str>) -> Option<Tag> {
        let tag = tag.to_ascii_lowercase();
        let (thread, mac) = tag.split_at_checked(THREAD_CHARS)?;
        if !is_thread(thread) || mac.len() != MAC_CHARS {
            return None;
        }
        let given = unbase32(mac)?;
        let verified = sender
            .is_some_and(|sender| self.is_signed(&given, "reply", &[thread, &folded(sender)]));
        Some(Tag { thread: thread.to_owned(), verified })
    }

    /// The Message-ID of a delivery, without brackets: the same at every attempt.
    pub(crate) fn message_id(
        &self,
        thread: Option<&str>,
        delivery: MessageId,
        domain: &str,
    ) -> String {
        let thread = thread.filter(|thread| is_thread(thread)).unwrap_or_default();
        let id = delivery.0.simple().to_string();
        let mac = match self.keys.first() {
            Some(key) => base32(&self.sign(key, "sent", &[thread, &id])),
            None => String::new(),
        };
        let shown = if thread.is_empty() { NO_THREAD } else { thread };
        format!("{shown}.{id}.{mac}@{domain}")
    }

    /// Reads a Message-ID; none if we did not make it.
    pub(crate) fn read_message_id(&self, id: &str) -> Option<Sent> {
        let (local, _) = id.split_once('@')?;
        let mut parts = local.split('.');
        let (thread, id, mac) = (parts.next()?, parts.next()?, parts.next()?);
        let thread = if thread == NO_THREAD { "" } else { thread };
        let of_a_thread = is_thread(thread);
        if parts.next().is_some() || id.len() != ID_CHARS || !(thread.is_empty() || of_a_thread) {
            return None;
        }
        let given = unbase32(mac)?;
        if !self.is_signed(&given, "sent", &[thread, id]) {
            return None;
        }
        let delivery = id.parse().ok()?;
        Some(Sent { thread: of_a_thread.then(|| thread.to_owned()), delivery })
    }

    /// A mark of this channel that tells nothing, for mail that comes back to it.
    pub(crate) fn loop_mark(&self) -> Option<String> {
        self.keys.first().map(|key| base32(&self.sign(key, "loop", &[])))
    }

    /// Whether that is the mark of this channel, also from before its secret was replaced.
    pub(crate) fn is_loop_mark(&self, mark: &str) -> bool {
        unbase32(mark.trim()).is_some_and(|given| self.is_signed(&given, "loop", &[]))
    }

    fn is_signed(&self, given: &[u8], what: &str, fields: &[&str]) -> bool {
        // Compared by a second signature, whose time says nothing of the first.
        self.keys.iter().any(|key| {
            let expected = self.sign(key, what, fields);
            let blind = hmac::sign(key, &expected);
            hmac::verify(key, given, blind.as_ref()).is_ok()
        })
    }

    fn sign(&self, key: &hmac::Key, what: &str, fields: &[&str]) -> [u8; MAC_BYTES] {
        let mut context = hmac::Context::with_key(key);
        for field in [what, self.channel.as_str()].iter().chain(fields) {
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field.as_bytes());
        }
        let mut mac = [0; MAC_BYTES];
        for (to, from) in mac.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        mac
    }
}

/// Servers on the way may write an address in another case.
fn folded(address: &str) -> String {
    address.to_lowercase()
}

fn is_thread(text: &str) -> bool {
    text.len() == THREAD_CHARS && text.bytes().all(|c| mail_thread::ALPHABET.contains(&c))
}

fn base32(bytes: &[u8]) -> String {
    mail_thread::base32(bytes)
}

/// The bytes of a signature; none if it is not one.
fn unbase32(text: &str) -> Option<Vec<u8>> {
    if text.len() != MAC_CHARS {
        return None;
    }
    let (mut bytes, mut held, mut bits) = (Vec::with_capacity(MAC_BYTES), 0_u32, 0_u32);
    for c in text.bytes() {
        let value = mail_thread::ALPHABET.iter().position(|letter| *letter == c)?;
        held = (held << 5) | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    // Another text for the same bytes is none of ours.
    (held == 0 && bytes.len() == MAC_BYTES).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use postroom_model::{ChannelId, MessageId, mail_thread};
    use uuid::Uuid;

    use super::{Sent, TAG_CHARS, Tokens};

    fn tokens(channel: &str, secrets: &[&str]) -> Tokens {
        let secrets: Vec<_> = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
        Tokens::new(ChannelId::new(channel).unwrap(), &secrets)
    }

    #[test]
    fn tag_is_verified_for_its_participant_alone_in_any_case() {
        let own = tokens("support", &["a secret of the tests"]);
        let thread = mail_thread::of("first@example.com");
        let tag = own.tag(&thread, "Ada@Example.com").unwrap();
        assert_eq!(tag.len(), TAG_CHARS);
        let read = |tag: &str, sender| own.read_tag(tag, Some(sender)).unwrap();
        assert!(read(&tag, "ada@example.com").verified);
        assert!(read(&tag.to_uppercase(), "ADA@example.com").verified);
        assert_eq!(read(&tag, "ada@example.com").thread, thread);
        assert!(!read(&tag, "eve@example.com").verified);
        assert!(!own.read_tag(&tag, None).unwrap().verified);
        // Any other letter, in the thread or in the signature, and it is not verified.
        for at in 0..tag.len() {
            let mut letters: Vec<char> = tag.chars().collect();
            letters[at] = if letters[at] == 'a' { 'b' } else { 'a' };
            let changed: String = letters.into_iter().collect();
            let read = own.read_tag(&changed, Some("ada@example.com"));
            assert!(read.is_none_or(|tag| !tag.verified), "{at}");
        }
        for wrong in
            ["", "sales", tag.get(1..).unwrap(), &format!("{tag}a"), &"1".repeat(TAG_CHARS)]
        {
            assert_eq!(own.read_tag(wrong, Some("ada@example.com")), None, "{wrong}");
        }
        let other_channel = tokens("sales", &["a secret of the tests"]);
        assert!(!other_channel.read_tag(&tag, Some("ada@example.com")).unwrap().verified);
    }

    #[test]
    fn secret_before_is_still_known_and_none_signs_nothing() {
        let thread = mail_thread::of("first@example.com");
        let tag = tokens("support", &["the old secret"]).tag(&thread, "ada@example.com").unwrap();
        let replaced = tokens("support", &["the new secret", "the old secret"]);
        assert!(replaced.read_tag(&tag, Some("ada@example.com")).unwrap().verified);
        assert_ne!(replaced.tag(&thread, "ada@example.com").unwrap(), tag);
        let forgotten = tokens("support", &["the new secret"]);
        assert!(!forgotten.read_tag(&tag, Some("ada@example.com")).unwrap().verified);
        assert_eq!(tokens("support", &[]).tag(&thread, "ada@example.com"), None);
        assert_eq!(replaced.tag("site-chat-7", "ada@example.com"), None);
    }

    #[test]
    fn message_id_is_the_same_each_time_and_read_only_as_it_was_made() {
        let own = tokens("support", &["a secret of the tests"]);
        let thread = mail_thread::of("first@example.com");
        let delivery = MessageId(Uuid::from_u128(7));
        for thread in [Some(thread.as_str()), None] {
            let id = own.message_id(thread, delivery, "example.com");
            assert_eq!(id, own.message_id(thread, delivery, "example.com"));
            let sent = Sent { thread: thread.map(str::to_owned), delivery };
            assert_eq!(own.read_message_id(&id), Some(sent), "{id}");
            let other = id.replacen("0000007", "0000008", 1);
            assert_ne!(other, id);
            assert_eq!(own.read_message_id(&other), None);
        }
        for wrong in ["", "@", "a@b", "...@example.com", ".7.aaaa@example.com"] {
            assert_eq!(own.read_message_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn loop_mark_is_that_of_the_channel() {
        let own = tokens("support", &["a secret of the tests"]);
        let mark = own.loop_mark().unwrap();
        assert!(own.is_loop_mark(&format!(" {mark} ")));
        assert!(!tokens("sales", &["a secret of the tests"]).is_loop_mark(&mark));
        assert!(!own.is_loop_mark(""));
        assert!(!format!("{own:?}").contains("secret of"));
    }
}
