//! One stored message, however it was read: pushed by a consumer, or asked for by its sequence.

use async_nats::Message;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use postroom_bus::Entry;
use postroom_model::Timestamp;

use crate::answers::RawMessage;
use crate::refusal::Failure;

/// Headers that this crate writes and reads.
pub(crate) const FIRST_EVENT: &str = "Postroom-First-Event";
pub(crate) const LAST_EVENT: &str = "Postroom-Last-Event";
pub(crate) const KV_OPERATION: &str = "KV-Operation";

const NANOS_PER_MILLI: i64 = 1_000_000;

/// A message of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    /// When the server stored it.
    pub(crate) at: Timestamp,
    pub(crate) subject: String,
    pub(crate) headers: Headers,
    pub(crate) bytes: Bytes,
}

impl Stored {
    /// A message that a consumer delivered, with its place among what that consumer delivered.
    pub(crate) fn delivered(message: Message) -> Result<(Self, u64), Failure> {
        let place = message.reply.as_deref().and_then(Place::parse);
        let place =
            place.ok_or_else(|| Failure::Unreadable("a message that names no sequence".into()))?;
        let headers = message.headers.map_or(Headers::None, Headers::Delivered);
        let (subject, bytes) = (message.subject.to_string(), message.payload);
        let (seq, at) = (place.stream_seq, place.at);
        Ok((Self { seq, at, subject, headers, bytes }, place.consumer_seq))
    }

    /// A message that the API gave.
    pub(crate) fn asked_for(raw: RawMessage) -> Result<Self, Failure> {
        let decode = |text: &str| {
            STANDARD.decode(text).map_err(|error| Failure::Unreadable(error.to_string()))
        };
        let headers = String::from_utf8_lossy(&decode(&raw.hdrs)?).into_owned();
        let bytes = Bytes::from(decode(&raw.data)?);
        let (seq, at, subject) = (raw.seq, raw.time, raw.subject);
        Ok(Self { seq, at, subject, headers: Headers::Text(headers), bytes })
    }

    /// The header as a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.headers.get(name)?.trim().parse().ok()
    }

    pub(crate) fn entry(self) -> Entry {
        Entry { seq: self.seq, bytes: self.bytes }
    }
}

/// Headers as they came.
#[derive(Debug, Clone)]
pub(crate) enum Headers {
    None,
    Delivered(async_nats::HeaderMap),
    /// `NATS/1.0`, then a line for each.
    Text(String),
}

impl Headers {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Delivered(map) => map.get(name).map(async_nats::HeaderValue::as_str),
            Self::Text(text) => text.lines().skip(1).find_map(|line| {
                let (key, value) = line.split_once(':')?;
                (key == name).then(|| value.trim())
            }),
        }
    }
}

/// Where a delivered message stands, as its reply subject says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stream_seq: u64,
    pub(crate) consumer_seq: u64,
    pub(crate) at: Timestamp,
}

impl Place {
    /// `$JS.ACK.<stream>.<consumer>.<times>.<stream seq>.<consumer seq>.<time>.<pending>`; with a
    /// domain and an account behind `$JS.ACK` there are eleven parts or more.
    pub(crate) fn parse(reply: &str) -> Option<Self> {
        let rest = reply.strip_prefix("$JS.ACK.")?;
        let parts: Vec<&str> = rest.split('.').collect();
        let from = match parts.len() {
            7 => 3,
            9.. => 5,
            _ => return None,
        };
        let number = |at: usize| parts.get(at)?.parse().ok();
        let nanos: i64 = parts.get(from + 2)?.parse().ok()?;
        let at = Timestamp::from_millis(nanos.div_euclid(NANOS_PER_MILLI));
        Some(Self { stream_seq: number(from)?, consumer_seq: number(from + 1)?, at })
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_EVENT, Headers, Place};
    use postroom_model::Timestamp;

    #[test]
    fn place_is_read_from_both_forms_of_the_reply() {
        let at = Timestamp::from_millis(1_795_823_237_892);
        let place = || Some(Place { stream_seq: 12, consumer_seq: 10, at });
        for (reply, expected) in [
            ("$JS.ACK.S_IN.c1.1.12.10.1795823237892511745.1", place()),
            ("$JS.ACK.hub.ACCOUNT.S_IN.c1.1.12.10.1795823237892511745.1.token", place()),
            ("$JS.ACK.S_IN.c1.1.x.10.1.1", None),
            ("$JS.ACK.S_IN", None),
            ("_INBOX.1", None),
        ] {
            assert_eq!(Place::parse(reply), expected, "{reply}");
        }
    }

    #[test]
    fn header_is_found_in_the_text_form() {
        let headers =
            Headers::Text("NATS/1.0\r\nNats-Msg-Id: a:b\r\nPostroom-First-Event: 7\r\n\r\n".into());
        assert_eq!(headers.get("Nats-Msg-Id"), Some("a:b"));
        assert_eq!(headers.get(FIRST_EVENT), Some("7"));
        assert_eq!(headers.get("NATS/1.0"), None);
    }
}
