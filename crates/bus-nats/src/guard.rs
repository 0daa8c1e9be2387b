//! What a reader of the inlet gets of an entry: always a batch, whoever published it.
//!
//! Adapters outside of the process publish one input as an object, and may speak for their own
//! channel only: their right on the server is the subject of that channel. What is no input, or not
//! theirs to ask, is handed on so that the router sets it aside. Nothing is dropped here.

use bytes::Bytes;
use postroom_bus::{Entry, encode_refused};
use postroom_channel::input_from_outside;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::entry::Stored;
use crate::names::Names;

/// The entry as the router takes it.
pub(crate) fn hand_on(names: &Names, stored: Stored) -> Entry {
    let bytes = match stored.subject.strip_prefix(&names.channel_prefix()) {
        Some(channel) => of_channel(names, channel, &stored),
        None => as_batch(&stored.bytes),
    };
    Entry { seq: stored.seq, bytes: bytes.unwrap_or(stored.bytes) }
}

/// A single object as a batch of one; none where the bytes are good or bad as they are.
fn as_batch(bytes: &[u8]) -> Option<Bytes> {
    if first(bytes) != Some(b'{') || serde_json::from_slice::<IgnoredAny>(bytes).is_err() {
        return None;
    }
    Some([&b"["[..], bytes, b"]"].concat().into())
}

/// Every element as the input that it asks for, or with the reason why it is set aside.
fn of_channel(names: &Names, channel: &str, stored: &Stored) -> Option<Bytes> {
    let batch = as_batch(&stored.bytes);
    let elements: Vec<Box<RawValue>> =
        serde_json::from_slice(batch.as_deref().unwrap_or(&stored.bytes)).ok()?;
    let guarded: Vec<Box<RawValue>> = elements
        .into_iter()
        .map(|element| {
            let words = element.get();
            let taken = input_from_outside(names.workspace(), channel, stored.at, words);
            let encoded = match taken {
                Ok(input) => serde_json::value::to_raw_value(&input),
                Err(reason) => encode_refused(words, &reason),
            };
            encoded.unwrap_or(element)
        })
        .collect();
    serde_json::to_vec(&guarded).ok().map(Bytes::from)
}

fn first(bytes: &[u8]) -> Option<u8> {
    bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::hand_on;
    use crate::entry::{Headers, Stored};
    use crate::names::Names;
    use bytes::Bytes;
    use postroom_bus::decode_batch;
    use postroom_model::{
        BlobRef, ChannelId, DeliveryInput, HostId, Input, InputBody, InputId, Timestamp, Unparsed,
        WorkspaceId,
    };

    fn handed(subject: &str, bytes: &[u8]) -> Bytes {
        let stored = Stored {
            seq: 1,
            at: Timestamp::from_millis(7),
            subject: subject.to_owned(),
            headers: Headers::None,
            bytes: Bytes::copy_from_slice(bytes),
        };
        hand_on(&Names::of(&WorkspaceId::main()), stored).bytes
    }

    fn input(body: InputBody) -> Vec<u8> {
        let id = InputId(uuid::Uuid::nil());
        serde_json::to_vec(&Input { id, at: Timestamp::from_millis(1), body }).unwrap()
    }

    fn of_site() -> Vec<u8> {
        input(InputBody::Unparsed(Unparsed {
            channel: ChannelId::new("site").unwrap(),
            raw: BlobRef { sha256: postroom_model::digest::Digest::ZERO, size_bytes: 3 },
            code: "bad".to_owned(),
            detail: String::new(),
        }))
    }

    fn of_host() -> Vec<u8> {
        let (channel, host) = (ChannelId::new("site").unwrap(), HostId(uuid::Uuid::nil()));
        input(InputBody::Delivery(DeliveryInput::Own { channel, host }))
    }

    #[test]
    fn single_input_of_its_channel_is_a_batch_of_one() {
        let batch = decode_batch(&handed("postroom.main.in.site", &of_site()));
        assert_eq!(batch.len(), 1);
        assert_eq!(batch[0].as_ref().unwrap().at, Timestamp::from_millis(7), "{batch:?}");
    }

    #[test]
    fn input_of_another_channel_or_of_the_house_is_set_aside_with_its_reason() {
        let mixed = [&b"["[..], &of_site(), b",", &of_host(), b"]"].concat();
        for (subject, bytes, taken) in [
            ("postroom.main.in.other", of_site(), vec![false]),
            ("postroom.main.in.site", of_host(), vec![false]),
            ("postroom.main.in.site", mixed, vec![true, false]),
            ("postroom.main.cmd.batch", of_host(), vec![true]),
        ] {
            let batch = decode_batch(&handed(subject, &bytes));
            let found: Vec<bool> = batch.iter().map(Result::is_ok).collect();
            assert_eq!(found, taken, "{subject}");
            for refused in batch.iter().filter_map(|input| input.as_ref().err()) {
                assert!(refused.cause.contains("published for"), "{}", refused.cause);
            }
        }
    }

    #[test]
    fn what_is_no_batch_comes_through_as_it_is() {
        for bytes in [&b"\xff\xfe"[..], b"", b"{\"a\":", b"null", b"[1,"] {
            for subject in ["postroom.main.in.site", "postroom.main.cmd.batch"] {
                assert_eq!(handed(subject, bytes), bytes, "{subject}");
            }
        }
        let object = decode_batch(&handed("postroom.main.in.site", b" {\"a\":1}"));
        assert_eq!(object.len(), 1, "an object that is no input is one to set aside");
        let refused = object[0].as_ref().unwrap_err();
        assert_eq!(refused.raw, "{\"a\":1}");
        assert!(refused.cause.contains("docs/schema/input.json"), "{}", refused.cause);
    }
}
