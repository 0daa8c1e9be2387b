//! From publishes of the inlet to inputs with their positions.

use bytes::Bytes;
use postroom_bus::{Entry, decode_batch};
use postroom_model::{
    BlobRef, ChannelId, Input, InputBody, InputId, Position, Timestamp, Unparsed,
};
use uuid::Uuid;

use crate::codes::INPUT_UNREADABLE;

/// One input of a batch.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) position: Position,
    pub(crate) input: Box<Input>,
    /// Bytes that are no input of this version; `input` stands for them, to be set aside.
    pub(crate) raw: Option<Bytes>,
}

/// All inputs of the publishes, in order. What is not readable came `now`, as far as is known.
pub(crate) fn items(entries: &[Entry], now: Timestamp) -> Vec<Item> {
    let mut items = Vec::with_capacity(entries.len() * 4);
    for entry in entries {
        for (decoded, index) in decode_batch(&entry.bytes).into_iter().zip(0..) {
            let position = Position { seq: entry.seq, index };
            items.push(match decoded {
                Ok(input) => Item { position, input: Box::new(input), raw: None },
                Err(bad) => {
                    let raw = Bytes::from(bad.raw);
                    let input = Box::new(unreadable(&raw, bad.cause, now));
                    Item { position, input, raw: Some(raw) }
                }
            });
        }
    }
    items
}

/// What stands for bytes that are not an input: the same bytes, the same id.
#[expect(clippy::expect_used, reason = "the text is a slug")]
fn unreadable(raw: &Bytes, cause: String, now: Timestamp) -> Input {
    let raw = BlobRef::of(raw);
    let channel = ChannelId::new("unknown").expect("a slug");
    let code = INPUT_UNREADABLE.to_owned();
    let body = InputBody::Unparsed(Unparsed { channel, raw, code, detail: cause });
    Input { id: InputId(Uuid::new_v8(raw.sha256.head())), at: now, body }
}
