//! Limits of this crate. Each has a name, and what is over it gets a clear refusal (P12).

/// Bytes of one log that is read as a whole. What is posted has the limit of every post.
pub const LOG_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Bytes of one record of a log; more is a quotation mark that was never closed.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Records of one log that may be longer; each is looked through so far before it is passed over.
pub const TOO_LONG_MAX: usize = 64;
/// Columns of one record, fields of one form.
pub const FIELDS_MAX: usize = 1_000;
/// Characters of an id of a call.
pub const ID_CHARS_MAX: usize = postroom_model::limits::EXTERNAL_ID_CHARS_MAX;
/// Characters of a name, a number, a queue or a cause; the rest is cut off.
pub const TEXT_CHARS_MAX: usize = 256;
/// Characters of the address of a recording; a longer one is left out.
pub const URL_CHARS_MAX: usize = 2_048;
/// Names of agents of one call; further ones are left out.
pub const AGENTS_MAX: usize = 100;
/// Calls in one post.
pub const POST_CALLS_MAX: usize = 1_000;
/// Records that could not be read and are told one by one; further ones are counted.
pub const UNREADABLE_TOLD_MAX: usize = 20;
/// Numbers whose reading is remembered while one log is read.
pub const NUMBERS_REMEMBERED_MAX: usize = 16_384;
/// Bytes of a followed log that are read, and accepted, at once.
pub const FOLLOW_BYTES_MAX: u64 = 128 * 1024;
/// Bytes of one file of posts that did not arrive.
pub const POST_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Calls of the manager interface that are remembered; the oldest go first.
pub const CALLS_REMEMBERED_MAX: usize = 10_000;
/// Bytes of a recording that is fetched.
pub const RECORDING_BYTES_MAX: usize = 24 * 1024 * 1024;
/// Recordings of one channel that are fetched at the same time.
pub const RECORDINGS_AT_ONCE_MAX: usize = 2;
