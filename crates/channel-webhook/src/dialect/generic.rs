//! The generic dialect: one message, or one receipt, as a JSON object. `README.md` has its fields.

mod attachments;
mod fields;
mod parse;
mod receipt;
mod sender;

use http::header::CONTENT_TYPE;
use postroom_channel::signature::ID_HEADER;
use postroom_channel::{PushRequest, Received, Refusal, limits};

pub(crate) use fields::nearest;
pub use parse::parse;

/// Bytes in the content of one attachment.
pub const ATTACHMENT_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Bytes in the contents of all attachments of one message.
pub const ATTACHMENTS_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Bytes in a file name; the middle of a longer one is cut out.
pub const FILE_NAME_BYTES_MAX: usize = 255;
/// Characters in a name of a person; what is over it is cut.
pub const NAME_CHARS_MAX: usize = 200;
/// Attributes of one message.
pub const ATTRIBUTES_MAX: usize = 50;
/// Characters in the name of an attribute.
pub const ATTRIBUTE_NAME_CHARS_MAX: usize = 64;
/// Characters in an attribute that is text.
pub const ATTRIBUTE_CHARS_MAX: usize = 4_096;
/// The attribute in which further addresses of the sender stand; a body may not set it.
pub const FROM_ADDRESSES: &str = "from_addresses";

/// Checks what stands around the body, then reads it.
pub(super) fn parse_request(request: &PushRequest<'_>) -> Result<Received, Refusal> {
    limits::check_body(request.body)?;
    check_media_type(request)?;
    let webhook_id = request.headers.get(ID_HEADER);
    let webhook_id = webhook_id.and_then(|value| value.to_str().ok());
    parse(request.body, webhook_id)
}

/// `application/json` or a type that ends in `+json`; a charset other than UTF-8 is refused.
fn check_media_type(request: &PushRequest<'_>) -> Result<(), Refusal> {
    let mut values = request.headers.get_all(CONTENT_TYPE).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    let value = value.filter(|_| values.next().is_none()).unwrap_or("");
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    let is_json = essence == "application/json"
        || essence.strip_suffix("+json").is_some_and(|kind| {
            kind.split_once('/').is_some_and(|(class, name)| !class.is_empty() && !name.is_empty())
        });
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some(("charset", charset)) => matches!(charset.trim_matches('"'), "utf-8" | "utf8"),
        _ => true,
    });
    if is_json && utf8 {
        return Ok(());
    }
    let detail = "the header Content-Type must stand there once and say application/json";
    Err(Refusal::new(415, "media_type_not_supported", detail))
}
