//! How the content of a row stands in its field: JSON, or the 16 bytes of an id where it is nothing
//! else. Before an input seen stands what forgetting needs to know without reading JSON.

use postroom_model::{ContactId, ConversationId, MessageId};
use postroom_records::{Key, RecordsError, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::keys::Kind;

/// What a field holds.
#[derive(Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) row: Row,
    /// Where the records stood after it was written; known of inputs seen only.
    pub(crate) written: u64,
}

/// The field's content for a row that is written at the sequence `written`.
pub(crate) fn encode(key: &Key, row: &Row, written: u64) -> Result<Vec<u8>, RecordsError> {
    match (key, row) {
        (Key::Conversation(_), Row::Conversation(row)) => to_json(row),
        (Key::Timeline(..), Row::Timeline(row)) | (Key::Call(_), Row::Call(row)) => to_json(row),
        (Key::Contact(_), Row::Contact(row)) => to_json(row),
        (Key::Address(_), Row::Address(ContactId(id)))
        | (Key::Thread(..), Row::Thread(ConversationId(id)))
        | (Key::Sent(..), Row::Sent(MessageId(id))) => Ok(id.as_bytes().to_vec()),
        (Key::Seen(_), Row::Seen(row)) => {
            to_json_behind(format!("{} {written} ", row.at.millis()).into_bytes(), row)
        }
        (Key::Presence(_), Row::Presence(row)) => to_json(row),
        (Key::Outbound(_), Row::Outbound(row)) => to_json(row),
        (Key::Parked(_), Row::Parked(row)) => to_json(row),
        (Key::Cursor(..), Row::Cursor(row)) => to_json(row),
        (Key::Settings, Row::Settings(row)) => to_json(row),
        (Key::Totals, Row::Totals(row)) => to_json(row),
        _ => Err(RecordsError::Damaged(format!("a row of another kind is put at {key:?}"))),
    }
}

fn to_json(row: &impl Serialize) -> Result<Vec<u8>, RecordsError> {
    to_json_behind(Vec::new(), row)
}

fn to_json_behind(mut begun: Vec<u8>, row: &impl Serialize) -> Result<Vec<u8>, RecordsError> {
    let written = serde_json::to_writer(&mut begun, row);
    written.map_err(|error| RecordsError::Damaged(error.to_string()))?;
    Ok(begun)
}

/// The row that stands at a key.
pub(crate) fn decode(key: &Key, data: &[u8]) -> Result<Stored, RecordsError> {
    let plain = |row| Stored { row, written: 0 };
    match key {
        Key::Conversation(_) => json(key, data).map(Row::Conversation).map(plain),
        Key::Timeline(..) => json(key, data).map(Row::Timeline).map(plain),
        Key::Contact(_) => json(key, data).map(Row::Contact).map(plain),
        Key::Address(_) => id(key, data).map(ContactId).map(Row::Address).map(plain),
        Key::Thread(..) => id(key, data).map(ConversationId).map(Row::Thread).map(plain),
        Key::Seen(_) => seen(key, data),
        Key::Presence(_) => json(key, data).map(Row::Presence).map(plain),
        Key::Outbound(_) => json(key, data).map(Row::Outbound).map(plain),
        Key::Sent(..) => id(key, data).map(MessageId).map(Row::Sent).map(plain),
        Key::Parked(_) => json(key, data).map(Row::Parked).map(plain),
        Key::Cursor(..) => json(key, data).map(Row::Cursor).map(plain),
        Key::Call(_) => json(key, data).map(Row::Call).map(plain),
        Key::Settings => json(key, data).map(Row::Settings).map(plain),
        Key::Totals => json(key, data).map(Row::Totals).map(plain),
    }
}

fn seen(key: &Key, data: &[u8]) -> Result<Stored, RecordsError> {
    let mut parts = data.splitn(3, |byte| *byte == b' ').skip(1);
    let written = parts.next().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let (Some(written), Some(rest)) = (written, parts.next()) else {
        return Err(damaged(key, "it does not say when it was written"));
    };
    Ok(Stored { row: Row::Seen(json(key, rest)?), written })
}

fn id(key: &Key, data: &[u8]) -> Result<Uuid, RecordsError> {
    Uuid::from_slice(data).map_err(|error| damaged(key, error))
}

fn json<T: DeserializeOwned>(key: &Key, data: &[u8]) -> Result<T, RecordsError> {
    serde_json::from_slice(data).map_err(|error| damaged(key, error))
}

fn damaged(key: &Key, why: impl std::fmt::Display) -> RecordsError {
    RecordsError::Damaged(format!("the row at {key:?}: {why}"))
}

/// What a listing reads: the content alone, of a kind whose rows are JSON.
pub(crate) fn content<T: DeserializeOwned>(kind: Kind, data: &[u8]) -> Result<T, RecordsError> {
    serde_json::from_slice(data)
        .map_err(|error| RecordsError::Damaged(format!("a row of {}: {error}", kind.name())))
}

#[cfg(test)]
mod tests {
    use postroom_model::{InputId, Outcome, OutcomeKind, Position, Timestamp};
    use postroom_records::{Key, Row, Seen, Totals};
    use uuid::Uuid;

    use super::{Stored, decode, encode};

    fn seen() -> (Key, Row) {
        let input = InputId(Uuid::from_u128(7));
        let outcome = Outcome {
            position: Position { seq: 1, index: 0 },
            input,
            kind: OutcomeKind::Routed,
            code: None,
            detail: Some("with a blank".to_owned()),
            conversation: None,
            message: None,
            version: None,
            prints: vec![],
        };
        let at = Timestamp::from_millis(-5);
        (Key::Seen(input), Row::Seen(Box::new(Seen { at, outcome })))
    }

    #[test]
    fn input_seen_says_first_when_it_was_and_when_it_was_written() {
        let (key, row) = seen();
        let data = encode(&key, &row, 42).unwrap();
        assert!(data.starts_with(b"-5 42 {"), "{}", String::from_utf8_lossy(&data));
        assert_eq!(decode(&key, &data).unwrap(), Stored { row, written: 42 });
    }

    #[test]
    fn row_that_does_not_fit_or_cannot_be_read_is_damaged() {
        let (key, row) = seen();
        let misfit = encode(&Key::Totals, &row, 1).unwrap_err();
        assert_eq!(misfit.code(), "records_damaged");
        let totals = encode(&Key::Totals, &Row::Totals(Totals::default()), 1).unwrap();
        let cut = &totals[..totals.len() - 1];
        for (key, data) in [(&Key::Totals, cut), (&key, b"1 x {}"), (&key, b"1 2"), (&key, b"")] {
            assert_eq!(decode(key, data).unwrap_err().code(), "records_damaged", "{key:?}");
        }
    }
}
