//! Ids. Those that an operator writes are slugs; all others are UUIDs: version 8 (a hash) for what
//! comes from outside, version 7 (time-ordered) for what is made here.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::digest::Digest;
use crate::limits::SLUG_CHARS_MAX;
use crate::{Clock, Random, Timestamp};

/// Why a text is not a slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an id is 1 to {SLUG_CHARS_MAX} characters long, of a-z, 0-9, '-' and '_', and starts with a letter or digit"
)]
pub struct NotASlug;

/// Slugs go into subjects, keys and file names, hence the narrow alphabet.
fn check_slug(text: &str) -> Result<(), NotASlug> {
    let letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let first = text.as_bytes().first().copied().ok_or(NotASlug)?;
    if !letter(first) || text.len() > SLUG_CHARS_MAX {
        return Err(NotASlug);
    }
    if text.bytes().all(|c| letter(c) || c == b'-' || c == b'_') { Ok(()) } else { Err(NotASlug) }
}

macro_rules! slug_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: &str) -> Result<Self, NotASlug> {
                check_slug(text)?;
                Ok(Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotASlug;

            fn from_str(text: &str) -> Result<Self, NotASlug> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::new(&text).map_err(de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$", "maxLength": SLUG_CHARS_MAX
                })
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some("^[a-z0-9][a-z0-9_-]*$"))
                    .max_length(Some(SLUG_CHARS_MAX))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

slug_ids! {
    /// A tenant: its own streams, records and configuration.
    WorkspaceId;
    /// One configured channel, such as `support-mail`.
    ChannelId;
    /// When a team works.
    CalendarId;
    /// What times are promised.
    PolicyId;
    /// A queue of conversations.
    QueueId;
    /// A person who answers.
    AgentId;
    /// A status of the team's own.
    StatusId;
    /// An automatic answer.
    AnswerId;
}

impl WorkspaceId {
    /// The workspace of a configuration that names none.
    pub fn main() -> Self {
        Self("main".into())
    }
}

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            schemars::JsonSchema, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(#[schemars(with = "String")] pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    )*};
}

uuid_ids! {
    /// A message, in or out.
    MessageId;
    /// A conversation.
    ConversationId;
    /// A person with addresses.
    ContactId;
    /// A command of an agent or a program.
    CommandId;
    /// Anything in the inlet. For a message it equals the message's id, for a command the command's.
    InputId;
    /// A note on a conversation.
    NoteId;
    /// An input set aside.
    ParkedId;
    /// A telephone call.
    CallId;
    /// One run of a process that sends.
    HostId;
    /// Agents were asked whether they take a conversation.
    OfferId;
}

impl MessageId {
    /// The id of a message from outside, the same whoever asks and however often (P3).
    pub fn of_external(workspace: &WorkspaceId, channel: &ChannelId, external_id: &str) -> Self {
        Self(hashed(b"message", &[workspace.as_str(), channel.as_str(), external_id]))
    }
}

impl CallId {
    /// The id of a call that a telephone system tells of: the same in each of its reports.
    pub fn of_external(workspace: &WorkspaceId, channel: &ChannelId, call_id: &str) -> Self {
        Self(hashed(b"call", &[workspace.as_str(), channel.as_str(), call_id]))
    }
}

impl OfferId {
    /// Of a conversation at one of its versions, which has one offer at most.
    pub fn of_conversation(conversation: ConversationId, version: u64) -> Self {
        Self(hashed(b"offer", &[&conversation.to_string(), &version.to_string()]))
    }
}

impl InputId {
    /// The id of one report of a call: what says the same is the same report.
    pub fn of_call(workspace: &WorkspaceId, channel: &ChannelId, call: &crate::Call) -> Self {
        let content = serde_json::to_string(call).unwrap_or_default();
        Self(hashed(b"call-report", &[workspace.as_str(), channel.as_str(), &content]))
    }

    /// The id of what happened to one leg of a call: the same told twice is the same input.
    pub fn of_leg(
        workspace: &WorkspaceId,
        channel: &ChannelId,
        call_id: &str,
        leg: &crate::CallLeg,
    ) -> Self {
        let content = serde_json::to_string(leg).unwrap_or_default();
        Self(hashed(b"call-leg", &[workspace.as_str(), channel.as_str(), call_id, &content]))
    }

    /// The id of a report from outside that is not a message (a receipt, an unreadable post).
    pub fn of_report(workspace: &WorkspaceId, channel: &ChannelId, content: &str) -> Self {
        Self(hashed(b"report", &[workspace.as_str(), channel.as_str(), content]))
    }

    /// The id of bytes that could not be read: the same bytes and reason, the same id.
    pub fn of_unparsed(
        workspace: &WorkspaceId,
        channel: &ChannelId,
        raw: &Digest,
        code: &str,
    ) -> Self {
        Self::of_report(workspace, channel, &format!("{raw} {code}"))
    }
}

impl CommandId {
    /// The id of a command that came with an `Idempotency-Key`: the same caller and key, the same command.
    pub fn of_key(workspace: &WorkspaceId, caller: &str, key: &str) -> Self {
        Self(hashed(b"command", &[workspace.as_str(), caller, key]))
    }
}

/// A version 8 UUID from a SHA-256 over the purpose and the fields.
fn hashed(purpose: &[u8], fields: &[&str]) -> Uuid {
    let mut parts: Vec<&[u8]> = vec![purpose];
    parts.extend(fields.iter().map(|field| field.as_bytes()));
    Uuid::new_v8(Digest::of_fields(&parts).head())
}

/// A version 7 UUID for what a decision makes. The same decision, taken again, makes the same id:
/// its random bits are a hash of where in the inlet the decision was asked for.
pub fn decided(at: Timestamp, purpose: &'static str, seed: &[u64]) -> Uuid {
    let mut bytes = Vec::with_capacity(8 * seed.len());
    for number in seed {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    let random = Digest::of_fields(&[purpose.as_bytes(), &bytes]).head();
    version_7(at, random)
}

fn version_7(at: Timestamp, random: [u8; 16]) -> Uuid {
    let millis = u64::try_from(at.millis()).unwrap_or(0);
    let mut counter_random = [0; 10];
    counter_random.copy_from_slice(&random[..10]);
    uuid::Builder::from_unix_timestamp_millis(millis, &counter_random).into_uuid()
}

/// Makes version 7 ids from a clock and randomness that are handed in.
#[derive(Debug, Clone)]
pub struct IdSource {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl IdSource {
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random }
    }

    pub fn next(&self) -> Uuid {
        let mut random = [0; 16];
        self.random.fill(&mut random);
        version_7(self.clock.now(), random)
    }
}

#[cfg(test)]
mod tests {
    use super::{ChannelId, MessageId, QueueId, WorkspaceId, decided};
    use crate::Timestamp;

    #[test]
    fn slug_takes_only_its_alphabet() {
        for good in ["a", "support", "support-mail", "0", "a_b-9"] {
            assert!(QueueId::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "-a", "_a", "A", "a b", "a.b", "ä", "a*", long.as_str()] {
            assert!(QueueId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn message_id_depends_on_all_three_and_nothing_else() {
        let workspace = WorkspaceId::main();
        let channel = ChannelId::new("site").unwrap();
        let other = ChannelId::new("sit").unwrap();
        let id = MessageId::of_external(&workspace, &channel, "42");
        assert_eq!(id, MessageId::of_external(&workspace, &channel, "42"));
        assert_ne!(id, MessageId::of_external(&workspace, &channel, "43"));
        assert_ne!(id, MessageId::of_external(&workspace, &other, "e42"));
        assert_eq!(id.0.get_version_num(), 8);
    }

    #[test]
    fn decided_id_is_the_same_for_the_same_decision_and_ordered_by_time() {
        let at = Timestamp::from_millis(1_700_000_000_000);
        assert_eq!(decided(at, "conversation", &[7, 0]), decided(at, "conversation", &[7, 0]));
        assert_ne!(decided(at, "conversation", &[7, 0]), decided(at, "conversation", &[7, 1]));
        assert_ne!(decided(at, "conversation", &[7, 0]), decided(at, "contact", &[7, 0]));
        let later = decided(at.plus_millis(1), "conversation", &[7, 0]);
        assert!(decided(at, "conversation", &[7, 0]) < later);
        assert_eq!(later.get_version_num(), 7);
    }
}
