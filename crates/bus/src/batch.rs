//! How inputs travel: each as JSON, a batch as an array of them. One that cannot be read does not
//! take its neighbours with it (P9).

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use postroom_model::Input;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One element of a batch that is not an input this program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    pub raw: String,
    pub cause: String,
}

/// One input as it stands in a batch.
pub fn encode_input(input: &Input) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(input).map(Bytes::from)
}

/// What stands in a batch in place of an element that is not to be decided, with the reason.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused<'a> {
    refused: Cow<'a, str>,
    raw: Cow<'a, str>,
}

/// An element that [`decode_batch`] gives as undecodable for this reason, with these bytes.
pub fn encode_refused(raw: &str, reason: &str) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::value::to_raw_value(&Refused { refused: reason.into(), raw: raw.into() })
}

fn undecodable(element: &RawValue, error: &serde_json::Error) -> Undecodable {
    match serde_json::from_str::<Refused<'_>>(element.get()) {
        Ok(refused) => {
            Undecodable { raw: refused.raw.into_owned(), cause: refused.refused.into_owned() }
        }
        Err(_) => Undecodable { raw: element.get().to_owned(), cause: error.to_string() },
    }
}

/// Puts encoded inputs into one batch.
pub fn encode_batch<I: AsRef<[u8]>>(inputs: &[I]) -> Bytes {
    let length: usize = inputs.iter().map(|input| input.as_ref().len() + 1).sum();
    let mut batch = BytesMut::with_capacity(length + 2);
    batch.put_u8(b'[');
    for (index, input) in inputs.iter().enumerate() {
        if index > 0 {
            batch.put_u8(b',');
        }
        batch.put_slice(input.as_ref());
    }
    batch.put_u8(b']');
    batch.freeze()
}

/// Takes a batch apart. What is not a JSON array at all counts as one undecodable input.
pub fn decode_batch(batch: &[u8]) -> Vec<Result<Input, Undecodable>> {
    if let Ok(inputs) = serde_json::from_slice::<Vec<Input>>(batch) {
        return inputs.into_iter().map(Ok).collect();
    }
    match serde_json::from_slice::<Vec<Box<RawValue>>>(batch) {
        Ok(elements) => elements
            .into_iter()
            .map(|element| {
                serde_json::from_str(element.get()).map_err(|error| undecodable(&element, &error))
            })
            .collect(),
        Err(error) => vec![Err(Undecodable {
            raw: String::from_utf8_lossy(batch).into_owned(),
            cause: error.to_string(),
        })],
    }
}

/// How many inputs [`decode_batch`] finds in a batch.
pub fn count_inputs(batch: &[u8]) -> usize {
    serde_json::from_slice::<Vec<&RawValue>>(batch).map_or(1, |elements| elements.len())
}

#[cfg(test)]
mod tests {
    use super::{count_inputs, decode_batch, encode_batch, encode_input, encode_refused};
    use bytes::Bytes;
    use postroom_model::{ChannelId, DeliveryInput, HostId, Input, InputBody, InputId, Timestamp};

    fn input(millis: i64) -> Input {
        Input {
            id: InputId(uuid::Uuid::nil()),
            at: Timestamp::from_millis(millis),
            body: InputBody::Delivery(DeliveryInput::Own {
                channel: ChannelId::new("site").unwrap(),
                host: HostId(uuid::Uuid::nil()),
            }),
        }
    }

    #[test]
    fn batch_is_taken_apart_as_it_was_put_together() {
        let encoded: Vec<Bytes> = (0..3).map(|n| encode_input(&input(n)).unwrap()).collect();
        let decoded = decode_batch(&encode_batch(&encoded));
        assert_eq!(decoded, (0..3).map(|n| Ok(input(n))).collect::<Vec<_>>());
        assert!(decode_batch(&encode_batch::<Bytes>(&[])).is_empty());
    }

    #[test]
    fn refused_element_is_told_with_its_reason_and_its_own_bytes() {
        let refused = encode_refused("{\"a\": \"\u{e9}\\n\"}", "not yours to ask").unwrap();
        let batch = encode_batch(&[refused.get()]);
        let decoded = decode_batch(&batch).remove(0).unwrap_err();
        assert_eq!(decoded.raw, "{\"a\": \"\u{e9}\\n\"}");
        assert_eq!(decoded.cause, "not yours to ask");
    }

    #[test]
    fn one_unreadable_input_leaves_the_others_alone() {
        let good = encode_input(&input(1)).unwrap();
        let batch =
            encode_batch(&[good.clone(), Bytes::from_static(b"{\"kind\":\"later\"}"), good]);
        let decoded = decode_batch(&batch);
        assert_eq!(decoded.len(), 3);
        assert!(decoded[0].is_ok() && decoded[2].is_ok());
        assert_eq!(decoded[1].as_ref().unwrap_err().raw, "{\"kind\":\"later\"}");
        assert_eq!(decode_batch(b"\xff\xfe").len(), 1);
        for batch in [&batch[..], b"\xff\xfe", b"[]", b"{}", b"[1, {\"a\": [2, 3]}]"] {
            assert_eq!(count_inputs(batch), decode_batch(batch).len());
        }
    }
}
