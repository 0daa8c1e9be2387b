//! Limits on what is read of one mail. Each has a name (P12).
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
