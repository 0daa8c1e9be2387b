//! One entry of the ledger: all that one batch of inputs decided, in one append.
//!
//! An envelope names the inputs it consumed, its writer's epoch and the hash of the envelope before
//! it, so that the inlet cursor lives in the ledger and rot, truncation or a ledger that went
//! backwards is found. The hash covers the head; the head holds the hash of the bodies, so bodies can
//! later be encrypted or erased without breaking the chain.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::digest::Digest;
use crate::{Event, Outcome, Timestamp};

/// Where an input stands: the sequence of its publish, and its index in it, from 0.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
pub struct Position {
    pub seq: u64,
    pub index: u32,
}

/// The newest version of the envelope that this program writes and reads.
pub const ENVELOPE_VERSION: u32 = 1;

/// What a batch of inputs decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Envelope {
    pub v: u32,
    /// Grows with each writer that takes over; the log, not the epoch, is the fence (P4).
    pub epoch: u64,
    pub writer: Uuid,
    pub at: Timestamp,
    /// Hash of the head of the envelope before; zero for the first.
    pub prev_hash: Digest,
    /// The last publish of the inlet that is consumed, whole. Never goes backwards.
    pub inlet_seq: u64,
    /// Position of the first event, counted from 1 over the whole ledger.
    pub first_event: u64,
    pub transitions: Vec<Transition>,
    pub bodies_hash: Digest,
    /// Text and HTML of the messages and notes, apart from the events.
    #[serde(skip)]
    pub bodies: Bodies,
}

impl Envelope {
    pub fn event_count(&self) -> u64 {
        self.transitions.iter().map(|transition| transition.events.len() as u64).sum()
    }

    /// Position of the last event; one below `first_event` if there is none.
    pub fn last_event(&self) -> u64 {
        (self.first_event + self.event_count()).saturating_sub(1)
    }

    /// Each event with its position and its transition.
    pub fn events(&self) -> impl Iterator<Item = (u64, &Transition, &Event)> {
        self.transitions
            .iter()
            .flat_map(|transition| transition.events.iter().map(move |event| (transition, event)))
            .zip(self.first_event..)
            .map(|((transition, event), position)| (position, transition, event))
    }
}

/// What one input, or time alone, caused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Transition {
    /// The answer to the input; none where time alone was the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The time that the decision knew.
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
}

/// Bodies by the id of their message or note.
pub type Bodies = BTreeMap<Uuid, Body>;

/// The words of a message or note.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Body {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible_text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

impl Body {
    /// Moves the words out of a message.
    pub fn take_from(message: &mut crate::Message) -> Self {
        Self {
            text: message.text.take(),
            visible_text: message.visible_text.take(),
            html: message.html.take(),
        }
    }

    /// Puts the words back.
    pub fn put_into(&self, message: &mut crate::Message) {
        message.text.clone_from(&self.text);
        message.visible_text.clone_from(&self.visible_text);
        message.html.clone_from(&self.html);
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_none() && self.visible_text.is_none() && self.html.is_none()
    }
}

/// Why bytes are not an envelope of this ledger.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    #[error("the envelope is cut off")]
    CutOff,
    #[error("the envelope is not readable: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("the envelope has version {0}; this program reads up to {ENVELOPE_VERSION}")]
    FutureVersion(u32),
    #[error("the bodies do not have the hash that the head names")]
    BodiesChanged,
}

/// The encoded form and the hash of its head, which the next envelope names.
#[derive(Debug, Clone)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    pub head_hash: Digest,
}

/// What every version of an envelope has.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

impl Envelope {
    /// Head and bodies as two JSON texts with the length of the first before them:
    /// 4 bytes big endian, head, bodies.
    pub fn encode(&mut self) -> Result<Encoded, serde_json::Error> {
        let bodies =
            if self.bodies.is_empty() { Vec::new() } else { serde_json::to_vec(&self.bodies)? };
        self.bodies_hash = Digest::of(&bodies);
        let mut bytes = Vec::with_capacity(512 * self.transitions.len() + bodies.len() + 256);
        bytes.extend_from_slice(&[0; 4]);
        serde_json::to_writer(&mut bytes, self)?;
        let head_len = bytes.len() - 4;
        let head_hash = Digest::of(&bytes[4..]);
        let length = u32::try_from(head_len).unwrap_or(u32::MAX);
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&bodies);
        Ok(Encoded { bytes, head_hash })
    }

    /// The two JSON texts of an envelope, unread: head and bodies.
    pub fn parts(bytes: &[u8]) -> Result<(&[u8], &[u8]), EnvelopeError> {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(EnvelopeError::CutOff)?;
        let length = u32::from_be_bytes(*length) as usize;
        rest.split_at_checked(length).ok_or(EnvelopeError::CutOff)
    }

    /// Reads an envelope and gives the hash of its head.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Digest), EnvelopeError> {
        let (head, bodies) = Self::parts(bytes)?;
        let mut envelope: Self = match serde_json::from_slice(head) {
            Ok(envelope) => envelope,
            Err(error) => match serde_json::from_slice::<Version>(head) {
                Ok(Version { v }) if v > ENVELOPE_VERSION => {
                    return Err(EnvelopeError::FutureVersion(v));
                }
                _ => return Err(EnvelopeError::Unreadable(error)),
            },
        };
        if envelope.v > ENVELOPE_VERSION {
            return Err(EnvelopeError::FutureVersion(envelope.v));
        }
        if Digest::of(bodies) != envelope.bodies_hash {
            return Err(EnvelopeError::BodiesChanged);
        }
        if !bodies.is_empty() {
            envelope.bodies = serde_json::from_slice(bodies)?;
        }
        Ok((envelope, Digest::of(head)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, Envelope, EnvelopeError};
    use crate::Timestamp;
    use crate::digest::Digest;

    fn envelope() -> Envelope {
        Envelope {
            v: 1,
            epoch: 3,
            writer: uuid::Uuid::nil(),
            at: Timestamp::from_millis(1_000),
            prev_hash: Digest::of(b"before"),
            inlet_seq: 9,
            first_event: 41,
            transitions: vec![],
            bodies_hash: Digest::ZERO,
            bodies: [(uuid::Uuid::nil(), Body { text: Some("你好".into()), ..Body::default() })]
                .into(),
        }
    }

    #[test]
    fn envelope_is_read_back_with_the_same_hash() {
        let mut written = envelope();
        let encoded = written.encode().unwrap();
        let (read, hash) = Envelope::decode(&encoded.bytes).unwrap();
        assert_eq!(read, written);
        assert_eq!(hash, encoded.head_hash);
    }

    #[test]
    fn any_changed_byte_or_length_is_found() {
        let encoded = envelope().encode().unwrap();
        for at in 0..encoded.bytes.len() {
            let mut bytes = encoded.bytes.clone();
            bytes[at] ^= 1;
            let same = Envelope::decode(&bytes).is_ok_and(|(_, hash)| hash == encoded.head_hash);
            assert!(!same, "byte {at}");
            assert!(Envelope::decode(&encoded.bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn envelope_of_a_later_version_is_named_as_such() {
        let mut later = envelope();
        later.v = 2;
        let bytes = later.encode().unwrap().bytes;
        assert!(matches!(Envelope::decode(&bytes), Err(EnvelopeError::FutureVersion(2))));
    }
}
