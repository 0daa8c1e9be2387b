//! From publishes of the inlet to inputs with their positions.

use bytes::Bytes;
use postroom_bus::{Entry, decode_batch};
use postroom_model::{Input, Position};

/// One input of a batch, or what stands in its place.
#[derive(Debug)]
pub(crate) enum Item {
    Input(Position, Box<Input>),
    /// Not readable as an input of this version.
    Unreadable(Position, Bytes, String),
}

impl Item {
    pub(crate) fn position(&self) -> Position {
        match self {
            Self::Input(position, _) | Self::Unreadable(position, _, _) => *position,
        }
    }
}

/// All inputs of the publishes, in order.
pub(crate) fn items(entries: &[Entry]) -> Vec<Item> {
    let mut items = Vec::with_capacity(entries.len() * 4);
    for entry in entries {
        for (decoded, index) in decode_batch(&entry.bytes).into_iter().zip(0..) {
            let position = Position { seq: entry.seq, index };
            items.push(match decoded {
                Ok(input) => Item::Input(position, Box::new(input)),
                Err(bad) => Item::Unreadable(position, Bytes::from(bad.raw), bad.cause),
            });
        }
    }
    items
}
