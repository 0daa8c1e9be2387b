//! Limits that more than one room must agree on. Each has a name; what is over it gets a clear error.

/// Bodies (text and HTML together) up to this many bytes travel inside an input; larger ones go to
/// the blob store and the input names them.
pub const INLINE_BODY_BYTES_MAX: usize = 64 * 1024;

/// Characters in an id that an operator writes in the configuration (channel, queue, agent…).
pub const SLUG_CHARS_MAX: usize = 64;

/// Characters in an external id or a thread key; longer ones are refused by the adapter.
pub const EXTERNAL_ID_CHARS_MAX: usize = 512;

/// Characters in a subject; longer ones are cut by the adapter.
pub const SUBJECT_CHARS_MAX: usize = 1_000;

/// Mails that an answer refers to.
pub const MAILS_REFERRED_MAX: usize = 20;

/// Tags on one conversation.
pub const TAGS_MAX: usize = 50;

/// Characters in one tag.
pub const TAG_CHARS_MAX: usize = 64;

/// Bytes of text in one reply or note.
pub const REPLY_BYTES_MAX: usize = 256 * 1024;

/// Attachments of one message.
pub const ATTACHMENTS_MAX: usize = 100;

/// The highest priority; 0 is the default and the lowest.
pub const PRIORITY_MAX: u8 = 99;

/// For how long an external id is remembered, so that the same message makes one message (P3).
/// Providers retry for up to 7 days; this leaves a margin.
pub const SEEN_DAYS: i64 = 10;

/// Conversations that were merged into one, by way of others or not.
pub const MERGED_MAX: usize = 50;

/// Messages that would have opened a conversation of their own and went on in one that is open.
pub const JOINED_MAX: usize = 200;

/// Addresses of one contact. A message adds none beyond, a merge that would is refused. Each merge
/// brings at least one, so that no chain of merges is longer.
pub const CONTACT_ADDRESSES_MAX: usize = 50;

/// Steps of the ladder of one queue.
pub const LADDER_STEPS_MAX: usize = 20;

/// Agents named in the reason of an assignment as passed over.
pub const PASSED_OVER_MAX: usize = 5;
