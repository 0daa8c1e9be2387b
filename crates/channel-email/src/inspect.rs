//! What a mail channel would make of one mail, for `postroom inspect`. Touches nothing.

use postroom_channel::{Arrival, Inspection, Received};
use postroom_model::digest::Digest;
use postroom_model::{Message, MessageKind};

use crate::{body, charset, read};

/// A body without its mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareBody {
    Text,
    Html,
}

/// Reads one mail; what cannot be read would be set aside.
pub fn inspect(raw: &[u8]) -> Inspection {
    match read::parse(raw) {
        Ok(received) => Inspection::of_received(received),
        Err(error) => Inspection::parked(error.code(), error.to_string()),
    }
}

/// Reads a body alone, to show what is left of it as the visible reply.
pub fn inspect_body(raw: &[u8], kind: BareBody) -> Inspection {
    let content = charset::unlabelled(raw).into_owned();
    let made = match kind {
        BareBody::Text => body::bare(Some(&content), None),
        BareBody::Html => body::bare(None, Some(content)),
    };
    let message = Message {
        kind: MessageKind::Email,
        external_id: format!("generated:{}", Digest::of(raw)),
        html: made.html.as_deref().and_then(|html| body::shown(html).0),
        text: made.text,
        visible_text: made.visible_text,
        ..Message::default()
    };
    let arrival = Arrival { message, contents: Vec::new() };
    Inspection::of_received(Received { arrivals: vec![arrival], ..Received::default() })
}
