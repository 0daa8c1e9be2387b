//! How rows are named: each kind has a hash, and a row is a field of it.
//!
//! The bytes of the fields have the order of the keys, so that what is sorted by bytes is sorted by
//! key. All names of a workspace share one hash tag, so that they lie on one node of a cluster.

use postroom_model::{
    Address, AgentId, CallId, ChannelId, ContactId, ConversationId, InputId, MessageId, ParkedId,
    WorkspaceId,
};
use postroom_records::{Key, RecordsError};
use uuid::Uuid;

/// The kinds of rows in the order of their keys. Settings and totals share the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Conversation,
    Timeline,
    Contact,
    Address,
    Thread,
    Seen,
    Presence,
    Outbound,
    Sent,
    Parked,
    Cursor,
    Call,
    Single,
}

impl Kind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Conversation,
        Self::Timeline,
        Self::Contact,
        Self::Address,
        Self::Thread,
        Self::Seen,
        Self::Presence,
        Self::Outbound,
        Self::Sent,
        Self::Parked,
        Self::Cursor,
        Self::Call,
        Self::Single,
    ];

    pub(crate) const fn of(key: &Key) -> Self {
        match key {
            Key::Conversation(_) => Self::Conversation,
            Key::Timeline(..) => Self::Timeline,
            Key::Contact(_) => Self::Contact,
            Key::Address(_) => Self::Address,
            Key::Thread(..) => Self::Thread,
            Key::Seen(_) => Self::Seen,
            Key::Presence(_) => Self::Presence,
            Key::Outbound(_) => Self::Outbound,
            Key::Sent(..) => Self::Sent,
            Key::Parked(_) => Self::Parked,
            Key::Cursor(..) => Self::Cursor,
            Key::Call(_) => Self::Call,
            Key::Settings | Key::Totals => Self::Single,
        }
    }

    /// The name of its hash.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Timeline => "timeline",
            Self::Contact => "contact",
            Self::Address => "address",
            Self::Thread => "thread",
            Self::Seen => "seen",
            Self::Presence => "presence",
            Self::Outbound => "outbound",
            Self::Sent => "sent",
            Self::Parked => "parked",
            Self::Cursor => "cursor",
            Self::Call => "call",
            Self::Single => "single",
        }
    }

    /// The sorted set that has its fields in order, for the kinds that are read in that order.
    pub(crate) const fn order(self) -> Option<&'static str> {
        match self {
            Self::Timeline => Some("timeline.order"),
            Self::Parked => Some("parked.order"),
            _ => None,
        }
    }
}

/// Where the records stand, and whose they are.
pub(crate) const META: &str = "meta";
/// In which indexes a conversation stands now.
pub(crate) const PLACES: &str = "places";
/// Names of the indexes there are, beside those with a fixed name.
pub(crate) const INDEXES: &str = "indexes";
/// All conversations by their newest message.
pub(crate) const ALL: &str = "all";
/// Replies that have not left, by position.
pub(crate) const OUTBOX: &str = "outbox";
/// Inputs seen, in the order in which they were written.
pub(crate) const SEEN_ORDER: &str = "seen.order";
/// The channel on which a write is told.
pub(crate) const CHANGES: &str = "changes";

/// All keys with a fixed name, beside [`META`].
pub(crate) fn fixed() -> impl Iterator<Item = &'static str> {
    let kinds = Kind::ALL.into_iter();
    kinds
        .flat_map(|kind| std::iter::once(kind.name()).chain(kind.order()))
        .chain([PLACES, INDEXES, ALL, OUTBOX, SEEN_ORDER])
}

/// The keys of one workspace.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) workspace: WorkspaceId,
    prefix: String,
}

impl Names {
    pub(crate) fn of(workspace: WorkspaceId) -> Self {
        let prefix = format!("postroom:{{{workspace}}}:");
        Self { workspace, prefix }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// The field of a row in the hash of its kind.
pub(crate) fn field(key: &Key) -> Vec<u8> {
    match key {
        Key::Conversation(ConversationId(id))
        | Key::Contact(ContactId(id))
        | Key::Seen(InputId(id))
        | Key::Outbound(MessageId(id))
        | Key::Parked(ParkedId(id))
        | Key::Call(CallId(id)) => id.as_bytes().to_vec(),
        Key::Timeline(id, position) => entry(*id, *position),
        Key::Address(address) => address.as_str().as_bytes().to_vec(),
        // No channel holds a zero byte, so that the shorter of two channels comes first.
        Key::Thread(channel, name) | Key::Sent(channel, name) | Key::Cursor(channel, name) => {
            [channel.as_str().as_bytes(), &[0], name.as_bytes()].concat()
        }
        Key::Presence(agent) => agent.as_str().as_bytes().to_vec(),
        Key::Settings => b"settings".to_vec(),
        Key::Totals => b"totals".to_vec(),
    }
}

/// The field of an entry of a timeline.
pub(crate) fn entry(conversation: ConversationId, position: u64) -> Vec<u8> {
    [conversation.0.as_bytes().as_slice(), &position.to_be_bytes()].concat()
}

/// The key whose field this is.
pub(crate) fn key_of(kind: Kind, field: &[u8]) -> Result<Key, RecordsError> {
    read(kind, field).ok_or_else(|| {
        let field = String::from_utf8_lossy(field);
        RecordsError::Damaged(format!("{field:?} is no key of {}", kind.name()))
    })
}

fn read(kind: Kind, field: &[u8]) -> Option<Key> {
    let id = || Uuid::from_slice(field).ok();
    let text = || std::str::from_utf8(field).ok();
    let named = || {
        let (channel, name) = text()?.split_once('\0')?;
        Some((ChannelId::new(channel).ok()?, name.to_owned()))
    };
    Some(match kind {
        Kind::Conversation => Key::Conversation(ConversationId(id()?)),
        Kind::Timeline => {
            let (id, position) = field.split_last_chunk()?;
            let id = ConversationId(Uuid::from_slice(id).ok()?);
            Key::Timeline(id, u64::from_be_bytes(*position))
        }
        Kind::Contact => Key::Contact(ContactId(id()?)),
        Kind::Address => Key::Address(text()?.parse::<Address>().ok()?),
        Kind::Thread => named().map(|(channel, name)| Key::Thread(channel, name))?,
        Kind::Seen => Key::Seen(InputId(id()?)),
        Kind::Presence => Key::Presence(AgentId::new(text()?).ok()?),
        Kind::Outbound => Key::Outbound(MessageId(id()?)),
        Kind::Sent => named().map(|(channel, name)| Key::Sent(channel, name))?,
        Kind::Parked => Key::Parked(ParkedId(id()?)),
        Kind::Call => Key::Call(CallId(id()?)),
        Kind::Cursor => named().map(|(channel, name)| Key::Cursor(channel, name))?,
        Kind::Single => match field {
            b"settings" => Key::Settings,
            b"totals" => Key::Totals,
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use postroom_model::{ChannelId, ConversationId, WorkspaceId};
    use postroom_records::Key;
    use uuid::Uuid;

    use super::{Kind, Names, field, fixed, key_of};

    fn keys() -> Vec<Key> {
        let channel = |text| ChannelId::new(text).unwrap();
        let id = |n| ConversationId(Uuid::from_u128(n));
        vec![
            Key::Conversation(id(1)),
            Key::Timeline(id(1), 9),
            Key::Timeline(id(1), 256),
            Key::Timeline(id(2), 1),
            Key::Address("tel:+1".parse().unwrap()),
            Key::Thread(channel("site"), "z".to_owned()),
            Key::Thread(channel("site-2"), "a\0b".to_owned()),
            Key::Sent(channel("site"), String::new()),
            Key::Settings,
            Key::Totals,
        ]
    }

    #[test]
    fn key_comes_back_from_its_field() {
        for key in keys() {
            assert_eq!(key_of(Kind::of(&key), &field(&key)).unwrap(), key);
        }
        for (kind, broken) in [
            (Kind::Conversation, &b"short"[..]),
            (Kind::Timeline, b"shorter than both"),
            (Kind::Thread, b"no end of the channel"),
            (Kind::Thread, b"Not a slug\0name"),
            (Kind::Single, b"other"),
        ] {
            assert_eq!(key_of(kind, broken).unwrap_err().code(), "records_damaged");
        }
    }

    #[test]
    fn fields_have_the_order_of_their_keys() {
        let keys = keys();
        assert!(keys.is_sorted());
        let placed: Vec<_> = keys.iter().map(|key| (Kind::of(key), field(key))).collect();
        assert!(placed.is_sorted(), "{placed:?}");
    }

    #[test]
    fn keys_of_a_workspace_share_one_hash_tag() {
        let names = Names::of(WorkspaceId::main());
        assert_eq!(names.key("meta"), "postroom:{main}:meta");
        let all: std::collections::BTreeSet<_> = fixed().collect();
        assert_eq!(all.len(), fixed().count(), "no name is used twice");
    }
}
