//! Limits that every adapter keeps. Each has a name, and what is over it gets a clear refusal
//! (P12).

use crate::Refusal;

/// Bytes in one post, unless the operator sets another limit; the gateway refuses larger ones
/// before they are read to the end.
pub const BODY_BYTES_DEFAULT: usize = 10 * 1024 * 1024;
/// What no setting can exceed: adapters refuse more.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Values in one JSON body: a number takes many times its bytes once it is read.
pub const JSON_VALUES_MAX: usize = 100_000;
/// How deep arrays and objects may stand within each other.
pub const JSON_DEPTH_MAX: usize = 64;
/// Mistakes told in one refusal; further ones are counted.
pub const POINTERS_MAX: usize = 100;
/// Characters of one name in a JSON pointer; a longer one is not repeated.
pub const POINTER_NAME_CHARS_MAX: usize = 100;

/// Refuses a body over [`BODY_BYTES_MAX`].
pub fn check_body(body: &[u8]) -> Result<(), Refusal> {
    if body.len() <= BODY_BYTES_MAX {
        return Ok(());
    }
    let detail = format!("the body is larger than {BODY_BYTES_MAX} bytes");
    Err(Refusal::new(413, "body_too_large", detail))
}
