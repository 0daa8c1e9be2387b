//! Limits of this crate. Each has a name, and what is over it gets a clear error (P12).

use std::time::Duration;

/// Bytes of one mail that are fetched, unless the operator sets less; no setting can exceed it.
pub const MESSAGE_BYTES_MAX: u64 = postroom_channel_email::limits::MAIL_BYTES_MAX as u64;
/// Bytes that a response may have beside the mail in it.
pub const RESPONSE_BYTES_EXTRA: u64 = 64 * 1024;
/// Bytes of one line of a server.
pub const LINE_BYTES_MAX: usize = 256 * 1024;
/// Mails asked for in one command.
pub const FETCH_MESSAGES_MAX: usize = 500;
/// Bytes asked for in one command, as far as the server tells them; one mail may have more.
pub const FETCH_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Commands for mails that a server is given before the first of them has come to its end.
pub const ASKED_AHEAD_MAX: usize = 2;
/// Mails given to the inlet at once.
pub const BATCH_MESSAGES_MAX: usize = 128;
/// Bytes of mails given to the inlet at once; one mail may have more.
pub const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Batches that are read ahead of the inlet.
pub const BATCHES_AHEAD_MAX: usize = 2;
/// Mails whose sizes are asked for in one command, if the numbering has no holes.
pub const LISTED_MAX: u32 = 5_000;
/// Holes in the numbering that are looked at again.
pub const GAPS_MAX: usize = 100;
/// Folders of one mailbox.
pub const FOLDERS_MAX: usize = 20;
/// Folders of all mailboxes that are fetched from at the same moment; the others take turns.
pub const FETCHING_MAX: usize = 8;
/// Bytes of the name of a folder, a user, a host or a keyword.
pub const NAME_BYTES_MAX: usize = 255;
/// Characters of what a server says that are repeated.
pub const WORDS_CHARS_MAX: usize = 200;
/// Bytes of the answer of a token endpoint.
pub const TOKEN_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Times that a mail is asked for alone before the mailbox goes on without it.
pub const TRIES_MAX: u32 = 3;
/// Mails that are remembered for not having come.
pub const TRIES_REMEMBERED_MAX: usize = 10_000;
/// Mails that an audit names, of each folder.
pub const MISSING_TOLD_MAX: usize = 100;

/// Copies of answers that wait to be put into their folder.
pub const SENT_COPIES_MAX: usize = 16;

/// To put one copy of an answer into its folder, from the connection on.
pub const SENT_COPY_WAIT: Duration = Duration::from_mins(1);
/// How long the end waits for copies that are under way.
pub const FAREWELL: Duration = Duration::from_secs(3);
/// To have a connection, with name and TLS, and to sign in.
pub const CONNECT_WAIT: Duration = Duration::from_secs(30);
/// Without a byte where something was asked.
pub const SILENCE: Duration = Duration::from_mins(1);
/// From a command to its end, however much is said meanwhile.
pub const COMMAND_WAIT: Duration = Duration::from_mins(20);
/// After this long the server is asked again to tell what is new.
pub const IDLE_RENEW: Duration = Duration::from_mins(5);
/// Between two looks where a server cannot tell what is new.
pub const POLL_DEFAULT: Duration = Duration::from_mins(1);
/// The first pause after something failed; it doubles up to the longest.
pub const PAUSE: Duration = Duration::from_millis(500);
pub const PAUSE_MAX: Duration = Duration::from_mins(2);
/// The longest pause where somebody has to change something first.
pub const REFUSED_PAUSE_MAX: Duration = Duration::from_mins(5);
/// After this long without one good look, it is told as an error.
pub const ALARM: Duration = Duration::from_mins(15);
