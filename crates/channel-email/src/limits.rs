//! Limits on what is read of one mail, and on how it is taken and sent. Each has a name (P12).
//!
//! What is over a limit that guards the program (nesting, parts, header fields) is refused, and the
//! mail is set aside whole. What is over a limit that guards the reader (recipients, files, text) is
//! cut, and the message says so in its attributes.

/// Bytes of one mail.
pub const MAIL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Fields in the header of a mail.
pub const HEADER_FIELDS_MAX: usize = 1_000;
/// Bytes in the header of a mail.
pub const HEADER_BYTES_MAX: usize = 256 * 1024;
/// Parts of one mail, those of mails inside it included.
pub const PARTS_MAX: usize = 1_000;
/// Parts that declare themselves a multipart.
pub const MULTIPARTS_MAX: usize = 100;
/// Parts that declare themselves a mail, or a list of mails: each may stand within the one before.
pub const ENCLOSED_MAX: usize = 100;
/// Mails in transfer encoding, which have to be decoded to be looked at.
pub const ENCLOSED_ENCODED_MAX: usize = 8;
/// How often a mail in transfer encoding may stand within another.
pub const ENCODED_DEPTH_MAX: usize = 3;
/// Bytes that may be looked through in vain for the ends of multiparts.
pub const SEARCH_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Addresses in one list.
pub const ADDRESSES_MAX: usize = 1_000;
/// Ids in `References`; the last ones are kept.
pub const REFERENCES_MAX: usize = 100;
/// Bytes of plain text that are kept of one mail.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of HTML that are made into text, where the mail has no other.
pub const HTML_TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Recipients of one report.
pub const BOUNCES_MAX: usize = 100;
/// Characters of what the other side said about one recipient.
pub const DIAGNOSTIC_CHARS_MAX: usize = 1_000;
/// Bytes in the name of a file.
pub const FILE_NAME_BYTES_MAX: usize = 255;
/// Characters of a display name.
pub const NAME_CHARS_MAX: usize = 200;

/// Bytes before the @ of an address (RFC 5321, 4.5.3.1.1).
pub const ADDRESS_LOCAL_BYTES_MAX: usize = 64;
/// Bytes of an address in an envelope, with the angle brackets (RFC 5321, 4.5.3.1.3).
pub const PATH_BYTES_MAX: usize = 256;
/// Further addresses of one channel.
pub const ALIASES_MAX: usize = 100;
/// Bytes of the secret that reply addresses are signed with.
pub const TOKEN_SECRET_BYTES_MIN: usize = 16;

/// Bytes of one mail that the listener takes, where the configuration says nothing else.
pub const LISTEN_BYTES_DEFAULT: usize = 25 * 1024 * 1024;
/// Recipients of one mail.
pub const RECIPIENTS_DEFAULT: usize = 100;
pub const RECIPIENTS_MAX: usize = 1_000;
/// Connections at once.
pub const CONNECTIONS_DEFAULT: usize = 50;
pub const CONNECTIONS_MAX: usize = 1_000;
/// How long the other side may be silent, in seconds.
pub const IDLE_S_DEFAULT: u64 = 60;
/// Bytes of one command.
pub const COMMAND_BYTES_MAX: usize = 2_048;
/// Commands of one connection.
pub const COMMANDS_MAX: usize = 1_000;
/// Commands of one connection that were refused.
pub const MISTAKES_MAX: usize = 20;
/// Bytes of one line of a mail. RFC 5322 allows 998; real ones have more.
pub const DATA_LINE_BYTES_MAX: usize = 1024 * 1024;
/// How long one mail may take to come, in seconds.
pub const DATA_S_MAX: u64 = 600;

/// How long all questions to the DNS about one mail may take, in seconds.
pub const DNS_S_DEFAULT: u64 = 10;
pub const DNS_S_MAX: u64 = 60;
/// Name servers of one listener.
pub const DNS_SERVERS_MAX: usize = 8;
/// Answers of name servers that are kept.
pub const DNS_CACHE_MAX: u64 = 4_096;
/// How long an answer is kept, in seconds, whatever its server allows.
pub const DNS_KEPT_S_MAX: u64 = 3_600;
/// The same, of an answer that there is nothing.
pub const DNS_MISSING_KEPT_S_MAX: u64 = 300;
/// Signatures of one mail that are checked.
pub const SIGNATURES_CHECKED_MAX: usize = 10;
/// Fields that one signature may name.
pub const SIGNED_FIELDS_MAX: usize = 200;

/// How long it may take until the server is ready for an answer, in seconds. With the server's own
/// answer it has to fit into the deadline of an attempt.
pub const SMTP_TIMEOUT_S_DEFAULT: u64 = 15;
pub const SMTP_TIMEOUT_S_MAX: u64 = 25;
/// How long an idle connection is kept for the next answer, in seconds.
pub const SMTP_IDLE_S_MAX: u64 = 30;
/// Idle connections that are kept.
pub const SMTP_IDLE_MAX: usize = 4;
/// Bytes of all files of one answer.
pub const SENT_FILES_BYTES_MAX: u64 = 20 * 1024 * 1024;
/// Recipients of one answer.
pub const SENT_RECIPIENTS_MAX: usize = 50;
